"""Defines the items of the keyword ``mounts``, which make the program's file system view.

Mounts are applied in order. Targets are absolute paths in the program's view, and sources are
paths of the caller. Missing targets and their parent directories are created. If the first mount
has the target "/", it is the root. Otherwise the view starts with the whole tree of the caller.
"""

import os
import re
from dataclasses import dataclass
from typing import Any, Dict, Literal, Optional, Sequence, Tuple, Union

from ._argument import pair
from ._document import Entry, plain
from ._types import HasFileno, Path, Size


class Mount(Entry):
    """An item of the keyword ``mounts``: a mount, or a change to files.

    These are Bind, Tmpfs, Procfs, Dev, Sysfs, Mqueue, Overlay, Dir, Symlink, File, Mask, ReadOnly,
    Chmod and Propagation.
    """

    def document(self) -> Dict[str, Any]:
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).lower()
        return {"type": kind, **super().document()}


@dataclass(frozen=True)
class Bind(Mount):
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
        root, Linux 5.12 and support by the file system.

    A program with CAP_SYS_ADMIN in its user namespace can undo ``ro``. The sandbox drops this
    capability. With ``map_root`` use ``caps=[]``.
    """

    source: Union[Path, int, HasFileno]
    target: Optional[Path] = None
    ro: bool = False
    if_exists: bool = False
    noexec: bool = False
    suid: bool = False
    dev: bool = False
    non_recursive: bool = False
    id_map: Union[None, int, HasFileno] = None

    def document(self) -> Dict[str, Any]:
        document = super().document()
        source = document.pop("source", None)
        if not isinstance(source, int):
            return {"target": source, **document, "source": source}
        if self.target is None:
            raise TypeError("a bind of a descriptor needs a target")
        return {**document, "fd": source}


@dataclass(frozen=True)
class Tmpfs(Mount):
    """Mounts an empty file system in memory, tmpfs(5).

    target: path
        The path in the program's view.
    size: int or str
        The most bytes that it holds, such as "64M": 1 byte to 8 EiB. One file is allowed for each
        KiB, at least 1024. Default: half of the machine's memory.
    mode: int
        Permissions of its root directory. Default: 0o755.
    ro: bool
        Mount read-only. Default: False.
    noexec: bool
        Do not allow programs in it to be executed. Default: False.
    suid: bool
        Honour set-user-ID and set-group-ID bits and file capabilities. Default: False.
    dev: bool
        Allow access to device files. Default: False.
    """

    target: Path
    size: Optional[Size] = None
    mode: int = 0o755
    ro: bool = False
    noexec: bool = False
    suid: bool = False
    dev: bool = False


@dataclass(frozen=True)
class Procfs(Mount):
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


@dataclass(frozen=True)
class Dev(Mount):
    """Makes a small /dev directory.

    It has null, zero, full, random, urandom, tty, new pseudo-terminals, shm and the links to
    /proc/self/fd. With ``pty``, console is the terminal of the program. shm is a tmpfs that holds
    half of the machine's memory. For a smaller one, mount a Tmpfs at /dev/shm after it.

    target: path
        The path in the program's view. Default: "/dev".
    """

    target: Path = "/dev"


@dataclass(frozen=True)
class Sysfs(Mount):
    """Mounts a new, read-only sysfs for the program's network namespace, sysfs(5).

    target: path
        The path in the program's view. Default: "/sys".
    """

    target: Path = "/sys"


@dataclass(frozen=True)
class Mqueue(Mount):
    """Mounts the POSIX message queues of the program's IPC namespace, mq_overview(7).

    target: path
        The path in the program's view. Default: "/dev/mqueue".
    """

    target: Path = "/dev/mqueue"


@dataclass(frozen=True)
class Overlay(Mount):
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
    noexec: bool
        Do not allow programs in it to be executed. Default: False.
    suid: bool
        Honour set-user-ID and set-group-ID bits and file capabilities. Default: False.
    dev: bool
        Allow access to device files. Default: False.

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
    noexec: bool = False
    suid: bool = False
    dev: bool = False

    def document(self) -> Dict[str, Any]:
        document = super().document()
        if self.target is None:
            if isinstance(document["lower"], list):
                raise TypeError("an overlay of several trees needs a target")
            document["target"] = document["lower"]
        if document.pop("changes", None) is not None:
            document["upper"], document["work"] = map(plain, self._kept())
        return document

    def _kept(self) -> Tuple[Path, Path]:
        if isinstance(self.changes, tuple):
            upper, work = pair("changes", self.changes, "(upper, work)")
            return upper, work
        place = os.fsdecode(self.changes or "")
        kept = os.path.join(place, "upper"), os.path.join(place, "work")
        for path in kept:
            os.makedirs(path, exist_ok=True)
        return kept


@dataclass(frozen=True)
class Dir(Mount):
    """Creates a directory. An existing directory stays as it is.

    target: path
        The path in the program's view.
    mode: int
        Its permissions. Default: 0o755.
    """

    target: Path
    mode: int = 0o755


@dataclass(frozen=True)
class Symlink(Mount):
    """Creates a symbolic link.

    to: path
        What the link refers to.
    target: path
        The path of the link in the program's view.
    """

    to: Path
    target: Path


@dataclass(frozen=True)
class File(Mount):
    """Creates a file with a given content. It covers an existing file, which stays unchanged.

    content: str or bytes
        The content. A str is encoded in UTF-8.
    target: path
        The path in the program's view.
    mode: int
        Its permissions. Default: 0o644.
    if_exists: bool
        Leave it out if a later item has the same target. Default: False.

    In the sandbox it replaces the file that the sandbox makes at the same path.
    """

    content: Union[str, bytes]
    target: Path
    mode: int = 0o644
    if_exists: bool = False


@dataclass(frozen=True)
class Mask(Mount):
    """Hides a file or directory.

    A directory becomes empty, and a file reads as /dev/null. A ``target`` that does not exist is
    ignored. "/" is refused with nsiso.ArgumentError. A program with CAP_SYS_ADMIN in its user
    namespace can undo this; see Bind.

    target: path
        The path in the program's view.
    """

    target: Path


@dataclass(frozen=True)
class ReadOnly(Mount):
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


@dataclass(frozen=True)
class Chmod(Mount):
    """Changes the permissions of an existing file or directory, chmod(2).

    target: path
        The path in the program's view.
    mode: int
        The new permissions, such as 0o700.
    """

    target: Path
    mode: int


@dataclass(frozen=True)
class Propagation(Mount):
    """Changes the propagation of an existing mount, mount_namespaces(7).

    target: path
        The path of the mount point in the program's view.
    propagation: str
        "private", "slave", "shared" or "unchanged".
    """

    target: Path
    propagation: Literal["private", "slave", "shared", "unchanged"]
