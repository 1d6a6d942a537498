"""Defines Sandbox, a set of options that isolates programs that are not trusted."""

import os
from typing import TYPE_CHECKING, Any, Collection, Dict, Iterable, Mapping, Sequence, Union

from ._document import document_of, kept, load, merged
from ._nsiso import Spec
from ._popen import OF_SUBPROCESS, Popen
from ._run import run
from ._spec import KEYWORDS, document_of_keywords, nearest, spec_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._keywords import RunKeywords
    from ._types import Path, SameAs


class Sandbox:
    """Isolates programs that are not trusted: a reusable set of keywords of Popen.

        box = nsiso.Sandbox()
        box.run(["python3", "-c", code], capture_output=True, deadline=5)

    No privilege is needed. A program in the sandbox has:

    - new namespaces of all kinds, with no network but loopback, and the host name "sandbox"
    - a root directory with /usr of this machine, read-only, and a new /proc, /dev and /tmp
    - an empty environment, except PATH, HOME and LANG
    - no capabilities and no way to get any, and no new user namespaces
    - Landlock rules, as far as the kernel supports them, and a seccomp filter
    - an init process that kills everything when the program ends or the calling process dies
    - 64 MiB for files in /tmp, 64 MiB for files in /dev/shm, and 64 MiB for all others
    - 512 processes, 64 KiB of locked memory, 1024 pending signals and 256 KiB of POSIX message
      queues, or the limits of this process where they are lower
    - 64 terminals, 32 inotify instances and 4096 inotify watches
    - no core dumps, not even to a program in core_pattern, unless the hard limit of this process is
      0 and so cannot be set to 1, core(5)

    If the caller is root, the program runs as nobody where that user is mapped.

    The filter refuses to set the set-user-ID and set-group-ID bits of files, and to change the
    limits and the scheduling of PID 1. It does not protect files that already have such a bit if
    ``mounts`` makes them writable.

    The keywords are those of Popen and run. They add to the options of the sandbox or replace them.
    Landlock allows writing to everything that ``mounts`` makes writable. These keywords weaken the
    sandbox:

    share: list of kinds
        Share namespaces with the caller: "net", "ipc", "uts", "time", "cgroup".
    landlock=False, seccomp=False
        No Landlock rules, no seccomp filter.
    init=False
        No init process. The program is PID 1.
    die_with_parent=False
        The program may outlive the calling process.
    user_namespaces=True
        The program may make user namespaces. Needs ``seccomp=False``, too.
    new_privs=True
        Set-user-ID programs give privileges. Needs ``seccomp=False`` and ``landlock=False``, too.
    caps: list of str
        Capabilities to keep, such as ["net_admin"].

    ``repr`` shows what the sandbox grants. Raises TypeError for an unknown keyword, and TypeError,
    ValueError or nsiso.Error for a bad value.
    """

    def __init__(self, **keywords: "Unpack[RunKeywords]") -> None:
        unknown = sorted(set(keywords) - _KEYWORDS)
        if unknown:
            raise TypeError(f"Sandbox takes the keywords of nsiso.run and nsiso.Popen, not {', '.join(unknown)}{nearest(unknown[0])}")
        self.keywords: Dict[str, Any] = {name: kept(value) for name, value in keywords.items() if value is not None}
        if "spec" in self.keywords:
            # Neither a file nor a mapping that changes later changes the sandbox.
            self.keywords["spec"] = document_of(self.keywords["spec"])
        # Bad values are found here, not at the first start of a program.
        self._spec()

    @classmethod
    def from_file(cls, path: "Path", **keywords: "Unpack[RunKeywords]") -> "Sandbox":
        """Makes a sandbox with the options of a spec document, a JSON or TOML file.

        The keywords add to the document. Raises OSError if the file cannot be read, ValueError if
        it is neither JSON nor TOML, and nsiso.Error for a bad option, with its path in the
        document.
        """
        keywords["spec"] = merged(load(path), document_of(keywords.get("spec") or {}))
        return cls(**keywords)

    def to_dict(self) -> Dict[str, Any]:
        """Returns the options as a spec document, for the json module or the keyword ``spec``.

        It has what differs from a plain sandbox, and "sandbox": True. It leaves out ``join`` and
        the arguments of subprocess. Raises nsiso.Error for a sandbox that a document cannot
        describe.
        """
        document = self._spec().document()
        return {name: value for name, value in document.items() if name != "args"}

    def _document(self) -> Dict[str, Any]:
        return document_of_keywords(_chosen(self.keywords, KEYWORDS))

    def _spec(self) -> Spec:
        return spec_of({**self._document(), "sandbox": True})

    if TYPE_CHECKING:
        run = SameAs(run)
        popen = SameAs(Popen)
    else:

        def run(self, args, **keywords):
            """Runs a program in this sandbox until it ends, with the arguments of nsiso.run.

            Keywords replace those of the sandbox, and None does not. ``mounts`` and ``links`` are
            added to its own. ``limits``, ``rlimits``, ``devices``, ``pin`` and ``uplink`` are
            merged with its own.
            """
            return run(args, **self._with(keywords))

        def popen(self, args, **keywords):
            """Starts a program in this sandbox, with the arguments of nsiso.Popen.

            Keywords replace those of the sandbox, and None does not. ``mounts`` and ``links`` are
            added to its own. ``limits``, ``rlimits``, ``devices``, ``pin`` and ``uplink`` are
            merged with its own.
            """
            return Popen(args, **self._with(keywords, _OF_RUN))

    def _with(self, keywords: Mapping[str, Any], without: Collection[str] = ()) -> Dict[str, Any]:
        """Returns the keywords of a run. Those of the sandbox in ``without`` are left out."""
        given = {name: value for name, value in keywords.items() if value is not None}
        document = merged(self._document(), document_of_keywords(_chosen(given, KEYWORDS)))
        own = _chosen(self.keywords, self.keywords.keys() - KEYWORDS - {*without})
        return {**own, **_chosen(given, given.keys() - KEYWORDS), "spec": {**document, "sandbox": True}}

    def __repr__(self) -> str:
        words = merged(self.keywords.get("spec", {}), self.keywords)
        share, caps = (_words(words.get(name)) for name in ("share", "caps"))
        granted = [
            "network: " + ("the caller's" if "net" in share else "loopback and an uplink" if words.get("uplink") else "loopback alone"),
            "files: /usr read-only, /tmp of 64M" + "".join(f", {mount!r}" for mount in words.get("mounts", ())),
            "capabilities: " + (", ".join(caps) or "none"),
            "landlock: " + _state(words.get("landlock")),
            "seccomp: " + _state(words.get("seccomp")),
        ]
        others = [kind for kind in share if kind != "net"]
        if others:
            granted.append("shared with the caller: " + ", ".join(others))
        granted += [text for name, (value, text) in _LOOSENED.items() if words.get(name) is value]
        shown = {"share", "mounts", "caps", "landlock", "seccomp", "sandbox", "spec"}
        shown |= {name for name, (value, _) in _LOOSENED.items() if words.get(name) is value}
        granted += [f"{name}: {value!r}" for name, value in words.items() if name not in shown]
        return f"<Sandbox {'; '.join(granted)}>"


def _chosen(words: Mapping[str, Any], names: Collection[str]) -> Dict[str, Any]:
    return {name: value for name, value in words.items() if name in names}


def _words(value: Union[None, str, bytes, Iterable[str]]) -> Sequence[str]:
    """Returns a list of words, given one word or several."""
    return [os.fsdecode(value)] if isinstance(value, (str, bytes)) else [*(value or ())]


def _state(value: Any) -> str:
    """Describes a restriction of the sandbox: on, off, or the rules that replace it."""
    return "on" if value in (None, True) else "off" if value is False else repr(value)


_LOOSENED = {
    "init": (False, "no init process"),
    "die_with_parent": (False, "outlives this process"),
    "new_privs": (True, "set-user-ID programs give privileges"),
    "user_namespaces": (True, "user namespaces can be made"),
}
# Keywords of run that Popen does not have.
_OF_RUN = {"input", "capture_output", "timeout", "check"}
_KEYWORDS = {*KEYWORDS, *OF_SUBPROCESS, "join", *_OF_RUN} - {"self", "args"}
