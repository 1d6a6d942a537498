"""Writes all pages of the site into a directory: `python3 docs/tools/pages.py DIRECTORY`.

They are those below docs/, those from the top of the tree, and the references, which are made from
the sources. `cargo doc` must have been run.
"""

import os
import pathlib
import re
import shutil
import sys
from typing import Dict

import c_reference
import command
import header
import package
import python_reference

ROOT = package.ROOT
# Files at the top of the tree, and their places in the site.
TOP = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "SECURITY.md": "project/security.md",
    "CHANGELOG.md": "project/changelog.md",
}


def with_site_links(name: str, place: str) -> str:
    """Returns a page from the top of the tree, with links that fit its place in the site."""

    def target(found: "re.Match[str]") -> str:
        path, hash_mark, anchor = found[1].partition("#")
        if re.match(r"[a-z]+:", path):
            return found[0]
        there = TOP.get(path, path.removeprefix("docs/"))
        return f"]({os.path.relpath(there, os.path.dirname(place) or '.')}{hash_mark}{anchor})"

    return re.sub(r"\]\(([^)\s]+)\)", target, (ROOT / name).read_text())


def with_links_to_c(text: str, place: pathlib.Path) -> str:
    """Returns a page with a link at each name of C in it, outside of blocks of code."""
    groups = header.read().group_of_name()
    reference = os.path.relpath("reference/c", place)

    def link(found: "re.Match[str]") -> str:
        group = groups.get(found[1])
        return f"[`{found[1]}`]({reference}/{group}.md#{found[1]})" if group else found[0]

    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else re.sub(r"(?<!\[)`(ns_\w+)`", link, part) for part in parts)


def command_line() -> str:
    parts = ["# Command line", "The command is `nsiso`, also `python3 -m nsiso`. [Options](options.md) says more about each option of `nsiso run`."]
    for one in command.commands():
        parts += [f"## nsiso {one.name}", f"```text\n{one.usage}\n```", f"{one.summary[0].upper()}{one.summary[1:]}."]
        parts += [f"`{option}`\n:   {text[:1].upper()}{text[1:].rstrip('.')}." for option, text in one.options]
    return "\n\n".join(parts)


def error_steps() -> str:
    (steps,) = [item for group in header.read().groups for item in group.items if item.name == "ns_step"]
    rows = ["# Steps of errors", "The step of an [error](errors.md) says which part of the work failed.", "", "| C | Python | Rust | meaning |", "|---|---|---|---|"]
    for member, text in steps.members:
        name, _, number = member.partition(" = ")
        word = name.removeprefix("NS_STEP_")
        camel = "".join(part.capitalize() for part in word.split("_"))
        rows.append(f'| <span id="{name}"></span>`{name}` = {number} | `"{word.lower()}"` | `Step::{camel}` | {" ".join(text.split())} |')
    return "\n".join(rows)


def rust() -> str:
    """Lists the items of the crate; rustdoc has made a page for each."""
    documented = (ROOT / "target/doc/nsiso/all.html").read_text()
    parts = ["# Rust", "The crate `nsiso`: [introduction](rust/nsiso/index.html)."]
    lists = re.findall(r"<h3 id=\"\w+\">(.*?)</h3><ul class=\"all-items\">(.*?)</ul>", documented)
    if not lists:
        sys.exit("docs/tools/pages.py: rustdoc writes all.html in another form now")
    for title, listed in lists:
        items = re.findall(r'<a href="(.*?)">(.*?)</a>', listed)
        parts.append(f"## {title}\n\n" + "\n".join(f"- [`nsiso::{name}`](rust/nsiso/{path})" for path, name in items))
    return "\n\n".join(parts)


def generated_pages() -> Dict[str, str]:
    """Returns the pages that are not below docs/, by path, but for that of Rust, which takes
    rustdoc.
    """
    found = {place: with_site_links(name, place) for name, place in TOP.items()}
    found.update(c_reference.pages())
    found["reference/python.md"] = python_reference.page()
    found["reference/command-line.md"] = command_line()
    found["reference/error-steps.md"] = error_steps()
    return found


def main() -> int:
    directory = pathlib.Path(sys.argv[1])
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(ROOT / "docs", directory, ignore=shutil.ignore_patterns("tools", "requirements.txt"))
    shutil.copytree(ROOT / "target/doc", directory / "reference/rust", ignore=shutil.ignore_patterns(".*", "*.md"))
    for page in directory.rglob("*.md"):
        page.write_text(with_links_to_c(page.read_text(), page.parent.relative_to(directory)))
    for path, text in {**generated_pages(), "reference/rust.md": rust()}.items():
        (directory / path).parent.mkdir(exist_ok=True)
        (directory / path).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
