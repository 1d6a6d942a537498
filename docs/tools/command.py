"""Describes the command nsiso: its subcommands with their options, from its own parser."""

import argparse
import importlib
import re
from typing import Any, List, NamedTuple, Tuple

import package


class Command(NamedTuple):
    name: str
    told: str
    usage: str
    options: List[Tuple[str, str]]
    """How each option is written, and what it does."""


def commands() -> List[Command]:
    package.imported()
    parser = importlib.import_module("nsiso.__main__").parser()
    (subcommands,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    told = {action.dest: action.help for action in subcommands._choices_actions}
    return [described(name, told[name], one) for name, one in subcommands.choices.items()]


def described(name: str, told: str, parser: Any) -> Command:
    # Wide enough that the usage is one line.
    formatter = argparse.HelpFormatter(parser.prog, width=10_000)
    options = [
        (formatter._format_action_invocation(action), formatter._expand_help(action) if action.help else "")
        for action in parser._actions
        if action.option_strings != ["-h", "--help"]
    ]
    return Command(name, told, parser.usage, options)


def exit_codes() -> List[Tuple[str, str]]:
    """Returns the exit codes and their meanings, from the page of errors."""
    page = (package.ROOT / "docs/reference/errors.md").read_text()
    _, _, section = page.partition("## Exit codes of the command\n")
    rows = re.findall(r"^\| (.*?) \| (.*?) \|$", section, re.MULTILINE)
    return rows[1:]
