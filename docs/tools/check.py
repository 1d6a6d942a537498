"""Checks the site in build/site: each link leads somewhere, nothing is loaded from other sites, and
each name can be found.

Every page must be reachable from the front page. The reference must name every function of C, name
of Python, item of Rust and option.
"""

import json
import pathlib
import re
import sys
from html.parser import HTMLParser
from typing import Dict, Iterator, Set
from urllib.parse import unquote, urlsplit

import header
import package
import python_reference

ROOT = package.ROOT
SITE = ROOT / "build/site"


class Page(HTMLParser):
    """The ids, the links and the text of a page."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.ids: Set[str] = set()
        self.links: Set[str] = set()
        self.loaded: Set[str] = set()
        self.text = path.read_text()
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.links.add(value)
                if urlsplit(value).netloc and tag in ("script", "img", "link", "iframe"):
                    self.loaded.add(value)


def targets(path: pathlib.Path, page: Page) -> Iterator[tuple]:
    """Yields each link to the site itself, with the file and the fragment that it leads to."""
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        yield link, target / "index.html" if target.is_dir() else target, unquote(parts.fragment)


def dead_links(pages: Dict[pathlib.Path, Page]) -> Iterator[str]:
    for path, page in pages.items():
        for link, target, fragment in targets(path, page):
            there = pages.get(target)
            if not target.exists() or (fragment and there and fragment not in there.ids):
                yield f"{path.relative_to(SITE)}: dead link: {link}"


def loaded_from_elsewhere(pages: Dict[pathlib.Path, Page]) -> Iterator[str]:
    yield from (f"{path.relative_to(SITE)}: loads {link}" for path, page in pages.items() for link in page.loaded)


def unreachable(pages: Dict[pathlib.Path, Page]) -> Iterator[str]:
    found, left = set(), [SITE / "index.html"]
    while left:
        path = left.pop()
        if path not in found and path in pages:
            found.add(path)
            left += [target for _, target, _ in targets(path, pages[path])]
    yield from (f"{path.relative_to(SITE)}: no link leads here" for path in pages.keys() - found)


def undocumented_names(pages: Dict[pathlib.Path, Page]) -> Iterator[str]:
    """Yields the names that the reference does not have."""
    reference = SITE / "reference"
    in_c = set().union(*(page.ids for path, page in pages.items() if path.parent == reference / "c"))
    yield from (name for name in header.read().group_of_name() if name not in in_c)
    in_python = pages[reference / "python.html"].ids
    yield from (f"nsiso.{name}" for names in python_reference.SECTIONS.values() for name in names if f"nsiso.{name}" not in in_python)
    exported = " ".join(re.findall(r"pub use (.*?);", (ROOT / "crates/nsiso/src/lib.rs").read_text(), re.DOTALL))
    in_rust = pages[reference / "rust.html"].text
    yield from (f"nsiso::{name}" for name in re.findall(r"\b\w+\b(?=[,; }]|$)", exported) if f">nsiso::{name}<" not in in_rust and f"::{name}<" not in in_rust)
    options = json.loads((ROOT / "include/nsiso-spec.schema.json").read_text())["properties"]
    in_options = pages[reference / "options.html"].text
    yield from (f"option {name}" for name in options if f"<code>{name}</code>" not in in_options)


def main() -> int:
    # rustdoc checks its own pages. Those of 404.html are links from the root of a server.
    ours = (path for path in SITE.rglob("*.html") if "reference/rust/" not in str(path) and path.name != "404.html")
    pages = {path: Page(path) for path in ours}
    faults = [*dead_links(pages), *loaded_from_elsewhere(pages), *unreachable(pages), *(f"not in the reference: {name}" for name in undocumented_names(pages))]
    print("\n".join(faults) or f"{len(pages)} pages, every link leads somewhere, every name is in the reference")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
