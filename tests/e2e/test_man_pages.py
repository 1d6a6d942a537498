"""Tests the man pages: they are clean, complete, and found by the name of each function."""

import os
import re
import sys

import pytest
from conftest import ROOT, run

HEADER = (ROOT / "include/nsiso.h").read_text()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    directory = tmp_path_factory.mktemp("man")
    done = run(sys.executable, ROOT / "docs/tools/man.py", directory, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
    assert done.returncode == 0, done.stderr
    return directory


def man(directory, *words):
    return run("man", "-P", "cat", *words, env={**os.environ, "MANPATH": str(directory), "MANWIDTH": "80", "LC_ALL": "C.UTF-8"})


def test_groff_and_mandoc_warn_of_nothing(pages):
    for page in pages.glob("man*/*"):
        warned = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page, cwd=pages, env={**os.environ, "MANPATH": str(pages), "LC_ALL": "C.UTF-8"})
        assert (warned.returncode, warned.stderr) == (0, ""), page
        if page.name.startswith("nsiso"):
            linted = run("mandoc", "-T", "lint", page)
            assert linted.stdout + linted.stderr == "", page


def test_every_function_has_a_page(pages):
    functions = {*re.findall(r"^\S.*\b(ns_\w+)\(", HEADER, re.MULTILINE)}
    assert len(functions) > 150
    for function in functions:
        assert (pages / f"man3/{function}.3").exists(), function
    shown = man(pages, "3", "ns_spec_pin").stdout
    assert "ns_spec_pin()\n" in shown and "NSISO_JOIN(3)" in shown


def test_every_option_and_exit_code_is_described(pages):
    command = man(pages, "1", "nsiso").stdout
    for word in ("--deadline TIME", "--memory SIZE", "-t, --target TARGET", "124", "nsiso doctor"):
        assert word in command, word
    document = man(pages, "5", "nsiso_spec").stdout
    for word in ("hostname", "LandlockRules", "hidepid", "[[mounts]]"):
        assert word in document, word


def test_the_library_page_has_conventions_and_an_example(pages):
    shown = man(pages, "3", "nsiso").stdout
    assert "CAP_SYS_ADMIN" in shown and "int main(void)" in shown and "nsiso_mount(3)" in shown


def test_two_builds_are_equal(pages, tmp_path):
    run(sys.executable, ROOT / "docs/tools/man.py", tmp_path, env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
    for page in pages.glob("man*/*"):
        assert page.read_bytes() == (tmp_path / page.relative_to(pages)).read_bytes()
