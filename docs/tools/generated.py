"""Writes files, and parts of files, that are made from the sources."""

import pathlib
import sys


def write_or_check(path: pathlib.Path, text: str) -> int:
    """Writes a file. With --check it only says whether the file is up to date, and returns 1 if not."""
    if "--check" not in sys.argv:
        path.write_text(text)
    elif path.read_text() != text:
        print(f"{path.name} is not up to date: run make generate")
        return 1
    return 0


def with_section(page: pathlib.Path, begin: str, end: str, text: str) -> str:
    """Returns a page with another text between two lines."""
    before, _, rest = page.read_text().partition(begin)
    return f"{before}{begin}{text}{end}{rest.partition(end)[2]}"
