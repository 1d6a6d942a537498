"""Tests the examples in the README, and the demo."""

import os
import re

import pytest
from conftest import BUILD, ROOT, run


@pytest.mark.parametrize(
    "command",
    [[BUILD / "bin/hello"], [BUILD / "bin/hello-rust"], [BUILD / "venv/bin/python", ROOT / "examples/python/hello.py"]],
    ids=["c", "rust", "python"],
)
def test_hello(command):
    done = run(*command)
    first, head, *processes = done.stdout.splitlines()
    assert done.returncode == 0 and first == "I am uid 0, pid 1, on inside"
    assert head.split()[:2] == ["UID", "PID"] and len(processes) == 2 and processes[0].split()[1] == "1"


def test_the_demo_shows_inside_and_outside():
    done = run(BUILD / "venv/bin/python", ROOT / "examples/demo.py")
    assert done.returncode == 0, done.stderr
    rows = {line[:11].strip(): re.split("  +", line[11:].strip()) for line in done.stdout.splitlines()[1:8]}
    assert rows[""] == ["outside", "inside"]
    assert rows["user"][0] != rows["user"][1] == "root (uid 0)"
    assert rows["host name"] == [os.uname().nodename, "inside"]
    assert rows["its pid"][0] != rows["its pid"][1] == "1"
    assert rows["network"][1] == "lo"
    # ps sees the shell and itself, lsns the three new namespaces.
    assert re.search(r"^root +1 .* bash\nroot +2 .* ps -ef\n# lsns", done.stdout, re.MULTILINE)
    assert re.findall(r"^\d+ (\w+)", done.stdout, re.MULTILINE) == ["user", "mnt", "pid"]
    # One screen, without colours in a pipe.
    assert len(done.stdout.splitlines()) <= 24 and max(map(len, done.stdout.splitlines())) < 100
    assert "\033" not in done.stdout


def test_the_demo_is_coloured_and_cut_on_a_terminal():
    done = run("script", "-qec", f"COLUMNS=80 {BUILD / 'venv/bin/python'} {ROOT / 'examples/demo.py'}", "/dev/null")
    assert done.returncode == 0 and "\033[32mroot (uid 0)\033[0m" in done.stdout
    assert max(len(re.sub(r"\033\[\d*m|\r", "", line)) for line in done.stdout.splitlines()) <= 80
