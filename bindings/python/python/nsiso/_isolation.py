"""Puts the keyword arguments for isolation into a Spec."""

import errno
import math
import os
from datetime import timedelta
from fractions import Fraction
from typing import Any, Iterable, Mapping, Tuple, Union

from ._argument import listed, mapping, number, pair, text, unsigned
from ._document import document_of, put
from ._endpoint import Endpoint, Uplink
from ._error import ArgumentError
from ._limits import Limits
from ._mount import MOUNTS, Bind
from ._nsiso import Spec
from ._restrictions import Landlock, Seccomp

KINDS = ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup")
KEYWORDS = KINDS + (
    "map_root", "map_current", "map_auto", "uid_map", "gid_map", "setgroups", "uid", "gid", "groups",
    "keep_caps", "hostname", "domainname", "monotonic", "boottime", "propagation", "mount_proc", "loopback",
    "keep_credentials", "pin", "sync_fds",
    "sandbox", "share", "root", "mounts", "caps", "securebits", "new_privs", "user_namespaces", "rlimits", "nice",
    "oom_score_adj", "cpus", "umask", "personality", "landlock", "seccomp", "init", "wait_for_all", "die_with_parent", "deadline", "pty", "limits",
    "links", "devices", "uplink", "reset_signals", "spec",
)

Seconds = Union[int, float, Fraction, timedelta, Tuple[int, int]]


FLAGS = KINDS + (
    "keep_credentials", "sandbox", "new_privs", "user_namespaces", "init", "wait_for_all", "die_with_parent", "map_root", "map_current", "map_auto",
    "keep_caps", "setgroups", "loopback", "reset_signals",
)  # fmt: skip


def apply(spec: Spec, options: Mapping[str, Any]) -> None:
    """Sets ``options`` in ``spec``. The keys are from KEYWORDS. None leaves an option unset."""
    options = {name: value for name, value in options.items() if value is not None}
    _together(options)
    # The sandbox comes first, since all other options add to it or replace a part. Options that
    # other options imply come last.
    for name, value in sorted(options.items(), key=lambda option: _ORDER.get(option[0], 3)):
        try:
            if name == "spec":
                put(spec, document_of(value), bool(options.get("sandbox")))
            else:
                _put(spec, name, value)
        except OverflowError:
            raise ValueError(f"{name}: {value!r} is out of range") from None


def _together(options: Mapping[str, Any]) -> None:
    if options.get("map_root") and options.get("map_current"):
        raise ValueError("map_root and map_current do not go together: one id cannot be two")
    if options.get("init") is False:
        for name in ("die_with_parent", "wait_for_all", "deadline"):
            if options.get(name):
                raise ArgumentError(errno.EINVAL, f"{name} needs the init process: leave out init=False")


def _put(spec: Spec, name: str, value: Any) -> None:
    if name in FLAGS and not isinstance(value, bool):
        raise TypeError(f"{name} is True or False, not {value!r}{_ELSEWHERE.get(name, '')}")
    if name in KINDS:
        if value:
            spec.unshare(name)
    elif name in ("map_root", "map_current", "map_auto", "keep_caps", "keep_credentials", "sandbox", "reset_signals"):
        if value:
            getattr(spec, name)()
    elif name in ("uid_map", "gid_map"):
        _ranges(getattr(spec, name), name, listed(name, value))
    elif name in ("monotonic", "boottime"):
        getattr(spec, name)(*timespec(value))
    elif name in ("uid", "gid"):
        getattr(spec, name)(unsigned(name, value))
    elif name == "groups":
        spec.groups([unsigned("groups", gid) for gid in listed(name, value)])
    elif name in ("hostname", "domainname"):
        getattr(spec, name)(os.fsdecode(value))
    elif name == "share":
        for kind in [value] if isinstance(value, str) else listed(name, value):
            if kind in ("user", "pid", "mnt"):
                raise ArgumentError(errno.EINVAL, f"share: a sandbox cannot do without a {kind} namespace of its own; net, ipc, uts, time and cgroup can be shared")
            spec.share(kind)
    elif name == "root":
        if isinstance(value, bool):
            raise TypeError(f"root is a directory, not {value!r}")
        Bind(value, "/").put(spec)
    elif name == "mounts":
        for mount in listed(name, value):
            if not isinstance(mount, MOUNTS):
                raise TypeError(f"mounts: {mount!r} is none of {', '.join(kind.__name__ for kind in MOUNTS)}")
            mount.put(spec)
    elif name == "caps":
        spec.caps([value] if isinstance(value, str) else listed(name, value))
    elif name == "rlimits":
        for limit, numbers in mapping(name, value, {"nofile": 100}):
            spec.rlimit(limit, *_limit(limit, numbers))
    elif name == "cpus":
        spec.cpus([number(name, cpu) for cpu in listed(name, value)])
    elif name == "limits":
        if not isinstance(value, Limits):
            raise TypeError(f"limits is an nsiso.Limits, not {value!r}")
        value.put(spec)
    elif name == "deadline":
        if isinstance(value, bool) or not isinstance(value, (int, float, timedelta)):
            raise TypeError(f"deadline is seconds or a timedelta, not {value!r}")
        spec.deadline(value.total_seconds() if isinstance(value, timedelta) else float(value))
    elif name == "pty":
        if value is not False:
            rows, columns = (24, 80) if value is True else pair(name, value, "(rows, columns)")
            spec.pty(number(name, rows), number(name, columns))
    elif name in ("landlock", "seccomp"):
        _restrict(spec, name, value)
    elif name == "sync_fds":
        info, block = pair(name, value, "two descriptors")
        spec.sync_fds(number(name, info), number(name, block))
    elif name == "links":
        for both in listed(name, value):
            inside, outside = pair(name, both, "an nsiso.Endpoint and another one, or a place")
            spec.link(_endpoint(name, inside).made(), (outside if isinstance(outside, Endpoint) else Endpoint(outside)).made())
    elif name == "devices":
        for device, inside in mapping(name, value, {"eth1": None}):
            spec.device(text(name, device), _endpoint(name, Endpoint() if inside is None else inside).made())
    elif name == "uplink":
        if not isinstance(value, (bool, Uplink)):
            raise TypeError(f"uplink is True, False or an nsiso.Uplink, not {value!r}")
        if value is not False:
            (Uplink() if value is True else value).put(spec)
    elif name == "pin":
        for kind, path in mapping(name, value, {"net": "/run/netns/blue"}):
            spec.pin(text(name, kind), os.fsdecode(path))
    elif name == "mount_proc":
        if value is not False:
            spec.mount_proc("/proc" if value is True else os.fsdecode(value))
    elif name in ("nice", "oom_score_adj", "umask", "personality", "securebits"):
        getattr(spec, name)(number(name, value))
    else:
        getattr(spec, name)(value)


_ORDER = {"sandbox": 0, "spec": 1, "root": 2, "new_privs": 4, "user_namespaces": 4, "die_with_parent": 4, "wait_for_all": 4, "init": 5}


def _endpoint(name: str, value: Any) -> Endpoint:
    if not isinstance(value, Endpoint):
        raise TypeError(f"{name}: {value!r} is no nsiso.Endpoint")
    return value


def _limit(name: str, numbers: Any) -> Tuple[int, int]:
    """Returns the soft and the hard limit. One number is both. None and -1 mean no limit."""
    both = numbers if isinstance(numbers, tuple) and len(numbers) == 2 else (numbers, numbers)
    soft, hard = (_UNLIMITED if one in (None, -1) else number(f"rlimits: {name}", one) for one in both)
    return soft, hard


def _restrict(spec: Any, name: str, value: Any) -> None:
    if value is False:
        getattr(spec, f"{name}_off")()
        return
    for rules in [value] if name == "landlock" else _filters(value):
        if rules is True and name == "seccomp":
            spec.seccomp_untrusted()
        elif isinstance(rules, Landlock if name == "landlock" else Seccomp):
            rules.put(spec)
        else:
            raise TypeError(f"{name} takes rules: nsiso.{_RULES[name]}, not {rules!r}")


_RULES = {"landlock": "Landlock(read=[...])", "seccomp": "Seccomp(deny=[...]), or True"}


def _filters(value: Any) -> list:
    return [*value] if isinstance(value, (list, tuple)) else [value]


def notifies_parent(seccomp: Any) -> bool:
    """Returns whether a filter asks this process about system calls (Seccomp(notify=...))."""
    return any(isinstance(rules, Seccomp) and rules.notify is not None for rules in _filters(seccomp))


_UNLIMITED = 2**64 - 1
_ELSEWHERE = {"user": ": it asks for a new user namespace; to run as somebody use uid, gid and groups"}


def _ranges(add: Any, name: str, ranges: Iterable[Tuple[int, int, int]]) -> None:
    for entry in ranges:
        try:
            inside, outside, count = entry
        except (TypeError, ValueError):
            raise TypeError(f"{name} is a list of (inside, outside, count), not of {entry!r}") from None
        add(*(unsigned(name, one) for one in (inside, outside, count)))


def timespec(offset: Seconds) -> Tuple[int, int]:
    """Returns an offset as whole seconds, rounded down, and the remaining nanoseconds."""
    if isinstance(offset, tuple) and len(offset) == 2 and all(type(number) is int for number in offset):
        return offset
    if isinstance(offset, timedelta):
        offset = Fraction(offset // timedelta(microseconds=1), 1_000_000)
    if isinstance(offset, bool) or not isinstance(offset, (int, float, Fraction)) or offset != offset or offset in (math.inf, -math.inf):
        raise TypeError(f"{offset!r} is no offset of a clock: seconds, a timedelta or (seconds, nanoseconds)")
    return divmod(round(Fraction(offset) * 1_000_000_000), 1_000_000_000)
