"""Tests examples/c/nsenter.c and unshare --TYPE=FILE, which do the work of nsenter(1) and
unshare(1) through libnsiso.
"""

import os
import subprocess

import nsiso
import pytest
from conftest import BUILD, run

NSENTER, UNSHARE = BUILD / "bin/nsenter", BUILD / "bin/unshare"
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="keeping a namespace takes root")
LINKS = [f"/proc/self/ns/{kind}" for kind in ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup")]


@pytest.fixture
def target(tmp_path):
    words = ["sh", "-c", "cd /usr; export COLOUR=blue; echo; exec cat"]
    kinds = dict(user=True, pid=True, mnt=True, net=True, ipc=True, uts=True, time=True, cgroup=True)
    with nsiso.Popen(words, stdin=-1, stdout=-1, map_root=True, mount_proc=True, cwd="/", **kinds) as process:
        process.stdout.read(1)
        # /proc/PID/environ shows the environment at exec, so the tests see the variables of the
        # shell.
        yield process
        process.stdin.close()


def lines(*words):
    done = run(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_all_namespaces_of_a_target(target):
    wanted = [os.readlink(f"/proc/{target.pid}/ns/{link.rsplit('/', 1)[1]}") for link in LINKS]
    assert lines(NSENTER, "-t", target.pid, "-a", "readlink", *LINKS) == wanted
    assert lines("nsenter", "-t", target.pid, "--preserve-credentials", "-U", "-p", "-m", "-n", "-i", "-u", "-T", "-C", "readlink", *LINKS) == wanted
    inode = os.stat(target.fileno()).st_ino
    assert lines(NSENTER, "-t", f"{target.pid}:{inode}", "-U", "-n", "readlink", LINKS[3]) == wanted[3:4]


def test_single_kinds_and_files(target):
    net = os.readlink(f"/proc/{target.pid}/ns/net")
    assert lines(NSENTER, f"--target={target.pid}", "--user", "--net", "readlink", LINKS[3]) == [net]
    files = [f"--user=/proc/{target.pid}/ns/user", f"-n/proc/{target.pid}/ns/net"]
    assert lines(NSENTER, *files, "readlink", LINKS[3]) == [net]
    assert lines(NSENTER, *files, "sh", "-c", "echo $0", "-x") == ["-x"]


@root_only
def test_the_cgroup_of_a_target(target):
    mounts = [line.split() for line in open("/proc/self/mounts")]
    group = next(words[1] for words in mounts if words[2] == "cgroup2") + f"/nsiso-test-{os.getpid()}"
    os.mkdir(group)
    try:
        with open(f"{group}/cgroup.procs", "w") as procs:
            procs.write(str(target.pid))
        line = next(line for line in open(f"/proc/{target.pid}/cgroup") if line.startswith("0::"))
        assert line.strip() in lines(NSENTER, "-t", target.pid, "-c", "-U", "cat", "/proc/self/cgroup")
    finally:
        target.kill()
        target.wait()
        os.rmdir(group)


def test_ids(target):
    assert lines(NSENTER, "-t", target.pid, "-U", "id", "-u") == ["0"]
    assert lines(NSENTER, "-t", target.pid, "-U", "--preserve-credentials", "id", "-u") == ["0"]
    assert lines(NSENTER, "-t", target.pid, "-U", "-S", "follow", "-G", "follow", "id", "-u") == ["0"]
    done = run(NSENTER, "-t", target.pid, "-U", "-S", "77", "true")
    assert done.returncode == 126 and "become uid 77: Invalid argument" in done.stderr
    done = run(NSENTER, "-t", target.pid, "-U", "-p", "-S", "77", "true")
    assert done.returncode == 1 and "no mapping" in done.stderr


def test_root_directory_working_directory_and_environment(target):
    assert lines(NSENTER, "-t", target.pid, "-U", "-m", "-p", "-w", "pwd") == ["/usr"]
    assert lines(NSENTER, "-t", target.pid, "-U", "-m", "-p", "-r", "-W", "/proc", "pwd") == ["/proc"]
    assert lines(NSENTER, "-t", target.pid, "-U", "-m", "-p", "-r", "-w/", "pwd") == ["/"]
    assert lines(NSENTER, "-t", target.pid, "-U", "-e", "sh", "-c", "echo $COLOUR") == ["blue"]


def test_exit_codes_and_words(target):
    assert run(NSENTER, "-t", target.pid, "-U", "-p", "sh", "-c", "exit 9").returncode == 9
    assert run(NSENTER, "-t", target.pid, "-U", "-p", "sh", "-c", "kill -TERM $$").returncode == 128 + 15
    assert run(NSENTER, "-t", target.pid, "-U", "sh", "-c", "kill -TERM $$").returncode == -15
    assert lines(NSENTER, "-t", target.pid, "-U", "-p", "-F", "sh", "-c", "readlink /proc/self/ns/pid") == [
        os.readlink(f"/proc/{target.pid}/ns/pid")
    ]
    assert run(NSENTER, "-t", target.pid, "-U", "/does/not/exist").returncode == 127
    assert run(NSENTER, "-t", target.pid, "-U", "-p", "/does/not/exist").returncode == 127
    for words, said in [
        (["-n", "true"], "no target process"),
        (["-t", "x", "-n", "true"], "is no process id"),
        (["-t", "4194303", "-n", "true"], "No such process"),
        (["-t", f"{target.pid}:1", "-n", "true"], "not the one meant"),
        (["--net=/dev/null", "true"], "is no namespace"),
        (["-t", target.pid, "-Z", "true"], "SELinux"),
    ]:
        done = run(NSENTER, *words)
        assert (done.returncode, said in done.stderr) == (1, True), (words, done.stderr)


@root_only
@pytest.mark.parametrize("theirs", [False, True], ids=["entered by ours", "entered by nsenter(1)"])
def test_unshare_keeps_a_namespace(tmp_path, theirs):
    net, uts = tmp_path / "net", tmp_path / "uts"
    net.touch()
    assert run(UNSHARE, f"--net={net}", f"--uts={uts}", "hostname", "kept").returncode == 0
    try:
        tool = "nsenter" if theirs else NSENTER
        assert lines(tool, f"--net={net}", f"--uts={uts}", "hostname") == ["kept"]
        assert lines(UNSHARE, "-p", "--fork", "sh", "-c", "echo $$") == ["1"]
    finally:
        nsiso.unpin(net)
        nsiso.unpin(uts)


@root_only
def test_what_unshare_1_keeps_is_entered(tmp_path):
    net = tmp_path / "net"
    net.touch()
    assert run("unshare", f"--net={net}", "true").returncode == 0
    try:
        seen = lines(NSENTER, f"--net={net}", "readlink", "/proc/self/ns/net")
        assert seen == [f"net:[{os.stat(net).st_ino}]"]
    finally:
        subprocess.run(["umount", net], check=True)
