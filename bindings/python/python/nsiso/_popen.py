"""subprocess, with programs started by nsiso.

Pipes, text, communicate and timeouts are the standard library's: what differs is how the program is
started, waited for and signalled, which are the methods of subprocess.Popen overridden here.
"""

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional, Union

from . import _isolation
from ._limits import Limits, Resources, resources
from ._namespace import Joins
from ._nsiso import Process, Spec

_REFUSED = {
    "preexec_fn": "code of the host cannot run between clone and exec",
    "group": "use gid",
    "extra_groups": "use groups",
    "process_group": "use start_new_session",
    "startupinfo": "it is for Windows",
    "creationflags": "they are for Windows",
}
# What subprocess takes for "not wanted", besides None.
_UNSET = {"creationflags": 0}


class Usage(NamedTuple):
    """What a program and the children it waited for have used."""

    user_time: float
    """Seconds on a CPU outside the kernel."""
    system_time: float
    """Seconds on a CPU inside the kernel."""
    peak_memory: int
    """The most physical memory that one of them had at a time, in bytes."""


class Popen(subprocess.Popen):
    """A program started in namespaces of its own.

    Takes the arguments of subprocess.Popen, and these keywords:

    user, pid, mnt, net, ipc, uts, time, cgroup: bool
        Kinds of namespace that are made new, namespaces(7). An ordinary user needs ``user`` for the others.
    map_root, map_current, map_auto: bool
        The caller is root inside; keeps its ids; gets its block of ids of subuid(5) from 0 on.
    uid_map, gid_map: list of (inside, outside, count)
        Id ranges, user_namespaces(7).
    setgroups: bool
        Whether setgroups(2) stays allowed inside.
    uid, gid, groups
        Who to run as, as seen inside.
    keep_caps: bool
        Keep the new user namespace's capabilities over exec, capabilities(7).
    hostname, domainname: str
        At most 64 bytes.
    monotonic, boottime: seconds, timedelta or (seconds, nanoseconds)
        What is added to the clocks inside, time_namespaces(7).
    propagation: "private", "slave", "shared" or "unchanged"
        mount_namespaces(7).
    mount_proc: True or a path
        Mount a fresh proc for the new pid namespace.
    loopback: bool
        Bring up the loopback device of a new network namespace; True by default.

    mounts: list of Bind, Tmpfs, Procfs, Dev, Sysfs, Mqueue, Overlay, Dir, Symlink, File, Mask, ReadOnly, Chmod
        The program's view of the file system, in order.
    root: path
        The directory that is the program's root: Bind(root, "/") before all mounts.
    caps: list of names
        The capabilities that it keeps, often [], capabilities(7).
    new_privs: bool
        Whether set-user-ID programs and file capabilities give more privileges. True by default; landlock and seccomp need False.
    user_namespaces: bool
        Whether user namespaces can be made inside. True by default; False excludes "sys_resource" in caps.
    reset_signals: bool
        Every signal is at its default, also those that this process ignores.
    rlimits: {"nofile": 100, "core": (soft, hard)}
        getrlimit(2); None for no limit.
    nice, oom_score_adj, cpus, umask, personality, securebits
        As the system calls of these names.
    landlock: Landlock; seccomp: True, a Seccomp or a list of them
        Restrictions that the program cannot take back. True is the filter for programs that are not trusted.
    init: bool
        A small init process is PID 1: it reaps orphans, passes signals on, and ends everything with the program.
        ``pid`` and signals are those of the init process, ``returncode`` is the program's.
    wait_for_all: bool
        The init process ends when all descendants of the program have ended. Brings init.
    die_with_parent: bool
        Everything is killed when this process dies, however it does. Brings init.
    deadline: seconds
        When they are over, everything is killed, and ``timed_out`` is True. Brings init.
    limits: Limits
        What it and all its descendants may use together: memory, processor time, processes, disk bandwidth, cgroups(7). Gives ``resources()``,
        ``freeze()``, ``thaw()``, ``set_limits()`` and ``kill_group()``; what is left in its group when it has ended is killed.
    links: list of (Endpoint, Endpoint)
        Links between its new network and others, there when it starts: the inner end, whose place does not matter, and the outer one, an Endpoint or a place.
    devices: {name: Endpoint or None}
        Network devices of this process's network that move into the program's new one.
    uplink: True or Uplink
        A way to the outside for its new network, by pasta(1).
    pty: True or (rows, columns)
        A terminal of its own, whose other end is the attribute ``pty``. Not with run, which would not read from it.
    sandbox: bool; share: list of kinds
        The preset of nsiso.Sandbox, loosened by sharing kinds of namespace with the host: "net", "ipc", "uts", "time", "cgroup".

    join: existing namespaces that the program is in
        A Namespace, a path of one, a process (Popen or pid) whose namespaces are all joined, as far as they
        are not shared, a tuple of a process and the kinds wanted, (process, ["user", "net"]), or a list of
        these. New namespaces are made inside joined ones; in a joined user namespace the program is root, setns(2).
    sync_fds: (info, block)
        Two descriptors. The child waits in its new namespaces before it sets anything up: its pid is written to ``info``, with a line
        feed, and it continues when ``block`` can be read. For a caller that writes the id maps or makes a network itself.
    pin: {kind: path}
        Keeps new namespaces at these paths, also when the program has ended: see nsiso.pin.
    keep_credentials: bool
        In a joined user namespace the program keeps the caller's ids, mapped or not.

    An option brings the namespace that it needs. ``pass_fds`` may be a mapping {number in the program: descriptor}.
    Descriptors that are not passed are always closed. Raises nsiso.Error, an OSError, when the program
    cannot be started: then nothing is left behind. Nor is there when a signal handler of the caller's raises an exception meanwhile: the
    program is killed. A Popen that has been returned is the caller's: it runs on when the object goes.
    """

    usage: Optional[Usage] = None
    """What it used, once it has ended; None where somebody else in this process reaped it."""

    timed_out: bool = False
    """Whether it was killed because its deadline was over."""

    out_of_memory: bool = False
    """Whether something in its control group was killed because the memory limit was reached."""

    _process: Optional[Process] = None
    _pty: Optional[int] = None
    _notify: Optional[int] = None
    _outlives = True
    """Whether the program runs on when this object goes."""

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
        self._wishes = {name: keywords.pop(name) for name in _isolation.KEYWORDS if name in keywords}
        if not isinstance(start_new_session, bool):
            raise TypeError(f"start_new_session is True or False, not {start_new_session!r}")
        self._passed: Dict[int, int] = (
            dict(pass_fds) if isinstance(pass_fds, Mapping) else {int(fd): int(fd) for fd in pass_fds}
        )
        if len(self._passed) > os.sysconf("SC_OPEN_MAX"):
            raise ValueError(f"pass_fds: {len(self._passed)} descriptors are more than can be open")
        for number in (0, 1, 2):
            if self._passed.pop(number, number) != number:
                raise ValueError(f"pass_fds: {number} is a standard descriptor: use stdin, stdout or stderr")
        if self._wishes.get("umask") == -1:
            # What subprocess takes for "not wanted".
            del self._wishes["umask"]
        self._session = start_new_session
        self._join = () if join is None else join
        if not isinstance(args, (str, bytes, os.PathLike)):
            args = args if isinstance(args, (list, tuple)) else [*args]
        try:
            super().__init__(args, bufsize, executable, stdin, stdout, stderr, **keywords)
            if self._outlives:
                self._process.keep()
        except BaseException:
            # It goes with its last reference, which a traceback may hold for long.
            self._end()
            raise

    @property
    def pty(self) -> Optional[int]:
        """The host's end of the program's terminal, a file descriptor. Who asks for it has it, and closes it; one that nobody has asked for is
        closed at the end of ``with``, or with this object. ``open(process.pty, "r+b", buffering=0)`` is a file that closes it."""
        if self._pty is None and self._process is not None:
            self._pty = self._process.take_pty()
        return self._pty

    @property
    def notify(self) -> Optional[int]:
        """The host's end of Seccomp(notify=...), a file descriptor, as ``pty`` is."""
        if self._notify is None and self._process is not None:
            self._notify = self._process.take_notify()
        return self._notify

    def _end(self) -> None:
        """Kills and collects what could not be handed out."""
        if self._process is not None and self.returncode is None:
            with contextlib.suppress(OSError):
                self._process.signal(signal.SIGKILL)
            self._look(None)

    def __exit__(self, exc_type, value, traceback):
        if self._process is not None:
            self._process.close_ends()
        if exc_type is not None and not self._outlives:
            self._end()
        super().__exit__(exc_type, value, traceback)

    def _execute_child(
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, *rest,
    ):  # fmt: skip
        if isinstance(args, (str, bytes, os.PathLike)):
            args = [args]
        if shell:
            args = [executable or "/bin/sh", "-c", *args]
        passed = dict(self._passed)
        passed.update((to, fd) for to, fd in enumerate((p2cread, c2pwrite, errwrite)) if fd != -1)
        spec = spec_of(args, executable, cwd, env, self._session, passed, self._wishes)
        sys.audit("subprocess.Popen", executable or args[0], args, cwd, env)
        try:
            with contextlib.closing(Joins(spec, self._join)):
                self._process = spec.spawn()
        finally:
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)
        self.pid = self._process.pid
        self._child_created = True

    def fileno(self) -> int:
        """The pidfd, pidfd_open(2): readable for select and its kin once the program has ended."""
        return self._process.fileno()

    def send_signal(self, sig: int) -> None:
        """Sends a signal to the program itself, never to another one that got its pid later."""
        if self.poll() is None:
            try:
                self._process.signal(sig)
            except ProcessLookupError:
                pass

    def resources(self) -> Resources:
        """What everything in its control group uses now, or has used once it has ended; needs ``limits``."""
        return resources(self._process.resources())

    def set_limits(self, limits: Limits) -> None:
        """Changes limits while it runs; those that are not given stay."""
        if not isinstance(limits, Limits):
            raise TypeError(f"limits is an nsiso.Limits, not {limits!r}")
        self._process.set_limits(limits.options())

    def freeze(self) -> None:
        """Stops everything in its control group, an init process too: a deadline and the end with this process wait until ``thaw`` or ``kill_group``."""
        self._process.freeze(True)

    def thaw(self) -> None:
        """Lets everything in its control group go on."""
        self._process.freeze(False)

    def kill_group(self) -> None:
        """Kills everything in its control group at once, and nothing once it has ended."""
        self._process.kill_group()

    def _internal_poll(self, _deadstate=None, **_):
        if self.returncode is None and self._process is not None:
            self._look(0)
        return self.returncode

    def _wait(self, timeout):
        if self.returncode is None and not self._look(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def _look(self, timeout: Optional[float]) -> bool:
        ending = self._process.wait(timeout)
        if ending is not None:
            self.returncode, _, (self.timed_out, self.out_of_memory), usage = ending
            self.usage = usage and Usage(*usage)
        return ending is not None


def spec_of(
    args: Iterable[Any], executable: Any, cwd: Any, env: Any, new_session: bool, passed: Mapping[int, int], options: Mapping[str, Any]
) -> Spec:
    """The spec of a program, with all that Popen and execvp have in common."""
    spec = Spec([os.fsdecode(arg) for arg in args])
    # Before anything that replaces a part of it.
    _isolation.apply(spec, {"sandbox": options.get("sandbox")})
    if executable is not None:
        spec.program(os.fsdecode(executable))
    if cwd is not None:
        spec.cwd(os.fsdecode(cwd))
    if env is not None:
        spec.env_clear()
        for name, value in env.items():
            spec.env(os.fsdecode(name), os.fsdecode(value))
    if new_session:
        spec.new_session()
    for child_fd, fd in passed.items():
        spec.fd(child_fd, fd)
    _isolation.apply(spec, {name: value for name, value in options.items() if name != "sandbox"})
    return spec


class Completed(subprocess.CompletedProcess):
    """How a program ended: subprocess.CompletedProcess, and what nsiso knows besides."""

    timed_out: bool = False
    """Whether it was killed because its deadline was over."""

    out_of_memory: bool = False
    """Whether something in its control group was killed because the memory limit was reached."""

    usage: Optional[Usage] = None
    """What it used; None where somebody else in this process reaped it."""

    def __repr__(self) -> str:
        told = [name for name in ("timed_out", "out_of_memory") if getattr(self, name)]
        return ", ".join([super().__repr__()[:-1], *(f"{name}=True" for name in told)]) + ")"


class _Run(Popen):
    """A program that nobody else gets: whatever ends run ends it."""

    _outlives = False

    def __del__(self, *_: Any) -> None:
        # subprocess would keep it for later, running, where an exception comes just after its start.
        self._end()


def run(
    *popenargs: Any, input: Any = None, capture_output: bool = False, timeout: Optional[float] = None,
    check: bool = False, **keywords: Any,
) -> Completed:  # fmt: skip
    """Runs a program to its end, as subprocess.run does, in namespaces of its own: see Popen.

    ``timeout`` is in seconds; the program is killed when it is over, and subprocess.TimeoutExpired raised. With it goes everything
    in its new pid namespace (the sandbox has one) or its control group (``limits``); without either, as with subprocess, the program
    alone. ``deadline`` is enforced inside, by the init process, also when nobody waits: it is no exception, and the result says ``timed_out``. With ``check`` a
    code other than 0 raises subprocess.CalledProcessError.
    """
    if keywords.get("pty"):
        raise TypeError("pty is for nsiso.Popen: run does not read from a terminal")
    if _isolation.asks_the_host(keywords.get("seccomp")):
        raise TypeError("Seccomp(notify=...) is for nsiso.Popen: run does not answer")
    if input is not None:
        if keywords.get("stdin") is not None:
            raise ValueError("stdin and input arguments may not both be used")
        keywords["stdin"] = subprocess.PIPE
    if capture_output:
        if keywords.get("stdout") is not None or keywords.get("stderr") is not None:
            raise ValueError("stdout and stderr arguments may not be used with capture_output")
        keywords["stdout"] = keywords["stderr"] = subprocess.PIPE
    with _Run(*popenargs, **keywords) as process:
        # Whatever goes wrong, the context manager kills it and waits.
        stdout, stderr = process.communicate(input, timeout=timeout)
        completed = Completed(process.args, process.poll(), stdout, stderr)
        completed.timed_out, completed.out_of_memory = process.timed_out, process.out_of_memory
        completed.usage = process.usage
    if check:
        completed.check_returncode()
    return completed
