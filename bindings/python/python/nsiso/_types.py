"""Names for the types of arguments, for type checkers. Nothing imports it when a program runs."""

import os
from typing import TYPE_CHECKING, AbstractSet, Iterable, Literal, Optional, Protocol, Sequence, Tuple, Union

if TYPE_CHECKING:
    from ._bridge import Bridge
    from ._host import Host
    from ._mount import Bind, Chmod, Dev, Dir, File, Mask, Mqueue, Overlay, Procfs, ReadOnly, Symlink, Sysfs, Tmpfs
    from ._namespace import Namespace

#: A kind of namespace, named as below /proc/PID/ns.
Kind = Literal["user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup"]

#: One kind, or several.
Kinds = Union[Kind, Iterable[Kind]]

StrPath = Union[str, "os.PathLike[str]"]
Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


class HasFileno(Protocol):
    """An object with a file descriptor, such as a socket or a Pidfd."""

    def fileno(self) -> int: ...


class HasPid(Protocol):
    """An object for a process, such as a Popen of subprocess or a Process of multiprocessing."""

    @property
    def pid(self) -> Optional[int]: ...


#: A process: its pid, an object whose fileno() is a pidfd, or an object with a pid.
Process = Union[int, HasFileno, HasPid]

#: A namespace, or the process whose namespaces are meant.
Target = Union["Namespace", Path, Process]
Targets = Union[Target, Sequence[Target], AbstractSet[Target]]

#: The argument of the keyword ``join``.
ProcessAndKinds = Tuple[Process, Union[Kind, Sequence[Kind]]]
JoinTarget = Union[Target, ProcessAndKinds]
Join = Union[JoinTarget, Sequence[JoinTarget], AbstractSet[JoinTarget]]

#: A network namespace, or what has one.
Network = Union["Host", "Bridge", "Namespace"]
#: None is the network namespace of the calling process.
Place = Optional[Network]

#: An item of the keyword ``mounts``.
Mount = Union[
    "Bind", "Chmod", "Dev", "Dir", "File", "Mask", "Mqueue", "Overlay", "Procfs", "ReadOnly", "Symlink", "Sysfs", "Tmpfs"
]  # fmt: skip
