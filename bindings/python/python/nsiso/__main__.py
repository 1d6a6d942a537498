"""``python -m nsiso list``: the machine's namespaces as a table, a tree or json."""

import argparse
import json
import sys
from typing import Iterable, List

from . import Error, Listing, Listed, Node
from . import list as take
from . import tree

COLUMNS = ("NS", "TYPE", "NPROCS", "PID", "USER", "OWNER", "HELD BY", "COMMAND")


def row(namespace: Listed) -> List[str]:
    user = namespace.user or namespace.uid
    what = namespace.command if namespace.command is not None else " ".join(namespace.paths[:1])
    cells = (
        namespace.inode, namespace.kind, namespace.nprocs, namespace.pid, user,
        namespace.owner_inode, "+".join(namespace.held), what,
    )  # fmt: skip
    return ["" if cell is None else str(cell) for cell in cells]


def table(rows: List[List[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows)]
    for cells in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())


def branches(nodes: Iterable[Node], stem: str = "") -> Iterable[List[str]]:
    """The rows of a tree, its lines drawn before the first column."""
    nodes = [*nodes]
    for node in nodes:
        last = node is nodes[-1]
        inode, *rest = row(node.namespace)
        yield [f"{stem}{'└─' if last else '├─'}{inode}", *rest]
        yield from branches(node.children, stem + ("  " if last else "│ "))


def gaps_of(listing: Listing) -> str:
    """What could not be seen, in words."""
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m nsiso", description="Linux namespaces.")
    command = parser.add_subparsers(dest="command", required=True)
    listing_of = command.add_parser("list", help="list the machine's namespaces and how each is held")
    listing_of.add_argument("kinds", nargs="*", metavar="KIND", help="user pid mnt net ipc uts time cgroup; all by default")
    listing_of.add_argument("--own", action="store_true", help="only through processes of your own")
    form = listing_of.add_mutually_exclusive_group()
    form.add_argument("--tree", nargs="?", const="owner", choices=["owner", "parent"], help="as trees, by owner or parent")
    form.add_argument("--json", action="store_true", help="all there is, as json")
    options = parser.parse_args()
    try:
        listing = take(options.kinds or None, own=options.own)
    except (Error, ValueError) as error:
        print(f"nsiso: {error}", file=sys.stderr)
        return 1
    if options.json:
        everything = {"namespaces": [namespace.to_dict() for namespace in listing], "gaps": listing.gaps._asdict()}
        json.dump(everything, sys.stdout, indent=1)
        print()
        return 0
    rows = branches(tree(options.tree, listing)) if options.tree else map(row, listing)
    table([[*COLUMNS], *rows])
    if not listing.gaps.complete:
        print(f"incomplete: {gaps_of(listing)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
