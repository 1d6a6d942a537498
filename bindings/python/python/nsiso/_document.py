"""Makes spec documents, options as data: from Python values, and from JSON and TOML files."""

import base64
import json
import math
import os
from dataclasses import fields
from datetime import timedelta
from fractions import Fraction
from typing import Any, Callable, Dict, Iterable, List, Mapping, Tuple, TypeVar, Union

from ._types import Path

T = TypeVar("T")

# A file that is longer is no document.
_LONGEST = 16 << 20


def kept(value: Any) -> Any:
    """Returns a copy of lists, iterators and mappings, which may change or end until their use."""
    if isinstance(value, Mapping):
        return {key: kept(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(map(kept, value))
    plain_types = (str, bytes, bytearray, memoryview, os.PathLike, Entry)
    if isinstance(value, Iterable) and not isinstance(value, plain_types) and not hasattr(value, "fileno"):
        return [kept(item) for item in value]
    return value


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
    if value is None or isinstance(value, bool) or type(value) is str and value.isascii():
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**64:
            raise ValueError(f"{value} is out of range")
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
        return unique([(_key(key), plain(item)) for key, item in value.items()])
    if hasattr(value, "fileno"):
        return value.fileno()
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    raise TypeError(f"{value!r} is no value of an option")


def bytes_of(value: Any) -> Any:
    """Returns the bytes of a text in base64. Other values stay."""
    if not isinstance(value, dict) or value.keys() != {"base64"}:
        return value
    return base64.b64decode(value["base64"], validate=True)


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


def converted(name: str, value: Any, conversion: Callable[[Any], Any] = plain) -> Any:
    """Returns the value of an option in the form of a document. Errors begin with its name."""
    try:
        return conversion(value)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    except RecursionError:
        raise ValueError(f"{name}: it is nested too deep") from None


# Options of which both a document and a keyword may have a part. Lists are put together.
_ADDED = {"mounts", "links"}
_MERGED = {"devices", "fds", "limits", "pin", "rlimits", "uplink"}


def merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> Dict[str, Any]:
    """Returns the options of two documents, or of keywords. Those of ``more`` come first."""
    both = {**base, **more}
    for name in base.keys() & more.keys() if base else ():
        if name in _ADDED and isinstance(base[name], (list, tuple)) and isinstance(more[name], (list, tuple)):
            both[name] = [*base[name], *more[name]]
        elif name in _MERGED and isinstance(base[name], dict) and isinstance(more[name], dict):
            both[name] = _filled(base[name], more[name])
        elif name == "uplink" and more[name] is True and base[name]:
            both[name] = base[name]
    return both


def _filled(base: Dict[str, Any], more: Dict[str, Any]) -> Dict[str, Any]:
    def value(name: str) -> Any:
        objects = isinstance(base.get(name), dict) and isinstance(more.get(name), dict)
        return _filled(base[name], more[name]) if objects else more.get(name, base.get(name))

    return {name: value(name) for name in [*base, *(name for name in more if name not in base)]}


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
        document = _toml(text) if name.lower().endswith(".toml") else parse(text)
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None
    if not isinstance(document, dict):
        raise ValueError(f"{name}: a spec document is an object, not {type(document).__name__}")
    return document


def parse(text: str) -> Any:
    """Reads JSON. Raises ValueError for text that is not JSON, and if a key comes twice."""
    try:
        return json.loads(text, object_pairs_hook=unique)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def unique(pairs: List[Tuple[T, Any]]) -> Dict[T, Any]:
    """Returns a dict. Raises ValueError if a key comes twice."""
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
        document: Dict[str, Any] = converted("spec", value)
        return document
    if isinstance(value, (str, bytes, os.PathLike)):
        return load(value)
    raise TypeError(f"spec is a mapping of options or the path of a JSON or TOML file, not {value!r}")
