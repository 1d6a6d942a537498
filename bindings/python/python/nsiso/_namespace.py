"""Existing namespaces: opened, entered, joined, kept."""

import contextlib
import contextvars
import functools
import os
from typing import Any, Callable, Iterable, Iterator, List, Optional, TypeVar, Union

from . import _nsiso
from ._list import NamespaceInfo

KINDS = ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup")

T = TypeVar("T")
Path = Union[str, bytes, "os.PathLike[Any]"]


Self = TypeVar("Self", bound="_Opened")


class _Opened:
    """What holds a descriptor until it is closed: a context manager."""

    _fd: Optional[int] = None

    def fileno(self) -> int:
        if self._fd is None:
            raise ValueError(f"{self!r} is closed")
        return self._fd

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


class Namespace(_Opened):
    """An open namespace: it exists as long as this is not closed.

        Namespace("/run/netns/blue")          a file of /proc/PID/ns, or a bind mount of one
        Namespace.named("blue")               the same, as ip-netns(8) names it
        Namespace.of(process, "net")          what a process is in: a Popen or a pid
        Namespace.own("net")                  what the calling thread is in
        Namespace.of_socket(socket)           the network namespace a socket was made in
        Namespace.for_children(process, "pid")  what a process's future children will be in

    A context manager, which closes it. Equal and hashed by what namespace it is.
    """

    kind: str  #: "user", "pid", "mnt", "net", "ipc", "uts", "time" or "cgroup"
    inode: int  #: the number in its link under /proc/PID/ns; used again once the namespace is gone
    id: Optional[int]  #: the 64-bit id, never used again; None on an older kernel
    owner_uid: Optional[int]  #: the uid that made a user namespace; None for other kinds

    def __init__(self, path: Path) -> None:
        self._take(_nsiso.open_path(os.fsdecode(path)))

    def _take(self, fd: int) -> None:
        self._fd = fd
        self.kind, self.inode, self.id, self.owner_uid = _nsiso.identify(fd)

    @classmethod
    def _of_fd(cls, fd: int) -> "Namespace":
        namespace = cls.__new__(cls)
        namespace._take(fd)
        return namespace

    @classmethod
    def named(cls, name: str) -> "Namespace":
        return cls._of_fd(_nsiso.open_name(name))

    @classmethod
    def own(cls, kind: str) -> "Namespace":
        return cls._of_fd(_nsiso.open_own(kind))

    @classmethod
    def of(cls, process: Any, kind: str) -> "Namespace":
        with _pidfd(process) as pidfd:
            return cls._of_fd(_nsiso.open_process(pidfd, kind))

    @classmethod
    def for_children(cls, process: Any, kind: str) -> "Namespace":
        with _pidfd(process) as pidfd:
            return cls._of_fd(_nsiso.open_for_children(pidfd, kind))

    @classmethod
    def of_socket(cls, socket: Any) -> "Namespace":
        return cls._of_fd(_nsiso.open_socket(socket if isinstance(socket, int) else socket.fileno()))

    @property
    def owner(self) -> Optional["Namespace"]:
        """The user namespace that owns it, opened; of a user namespace, its parent. None where it is out of sight."""
        return self._relative(True)

    @property
    def parent(self) -> Optional["Namespace"]:
        """The parent of a user or pid namespace, opened; None as for ``owner``."""
        return self._relative(False)

    def _relative(self, owner: bool) -> Optional["Namespace"]:
        fd = _nsiso.relative(self.fileno(), owner)
        return None if fd is None else Namespace._of_fd(fd)

    def pin(self, path: Path) -> None:
        """Keeps it at ``path``, an empty file, made if it is not there, also when no process is in it: see ``unpin``."""
        _nsiso.pin(self.fileno(), os.fsdecode(path))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (Namespace, NamespaceInfo)):
            return NotImplemented
        return (self.inode, self.id) == (other.inode, other.id)

    def __hash__(self) -> int:
        return hash((self.inode, self.id))

    def __repr__(self) -> str:
        return f"<Namespace {self.kind}:[{self.inode}]>"


class Pidfd(_Opened):
    """A process held by its pidfd, pidfd_open(2), which never means another one, also when the pid is used again.

    ``inode`` is the pidfd's, which no other process ever gets (Linux 6.9). Keep pid and inode to name a process in words:
    ``Pidfd(pid, inode)`` raises nsiso.Error where the pid has gone to another process. A context manager, which closes it.
    """

    def __init__(self, pid: int, inode: Optional[int] = None) -> None:
        self.pid = pid
        self._fd = _nsiso.pidfd(pid, inode)
        self.inode = os.fstat(self._fd).st_ino

    def __repr__(self) -> str:
        return f"<Pidfd of process {self.pid}>"


@contextlib.contextmanager
def _pidfd(process: Any) -> Iterator[int]:
    """The pidfd of a process that is given by one, by an object with one, or by its pid."""
    if hasattr(process, "fileno"):
        yield process.fileno()
        return
    pid = process if isinstance(process, int) and not isinstance(process, bool) else getattr(process, "pid", None)
    if pid is None:
        raise TypeError(f"{process!r} is no process: give a Popen, an object with a pidfd, or a pid")
    with Pidfd(pid) as opened:
        yield opened.fileno()


def _is_path(target: Any) -> bool:
    return isinstance(target, (str, bytes, os.PathLike))


def _each(target: Any) -> List[Any]:
    return [*target] if isinstance(target, (list, tuple, set, frozenset)) else [target]


@contextlib.contextmanager
def _opened(target: Any, kinds: Iterable[str]) -> Iterator[List[int]]:
    """Descriptors of all that ``target`` means: of a process, these kinds that are not shared with it."""
    kinds = [*kinds]
    with contextlib.ExitStack() as stack:
        namespaces: List[Namespace] = []
        for each in _each(target):
            if isinstance(each, Namespace):
                namespaces.append(each)
            elif _is_path(each):
                namespaces.append(stack.enter_context(Namespace(each)))
            elif not kinds:
                raise TypeError("say which namespaces of the process: net=True, ...")
            else:
                found = [stack.enter_context(Namespace.of(each, kind)) for kind in kinds]
                namespaces += [one for one in found if one != stack.enter_context(Namespace.own(one.kind))]
        yield [namespace.fileno() for namespace in namespaces]


@contextlib.contextmanager
def enter(
    target: Any, *, net: bool = False, uts: bool = False, ipc: bool = False, cgroup: bool = False
) -> Iterator[None]:
    """The calling thread, no other, is in other namespaces while the ``with`` block runs.

        with nsiso.enter(Namespace.named("blue")):
            server = socket.create_server(("127.0.0.1", 80))   # stays in blue
        with nsiso.enter(process, net=True, uts=True): ...

    ``target`` is a Namespace, a path, a process (a Popen, an object whose fileno() is a
    pidfd, or a pid) with the kinds wanted of it, or a list of them. Kinds that
    a process shares with the thread are left out. What is opened meanwhile belongs to the namespaces entered. Do not await in the
    block. Needs CAP_SYS_ADMIN; for user, pid and time namespaces use ``run(join=...)``, for mount namespaces ``call_in``.
    """
    wanted = dict(net=net, uts=uts, ipc=ipc, cgroup=cgroup)
    with _opened(target, [kind for kind, option in wanted.items() if option]) as fds:
        entered = _nsiso.enter(fds)
    try:
        yield
    finally:
        entered.leave()


def call_in(target: Any, function: Callable[..., T], *args: Any, kinds: Iterable[str] = (), **keywords: Any) -> T:
    """Calls ``function(*args, **keywords)`` on a thread of its own inside other namespaces and returns its result.

        config = nsiso.call_in(process, open, "/etc/resolv.conf", kinds=["mnt"])

    ``target`` is as for ``enter``, with the ``kinds`` wanted of a process: net, uts, ipc, cgroup, mnt. What the function
    raises is raised here. Context variables are the caller's.
    """
    context = contextvars.copy_context()
    with _opened(target, kinds) as fds:
        return _nsiso.call(fds, functools.partial(context.run, function, *args, **keywords))


def unpin(path: Path) -> None:
    """Undoes ``Namespace.pin``: unmounts the namespace at ``path`` and removes the file."""
    _nsiso.unpin(os.fsdecode(path))


def pin(target: Union[Namespace, Path], path: Path) -> None:
    """Keeps a namespace at ``path``, an empty file, made if it is not there: nsenter(1), and below /run/netns ip-netns(8), find it there."""
    if isinstance(target, Namespace):
        target.pin(path)
    else:
        with Namespace(target) as namespace:
            namespace.pin(path)


class Joins:
    """What the keyword ``join`` of run and Popen means, put into a spec. To be closed after the spawn."""

    def __init__(self, spec: "_nsiso.Spec", target: Any) -> None:
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.push(self._stack)
            for each in [target] if _is_process_and_kinds(target) else _each(target):
                self._add(spec, each)
            undo.pop_all()

    def _add(self, spec: "_nsiso.Spec", target: Any) -> None:
        if isinstance(target, Namespace):
            spec.join(target.fileno())
        elif _is_path(target):
            spec.join(self._stack.enter_context(Namespace(target)).fileno())
        else:
            process, kinds = target if _is_process_and_kinds(target) else (target, KINDS)
            pidfd = self._stack.enter_context(_pidfd(process))
            spec.join_process(pidfd, [kinds] if isinstance(kinds, str) else [*kinds])

    def close(self) -> None:
        self._stack.close()


def _is_process_and_kinds(target: Any) -> bool:
    """(process, "net") or (process, ["net", "uts"])."""
    if not isinstance(target, tuple) or len(target) != 2:
        return False
    process, kinds = target
    named = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, (list, tuple)) else ()
    words = isinstance(kinds, (str, list, tuple)) and all(isinstance(kind, str) for kind in named)
    return words and not isinstance(process, Namespace) and not _is_path(process)
