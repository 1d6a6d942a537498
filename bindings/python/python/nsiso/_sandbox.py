"""The sandbox made of all there is."""

import inspect
import subprocess
from typing import Any, Iterable, Mapping, Sequence, Union

from ._isolation import KEYWORDS, apply
from ._nsiso import Spec
from ._popen import Completed, Popen, run


class Sandbox:
    """Isolation for programs that are not trusted, as any user: a reusable set of keywords.

        box = nsiso.Sandbox()
        box.run(["python3", "-c", code], capture_output=True, deadline=5)

    All kinds of namespace are new; the root holds the host's /usr read-only, a /proc, /dev and /tmp of its own and nothing else of the
    host; there is no network but loopback, no capability, no way to get any; Landlock, seccomp, and an init process that
    ends everything with the program or the host; an empty environment; the host name "sandbox". 64 MiB each for the files in
    /tmp, in /dev/shm and in the rest; 512 processes, 64 KiB of locked memory, 1024 pending signals, 256 KiB of POSIX
    message queues, or this process's own limits where they are lower; no core dumps, not even piped to a program of the
    host's (unless the hard limit here is 0 and so cannot be 1, core(5)).

    The filter of system calls refuses to give a file set-user-ID or set-group-ID bits, and to change how PID 1 runs.
    Files that have such a bit already are not protected where ``mounts`` shows them for writing.

    Every keyword of Popen adds to it or replaces a part; what ``mounts`` shows for writing may be written. It is loosened by name:
    ``share=["net"]`` shares namespaces with the host (net, ipc, uts, time, cgroup), ``landlock=False`` and ``seccomp=False`` take these away,
    ``init=False`` makes the program PID 1 itself, ``die_with_parent=False`` lets it outlive this process, ``user_namespaces=True`` (with
    ``seccomp=False``) and ``new_privs=True`` (with ``landlock=False``, too) let it have new namespaces and privileges,
    ``caps=["net_admin"]`` keeps capabilities. ``repr`` tells what is granted.
    """

    def __init__(self, **keywords: Any) -> None:
        unknown = sorted(set(keywords) - _KEYWORDS)
        if unknown:
            raise TypeError(f"Sandbox takes the keywords of nsiso.run and nsiso.Popen, not {', '.join(unknown)}")
        self.keywords = {name: value for name, value in keywords.items() if value is not None}
        # Whatever is wrong in itself is told here.
        options = {name: value for name, value in self.keywords.items() if name in KEYWORDS}
        apply(Spec(["true"]), {**options, "sandbox": True})

    def run(self, args: Any, **keywords: Any) -> Completed:
        """nsiso.run in this sandbox; ``mounts`` given here come on top of its own."""
        return run(args, **self._with(keywords))

    def popen(self, args: Any, **keywords: Any) -> Popen:
        """nsiso.Popen in this sandbox."""
        return Popen(args, **self._with(keywords))

    def _with(self, keywords: Mapping[str, Any]) -> dict:
        both = {**self.keywords, **keywords, "sandbox": True}
        mounts = [*(self.keywords.get("mounts") or ()), *(keywords.get("mounts") or ())]
        return {**both, "mounts": mounts}

    def __repr__(self) -> str:
        words = self.keywords
        share, caps = (_words(words.get(name)) for name in ("share", "caps"))
        granted = [
            "network: " + ("the host's" if "net" in share else "loopback alone"),
            "files: /usr read-only, /tmp of 64M" + "".join(f", {mount!r}" for mount in words.get("mounts", ())),
            "capabilities: " + (", ".join(caps) or "none"),
            "landlock: " + _state(words.get("landlock")),
            "seccomp: " + _state(words.get("seccomp")),
        ]
        others = [kind for kind in share if kind != "net"]
        if others:
            granted.append("shared with the host: " + ", ".join(others))
        granted += [text for name, (value, text) in _LOOSENED.items() if words.get(name) is value]
        told = ("share", "mounts", "caps", "landlock", "seccomp", "sandbox")
        others = [(name, value) for name, value in words.items() if name not in told and value is not None]
        granted += [f"{name}: {value!r}" for name, value in others if not (name in _LOOSENED and _LOOSENED[name][0] is value)]
        return f"<Sandbox {'; '.join(granted)}>"


def _words(value: Union[None, str, Iterable[str]]) -> Sequence[str]:
    """One word or some."""
    return [value] if isinstance(value, str) else [*(value or ())]


def _state(value: Any) -> str:
    """Of a restriction that the sandbox has: as it is, taken away, or with rules of the caller's."""
    return "on" if value in (None, True) else "off" if value is False else repr(value)


_LOOSENED = {
    "init": (False, "no init process"),
    "die_with_parent": (False, "outlives this process"),
    "new_privs": (True, "set-user-ID programs count"),
    "user_namespaces": (True, "user namespaces can be made"),
}
_OF_SUBPROCESS = {*inspect.signature(subprocess.Popen.__init__).parameters} - {"self", "args"}
_KEYWORDS = {*KEYWORDS, *_OF_SUBPROCESS, "join", "input", "capture_output", "timeout", "check"}
