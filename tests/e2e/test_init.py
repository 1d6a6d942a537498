"""Tests PID 1 of a new pid namespace, which is the program itself or the library's init process:
signals, orphans, and the end of the program.
"""

import os
import signal
import time

import nsiso
import pytest

INSIDE = dict(map_root=True, pid=True, mount_proc=True)
ORPHANS = """
import os, time
for _ in range(100):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
for _ in range(100):
    os.wait()
def zombies():
    states = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            states.append(open(f'/proc/{pid}/stat').read().rsplit(')', 1)[1].split()[0])
        except OSError:
            pass
    return states.count('Z')
# They may take a moment to end.
for _ in range(40 if REAPED else 3):
    time.sleep(0.05)
    if not zombies():
        break
print(zombies())
"""


@pytest.mark.parametrize("init", [True, False])
def test_orphans_are_reaped_by_the_init_process(init):
    """Without an init process, orphans become children of the program, which does not reap them."""
    code = ORPHANS.replace("REAPED", str(init))
    done = nsiso.run(["/usr/bin/python3", "-c", code], init=init, capture_output=True, text=True, timeout=60, **INSIDE)
    assert int(done.stdout) == 0 if init else int(done.stdout) > 50, done


def waiting(**keywords):
    """Starts a program that waits for the end of its input; returns when the program runs."""
    process = nsiso.Popen(["cat"], stdin=-1, stdout=-1, **INSIDE, **keywords)
    process.stdin.write(b"\n")
    process.stdin.flush()
    process.stdout.read(1)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSEGV])
def test_with_an_init_process_a_signal_ends_the_program(number):
    with waiting(init=True) as process:
        process.send_signal(number)
        assert process.wait(10) == -number
        process.stdin.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSEGV])
def test_without_one_the_kernel_ignores_it(number):
    with waiting() as process:
        process.send_signal(number)
        time.sleep(0.1)
        assert process.poll() is None
        assert process.communicate(b"alive")[0] == b"alive"


@pytest.mark.parametrize("keywords", [{}, {"init": True}], ids=["alone", "init"])
def test_a_kill_from_outside_ends_it_in_any_case(keywords):
    with waiting(**keywords) as process:
        process.kill()
        assert process.wait(10) == -signal.SIGKILL
        process.stdin.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_from_inside_the_init_process_cannot_be_ended(number):
    line = f"kill -{int(number)} 1; sleep 0.1; test -d /proc/1 && echo there"
    with nsiso.Popen(["sh", "-c", line], init=True, stdout=-1, text=True, **INSIDE) as process:
        try:
            # The init process forwards the signals that it receives.
            assert process.communicate(timeout=20)[0] == ("" if number == signal.SIGTERM else "there\n")
        finally:
            process.kill()


def test_the_end_of_the_program_is_the_end_of_all():
    mark = f"105.{os.getpid()}"
    assert nsiso.run(["sh", "-c", f"setsid sleep {mark} & exit 3"], init=True, **INSIDE).returncode == 3
    assert not any(mark in line for line in command_lines())


def command_lines():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as line:
                yield line.read()
        except OSError:
            pass


SABOTAGE = {
    # The init process cannot poll any more, so it ends the namespace without a report.
    "descriptors": "resource.prlimit(1, resource.RLIMIT_NOFILE, (1, 1)); time.sleep(100)",
    # The init process hardly runs, because the spinners have the processor. Their name is no text.
    "priority": "open('/proc/self/comm', 'wb').write(b') \\xff ('); os.sched_setscheduler(1, os.SCHED_IDLE, os.sched_param(0)); [os.fork() for _ in range(6)]\nwhile True: pass",
}


@pytest.mark.parametrize("how", SABOTAGE)
def test_a_program_that_hinders_the_init_process_still_ends_at_its_deadline(how):
    """The seccomp filter of the sandbox refuses that; here there is none."""
    program = f"import os, resource, time\n{SABOTAGE[how]}"
    done = nsiso.run(["/usr/bin/python3", "-c", program], deadline=2, cpus=[0], timeout=60, **INSIDE)
    assert done.timed_out and done.returncode != 0, done


def test_a_killed_program_has_not_timed_out():
    with nsiso.Popen(["sleep", "100"], init=True, deadline=1.5, **INSIDE) as process:
        process.kill()
        # Its end is collected after its deadline.
        time.sleep(2)
        assert process.wait() == -signal.SIGKILL and not process.timed_out
