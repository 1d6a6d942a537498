"""The keywords for isolation: made from include/nsiso-spec.schema.json by make generate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, Literal, Mapping, TypedDict

if TYPE_CHECKING:
    from ._endpoint import Endpoint, Place, Uplink
    from ._limits import Limits
    from ._mount import Mount
    from ._restrictions import Landlock, Seccomp
    from ._types import Kind, Path, Seconds


class Options(TypedDict, total=False):
    """The keywords for isolation. All are optional, and None leaves one unset.

    An option requests the new namespace that it needs: ``hostname`` implies ``uts=True``.

    Seconds is a number, a timedelta, a Fraction, or text such as "250ms". For clocks a tuple is
    (seconds, nanoseconds). Path is str, bytes or an os.PathLike. Place is a Host, a Bridge, a
    Namespace of kind "net", or None for this process's own network. ``spec`` and ``join`` are
    described in nsiso.Popen.

    boottime: Seconds | tuple[int, int]
        Offset of CLOCK_BOOTTIME in a new time namespace, time_namespaces(7). It may be negative,
        but the clock may not.
    caps: str | Iterable[str]
        The capabilities that the program keeps, such as net_admin, capabilities(7). It cannot get
        any others. An empty list means none. Default: not restricted.
    cgroup: bool
        Make a new cgroup namespace, cgroup_namespaces(7).
    cpus: Iterable[int]
        The processors that the program may run on, by number, sched_setaffinity(2).
    cwd_at: int
        A descriptor of a directory that becomes the working directory. ``cwd`` and ``mounts`` take
        precedence.
    deadline: Seconds
        Kill everything in the pid namespace after this time. Implies ``init``.
    devices: Mapping[str, Endpoint | None]
        Network devices of the caller to move into the new network namespace, by name. When it ends,
        the kernel returns physical devices and removes virtual ones.
    die_with_parent: bool
        Kill everything in the pid namespace when the calling process dies for any reason. The end
        of a thread does not matter. Implies ``init``.
    domainname: str | bytes
        NIS domain name in a new UTS namespace, at most 64 bytes.
    env_clear: bool
        Start with an empty environment instead of the caller's.
    env_unset: Iterable[Path]
        Environment variables to remove.
    gid: int
        The gid of the program, as seen inside. Default: as for ``uid``.
    gid_map: Iterable[tuple[int, int, int]]
        Ranges of gids to map in a new user namespace, each [inside, outside, count].
    groups: Iterable[int]
        Supplementary groups, as seen inside. Default: those of the caller, or none if the program
        runs with other ids.
    hostname: str | bytes
        Host name in a new UTS namespace, at most 64 bytes.
    init: bool
        Make a small init process PID 1 of a new pid namespace. It reaps orphans, passes signals on
        to the program, and kills everything in the namespace when the program ends. The pid of the
        process and its signals are those of the init process; the exit status is that of the
        program.
    ipc: bool
        Make a new IPC namespace, ipc_namespaces(7).
    keep_caps: bool
        Keep the capabilities in a new user namespace across execve(2), as ambient capabilities,
        also if the program is not root inside.
    keep_credentials: bool
        Keep the uid, gid and groups of the caller in a joined user namespace.
    landlock: Literal[False] | Landlock
        Rules for access to files and TCP ports, landlock(7). False removes those of the sandbox.
    limits: Limits
        Limits for the program and its descendants, enforced by a cgroup made for it, cgroups(7).
    links: Iterable[tuple[Endpoint, Endpoint | Place]]
        Links to other network namespaces, each with the endpoint inside and the one outside. They
        are made before the program starts, veth(4). Needs CAP_NET_ADMIN in the user namespaces that
        own both network namespaces.
    loopback: bool
        Bring up the loopback device of a new network namespace. Default: True.
    map_auto: bool
        Map the subordinate ids of the caller, subuid(5), from 0 on. Ids that another option maps
        are left out. An ordinary user needs newuidmap(1).
    map_current: bool
        Map the uid and gid of the caller to themselves in a new user namespace.
    map_root: bool
        Map the uid and gid of the caller to root in a new user namespace. Not with ``map_current``.
    mnt: bool
        Make a new mount namespace, mount_namespaces(7).
    monotonic: Seconds | tuple[int, int]
        Offset of CLOCK_MONOTONIC in a new time namespace, time_namespaces(7). It may be negative,
        but the clock may not.
    mount_proc: bool | Path
        Mount a new proc file system for the new pid namespace. True means /proc.
    mounts: Iterable[Mount]
        Mounts and changes to files, applied in this order in a new mount namespace.
    net: bool
        Make a new network namespace, network_namespaces(7).
    new_privs: bool
        Allow set-user-ID programs and file capabilities to give privileges,
        PR_SET_NO_NEW_PRIVS(2const). Default: True, or False with ``landlock`` or ``seccomp``, which
        need False.
    nice: int
        Nice value, -20 to 19, setpriority(2).
    oom_score_adj: int
        Preference of the kernel to kill the program if memory runs out, -1000 to 1000,
        proc_pid_oom_score_adj(5).
    personality: int
        Execution domain, personality(2).
    pid: bool
        Make a new pid namespace, pid_namespaces(7).
    pin: Mapping[Kind, Path]
        Bind-mount new namespaces at these paths, by kind, so that they outlive the program.
    propagation: Literal["private", "slave", "shared", "unchanged"]
        Propagation of all mounts in a new mount namespace, mount_namespaces(7). Default: private.
    pty: bool | tuple[int, int]
        Give the program a new pseudo-terminal as controlling terminal, and as standard input,
        output and error unless these are given, pty(7). True is 24 rows and 80 columns; otherwise
        [rows, columns].
    reset_signals: bool
        Reset all signals to their default action. Otherwise signals that the caller ignores stay
        ignored, except SIGPIPE and SIGXFSZ.
    rlimits: Mapping[str, int | str | None | tuple[int | str | None, int | str | None]]
        Resource limits of the process by name, such as nofile, getrlimit(2): a number, or the soft
        and the hard limit; "unlimited" for none. An init process keeps the limits of the caller.
    root: Path
        The directory that becomes the root directory of the program: a bind at / before all
        ``mounts``.
    root_at: int
        A descriptor of a directory that becomes the root directory, chroot(2).
    sandbox: bool
        Isolate a program that is not trusted. The other options add to the sandbox or replace a
        part of it.
    seccomp: bool | Seccomp | Iterable[Seccomp | Literal[True]]
        Filters for system calls, seccomp(2). True is the filter of the sandbox. False removes it.
    seccomp_notify: Iterable[str]
        System calls that the caller answers, seccomp_unotify(2).
    securebits: int
        Flags of PR_SET_SECUREBITS as a number, capabilities(7).
    setgroups: bool
        Allow or deny setgroups(2) in the new user namespace. Default: denied if only the gid of the
        caller is mapped.
    share: Kind | Iterable[Kind]
        Kinds of namespace that the sandbox shares with the caller: net, ipc, uts, time, cgroup.
    sync_fds: tuple[int, int]
        Two descriptors, [info, block]. The child writes its pid and a line feed to the first once
        it is in its new namespaces. It sets up nothing until the second is readable or its other
        end is closed. The start of the program returns only after that, so another thread or
        process must respond.
    time: bool
        Make a new time namespace, time_namespaces(7).
    uid: int
        The uid of the program, as seen inside. Default: the caller's. If it is not mapped in a new
        user namespace, 0 or the lowest mapped id.
    uid_map: Iterable[tuple[int, int, int]]
        Ranges of uids to map in a new user namespace, each [inside, outside, count]: the first id
        in it, the first id of the caller, and their number. At most 340 ranges.
    umask: int
        File mode creation mask, umask(2), a number; octal on the command line. Default: the
        caller's.
    uplink: bool | Uplink
        Connect the program's network namespace to outside networks by pasta(1), which must be
        installed. Ports that lead in may be given.
    user: bool
        Make a new user namespace, user_namespaces(7). An ordinary user needs it, or an option that
        implies it, for all other kinds.
    user_namespaces: bool
        Allow new user namespaces inside the program's own. Default: True. False implies ``user``,
        and is refused if the program keeps CAP_SYS_RESOURCE.
    uts: bool
        Make a new UTS namespace, uts_namespaces(7).
    wait_for_all: bool
        Let the init process end when all descendants of the program have ended. Implies ``init``.
    """

    boottime: Seconds | tuple[int, int] | None
    caps: str | Iterable[str] | None
    cgroup: bool | None
    cpus: Iterable[int] | None
    cwd_at: int | None
    deadline: Seconds | None
    devices: Mapping[str, Endpoint | None] | None
    die_with_parent: bool | None
    domainname: str | bytes | None
    env_clear: bool | None
    env_unset: Iterable[Path] | None
    gid: int | None
    gid_map: Iterable[tuple[int, int, int]] | None
    groups: Iterable[int] | None
    hostname: str | bytes | None
    init: bool | None
    ipc: bool | None
    keep_caps: bool | None
    keep_credentials: bool | None
    landlock: Literal[False] | Landlock | None
    limits: Limits | None
    links: Iterable[tuple[Endpoint, Endpoint | Place]] | None
    loopback: bool | None
    map_auto: bool | None
    map_current: bool | None
    map_root: bool | None
    mnt: bool | None
    monotonic: Seconds | tuple[int, int] | None
    mount_proc: bool | Path | None
    mounts: Iterable[Mount] | None
    net: bool | None
    new_privs: bool | None
    nice: int | None
    oom_score_adj: int | None
    personality: int | None
    pid: bool | None
    pin: Mapping[Kind, Path] | None
    propagation: Literal["private", "slave", "shared", "unchanged"] | None
    pty: bool | tuple[int, int] | None
    reset_signals: bool | None
    rlimits: Mapping[str, int | str | None | tuple[int | str | None, int | str | None]] | None
    root: Path | None
    root_at: int | None
    sandbox: bool | None
    seccomp: bool | Seccomp | Iterable[Seccomp | Literal[True]] | None
    seccomp_notify: Iterable[str] | None
    securebits: int | None
    setgroups: bool | None
    share: Kind | Iterable[Kind] | None
    sync_fds: tuple[int, int] | None
    time: bool | None
    uid: int | None
    uid_map: Iterable[tuple[int, int, int]] | None
    umask: int | None
    uplink: bool | Uplink | None
    user: bool | None
    user_namespaces: bool | None
    uts: bool | None
    wait_for_all: bool | None
    spec: Mapping[str, object] | Path | None
