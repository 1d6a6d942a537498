"""Hosts whose seccomp filter refuses a call that we would like to use: the isolation is the same."""

import subprocess
from pathlib import Path

import pytest

UNSHARE = Path(__file__).parents[2] / "build/bin/unshare"


@pytest.mark.parametrize("refused", ["clone3:error=ENOSYS", "clone3:error=EPERM", "close_range:error=EPERM"])
def test_a_refused_call_takes_its_fallback(refused):
    call = refused.split(":")[0]
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={refused}"]
    options = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "-u", "-i", "-n", "-C", "-T"]
    line = "/bin/echo $$; exec cat /proc/self/uid_map"
    run = subprocess.run([*strace, UNSHARE, *options, "sh", "-c", line], capture_output=True, text=True)
    assert run.stdout.split()[:2] == ["1", "0"], run
