"""Defines the report of ``nsiso doctor``: the features of this machine, and remedies."""

import os
import shutil
import sys
import textwrap
from typing import Iterable, Iterator

from ._probe import Feature

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
        text = f"{feature.description} ({feature.detail})" if feature and feature.detail else feature.description
        line = f"{feature.name:15}  {text}"
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
        yield "\nNot available:"
    for feature in missing:
        yield from (f"- {feature.name}", *wrap.wrap(feature.detail), *wrap.wrap(feature.hint))
