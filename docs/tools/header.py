"""Reads include/nsiso.h: its introduction, and its functions, types and constants by group.

A group is a few modules of crates/nsiso-capi. Each group has one page and one man page.
"""

import functools
import pathlib
import re
import sys
from typing import Dict, List, NamedTuple, Tuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = ROOT / "crates/nsiso-capi/src"

# Name of a group: its title, and the modules that define what is in it.
GROUPS: Dict[str, Tuple[str, List[str]]] = {
    "namespaces": ("specs and new namespaces", ["spec", "kinds"]),
    "program": ("the program, its environment and descriptors", ["program"]),
    "document": ("spec documents", ["document"]),
    "mount": ("the file system view of the program", ["mount", "file", "overlay"]),
    "identity": ("id maps, user and groups of the program", ["identity"]),
    "join": ("existing namespaces for the program", ["join"]),
    "privileges": ("privileges, resource limits and scheduling", ["privileges"]),
    "landlock": ("Landlock rules", ["landlock"]),
    "seccomp": ("filters of system calls", ["seccomp"]),
    "sandbox": ("the sandbox, the init process and the deadline", ["sandbox"]),
    "limits": ("limits and resources of a cgroup", ["limits", "resources"]),
    "network": ("links, bridges, devices and sockets", ["net", "endpoint"]),
    "process": ("a started program", ["process", "status"]),
    "enter": ("namespaces for threads and functions", ["enter", "handle"]),
    "list": ("the namespaces of the machine", ["list", "namespace"]),
    "probe": ("features of the machine", ["probe"]),
    "error": ("errors and the version", ["error", "lib"]),
}


class Item(NamedTuple):
    """A function, type or constant."""

    name: str
    kind: str
    declaration: str
    text: str
    members: List[Tuple[str, str]]
    """Names and texts of the members of a struct or an enum."""


class Group(NamedTuple):
    name: str
    title: str
    items: List[Item]

    def items_of(self, kind: str) -> List[Item]:
        return [item for item in self.items if item.kind == kind]


class Header(NamedTuple):
    introduction: str
    groups: List[Group]

    def group_of_name(self) -> Dict[str, str]:
        """Returns the group of each function, type and constant."""
        return {item.name: group.name for group in self.groups for item in group.items}


def comment(lines: str) -> str:
    """Returns the text of a comment without its stars."""
    return re.sub(r"^ *\* ?", "", lines, flags=re.MULTILINE).strip()


def item(text: str, declaration: str) -> Item:
    found = re.match(r"#define (\w+) ", declaration)
    if found:
        return Item(found[1], "constant", declaration, text, [])
    inside = re.search(r"\{\n(.*)^\}", declaration, re.MULTILINE | re.DOTALL)
    if inside:
        name = re.search(r"(?:struct|enum) (\w+)", declaration)
        members = re.findall(r"/\*\*\n(.*?) \*/\n\s*(.*?)[;,]\n", inside[1], re.DOTALL)
        kind = "enum" if declaration.startswith("enum") else "struct"
        return Item(name[1], kind, declaration, text, [(code, comment(text)) for text, code in members])
    name = re.match(r"typedef struct \w+ (\w+);", declaration)
    if name:
        return Item(name[1], "object", declaration, text, [])
    return Item(re.search(r"(\w+)\(", declaration)[1], "function", declaration, text, [])


@functools.lru_cache(maxsize=None)
def read() -> Header:
    (introduction, _), *items = re.findall(
        r"^/\*\*(.*?)^ \*/\n(.*?)\n\n", (ROOT / "include/nsiso.h").read_text(), re.MULTILINE | re.DOTALL
    )
    items = [item(comment(text), declaration) for text, declaration in items]
    homes = {name: group for group, (_, modules) in GROUPS.items() for module in modules for name in defined(module)}
    # The steps of errors are defined in the core.
    homes["ns_step"] = "error"
    _, _, conventions = comment(introduction).partition("Licence: MIT OR Apache-2.0.\n\n")
    unknown = [one.name for one in items if one.name not in homes]
    if unknown or not conventions:
        sys.exit(f"{unknown or 'introduction'}: add the module to GROUPS in docs/tools/header.py, and its page to mkdocs.yml")
    groups = [Group(name, title, [one for one in items if homes[one.name] == name]) for name, (title, _) in GROUPS.items()]
    return Header(conventions, groups)


def defined(module: str) -> List[str]:
    """Returns the names of C that a module of the C interface defines."""
    source = (MODULES / f"{module}.rs").read_text()
    return re.findall(r'^pub (?:[^(\n]* )?(?:fn|struct|const) (\w+)', source, re.MULTILINE)
