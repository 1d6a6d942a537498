"""Tests callers that end while their sandbox lives: the sandbox ends with them, and not before.
crates/nsiso/tests/steps.rs tests a caller that is killed at each system call of a spawn.
"""

import os
import subprocess
import sys
import threading
import time

import nsiso
import pytest
from conftest import needs_root


def marked(mark):
    """The processes whose command line contains this word."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                if mark.encode() in line.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass
    return found


def assert_none_is_left(mark):
    deadline = time.monotonic() + 10
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert marked(mark) == []


@pytest.mark.parametrize("keywords", ["dict(map_root=True, die_with_parent=True)", "dict(sandbox=True)"])
def test_nothing_outlives_a_host_that_is_killed(keywords):
    mark = f"100.{os.getpid()}"
    code = f"import nsiso; nsiso.Popen(['sh', '-c', 'sleep {mark} & sleep {mark}'], **{keywords}).wait()"
    for delay in range(0, 400, 20):
        host = subprocess.Popen([sys.executable, "-c", code])
        # Python takes a while to start. The delays reach from before the spawn to long after it.
        time.sleep(delay / 1000)
        host.kill()
        host.wait()
    assert_none_is_left(mark)


@needs_root("limit by cgroups")
def test_the_limits_of_a_killed_host_go_with_the_next_use():
    mark = f"104.{os.getpid()}"
    limits = "limits=nsiso.Limits(pids=50, memory='64M')"
    code = f"import nsiso; print(flush=True); nsiso.Popen(['sleep', '{mark}'], sandbox=True, {limits}).wait()"
    host = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    host.stdout.read(1)
    deadline = time.monotonic() + 10
    while not marked(mark) and time.monotonic() < deadline:
        time.sleep(0.01)
    host.kill()
    host.communicate()
    assert_none_is_left(mark)
    groups = lambda: [path for path, _, _ in os.walk("/sys/fs/cgroup") if f"nsiso-{host.pid}." in path]
    while True:
        nsiso.run(["true"], limits=nsiso.Limits(pids=50))
        # The kernel may still be removing the killed processes from the cgroup.
        if not groups():
            break
        assert time.monotonic() < deadline + 10, groups()


def test_a_sandbox_outlives_the_thread_that_made_it():
    """A parent-death signal would be sent when the thread ends, and kill the sandbox."""
    made = []
    thread = threading.Thread(target=lambda: made.append(nsiso.Popen(["sh", "-c", "echo; exec cat"], sandbox=True, stdin=-1, stdout=-1)))
    thread.start()
    thread.join()
    with made[0] as process:
        assert process.stdout.read(1) == b"\n"
        time.sleep(0.2)
        assert process.poll() is None
        assert process.communicate(b"still here")[0] == b"still here"
    assert process.returncode == 0
