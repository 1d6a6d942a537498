"""Tests a caller that runs out of descriptors or processes at any point of starting a sandbox: it
gets an error, the program does not run, and nothing is left behind.
"""

import os
import subprocess
import sys

import nsiso
import pytest
from conftest import needs_root

HOST = """
import errno, os, resource, sys, nsiso
kind = getattr(resource, sys.argv[1], None)
wanted = errno.EMFILE if kind == resource.RLIMIT_NOFILE else errno.EAGAIN
refused = ran = 0
for number in map(int, sys.argv[2:]):
    before = os.listdir("/proc/self/fd"), open("/proc/self/mountinfo").read()
    read, write = os.pipe()
    if kind is not None:
        limits = resource.getrlimit(kind)
        resource.setrlimit(kind, (number, limits[1]))
    try:
        nsiso.run(["echo", "ran"], stdout=write, sandbox=True)
    except nsiso.Error as error:
        assert error.errno == wanted and "limit" in error.hint, error
        failed = True
    else:
        failed = False
    finally:
        if kind is not None:
            resource.setrlimit(kind, limits)
    os.close(write)
    text = os.read(read, 100)
    os.close(read)
    assert text == (b"" if failed else b"ran\\n"), text
    refused, ran = refused + failed, ran + (not failed)
    assert (os.listdir("/proc/self/fd"), open("/proc/self/mountinfo").read()) == before
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        pass
    else:
        sys.exit("a child is left")
print(refused, ran)
"""


def told(*words, prefix=()):
    """Returns how often the spawn was refused, and how often the program ran."""
    done = subprocess.run([*prefix, sys.executable, "-c", HOST, *map(str, words)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done
    return tuple(map(int, done.stdout.split()))


def test_any_number_of_descriptors():
    refused, ran = told("RLIMIT_NOFILE", *range(3, 60))
    assert refused > 10 and ran > 10


def test_any_number_of_processes():
    user = ["setpriv", "--reuid", "64322", "--regid", "64322", "--clear-groups"] if os.geteuid() == 0 else []
    refused, ran = told("RLIMIT_NPROC", *range(8), prefix=user)
    assert refused > 0 and (ran > 0 or not user)


@needs_root("limit by cgroups")
@pytest.mark.parametrize("pids", range(1, 5))
def test_any_number_in_the_control_group(pids):
    """The limit is that of the caller's cgroup. The caller, the helper, the init process and the
    program are four processes.
    """
    done = nsiso.run([sys.executable, "-c", HOST, "none", "0"], limits=nsiso.Limits(pids=pids), capture_output=True, text=True)
    assert done.stdout == ("1 0\n" if pids < 4 else "0 1\n"), done
