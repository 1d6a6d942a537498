"""Defines Landlock and Seccomp, restrictions that a program cannot remove."""

from dataclasses import dataclass
from typing import Any, Dict, Iterable, Literal, Mapping, Optional, Sequence, Tuple, Union

from ._document import Entry, plain
from ._types import Path


@dataclass(frozen=True)
class Landlock(Entry):
    """Rules of landlock(7). Access that they do not grant is refused.

        nsiso.run(["touch", "/tmp/x"], landlock=nsiso.Landlock(execute="/", write="/tmp"))

    Paths are those in the program's view. They must exist, and apply to everything below them. The
    program and its libraries must be granted, too.

    read: path or list of paths
        Files that may be read, and directories that may be listed.
    execute: path or list of paths
        Files that may be read and executed.
    write: path or list of paths
        Files that may be read, written, created and removed.
    bind_tcp: list of int
        TCP ports that sockets may be bound to. Default: all.
    connect_tcp: list of int
        TCP ports that may be connected to. Default: all.
    scoped: bool
        Refuse signals to outside processes, and connections to their abstract Unix sockets.
        Default: False.
    best_effort: bool
        Enforce what the kernel supports, and ignore the rest. Default: False, an error.
    as_mounted: bool
        Also grant writing to everything that ``mounts`` mounts or creates writable, except the
        root. The sandbox does this. Default: False.

    Landlock checks connect(2) only. TCP Fast Open and MPTCP are not restricted by ``connect_tcp``,
    unless ``seccomp=True`` refuses them. UDP is never restricted.

    Needs Landlock version 3 (Linux 6.2), 4 (Linux 6.7) for ports, and 6 (Linux 6.12) for
    ``scoped``. It sets ``new_privs`` to False. No privilege is needed.
    """

    read: Union[Path, Sequence[Path]] = ()
    execute: Union[Path, Sequence[Path]] = ()
    write: Union[Path, Sequence[Path]] = ()
    bind_tcp: Optional[Sequence[int]] = None
    connect_tcp: Optional[Sequence[int]] = None
    scoped: bool = False
    best_effort: bool = False
    as_mounted: bool = False


@dataclass(frozen=True)
class Seccomp(Entry):
    """A filter for system calls by name, seccomp(2).

        nsiso.run(["mkdir", "/tmp/x"], seccomp=nsiso.Seccomp(deny=["mkdir", "mkdirat"]))

    One of these is given:

    deny: str or iterable of str
        These system calls get ``action``. All others are allowed.
    allow: str or iterable of str
        These system calls and execve(2) are allowed. All others get ``action``.
    raw: iterable of (code, jt, jf, k)
        Instructions of classic BPF, used as they are. They must allow execve.

    action: str
        "fail": the call fails with ``errno``. "kill": the program is killed by SIGSYS. "trap": the
        thread gets SIGSYS. "log": the call is allowed and written to the audit log. Default:
        "fail".
    errno: int
        The error number for "fail", 1 to 4095. Default: EPERM.

    System calls of another architecture always fail with ENOSYS. With several filters the strictest
    action applies. A filter sets ``new_privs`` to False. No privilege is needed.
    """

    deny: Optional[Iterable[str]] = None
    allow: Optional[Iterable[str]] = None
    raw: Optional[Iterable[Tuple[int, int, int, int]]] = None
    action: Optional[Literal["fail", "kill", "trap", "log"]] = None
    errno: Optional[int] = None

    def document(self) -> Dict[str, Any]:
        # A single name is a list of one.
        names = {name: [calls] for name, calls in (("deny", self.deny), ("allow", self.allow)) if isinstance(calls, str)}
        return {**super().document(), **names}


def filters(value: Any) -> Any:
    """Returns the option ``seccomp`` of a document. In a list True is the filter of the sandbox."""
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping)):
        return [{"untrusted": True} if one is True else plain(one) for one in value]
    return plain(value)
