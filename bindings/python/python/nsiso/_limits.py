"""A control group of the program's own: limits, and what it uses."""

import os
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ._mount import Size, size

_IO = ("rbps", "wbps", "riops", "wiops")
# What each is given as.
_PLAIN = (("cpu", (int, float), 0.5), ("cpu_weight", int, 100), ("cpus", str, "0-2,7"), ("pids", int, 64))


@dataclass(frozen=True)
class Limits:
    """What a program and all its descendants may use together, cgroups(7), by version 1 or 2, whichever has the controller here.

    ``memory``, ``memory_high``, ``memory_low``, ``swap``: bytes, or texts like "256M" (high and low: version 2; swap goes with memory on version 1).
    ``cpu``: processors' worth of time (0.5); ``cpu_weight``: 1 to 10000, 100 is usual; ``cpus``: a list like "0-2,7". ``pids``: processes and
    threads. ``io``: {device: {"rbps": "10M", "wbps": ..., "riops": 100, "wiops": ...}}, a device given by its file or a file on it.
    ``huge_pages``: {"2MB": "64M"}. ``parent``: the group of version 2 to make it in.

    A limit that cannot be enforced is an error. Limits() alone gives a group, to freeze and to count.
    """

    memory: Optional[Size] = None
    memory_high: Optional[Size] = None
    memory_low: Optional[Size] = None
    swap: Optional[Size] = None
    cpu: Optional[float] = None
    cpu_weight: Optional[int] = None
    cpus: Optional[str] = None
    pids: Optional[int] = None
    io: Optional[Mapping[Any, Mapping[str, Size]]] = None
    huge_pages: Optional[Mapping[str, Size]] = None
    parent: Any = None

    def options(self) -> List[Tuple[str, Any]]:
        found: List[Tuple[str, Any]] = []
        for name in ("memory", "memory_high", "memory_low", "swap"):
            if getattr(self, name) is not None:
                found.append((name, size(getattr(self, name))))
        for name, kinds, example in _PLAIN:
            value = getattr(self, name)
            if value is not None:
                if isinstance(value, bool) or not isinstance(value, kinds):
                    raise TypeError(f"limits: {name} is like {example!r}, not {value!r}")
                found.append((name, value))
        for name, value in (("io", self.io), ("huge_pages", self.huge_pages)):
            if not isinstance(value, (Mapping, type(None))):
                raise TypeError(f"limits: {name} is a mapping, not {value!r}")
        for device, rates in (self.io or {}).items():
            if not isinstance(rates, Mapping):
                raise TypeError(f"limits: io of {device!r} is a mapping like {{'rbps': '10M'}}, not {rates!r}")
            unknown = set(rates) - set(_IO)
            if unknown:
                raise ValueError(f"io: {sorted(unknown)} is none of {', '.join(_IO)}")
            numbers = [size(rates[name]) if name in rates else None for name in _IO]
            found.append(("io", (os.fsdecode(device), *numbers)))
        for pages, most in (self.huge_pages or {}).items():
            found.append(("huge_pages", (str(pages), size(most))))
        return found

    def put(self, spec: Any) -> None:
        spec.limits(self.options())
        if self.parent is not None:
            spec.cgroup_parent(os.fsdecode(self.parent))


class Stall(NamedTuple):
    """Time spent waiting for something: percent of the last 10 seconds, minute and five minutes, and seconds in all."""

    avg10: float
    avg60: float
    avg300: float
    total: float


class Pressure(NamedTuple):
    """How long a group has waited for one resource: ``some`` of its processes at least, and all of them (``full``) so that nothing was
    done, which is None where the kernel does not tell."""

    some: Stall
    full: Optional[Stall]


class Resources(NamedTuple):
    """What everything in a program's group uses, or has used. None where no controller counts it. Times are seconds, sizes bytes.

    How long it waited for memory, a processor and block devices is counted by version 2.
    """

    memory: Optional[int]
    peak_memory: Optional[int]
    oom_kills: Optional[int]
    cpu_time: Optional[float]
    throttled_time: Optional[float]
    pids: Optional[int]
    read_bytes: Optional[int]
    written_bytes: Optional[int]
    memory_pressure: Optional[Pressure]
    cpu_pressure: Optional[Pressure]
    io_pressure: Optional[Pressure]


def resources(values: Dict[str, Any]) -> Resources:
    for name in ("memory_pressure", "cpu_pressure", "io_pressure"):
        if values[name] is not None:
            some, full = values[name]
            values[name] = Pressure(Stall(*some), full and Stall(*full))
    return Resources(**values)
