"""The keyword arguments for isolation, put into a spec."""

import os
from datetime import timedelta
from fractions import Fraction
from typing import Any, Iterable, Mapping, Optional, Tuple, Union

from ._nsiso import Spec

KINDS = ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup")
KEYWORDS = KINDS + (
    "map_root", "map_current", "map_auto", "uid_map", "gid_map", "setgroups", "uid", "gid", "groups",
    "keep_caps", "hostname", "domainname", "monotonic", "boottime", "propagation", "mount_proc", "loopback",
)

Seconds = Union[int, float, Fraction, timedelta, Tuple[int, int]]


def apply(spec: Spec, wishes: Mapping[str, Any]) -> None:
    """Puts ``wishes``, a mapping with some of KEYWORDS, into ``spec``. None is no wish."""
    for name, value in wishes.items():
        if name not in KEYWORDS:
            raise TypeError(f"unexpected keyword argument {name!r}")
        if value is None:
            continue
        if name in KINDS:
            if value:
                spec.unshare(name)
        elif name in ("map_root", "map_current", "map_auto", "keep_caps"):
            if value:
                getattr(spec, name)()
        elif name in ("uid_map", "gid_map"):
            _ranges(getattr(spec, name), name, value)
        elif name in ("monotonic", "boottime"):
            getattr(spec, name)(*timespec(value))
        elif name == "groups":
            spec.groups(list(value))
        elif name == "mount_proc":
            if value:
                spec.mount_proc("/proc" if value is True else os.fspath(value))
        else:
            getattr(spec, name)(value)


def _ranges(add: Any, name: str, ranges: Iterable[Tuple[int, int, int]]) -> None:
    for entry in ranges:
        try:
            inside, outside, count = entry
        except (TypeError, ValueError):
            raise TypeError(f"{name} is a list of (inside, outside, count), not of {entry!r}") from None
        add(inside, outside, count)


def timespec(offset: Seconds) -> Tuple[int, int]:
    """Whole seconds, rounded down, and the nanoseconds on top of them."""
    if isinstance(offset, tuple):
        return offset
    if isinstance(offset, timedelta):
        offset = Fraction(offset // timedelta(microseconds=1), 1_000_000)
    return divmod(round(Fraction(offset) * 1_000_000_000), 1_000_000_000)
