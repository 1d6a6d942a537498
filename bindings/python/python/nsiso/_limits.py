"""Defines Limits, resource limits of a cgroup, and Resources, what a cgroup uses."""

from dataclasses import dataclass
from typing import Any, Dict, Mapping, NamedTuple, Optional

from ._document import Entry
from ._types import Path, Size


@dataclass(frozen=True)
class Limits(Entry):
    """Resource limits for a program and its descendants, enforced by a cgroup made for it.

        nsiso.run(["make"], limits=nsiso.Limits(memory="256M", cpu=0.5, pids=64))

    See cgroups(7). Sizes are bytes, or texts such as "256M" (1024-based). None, the default, sets
    no limit.

    memory: size
        Memory. Beyond it the kernel kills a process of the cgroup.
    memory_high: size
        Memory beyond which processes are slowed down and their memory is reclaimed. Version 2.
    memory_low: size
        Memory that is protected from being reclaimed for others. Version 2.
    swap: size
        Swap. Version 1 needs ``memory`` with it.
    cpu: float
        Processor time, in processors: 0.5 is half the time of one. 0.001 to 100000.
    cpu_weight: int
        Share of processor time in competition with others, 1 to 10000. The kernel's default is 100.
    cpus: str
        The processors to run on, such as "0-2,7", cpuset(7).
    pids: int
        Number of processes and threads.
    io: {device: {"rbps": size, "wbps": size, "riops": int, "wiops": int}}
        Bytes and operations per second on a block device, each of them optional. The device is its
        file, such as "/dev/vda", or any file on it. The limit for a partition applies to its disk.
    huge_pages: {page size: size}
        Memory in huge pages of one size, such as {"2MB": "64M"}.
    parent: path
        Directory of a mounted cgroup2 in which the cgroup is made. Default: the nearest cgroup of
        this process that can be used. For an ordinary user that is one that is delegated to the
        user (Delegate=yes of systemd.resource-control(5)).

    Each limit uses the version of cgroups, 1 or 2, that has its controller on this machine.
    Limits() without arguments makes a cgroup without limits, to use ``resources()``, ``freeze()``
    and ``kill_group()`` of the Popen.

    The start of a program raises nsiso.ArgumentError for a bad value, and nsiso.Error if a limit
    cannot be enforced.
    """

    memory: Optional[Size] = None
    memory_high: Optional[Size] = None
    memory_low: Optional[Size] = None
    swap: Optional[Size] = None
    cpu: Optional[float] = None
    cpu_weight: Optional[int] = None
    cpus: Optional[str] = None
    pids: Optional[int] = None
    io: Optional[Mapping[Path, Mapping[str, Size]]] = None
    huge_pages: Optional[Mapping[str, Size]] = None
    parent: Optional[Path] = None

    def __repr__(self) -> str:
        return f"Limits({', '.join(f'{name}={value!r}' for name, value in vars(self).items() if value is not None)})"


class Stall(NamedTuple):
    """Time that processes spent waiting for a resource.

    ``avg10``, ``avg60`` and ``avg300`` are percentages of the last 10, 60 and 300 seconds.
    ``total`` is the time in seconds since the cgroup was made.
    """

    avg10: float
    avg60: float
    avg300: float
    total: float


class Pressure(NamedTuple):
    """How long the processes of a cgroup waited for one resource.

    ``some`` is the time in which at least one process waited. ``full`` is the time in which all of
    them waited, so that no work was done. It is None where the kernel does not report it.
    """

    some: Stall
    full: Optional[Stall]


class Resources(NamedTuple):
    """What the processes in the cgroup of a program use, or have used after the program has ended.

    A value is None if no controller of this machine counts it.

    memory, peak_memory
        Bytes of memory now, and the most at any time.
    oom_kills
        Number of processes that were killed because the memory limit was reached.
    cpu_time, throttled_time
        Seconds of processor time, and seconds in which the limit of processor time stopped
        processes.
    pids
        Number of processes and threads now.
    read_bytes, written_bytes
        Bytes read from and written to block devices.
    memory_pressure, cpu_pressure, io_pressure
        Pressure: time spent waiting for memory, a processor or block devices. Version 2 of cgroups.
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
            some, full = values[name]["some"], values[name]["full"]
            values[name] = Pressure(Stall(**some), full and Stall(**full))
    return Resources(**values)
