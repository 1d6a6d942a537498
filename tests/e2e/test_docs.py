"""Runs the code in README.md, docs/ and the other pages, and checks what they name and link to.

Blocks of Rust are run by `cargo test --doc`, all others here. An HTML comment on the line before a
block says what the block needs: `<!-- needs root -->`, `<!-- needs a delegated cgroup -->`,
`<!-- needs COMMAND -->`, or that it is `<!-- not run: REASON -->`. `<!-- file: NAME -->` makes the
block a file that later blocks of the page use. Blocks of `text` are no code.
"""

import functools
import inspect
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest
from conftest import BUILD, ROOT, run

import nsiso

sys.path.insert(0, str(ROOT / "docs/tools"))
import pages as site  # noqa: E402

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
OPTIONS = ROOT / "docs/reference/options.md"
HEADER = (ROOT / "include/nsiso.h").read_text()
SCHEMA = json.loads((ROOT / "include/nsiso-spec.schema.json").read_text())


class Block(NamedTuple):
    page: pathlib.Path
    line: int
    language: str
    text: str
    comment: str

    @property
    def place(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self):
        """Returns the name of the file that the block shows, or None."""
        return self.comment[len("file: ") :] if self.comment.startswith("file: ") else None


def blocks(page):
    """Yields the fenced blocks of a page, each with the comment on the line before it."""
    lines = page.read_text().splitlines()
    start = None
    for number, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start = number
            continue
        comment = re.fullmatch(r"<!-- (.*) -->", lines[start - 1]) if start else None
        text = "".join(f"{line}\n" for line in lines[start + 1 : number])
        yield Block(page, start + 1, lines[start][3:], text, comment[1] if comment else "")
        start = None
    assert start is None, f"{page}:{start + 1}: the block has no end"


BLOCKS = [block for page in PAGES for block in blocks(page)]


@functools.lru_cache(maxsize=None)
def no_cgroup():
    """Why an ordinary user has no limits. Root always has them."""
    try:
        nsiso.run(["true"], limits=nsiso.Limits(pids=100))
    except nsiso.Error as error:
        return str(error) if os.geteuid() else None


def obstacle(comment):
    """Returns the reason not to run a block with this comment, or None."""
    if not comment:
        return None
    what, _, reason = comment.partition(": ")
    if what == "not run" and reason:
        return reason
    verb, _, thing = comment.partition(" ")
    assert verb == "needs" and thing, f"no such comment before a block: {comment!r}"
    if thing == "root":
        return comment if os.geteuid() else None
    if thing == "a delegated cgroup":
        return no_cgroup()
    return None if shutil.which(thing) else f"{thing} is not installed"


def those_in(*languages):
    """Parametrizes a test with the blocks in these languages, by page and line."""
    chosen = [(block, obstacle(block.comment)) for block in BLOCKS if block.language in languages and not block.file]
    skipped = {reason: pytest.mark.skip(reason=reason) for _, reason in chosen if reason}
    params = [pytest.param(block, id=block.place, marks=skipped.get(reason, ())) for block, reason in chosen]
    return pytest.mark.parametrize("block", params)


@pytest.fixture
def directory(tmp_path):
    tmp_path.chmod(0o755)
    return tmp_path


def check(block, *command, cwd, **options):
    done = run(*command, cwd=cwd, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == 0, f"{block.place}\n{done.stdout}{done.stderr}"


def in_shell():
    """Returns the environment of a reader who has installed nsiso and built the examples."""
    path = [str(pathlib.Path(sys.executable).parent), str(BUILD / "bin"), os.environ["PATH"], "/usr/sbin"]
    flags = {"CPATH": ROOT / "include", "LIBRARY_PATH": BUILD / "lib", "LD_LIBRARY_PATH": BUILD / "lib"}
    return {**os.environ, **{name: str(value) for name, value in flags.items()}, "PATH": ":".join(path)}


def write_files(block, directory):
    """Writes the files that the page shows before this block."""
    for other in BLOCKS:
        if other.page == block.page and other.line < block.line and other.file:
            (directory / other.file).write_text(other.text)


def test_every_file_of_a_page_is_used():
    for file in filter(lambda block: block.file, BLOCKS):
        later = [block.text for block in BLOCKS if block.page == file.page and block.line > file.line]
        assert any(file.file in text for text in later), file.place


@those_in("sh")
def test_a_script_runs(block, directory):
    write_files(block, directory)
    check(block, "sh", "-euc", block.text, cwd=directory, env=in_shell())


def commands_of(session):
    """Yields each command of a session, `$ command`, with the output that follows it."""
    for part in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            line, _, output = output.partition("\n")
            command += f"\n{line}"
        yield command, output


@those_in("console")
def test_a_session_in_a_shell_prints_what_the_page_shows(block, directory):
    """`...` in the output stands for any text."""
    write_files(block, directory)
    for command, output in commands_of(block.text):
        done = run("sh", "-c", f"exec 2>&1\n{command}", cwd=directory, stdin=subprocess.DEVNULL, env=in_shell())
        pattern = ".*".join(map(re.escape, output.split("...")))
        assert re.fullmatch(pattern, done.stdout, re.DOTALL), f"{block.place}: {command}\n{done.stdout}"


@those_in("python")
def test_a_block_of_python_runs(block, directory, tmp_path_factory):
    script = tmp_path_factory.mktemp("script") / "block.py"
    script.write_text(block.text)
    check(block, sys.executable, script, cwd=directory)


@those_in("pycon")
def test_a_session_prints_what_the_page_shows(block, directory, tmp_path_factory):
    session = tmp_path_factory.mktemp("session") / "block.txt"
    session.write_text(block.text)
    check(block, sys.executable, "-m", "doctest", session, cwd=directory)


@those_in("c", "cpp")
def test_a_program_in_c_compiles_and_runs(block, directory, tmp_path_factory):
    build = tmp_path_factory.mktemp("build")
    source, program = build / f"block.{block.language}", build / "block"
    source.write_text(block.text)
    compiler = {"c": "gcc", "cpp": "g++"}[block.language]
    libraries = ["-L", BUILD / "lib", "-lnsiso", f"-Wl,-rpath,{BUILD / 'lib'}"]
    built = run(compiler, "-Wall", "-Wextra", "-Werror", "-I", ROOT / "include", "-o", program, source, *libraries)
    assert built.returncode == 0, f"{block.place}\n{built.stderr}"
    check(block, program, cwd=directory)


@those_in("json", "toml")
def test_a_spec_document_is_accepted(block):
    if block.language == "toml":
        document = pytest.importorskip("tomllib", reason="TOML needs Python 3.11").loads(block.text)
    else:
        document = json.loads(block.text)
    nsiso.Sandbox(spec=document)


@those_in("yaml")
def test_a_yaml_file_can_be_read(block):
    pytest.importorskip("yaml").safe_load(block.text)


def test_every_block_is_of_a_language_that_is_run():
    known = {"python", "pycon", "c", "cpp", "json", "toml", "sh", "console", "yaml", "rust", "text"}
    assert {block.place: block.language for block in BLOCKS if block.language not in known} == {}


def test_no_block_is_hidden_by_indentation():
    """Markdown takes indented lines for code, too, but nothing runs them."""
    for page in PAGES:
        fenced = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        assert not re.search(r"\n\n    \S", fenced), page


def test_the_blocks_of_rust_are_run():
    """By cargo test, from a list of the pages."""
    listed = {*re.findall(r'include_str!\("../../../(.*?)"\)', (ROOT / "crates/nsiso/src/lib.rs").read_text())}
    assert {block.place.partition(":")[0] for block in BLOCKS if block.language == "rust"} == listed


def prose(page):
    """Returns the text of a page without its blocks and code."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`", "", text)


@functools.lru_cache(maxsize=None)
def generated_pages():
    """Returns the pages that only the site has."""
    return {**site.generated_pages(), "reference/rust.md": ""}


def anchors(page):
    """Returns the names by which links reach the headings of a page, or None if there is no page."""
    place = os.path.relpath(page.resolve(), ROOT / "docs")
    generated = generated_pages().get(place)
    if generated is None and not page.exists():
        return None
    text = page.read_text() if generated is None else generated
    text = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    found = re.findall(r"\{#(\S+)\}", text)
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.append(f"{name}-{found.count(name)}" if name in found else name)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (page.parent / path) if path else page
        found = anchors(target) if target.suffix == ".md" else [] if target.exists() else None
        if found is None or (anchor and anchor not in found):
            broken.append(link)
    assert broken == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_bytes()) <= 8192


def code(text):
    """Returns the words in the code of a text."""
    return {word for span in re.findall(r"`([^`]*)`", text) for word in re.findall(r"\w+", span)}


def tables():
    """Returns the rows of docs/reference/options.md as lists of cells, by heading."""
    found = {}
    for line in OPTIONS.read_text().splitlines():
        if line.startswith("## "):
            rows = found.setdefault(line[3:], [])
        elif line.startswith("| "):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_every_option_of_the_schema_has_a_row():
    rows = [cells[0].strip("`") for cells in tables()["All options"] if cells[0].startswith("`")]
    assert sorted(rows) == sorted(SCHEMA["properties"])


def test_every_field_and_word_of_the_schema_is_named():
    page = OPTIONS.read_text()
    words = {*re.findall(r"\w+", page)}
    for name, definition in SCHEMA["$defs"].items():
        fields = {*definition.get("properties", ())}
        choices = {choice["const"] for choice in definition.get("oneOf", ())}
        assert fields <= code(page) and choices <= words, name


def test_every_function_in_c_exists():
    functions = {*re.findall(r"\b(ns_\w+)\(", HEADER)}
    types = {*re.findall(r"\b(ns_\w+)\b", HEADER)}
    missing = []
    for page in PAGES:
        for name, rest in re.findall(r"\b(ns_\w+)(\.\.\.|\*)?", page.read_text()):
            known = any(one.startswith(name) for one in functions) if rest else name in types
            if not known:
                missing.append(f"{page.name}: {name}")
    assert missing == []


def test_every_keyword_of_an_option_exists():
    known = {*nsiso.Options.__annotations__, *inspect.signature(nsiso.Popen.__init__).parameters, *inspect.signature(subprocess.Popen.__init__).parameters}
    for option, _, _, python, *_ in tables()["All options"]:
        for keyword in re.findall(r"`(\w+)`", python):
            assert keyword in known, option


def test_every_option_is_on_the_command_line():
    """But for those of the program, and those that need code on the caller's side."""
    shown = subprocess.run([sys.executable, "-m", "nsiso", "run", "--help"], capture_output=True, text=True, check=True).stdout
    flags = {word.lstrip("-").replace("-", "_") for word in re.findall(r"--[a-z-]+", shown)}
    others = {"args", "env", "fds", "join", "limits", "new_session", "program", "seccomp_notify", "sync_fds"}
    assert {*SCHEMA["properties"]} - flags == others


def test_every_name_in_rust_exists():
    sources = "".join(path.read_text() for path in sorted((ROOT / "crates/nsiso/src").rglob("*.rs")))
    missing = [
        f"{owner}::{name}"
        for owner, name in re.findall(r"\b([A-Z]\w+)::(\w+)", OPTIONS.read_text())
        if not re.search(rf"\bfn {name}\b|^\s*(pub )?(const )?{name}\b", sources, re.MULTILINE)
    ]
    assert missing == []
