"""Tests CVE-2019-5736: while a caller joins a container, processes there can see the caller's
program, but must not be able to write it.
"""

import hashlib
import os
import shutil
import subprocess

import nsiso
import pytest
from conftest import BUILD

# Opens every program that it sees, and writes into it as soon as the kernel allows it, which is
# when the program no longer runs.
HUNTER = """
import os, sys, time
prey, had = tuple(map(int, sys.argv[1:])), []
print(flush=True)
while os.path.exists("/proc/1"):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for name in "exe", "root/proc/self/exe":
            try:
                fd = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
            except OSError:
                continue
            about = os.fstat(fd)
            if (about.st_dev, about.st_ino) == prey:
                had.append(fd)
            else:
                os.close(fd)
    for fd in had:
        try:
            os.write(os.open(f"/proc/self/fd/{fd}", os.O_WRONLY), b"overwritten")
        except OSError:
            pass
"""


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def host(tmp_path):
    """A program of the caller that root in the container could write according to its mode."""
    program = tmp_path / "host"
    shutil.copy(BUILD / "bin/nsenter", program)
    library = tmp_path / "libnsiso.so.0"
    shutil.copy(BUILD / "lib/libnsiso.so.0", library)
    return program


@pytest.mark.parametrize("calls", ["setns", "execve", "clone"])
def test_a_host_that_joins_is_not_overwritten(host, calls):
    before, about = digest(host), os.stat(host)
    words = ["/usr/bin/python3", "-c", HUNTER, str(about.st_dev), str(about.st_ino)]
    with nsiso.Popen(words, map_root=True, pid=True, mount_proc=True, init=True, stdout=-1) as hunter:
        hunter.stdout.read(1)
        environment = {**os.environ, "LD_LIBRARY_PATH": str(host.parent)}
        join = [host, "-t", str(hunter.pid), "-U", "-p", "true"]
        try:
            for _ in range(20):
                subprocess.run(join, env=environment, check=True)
            # strace delays these calls, so that the program is visible for longer.
            slow = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}", "-e", f"inject={calls}:delay_enter=30000"]
            for _ in range(10):
                subprocess.run([*slow, *join], env=environment, check=True)
        finally:
            hunter.kill()
    assert digest(host) == before
