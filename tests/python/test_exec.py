"""Tests `nsiso.execvp`: the interpreter becomes the program."""

import os
import signal
import subprocess
import sys

import nsiso
import pytest


def host(program, *, args=(), **options):
    """Runs `program` in a Python process and returns the process and its output."""
    command = [sys.executable, "-c", "import nsiso, os, sys\n" + program, *map(str, args)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
    with subprocess.Popen(command, text=True, **options) as process:
        process.output, process.errors = process.communicate(timeout=60)
    return process


def output(program, **options):
    done = host(program, **options)
    assert done.returncode == 0 and not done.errors, (done.returncode, done.errors)
    return done.output.split()


def test_the_pid_stays():
    done = host("nsiso.execvp(['sh', '-c', 'echo $$ $PPID'], user=True)")
    assert done.output.split() == [str(done.pid), str(os.getpid())]


def test_new_kinds_ids_and_names():
    line = "hostname; id -u; readlink /proc/self/ns/net"
    seen = output(f"nsiso.execvp(['sh', '-c', '{line}'], map_root=True, hostname='inside', net=True)")
    assert seen[:2] == ["inside", "0"] and seen[2] != os.readlink("/proc/self/ns/net")


def test_the_children_are_in_a_new_pid_namespace():
    assert output("nsiso.execvp(['sh', '-c', 'sh -c \"echo \\\\$\\\\$\"; :'], map_root=True, pid=True)") == ["1"]


def test_joined_kinds():
    with nsiso.Popen(["sh", "-c", "echo; exec cat"], stdin=-1, stdout=-1, map_root=True, hostname="there") as target:
        target.stdout.read(1)
        program = "nsiso.execvp(['sh', '-c', 'hostname; id -u'], join=int(sys.argv[1]))"
        assert output(program, args=[target.pid]) == ["there", "0"]
        target.stdin.close()


REFUSED = {
    "init=True": "init process",
    "sandbox=True": "init process",
    "deadline=1": "init process",
    "sync_fds=(0, 1)": "waiting for the caller",
    "uplink=True": "uplink",
    "pid=True, mount_proc=True": "fresh proc",
}


@pytest.mark.parametrize("options", REFUSED)
def test_what_takes_a_parent_is_refused_and_nothing_has_changed(options):
    program = f"""
import signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
state = lambda: (os.listdir("/proc/self/fd"), os.get_inheritable(0), os.get_inheritable(fd), signal.pthread_sigmask(signal.SIG_BLOCK, []))
fd = os.open("/dev/null", os.O_RDONLY)
before = state()
try:
    nsiso.execvp(["true"], pass_fds=[fd], map_root=True, {options})
except nsiso.ArgumentError as error:
    assert {REFUSED[options]!r} in str(error) and "spawn" in error.hint, (error, error.hint)
    assert state() == before, (state(), before)
    print("refused")
"""
    assert output(program) == ["refused"]


def test_keywords_of_popen_alone_are_refused():
    with pytest.raises(TypeError, match="nsiso.Options.*bufsize"):
        nsiso.execvp(["true"], bufsize=1)


def test_other_threads_end():
    program = """
import threading, time
for _ in range(5):
    threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
thread = threading.Thread(target=nsiso.execvp, args=(["sh", "-c", "echo $$; ls /proc/$$/task"],), kwargs=dict(map_root=True))
thread.start()
thread.join()
"""
    done = host(program)
    assert done.output.split() == [str(done.pid)] * 2 and done.returncode == 0, done.errors


RANGES = "uid_map=[(0, os.geteuid(), 1), (1, 100000, 10)], gid_map=[(0, os.getegid(), 1), (1, 100000, 10)]"


def test_ranges_take_a_process_with_one_thread():
    program = f"""
import threading, time
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
try:
    nsiso.execvp(["true"], {RANGES})
except nsiso.ArgumentError as error:
    print(error)
    sys.stdout.flush()
    os._exit(0)
"""
    assert "one thread" in " ".join(output(program))


def test_ranges():
    look = "import os\nprint(len(open('/proc/self/uid_map').readlines()))\ntry: os.waitpid(-1, os.WNOHANG)\nexcept ChildProcessError: print('none')"
    done = host(f"nsiso.execvp([sys.executable, '-c', {look!r}], {RANGES})")
    if os.geteuid() == 0:
        assert done.output.split() == ["2", "none"], done.errors
    else:
        assert done.returncode == 126 and "gid_map" in done.errors and "/etc/subgid" in done.errors, done.errors


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        ("['/does/not/exist']", 127, ["execute /does/not/exist", "ENOENT"]),
        ("['/etc/passwd']", 126, ["execute /etc/passwd", "EACCES"]),
        ("['true'], cwd='/does/not/exist'", 126, ["/does/not/exist", "ENOENT"]),
        ("['true'], map_root=True, gid=77", 126, ["become gid 77", "EINVAL"]),
    ],
)
def test_what_fails_later_is_told_on_descriptor_2(arguments, code, said):
    done = host(f"nsiso.execvp({arguments})")
    assert done.returncode == code and all(words in done.errors for words in said), done.errors
    assert done.errors.count("\n") == 1 and not done.output


def test_a_missing_interpreter_is_an_exception(tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    program = "try: nsiso.execvp([sys.argv[1]])\nexcept nsiso.Error as error: print(error.errno, error)"
    seen = output(program, args=[script])
    assert seen[0] == "2" and "/no/such/interpreter" in " ".join(seen)


def test_signals():
    program = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
for ignored_in_the_background_of_a_shell in signal.SIGINT, signal.SIGQUIT:
    signal.signal(ignored_in_the_background_of_a_shell, signal.SIG_DFL)
signal.signal(signal.SIGUSR1, lambda *_: None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
nsiso.execvp(["cat", "/proc/self/status"], map_root=True)
"""
    lines = dict(line.split(":\t", 1) for line in host(program).output.splitlines() if line.startswith("Sig"))
    # Under make, the signals of the C library are ignored too.
    ignored = int(lines["SigIgn"], 16) & 0x7FFFFFFF
    assert ignored == 1 << signal.SIGHUP - 1, "Python's SIGPIPE is at its default"
    assert int(lines["SigBlk"], 16) == int(lines["SigCgt"], 16) == 0


def test_descriptors():
    program = """
one, two, rest = (os.memfd_create(name) for name in ("one", "two", "rest"))
os.write(one, b"one "), os.write(two, b"two "), os.lseek(one, 0, 0), os.lseek(two, 0, 0)
os.set_inheritable(rest, True)
nsiso.execvp(["sh", "-c", f"cat; cat <&{one}; cat <&{two}; ls /proc/$$/fd; :"], pass_fds={one: two, two: one})
"""
    read, write = os.pipe()
    os.write(write, b"input ")
    os.close(write)
    assert output(program, stdin=read) == ["input", "two", "one", "0", "1", "2", "3", "4"]
    os.close(read)


def test_the_environment():
    assert output("nsiso.execvp(['sh', '-c', 'echo $A $HOME'], env={'A': 'b'})") == ["b"]
