"""Makes a Spec from the arguments of run, Popen and execvp: their keywords become a document."""

import os
import re
from fractions import Fraction
from operator import index
from typing import Any, Callable, Dict, Iterable, Mapping, Optional, Union

from ._argument import did_you_mean, listed, mapping, pair
from ._document import bytes_of, converted, document_of, merged, nanoseconds, plain, unique
from ._endpoint import Endpoint
from ._limits import Limits
from ._nsiso import Spec
from ._options import Options
from ._restrictions import filters

KEYWORDS = frozenset(Options.__annotations__)


def check_keywords(function: str, options: Iterable[str]) -> None:
    """Raises TypeError for a keyword that is not one of isolation."""
    unknown = sorted({*options} - KEYWORDS)
    if unknown:
        raise TypeError(f"{function} takes the keywords of nsiso.Options, not {', '.join(unknown)}{nearest(unknown[0])}")


def nearest(keyword: str) -> str:
    """Returns a hint for a keyword that does not exist."""
    if keyword in Limits.__dataclass_fields__:
        return f": use limits=nsiso.Limits({keyword}=...)"
    return did_you_mean(keyword, KEYWORDS)


def passed_fds(fds: Union[Iterable[int], Mapping[int, int]]) -> Dict[int, int]:
    """Returns {number in the program: descriptor} for the argument ``pass_fds``."""
    if not isinstance(fds, Mapping):
        return {int(fd): int(fd) for fd in fds}
    return {index(number): index(fd) for number, fd in fds.items()}


def spec_of(
    document: Mapping[str, Any], args: Iterable[Any] = ("sh",), *, executable: Any = None, cwd: Any = None,
    env: Optional[Mapping[Any, Any]] = None, new_session: bool = False, passed: Optional[Mapping[int, int]] = None,
) -> Spec:  # fmt: skip
    """Returns the Spec of a program, with the options of ``document_of_keywords``."""
    document = {**document, "args": [plain(os.fsencode(arg)) for arg in args]}
    if passed:
        document = merged(document, {"fds": converted("pass_fds", passed)})
    if executable is not None:
        document["program"] = plain(os.fsencode(executable))
    if cwd is not None:
        document["cwd"] = plain(os.fsencode(cwd))
    if new_session:
        document["new_session"] = new_session
    spec = Spec(document)
    if env is not None:
        removed = {os.fsencode(bytes_of(name)) for name in document.get("env_unset", ())}
        spec.env([(os.fsdecode(name), os.fsdecode(value)) for name, value in env.items() if os.fsencode(name) not in removed])
    return spec


def document_of_keywords(options: Mapping[str, Any]) -> Dict[str, Any]:
    """Returns the document of keywords: that of ``spec``, and the others in front of it.

    The keys are from KEYWORDS, and None is not set. The document is without the program, which the
    call has. A ``umask`` of -1 is not set, as in subprocess.
    """
    given = {name: value for name, value in options.items() if value is not None and (name, value) != ("umask", -1)}
    base = document_of(given.pop("spec")) if "spec" in given else {}
    fds = base.get("fds")
    if isinstance(fds, dict) and "pipe" in fds.values():
        raise ValueError("spec: fds: a pipe is asked for by stdin, stdout or stderr")
    for name, value in given.items():
        if hasattr(value, "fileno") and name not in ("cwd_at", "root_at"):
            raise TypeError(f"{name}: {value!r} is no value of an option")
    document = {name: converted(name, value, _CONVERSIONS.get(name, plain)) for name, value in given.items()}
    for limits in (base, document):
        if isinstance(limits.get("rlimits"), dict):
            limits["rlimits"] = converted("rlimits", limits["rlimits"], _same_names)
    return {name: value for name, value in merged(base, document).items() if name not in ("args", "program")}


def check_open(document: Mapping[str, Any]) -> None:
    """Raises ValueError for a descriptor of a document that is not open."""
    fds = document.get("fds")
    numbers = {f"fds.{to}": fd for to, fd in fds.items()} if isinstance(fds, dict) else {}
    numbers.update((name, document.get(name)) for name in ("cwd_at", "root_at"))
    for name, fd in numbers.items():
        if isinstance(fd, int):
            try:
                os.fstat(fd)
            except (OSError, OverflowError):
                raise ValueError(f"{name}: descriptor {fd} is not open") from None


def _clock(offset: Any) -> Any:
    if isinstance(offset, tuple) and len(offset) == 2 and all(type(number) is int for number in offset):
        seconds, rest = offset
        return nanoseconds(Fraction(seconds) + Fraction(rest, 1_000_000_000))
    return plain(offset)


def _links(links: Any) -> Any:
    def link(both: Any) -> Any:
        if isinstance(both, Mapping):
            return plain(both)
        return _link(*pair("links", both, "an nsiso.Endpoint and another one, or a place"))

    return [link(both) for both in listed("links", links)]


def _link(inside: Any, outside: Any) -> Dict[str, Any]:
    outside = outside if isinstance(outside, Endpoint) else Endpoint(outside)
    return {"inside": _inner(inside), "outside": outside.document()}


def _devices(devices: Any) -> Any:
    entries = mapping("devices", devices, {"eth1": None})
    return plain({name: {} if inside is None else _inner(inside) for name, inside in entries})


def _inner(end: Any) -> Any:
    if isinstance(end, Mapping):
        return plain(end)
    if not isinstance(end, Endpoint):
        raise TypeError(f"{end!r} is no nsiso.Endpoint")
    document = end.document()
    # It is in the network namespace of the program.
    document.pop("netns", None)
    return document


def _rlimits(limits: Any) -> Any:
    def bound(number: Any) -> Any:
        return "unlimited" if number in (None, -1) else number

    entries = mapping("rlimits", limits, {"nofile": 100})
    return plain({name: [*map(bound, both)] if isinstance(both, (list, tuple)) else bound(both) for name, both in entries})


def _same_names(limits: Dict[str, Any]) -> Dict[str, Any]:
    """Returns limits under one spelling of their names: "RLIMIT_NOFILE" is "nofile"."""
    pairs = [(re.sub("^rlimit_", "", name.lower()), limit) for name, limit in limits.items()]
    return unique(pairs)


def _user(value: Any) -> Any:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither True nor False; to run as somebody use uid, gid and groups")
    return value


_CONVERSIONS: Dict[str, Callable[[Any], Any]] = {
    "boottime": _clock, "devices": _devices, "links": _links, "monotonic": _clock, "rlimits": _rlimits, "seccomp": filters, "user": _user,
}  # fmt: skip
