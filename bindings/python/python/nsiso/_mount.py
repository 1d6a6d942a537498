"""The program's view of the file system: what the keyword ``mounts`` lists, in order.

Targets are paths as the program sees them; sources are paths as the caller does. A target that is missing is made. If the first mount
is at "/", it is the root; otherwise the view begins with the host's whole tree.
"""

import os
import re
from dataclasses import dataclass
from typing import Any, Optional, Sequence, Tuple, Union

from ._argument import listed, pair, text, unsigned

Path = Union[str, bytes, "os.PathLike[Any]"]
Size = Union[int, str]

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def size(value: Size) -> int:
    """Bytes, from a number or a text such as "64M" (1024-based)."""
    match = re.fullmatch(r"([0-9]+)([KMGT]?)(?:i?B)?", str(value), re.IGNORECASE)
    if not match or isinstance(value, bool):
        raise ValueError(f"{value!r} is no size: a number of bytes, or a text like '64M'")
    number = int(match[1]) * _UNITS[match[2].upper()]
    if number >= 1 << 63:
        raise ValueError(f"{value!r} is too much: less than 8 EiB")
    return number


@dataclass(frozen=True)
class Bind:
    """The file or directory ``source`` (a path, a descriptor or an object with ``fileno()``), with all that is mounted below it. Set-user-ID bits and device
    files do not count, unless asked for. ``ro`` holds as long as the program has no CAP_SYS_ADMIN in its user namespace, as in the sandbox: beside ``map_root`` give
    ``caps=[]``. ``id_map`` is a user namespace by whose map owners are shown: for root, from
    Linux 5.12 on."""

    source: Any
    target: Optional[Path] = None
    ro: bool = False
    if_exists: bool = False
    noexec: bool = False
    suid: bool = False
    dev: bool = False
    non_recursive: bool = False
    id_map: Any = None

    def put(self, spec: Any) -> None:
        flags = (self.ro, self.if_exists, self.noexec, self.suid, self.dev, self.non_recursive)
        if isinstance(self.source, int) or hasattr(self.source, "fileno"):
            if self.target is None:
                raise TypeError("a bind of a descriptor needs a target")
            fd = self.source if isinstance(self.source, int) else self.source.fileno()
            spec.bind_fd(fd, os.fsdecode(self.target), flags)
            return
        source = os.fsdecode(self.source)
        target = os.fsdecode(source if self.target is None else self.target)
        if self.id_map is None:
            spec.bind(source, target, flags)
        else:
            spec.bind_idmapped(source, target, self.id_map.fileno(), flags)


@dataclass(frozen=True)
class Tmpfs:
    """An empty file system in memory, of ``size`` bytes at most ("64M") and a file for each KiB of them; half of the memory by default."""

    target: Path
    size: Optional[Size] = None
    mode: int = 0o755
    ro: bool = False
    noexec: bool = False

    def put(self, spec: Any) -> None:
        limit = None if self.size is None else size(self.size)
        if limit == 0:
            raise ValueError("a tmpfs of size 0 would have no limit: leave it out for half of the memory")
        spec.tmpfs(os.fsdecode(self.target), limit, unsigned("mode", self.mode, 0o7777), (self.ro, False, self.noexec, False, False, False))


@dataclass(frozen=True)
class Procfs:
    """A fresh proc of the program's pid namespace. ``hidepid``: "off", "noaccess", "invisible", "ptraceable"; ``subset_pid``: processes alone."""

    target: Path = "/proc"
    hidepid: Optional[str] = None
    subset_pid: bool = False
    ro: bool = False

    def put(self, spec: Any) -> None:
        hidepid = None if self.hidepid is None else text("hidepid", self.hidepid)
        spec.procfs(os.fsdecode(self.target), hidepid, self.subset_pid, (self.ro, False, False, False, False, False))


@dataclass(frozen=True)
class Dev:
    """A small /dev: null, zero, full, random, urandom, tty, pseudo-terminals of its own, and shm, which holds half of the memory: mount a Tmpfs at
    /dev/shm after it to have less. console is the program's terminal (``pty``)."""

    target: Path = "/dev"

    def put(self, spec: Any) -> None:
        spec.dev(os.fsdecode(self.target))


@dataclass(frozen=True)
class Sysfs:
    """A fresh, read-only sysfs of the program's network namespace."""

    target: Path = "/sys"

    def put(self, spec: Any) -> None:
        spec.sysfs(os.fsdecode(self.target))


@dataclass(frozen=True)
class Mqueue:
    """The POSIX message queues of the program's IPC namespace."""

    target: Path = "/dev/mqueue"

    def put(self, spec: Any) -> None:
        spec.mqueue(os.fsdecode(self.target))


@dataclass(frozen=True)
class Overlay:
    """A writable layer over the directory ``lower``, the host's "/" included. What is written is thrown away, or kept in the directory ``changes``:
    (upper, work) on one file system, or one directory, in which "upper" and "work" are made.

    Where it is thrown away, what is mounted in ``lower`` gets layers of its own. /proc, /sys and other file systems of the kernel's are read-only then; so are
    files right beside something that is mounted, but for one's own up to 1 MiB, which are copied.

    ``lower`` may be a list of trees, the uppermost first: what is in one is seen where those before it have nothing. What is mounted in them is not
    seen then, and with ``ro`` and no ``changes`` there is no writable layer at all."""

    lower: Union[Path, Sequence[Path]]
    target: Optional[Path] = None
    changes: Union[None, Path, Tuple[Path, Path]] = None
    ro: bool = False

    def put(self, spec: Any) -> None:
        several = not isinstance(self.lower, (str, bytes, os.PathLike))
        trees = listed("lower", self.lower) if several else [self.lower]
        if not trees:
            raise ValueError("an overlay has one lower tree at least")
        lower, *beneath = map(os.fsdecode, trees)
        if beneath and self.target is None:
            raise TypeError("an overlay of several trees needs a target")
        target = lower if self.target is None else os.fsdecode(self.target)
        changes = self.changes
        if changes is not None and not isinstance(changes, tuple):
            place = os.fsdecode(changes)
            changes = (os.path.join(place, "upper"), os.path.join(place, "work"))
            for path in changes:
                os.makedirs(path, exist_ok=True)
        kept = None if changes is None else tuple(os.fsdecode(path) for path in pair("changes", changes, "(upper, work)"))
        spec.overlay(lower, beneath, kept, target, (self.ro, False, False, False, False, False))


@dataclass(frozen=True)
class Dir:
    """A directory; one that is there already is left as it is."""

    target: Path
    mode: int = 0o755

    def put(self, spec: Any) -> None:
        spec.dir(os.fsdecode(self.target), unsigned("mode", self.mode, 0o7777))


@dataclass(frozen=True)
class Symlink:
    """A symbolic link to ``to``."""

    to: Path
    target: Path

    def put(self, spec: Any) -> None:
        spec.symlink(os.fsdecode(self.to), os.fsdecode(self.target))


@dataclass(frozen=True)
class File:
    """A new file with this content. In the sandbox it takes the place of the sandbox's own."""

    content: Union[str, bytes]
    target: Path
    mode: int = 0o644

    def put(self, spec: Any) -> None:
        if not isinstance(self.content, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"content: {self.content!r} is neither a text nor bytes")
        content = self.content.encode() if isinstance(self.content, str) else bytes(self.content)
        spec.file(content, os.fsdecode(self.target), unsigned("mode", self.mode, 0o7777))


@dataclass(frozen=True)
class Mask:
    """Hides what is there: a directory becomes empty, a file reads as /dev/null. Nothing to hide is fine. It holds as ``ro`` of a Bind does."""

    target: Path

    def put(self, spec: Any) -> None:
        spec.mask(os.fsdecode(self.target))


@dataclass(frozen=True)
class ReadOnly:
    """Makes what is there read-only, with all that is mounted below it; ``non_recursive``: a mount point without that. It holds as ``ro`` of a Bind does."""

    target: Path
    if_exists: bool = False
    non_recursive: bool = False

    def put(self, spec: Any) -> None:
        spec.read_only(os.fsdecode(self.target), (True, self.if_exists, False, False, False, self.non_recursive))


@dataclass(frozen=True)
class Chmod:
    """The permissions of what is there already."""

    target: Path
    mode: int

    def put(self, spec: Any) -> None:
        spec.chmod(os.fsdecode(self.target), unsigned("mode", self.mode, 0o7777))


MOUNTS = (Bind, Tmpfs, Procfs, Dev, Sysfs, Mqueue, Overlay, Dir, Symlink, File, Mask, ReadOnly, Chmod)
