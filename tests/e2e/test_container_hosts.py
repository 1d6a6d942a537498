"""Tests callers in a typical container: part of /proc is covered, and a seccomp filter refuses
clone3.
"""

import errno
import sys

import nsiso
import pytest

VIEW = [nsiso.Bind("/", "/"), nsiso.Procfs(), nsiso.Mask("/proc/sys")]


def inside(program, *filters):
    """The output of a caller in such a container."""
    keywords = dict(map_root=True, pid=True, mounts=VIEW, seccomp=list(filters), capture_output=True, text=True)
    done = nsiso.run([sys.executable, "-c", "import nsiso\n" + program], **keywords)
    assert done.returncode == 0, done
    return done.stdout.split()


@pytest.fixture(params=[errno.EPERM, errno.ENOSYS], ids=["EPERM", "ENOSYS"])
def no_clone3(request):
    return nsiso.Seccomp(deny=["clone3"], errno=request.param)


def test_a_proc_that_cannot_be_had_is_refused_in_words(no_clone3):
    program = """
try:
    nsiso.run(["true"], map_root=True, pid=True, mounts=[nsiso.Procfs()])
except nsiso.DeniedError as error:
    assert error.step == "mount_proc" and "covered" in error.hint, error
    print("refused")
try:
    nsiso.run(["true"], sandbox=True)
except nsiso.Error as error:
    assert "/proc/sys" in error.hint, error
    print("refused")
"""
    assert inside(program, no_clone3) == ["refused", "refused"]


def test_a_view_and_an_init_process_are_had(no_clone3):
    program = """
view = [nsiso.Bind("/", "/"), nsiso.Tmpfs("/mnt")]
print(nsiso.run(["sh", "-c", "echo $$; ls /mnt"], map_root=True, init=True, mounts=view, capture_output=True, text=True).stdout)
"""
    assert inside(program, no_clone3) == ["2"]


KINDS = ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup")
ALL = f"""
import os
kinds = {KINDS}
link = lambda pid, kind: os.readlink(f"/proc/{{pid}}/ns/{{kind}}")
try:
    process = nsiso.Popen(["cat"], map_root=True, boottime=10**6, stdin=-1, **dict.fromkeys(kinds, True))
except nsiso.Error as error:
    print(error.step, error.hint)
else:
    with process:
        print(*[kind for kind in kinds if link(process.pid, kind) != link("self", kind)])
        print(open(f"/proc/{{process.pid}}/timens_offsets").read().split()[4])
        process.stdin.close()
"""


def test_no_kind_is_less_new_and_the_clock_goes_ahead(no_clone3):
    """Without clone3 the library uses clone(2), which cannot create a time namespace."""
    assert inside(ALL, no_clone3) == [*KINDS, "1000000"]


def test_a_time_namespace_that_is_refused_is_said(no_clone3):
    done = inside(ALL, no_clone3, nsiso.Seccomp(deny=["unshare"], errno=errno.EPERM))
    assert done[0] == "unshare" and len(done) > 5


def test_the_sandbox_holds_without_clone3(no_clone3):
    """The caller has a /proc of which nothing is covered."""
    program = "print(nsiso.run(['sh', '-c', 'echo $$; unshare -U true || ls /'], sandbox=True, capture_output=True, text=True).stdout)"
    keywords = dict(map_root=True, pid=True, mount_proc=True, seccomp=no_clone3, capture_output=True, text=True)
    done = nsiso.run([sys.executable, "-c", "import nsiso\n" + program], **keywords)
    assert done.stdout.split()[0] == "2" and "home" not in done.stdout and "usr" in done.stdout.split(), done
