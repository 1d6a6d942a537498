"""The keyword arguments for isolation, put into a spec."""

import os
from datetime import timedelta
from fractions import Fraction
from typing import Any, Iterable, Mapping, Optional, Tuple, Union

from ._end import End, Uplink
from ._limits import Limits
from ._mount import MOUNTS, Bind
from ._nsiso import Spec

KINDS = ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup")
KEYWORDS = KINDS + (
    "map_root", "map_current", "map_auto", "uid_map", "gid_map", "setgroups", "uid", "gid", "groups",
    "keep_caps", "hostname", "domainname", "monotonic", "boottime", "propagation", "mount_proc", "loopback",
    "keep_credentials", "pin", "halt",
    "sandbox", "share", "root", "mounts", "caps", "securebits", "no_new_privs", "no_user_namespaces", "rlimits", "nice",
    "oom_score_adj", "cpus", "umask", "personality", "landlock", "seccomp", "init", "die_with_host", "deadline", "pty", "limits",
    "links", "devices", "uplink",
)

ONE_WAY = ("no_new_privs", "no_user_namespaces", "die_with_host")

Seconds = Union[int, float, Fraction, timedelta, Tuple[int, int]]


FLAGS = KINDS + ("keep_credentials", "sandbox", "no_new_privs", "no_user_namespaces", "die_with_host", "map_root", "map_current", "map_auto", "keep_caps", "setgroups", "loopback")


def apply(spec: Spec, wishes: Mapping[str, Any]) -> None:
    """Puts ``wishes``, a mapping with some of KEYWORDS, into ``spec``. None is no wish."""
    wishes = {name: value for name, value in wishes.items() if value is not None}
    if wishes.get("map_root") and wishes.get("map_current"):
        raise ValueError("map_root and map_current do not go together: one id cannot be two")
    # The preset comes first: all else adds to it or replaces a part.
    ordered = sorted(wishes.items(), key=lambda wish: _FIRST.get(wish[0], 2))
    for name, value in ordered:
        if name in FLAGS and not isinstance(value, bool):
            raise TypeError(f"{name} is True or False, not {value!r}{_ELSEWHERE.get(name, '')}")
        if name in KINDS:
            if value:
                spec.unshare(name)
        elif name in ("map_root", "map_current", "map_auto", "keep_caps", "keep_credentials", "sandbox") + ONE_WAY:
            if value:
                getattr(spec, name)()
        elif name in ("uid_map", "gid_map"):
            _ranges(getattr(spec, name), name, value)
        elif name in ("monotonic", "boottime"):
            getattr(spec, name)(*timespec(value))
        elif name in ("uid", "gid"):
            getattr(spec, name)(_id(name, value))
        elif name == "groups":
            spec.groups([_id("groups", gid) for gid in value])
        elif name in ("hostname", "domainname"):
            getattr(spec, name)(os.fsdecode(value))
        elif name == "share":
            for kind in [value] if isinstance(value, str) else value:
                spec.share(kind)
        elif name == "root":
            Bind(value, "/").put(spec)
        elif name == "mounts":
            for mount in value:
                if not isinstance(mount, MOUNTS):
                    raise TypeError(f"mounts: {mount!r} is none of {', '.join(kind.__name__ for kind in MOUNTS)}")
                mount.put(spec)
        elif name == "caps":
            spec.caps([value] if isinstance(value, str) else [*value])
        elif name == "rlimits":
            for limit, numbers in value.items():
                spec.rlimit(limit, *_limit(numbers))
        elif name == "cpus":
            spec.cpus([*value])
        elif name == "init":
            if value not in (True, False, "wait"):
                raise TypeError(f"init is True, False or 'wait', not {value!r}")
            if value:
                spec.init(value == "wait")
        elif name == "limits":
            if not isinstance(value, Limits):
                raise TypeError(f"limits is an nsiso.Limits, not {value!r}")
            value.put(spec)
        elif name == "links":
            for inside, outside in value:
                spec.link(inside.made(), (outside if isinstance(outside, End) else End(outside)).made())
        elif name == "devices":
            for device, inside in value.items():
                spec.device(device, (inside or End()).made())
        elif name == "uplink":
            if value:
                (Uplink() if value is True else value).put(spec)
        elif name == "deadline":
            spec.deadline(value.total_seconds() if isinstance(value, timedelta) else float(value))
        elif name == "pty":
            if value:
                spec.pty(*((24, 80) if value is True else value))
        elif name in ("landlock", "seccomp"):
            _restrict(spec, name, value)
        elif name == "halt":
            spec.halt(*value)
        elif name == "pin":
            for kind, path in value.items():
                spec.pin(kind, os.fsdecode(path))
        elif name == "mount_proc":
            if value is not False:
                spec.mount_proc("/proc" if value is True else os.fsdecode(value))
        else:
            getattr(spec, name)(value)


_FIRST = {"sandbox": 0, "root": 1}


def _limit(numbers: Any) -> Tuple[int, int]:
    """Soft and hard, one number for both; None and -1 mean no limit."""
    pair = numbers if isinstance(numbers, tuple) else (numbers, numbers)
    soft, hard = (_UNLIMITED if number in (None, -1) else number for number in pair)
    return soft, hard


def _restrict(spec: Any, name: str, value: Any) -> None:
    if value is False:
        getattr(spec, f"no_{name}")()
    elif value is True and name == "seccomp":
        spec.seccomp_untrusted()
    elif value is True:
        raise TypeError("landlock takes rules: nsiso.Landlock(read=[...])")
    else:
        for rules in value if isinstance(value, (list, tuple)) else [value]:
            rules.put(spec)


_UNLIMITED = 2**64 - 1
_ELSEWHERE = {"user": ": it asks for a new user namespace; to run as somebody use uid, gid and groups"}


def _id(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: {value!r} is no number")
    if not 0 <= value < 2**32:
        raise ValueError(f"{name}: {value} is not in the range 0 to {2**32 - 1}")
    return value


def _ranges(add: Any, name: str, ranges: Iterable[Tuple[int, int, int]]) -> None:
    for entry in ranges:
        try:
            inside, outside, count = entry
        except (TypeError, ValueError):
            raise TypeError(f"{name} is a list of (inside, outside, count), not of {entry!r}") from None
        add(*(_id(name, number) for number in (inside, outside, count)))


def timespec(offset: Seconds) -> Tuple[int, int]:
    """Whole seconds, rounded down, and the nanoseconds on top of them."""
    if isinstance(offset, tuple):
        return offset
    if isinstance(offset, timedelta):
        offset = Fraction(offset // timedelta(microseconds=1), 1_000_000)
    return divmod(round(Fraction(offset) * 1_000_000_000), 1_000_000_000)
