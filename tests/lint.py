"""Checks what is written: no old words, no comment or line of prose over 100 columns.

Without arguments it looks at all files that git knows.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Names and words that have been replaced, each by the field's own term.
OLD = re.compile(
    r"""\b(
    wish(es)? | treatment | errand | hand_over | stand_?in | attend(ed)? | surroundings
    | die_with_host | outlive_host | no_user_namespaces\( | no_new_privs\( | NS_MOUNT_ALONE
    | NS_LOOK_\w+ | ns_findings? | ns_end_\w+ | ns_spec_halt | bind_id_mapped
    | control\ groups? | taken\ back | let\ go
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
COMMENT = re.compile(r"\s*(//|/?\*(?=[\s*/]|$)|#(?!\[|!\[|define|include|if|el|end|pragma))")
SUFFIXES = {".rs", ".c", ".h", ".py", ".pyi", ".md", ".toml", ".sh", ".ld"}
LONGEST = 100


def faults(path):
    page, fenced = path.suffix == ".md", False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if found := OLD.search(line):
            yield f"{path.relative_to(ROOT)}:{number}: old word: {found[0]}"
        fenced ^= page and line.startswith("```")
        prose = not fenced and not line.lstrip().startswith(("|", "!", "[")) if page else COMMENT.match(line)
        if prose and len(line) > LONGEST:
            yield f"{path.relative_to(ROOT)}:{number}: {len(line)} columns"


def main():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    paths = [ROOT / name for name in names if name != "tests/lint.py"]
    found = [fault for path in paths if path.suffix in SUFFIXES and path.exists() for fault in faults(path)]
    print("\n".join(found) or "no old words, no long lines of prose")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
