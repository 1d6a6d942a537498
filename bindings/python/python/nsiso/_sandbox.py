"""Privileges given up, and the sandbox made of all there is."""

import errno
import os
import subprocess
from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Optional, Sequence, Union

from ._mount import Path
from ._popen import Popen, run

_REACTIONS = ("fail", "kill", "trap", "log")


@dataclass(frozen=True)
class Landlock:
    """Rules of landlock(7): whatever they do not grant is refused. Paths are as the program sees them, and must exist.

    ``read``, ``execute`` (and read), ``write`` (and read): trees or files. ``bind``, ``connect``: the only TCP ports; None for all. ``scoped``: no
    signals and abstract Unix sockets to the outside. ``best_effort``: where the kernel knows less, enforce what it does.
    """

    read: Sequence[Path] = ()
    execute: Sequence[Path] = ()
    write: Sequence[Path] = ()
    bind: Optional[Sequence[int]] = None
    connect: Optional[Sequence[int]] = None
    scoped: bool = False
    best_effort: bool = False

    def put(self, spec: Any) -> None:
        granted = [(self.read, "r"), (self.execute, "x"), (self.write, "w")]
        paths = [(os.fsdecode(path), letter) for trees, letter in granted for path in trees]
        ports = [None if some is None else [*some] for some in (self.bind, self.connect)]
        spec.landlock(paths, *ports, self.scoped, self.best_effort)


@dataclass(frozen=True)
class Seccomp:
    """A filter of system calls by name, seccomp(2): those denied, or those allowed, or those that this process is asked about.

    ``reaction`` is what a call that is not allowed meets: "fail" (with ``errno``), "kill", "trap", "log".
    With ``notify`` the attribute ``notify`` of the Popen is the descriptor to answer by, seccomp_unotify(2).
    """

    deny: Optional[Iterable[str]] = None
    allow: Optional[Iterable[str]] = None
    notify: Optional[Iterable[str]] = None
    reaction: str = "fail"
    errno: int = errno.EPERM

    def put(self, spec: Any) -> None:
        if [self.deny, self.allow, self.notify].count(None) != 2:
            raise TypeError("Seccomp takes either deny or allow or notify")
        if self.notify is not None:
            spec.seccomp_notify([*self.notify])
        elif self.deny is not None:
            spec.seccomp_deny([*self.deny], self.reaction, self.errno)
        else:
            spec.seccomp_allow([*(self.allow or ())], self.reaction, self.errno)


class Sandbox:
    """Isolation for programs that are not trusted, as any user: a reusable set of keywords.

        box = nsiso.Sandbox()
        box.run(["python3", "-c", code], capture_output=True, deadline=5)

    All kinds of namespace are new; the root holds the host's /usr read-only, a /proc, /dev and /tmp of its own and nothing else of the
    host; there is no network but loopback, no capability, no way to get any; Landlock, seccomp, and an init process that
    ends everything with the program or the host; an empty environment; 512 processes, no core files, 64 MiB each for
    the files in /tmp, in /dev/shm and in the rest.

    Every keyword of Popen adds to it or replaces a part. It is loosened by name: ``share=["net"]`` shares namespaces with
    the host, ``landlock=False`` and ``seccomp=False`` take these away, ``caps=["net_admin"]`` keeps capabilities, ``mounts`` adds to the view. ``repr``
    tells what is granted.
    """

    def __init__(self, **keywords: Any) -> None:
        self.keywords = dict(keywords)

    def run(self, args: Any, **keywords: Any) -> "subprocess.CompletedProcess[Any]":
        """nsiso.run in this sandbox; ``mounts`` given here come on top of its own."""
        return run(args, **self._with(keywords))

    def popen(self, args: Any, **keywords: Any) -> Popen:
        """nsiso.Popen in this sandbox."""
        return Popen(args, **self._with(keywords))

    def _with(self, keywords: Mapping[str, Any]) -> dict:
        both = {**self.keywords, **keywords, "sandbox": True}
        mounts = [*self.keywords.get("mounts", ()), *keywords.get("mounts", ())]
        return {**both, "mounts": mounts} if mounts else both

    def __repr__(self) -> str:
        words = self.keywords
        share = words.get("share", ())
        granted = [
            "network: " + ("the host's" if "net" in share else "loopback alone"),
            "files: /usr read-only, /tmp of 64M" + "".join(f", {mount!r}" for mount in words.get("mounts", ())),
            "capabilities: " + (", ".join(words.get("caps") or ()) or "none"),
            "landlock: " + ("off" if words.get("landlock") is False else "on"),
            "seccomp: " + ("off" if words.get("seccomp") is False else "on"),
        ]
        others = [kind for kind in share if kind != "net"]
        if others:
            granted.append("shared with the host: " + ", ".join(others))
        told = ("share", "mounts", "caps", "landlock", "seccomp")
        granted += [f"{name}: {value!r}" for name, value in words.items() if name not in told]
        return f"<Sandbox {'; '.join(granted)}>"
