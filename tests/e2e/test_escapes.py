"""Tests what programs inside the sandbox may try: each attempt is refused, and the host is
unharmed.
"""

import ctypes
import os
import socket

import nsiso
import pytest
from attempts import ALWAYS, AS_ROOT, ATTEMPTS, HELP, INSIDE

PYTHON = "/usr/bin/python3"
# Here an attempt has all privileges but cannot harm the machine.
THROW_AWAY = dict(
    map_root=True, pid=True, mnt=True, net=True, ipc=True, uts=True, cgroup=True,
    mounts=[nsiso.Overlay("/"), nsiso.Procfs(), nsiso.Dev(), nsiso.Tmpfs("/tmp", mode=0o1777), nsiso.Sysfs()],
)  # fmt: skip


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """Objects on the host that an attempt tries to reach."""
    place = tmp_path_factory.mktemp("host")
    name = f"nsiso-{os.getpid()}"
    libc = ctypes.CDLL(None)
    umask = os.umask(0)
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as file, socket.socket(socket.AF_UNIX) as abstract:
        file.bind(str(place / "socket"))
        abstract.bind("\0" + name)
        file.listen(), abstract.listen()
        memory = libc.shmget(os.getpid(), 4096, 0o1666)
        queue = libc.mq_open(f"/{name}".encode(), os.O_CREAT | os.O_RDWR, 0o666, None)
        with open(f"/dev/shm/{name}", "x"), open(place / "given", "x"):
            os.umask(umask)
            os.environ["NSISO_SECRET"] = "1"
            yield [str(os.getpid()), str(tcp.getsockname()[1]), name, str(place / "socket"), str(os.getpid())]
        del os.environ["NSISO_SECRET"]
        os.unlink(f"/dev/shm/{name}")
        libc.mq_unlink(f"/{name}".encode())
        os.close(queue)
        libc.shmctl(memory, 0, None)


def attempt(name, host, **keywords):
    """Runs an attempt. Its standard input is a file of the host that is open for reading."""
    with open(os.path.join(os.path.dirname(host[3]), "given")) as given:
        words = [PYTHON, "-c", HELP + ATTEMPTS[name][0], *host]
        done = nsiso.run(words, stdin=given, capture_output=True, text=True, timeout=60, **keywords)
    assert "SyntaxError" not in done.stderr and "NameError" not in done.stderr, done.stderr
    return done


def harm():
    """The state of the host that an attempt could change."""
    return socket.gethostname(), os.path.exists("/usr/nsiso-escape"), os.getpriority(os.PRIO_PROCESS, 0), os.listdir("/proc/self/fd")


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_is_refused(name, host):
    before = harm()
    done = attempt(name, host, sandbox=True)
    assert "ESCAPED" not in done.stdout, done
    assert harm() == before


@pytest.mark.parametrize("name", [name for name, (_, control) in ATTEMPTS.items() if control == ALWAYS or control == AS_ROOT and os.geteuid() == 0])
def test_without_the_sandbox_it_is_not(name, host):
    done = attempt(name, host)
    assert "ESCAPED" in done.stdout, done


@pytest.mark.parametrize("name", [name for name, (_, control) in ATTEMPTS.items() if control == INSIDE])
def test_with_all_rights_inside_it_is_not(name, host):
    done = attempt(name, host, **THROW_AWAY)
    assert "ESCAPED" in done.stdout, done


@pytest.mark.parametrize(
    "name, keywords",
    [
        ("write to what was given for reading", dict(landlock=False)),
        ("kernel keys", dict(seccomp=False)),
        ("the hypervisor", dict(seccomp=False)),
        ("the host's loopback", dict(share=["net"])),
        ("see the host's sockets", dict(share=["net"])),
        ("the host's shared memory", dict(share=["ipc"])),
        ("a core file", dict(rlimits={"core": (2, 2)}, seccomp=False)),
        ("the init process's limits", dict(seccomp=False)),
        ("a set-user-ID file by chmod", dict(seccomp=False)),
        ("all of the user's pending signals", dict(rlimits={"sigpending": 3000})),
        ("all of the user's message queues", dict(rlimits={"msgqueue": 819200})),
        ("the host's name", dict(hostname="other")),
        ("the host's name", dict(share=["uts"])),
        ("list homes", dict(mounts=[nsiso.Bind("/home", ro=True)])),
    ],
)
def test_a_loosened_sandbox_refuses_it_no_more(name, keywords, host):
    """The attempt succeeds when one part is turned off, so it is this part that refuses it."""
    done = attempt(name, host, sandbox=True, **keywords)
    assert "ESCAPED" in done.stdout, done
