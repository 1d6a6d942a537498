"""subprocess, with programs started by nsiso.

Pipes, text, communicate and timeouts are the standard library's: what differs is how the program is
started, waited for and signalled, which are the methods of subprocess.Popen overridden here.
"""

import contextlib
import os
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

    mounts: list of Bind, Tmpfs, Proc, Dev, Sysfs, Mqueue, Overlay, Dir, Symlink, File, Mask, ReadOnly, Chmod
        The program's view of the file system, in order.
    root: path
        The directory that is the program's root: Bind(root, "/") before all mounts.
    caps: list of names
        The capabilities that it keeps, often [], capabilities(7).
    no_new_privs, no_user_namespaces: bool
        Set-user-ID programs give nothing; no user namespaces inside.
    rlimits: {"nofile": 100, "core": (soft, hard)}
        getrlimit(2); None for no limit.
    nice, oom_score_adj, cpus, umask, personality, securebits
        As the system calls of these names.
    landlock: Landlock; seccomp: True, a Seccomp or a list of them
        Restrictions that the program cannot take back. True is the filter for programs that are not trusted.
    init: True or "wait"
        A tiny init process is PID 1: it reaps orphans, passes signals on, and ends everything with the program, or ("wait") ends when all
        descendants have. ``pid`` and signals are this process's, ``returncode`` is the program's.
    die_with_host: bool
        Everything is killed when this process dies, however it does. Brings init.
    deadline: seconds
        When they are over, everything is killed, and ``timed_out`` is True. Brings init.
    limits: Limits
        What it and all its descendants may use together: memory, processor time, processes, disk bandwidth, cgroups(7). Gives ``resources()``,
        ``freeze()``, ``thaw()``, ``set_limits()`` and ``kill_group()``; what is left in its group when it has ended is killed.
    links: list of (End, End)
        Links between its new network and others, there when it starts: the inner end, whose place does not matter, and the outer one, an End or a place.
    devices: {name: End or None}
        Network devices of this process's network that move into the program's new one.
    uplink: True or Uplink
        A way to the outside for its new network, by pasta(1).
    pty: True or (rows, columns)
        A terminal of its own, whose other end is the attribute ``pty``.
    sandbox: bool; share: list of kinds
        The preset of nsiso.Sandbox, loosened by sharing kinds of namespace with the host.

    join: existing namespaces that the program is in
        A Namespace, a path of one, a process (Popen or pid) whose namespaces are all joined, as far as they
        are not shared, a tuple of a process and the kinds wanted, (process, ["user", "net"]), or a list of
        these. New namespaces are made inside joined ones; in a joined user namespace the program is root, setns(2).
    halt: (tell, go)
        Two descriptors. The program waits in its new namespaces, before anything is set up in there: its pid is written to ``tell``, with a
        line feed, and it goes on when ``go`` can be read: write a byte to its other end. For id maps or a network from outside.
    pin: {kind: path}
        Keeps new namespaces at these paths, also when the program has ended: see nsiso.pin.
    keep_credentials: bool
        In a joined user namespace the program keeps the caller's ids, mapped or not.

    A wish brings the namespace it needs. ``pass_fds`` may be a mapping {number in the program: descriptor}.
    Descriptors that are not passed are always closed. Raises nsiso.Error, an OSError, when the program
    cannot be started: then nothing is left behind.
    """

    usage: Optional[Usage] = None
    """What it used, once it has ended; None where somebody else in this process reaped it."""

    timed_out: bool = False
    """Whether it was killed because its deadline was over."""

    out_of_memory: bool = False
    """Whether something in its control group was killed because the memory limit was reached."""

    pty: Optional[int] = None
    """The host's end of the program's terminal: a file descriptor of the caller's, to be closed."""

    notify: Optional[int] = None
    """The host's end of Seccomp(notify=...): a file descriptor of the caller's, to be closed."""

    _process: Optional[Process] = None

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
        self._passed: Dict[int, int] = (
            dict(pass_fds) if isinstance(pass_fds, Mapping) else {int(fd): int(fd) for fd in pass_fds}
        )
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
        super().__init__(args, bufsize, executable, stdin, stdout, stderr, **keywords)

    def _execute_child(
        self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env, startupinfo, creationflags, shell,
        p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite, *rest,
    ):  # fmt: skip
        if isinstance(args, (str, bytes, os.PathLike)):
            args = [args]
        if shell:
            args = [executable or "/bin/sh", "-c", *args]
        spec = Spec([os.fsdecode(arg) for arg in args])
        if self._wishes.pop("sandbox", None):
            spec.sandbox()
        if executable is not None:
            spec.program(os.fsdecode(executable))
        if cwd is not None:
            spec.cwd(os.fsdecode(cwd))
        if env is not None:
            spec.env_clear()
            for name, value in env.items():
                spec.env(os.fsdecode(name), os.fsdecode(value))
        if self._session:
            spec.new_session()
        for child_fd, fd in self._passed.items():
            spec.fd(child_fd, fd)
        for child_fd, fd in enumerate((p2cread, c2pwrite, errwrite)):
            if fd != -1:
                spec.fd(child_fd, fd)
        _isolation.apply(spec, self._wishes)
        sys.audit("subprocess.Popen", executable or args[0], args, cwd, env)
        try:
            with contextlib.closing(Joins(spec, self._join)):
                self._process = spec.spawn()
        finally:
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)
        self.pid = self._process.pid
        self.pty = self._process.take_pty()
        self.notify = self._process.take_notify()
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
        self._process.set_limits(limits.wishes())

    def freeze(self) -> None:
        """Stops everything in its control group."""
        self._process.freeze(True)

    def thaw(self) -> None:
        """Lets everything in its control group go on."""
        self._process.freeze(False)

    def kill_group(self) -> None:
        """Kills everything in its control group at once."""
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


def run(
    *popenargs: Any, input: Any = None, capture_output: bool = False, timeout: Optional[float] = None,
    check: bool = False, **keywords: Any,
) -> subprocess.CompletedProcess:  # fmt: skip
    """Runs a program to its end, as subprocess.run does, in namespaces of its own: see Popen.

    ``timeout`` is in seconds; the program is killed when it is over, and subprocess.TimeoutExpired raised. With it goes everything
    in its new pid namespace (the sandbox has one) or its control group (``limits``); without either, as with subprocess, the program
    alone. ``deadline`` is enforced inside, by the init process, also when nobody waits: it raises nothing, and Popen.timed_out tells. With ``check`` a code other than 0 raises subprocess.CalledProcessError.
    """
    if input is not None:
        if keywords.get("stdin") is not None:
            raise ValueError("stdin and input arguments may not both be used")
        keywords["stdin"] = subprocess.PIPE
    if capture_output:
        if keywords.get("stdout") is not None or keywords.get("stderr") is not None:
            raise ValueError("stdout and stderr arguments may not be used with capture_output")
        keywords["stdout"] = keywords["stderr"] = subprocess.PIPE
    with Popen(*popenargs, **keywords) as process:
        try:
            stdout, stderr = process.communicate(input, timeout=timeout)
        except BaseException:
            process.kill()
            # The context manager waits.
            raise
        completed = subprocess.CompletedProcess(process.args, process.poll(), stdout, stderr)
    if check:
        completed.check_returncode()
    return completed
