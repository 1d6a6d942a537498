"""Writes python/nsiso/_options.py, the keywords for isolation, from the schema of spec documents.

With --check it only says whether the file is up to date, and exits with 1 if it is not.
"""

import json
import pathlib
import re
import sys
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "docs/tools"))

from generated import write_or_check  # noqa: E402

SCHEMA = HERE.parent.parent / "include" / "nsiso-spec.schema.json"
TARGET = HERE / "python" / "nsiso" / "_options.py"

# Options that are arguments of subprocess, and join, which Popen describes.
ARGUMENTS = {"args", "program", "env", "cwd", "fds", "new_session", "join"}
# Definitions of the schema that have a class or an alias in Python.
TYPES = {
    "Bound": "int | str | None", "ByteString": "Path", "EndpointOption": "Endpoint | None", "Kind": "Kind", "LandlockRules": "Landlock",
    "LimitsOption": "Limits", "LinkOption": "tuple[Endpoint, Endpoint | Place]", "MountEntry": "Mount",
    "SeccompFilter": "Seccomp | Literal[True]", "Time": "Seconds", "UplinkPorts": "Uplink",
}  # fmt: skip
# Options whose Python type says more than the schema can.
OVERRIDES = {
    "boottime": "Seconds | tuple[int, int]", "domainname": "str | bytes", "hostname": "str | bytes",
    "landlock": "Literal[False] | Landlock", "monotonic": "Seconds | tuple[int, int]", "pin": "Mapping[Kind, Path]",
    "seccomp": "bool | Seccomp | Iterable[Seccomp | Literal[True]]",
}  # fmt: skip
PLAIN = {"boolean": "bool", "integer": "int", "number": "float", "string": "str"}

HEAD = '''\
"""The keywords for isolation: made from include/nsiso-spec.schema.json by make generate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, Literal, Mapping, TypedDict

if TYPE_CHECKING:
    from ._endpoint import Endpoint, Place, Uplink
    from ._limits import Limits
    from ._mount import Mount
    from ._restrictions import Landlock, Seccomp
    from ._types import Kind, Path, Seconds


class Options(TypedDict, total=False):
    """The keywords for isolation. All are optional, and None leaves one unset.

    An option requests the new namespace that it needs: ``hostname`` implies ``uts=True``.

    Seconds is a number, a timedelta, a Fraction, or text such as "250ms". For clocks a tuple is
    (seconds, nanoseconds). Path is str, bytes or an os.PathLike. Place is a Host, a Bridge, a
    Namespace of kind "net", or None for this process's own network. ``spec`` and ``join`` are
    described in nsiso.Popen.
'''


def main() -> int:
    schema = json.loads(SCHEMA.read_text())
    return write_or_check(TARGET, module(schema["properties"], schema["$defs"]))


def module(options: dict, definitions: dict) -> str:
    keywords = {name: option for name, option in options.items() if name not in ARGUMENTS}
    types = {name: OVERRIDES.get(name) or type_of(option, definitions) for name, option in keywords.items()}
    described = [entry(name, types[name], option["description"]) for name, option in keywords.items()]
    types["spec"] = "Mapping[str, object] | Path"
    lines = [f"    {name}: {kind} | None" for name, kind in types.items()]
    return "\n".join([HEAD, *described, '    """', "", *lines, ""])


def type_of(schema: dict, definitions: dict) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return TYPES.get(name) or type_of(definitions[name], definitions)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices and all("const" in choice for choice in choices):
        return literal(choice["const"] for choice in choices)
    if choices:
        return " | ".join(dict.fromkeys(type_of(choice, definitions) for choice in choices))
    if "enum" in schema:
        return literal(schema["enum"])
    if schema["type"] == "array" and "prefixItems" in schema:
        return f"tuple[{', '.join(type_of(item, definitions) for item in schema['prefixItems'])}]"
    if schema["type"] == "array":
        return f"Iterable[{type_of(schema['items'], definitions)}]"
    if schema["type"] == "object" and not schema.get("additionalProperties"):
        raise SystemExit("an object with fields has no Python type: add it to TYPES in bindings/python/generate.py")
    if schema["type"] == "object":
        return f"Mapping[str, {type_of(schema['additionalProperties'], definitions)}]"
    return PLAIN[schema["type"]]


def literal(words) -> str:
    return f"Literal[{', '.join(json.dumps(word) for word in words)}]"


def entry(name: str, kind: str, description: str) -> str:
    text = " ".join(description.split())
    text = re.sub(r"`(\w+)`", r"``\1``", text)
    text = re.sub(r"\btrue\b", "True", re.sub(r"\bfalse\b", "False", text))
    body = textwrap.fill(text, 100, initial_indent=" " * 8, subsequent_indent=" " * 8, break_on_hyphens=False)
    return f"    {name}: {kind}\n{body}"


if __name__ == "__main__":
    sys.exit(main())
