"""Makes a Spec from the arguments of run, Popen and execvp: their keywords become a document."""

import os
from fractions import Fraction
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Union

from ._argument import listed, mapping, pair
from ._document import document_of, nanoseconds, plain
from ._endpoint import Endpoint
from ._nsiso import Spec
from ._options import Options
from ._restrictions import filters

KEYWORDS = frozenset(Options.__annotations__)


def check_keywords(function: str, options: Iterable[str]) -> None:
    """Raises TypeError for a keyword that is not one of isolation."""
    unknown = sorted({*options} - KEYWORDS)
    if unknown:
        raise TypeError(f"{function} takes the keywords of nsiso.Options, not {', '.join(unknown)}")


def passed_fds(fds: Union[Iterable[int], Mapping[int, int]]) -> Dict[int, int]:
    """Returns {number in the program: descriptor} for the argument ``pass_fds``."""
    return dict(fds) if isinstance(fds, Mapping) else {int(fd): int(fd) for fd in fds}


def spec_of(
    options: Mapping[str, Any], args: Iterable[Any] = ("sh",), *, executable: Any = None, cwd: Any = None,
    env: Optional[Mapping[Any, Any]] = None, new_session: bool = False, passed: Optional[Mapping[int, int]] = None,
) -> Spec:  # fmt: skip
    """Returns the Spec of a program. The keys of ``options`` are from KEYWORDS; None is not set."""
    given = {name: value for name, value in options.items() if value is not None}
    base = _base(given.pop("spec", {}))
    if "sandbox" in given:
        # The sandbox comes first, since the other options replace parts of it.
        base["sandbox"] = _converted("sandbox", given.pop("sandbox"))
    program: Dict[str, Any] = {"args": [plain(os.fsencode(arg)) for arg in args], "fds": plain(passed or {})}
    if executable is not None:
        program["program"] = plain(os.fsencode(executable))
    if cwd is not None:
        program["cwd"] = plain(os.fsencode(cwd))
    if new_session:
        program["new_session"] = new_session
    document = {name: _converted(name, value) for name, value in given.items()}
    spec = Spec([base, {**program, **document}])
    if env is not None:
        spec.env([(os.fsdecode(name), os.fsdecode(value)) for name, value in env.items()])
    return spec


def _base(value: Any) -> Dict[str, Any]:
    """Returns the document of the keyword ``spec``, without the program, which the call has."""
    options = {name: option for name, option in document_of(value).items() if name not in ("args", "program")}
    document: Dict[str, Any] = _converted("spec", options)
    fds = document.get("fds")
    if isinstance(fds, dict) and "pipe" in fds.values():
        raise ValueError("spec: fds: a pipe is asked for by stdin, stdout or stderr")
    return document


def _converted(name: str, value: Any) -> Any:
    try:
        return _CONVERSIONS.get(name, plain)(value)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    except RecursionError:
        raise ValueError(f"{name}: it is nested too deep") from None


def _clock(offset: Any) -> Any:
    if isinstance(offset, tuple) and len(offset) == 2 and all(type(number) is int for number in offset):
        seconds, rest = offset
        return nanoseconds(Fraction(seconds) + Fraction(rest, 1_000_000_000))
    return plain(offset)


def _links(links: Any) -> Any:
    return [_link(*pair("links", link, "an nsiso.Endpoint and another one, or a place")) for link in listed("links", links)]


def _link(inside: Any, outside: Any) -> Dict[str, Any]:
    outside = outside if isinstance(outside, Endpoint) else Endpoint(outside)
    return {"inside": _inner(inside), "outside": outside.document()}


def _devices(devices: Any) -> Any:
    entries = mapping("devices", devices, {"eth1": None})
    return {name: {} if inside is None else _inner(inside) for name, inside in entries}


def _inner(end: Any) -> Any:
    if not isinstance(end, Endpoint):
        raise TypeError(f"{end!r} is no nsiso.Endpoint")
    document = end.document()
    # It is in the network namespace of the program.
    document.pop("netns", None)
    return document


def _rlimits(limits: Any) -> Any:
    def bound(number: Any) -> Any:
        return "unlimited" if number in (None, -1) else plain(number)

    entries = mapping("rlimits", limits, {"nofile": 100})
    return {name: [bound(one) for one in both] if isinstance(both, (list, tuple)) else bound(both) for name, both in entries}


def _user(value: Any) -> Any:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither True nor False; to run as somebody use uid, gid and groups")
    return value


_CONVERSIONS: Dict[str, Callable[[Any], Any]] = {
    "boottime": _clock, "devices": _devices, "links": _links, "monotonic": _clock, "rlimits": _rlimits, "seccomp": filters, "user": _user,
}  # fmt: skip
