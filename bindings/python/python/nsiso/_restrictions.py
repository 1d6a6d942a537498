"""What the program may reach and call at all: rules that it cannot take back."""

import errno
import os
from dataclasses import dataclass
from typing import Any, Iterable, List, Optional, Sequence, Union

from ._argument import listed
from ._mount import Path


@dataclass(frozen=True)
class Landlock:
    """Rules of landlock(7): whatever they do not grant is refused. Paths are as the program sees them, and must exist.

    ``read``, ``execute`` (and read), ``write`` (and read): trees or files. ``bind``, ``connect``: the only TCP ports; None for all. ``scoped``: no
    signals and abstract Unix sockets to the outside. ``best_effort``: where the kernel knows less, enforce what it does.
    ``as_mounted``: whatever ``mounts`` shows or makes for writing may be written, as in the sandbox.

    The kernel counts connect(2): TCP Fast Open and MPTCP get round ``connect``, unless ``seccomp=True`` refuses them.
    """

    read: Sequence[Path] = ()
    execute: Sequence[Path] = ()
    write: Sequence[Path] = ()
    bind: Optional[Sequence[int]] = None
    connect: Optional[Sequence[int]] = None
    scoped: bool = False
    best_effort: bool = False
    as_mounted: bool = False

    def put(self, spec: Any) -> None:
        granted = [(self.read, "r"), (self.execute, "x"), (self.write, "w")]
        paths = [(os.fsdecode(path), letter) for trees, letter in granted for path in _several(trees)]
        ports = [None if some is None else listed(name, some) for name, some in (("bind", self.bind), ("connect", self.connect))]
        for port in [port for some in ports if some for port in some]:
            if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 65536:
                raise ValueError(f"{port!r} is no TCP port: 0 to 65535")
        spec.landlock(paths, *ports, self.scoped, self.best_effort, self.as_mounted)


def _several(paths: Any) -> List[Path]:
    """One path may stand for a list of one."""
    return [paths] if isinstance(paths, (str, bytes, os.PathLike)) else [*paths]


def _names(calls: Union[str, Iterable[str]]) -> List[str]:
    """Each once."""
    return [*dict.fromkeys([calls] if isinstance(calls, str) else calls)]


@dataclass(frozen=True)
class Seccomp:
    """A filter of system calls by name, seccomp(2): those denied, or those allowed, or those that this process is asked about.

    ``action`` is what a call that is not allowed meets: "fail" (with ``errno``), "kill", "trap", "log".
    With ``notify`` the attribute ``notify`` of the Popen is the descriptor to answer by, seccomp_unotify(2).
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
