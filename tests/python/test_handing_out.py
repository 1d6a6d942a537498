"""Tests that the start and the end of a program lose no process or descriptor, and that everything
known about the program's end is reported.
"""

import gc
import os
import random
import signal
import time

import nsiso
import pytest


class Interrupted(Exception):
    pass


def interrupt(*_):
    raise Interrupted


def children():
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return file.read().split()


@pytest.mark.parametrize("keywords", [{}, dict(map_root=True, init=True), dict(sandbox=True)])
def test_an_exception_of_a_signal_handler_leaves_no_program_behind(keywords):
    before = signal.signal(signal.SIGALRM, interrupt)
    known = children()
    try:
        for _ in range(200):
            try:
                try:
                    # The signal comes between the start of the spawn and some time after the
                    # program has started. It is repeated, because Python notices a signal that
                    # comes just before poll(2) only at the next one.
                    signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0001, 0.006), 1)
                    nsiso.run(["sleep", "1000"], capture_output=True, **keywords)
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupted:
                pass
    finally:
        signal.signal(signal.SIGALRM, before)
    gc.collect()
    assert children() == known


def test_a_constructor_that_is_interrupted_kills_what_it_has_started(monkeypatch):
    """An exception is raised as if a signal had come just after the spawn."""
    spawned = []

    def spawn(process):
        spawned.append(process.pid)
        raise Interrupted

    monkeypatch.setattr(nsiso.Popen, "_outlives", property(spawn))
    known = children()
    with pytest.raises(Interrupted) as caught:
        nsiso.Popen(["sleep", "1000"])
    # The program is killed although the traceback still holds the Popen object.
    assert caught.value.__traceback__ and spawned and children() == known


def test_a_program_outlives_its_object():
    pid = nsiso.Popen(["sleep", "1000"]).pid
    gc.collect()
    os.kill(pid, 0)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def terminals():
    return [fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}") and "ptmx" in os.readlink(f"/proc/self/fd/{fd}")]


def test_a_terminal_that_nobody_takes_is_closed():
    before = terminals()
    with nsiso.Popen(["true"], pty=True):
        pass
    process = nsiso.Popen(["true"], pty=True)
    process.wait()
    del process
    gc.collect()
    assert terminals() == before
    with nsiso.Popen(["echo", "word"], pty=True) as process, open(process.pty, "r+b", buffering=0) as terminal:
        assert b"word" in terminal.read(100)
    assert terminals() == before


def test_run_refuses_what_nobody_would_read_from():
    with pytest.raises(TypeError, match="pty is for nsiso.Popen"):
        nsiso.run(["true"], pty=True)


def test_the_result_says_that_the_deadline_was_over():
    done = nsiso.run(["sleep", "1000"], map_root=True, deadline=0.2)
    assert isinstance(done, nsiso.CompletedProcess) and isinstance(done, nsiso.Completed)
    assert done.timed_out and not done.out_of_memory and done.returncode == -signal.SIGKILL and "timed_out=True" in repr(done)
    done = nsiso.Sandbox().run(["true"], deadline=60)
    assert not done.timed_out and done.usage.peak_memory > 0 and "timed_out" not in repr(done)


def test_a_timeout_kills_and_is_told():
    start = time.monotonic()
    known = children()
    with pytest.raises(nsiso.TimeoutExpired):
        nsiso.run(["sleep", "1000"], sandbox=True, timeout=0.1)
    assert children() == known and time.monotonic() - start < 900


def test_a_fork_of_the_caller_is_told_that_it_cannot_wait():
    with nsiso.Popen(["cat"], stdin=nsiso.PIPE) as process:
        reading, writing = os.pipe()
        fork = os.fork()
        if fork == 0:
            process.kill()
            try:
                process.wait()
            except nsiso.Error as error:
                os.write(writing, error.hint.encode())
            finally:
                os._exit(0)
        os.close(writing)
        os.waitpid(fork, 0)
        assert b"this process is a fork of the caller" in os.read(reading, 1000)
        os.close(reading)
