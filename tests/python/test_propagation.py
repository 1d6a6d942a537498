"""Tests mount propagation between a shared mount and the program's mount namespace."""

import os
import sys

import pytest

import nsiso

PROGRAM = """
import os, subprocess, sys, nsiso
propagation, top = sys.argv[1:]
sh = lambda line: subprocess.run(["sh", "-ec", line], check=True)
sh(f"mount -t tmpfs top {top} && mount --make-shared {top} && mkdir {top}/host {top}/inside")
line = f"mount -t tmpfs t {top}/inside && touch {top}/inside/from-inside; echo; read ready; ls {top}/host"
with nsiso.Popen(["sh", "-c", line], mnt=True, propagation=propagation, stdin=-1, stdout=-1, text=True) as program:
    program.stdout.readline()
    sh(f"mount -t tmpfs t {top}/host && touch {top}/host/from-host")
    seen_inside, _ = program.communicate("ready\\n")
print(seen_inside.strip() or "-", *os.listdir(f"{top}/inside") or "-")
"""


@pytest.mark.parametrize(
    "propagation, inside, outside",
    [
        ("private", "-", "-"),
        ("slave", "from-host", "-"),
        ("shared", "from-host", "from-inside"),
        ("unchanged", "from-host", "from-inside"),
    ],
)
def test_mounts_pass_as_asked(propagation, inside, outside, tmp_path):
    command = [sys.executable, "-c", PROGRAM, propagation, tmp_path]
    # The test runs in its own mount namespace, so that the machine's mounts do not change.
    done = nsiso.run(command, map_root=True, mnt=True, capture_output=True, text=True)
    assert done.stdout.split() == [inside, outside], done
    assert os.listdir(tmp_path) == []
