"""Tests existing namespaces from Python: opened, joined, entered, called into and kept."""

import gc
import os
import pathlib
import shutil
import socket
import subprocess
import threading

import nsiso
import pytest

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="a thread enters namespaces as root alone")
KINDS = ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup")


def inode(pid, kind):
    return os.stat(f"/proc/{pid}/ns/{kind}").st_ino


@pytest.fixture
def target():
    kinds = {kind: True for kind in KINDS}
    with nsiso.Popen(["sh", "-c", "echo; exec cat"], stdin=-1, stdout=-1, map_root=True, mount_proc=True, **kinds) as process:
        process.stdout.read(1)
        yield process
        process.stdin.close()


@pytest.fixture
def privileged():
    """Namespaces that a thread of root may enter."""
    kinds = dict(net=True, uts=True, mnt=True)
    with nsiso.Popen(["sh", "-c", "echo; exec cat"], stdin=-1, stdout=-1, hostname="blue", **kinds) as process:
        process.stdout.read(1)
        yield process
        process.stdin.close()


def test_a_namespace_is_an_object(target):
    net = nsiso.Namespace.of(target, "net")
    with nsiso.Namespace.of(target.pid, "net") as same, nsiso.Namespace.own("net") as own:
        assert net == same and hash(net) == hash(same) and net != own and net != "net"
        assert net == nsiso.list("net").find(pid=target.pid, kind="net")
        assert repr(net) == f"<Namespace net:[{inode(target.pid, 'net')}]>" and (net.kind, net.inode) == ("net", inode(target.pid, "net"))
    with pytest.raises(ValueError, match="closed"):
        same.fileno()
    assert net.owner == nsiso.Namespace.of(target, "user") and net.parent is None and net.owner_uid is None
    assert net.owner.owner_uid == os.geteuid() and net.owner.parent == nsiso.Namespace.own("user")
    assert nsiso.Namespace(f"/proc/{target.pid}/ns/net") == net
    assert nsiso.Namespace.for_children(target, "pid") == nsiso.Namespace.of(target, "pid")
    assert not os.get_inheritable(net.fileno())
    fd = net.fileno()
    del net, same
    gc.collect()
    with pytest.raises(OSError):
        os.fstat(fd)


def test_all_of_a_process_is_joined(target):
    links = [f"/proc/self/ns/{kind}" for kind in KINDS]
    seen = nsiso.run(["readlink", *links], join=target, capture_output=True, text=True, check=True).stdout.split()
    assert seen == [f"{kind}:[{inode(target.pid, kind)}]" for kind in KINDS]
    ids = nsiso.run(["sh", "-c", "id -u; id -g; cat /proc/1/comm"], join=target.pid, capture_output=True, text=True).stdout
    assert ids.split() == ["0", "0", "cat"]


def test_some_of_a_process_and_new_ones_are_mixed(target):
    words = ["sh", "-c", "readlink /proc/self/ns/net; readlink /proc/self/ns/uts; hostname"]
    options = dict(join=(target, ["user", "net"]), hostname="inner", capture_output=True, text=True, check=True)
    net, uts, name = nsiso.run(words, **options).stdout.split()
    assert net == f"net:[{inode(target.pid, 'net')}]" and name == "inner"
    assert uts not in (f"uts:[{inode(target.pid, 'uts')}]", f"uts:[{inode(os.getpid(), 'uts')}]")
    with nsiso.Namespace.of(target, "user") as user, nsiso.Namespace.of(target, "ipc") as ipc:
        seen = nsiso.run(["readlink", "/proc/self/ns/ipc"], join=[user, ipc], capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == f"ipc:[{inode(target.pid, 'ipc')}]"


def test_the_clock_of_a_process_is_joined():
    words = ["sh", "-c", "cut -d. -f1 /proc/uptime"]
    with nsiso.Popen(["sh", "-c", "echo; exec cat"], stdin=-1, stdout=-1, map_root=True, boottime=10**6) as process:
        process.stdout.read(1)
        heap = bytearray(b"x" * 500_000_000)
        done = nsiso.run(words, join=(process, ["user", "time"]), capture_output=True, check=True)
        assert int(done.stdout) > 10**6 and len(heap)
        done = nsiso.run(words, join=(process, ["user", "time"]), pid=True, mount_proc=True, capture_output=True, check=True)
        assert int(done.stdout) > 10**6
        process.stdin.close()


def test_a_process_is_named_in_words(target):
    with nsiso.Pidfd(target.pid) as pidfd:
        assert nsiso.Namespace.of(pidfd, "net") == nsiso.Namespace.of(target, "net")
        inode = pidfd.inode
    with pytest.raises(ValueError, match="closed"):
        pidfd.fileno()
    with nsiso.Pidfd(target.pid, inode) as pidfd:
        assert nsiso.run(["true"], join=(pidfd, "user")).returncode == 0
    # The pid belongs to another process now, as far as can be seen: the inode differs.
    with pytest.raises(nsiso.NoProcessError, match="not the one meant"):
        nsiso.Pidfd(os.getpid(), inode)
    with pytest.raises(ProcessLookupError):
        nsiso.Pidfd(2**22 - 1, inode)


def test_many_threads_join_at_a_time(target):
    failures = []

    def work():
        for _ in range(20):
            done = nsiso.run(["sh", "-c", "id -u; exit 5"], join=target, capture_output=True)
            if (done.returncode, done.stdout) != (5, b"0\n"):
                failures.append(done)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_joins_leave_no_descriptor(target):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        nsiso.run(["true"], join=[(target, "user"), f"/proc/{target.pid}/ns/net"], check=True)
        with pytest.raises(nsiso.NotFoundError):
            nsiso.run(["/does/not/exist"], join=(target, ["user", "pid"]))
    assert len(os.listdir("/proc/self/fd")) == before


def test_bad_targets_are_told_apart(target, tmp_path):
    with pytest.raises(nsiso.ArgumentError, match="is no namespace"):
        nsiso.Namespace("/dev/null")
    with pytest.raises(nsiso.NotFoundError):
        nsiso.Namespace.named("nsiso-none")
    with pytest.raises(ProcessLookupError):
        nsiso.Namespace.of(2**22 - 1, "net")
    with pytest.raises(ValueError, match="no kind of namespace"):
        nsiso.Namespace.of(target, "disk")
    with pytest.raises(TypeError, match="is no process"):
        nsiso.run(["true"], join=object())
    with pytest.raises(ValueError, match=r"join\[0\].kinds\[0\]: unknown value"):
        nsiso.run(["true"], join=(target, ["nut"]))
    with pytest.raises(nsiso.ArgumentError, match="no kind of namespace"):
        nsiso.run(["true"], join=(target, []))
    with pytest.raises(nsiso.ArgumentError, match="your own user namespace"):
        nsiso.run(["true"], join="/proc/self/ns/user")
    with pytest.raises(nsiso.ArgumentError, match="cannot both be joined"):
        nsiso.run(["true"], join=["/proc/self/ns/net", f"/proc/{target.pid}/ns/net"])
    with pytest.raises(TypeError, match="which namespaces"):
        with nsiso.enter(target):
            pass
    with pytest.raises(nsiso.Error, match="user namespace with a thread"):
        nsiso.call_in(target, print, kinds=["user"])
    ended = nsiso.Popen(["true"])
    ended.wait()
    with pytest.raises(nsiso.Error):
        nsiso.run(["true"], join=ended)


@root_only
def test_a_thread_enters_and_leaves(privileged):
    before = inode("thread-self", "net")
    seen = []
    with nsiso.enter(privileged, net=True, uts=True):
        assert inode("thread-self", "net") == inode(privileged.pid, "net") and socket.gethostname() == "blue"
        other = threading.Thread(target=lambda: seen.append(inode("thread-self", "net")))
        server = socket.socket()
        with nsiso.enter(nsiso.Namespace.of(privileged, "uts")):
            pass
        assert socket.gethostname() == "blue"
    with pytest.raises(KeyError):
        with nsiso.enter(privileged, net=True):
            raise KeyError
    assert inode("thread-self", "net") == before
    other.start()
    other.join()
    assert seen == [before]
    with server:
        assert nsiso.Namespace.of_socket(server).inode == inode(privileged.pid, "net")
    before = len(os.listdir("/proc/self/fd"))
    with nsiso.Namespace.of(privileged, "net") as net:
        for _ in range(1000):
            with nsiso.enter(net):
                pass
    assert len(os.listdir("/proc/self/fd")) == before


@root_only
def test_a_function_is_called_inside(privileged):
    def where(*links, prefix):
        return [prefix + os.readlink(f"/proc/thread-self/ns/{link}") for link in links]

    found = nsiso.call_in(privileged, where, "net", "mnt", kinds=["net", "mnt"], prefix=">")
    assert found == [f">{kind}:[{inode(privileged.pid, kind)}]" for kind in ("net", "mnt")]
    with pytest.raises(ZeroDivisionError):
        nsiso.call_in(privileged, lambda: 1 // 0, kinds=["net"])
    assert inode("thread-self", "net") == inode(os.getpid(), "net")


@root_only
def test_what_is_pinned_outlives_the_program_and_is_understood_by_others(tmp_path):
    path = tmp_path / "net"
    nsiso.run(["true"], pin={"net": path}, check=True)
    try:
        with nsiso.Namespace(path) as net:
            assert nsiso.list("net").find(inode=net.inode).paths == [str(path)]
            seen = subprocess.run(["nsenter", f"--net={path}", "readlink", "/proc/self/ns/net"], capture_output=True, text=True)
            assert seen.stdout.strip() == f"net:[{net.inode}]"
            again = tmp_path / "again"
            nsiso.pin(net, again)
            nsiso.unpin(again)
            assert not again.exists()
    finally:
        nsiso.unpin(path)
    assert not path.exists()
    with pytest.raises(nsiso.NotFoundError):
        nsiso.run(["/does/not/exist"], pin={"net": path})
    assert not path.exists()


@root_only
@pytest.mark.skipif(not shutil.which("ip"), reason="ip-netns(8) is not installed")
def test_names_are_those_of_ip_netns():
    name = f"nsiso-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        seen = nsiso.run(["readlink", "/proc/self/ns/net"], join=nsiso.Namespace.named(name), capture_output=True, text=True)
        with nsiso.enter(nsiso.Namespace.named(name)):
            assert seen.stdout.strip() == os.readlink("/proc/thread-self/ns/net")
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
    ours = pathlib.Path("/run/netns") / name
    nsiso.run(["true"], pin={"net": ours}, check=True)
    try:
        inside = subprocess.run(["ip", "netns", "exec", name, "readlink", "/proc/self/ns/net"], capture_output=True, text=True)
        with nsiso.Namespace(ours) as net:
            assert inside.stdout.strip() == f"net:[{net.inode}]", inside.stderr
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
    assert not ours.exists()
