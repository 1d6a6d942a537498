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
    done = run("sh", ROOT / "examples/demo.sh")
    assert done.returncode == 0, done.stderr
    outside, inside, *_ = re.split("^===", done.stdout, flags=re.MULTILINE)[1:]
    assert f"(uid {os.geteuid()}," in outside and os.uname().nodename in outside
    assert "(uid 0," in inside and "host name: inside" in inside and "sh -s" in inside.splitlines()[-3]
