"""Names for the types of arguments."""

import os
from datetime import timedelta
from fractions import Fraction
from typing import IO, Any, Generic, Iterable, Literal, Optional, Protocol, Sequence, TypeVar, Union


#: A kind of namespace, named as below /proc/PID/ns.
Kind = Literal["user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup"]

#: One kind, or several.
Kinds = Union[Kind, Iterable[Kind]]

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

#: The program and its arguments.
Args = Union[Path, Sequence[Path]]
#: A standard stream of the program, as for subprocess.
Stream = Union[None, int, IO[Any]]


T = TypeVar("T")


class SameAs(Generic[T]):
    """The type of a method with the arguments and results of a function or class."""

    def __init__(self, function: T) -> None:
        self.function = function

    def __get__(self, instance: object, owner: object) -> T:
        return self.function
