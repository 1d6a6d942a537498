"""Makes the pages of the C reference from the header: one for each group, and an index."""

import re
from typing import Dict, Iterator

import header


def markdown(text: str, homes: Dict[str, str]) -> str:
    """Returns a comment of the header as Markdown, with links to the names of C in it."""
    # Markdown wants a blank line before a list.
    text = re.sub(r"(\n(?!- |  ).*)\n- ", r"\1\n\n- ", f"\n{text}")[1:]
    parts = re.split(r"(`[^`]*`|\bns_\w+\b)", text)
    for at in range(1, len(parts), 2):
        home = homes.get(parts[at])
        if home:
            parts[at] = f"[`{parts[at]}`]({home}.md#{parts[at]})"
    return "".join(parts)


def sections(group: header.Group, homes: Dict[str, str]) -> Iterator[str]:
    for function in group.items_of("function"):
        yield f"## `{function.name}` {{#{function.name}}}"
        yield f"```c\n{function.declaration}\n```"
        yield markdown(function.text, homes)
    for kind in ("object", "struct", "enum"):
        for one in group.items_of(kind):
            yield f"## `{one.name}` {{#{one.name}}}"
            yield markdown(one.text, homes)
            yield from definitions(one.members, homes)
    constants = group.items_of("constant")
    if constants:
        yield "## Constants"
        yield from definitions(((one.name, one.text) for one in constants), homes)


def definitions(pairs, homes: Dict[str, str]) -> Iterator[str]:
    for term, text in pairs:
        name = re.search(r"\w+(?=\[|$| = )", term)[0]
        yield f'<span id="{name}"></span>`{term}`\n:   ' + markdown(text, homes).replace("\n", "\n    ")


def pages() -> Dict[str, str]:
    """Returns the pages by path."""
    read = header.read()
    homes = read.group_of_name()
    found = {}
    index = ["# C", "Include `nsiso.h` and link with `-lnsiso`.", "## Conventions", markdown(read.introduction, homes), "## Functions"]
    for group in read.groups:
        title = group.title[0].upper() + group.title[1:]
        found[f"reference/c/{group.name}.md"] = "\n\n".join([f"# C: {group.title}", *sections(group, homes)])
        links = ", ".join(f"[`{one.name}`]({group.name}.md#{one.name})" for one in group.items_of("function"))
        index.append(f"[{title}]({group.name}.md)\n:   {links}")
    found["reference/c/index.md"] = "\n\n".join(index)
    return found
