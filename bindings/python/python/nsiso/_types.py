"""Names for the types of arguments."""

import os
from datetime import timedelta
from fractions import Fraction
from typing import IO, TYPE_CHECKING, Any, AbstractSet, Generic, Iterable, Literal, Mapping, Optional, Protocol, Sequence, Tuple, TypeVar, Union

from ._options import Options

if TYPE_CHECKING:
    from ._bridge import Bridge
    from ._host import Host
    from ._namespace import Namespace

#: A kind of namespace, named as below /proc/PID/ns.
Kind = Literal["user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup"]

#: One kind, or several.
Kinds = Union[Kind, Iterable[Kind]]

StrPath = Union[str, "os.PathLike[str]"]
Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]


#: Bytes, or a text with a unit, such as "256M".
Size = Union[int, str]
#: A time in seconds, or a text with a unit, such as "250ms".
Seconds = Union[int, float, str, Fraction, timedelta]


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
ProcessAndKinds = Tuple[Process, Union[str, Sequence[str]]]
JoinTarget = Union[Target, ProcessAndKinds]
Join = Union[JoinTarget, Sequence[JoinTarget], AbstractSet[JoinTarget]]

#: A network namespace, or what has one.
Network = Union["Host", "Bridge", "Namespace"]
#: None is the network namespace of the calling process.
Place = Optional[Network]

#: The program and its arguments.
Args = Union[Path, Sequence[Path]]
#: A standard stream of the program, as for subprocess.
Stream = Union[None, int, IO[Any]]


class Keywords(Options, total=False):
    """The keywords of Popen: those of subprocess.Popen and those for isolation."""

    bufsize: int
    executable: Optional[Path]
    stdin: Stream
    stdout: Stream
    stderr: Stream
    close_fds: bool
    shell: bool
    cwd: Optional[Path]
    env: Union[None, Mapping[str, Path], Mapping[bytes, Path]]
    start_new_session: bool
    pass_fds: Union[Iterable[int], Mapping[int, int]]
    pipesize: int
    join: Optional["Join"]


class RunKeywords(Keywords, total=False):
    """The keywords of run, except ``input``."""

    capture_output: bool
    timeout: Optional[float]
    check: bool


T = TypeVar("T")


class SameAs(Generic[T]):
    """The type of a method with the arguments and results of a function or class."""

    def __init__(self, function: T) -> None:
        self.function = function

    def __get__(self, instance: object, owner: object) -> T:
        return self.function
