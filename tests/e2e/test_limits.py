"""Tests that each limit of the caller gives its own error when a spawn reaches it, and that nothing
is left behind.
"""

import errno
import os
import subprocess
import sys

import pytest
from conftest import needs_root

import nsiso

HOST = """
import os, resource, sys, nsiso
{limit}
before = len(os.listdir("/proc/self/fd"))
try:
    nsiso.run(["true"], **{keywords!r})
except nsiso.Error as error:
    print(error.step, error.errno, error.hint)
    assert len(os.listdir("/proc/self/fd")) == before
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        pass
    else:
        print("a child is left")
"""


def met(limit, prefix=(), **keywords):
    """The error that a caller gets under a limit: step, errno, hint."""
    program = HOST.format(limit=limit, keywords=keywords)
    done = subprocess.run([*prefix, sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.count("\n") == 1, done
    step, number, hint = done.stdout.split(maxsplit=2)
    return step, int(number), hint


def test_no_descriptor_is_left_for_the_pidfd():
    full = """
resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))
kept = []
try:
    while True:
        kept.append(os.open("/dev/null", 0))
except OSError:
    os.listdir = lambda path: []  # it would need one, too
"""
    step, number, hint = met(full, user=True)
    assert (step, number) == ("prepare", errno.EMFILE) and "RLIMIT_NOFILE is 30" in hint


def test_a_descriptor_number_above_the_limit():
    limit = "resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))"
    step, number, hint = met(limit, pass_fds={100: 0})
    assert (step, number) == ("descriptor", errno.EBADF) and "RLIMIT_NOFILE is 30" in hint


def test_too_many_processes():
    user = ["setpriv", "--reuid", "64321", "--regid", "64321", "--clear-groups"] if os.geteuid() == 0 else []
    step, number, hint = met("resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))", user, user=True)
    assert (step, number) == ("clone", errno.EAGAIN) and "RLIMIT_NPROC (0)" in hint


@pytest.mark.parametrize("kind", ["user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup"])
def test_a_limit_on_namespaces_is_named_by_its_file(kind):
    """The limit is set in a new user namespace, so that the machine's limits do not change."""
    file = f"/proc/sys/user/max_{kind}_namespaces"
    program = HOST.format(limit=f"open({file!r}, 'w').write('0')", keywords={kind: True})
    done = nsiso.run([sys.executable, "-c", program], map_root=True, capture_output=True, text=True)
    step, number, hint = done.stdout.split(maxsplit=2)
    assert int(number) == errno.ENOSPC and step == ("unshare" if kind == "time" else "clone")
    assert f"{file} is 0" in hint and "not about disk space" in hint


def test_two_thousand_spawns_leave_no_namespace():
    """The limit is 200 namespaces of each kind, and 2,000 are created one after the other. The
    kernel removes some of them later (network namespaces most of all), so the program waits at the
    limit.
    """
    program = """
import errno, time, nsiso
kinds = ["user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup"]
for kind in kinds:
    open(f"/proc/sys/user/max_{kind}_namespaces", "w").write("200")
full = 0
for n in range(2000):
    while True:
        try:
            assert nsiso.run(["/bin/true"], map_root=True, **dict.fromkeys(kinds, True)).returncode == 0
            break
        except nsiso.Error as error:
            assert error.errno == errno.ENOSPC and full < 1000, (n, full, error)
            full += 1
            time.sleep(0.05)
print("fine")
"""
    done = nsiso.run([sys.executable, "-c", program], map_root=True, capture_output=True, text=True)
    assert done.stdout == "fine\n", done


def test_namespaces_nested_too_deep():
    """The kernel allows 32 nested user namespaces."""
    program = (
        "import sys, nsiso\n"
        "try:\n    print(nsiso.run([sys.executable, '-c', sys.argv[1], sys.argv[1]], map_root=True).returncode)\n"
        "except nsiso.Error as error:\n    print(error.step, error.errno, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, program], capture_output=True, text=True, timeout=120)
    lines = done.stdout.splitlines()
    assert 20 < len(lines) <= 34 and lines[-1] == "0"
    assert lines[0].startswith(f"clone {errno.ENOSPC} ") and "nested 32 deep" in lines[0]


@needs_root("start a program that is root without capabilities")
def test_without_privilege_a_user_namespace_is_asked_for():
    step, number, hint = met("", ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"], uts=True)
    assert (step, number) == ("clone", errno.EPERM) and "add the kind user" in hint
