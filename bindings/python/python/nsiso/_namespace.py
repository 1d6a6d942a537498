"""Defines functions and classes that open, enter, join and pin existing namespaces."""

import contextlib
import contextvars
import os
from typing import TYPE_CHECKING, AbstractSet, Any, Callable, Dict, Iterable, Iterator, List, Literal, Optional, Sequence, Tuple, TypeVar, Union, overload

from . import _nsiso
from ._list import NamespaceInfo
from ._types import HasFileno, Kind, Path, Process

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, Self, TypeIs

    P = ParamSpec("P")

KINDS: "Tuple[Kind, ...]" = ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup")

T = TypeVar("T")

#: A namespace, or the process whose namespaces are meant.
Target = Union["Namespace", Path, Process]
Targets = Union[Target, Sequence[Target], AbstractSet[Target]]

#: The argument of the keyword ``join``.
ProcessAndKinds = Tuple[Process, Union[str, Sequence[str]]]
JoinTarget = Union[Target, ProcessAndKinds]
Join = Union[JoinTarget, Sequence[JoinTarget], AbstractSet[JoinTarget]]


class _Opened:
    """A context manager that owns a file descriptor and closes it."""

    _fd: Optional[int] = None

    def fileno(self) -> int:
        if self._fd is None:
            raise ValueError(f"{self!r} is closed")
        return self._fd

    def close(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


class Namespace(_Opened):
    """An open namespace. The namespace exists at least until this object is closed.

        Namespace("/run/netns/blue")          a file of /proc/PID/ns, or a bind mount of one
        Namespace.named("blue")               a network namespace by its name in ip-netns(8)
        Namespace.of(process, "net")          the namespace of a process: a Popen, a pidfd or a pid
        Namespace.own("net")                  the namespace of the calling thread
        Namespace.of_socket(socket)           the network namespace in which a socket was made
        Namespace.for_children(process, "pid")  the pid or time namespace of future children

    All of them raise nsiso.Error if the namespace cannot be opened. ``of`` and ``for_children``
    need the permission to trace the process, ptrace(2). ``of_socket`` needs CAP_NET_ADMIN in the
    namespace.

    A Namespace is a context manager that closes it. ``fileno()`` is its descriptor. Two objects are
    equal if they are the same namespace. A Namespace also equals the NamespaceInfo of a listing.
    """

    kind: "Kind"  #: "user", "pid", "mnt", "net", "ipc", "uts", "time" or "cgroup"
    inode: int  #: the number in its link below /proc/PID/ns; can be reused
    id: Optional[int]  #: the 64-bit id, never reused; mnt: Linux 6.11, others: 6.18
    owner_uid: Optional[int]  #: uid that made the user namespace; None for other kinds

    def __init__(self, path: "Path") -> None:
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
    def own(cls, kind: "Kind") -> "Namespace":
        return cls._of_fd(_nsiso.open_own(kind))

    @classmethod
    def of(cls, process: "Process", kind: "Kind") -> "Namespace":
        with _pidfd(process) as pidfd:
            return cls._of_fd(_nsiso.open_process(pidfd, kind))

    @classmethod
    def for_children(cls, process: "Process", kind: Literal["pid", "time"]) -> "Namespace":
        with _pidfd(process) as pidfd:
            return cls._of_fd(_nsiso.open_for_children(pidfd, kind))

    @classmethod
    def of_socket(cls, socket: "Union[int, HasFileno]") -> "Namespace":
        return cls._of_fd(_nsiso.open_socket(socket if isinstance(socket, int) else socket.fileno()))

    @property
    def owner(self) -> Optional["Namespace"]:
        """The user namespace that owns this one, as a new Namespace.

        The owner of a user namespace is its parent. None if it is not visible to this process.
        """
        return self._relative(True)

    @property
    def parent(self) -> Optional["Namespace"]:
        """The parent of a user or pid namespace, as a new Namespace.

        None if there is no parent, or if it is not visible to this process.
        """
        return self._relative(False)

    def _relative(self, owner: bool) -> Optional["Namespace"]:
        fd = _nsiso.relative(self.fileno(), owner)
        return None if fd is None else Namespace._of_fd(fd)

    def pin(self, path: "Path") -> None:
        """Bind-mounts this namespace at ``path``, so that it exists without processes.

        ``path`` must be an empty file, which is created if it does not exist. ``nsiso.unpin(path)``
        removes it. Needs CAP_SYS_ADMIN in the user namespace that owns the mount namespace of this
        process. Raises nsiso.Error.
        """
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
    """A process, referred to by its pidfd, pidfd_open(2).

    A pidfd never refers to another process, even if the pid is reused. ``fileno()`` is the
    descriptor. A Pidfd is a context manager that closes it.

    pid: int
        The process.
    inode: int
        The attribute ``inode`` of an earlier Pidfd. On Linux 6.9 and later each process has another
        inode. A program that stores a process as text keeps both numbers. Default: not checked.

    Raises nsiso.NoProcessError if there is no such process, or if it has another inode.
    """

    def __init__(self, pid: int, inode: Optional[int] = None) -> None:
        self.pid = pid
        self._fd = _nsiso.pidfd(pid, inode)
        self.inode: int = os.fstat(self._fd).st_ino

    def __repr__(self) -> str:
        return f"<Pidfd of process {self.pid}>"


@contextlib.contextmanager
def _pidfd(process: "Process") -> Iterator[int]:
    """Yields the pidfd of a process, given an object with fileno() or pid, or a pid."""
    fileno: Optional[Callable[[], int]] = getattr(process, "fileno", None)
    if fileno is not None:
        yield fileno()
        return
    pid = process if isinstance(process, int) and not isinstance(process, bool) else getattr(process, "pid", None)
    if pid is None:
        raise TypeError(f"{process!r} is no process: give a Popen, an object with a pidfd, or a pid")
    with Pidfd(pid) as opened:
        yield opened.fileno()


def _is_path(target: object) -> "TypeIs[Path]":
    return isinstance(target, (str, bytes, os.PathLike))


def _each(target: Any) -> List[Any]:
    return [*target] if isinstance(target, (list, tuple, set, frozenset)) else [target]


@contextlib.contextmanager
def _opened(target: "Targets", kinds: "Iterable[Kind]") -> Iterator[List[int]]:
    """Yields the descriptors of the namespaces that ``target`` refers to.

    For a process these are its namespaces of ``kinds``, except those that the calling thread
    shares.
    """
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
    target: "Targets", *, net: bool = False, uts: bool = False, ipc: bool = False, cgroup: bool = False
) -> Iterator[None]:
    """Moves the calling thread into existing namespaces while the ``with`` block runs, setns(2).

        with nsiso.enter(Namespace.named("blue")):
            server = socket.create_server(("127.0.0.1", 80))   # stays in blue
        with nsiso.enter(process, net=True, uts=True): ...

    target: Namespace, path, process, or a list of them
        The namespaces. A process is a Popen, an object whose fileno() is a pidfd, or a pid.
    net, uts, ipc, cgroup: bool
        Which namespaces of a process to enter. Those that the thread is already in are skipped.

    Other threads stay where they are. What the thread opens in the block belongs to the entered
    namespaces, also after the block. Do not use await in the block: other tasks would run in these
    namespaces.

    Needs CAP_SYS_ADMIN in the user namespaces that own the entered namespaces and the current ones.
    Raises nsiso.Error, and TypeError for a process without kinds. A thread cannot return from other
    kinds of namespace. For user, pid and time namespaces use ``run(join=...)``. For mount
    namespaces use ``call_in``.
    """
    wanted: Dict[Kind, bool] = {"net": net, "uts": uts, "ipc": ipc, "cgroup": cgroup}
    with _opened(target, [kind for kind, option in wanted.items() if option]) as fds:
        entered = _nsiso.enter(fds)
    try:
        yield
    finally:
        entered.leave()


@overload
def call_in(target: "Targets", function: Callable[..., T], *args: Any, kinds: "Iterable[Kind]", **keywords: Any) -> T: ...


@overload
def call_in(target: "Targets", function: "Callable[P, T]", *args: "P.args", **keywords: "P.kwargs") -> T: ...


def call_in(target: "Targets", function: Callable[..., T], *args: Any, kinds: Any = (), **keywords: Any) -> T:
    """Calls ``function(*args, **keywords)`` on a new thread in existing namespaces.

        config = nsiso.call_in(process, open, "/etc/resolv.conf", kinds=["mnt"])

    target: Namespace, path, process, or a list of them
        The namespaces. A process is a Popen, an object whose fileno() is a pidfd, or a pid.
    kinds: iterable of str
        Which namespaces of a process to enter: "net", "uts", "ipc", "cgroup", "mnt". Those that the
        calling thread is already in are skipped.

    Returns the result of the function, or raises the exception that it raised. The function sees
    the context variables of the caller. In a mount namespace its root and working directory are the
    root of that namespace.

    Needs CAP_SYS_ADMIN, as ``enter`` does, and CAP_SYS_CHROOT for mount namespaces. Raises
    nsiso.Error if a namespace cannot be entered.
    """
    context = contextvars.copy_context()
    with _opened(target, kinds) as fds:
        return _nsiso.call(fds, lambda: context.run(function, *args, **keywords))


def unpin(path: "Path") -> None:
    """Unmounts the namespace that is pinned at ``path``, and removes the file.

    The namespace ends if no process, descriptor or other mount keeps it. The last component of
    ``path`` must not be a symbolic link. Raises nsiso.Error, with EINVAL if no namespace is mounted
    there. Needs CAP_SYS_ADMIN in the user namespace that owns the mount namespace of this process.
    """
    _nsiso.unpin(os.fsdecode(path))


def pin(target: "Union[Namespace, Path]", path: "Path") -> None:
    """Bind-mounts a namespace at ``path``, so that it exists without processes.

        nsiso.pin(nsiso.Namespace.of(process, "net"), "/run/netns/blue")

    target: Namespace or path
        The namespace.
    path: path
        An empty file, which is created if it does not exist. nsenter(1) and unshare(1) accept it.
        ip-netns(8) finds files in /run/netns.

    Needs CAP_SYS_ADMIN in the user namespace that owns the mount namespace of this process. Raises
    nsiso.Error. ``unpin`` removes it.
    """
    if isinstance(target, Namespace):
        target.pin(path)
    else:
        with Namespace(target) as namespace:
            namespace.pin(path)


@contextlib.contextmanager
def joined(target: "Optional[Join]") -> Iterator[Dict[str, Any]]:
    """Yields the option ``join`` of a spec document. Its descriptors are open in the block."""
    with contextlib.ExitStack() as stack:
        if target is None:
            yield {}
            return
        each: List[JoinTarget] = [target] if _is_process_and_kinds(target) else _each(target)
        yield {"join": [_join(stack, one) for one in each]}


def _join(stack: contextlib.ExitStack, target: "JoinTarget") -> Any:
    if isinstance(target, Namespace):
        return target.fileno()
    if _is_path(target):
        return stack.enter_context(Namespace(target)).fileno()
    process, kinds = target if _is_process_and_kinds(target) else (target, KINDS)
    return {"pidfd": stack.enter_context(_pidfd(process)), "kinds": kinds if isinstance(kinds, str) else [*kinds]}


def _is_process_and_kinds(target: object) -> "TypeIs[ProcessAndKinds]":
    """Returns whether ``target`` is like (process, "net") or (process, ["net", "uts"])."""
    if not isinstance(target, tuple) or len(target) != 2:
        return False
    process, kinds = target
    named = [kinds] if isinstance(kinds, str) else kinds if isinstance(kinds, (list, tuple)) else ()
    words = isinstance(kinds, (str, list, tuple)) and all(isinstance(kind, str) for kind in named)
    return words and not isinstance(process, Namespace) and not _is_path(process)
