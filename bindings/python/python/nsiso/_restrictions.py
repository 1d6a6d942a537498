"""Defines Landlock and Seccomp, restrictions that a program cannot remove."""

import errno
import os
from dataclasses import dataclass
from typing import Any, Iterable, List, Optional, Sequence, Union

from ._argument import listed
from ._mount import Path


@dataclass(frozen=True)
class Landlock:
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

    read: Sequence[Path] = ()
    execute: Sequence[Path] = ()
    write: Sequence[Path] = ()
    bind_tcp: Optional[Sequence[int]] = None
    connect_tcp: Optional[Sequence[int]] = None
    scoped: bool = False
    best_effort: bool = False
    as_mounted: bool = False

    def put(self, spec: Any) -> None:
        granted = [(self.read, "r"), (self.execute, "x"), (self.write, "w")]
        paths = [(os.fsdecode(path), letter) for trees, letter in granted for path in _several(trees)]
        ports = [None if some is None else listed(name, some) for name, some in (("bind_tcp", self.bind_tcp), ("connect_tcp", self.connect_tcp))]
        for port in [port for some in ports if some for port in some]:
            if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 65536:
                raise ValueError(f"{port!r} is no TCP port: 0 to 65535")
        spec.landlock(paths, *ports, self.scoped, self.best_effort, self.as_mounted)


def _several(paths: Any) -> List[Path]:
    """Returns a list of paths, given one path or several."""
    return [paths] if isinstance(paths, (str, bytes, os.PathLike)) else [*paths]


def _names(calls: Union[str, Iterable[str]]) -> List[str]:
    """Returns the names of system calls, each once, given one name or several."""
    return [*dict.fromkeys([calls] if isinstance(calls, str) else calls)]


@dataclass(frozen=True)
class Seccomp:
    """A filter for system calls by name, seccomp(2).

        nsiso.run(["mkdir", "/tmp/x"], seccomp=nsiso.Seccomp(deny=["mkdir", "mkdirat"]))

    Exactly one of these is given, or TypeError is raised:

    deny: str or iterable of str
        These system calls get ``action``. All others are allowed.
    allow: str or iterable of str
        These system calls and execve(2) are allowed. All others get ``action``.
    notify: str or iterable of str
        The program waits in these system calls until this process answers, seccomp_unotify(2). The
        descriptor for it is the attribute ``notify`` of the Popen. sendmsg, close, execve and
        exit_group are refused, because the start of the program needs them.

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
    notify: Optional[Iterable[str]] = None
    action: str = "fail"
    errno: int = errno.EPERM

    def put(self, spec: Any) -> None:
        if [self.deny, self.allow, self.notify].count(None) != 2:
            raise TypeError("Seccomp takes either deny or allow or notify")
        if self.action == "fail" and not 0 < self.errno < 4096:
            raise ValueError(f"{self.errno!r} is no errno")
        if self.notify is not None:
            spec.seccomp_notify(_names(self.notify))
        elif self.deny is not None:
            spec.seccomp_deny(_names(self.deny), self.action, self.errno)
        else:
            spec.seccomp_allow(_names(self.allow or ()), self.action, self.errno)
