"""Defines the report of ``nsiso doctor``: the features of this machine, and remedies."""

import os
import shutil
import sys
import textwrap
from typing import Iterable, Iterator

from ._probe import Feature

MEANINGS = {
    "user": "new user namespaces",
    "pid": "new pid namespaces",
    "mnt": "new mount namespaces",
    "net": "new network namespaces",
    "ipc": "new IPC namespaces",
    "uts": "new UTS namespaces: host names",
    "time": "new time namespaces: clock offsets",
    "cgroup": "new cgroup namespaces",
    "nested_user": "user namespaces inside a user namespace",
    "proc": "a new proc for a pid namespace",
    "overlay": "overlays: changes to files are kept apart",
    "idmapped_mounts": "binds with mapped owners",
    "links": "links between network namespaces",
    "link_rate": "links with a limited rate",
    "link_delay": "links with delay and loss",
    "clone3": "clone3(2)",
    "listns": "listings by listns(2)",
    "pidfd_info_exit": "exit status of a process that was reaped elsewhere",
    "landlock": "Landlock rules",
    "cgroup_v2": "limits by cgroups, version 2",
    "cgroup_v1": "limits by cgroups, version 1",
}
# Word and colour for each kind of support: green, yellow, red.
SUPPORT = {"yes": ("yes", "32"), "in_user_namespace": ("userns", "33"), "no": ("no", "31")}


def report(features: Iterable[Feature]) -> Iterator[str]:
    """Yields the lines: one for each feature, then the remedies."""
    features = [*features]
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    wrap = textwrap.TextWrapper(min(width or 100, 100), initial_indent="  ", subsequent_indent="    ")
    for feature in features:
        word, colour = SUPPORT[feature.support]
        told = MEANINGS.get(feature.name, "")
        if feature and feature.detail:
            told = f"{told} ({feature.detail})"
        line = f"{feature.name:15}  {told}"
        if width and len(line) > width - 8:
            line = f"{line[: width - 9]}…"
        if terminal and "NO_COLOR" not in os.environ:
            word = f"\033[{colour}m{word:6}\033[0m"
        yield f"{word:6}  {line}".rstrip()
    if any(feature.support == "in_user_namespace" for feature in features):
        yield "\nuserns:"
        yield from wrap.wrap("only together with a new user namespace, such as with --map-root")
    missing = [feature for feature in features if not feature]
    if missing:
        yield "\nWhat is missing, and what can be done:"
    for feature in missing:
        yield from (f"- {feature.name}", *wrap.wrap(feature.detail), *wrap.wrap(feature.hint))
