"""The command ``nsiso run|enter|list|doctor``, also as ``python -m nsiso``.

``run`` takes the options of a spec document, ``enter`` those of nsenter(1).
"""

import argparse
import json
import os
import shutil
import signal
import sys
from typing import Any, Iterable, List, NoReturn

from . import Error, Listing, NamespaceInfo, Node, Popen, __version__, probe
from . import list as take
from . import tree
from ._argument import did_you_mean
from ._command import KINDS, add_passing, add_run, keywords_of
from ._doctor import report
from ._signals import Passing
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
    # A command line may have control characters, which would reach the terminal.
    rows = [["".join(c if c.isprintable() else "?" for c in cell) for cell in cells] for cells in rows]
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
        (gaps.unreadable, f"processes that may not be read: {gaps.unreadable}"),
        (gaps.closed, f"descriptors or mounts of {gaps.closed} processes may not be read"),
        (gaps.sockets, f"{gaps.sockets} sockets may not be asked"),
        (gaps.undescribed, f"{gaps.undescribed} namespaces could not be asked about"),
        (gaps.foreign_proc, "/proc shows another pid namespace"),
        (gaps.inner_pid_namespace, "processes outside this pid namespace are not to be seen"),
        (gaps.hidden_processes, "/proc hides other users' processes (hidepid)"),
    ]
    return "; ".join(text for there, text in parts if there)


def add_list(command: Any) -> None:
    listing_of = command.add_parser("list", usage="nsiso list [options] [KIND ...]", help="list the namespaces of the machine and what holds them")
    listing_of.add_argument("kinds", nargs="*", metavar="KIND", help="user, pid, mnt, net, ipc, uts, time or cgroup; default: all")
    listing_of.add_argument("--own", action="store_true", help="look only at your own processes")
    form = listing_of.add_mutually_exclusive_group()
    form.add_argument("--tree", choices=["owner", "parent"], help="show trees, by owner (default) or parent")
    form.add_argument("--json", action="store_true", help="print everything as JSON")
    listing_of.set_defaults(work=show_list)


def add_enter(command: Any) -> None:
    usage = "nsiso enter [options] [--] [program [argument ...]]"
    enter = command.add_parser("enter", usage=usage, help="run a program in existing namespaces")
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
    command.add_parser("doctor", usage="nsiso doctor", help="show which features this machine supports").set_defaults(work=doctor)


def program_of(options: argparse.Namespace) -> List[Any]:
    return options.program or [os.environ.get("SHELL", "/bin/sh")]


# The exit codes of timeout(1) and env(1), which differ from those of most programs.
OVER, FAILED = 124, 125


def finish(options: argparse.Namespace, **keywords: Any) -> int:
    """Runs the program until it ends, and returns the exit code of this command.

    Ctrl-C goes to the program and does not end this command. SIGTERM and SIGHUP are passed on. The
    second one, and in a sandbox the first one after a while, kills the program.
    """
    signals = Passing(sandbox=bool(keywords.get("sandbox")))
    passed = options.pass_fds
    if not passed and not keywords.get("sandbox"):
        named = keywords.get("spec", {}).get("fds", {})
        passed = [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd > 2 and str(fd) not in named and _inheritable(fd)]
    with Popen(program_of(options), pass_fds=passed, **keywords) as process:
        signals.to(process)
        if process.pty is not None:
            relay(process)
        code = process.wait()
    if process.timed_out:
        print("nsiso: everything was killed: the deadline has expired", file=sys.stderr)
        return OVER
    if process.out_of_memory:
        print("nsiso: a process was killed: the memory limit was reached", file=sys.stderr)
    return code if code >= 0 else 128 - code


def _inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False


def run_new(options: argparse.Namespace) -> int:
    keywords = keywords_of(options)
    by_default = "pty" not in keywords.get("spec", {}) and keywords.get("sandbox") and on_terminals()
    if options.pty or options.pty is None and by_default:
        keywords["pty"] = size()
    elif options.pty is False:
        keywords["pty"] = False
    return finish(options, **keywords)


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
    print("\n".join(report(probe().values())))
    return 0


def show_list(options: argparse.Namespace) -> int:
    listing = take(options.kinds or None, own=options.own)
    if options.json:
        json.dump(listing.to_dict(), sys.stdout, indent=1)
        print()
        return 0
    rows = branches(tree(options.tree, listing)) if options.tree else map(row, listing)
    table([[*COLUMNS], *rows])
    if not listing.gaps.complete:
        sys.stdout.flush()
        print(f"incomplete: {gaps_of(listing)}", file=sys.stderr)
    return 0


class Parser(argparse.ArgumentParser):
    """A parser that fails as the start of a program does, with an exit code that few programs have."""

    def __init__(self, **options: Any) -> None:
        # A new option could make an abbreviation ambiguous.
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(FAILED, f"{self.prog}: {message}\n")


def parser() -> Parser:
    """Returns the parser of the command."""
    whole = Parser(prog="nsiso", description="Linux namespaces.")
    whole.add_argument("--version", action="version", version=f"nsiso {__version__}")
    command = whole.add_subparsers(dest="command", required=True)
    add_run(command).set_defaults(work=run_new)
    for add in (add_enter, add_list, add_doctor):
        add(command)
    for one in command.choices.values():
        one.set_defaults(parser=one)
    return whole


def complain(parser: Parser, unknown: str) -> NoReturn:
    """Ends with the usage of the subcommand, and the nearest option."""
    known = [flag for action in parser._actions for flag in action.option_strings]
    parser.error(f"unknown option {unknown}{did_you_mean(unknown.partition('=')[0], known)}")


def main() -> int:
    words = sys.argv[1:]
    if words[:1] == ["list"]:
        # argparse would take a kind that follows for the value.
        words = ["--tree=owner" if word == "--tree" else word for word in words]
    options, unknown = parser().parse_known_args(words)
    if unknown:
        complain(options.parser, unknown[0])
    if getattr(options, "program", [])[:1] == ["--"]:
        options.program = options.program[1:]
    try:
        code: int = options.work(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader, as head(1), has enough. Python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (OSError, TypeError, ValueError) as error:
        print(f"nsiso: {reason(error, getattr(options, 'spec', None))}", file=sys.stderr)
        step = getattr(error, "step", None)
        if step == "exec":
            return 127 if isinstance(error, FileNotFoundError) else 126
        return FAILED if options.work in (run_new, run_in) else 1


def reason(error: Exception, spec: Any) -> str:
    """Describes an error. One of a value names the spec document, which may have the value."""
    if isinstance(error, OSError) and not isinstance(error, Error):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    named = spec and isinstance(error, (TypeError, ValueError)) and not str(error).startswith(spec)
    return f"{spec}: {error}" if named else str(error)


if __name__ == "__main__":
    sys.exit(main())
