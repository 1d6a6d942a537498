"""Defines the items of the keyword ``mounts``, which make the program's file system view.

Mounts are applied in order. Targets are absolute paths in the program's view, and sources are
paths of the caller. Missing targets and their parent directories are created. If the first mount
has the target "/", it is the root. Otherwise the view starts with the whole tree of the caller.
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
    """Returns a size in bytes, given a number or a text such as "64M" (1024-based)."""
    match = re.fullmatch(r"([0-9]+)([KMGT]?)(?:i?B)?", str(value), re.IGNORECASE)
    if not match or isinstance(value, bool):
        raise ValueError(f"{value!r} is no size: a number of bytes, or a text like '64M'")
    number = int(match[1]) * _UNITS[match[2].upper()]
    if number >= 1 << 63:
        raise ValueError(f"{value!r} is too much: less than 8 EiB")
    return number


@dataclass(frozen=True)
class Bind:
    """Mounts a file or directory of the caller, with the mounts below it, at another path.

    source: path, descriptor, or object with fileno()
        The file or directory. A descriptor may be opened with O_PATH.
    target: path
        The path in the program's view. Default: the path ``source``. A descriptor needs a target.
    ro: bool
        Mount read-only. Default: False.
    if_exists: bool
        Skip the mount if ``source`` does not exist. Default: False.
    noexec: bool
        Do not allow programs in it to be executed. Default: False.
    suid: bool
        Honour set-user-ID and set-group-ID bits and file capabilities. Default: False.
    dev: bool
        Allow access to device files. Default: False.
    non_recursive: bool
        Leave out the mounts below ``source``. The kernel refuses this in a user namespace if it
        would reveal files that such a mount hides. Default: False.
    id_map: Namespace
        A user namespace whose id map is applied to the owners of files, mount_setattr(2). Needs
        root, Linux 5.12 and support by the file system. Only for a ``source`` that is a path.

    A program with CAP_SYS_ADMIN in its user namespace can undo ``ro``. The sandbox drops this
    capability. With ``map_root`` use ``caps=[]``.
    """

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
    """Mounts an empty file system in memory, tmpfs(5).

    target: path
        The path in the program's view.
    size: int or str
        The most bytes that it holds, such as "64M". One file is allowed for each KiB, at least
        1024. Default: half of the machine's memory.
    mode: int
        Permissions of its root directory. Default: 0o755.
    ro: bool
        Mount read-only. Default: False.
    noexec: bool
        Do not allow programs in it to be executed. Default: False.
    """

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
    """Mounts a new proc file system for the program's pid namespace, proc(5).

    target: path
        The path in the program's view. Default: "/proc".
    hidepid: str
        Which processes of other users are hidden: "off", "noaccess", "invisible" or "ptraceable".
        Default: not set.
    subset_pid: bool
        Show only the directories of processes. Default: False.
    ro: bool
        Mount read-only. Default: False.
    """

    target: Path = "/proc"
    hidepid: Optional[str] = None
    subset_pid: bool = False
    ro: bool = False

    def put(self, spec: Any) -> None:
        hidepid = None if self.hidepid is None else text("hidepid", self.hidepid)
        spec.procfs(os.fsdecode(self.target), hidepid, self.subset_pid, (self.ro, False, False, False, False, False))


@dataclass(frozen=True)
class Dev:
    """Makes a small /dev directory.

    It has null, zero, full, random, urandom, tty, new pseudo-terminals, shm and the links to
    /proc/self/fd. With ``pty``, console is the terminal of the program. shm is a tmpfs that holds
    half of the machine's memory. For a smaller one, mount a Tmpfs at /dev/shm after it.

    target: path
        The path in the program's view. Default: "/dev".
    """

    target: Path = "/dev"

    def put(self, spec: Any) -> None:
        spec.dev(os.fsdecode(self.target))


@dataclass(frozen=True)
class Sysfs:
    """Mounts a new, read-only sysfs for the program's network namespace, sysfs(5).

    target: path
        The path in the program's view. Default: "/sys".
    """

    target: Path = "/sys"

    def put(self, spec: Any) -> None:
        spec.sysfs(os.fsdecode(self.target))


@dataclass(frozen=True)
class Mqueue:
    """Mounts the POSIX message queues of the program's IPC namespace, mq_overview(7).

    target: path
        The path in the program's view. Default: "/dev/mqueue".
    """

    target: Path = "/dev/mqueue"

    def put(self, spec: Any) -> None:
        spec.mqueue(os.fsdecode(self.target))


@dataclass(frozen=True)
class Overlay:
    """Mounts a writable layer over one or more directories, which stay unchanged.

    lower: path, or list of paths
        The directory below the layer. It may be "/". In a list, a file of an earlier directory
        hides the file of the same path in a later one.
    target: path
        The path in the program's view. Default: ``lower``. Several directories need a target.
    changes: path, or (upper, work)
        Where changes are kept: two directories on one file system, ``work`` being empty and used by
        the kernel. Given one directory, "upper" and "work" are created in it. Default: changes are
        discarded when the program ends.
    ro: bool
        Mount read-only. Default: False. With several directories and without ``changes`` there is
        no writable layer at all.

    Without ``changes`` and with one directory, each file system that is mounted in it gets its own
    layer. Those without stored files, such as /proc and /sys, are read-only. Files next to a mount
    point cannot get a layer: those that the caller owns are copied, up to 1 MiB each and 16 MiB
    altogether, and the others are read-only.

    With ``changes`` or several directories, mounts below the directories are not visible.
    """

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
    """Creates a directory. An existing directory stays as it is.

    target: path
        The path in the program's view.
    mode: int
        Its permissions. Default: 0o755.
    """

    target: Path
    mode: int = 0o755

    def put(self, spec: Any) -> None:
        spec.dir(os.fsdecode(self.target), unsigned("mode", self.mode, 0o7777))


@dataclass(frozen=True)
class Symlink:
    """Creates a symbolic link.

    to: path
        What the link refers to.
    target: path
        The path of the link in the program's view.
    """

    to: Path
    target: Path

    def put(self, spec: Any) -> None:
        spec.symlink(os.fsdecode(self.to), os.fsdecode(self.target))


@dataclass(frozen=True)
class File:
    """Creates a file with a given content. It covers an existing file, which stays unchanged.

    content: str or bytes
        The content. A str is encoded in UTF-8.
    target: path
        The path in the program's view.
    mode: int
        Its permissions. Default: 0o644.

    In the sandbox it replaces the file that the sandbox makes at the same path.
    """

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
    """Hides a file or directory.

    A directory becomes empty, and a file reads as /dev/null. A ``target`` that does not exist is
    ignored. "/" is refused with nsiso.ArgumentError. A program with CAP_SYS_ADMIN in its user
    namespace can undo this; see Bind.

    target: path
        The path in the program's view.
    """

    target: Path

    def put(self, spec: Any) -> None:
        spec.mask(os.fsdecode(self.target))


@dataclass(frozen=True)
class ReadOnly:
    """Makes a file or directory of the view read-only, with the mounts below it.

    target: path
        The path in the program's view.
    if_exists: bool
        Ignore a ``target`` that does not exist. Default: False.
    non_recursive: bool
        Leave the mounts below it as they are. The target must be a mount point then. Default:
        False.

    A program with CAP_SYS_ADMIN in its user namespace can undo this; see Bind.
    """

    target: Path
    if_exists: bool = False
    non_recursive: bool = False

    def put(self, spec: Any) -> None:
        spec.read_only(os.fsdecode(self.target), (True, self.if_exists, False, False, False, self.non_recursive))


@dataclass(frozen=True)
class Chmod:
    """Changes the permissions of an existing file or directory, chmod(2).

    target: path
        The path in the program's view.
    mode: int
        The new permissions, such as 0o700.
    """

    target: Path
    mode: int

    def put(self, spec: Any) -> None:
        spec.chmod(os.fsdecode(self.target), unsigned("mode", self.mode, 0o7777))


MOUNTS = (Bind, Tmpfs, Procfs, Dev, Sysfs, Mqueue, Overlay, Dir, Symlink, File, Mask, ReadOnly, Chmod)
