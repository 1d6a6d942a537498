"""Tests `python -m nsiso run`: what the program inherits, and the exit codes."""

import os
import pty
import select
import signal
import subprocess
import sys

import pytest

RUN = [sys.executable, "-m", "nsiso", "run"]


def run(*words, **options):
    return subprocess.run([*RUN, *words], capture_output=True, text=True, timeout=60, **options)


LOOK = """
import os, sys
print(*os.listdir("/proc/self/fd"))
for fd in map(int, sys.argv[1:]):
    try: print(os.read(fd, 1000).decode())
    except OSError: print("closed")
"""


def test_a_sandbox_gets_no_descriptor_that_is_not_named():
    with open("/etc/passwd") as secret, open("/etc/hostname") as named:
        one, two = str(secret.fileno()), str(named.fileno())
        look, fds = ["--", "/usr/bin/python3", "-c", LOOK, one, two], dict(pass_fds=(int(one), int(two)))
        assert run("--sandbox", *look, **fds).stdout.split("\n")[:3] == ["0 1 2 3", "closed", "closed"]
        done = run("--sandbox", "--pass-fd", two, *look, **fds)
        assert done.stdout.split("\n")[1:3] == ["closed", open("/etc/hostname").read().strip()], done
        named.seek(0)
        # Without --sandbox, open descriptors are inherited as with unshare(1).
        assert "root:" in run("-r", *look, **fds).stdout


@pytest.mark.parametrize(
    "words, code, text",
    [
        (["--sandbox", "--deadline", "0.3", "--", "sleep", "1000"], 124, "the deadline has expired"),
        (["-r", "--deadline", "0", "--", "true"], 125, "deadline"),
        (["-r", "--hostnam", "box", "--", "true"], 125, "unknown option --hostnam: did you mean --hostname?"),
        (["-r", "--rlimit", "as", "--", "true"], 125, "is not like as=512M"),
        (["-r", "--rlimit", "as=many", "--", "true"], 125, "rlimits.as: expected a number, a size"),
        (["--spec", "/no/such.json", "--", "true"], 125, "/no/such.json: No such file or directory"),
        (["-r", "--ro-bind", "/does/not/exist", "--", "true"], 125, "/does/not/exist"),
        (["--share", "net", "--", "true"], 125, "without --sandbox"),
        (["-r", "--", "no-such-program"], 127, "no-such-program"),
        (["-r", "--", "/etc/passwd"], 126, "permission"),
        (["--sandbox", "--deadline", "60", "--", "sh", "-c", "exit 9"], 9, ""),
        (["--sandbox", "--", "sh", "-c", "kill -9 $$"], 137, ""),
    ],
)
def test_it_ends_with_the_programs_code_or_one_that_tells_of_its_own_failure(words, code, text):
    done = run(*words)
    assert done.returncode == code and text in done.stderr and (text or not done.stderr), done


def test_resource_limits_have_sizes():
    done = run("-r", "--rlimit", "as=512M", "--rlimit", "nofile=64:128", "--", "sh", "-c", "ulimit -v; ulimit -n; ulimit -Hn")
    assert done.stdout.split() == ["524288", "64", "128"], done


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_goes_to_the_program(number):
    script = f"trap 'echo told; exit 3' {number.name[3:]}; echo ready; while :; do sleep 0.01; done"
    command = [*RUN, "-r", "--pid", "--init", "--", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.read() == "told\n" and process.wait() == 3


def test_a_second_signal_kills():
    command = [*RUN, "-r", "--pid", "--init", "--", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.01; done"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGKILL


def test_an_ignored_signal_stays_ignored():
    command = ["sh", "-c", 'trap "" HUP; "$@"', "sh", *RUN, "-r", "--", "sh", "-c", "echo ready; read line"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGHUP)
        process.stdin.write("on\n")
        process.stdin.close()
        assert process.wait() == 0


def test_a_shell_in_a_sandbox_has_job_control():
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [*RUN, "--sandbox", "--", "env", "PS1=ready:", "sh", "-i"])
    shown = b""

    def until(text, again=b""):
        nonlocal shown
        while text not in shown:
            if select.select([terminal], [], [], 1)[0]:
                shown += os.read(terminal, 1000)
            else:
                # The shell may have been between two programs when the signal came, so send it
                # again.
                os.write(terminal, again)

    until(b"ready:")
    os.write(terminal, b"echo be$((1))gun; sleep 1000\n")
    until(b"be1gun")
    # Ctrl-C ends only the program in the foreground.
    shown = shown[shown.index(b"be1gun") :]
    os.write(terminal, b"\x03")
    until(b"ready:", b"\x03")
    os.write(terminal, b"echo $((40 + 2)); exit 7\n")
    until(b"42")
    assert b"can't access tty" not in shown and os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7, shown
    os.close(terminal)


@pytest.mark.parametrize("how", [["--sandbox"], ["-r"]])
def test_an_interrupt_goes_on_to_the_program(how):
    script = "trap 'exit 33' INT; echo ready; while :; do sleep 0.1; done"
    command = subprocess.Popen([*RUN, *how, "--", "sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    assert command.stdout.readline() == b"ready\n"
    command.send_signal(signal.SIGINT)
    assert command.wait(20) == 33


def test_a_terminal_of_its_own_on_wish():
    done = run("-r", "--pty", "--", "sh", "-c", "test -t 0 && test -t 1 && echo on a terminal", stdin=subprocess.DEVNULL)
    assert done.returncode == 0 and "on a terminal" in done.stdout, done
