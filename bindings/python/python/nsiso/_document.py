"""The spec document: options as data, in a mapping or in a JSON or TOML file."""

import json
import os
from typing import Any, Dict, List, Mapping, Tuple, Union

# A file that is longer is no document.
_LONGEST = 16 << 20


def load(path: Union[str, "os.PathLike[str]"]) -> Dict[str, Any]:
    """Reads a spec document from a file whose name ends in .json or .toml.

    Raises OSError if the file cannot be read, and ValueError, with the file's name, if it is
    neither JSON nor TOML, or if a key comes twice in it. TOML needs Python 3.11.
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        content = file.read(_LONGEST + 1)
    try:
        if len(content) > _LONGEST:
            raise ValueError(f"it has more than {_LONGEST} bytes")
        text = content.decode()
        document = _toml(text) if name.lower().endswith(".toml") else json.loads(text, object_pairs_hook=_unique)
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{name}: a spec document is an object, not {type(document).__name__}")
    return document


def _unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} comes twice")
    return fields


def _toml(text: str) -> Any:
    try:
        import tomllib
    except ModuleNotFoundError:
        raise ValueError("TOML needs Python 3.11: write the document as JSON") from None
    return tomllib.loads(text)


def document_of(value: Any) -> Dict[str, Any]:
    """The document that the keyword ``spec`` gives: a mapping, or the path of a file."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (str, os.PathLike)):
        return load(value)
    raise TypeError(f"spec is a mapping of options or the path of a JSON or TOML file, not {value!r}")


def put(spec: Any, document: Mapping[str, Any], sandboxed: bool) -> None:
    """Adds a document to a spec. The program and its arguments are those of the call."""
    options = {name: value for name, value in document.items() if name not in ("args", "program")}
    if sandboxed:
        # The spec is a sandbox already.
        options.pop("sandbox", None)
    fds = options.get("fds")
    if isinstance(fds, Mapping) and "pipe" in fds.values():
        raise ValueError("spec: fds: a pipe is asked for by stdin, stdout or stderr")
    try:
        text = json.dumps(options, allow_nan=False)
    except (RecursionError, TypeError, ValueError) as error:
        raise type(error)(f"spec: {error}") from None
    spec.document(text)
