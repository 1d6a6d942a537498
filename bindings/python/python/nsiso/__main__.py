"""The command ``nsiso run|enter|list|doctor``, also as ``python -m nsiso``.

Its options have the names of those of unshare(1) and nsenter(1).
"""

import argparse
import json
import os
import shutil
import signal
import sys
from dataclasses import fields, replace
from typing import Any, Dict, Iterable, List, Tuple

from . import Bind, Error, Limits, Listing, NamespaceInfo, Node, Overlay, Popen, Tmpfs, Uplink, __version__, probe
from . import list as take
from . import tree
from ._argument import listed
from ._document import load
from ._terminal import on_terminals, relay, size

COLUMNS = ("NS", "TYPE", "NPROCS", "PID", "USER", "OWNER", "HELD BY", "COMMAND")


def row(namespace: NamespaceInfo) -> List[str]:
    user = namespace.user or namespace.uid
    what = namespace.command if namespace.command is not None else " ".join(namespace.paths[:1])
    cells = (
        namespace.inode, namespace.kind, namespace.nprocs, namespace.pid, user,
        namespace.owner_inode, "+".join(namespace.held), what,
    )  # fmt: skip
    return ["" if cell is None else str(cell) for cell in cells]


def table(rows: List[List[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows)]
    longest = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for cells in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip()
        print(line[:longest])


def branches(nodes: Iterable[Node], stem: str = "") -> Iterable[List[str]]:
    """Yields the rows of a tree, with lines drawn before the first column."""
    nodes = [*nodes]
    for node in nodes:
        last = node is nodes[-1]
        inode, *rest = row(node.namespace)
        yield [f"{stem}{'└─' if last else '├─'}{inode}", *rest]
        yield from branches(node.children, stem + ("  " if last else "│ "))


def gaps_of(listing: Listing) -> str:
    """Describes in words what a listing could not see."""
    gaps = listing.gaps
    parts = [
        (gaps.unreadable, f"{gaps.unreadable} processes may not be read"),
        (gaps.closed, f"descriptors or mounts of {gaps.closed} processes may not be read"),
        (gaps.sockets, f"{gaps.sockets} sockets may not be asked"),
        (gaps.undescribed, f"{gaps.undescribed} namespaces could not be asked about"),
        (gaps.foreign_proc, "/proc shows another pid namespace"),
        (gaps.inner_pid_namespace, "processes outside this pid namespace are not to be seen"),
        (gaps.hidden_processes, "/proc hides other users' processes (hidepid)"),
    ]
    return "; ".join(text for there, text in parts if there)


# The options of unshare(1) and nsenter(1), with the keywords of Popen for them.
KINDS = {
    "user": ("-U", "user"), "pid": ("-p", "pid"), "mount": ("-m", "mnt"), "net": ("-n", "net"), "ipc": ("-i", "ipc"),
    "uts": ("-u", "uts"), "time": ("-T", "time"), "cgroup": ("-C", "cgroup"),
}  # fmt: skip


def add_list(command: Any) -> None:
    listing_of = command.add_parser("list", help="list the namespaces of the machine and what holds them")
    listing_of.add_argument("kinds", nargs="*", metavar="KIND", help="user, pid, mnt, net, ipc, uts, time or cgroup; default: all")
    listing_of.add_argument("--own", action="store_true", help="look only at your own processes")
    form = listing_of.add_mutually_exclusive_group()
    form.add_argument("--tree", choices=["owner", "parent"], help="show trees, by owner (default) or parent")
    form.add_argument("--json", action="store_true", help="print everything as JSON")
    listing_of.set_defaults(work=show_list)


def add_run(command: Any) -> None:
    run = command.add_parser("run", help="run a program in new namespaces")
    for word, (letter, kind) in KINDS.items():
        run.add_argument(letter, f"--{word}", dest=kind, action="store_true", help=f"make a new {word} namespace")
    run.add_argument("-r", "--map-root-user", dest="map_root", action="store_true", help="map your user and group to root")
    run.add_argument("-c", "--map-current-user", dest="map_current", action="store_true", help="map your user and group to themselves")
    run.add_argument("--map-auto", action="store_true", help="map your ids of /etc/subuid and /etc/subgid")
    run.add_argument("--mount-proc", action="store_true", help="mount a new proc at /proc")
    run.add_argument("--keep-caps", action="store_true", help="keep the capabilities in the new user namespace")
    run.add_argument("--hostname", help="set the host name")
    run.add_argument("-w", "--wd", dest="cwd", help="set the working directory")
    run.add_argument("--spec", metavar="FILE", help="a spec document, JSON or TOML; the other options add to it")
    run.add_argument("--sandbox", action="store_true", help="isolate a program that is not trusted")
    run.add_argument("--share", action="append", metavar="KIND", choices=[kind for _, kind in KINDS.values()], help="share a namespace with the sandbox: net, ipc, uts, time or cgroup")
    view: Dict[str, Any] = dict(action="append", dest="mounts", default=[])
    run.add_argument("--bind", type=bind, metavar="SOURCE[:TARGET]", help="mount a file or directory", **view)
    run.add_argument("--ro-bind", type=lambda text: replace(bind(text), ro=True), metavar="SOURCE[:TARGET]", help="mount a file or directory read-only", **view)
    run.add_argument("--tmpfs", type=Tmpfs, metavar="TARGET", help="mount an empty file system in memory", **view)
    run.add_argument("--overlay", type=Overlay, metavar="TREE", help="mount a writable layer over a directory; changes are discarded", **view)
    run.add_argument("--init", action="store_true", help="make a small init process PID 1")
    run.add_argument("--die-with-parent", action="store_true", help="kill the program and its descendants when this command dies")
    run.add_argument("--deadline", type=float, metavar="SECONDS", help="kill the program and its descendants after this time")
    add_limits(run)
    run.add_argument("--uplink", action="store_true", help="connect the new network to outside networks by pasta(1)")
    run.add_argument("--publish", type=ports, action="append", metavar="PORT:PORT", help="forward a TCP port of 127.0.0.1 to a port of the program; implies --uplink")
    run.add_argument("--pty", action="store_true", help="give the program a new terminal; default with --sandbox on a terminal")
    add_passing(run)
    run.add_argument("program", nargs=argparse.REMAINDER, help="the program and its arguments; your shell by default")
    run.set_defaults(work=run_new)


def bind(text: str) -> Bind:
    source, _, target = text.partition(":")
    return Bind(source, target or None)


def add_limits(run: argparse.ArgumentParser) -> None:
    limits = run.add_argument_group(
        "limits", "Resource limits for the program and its descendants, enforced by a cgroup made for it. Sizes are bytes, or like 256M."
    )
    limits.add_argument("--memory", metavar="SIZE", help="memory; beyond it a process of the cgroup is killed")
    limits.add_argument("--memory-high", metavar="SIZE", help="memory beyond which processes are slowed down (cgroup version 2)")
    limits.add_argument("--memory-low", metavar="SIZE", help="memory that is protected from being reclaimed (cgroup version 2)")
    limits.add_argument("--swap", metavar="SIZE", help="swap; needs --memory on cgroup version 1")
    limits.add_argument("--cpu", type=float, metavar="PROCESSORS", help="processor time: 0.5 is half of one processor")
    limits.add_argument("--cpu-weight", type=int, metavar="WEIGHT", help="share of processor time, 1 to 10000; the kernel's default is 100")
    limits.add_argument("--cpus", metavar="LIST", help="processors to run on, such as 0-2,7")
    limits.add_argument("--pids", type=int, metavar="COUNT", help="number of processes and threads")
    limits.add_argument(
        "--io", type=io_limit, action="append", metavar="DEVICE:LIMITS",
        help="bytes and operations per second on the disk that is DEVICE or holds the file DEVICE: /dev/vda:rbps=10M,wbps=1M,riops=100,wiops=50",
    )  # fmt: skip
    limits.add_argument("--huge-pages", type=pages_limit, action="append", metavar="SIZE=BYTES", help="memory in huge pages of one size, such as 2MB=64M")
    limits.add_argument("--cgroup-parent", dest="parent", metavar="DIRECTORY", help="directory of a cgroup of version 2 in which to make the cgroup")


def ports(text: str) -> Tuple[int, int]:
    outside, _, inside = text.partition(":")
    try:
        return int(outside), int(inside or outside)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 8080:80") from None


def io_limit(text: str) -> Tuple[str, Dict[str, str]]:
    device, colon, rates = text.rpartition(":")
    pairs = [rate.partition("=") for rate in rates.split(",")]
    if not colon or not all(value for _, _, value in pairs):
        raise argparse.ArgumentTypeError(f"{text!r} is not like /dev/vda:rbps=10M,wiops=100")
    return device, {name: value for name, _, value in pairs}


def pages_limit(text: str) -> Tuple[str, str]:
    size, _, most = text.partition("=")
    if not most:
        raise argparse.ArgumentTypeError(f"{text!r} is not like 2MB=64M")
    return size, most


def add_passing(command: Any) -> None:
    command.add_argument(
        "--pass-fd", dest="pass_fds", action="append", type=int, default=[], metavar="N", help="pass a descriptor; default: all inheritable ones, or none with --sandbox"
    )


def add_enter(command: Any) -> None:
    enter = command.add_parser("enter", help="run a program in existing namespaces")
    enter.add_argument("-t", "--target", type=int, help="the process whose namespaces to enter")
    enter.add_argument("-a", "--all", action="store_true", help="enter all namespaces of the process")
    for word, (letter, kind) in KINDS.items():
        options = dict(nargs="?", const=True, metavar="FILE", help=f"enter its {word} namespace, or the one of --{word}=FILE")
        enter.add_argument(letter, f"--{word}", dest=kind, **options)
    enter.add_argument("--preserve-credentials", dest="keep_credentials", action="store_true", help="keep your uid, gid and groups")
    enter.add_argument("-w", "--wd", dest="cwd", help="set the working directory, as seen inside")
    add_passing(enter)
    enter.add_argument("program", nargs=argparse.REMAINDER, help="the program and its arguments; your shell by default")
    enter.set_defaults(work=run_in)


def add_doctor(command: Any) -> None:
    command.add_parser("doctor", help="show which features this machine supports").set_defaults(work=doctor)


def program_of(options: argparse.Namespace) -> List[str]:
    words = options.program[1:] if options.program[:1] == ["--"] else options.program
    return words or [os.environ.get("SHELL", "/bin/sh")]


# The exit codes of timeout(1) and env(1), which differ from those of most programs.
OVER, FAILED = 124, 125


def finish(options: argparse.Namespace, **keywords: Any) -> int:
    """Runs the program until it ends, and returns the exit code of this command.

    Ctrl-C goes to the program and does not end this command.
    """
    passed = options.pass_fds
    if not passed and not keywords.get("sandbox"):
        passed = [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd > 2 and _inheritable(fd)]
    with Popen(program_of(options), pass_fds=passed, **keywords) as process:
        if process.pty is not None:
            relay(process)
        while True:
            try:
                code = process.wait()
            except KeyboardInterrupt:
                # The terminal sends Ctrl-C to the program, too. A SIGINT sent to this process
                # does not reach it.
                if not _in_foreground():
                    process.send_signal(signal.SIGINT)
                continue
            break
    if process.timed_out:
        print("nsiso: everything was killed: the deadline was over", file=sys.stderr)
        return OVER
    if process.out_of_memory:
        print("nsiso: something was killed: the memory limit was reached", file=sys.stderr)
    return code if code >= 0 else 128 - code


def _in_foreground() -> bool:
    try:
        with open("/dev/tty") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False


def _inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


def run_new(options: argparse.Namespace) -> int:
    keywords = {name: value for name, value in vars(options).items() if name not in ("command", "work", "program", "pass_fds", "pty")}
    limits = {field.name: keywords.pop(field.name) for field in fields(Limits)}
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    for name in {"io", "huge_pages"} & limits.keys():
        limits[name] = dict(limits[name])
    published = keywords.pop("publish")
    if published:
        keywords["uplink"] = Uplink(tcp=dict(published))
    if options.spec:
        document = load(options.spec)
        keywords.update(spec=document, sandbox=options.sandbox or document.get("sandbox"))
        if document.get("seccomp_notify"):
            raise ValueError("seccomp_notify: this command does not answer for the program")
        if limits and "limits" in document:
            document["limits"] = {**document["limits"], **limits}
            limits = {}
        if not options.program:
            options.program = listed("args", document.get("args", []))
            keywords["executable"] = document.get("program")
    if options.share and not keywords["sandbox"]:
        raise ValueError("--share loosens a sandbox: there is none without --sandbox")
    if limits:
        keywords["limits"] = Limits(**limits)
    if options.pty or keywords["sandbox"] and on_terminals():
        keywords["pty"] = size()
    return finish(options, **{name: value for name, value in keywords.items() if value is not None and value is not False})


def run_in(options: argparse.Namespace) -> int:
    chosen = {kind: getattr(options, kind) for _, kind in KINDS.values()}
    kinds = [kind for kind, value in chosen.items() if value is True or options.all]
    join: List[Any] = [value for value in chosen.values() if isinstance(value, str)]
    if kinds and options.target is None:
        raise ValueError("no target process is given, with --target")
    if kinds:
        join.append((options.target, kinds))
    if not join:
        raise ValueError("no namespace is given: --all, --net, --net=FILE, ...")
    return finish(options, join=join, cwd=options.cwd, keep_credentials=options.keep_credentials)


def doctor(_: argparse.Namespace) -> int:
    verdicts = {"yes": "yes", "in_user_namespace": "with a user namespace", "no": "no"}
    for feature in probe().values():
        print(f"{feature.name:16} {verdicts[feature.support]:22} {feature.detail}".rstrip())
        if feature.hint:
            print(f"{'':39} {feature.hint}")
    return 0


def show_list(options: argparse.Namespace) -> int:
    listing = take(options.kinds or None, own=options.own)
    if options.json:
        json.dump(listing._snapshot.to_dict(), sys.stdout, indent=1)
        print()
        return 0
    rows = branches(tree(options.tree, listing)) if options.tree else map(row, listing)
    table([[*COLUMNS], *rows])
    if not listing.gaps.complete:
        print(f"incomplete: {gaps_of(listing)}", file=sys.stderr)
    return 0



def main() -> int:
    parser = argparse.ArgumentParser(prog="nsiso", description="Linux namespaces.")
    parser.add_argument("--version", action="version", version=f"nsiso {__version__}")
    command = parser.add_subparsers(dest="command", required=True)
    for add in (add_run, add_enter, add_list, add_doctor):
        add(command)
    words = sys.argv[1:]
    if words[:1] == ["list"]:
        # argparse would take a kind that follows for the value.
        words = ["--tree=owner" if word == "--tree" else word for word in words]
    options = parser.parse_args(words)
    try:
        code: int = options.work(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader, as head(1), has enough. Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (Error, OSError, TypeError, ValueError) as error:
        print(f"nsiso: {error}", file=sys.stderr)
        step = getattr(error, "step", None)
        if step == "exec":
            return 127 if isinstance(error, FileNotFoundError) else 126
        return FAILED if options.work in (run_new, run_in) else 1


if __name__ == "__main__":
    sys.exit(main())
