"""Repeats attacks that succeeded against earlier versions; each must fail now."""

import os
import subprocess
import sys
import time

import nsiso
import pytest

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a caller with capabilities, or a container without a user namespace, takes root")


@needs_root
def test_supplementary_groups_go_with_the_uid_of_a_caller_with_capabilities():
    caps = "+setuid,+setgid"
    user = ["setpriv", "--reuid", "1000", "--regid", "1000", "--groups", "42,1000", "--inh-caps", caps, "--ambient-caps", caps]
    code = "import nsiso; print(nsiso.run(['id', '-G'], uid=65534, gid=65534, cwd='/', capture_output=True, text=True).stdout)"
    done = subprocess.run([*user, sys.executable, "-c", code], capture_output=True, text=True, cwd="/")
    if "Permission denied" in done.stderr and "python" in done.stderr:
        pytest.skip("the user of this test cannot execute this Python")
    assert done.stdout.split() == ["65534"], done


STOPPER = """
import os, signal, time
print("up", flush=True)
end = time.time() + 60
while time.time() < end:
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                os.kill(int(name), signal.SIGSTOP)
            except OSError:
                pass
"""


@needs_root
@pytest.mark.parametrize("kinds", [dict(), dict(map_root=True)], ids=["without a user namespace", "with one"])
def test_a_container_that_stops_new_processes_does_not_hang_the_host(kinds):
    words = ["/usr/bin/python3", "-c", STOPPER]
    started = []
    with nsiso.Popen(words, pid=True, mnt=True, mount_proc=True, stdout=-1, **kinds) as stopper:
        try:
            stopper.stdout.readline()
            for _ in range(10):
                before = time.monotonic()
                try:
                    started.append(nsiso.Popen(["/bin/true"], join=(stopper, ["user", "pid", "mnt"] if kinds else ["pid", "mnt"])))
                except nsiso.Error as error:
                    assert error.errno == 110, error
                # The library waits at most 20 s. It undoes a single stop at once.
                assert time.monotonic() - before < 30
        finally:
            stopper.kill()
            # The first process of a pid namespace cannot end while zombies in it are children of
            # the caller.
            for process in started:
                process.wait(10)


SEIZER = """
import ctypes, os, time
ptrace, known = ctypes.CDLL(None).ptrace, {os.getpid()}
SEIZE, INTERRUPT = 0x4206, 0x4207
print("up", flush=True)
end = time.time() + 100
while time.time() < end:
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in known and ptrace(SEIZE, int(name), 0, 0) == 0:
            known.add(int(name))
            ptrace(INTERRUPT, int(name), 0, 0)
"""


@needs_root
def test_a_container_that_traces_new_processes_and_never_waits_does_not_hang_the_host():
    """Only the tracer sees the end of a process that it traces."""
    words = ["/usr/bin/python3", "-c", SEIZER]
    started = []
    with nsiso.Popen(words, pid=True, mnt=True, mount_proc=True, stdout=-1) as seizer:
        try:
            seizer.stdout.readline()
            for _ in range(20):
                before = time.monotonic()
                try:
                    started.append(nsiso.Popen(["/bin/true"], join=(seizer, ["pid", "mnt"])))
                except nsiso.Error as error:
                    assert error.errno == 110, error
                    assert time.monotonic() - before < 40
                    break
        finally:
            seizer.kill()
            for process in started:
                process.kill()
                process.wait(10)


@needs_root
def test_a_joined_user_namespace_that_stops_a_child_which_waits_for_the_caller_does_not_hang_it():
    words = ["/usr/bin/python3", "-c", STOPPER]
    ids = [(0, 100_000, 1000)]
    with nsiso.Popen(words, uid_map=ids, gid_map=ids, stdout=-1) as stopper:
        try:
            stopper.stdout.readline()
            for _ in range(3):
                before = time.monotonic()
                try:
                    nsiso.hold(net=True, join=(stopper, ["user"]))
                except nsiso.Error as error:
                    assert error.errno == 110, error
                assert time.monotonic() - before < 30
        finally:
            stopper.kill()
