"""Tests callers whose seccomp filter refuses a call that the library prefers: the isolation is the
same.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import nsiso
import pytest

UNSHARE, NSENTER = (Path(__file__).parents[2] / "build/bin" / name for name in ("unshare", "nsenter"))


@pytest.mark.parametrize("refused", ["clone3:error=ENOSYS", "clone3:error=EPERM", "close_range:error=EPERM"])
def test_a_refused_call_takes_its_fallback(refused):
    call = refused.split(":")[0]
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={refused}"]
    options = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "-u", "-i", "-n", "-C", "-T"]
    line = "/bin/echo $$; exec cat /proc/self/uid_map"
    run = subprocess.run([*strace, UNSHARE, *options, "sh", "-c", line], capture_output=True, text=True)
    assert run.stdout.split()[:2] == ["1", "0"], run


MOUNT_CALLS = ["mount_setattr", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount"]


@pytest.mark.parametrize("missing", [MOUNT_CALLS[:1], MOUNT_CALLS], ids=["5.10", "none"])
def test_a_sandbox_is_the_same_without_the_newer_calls_for_mounts(missing):
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={','.join(missing)}"]
    inject = [word for call in missing for word in ("-e", f"inject={call}:error=ENOSYS")]
    line = "cut -d' ' -f5,6 /proc/self/mountinfo; ls /; touch /usr/x /proc/sys/x; cat /proc/keys; readlink /proc/self/ns/user >/dev/null && echo done"
    words = [sys.executable, "-m", "nsiso", "run", "--sandbox", "--", "/bin/sh", "-c", line]
    as_ever, without = (subprocess.run([*before, *words], capture_output=True, text=True, timeout=60) for before in ([], [*strace, *inject]))
    assert "done" in without.stdout and sorted(without.stdout.splitlines()) == sorted(as_ever.stdout.splitlines()), (as_ever, without)
    assert without.stderr == as_ever.stderr


@pytest.mark.parametrize("call", ["setns", "fchdir", "chroot", "setgroups", "setresuid"])
def test_a_failing_call_of_a_join_is_told_and_leaves_nothing(call):
    words = ["sh", "-c", "echo; exec cat"]
    options = dict(map_root=True, pid=True, mount_proc=True, time=True)
    with nsiso.Popen(words, stdin=-1, stdout=-1, **options) as target:
        target.stdout.read(1)
        strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error=EIO"]
        for kinds in (["-U"], ["-U", "-p", "-m"], ["-U", "-T"]):
            where = [NSENTER, "-t", str(target.pid), *kinds, "-r", "-w"]
            done = subprocess.run([*strace, *where, "true"], capture_output=True, text=True, timeout=60)
            # With a child, the tool reports the failure. Without one, the tool is already the
            # process of the program.
            assert done.returncode == (1 if "-p" in kinds else 126) and "EIO" in done.stderr, (kinds, done)
        target.stdin.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="what root runs belongs to root in any case; the ordinary user's run shows it")
def test_the_host_cannot_be_looked_into_while_its_child_joins():
    """Otherwise root in the container could control the helper, which still has the caller's
    privileges.
    """
    with nsiso.Popen(["sh", "-c", "echo; exec cat"], stdin=-1, stdout=-1, map_root=True, pid=True) as target:
        target.stdout.read(1)
        strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=setns", "-e", "inject=setns:delay_exit=400000"]
        host = subprocess.Popen([*strace, NSENTER, "-t", str(target.pid), "-U", "-p", "true"])
        flags = set()
        while host.poll() is None:
            for pid in (helper for tool in children(host.pid) for helper in children(tool)):
                try:
                    flags.add(os.stat(f"/proc/{pid}/mem").st_uid)
                except OSError:
                    pass
            time.sleep(0.01)
        assert host.returncode == 0 and 0 in flags
        target.stdin.close()


def test_the_program_waits_until_its_init_process_shares_no_memory():
    """PID 1 shares the caller's memory until its exec. The program has the same privileges and
    could read that memory.
    """
    code = "import nsiso; nsiso.run(['cat', '/proc/1/cmdline'], map_root=True, init=True, mount_proc=True)"
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=execveat", "-e", "inject=execveat:delay_enter=300000"]
    done = subprocess.run([*strace, sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.stdout.startswith(b"nsiso-init\0"), done


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
