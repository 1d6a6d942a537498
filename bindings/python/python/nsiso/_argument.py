"""Checks the types of arguments. The error messages name the argument."""

import difflib
from typing import Any, Iterable, List, Mapping, Tuple


def listed(name: str, value: Any) -> List[Any]:
    """Returns the items of any iterable except str and bytes as a list."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise TypeError(f"{name} is a list, not {value!r}")
    return [*value]


def mapping(name: str, value: Any, example: Mapping[Any, Any]) -> Iterable[Tuple[Any, Any]]:
    """Returns the items of a mapping."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} is a mapping like {example}, not {value!r}")
    return value.items()


def pair(name: str, value: Any, what: str) -> List[Any]:
    """Returns the two items of a list or tuple."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise TypeError(f"{name}: {value!r} is not {what}")
    return [*value]


def text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name}: {value!r} is no text")
    return value


def texts(name: str, values: Any) -> List[str]:
    """Returns a list of texts, given one text or an iterable of texts."""
    one = isinstance(values, (str, bytes)) or not isinstance(values, Iterable)
    return [text(name, value) for value in ([values] if one else values)]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Returns a hint at the known word that is most like one that does not exist."""
    found = difflib.get_close_matches(word, [*known], 1)
    return f": did you mean {found[0]}?" if found else ""
