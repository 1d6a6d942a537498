"""Defines Popen and run, which are those of subprocess with isolation, and their results.

The standard library implements pipes, text, communicate and timeouts. Popen overrides the methods
of subprocess.Popen that start a program, wait for it and send signals to it.
"""

import contextlib
import os
import signal
import subprocess
import sys
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Optional, Union

from . import _isolation
from ._document import document_of
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


class Popen(subprocess.Popen):
    """Starts a program in new or existing namespaces.

        with nsiso.Popen(["sh"], user=True, pid=True, map_root=True, mount_proc=True) as process:
            process.wait()

    Takes the arguments of subprocess.Popen, except preexec_fn, group, extra_groups, process_group,
    startupinfo and creationflags. ``pass_fds`` may also be a mapping {number in the program:
    descriptor}. All other descriptors are closed in the program. The keywords below are optional.
    An option implies the new namespace that it needs: ``hostname`` implies ``uts=True``.

    Namespaces:

    user, pid, mnt, net, ipc, uts, time, cgroup: bool
        Make a new namespace of this kind, namespaces(7). Default: False. An ordinary user needs
        ``user=True``, or an option that implies it, for the others.
    join: Namespace, path, process, (process, kinds), or a list of these
        Run the program in existing namespaces, setns(2). A process is a Popen, a Pidfd or a pid.
        All of its namespaces are joined, or those of ``kinds``, such as (process, ["user", "net"]),
        except those that the caller shares. New namespaces are made inside the joined ones. In a
        joined user namespace the program runs as root, if root is mapped there. Needs the
        permission to trace the process, ptrace(2), and CAP_SYS_ADMIN in the user namespace that
        owns a joined namespace. Joining that user namespace, too, gives this capability.
    keep_credentials: bool
        Keep the uid, gid and groups of the caller in a joined user namespace. Default: False.
    pin: {kind: path}
        Bind-mount new namespaces at these paths, so that they outlive the program; see nsiso.pin.
    sync_fds: (info, block)
        Two descriptors. The child writes its pid and a line feed to ``info`` once it is in its new
        namespaces. It sets up nothing until ``block`` is readable or its other end is closed. The
        constructor returns only after that, so another thread or process must respond. With it, a
        caller can write the id maps or set up a network itself.

    User and group ids, user_namespaces(7):

    map_root: bool
        Map the uid and gid of the caller to root in a new user namespace. Not with map_current.
    map_current: bool
        Map the uid and gid of the caller to themselves in a new user namespace.
    map_auto: bool
        Map the subordinate ids of the caller, subuid(5), from 0 on. Ids that another option maps
        are left out. An ordinary user needs newuidmap(1).
    uid_map, gid_map: list of (inside, outside, count)
        Ranges of ids to map in a new user namespace: the first id in it, the first id of the
        caller, and their number. At most 340 ranges.
    setgroups: bool
        Allow or deny setgroups(2) in the new user namespace. Default: denied if only the gid of the
        caller is mapped.
    uid, gid: int
        The ids of the program, as seen inside. Default: those of the caller. If they are not mapped
        in a new user namespace, 0 or the lowest mapped id.
    groups: list of int
        Supplementary groups, as seen inside. Default: those of the caller, or none if the program
        runs with other ids.

    File system view:

    mounts: list
        Mounts and changes to files, applied in this order in a new mount namespace. The items are
        Bind, Tmpfs, Procfs, Dev, Sysfs, Mqueue, Overlay, Dir, Symlink, File, Mask, ReadOnly and
        Chmod.
    root: path
        Root directory of the program. It is the same as Bind(root, "/") before all mounts.
    mount_proc: True or path
        Mount a new proc file system for the new pid namespace. True means "/proc".
    propagation: "private", "slave", "shared" or "unchanged"
        Propagation of all mounts in a new mount namespace, mount_namespaces(7). Default: "private".

    Names and clocks:

    hostname, domainname: str
        Host name and NIS domain name in a new UTS namespace, at most 64 bytes.
    monotonic, boottime: seconds, timedelta or (seconds, nanoseconds)
        Offset of CLOCK_MONOTONIC and CLOCK_BOOTTIME in a new time namespace, time_namespaces(7). It
        may be negative, but the clock may not.

    Network, in a new network namespace:

    loopback: bool
        Bring up the loopback device. Default: True.
    links: list of (Endpoint, Endpoint or place)
        Links to other network namespaces, made before the program starts. The first Endpoint is the
        inner end. A place is a Host, a Bridge, a Namespace of kind "net", or None for the caller's
        network. Needs CAP_NET_ADMIN in the user namespaces that own both network namespaces.
    devices: {name: Endpoint or None}
        Network devices of the caller to move into the new network namespace. When it ends, the
        kernel returns physical devices and removes virtual ones.
    uplink: bool or Uplink
        Connect the program to outside networks by pasta(1), which must be installed. Default:
        False.

    Privileges and restrictions:

    caps: list of str
        The capabilities that the program keeps, such as ["net_admin"], capabilities(7). It cannot
        get any others. [] means none. Default: not restricted.
    keep_caps: bool
        Keep the capabilities in a new user namespace across execve(2), as ambient capabilities,
        also if the program is not root inside. Default: False.
    securebits: int
        Flags of PR_SET_SECUREBITS, capabilities(7).
    new_privs: bool
        Allow set-user-ID programs and file capabilities to give privileges,
        PR_SET_NO_NEW_PRIVS(2const). Default: True, or False with ``landlock`` or ``seccomp``, which
        need False.
    user_namespaces: bool
        Allow new user namespaces inside the program's own. Default: True. False implies
        ``user=True``, and is refused with nsiso.ArgumentError if the program keeps
        CAP_SYS_RESOURCE.
    landlock: Landlock, or False
        Rules for access to files and TCP ports, landlock(7). False removes those of the sandbox.
    seccomp: Seccomp, True, a list of these, or False
        Filters for system calls, seccomp(2). True is the filter of the sandbox. False removes it.
    sandbox: bool
        Use the options of nsiso.Sandbox. The other keywords add to them or replace them.
    share: str or list of str
        Kinds of namespace that the sandbox shares with the caller: "net", "ipc", "uts", "time",
        "cgroup".

    Resources and scheduling:

    limits: Limits
        Limits for the program and its descendants, enforced by a cgroup made for it, cgroups(7). It
        enables ``resources()``, ``set_limits()``, ``freeze()``, ``thaw()`` and ``kill_group()``.
        When the program has been waited for, processes still in the cgroup are killed and it is
        removed.
    rlimits: {name: int or (soft, hard)}
        Resource limits of the process, such as {"nofile": 100, "core": (0, 0)}, getrlimit(2). None
        and -1 mean no limit. An init process keeps the limits of the caller.
    nice: int
        Nice value, -20 to 19, setpriority(2).
    oom_score_adj: int
        Preference of the kernel to kill the program if memory runs out, -1000 to 1000,
        proc_pid_oom_score_adj(5).
    cpus: list of int
        The processors that the program may run on, sched_setaffinity(2).
    umask: int
        File mode creation mask, umask(2). -1 keeps that of the caller.
    personality: int
        Execution domain, personality(2).

    Life of the program:

    init: bool
        Make a small init process PID 1 of a new pid namespace. It reaps orphans, passes signals on
        to the program, and kills everything in the namespace when the program ends. ``pid`` and
        signals refer to the init process, and ``returncode`` to the program. Default: False.
    wait_for_all: bool
        Let the init process end when all descendants of the program have ended. Implies ``init``.
    die_with_parent: bool
        Kill everything in the pid namespace when the calling process dies for any reason. The end
        of a thread does not matter. Implies ``init``.
    deadline: seconds or timedelta
        Kill everything in the pid namespace after this time, and set ``timed_out``. Implies
        ``init``.
    spec: mapping, or path of a JSON or TOML file
        A spec document: options as data. The other keywords add to it or replace a part. Its
        ``args`` are ignored. include/nsiso-spec.schema.json describes it.
    reset_signals: bool
        Reset all signals to their default action. Default: False: signals that the caller ignores
        stay ignored, except SIGPIPE and SIGXFSZ.
    pty: True or (rows, columns)
        Give the program a new pseudo-terminal as controlling terminal, and as standard input,
        output and error unless these are given, pty(7). Its other end is the attribute ``pty``.
        True is 24 rows and 80 columns. Not for ``run``.

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

    _process: Optional[Process] = None
    _pty: Optional[int] = None
    _notify: Optional[int] = None
    _outlives = True
    """Whether the program keeps running when this object is deleted."""

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
        self._options = {name: keywords.pop(name) for name in _isolation.KEYWORDS if name in keywords}
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
        if self._options.get("umask") == -1:
            # subprocess treats -1 as not given.
            del self._options["umask"]
        self._session = start_new_session
        self._join = () if join is None else join
        if not isinstance(args, (str, bytes, os.PathLike)):
            args = args if isinstance(args, (list, tuple)) else [*args]
        try:
            super().__init__(args, bufsize, executable, stdin, stdout, stderr, **keywords)
            if self._outlives:
                self._process.keep()
        except BaseException:
            # A traceback may keep this object alive, so its deletion may come late.
            self._end()
            raise

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
        """The descriptor to answer system calls of Seccomp(notify=...), or None.

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
        spec = spec_of(args, executable, cwd, env, self._session, passed, self._options)
        sys.audit("subprocess.Popen", executable or args[0], args, cwd, env)
        try:
            with contextlib.closing(Joins(spec, self._join)):
                self._process = spec.spawn()
        finally:
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)
        self.pid = self._process.pid
        self._child_created = True

    def fileno(self) -> int:
        """Returns the pidfd of the process, pidfd_open(2).

        select and poll report it as readable when the process has ended. The Popen object owns it.
        """
        return self._process.fileno()

    def send_signal(self, sig: int) -> None:
        """Sends a signal to the program, or to its init process.

        The signal never reaches another process with a reused pid. Does nothing if the program has
        ended.
        """
        if self.poll() is None:
            try:
                self._process.signal(sig)
            except ProcessLookupError:
                pass

    def resources(self) -> Resources:
        """Returns what the processes in the cgroup use now, or have used in the end.

        Raises nsiso.Error if the program was started without ``limits``.
        """
        return resources(self._process.resources())

    def set_limits(self, limits: Limits) -> None:
        """Changes resource limits of the running program.

        Limits that are not given stay as they are. Raises nsiso.Error if a limit cannot be
        enforced, if the program was started without ``limits``, or if it has been waited for.
        """
        if not isinstance(limits, Limits):
            raise TypeError(f"limits is an nsiso.Limits, not {limits!r}")
        self._process.set_limits(limits.options())

    def freeze(self) -> None:
        """Stops all processes in the cgroup until ``thaw()`` is called. Needs ``limits``.

        Returns when all have stopped. An init process stops, too: ``deadline`` and
        ``die_with_parent`` have no effect until ``thaw()`` or ``kill_group()``. Raises nsiso.Error
        if the program was started without ``limits`` or has been waited for.
        """
        self._process.freeze(True)

    def thaw(self) -> None:
        """Resumes all processes in the cgroup after ``freeze()``.

        Raises nsiso.Error if the program was started without ``limits`` or has been waited for.
        """
        self._process.freeze(False)

    def kill_group(self) -> None:
        """Kills all processes in the cgroup at once. Needs ``limits``.

        Does nothing if the program has been waited for.
        """
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
        status = self._process.wait(timeout)
        if status is None:
            return False
        self.timed_out, self.out_of_memory = status["timed_out"], status["out_of_memory"]
        self.usage = status["usage"] and Usage(**status["usage"])
        self.returncode = status["exit_code"] if status["signal"] is None else -status["signal"]
        return True


def spec_of(
    args: Iterable[Any], executable: Any, cwd: Any, env: Any, new_session: bool, passed: Mapping[int, int], options: Mapping[str, Any]
) -> Spec:
    """Returns the Spec of a program, from the arguments that Popen and execvp share."""
    spec = Spec([os.fsdecode(arg) for arg in args])
    # The sandbox comes first, since the other options replace parts of it.
    first = ("sandbox", "spec")
    _isolation.apply(spec, {name: options.get(name) for name in first})
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
    _isolation.apply(spec, {name: value for name, value in options.items() if name not in first})
    return spec


class Completed(subprocess.CompletedProcess):
    """The result of ``run()``: a subprocess.CompletedProcess with further attributes.

    They are ``timed_out``, ``out_of_memory`` and ``usage``.
    """

    timed_out: bool = False
    """Whether it was killed because its deadline expired."""

    out_of_memory: bool = False
    """Whether the kernel killed a process of its cgroup because the memory limit was reached."""

    usage: Optional[Usage] = None
    """Resource usage of the program.

    None if another part of this process has reaped it.
    """

    def __repr__(self) -> str:
        told = [name for name in ("timed_out", "out_of_memory") if getattr(self, name)]
        return ", ".join([super().__repr__()[:-1], *(f"{name}=True" for name in told)]) + ")"


class _Run(Popen):
    """A Popen of ``run()``: the program is killed when ``run()`` ends for any reason."""

    _outlives = False

    def __del__(self, *_: Any) -> None:
        # Without this, subprocess would leave the program running after an exception that comes
        # just after its start.
        self._end()


def run(
    *popenargs: Any, input: Any = None, capture_output: bool = False, timeout: Optional[float] = None,
    check: bool = False, **keywords: Any,
) -> Completed:  # fmt: skip
    """Runs a program until it ends and returns a Completed, as subprocess.run does.

        done = nsiso.run(["id", "-u"], map_root=True, capture_output=True, text=True)
        assert done.stdout.strip() == "0"

    Takes the arguments of Popen, except ``pty`` and Seccomp(notify=...), and these:

    input: bytes or str
        Data for standard input.
    capture_output: bool
        Capture standard output and standard error. Default: False.
    timeout: seconds
        Kill the program after this time and raise subprocess.TimeoutExpired. With a new pid
        namespace, as in the sandbox, or with ``limits``, all of its descendants are killed, too.
        Otherwise only the program is killed.
    check: bool
        Raise subprocess.CalledProcessError if the exit code is not 0. Default: False.

    ``deadline`` does not raise an exception. The init process enforces it, and ``timed_out`` of the
    result is True.

    Raises nsiso.Error if the program cannot be started.
    """
    document = document_of(keywords.get("spec") or {})
    if keywords.get("pty") or document.get("pty"):
        raise TypeError("pty is for nsiso.Popen: run does not read from a terminal")
    if _isolation.notifies_parent(keywords.get("seccomp")) or document.get("seccomp_notify"):
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
        # If an exception is raised here, the context manager kills the program and waits for it.
        stdout, stderr = process.communicate(input, timeout=timeout)
        completed = Completed(process.args, process.poll(), stdout, stderr)
        completed.timed_out, completed.out_of_memory = process.timed_out, process.out_of_memory
        completed.usage = process.usage
    if check:
        completed.check_returncode()
    return completed
