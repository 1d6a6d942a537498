"""Describes the command nsiso: its subcommands with their options, from its own parser."""

import argparse
import importlib
import re
from typing import Any, List, NamedTuple, Tuple

import package


class Command(NamedTuple):
    name: str
    summary: str
    usage: str
    options: List[Tuple[str, str]]
    """How each option is written, and what it does."""


def commands() -> List[Command]:
    package.import_package()
    parser = importlib.import_module("nsiso.__main__").parser()
    (subcommands,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    summaries = {action.dest: action.help for action in subcommands._choices_actions}
    return [command_of(name, summaries[name], one) for name, one in subcommands.choices.items()]


def command_of(name: str, summary: str, parser: Any) -> Command:
    actions = [action for action in parser._actions if action.option_strings != ["-h", "--help"]]
    options = [(written(action), (action.help or "").replace("%%", "%")) for action in actions]
    return Command(name, summary, parser.usage, options)


def written(action: Any) -> str:
    """Returns an option with all of its names and its argument."""
    value = action.metavar or (f"{{{','.join(action.choices)}}}" if action.choices else action.dest.upper())
    if action.nargs == "?":
        value = f"[{value}]"
    if not action.option_strings:
        return value
    return ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {value}")


def exit_codes() -> List[Tuple[str, str]]:
    """Returns the exit codes and their meanings, from the page of errors."""
    page = (package.ROOT / "docs/reference/errors.md").read_text()
    _, _, section = page.partition("## Exit codes of the command\n")
    rows = re.findall(r"^\| (.*?) \| (.*?) \|$", section, re.MULTILINE)
    return rows[1:]
