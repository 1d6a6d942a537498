"""Tests the sandbox with single parts turned off: that part is gone, the rest holds, and parts that
cannot be turned off are refused with a clear message.
"""

import os
import socket
import sys
import tempfile

import nsiso
import pytest

PYTHON = "/usr/bin/python3"


def box(script, inside=None, **keywords):
    done = nsiso.Sandbox(**(inside or {})).run(["sh", "-c", script], capture_output=True, text=True, **keywords)
    return done.stdout


def test_without_an_init_process_the_program_is_the_first():
    assert box("echo $$; cat /proc/1/comm", dict(init=False)) == "1\nsh\n"
    assert "no init process" in repr(nsiso.Sandbox(init=False))
    assert box("echo $$; cat /proc/1/comm", dict(die_with_parent=False)).split()[0] == "2"


def test_new_privileges_and_user_namespaces_may_be_had():
    flag = "grep -c 'NoNewPrivs:.1' /proc/self/status"
    assert box(flag) == "1\n" and box(flag, dict(new_privs=True, landlock=False, seccomp=False)) == "0\n"
    make = "unshare -U true 2>/dev/null && echo made"
    assert box(make, dict(seccomp=False)) == "" and box(make, dict(seccomp=False, user_namespaces=True)) == "made\n"
    with pytest.raises(nsiso.ArgumentError, match="need new_privs to be off"):
        box("", dict(new_privs=True))
    # The order of the options does not matter.
    with pytest.raises(nsiso.ArgumentError, match="need new_privs to be off"):
        nsiso.run(["true"], new_privs=True, seccomp=True)


@pytest.mark.parametrize("kind", ["net", "ipc", "uts", "time", "cgroup"])
def test_kinds_that_can_be_shared_are(kind):
    assert box(f"readlink /proc/self/ns/{kind}", dict(share=[kind])).strip() == os.readlink(f"/proc/self/ns/{kind}")


@pytest.mark.parametrize(
    "keywords, error, text",
    [
        (dict(share=["pid"]), nsiso.ArgumentError, "cannot do without a pid namespace"),
        (dict(share="user"), nsiso.ArgumentError, "cannot do without a user namespace"),
        (dict(share=["nope"]), ValueError, "nope"),
        (dict(init=False, deadline=1), nsiso.ArgumentError, "init: .*deadline need it"),
        (dict(init=False, die_with_parent=True), nsiso.ArgumentError, "init: .*die_with_parent and"),
        (dict(colour="red"), TypeError, "colour"),
        (dict(mounts=5), TypeError, "mounts: expected a list"),
    ],
)
def test_what_cannot_be_is_told_at_once(keywords, error, text):
    with pytest.raises(error, match=text):
        nsiso.Sandbox(**keywords)


def test_own_rules_may_follow_the_mounts():
    rules = nsiso.Landlock(execute=["/"], as_mounted=True, best_effort=True)
    assert box("echo x > /t/x && cat /t/x; echo x > /x", landlock=rules, mounts=[nsiso.Tmpfs("/t", size="1M", mode=0o777)]) == "x\n"


@pytest.fixture
def place():
    """A directory that the user nobody may enter too."""
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        os.chmod(path, 0o777)
        yield path


def test_what_is_mounted_for_writing_is_written(place):
    view = [
        nsiso.Bind(place, "/d"), nsiso.Bind(place, "/r", ro=True), nsiso.Tmpfs("/t", size="1M", mode=0o777), nsiso.Dir("/e", 0o777),
        nsiso.Overlay(place, "/o"), nsiso.File("", "/f", 0o666), nsiso.Bind("/does/not/exist", "/n", if_exists=True),
    ]  # fmt: skip
    script = "for path in /d/x /t/x /e/x /o/y /tmp/x /dev/shm/x; do echo x > $path || echo $path; done; echo x > /f || echo /f; "
    script += "for path in /r/x /x /usr/x; do echo x > $path && echo $path; done"
    assert box(script, mounts=view) == ""
    assert os.listdir(place) == ["x"]


def test_devices_work_and_cannot_be_changed():
    code = """
import os
with open("/dev/null", "w") as null: null.write("x")
with open("/dev/zero", "r+b", buffering=0) as zero: assert zero.read(2) == bytes(2) and zero.write(b"x") == 1
assert len(os.urandom(2)) == len(open("/dev/urandom", "rb").read(2)) == 2
for name in ("null", "zero", "full", "random", "urandom", "tty"):
    try: os.utime("/dev/" + name)
    except OSError as error: assert error.errno == 30, error
    else: print("changed", name)
"""
    for keywords in (dict(sandbox=True), dict(mounts=[nsiso.Bind("/", "/"), nsiso.Dev()], map_root=True)):
        done = nsiso.run([PYTHON, "-c", code], capture_output=True, text=True, **keywords)
        assert (done.returncode, done.stdout) == (0, ""), done


def test_the_memory_of_files_is_limited():
    script = "dd if=/dev/zero of=/dev/shm/x bs=1M count=100; stat -c %s /dev/shm/x"
    assert int(box(script)) <= 64 << 20


def test_the_ban_on_user_namespaces_does_not_go_with_the_capability_that_lifts_it():
    for keywords in (dict(map_root=True, user_namespaces=False), dict(sandbox=True)):
        with pytest.raises(nsiso.ArgumentError, match="CAP_SYS_RESOURCE.*without sys_resource"):
            nsiso.run(["true"], caps=["sys_resource"], **keywords)
    assert nsiso.run(["true"], sandbox=True, caps=["sys_resource"], user_namespaces=True).returncode == 0


def test_the_host_has_names_that_do_not_show():
    """The caller's UTS namespace has known names, so that none is the kernel's default."""
    words = [sys.executable, "-m", "nsiso", "run", "--sandbox", "--", "sh", "-c", "uname -n; cat /proc/sys/kernel/domainname"]
    done = nsiso.run(words, map_current=True, hostname="leak", domainname="leak", capture_output=True, text=True)
    assert done.stdout == "sandbox\n(none)\n", done


@pytest.mark.parametrize("mode", ["4755", "2755", "6755", "u+s", "g+s"])
def test_a_writable_directory_of_the_host_gets_no_set_id_files(mode, tmp_path):
    tmp_path.chmod(0o777)
    script = f"cp /usr/bin/id /d/plain && chmod 755 /d/plain && cp -p /d/plain /d/copy; chmod {mode} /d/plain 2>&1; install -m {mode} /usr/bin/id /d/installed"
    said = box(script, mounts=[nsiso.Bind(tmp_path, "/d")])
    assert "Operation not permitted" in said, said
    modes = {path.name: path.stat().st_mode & 0o7777 for path in tmp_path.iterdir()}
    assert modes["plain"] == modes["copy"] == 0o755 and not any(mode & 0o6000 for mode in modes.values()), modes


def test_a_directory_with_a_group_of_its_own_keeps_it(tmp_path):
    """A file in a set-group-ID directory inherits the bit without any system call that sets it."""
    tmp_path.chmod(0o2777)
    assert box("mkdir /d/sub && touch /d/sub/file && chmod 644 /d/sub/file && echo made", mounts=[nsiso.Bind(tmp_path, "/d")]) == "made\n"
    assert (tmp_path / "sub").stat().st_mode & 0o2000


def test_ids_and_the_loopback_address_have_names():
    code = "import getpass, grp, os, pwd, socket; print(pwd.getpwuid(os.getuid()).pw_dir, getpass.getuser(), grp.getgrgid(os.getgid()).gr_gid == os.getgid()); "
    code += "print(socket.gethostbyname('localhost')); s = socket.create_server(('localhost', 0))"
    done = nsiso.Sandbox().run([PYTHON, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["/tmp", {0: "nobody", 65534: "nobody"}.get(os.geteuid(), "user"), "True", "127.0.0.1"], done
    # The caller's own mounts replace these files.
    own = [nsiso.File("me:x:1:1::/:/bin/sh\n", "/etc/passwd"), nsiso.Bind("/etc/hosts", ro=True)]
    assert box("cat /etc/passwd", mounts=own) == "me:x:1:1::/:/bin/sh\n"


FAMILIES = {
    "vsock": ("socket.socket(40, socket.SOCK_STREAM)", 97),
    "alg": ("socket.socket(38, socket.SOCK_SEQPACKET)", 97),
    "tipc": ("socket.socket(30, socket.SOCK_STREAM)", 97),
    "tipc pairs": ("socket.socketpair(30, socket.SOCK_STREAM)", 97),
    "mptcp": ("socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)", 93),
    "sctp over IPv6": ("socket.socket(socket.AF_INET6, socket.SOCK_STREAM, 132)", 93),
    "audit by netlink": ("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)", 93),
    "device events by netlink": ("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 15)", 93),
    "fast open": ("socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', 9))", 95),
    "fast open by an option": ("socket.socket().setsockopt(6, 30, 1)", 95),
    "other layers on tcp": ("socket.socket().setsockopt(6, 31, b'tls')", 95),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_socket_of_another_sort_is_refused(name):
    program, number = FAMILIES[name]
    code = f"import socket\ntry: {program}\nexcept OSError as error: print(error.errno)"
    done = nsiso.Sandbox().run([PYTHON, "-c", code], capture_output=True, text=True)
    assert done.stdout == f"{number}\n", done


def test_sockets_of_the_usual_sorts_work():
    code = """
import socket, threading
for family in (socket.AF_INET, socket.AF_INET6):
    server = socket.socket(family)
    server.bind(("localhost", 0)); server.listen()
    client = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.connect(server.getsockname()[:2]); client.sendall(b"x")
    assert server.accept()[0].recv(1) == b"x"
    socket.socket(family, socket.SOCK_DGRAM, socket.IPPROTO_UDP)
one, two = socket.socketpair()
one.send(b"x"); two.recv(1)
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
print([name for _, name in socket.if_nameindex()], bool(socket.getaddrinfo("localhost", 80)))
"""
    done = nsiso.Sandbox().run([PYTHON, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("['lo'") and done.stdout.endswith("True\n"), done


def test_a_filter_with_many_rules_lets_the_rest_pass():
    with socket.socket() as here:
        here.bind(("127.0.0.1", 0))
    done = nsiso.run(["sh", "-c", "ls / >/dev/null && ip -o link show lo"], capture_output=True, text=True, seccomp=True)
    assert done.returncode == 0 and "LOOPBACK" in done.stdout, done


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
@pytest.mark.parametrize("caps, kept", [([], 0), (["net_admin"], 1 << 12)])
def test_root_becomes_a_user_without_or_with_few_capabilities(caps, kept):
    line = "id -u; grep -E 'Cap(Prm|Eff|Bnd|Amb)' /proc/self/status | cut -f2"
    done = nsiso.run(["sh", "-c", line], uid=1000, gid=1000, cwd="/", caps=caps, capture_output=True, text=True)
    assert done.stdout.split() == ["1000"] + [f"{kept:016x}"] * 4, done
