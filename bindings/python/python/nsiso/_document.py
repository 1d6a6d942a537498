"""Makes spec documents, options as data: from Python values, and from JSON and TOML files."""

import base64
import json
import math
import os
from dataclasses import fields
from datetime import timedelta
from fractions import Fraction
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Tuple, Union

from ._types import Path

# A file that is longer is no document.
_LONGEST = 16 << 20


def kept(value: Any) -> Any:
    """Returns a list in place of an iterator, which would be empty at its second use."""
    return [*value] if isinstance(value, Iterator) and not hasattr(value, "fileno") else value


class Entry:
    """A part of a spec document that is a dataclass in Python."""

    def __post_init__(self) -> None:
        for field in fields(self):  # type: ignore[arg-type]  # a dataclass
            object.__setattr__(self, field.name, kept(getattr(self, field.name)))

    def document(self) -> Dict[str, Any]:
        """Returns the fields that are set, as in a spec document."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # a dataclass
        return {name: plain(value) for name, value in values.items() if value is not None}


def plain(value: Any) -> Any:
    """Returns a value in the form that it has in a spec document.

    Paths and bytes become text, or base64 if they are not UTF-8. Files and other objects with
    fileno() become their descriptors.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is no number that can be used")
        return value
    if isinstance(value, (str, os.PathLike)):
        return _text(os.fsencode(value))
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _text(bytes(value))
    if isinstance(value, Entry):
        return value.document()
    if isinstance(value, (timedelta, Fraction)):
        return nanoseconds(value)
    if isinstance(value, Mapping):
        return {_key(key): plain(item) for key, item in value.items()}
    if hasattr(value, "fileno"):
        return value.fileno()
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"{value!r} is no value of an option")


def _text(content: bytes) -> Any:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


def _key(key: Any) -> str:
    return str(key) if isinstance(key, int) else os.fsdecode(key)


def nanoseconds(time: Union[timedelta, Fraction]) -> str:
    if isinstance(time, timedelta):
        time = Fraction(time // timedelta(microseconds=1), 1_000_000)
    return f"{round(time * 1_000_000_000)}ns"


def load(path: Path) -> Dict[str, Any]:
    """Reads a spec document from a file whose name ends in .json or .toml.

    Raises OSError if the file cannot be read, and ValueError, with the file's name, if it is
    neither JSON nor TOML, or if a key comes twice in it. TOML needs Python 3.11.
    """
    name = os.fsdecode(path)
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
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} comes twice")
    return found


def _toml(text: str) -> Any:
    try:
        import tomllib
    except ModuleNotFoundError:
        raise ValueError("TOML needs Python 3.11: write the document as JSON") from None
    return tomllib.loads(text)


def document_of(value: Any) -> Dict[str, Any]:
    """Returns the document of the keyword ``spec``: a mapping, or the path of a file."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (str, bytes, os.PathLike)):
        return load(value)
    raise TypeError(f"spec is a mapping of options or the path of a JSON or TOML file, not {value!r}")
