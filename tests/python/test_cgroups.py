"""Tests limits that cgroups enforce, from Python and from the command line."""

import os
import signal
import subprocess
import sys
import time

import nsiso
import pytest


def why_not():
    try:
        nsiso.run(["true"], limits=nsiso.Limits(pids=100))
    except nsiso.Error as error:
        assert os.geteuid() != 0 and "Delegate=yes" in error.hint, error
        return str(error)


WHY_NOT = why_not()
limited = pytest.mark.skipif(WHY_NOT is not None, reason=WHY_NOT or "")
HOG = ["python3", "-c", "x = bytearray(200_000_000); print(len(x))"]


@limited
def test_memory_is_limited_and_said_so():
    with nsiso.Popen(HOG, limits=nsiso.Limits(memory="32M"), stdout=nsiso.DEVNULL) as process:
        assert process.wait() == -signal.SIGKILL and process.out_of_memory
        assert process.resources().oom_kills == 1 and process.resources().peak_memory <= 33 << 20
    with nsiso.Popen(HOG, limits=nsiso.Limits(memory="1G"), sandbox=True, stdout=nsiso.DEVNULL) as process:
        assert process.wait() == 0 and not process.out_of_memory and process.resources().peak_memory > 150 << 20


@limited
def test_a_group_is_counted_frozen_changed_and_killed():
    spin = "import threading\nfor n in range(3): threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()"
    options = dict(limits=nsiso.Limits(cpu=0.3, pids=64), map_root=True, deadline=60)
    with nsiso.Popen(["python3", "-c", spin], **options) as process:
        # Three threads, the program's main thread, and the init process.
        while process.resources().pids < 5:
            time.sleep(0.05)
        process.freeze()
        before = process.resources().cpu_time
        time.sleep(0.2)
        assert process.resources().cpu_time - before < 0.02
        for pressure in process.resources()[-3:]:
            assert pressure is None or 0 <= pressure.some.avg10 <= 100 and pressure.some.total >= 0
        process.thaw()
        process.set_limits(nsiso.Limits(cpu=1.5))
        time.sleep(0.2)
        assert process.resources().cpu_time > before
        process.kill_group()
        assert process.wait() == -signal.SIGKILL
    with nsiso.Popen(["true"]) as process:
        with pytest.raises(nsiso.Error, match="none of its own"):
            process.resources()


@limited
def test_many_leave_no_group():
    def groups():
        found = subprocess.run(["find", "/sys/fs/cgroup", "-name", f"nsiso-{os.getpid()}.*"], capture_output=True, text=True)
        return found.stdout.split()

    for _ in range(100):
        nsiso.run(["true"], limits=nsiso.Limits(pids=10, memory="100M"), map_root=True, init=True)
    assert groups() == []
    # The next call that uses limits removes the cgroups of a killed caller.
    code = "import nsiso, os, time; nsiso.Popen(['true'], limits=nsiso.Limits(pids=10)); time.sleep(.2); os.kill(os.getpid(), 9)"
    host = subprocess.Popen([sys.executable, "-c", code])
    host.wait()
    find = ["find", "/sys/fs/cgroup", "-name", f"nsiso-{host.pid}.*"]
    nsiso.run(["true"], limits=nsiso.Limits())
    assert subprocess.run(find, capture_output=True).stdout == b""


BORN = """
import nsiso
done = nsiso.run(["cat", "/proc/self/cgroup"], limits=nsiso.Limits(pids=50), capture_output=True, text=True)
print(sorted(line.split(":")[1] for line in done.stdout.splitlines() if "/nsiso-" in line))
"""


@limited
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="clone(2) has no bit for it")
def test_a_program_is_born_in_its_group_or_goes_there(tmp_path):
    log = tmp_path / "log"
    strace = ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=clone3"]
    born = subprocess.run([*strace, sys.executable, "-c", BORN], capture_output=True, text=True)
    assert "'pids'" in born.stdout or "''" in born.stdout, born
    with nsiso.Popen(["cat", "/proc/self/cgroup"], limits=nsiso.Limits(), stdout=nsiso.PIPE, text=True) as process:
        in_v2 = any(line.startswith("0::/") and "/nsiso-" in line for line in process.stdout)
    assert ("CLONE_INTO_CGROUP" in log.read_text()) == in_v2
    for error in ("ENOSYS", "EPERM", "EACCES:when=1", "EAGAIN:when=1"):
        gone = subprocess.run([*strace, "-e", f"inject=clone3:error={error}", sys.executable, "-c", BORN], capture_output=True, text=True)
        assert gone.stdout == born.stdout, (error, gone)


@limited
def test_limits_from_the_shell():
    words = [sys.executable, "-m", "nsiso", "run", "--memory", "32M", "--pids", "50", "--", *HOG]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 128 + signal.SIGKILL and done.stdout == ""


def run_words(*words):
    return subprocess.run([sys.executable, "-m", "nsiso", "run", *words], capture_output=True, text=True)


def test_every_limit_is_an_option_of_the_shell_too():
    told = run_words("--help").stdout
    for name in nsiso.Limits.__dataclass_fields__:
        option = "--cgroup-parent" if name == "parent" else "--" + name.replace("_", "-")
        assert f"  {option} " in told, name


@limited
def test_options_are_what_the_group_gets():
    words = ["--cpu", "0.5", "--cpu-weight", "50", "--cpus", "0", "--pids", "7", "--memory", "64M", "--", "sh", "-c"]
    done = run_words(*words, "grep Cpus_allowed_list /proc/self/status; for n in 1 2 3 4 5 6 7 8; do sleep 1 & done")
    assert done.stdout.split() == ["Cpus_allowed_list:", "0"] and "fork" in done.stderr, done


@pytest.mark.parametrize(
    "words, text",
    [
        (["--memory", "lots"], "limits.memory: expected a size in bytes"),
        (["--cpu", "half"], "--cpu: invalid float value: 'half'"),
        (["--io", "/dev/vda"], "is not like /dev/vda:rbps=10M"),
        (["--io", "/dev/vda:speed=1"], "unknown key"),
        (["--io", "/proc:rbps=1"], "no block device"),
        (["--huge-pages", "2MB"], "is not like 2MB=64M"),
        (["--cgroup-parent", "/tmp"], "/tmp"),
    ],
)
def test_bad_options_are_told_apart(words, text):
    done = run_words(*words, "true")
    assert done.returncode != 0 and text in done.stderr and "Traceback" not in done.stderr, done


@pytest.mark.skipif(WHY_NOT is None, reason="limits work here")
def test_what_is_missing_is_said():
    assert "cgroup" in WHY_NOT and "rlimits" in WHY_NOT


@pytest.mark.parametrize(
    "limits, kind, text",
    [
        (dict(cpu=0), nsiso.ArgumentError, "share of processors"),
        (dict(cpu_weight=0), nsiso.ArgumentError, "is no weight"),
        (dict(cpus="x"), nsiso.ArgumentError, "list of processors"),
        (dict(memory="lots"), nsiso.ArgumentError, "limits.memory: expected a size in bytes"),
        (dict(io={"/proc": {"rbps": 1}}), nsiso.ArgumentError, "no block device"),
        (dict(io={"/dev/null": {"speed": 1}}), nsiso.ArgumentError, "unknown key \"speed\""),
        (dict(io={"/does/not/exist": {"rbps": 1}}), FileNotFoundError, "/does/not/exist"),
    ],
)
def test_bad_limits_are_told_apart(limits, kind, text):
    with pytest.raises(kind, match=text):
        nsiso.run(["true"], limits=nsiso.Limits(**limits))
    with pytest.raises(TypeError, match="limits: expected an object"):
        nsiso.run(["true"], limits="256M")


@limited
def test_what_a_killed_host_has_frozen_is_thawed_and_ends():
    code = "import nsiso, os; p = nsiso.Popen(['sleep', '1004'], sandbox=True, limits=nsiso.Limits(), stdout=nsiso.DEVNULL, stderr=nsiso.DEVNULL); p.freeze(); print(p.pid, flush=True); os.kill(os.getpid(), 9)"
    pid = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
    for _ in range(200):
        # The next call that uses limits removes the cgroups of killed callers.
        nsiso.run(["true"], limits=nsiso.Limits())
        if not os.path.exists(f"/proc/{pid}"):
            return
        time.sleep(0.02)
    pytest.fail(f"{pid} is still there")
