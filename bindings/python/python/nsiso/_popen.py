"""Defines Popen, which is that of subprocess with isolation.

The standard library implements pipes, text, communicate and timeouts. Popen overrides the methods
of subprocess.Popen that start a program, wait for it and send signals to it.
"""

import contextlib
import inspect
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, AnyStr, Dict, Iterable, Literal, Mapping, NamedTuple, Optional, Type, Union, overload

from ._limits import Limits, Resources, resources
from ._namespace import joined
from ._nsiso import Process
from ._spec import KEYWORDS, check_open, document_of_keywords, nearest, passed_fds, spec_of

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Unpack

    from ._keywords import Keywords
    from ._types import Args

_REFUSED = {
    "preexec_fn": "code of the caller cannot run between clone and exec",
    "group": "use gid",
    "extra_groups": "use groups",
    "process_group": "use start_new_session",
    "startupinfo": "it is for Windows",
    "creationflags": "they are for Windows",
}
OF_SUBPROCESS = {*inspect.signature(subprocess.Popen.__init__).parameters}
# Values that subprocess treats as not given, besides None.
_UNSET = {"creationflags": 0}


class Usage(NamedTuple):
    """What a program used, together with the children that it waited for."""

    user_time: float
    """Seconds of processor time in user mode."""
    system_time: float
    """Seconds of processor time in the kernel."""
    peak_memory: int
    """The most physical memory, in bytes, that one of these processes had at any time."""


class Popen(subprocess.Popen[AnyStr]):
    """Starts a program in new or existing namespaces.

        with nsiso.Popen(["sh"], user=True, pid=True, map_root=True, mount_proc=True) as process:
            process.wait()

    Takes the arguments of subprocess.Popen, except preexec_fn, group, extra_groups, process_group,
    startupinfo and creationflags. ``user`` is a keyword for isolation. ``close_fds`` and
    ``restore_signals`` have no effect: all descriptors that are not passed are closed. ``pass_fds``
    may also be a mapping {number in the program: descriptor}. The keywords for isolation are those
    of nsiso.Options, and:

    join: Namespace, path, process, (process, kinds), or a list of these
        Run the program in existing namespaces, setns(2). A process is a Popen, a Pidfd or a pid.
        All of its namespaces are joined, or those of ``kinds``, such as (process, ["user", "net"]),
        except those that the caller shares. New namespaces are made inside the joined ones. In a
        joined user namespace the program runs as root, if root is mapped there. Needs the
        permission to trace the process, ptrace(2), and CAP_SYS_ADMIN in the user namespace that
        owns a joined namespace. Joining that user namespace, too, gives this capability.
    spec: mapping, or path of a JSON or TOML file
        A spec document: options as data, described by include/nsiso-spec.schema.json. Its
        ``args`` are ignored. The other keywords replace its options, also by False and []. Only
        ``mounts`` and ``links`` are added to its own, and ``limits``, ``rlimits``, ``devices``,
        ``pin``, ``uplink`` and ``pass_fds`` are merged with its own.

    With ``pty`` the caller's end of the terminal is the attribute ``pty``. With ``seccomp_notify``
    the descriptor to answer is the attribute ``notify``. ``limits`` enables ``resources()``,
    ``set_limits()``, ``freeze()``, ``thaw()`` and ``kill_group()``. With ``init`` the attribute
    ``pid`` and signals refer to the init process, and ``returncode`` to the program. If the
    deadline expires, ``timed_out`` is True.

    Raises nsiso.Error, an OSError, if the program cannot be started; TypeError, ValueError or
    nsiso.ArgumentError for bad arguments. Then no process is left behind. If a signal handler of
    the caller raises an exception during the start, the program is killed. After the constructor
    has returned, the program keeps running even if the Popen object is deleted.
    """

    usage: Optional[Usage] = None
    """Resource usage of the program after its end.

    None if another part of this process has reaped it.
    """

    timed_out: bool = False
    """Whether it was killed because its deadline expired."""

    out_of_memory: bool = False
    """Whether the kernel killed a process of its cgroup because the memory limit was reached."""

    core_dumped: bool = False
    """Whether it was killed by a signal and dumped its core, core(5)."""

    _process: Optional[Process] = None
    _pty: Optional[int] = None
    _notify: Optional[int] = None
    _outlives = True
    """Whether the program keeps running when this object is deleted."""

    @overload
    def __init__(
        self: "Popen[str]", args: "Args", *,
        text: Literal[True], encoding: Optional[str] = None, errors: Optional[str] = None,
        universal_newlines: Optional[bool] = None, **keywords: "Unpack[Keywords]",
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: "Popen[str]", args: "Args", *,
        text: Optional[bool] = None, encoding: str, errors: Optional[str] = None,
        universal_newlines: Optional[bool] = None, **keywords: "Unpack[Keywords]",
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: "Popen[str]", args: "Args", *,
        text: Optional[bool] = None, encoding: Optional[str] = None, errors: str,
        universal_newlines: Optional[bool] = None, **keywords: "Unpack[Keywords]",
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: "Popen[str]", args: "Args", *,
        text: Optional[bool] = None, encoding: Optional[str] = None, errors: Optional[str] = None,
        universal_newlines: Literal[True], **keywords: "Unpack[Keywords]",
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: "Popen[bytes]", args: "Args", *,
        text: Optional[Literal[False]] = None, encoding: None = None, errors: None = None,
        universal_newlines: Optional[Literal[False]] = None, **keywords: "Unpack[Keywords]",
    ) -> None: ...  # fmt: skip
    @overload
    def __init__(
        self: "Popen[Any]", args: "Args", *,
        text: Optional[bool] = None, encoding: Optional[str] = None, errors: Optional[str] = None,
        universal_newlines: Optional[bool] = None, **keywords: "Unpack[Keywords]",
    ) -> None: ...  # fmt: skip
    def __init__(
        self,
        args: Any,
        bufsize: int = -1,
        executable: Any = None,
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        *,
        pass_fds: Union[Iterable[int], Mapping[int, int]] = (),
        start_new_session: bool = False,
        join: Any = None,
        **keywords: Any,
    ) -> None:
        for name, instead in _REFUSED.items():
            if keywords.get(name) not in (None, _UNSET.get(name)):
                raise TypeError(f"{name} is not supported: {instead}")
        unknown = [name for name in keywords if name not in KEYWORDS and name not in OF_SUBPROCESS]
        if unknown:
            raise TypeError(f"Popen takes no keyword {unknown[0]!r}{nearest(unknown[0])}")
        # They are kept, because descriptors in the document may be theirs.
        self._options = {name: keywords.pop(name) for name in KEYWORDS if name in keywords}
        # Before subprocess makes pipes, whose numbers a closed descriptor might have.
        self._document = document_of_keywords(self._options)
        self._check(self._document)
        check_open(self._document)
        if stderr == subprocess.STDOUT and stdout is None:
            # subprocess would take the standard output of this process for that of the program.
            fds = self._document.get("fds")
            if isinstance(fds, dict) and "1" in fds:
                stderr, self._document["fds"] = None, {**fds, "2": fds["1"]}
            elif self._document.get("pty"):
                stderr = None
        self._passed = passed_fds(pass_fds)
        if len(self._passed) > os.sysconf("SC_OPEN_MAX"):
            raise ValueError(f"pass_fds: {len(self._passed)} descriptors are more than can be open")
        for number in (0, 1, 2):
            if self._passed.pop(number, number) != number:
                raise ValueError(f"pass_fds: {number} is a standard descriptor: use stdin, stdout or stderr")
        self._session = start_new_session
        self._join = join
        if not isinstance(args, (str, bytes, os.PathLike)):
            args = args if isinstance(args, (list, tuple)) else [*args]
        try:
            super().__init__(args, bufsize, executable, stdin, stdout, stderr, **keywords)
            if self._outlives:
                self._child.keep()
        except BaseException:
            # A traceback may keep this object alive, so its deletion may come late.
            self._end()
            raise

    if TYPE_CHECKING:

        def _close_pipe_fds(self, *fds: int) -> None: ...

    def _check(self, document: Dict[str, Any]) -> None:
        """Refuses options. The base class has nothing to refuse."""

    @property
    def _child(self) -> Process:
        assert self._process is not None, "the constructor has failed"
        return self._process

    @property
    def pty(self) -> Optional[int]:
        """The caller's end of the pseudo-terminal of the program, a file descriptor, or None.

        Code that reads this attribute owns the descriptor and must close it. A descriptor that was
        never read is closed at the end of the ``with`` block, or with this object. The file
        ``open(process.pty, "r+b", buffering=0)`` closes it.
        """
        if self._pty is None and self._process is not None:
            self._pty = self._process.take_pty()
        return self._pty

    @property
    def notify(self) -> Optional[int]:
        """The descriptor to answer the system calls of ``seccomp_notify``, or None.

        See seccomp_unotify(2). It is readable when the program waits for an answer. Code that reads
        this attribute owns the descriptor and must close it. A descriptor that was never read is
        closed at the end of the ``with`` block, or with this object.
        """
        if self._notify is None and self._process is not None:
            self._notify = self._process.take_notify()
        return self._notify

    def _end(self) -> None:
        """Kills and reaps a program that the caller does not get."""
        if self._process is not None and self.returncode is None:
            with contextlib.suppress(OSError):
                self._child.signal(signal.SIGKILL)
            self._look(None)

    def __exit__(
        self, exc_type: Optional[Type[BaseException]], value: Optional[BaseException], traceback: Optional["TracebackType"]
    ) -> None:
        if self._process is not None:
            self._process.close_ends()
        if exc_type is not None and not self._outlives:
            self._end()
        super().__exit__(exc_type, value, traceback)

    def _execute_child(
        self, args: Any, executable: Any, preexec_fn: None, close_fds: bool, pass_fds: Any, cwd: Any, env: Any,
        startupinfo: None, creationflags: int, shell: bool, p2cread: int, p2cwrite: int, c2pread: int, c2pwrite: int,
        errread: int, errwrite: int, *rest: Any,
    ) -> None:  # fmt: skip
        if isinstance(args, (str, bytes, os.PathLike)):
            args = [args]
        if shell:
            args = [executable or "/bin/sh", "-c", *args]
        passed = dict(self._passed)
        passed.update((to, fd) for to, fd in enumerate((p2cread, c2pwrite, errwrite)) if fd != -1)
        try:
            sys.audit("subprocess.Popen", executable or args[0], args, cwd, env)
            with joined(self._join) as joins:
                self._process = spec_of(
                    {**self._document, **joins}, args, executable=executable, cwd=cwd, env=env, new_session=self._session, passed=passed
                ).spawn()
        finally:
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)
        self.pid = self._process.pid
        self._child_created = True

    def fileno(self) -> int:
        """Returns the pidfd of the process, pidfd_open(2).

        select and poll report it as readable when the process has ended. The Popen object owns it.
        """
        return self._child.fileno()

    def send_signal(self, sig: int) -> None:
        """Sends a signal to the program, or to its init process.

        The signal never reaches another process with a reused pid. Does nothing if the program has
        ended.
        """
        if self.poll() is None:
            try:
                self._child.signal(sig)
            except ProcessLookupError:
                pass

    def resources(self) -> Resources:
        """Returns what the processes in the cgroup use now, or have used in the end.

        Raises nsiso.Error if the program was started without ``limits``.
        """
        return resources(self._child.resources())

    def set_limits(self, limits: Limits) -> None:
        """Changes resource limits of the running program.

        Limits that are not given stay as they are. Raises nsiso.Error if a limit cannot be
        enforced, if the program was started without ``limits``, or if it has been waited for.
        """
        if not isinstance(limits, Limits):
            raise TypeError(f"limits is an nsiso.Limits, not {limits!r}")
        self._child.set_limits(limits.document())

    def freeze(self) -> None:
        """Stops all processes in the cgroup until ``thaw()`` is called. Needs ``limits``.

        Returns when all have stopped. An init process stops, too: ``deadline`` and
        ``die_with_parent`` have no effect until ``thaw()`` or ``kill_group()``. Raises nsiso.Error
        if the program was started without ``limits`` or has been waited for.
        """
        self._child.freeze(True)

    def thaw(self) -> None:
        """Resumes all processes in the cgroup after ``freeze()``.

        Raises nsiso.Error if the program was started without ``limits`` or has been waited for.
        """
        self._child.freeze(False)

    def kill_group(self) -> None:
        """Kills all processes in the cgroup at once. Needs ``limits``.

        Does nothing if the program has been waited for.
        """
        self._child.kill_group()

    def _internal_poll(self, _deadstate: Optional[int] = None, **_: Any) -> Optional[int]:
        if self.returncode is None and self._process is not None:
            self._look(0)
        return self.returncode

    def _wait(self, timeout: Optional[float]) -> Optional[int]:
        if self.returncode is None and not self._look(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def _look(self, timeout: Optional[float]) -> bool:
        status = self._child.wait(timeout)
        if status is None:
            return False
        self.timed_out, self.out_of_memory = status["timed_out"], status["out_of_memory"]
        self.core_dumped = status["core_dumped"]
        self.usage = status["usage"] and Usage(**status["usage"])
        self.returncode = status["exit_code"] if status["signal"] is None else -status["signal"]
        return True
