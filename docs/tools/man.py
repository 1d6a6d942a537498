"""Writes the man pages into a directory: `python3 docs/tools/man.py DIRECTORY`.

nsiso(1) comes from the parser of the command, nsiso_spec(5) from the schema of spec documents, and
nsiso(3) with one page for each group of functions from the comments of the header. A page that only
refers to its group is written for each function and type. SOURCE_DATE_EPOCH sets the date of the
pages.
"""

import argparse
import json
import os
import pathlib
import re
import sys
import textwrap
import time
from typing import Any, Dict, Iterable, Iterator, List

import command
import header
import package

ROOT = package.ROOT
SCHEMA = json.loads((ROOT / "include/nsiso-spec.schema.json").read_text())


def escape_roff(text: str) -> str:
    """Returns text for roff as it stands, with hyphens that can be copied and searched for."""
    return text.replace("\\", "\\e").replace("-", "\\-")


def inline(text: str) -> str:
    """Returns a text of one paragraph for roff: code and names are bold, dashes stay dashes."""
    parts = re.split(r"(`[^`]+`|\bns_\w+\b(?!\()|\b[\w.]+\([1-9]\w*\)|(?<!\w)--?[\w][\w-]*)", " ".join(text.split()))
    for at in range(0, len(parts), 2):
        parts[at] = parts[at].replace("\\", "\\e")
    for at in range(1, len(parts), 2):
        reference = re.fullmatch(r"([\w.]+)(\([1-9]\w*\))", parts[at])
        parts[at] = f"\\fB{escape_roff(reference[1])}\\fP{reference[2]}" if reference else f"\\fB{escape_roff(parts[at].strip('`'))}\\fP"
    return "\n".join(map(protected, textwrap.wrap("".join(parts), 78, break_long_words=False, break_on_hyphens=False)))


def protected(line: str) -> str:
    """Returns a line that roff does not take for a request."""
    return f"\\&{line}" if line.startswith((".", "'")) else line


def prose(text: str) -> Iterator[str]:
    """Yields the lines for a comment: paragraphs, lists and indented code."""
    for block in re.split(r"\n\s*\n", text):
        if block.startswith("    "):
            yield from code(re.sub(r"^    ", "", block, flags=re.MULTILINE))
            continue
        first, *items = re.split(r"^- ", block, flags=re.MULTILINE)
        if first.strip():
            yield ".PP"
            yield inline(first)
        for item in items:
            yield ".IP \\(bu 2"
            yield inline(item)


def code(text: str) -> List[str]:
    return [".PP", ".in +4n", ".nf", *(protected(escape_roff(line)) for line in text.splitlines()), ".fi", ".in"]


def bold(text: str) -> List[str]:
    return [f"\\fB{escape_roff(line)}\\fP" for line in text.splitlines()]


def narrow(declaration: str) -> str:
    """Returns the declaration of a function with one parameter a line if it is wide."""
    before, parenthesis, parameters = " ".join(declaration.split()).partition("(")
    return before + parenthesis + (parameters if len(declaration) <= 72 else parameters.replace(", ", ",\n    "))


def terms(pairs: Iterable[Any]) -> Iterator[str]:
    """Yields a list of terms, each with its explanation."""
    for term, text in pairs:
        yield ".TP"
        yield from bold(term)
        paragraphs = [inline(paragraph) for paragraph in re.split(r"\n\s*\n", text)]
        yield "\n.IP\n".join(paragraphs)


def page(names: List[str], section: int, title: str, lines: Iterable[str], also: Iterable[str]) -> str:
    """Returns a page that describes these names. It has the first of them."""
    seconds = int(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    date = time.strftime("%Y-%m-%d", time.gmtime(seconds))
    references = [f".BR {name} {number.rstrip(')').join('()')}" for name, number in (one.split("(") for one in also)]
    text = "\n".join(
        [
            f'.TH {names[0].upper()} {section} {date} "nsiso {package.version()}" "nsiso manual"',
            ".nh", ".ad l",
            ".SH NAME", *textwrap.wrap(f"{', '.join(names)} \\- {title}", 78),
            *lines,
            ".SH SEE ALSO", *(line + " ," for line in references[:-1]), references[-1], "",
        ]
    )  # fmt: skip
    # A heading starts a paragraph.
    return re.sub(r"^(\.S[HS] .*\n)\.PP\n", r"\1", text, flags=re.MULTILINE)


def pages_named_in(text: str) -> List[str]:
    """Returns the man pages of others that a text refers to."""
    return sorted({f"{name}({number})" for name, number in re.findall(r"\b([a-z][\w.-]*)\(([1-8])\)", text)}, key=lambda one: (one[-2], one))


def group_page(group: header.Group) -> str:
    functions = group.items_of("function")
    declarations = {function.name: bold(narrow(function.declaration)) for function in functions}
    lines = [".SH SYNOPSIS", ".nf", *bold("#include <nsiso.h>"), ".fi", ".SH DESCRIPTION", *prose("nsiso(3) has the conventions that all functions share.")]
    for function in functions:
        lines += [f".SS {function.name}()", ".nf", *declarations[function.name], ".fi", *prose(function.text)]
    objects = group.items_of("object") + group.items_of("struct") + group.items_of("enum")
    if objects:
        lines.append(".SH TYPES")
    for one in objects:
        lines += [f".SS {one.name}", *prose(one.text), *terms(one.members)]
    constants = group.items_of("constant")
    if constants:
        lines += [".SH CONSTANTS", *terms((one.name, one.text) for one in constants)]
    others = pages_named_in("".join(function.text for function in functions))
    names = [f"nsiso_{group.name}", *(function.name for function in functions)]
    return page(names, 3, group.title, lines, ["nsiso(3)", "nsiso_spec(5)", *others])


def library_page(groups: List[header.Group]) -> str:
    readme = (ROOT / "README.md").read_text()
    example = re.search(r"^```c\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    lines = [
        ".SH SYNOPSIS", ".nf", *bold("#include <nsiso.h>\n\ncc program.c $(pkg-config --cflags --libs nsiso)"), ".fi",
        ".SH DESCRIPTION", *prose(header.read().introduction),
        ".SH FUNCTIONS", *terms((f"nsiso_{group.name}(3)", group.title) for group in groups),
        ".SH EXAMPLES", *code(example[1]),
    ]  # fmt: skip
    return page(["nsiso"], 3, "start programs in Linux namespaces", lines, ["nsiso(1)", "nsiso_spec(5)", "namespaces(7)"])


def command_page() -> str:
    lines = [".SH SYNOPSIS", ".nf", *(line for one in command.commands() for line in bold(one.usage)), ".fi", ".SH DESCRIPTION"]
    lines += prose("nsiso runs programs in new or existing Linux namespaces, and shows the namespaces of the machine.")
    for one in command.commands():
        lines += [f".SS nsiso {one.name}", *prose(f"{one.summary.capitalize()}."), *terms(one.options)]
    lines += [".SH EXIT STATUS", *prose("Of run and enter:"), *terms(command.exit_codes())]
    lines += [".SH EXAMPLES", *code("nsiso run --user --pid --map-root --mount-proc -- ps -ef\nnsiso run --sandbox --memory 64M --deadline 5 -- python3 x.py\nnsiso list net user --tree")]
    return page(["nsiso"], 1, "run programs in Linux namespaces, and list namespaces", lines, ["unshare(1)", "nsiso(3)", "nsiso_spec(5)", "namespaces(7)"])


def type_of(schema: Dict[str, Any]) -> str:
    """Returns the type of a value in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        # Such a name is made of others, as OneOrMany_Kind is.
        return type_of(SCHEMA["$defs"][name]) if "_" in name else name
    choices = schema.get("oneOf") or schema.get("anyOf")
    if choices:
        return " or ".join(dict.fromkeys(type_of(choice) for choice in choices))
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " or ".join(map(json.dumps, schema["enum"]))
    if schema.get("type") == "array":
        items = schema.get("items") or {}
        if "prefixItems" in schema:
            return "[" + ", ".join(map(type_of, schema["prefixItems"])) + "]"
        return f"list of {type_of(items)}"
    if schema.get("type") == "object" and "properties" not in schema:
        values = schema.get("additionalProperties")
        return f"object of {type_of(values)}" if isinstance(values, dict) else "object"
    kind = schema.get("type", "value")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def schema_terms(properties: Dict[str, Any]) -> Iterator[Any]:
    for name, schema in properties.items():
        yield name, f"({type_of(schema)}) {schema.get('description', '')}"


def spec_page() -> str:
    reference = (ROOT / "docs/reference/spec-document.md").read_text()
    introduction = re.search(r"^# .*?\n\n(.*?)\n\n", reference, re.DOTALL)[1]
    example = re.search(r"^```toml\n(.*?)^```", reference, re.MULTILINE | re.DOTALL)[1]
    lines = [".SH DESCRIPTION", *prose(re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", introduction))]
    lines += prose("ns_spec_from_json() and nsiso run --spec read it. A time is a number of seconds or text such as \"1.5s\"; a size is a number of bytes or text such as \"256M\".")
    lines += [".SH OPTIONS", *terms(schema_terms(SCHEMA["properties"])), ".SH TYPES"]
    for name, definition in SCHEMA["$defs"].items():
        text = definition.get("description", "")
        if "_" not in name:
            lines += [f".SS {name}", *prose(text or "An object."), *terms(schema_terms(definition.get("properties", {})))]
            lines += terms((json.dumps(one["const"]), one.get("description", "")) for one in definition.get("oneOf", ()) if "const" in one)
    lines += [".SH EXAMPLES", *prose("As TOML:"), *code(example)]
    return page(["nsiso_spec"], 5, "options of a program and its namespaces, as a document", lines, ["nsiso(1)", "nsiso_document(3)", "namespaces(7)"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=pathlib.Path)
    directory = parser.parse_args().directory
    groups = header.read().groups
    pages = {"nsiso.1": command_page(), "nsiso.3": library_page(groups), "nsiso_spec.5": spec_page()}
    pages.update({f"nsiso_{group.name}.3": group_page(group) for group in groups})
    for group in groups:
        names = [item.name for item in group.items if item.kind != "constant"]
        pages.update({f"{name}.3": f".so man3/nsiso_{group.name}.3\n" for name in names if f"{name}.3" not in pages})
    for name, text in pages.items():
        path = directory / f"man{name[-1]}" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
