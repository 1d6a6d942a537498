"""What programs inside the sandbox try: every attempt is refused, and the host is unharmed.

An attempt is a small Python program that prints ESCAPED if it got what it wanted. Those with a control are run without the sandbox, too, where they
do get it: so it is the sandbox that refuses them.
"""

import ctypes
import os
import socket
import subprocess
import sys
import time

import nsiso
import pytest

ROOT = os.geteuid() == 0
PYTHON = "/usr/bin/python3"
HELP = """
import ctypes, errno, os, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) for a in args])
    return result if result >= 0 else -ctypes.get_errno()
def escaped(condition=True):
    if condition: print("ESCAPED")
def put(path, text):
    fd = os.open(path, os.O_WRONLY)
    os.write(fd, text)
HOST, PORT, ABSTRACT, PATH = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
"""

# name: (program, whether it works outside the sandbox: always, for root alone, or not to be tried)
ALWAYS, AS_ROOT, NOT_TRIED = "always", "as root", "not tried"
ATTEMPTS = {
    "read the shadow file": ("open('/etc/shadow').read(); escaped()", AS_ROOT),
    "read the password file": ("escaped('root:x:0' in open('/etc/passwd').read())", ALWAYS),
    "list root's home": ("os.listdir('/root'); escaped()", AS_ROOT),
    "list homes": ("os.listdir('/home'); escaped()", ALWAYS),
    "list the host's /var": ("os.listdir('/var'); escaped()", ALWAYS),
    "see the host's /sys": ("os.listdir('/sys/kernel'); escaped()", ALWAYS),
    "write below /usr": ("open('/usr/nsiso-escape', 'w'); escaped()", NOT_TRIED),
    "write below /etc": ("open('/etc/ld.so.cache', 'r+b'); escaped()", NOT_TRIED),
    "remove a program": ("os.unlink('/usr/bin/python3'); escaped()", NOT_TRIED),
    "read the host's socket file": ("s = socket.socket(socket.AF_UNIX); s.connect(PATH); escaped()", ALWAYS),
    "see the host's processes": ("escaped(any(int(p) > 20 for p in os.listdir('/proc') if p.isdigit()))", ALWAYS),
    "signal the host": ("os.kill(HOST, 0); escaped()", ALWAYS),
    "a pidfd of the host": ("escaped(call(434, HOST, 0) >= 0)", ALWAYS),
    "kill everybody": ("os.kill(-1, 9)", NOT_TRIED),
    "kill the init process": ("os.kill(1, 9); import time; time.sleep(.2)", NOT_TRIED),
    "the host's loopback": ("socket.create_connection(('127.0.0.1', PORT), 2); escaped()", ALWAYS),
    "the host's abstract socket": ("s = socket.socket(socket.AF_UNIX); s.connect('\\0' + ABSTRACT); escaped()", ALWAYS),
    "the network outside": ("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('192.0.2.1', 9)); escaped()", NOT_TRIED),
    "a raw socket": ("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); escaped()", AS_ROOT),
    "a packet socket": ("socket.socket(socket.AF_PACKET, socket.SOCK_RAW); escaped()", AS_ROOT),
    "mount": ("escaped(call(165, b'none', b'/tmp', b'tmpfs', 0, 0) == 0)", NOT_TRIED),
    "unmount": ("escaped(call(166, b'/usr', 2) == 0 or call(166, b'/proc/sys', 2) == 0)", NOT_TRIED),
    "make a mount writable": ("escaped(call(442, -100, b'/usr', 0, struct.pack('4Q', 0, 1, 0, 0), 32) == 0)", NOT_TRIED),
    "remount": ("escaped(call(165, b'none', b'/usr', b'none', 0x1020, 0) == 0)", NOT_TRIED),
    "a new file system": ("escaped(call(430, b'tmpfs', 0) >= 0)", AS_ROOT),
    "a copy of a mount": ("escaped(call(428, -100, b'/', 1) >= 0)", AS_ROOT),
    "another root": ("escaped(call(155, b'/tmp', b'/tmp') == 0)", NOT_TRIED),
    "chroot": ("os.chroot('/tmp'); escaped()", AS_ROOT),
    "a user namespace": ("escaped(call(272, 0x10000000) == 0)", ALWAYS),
    "a user namespace by clone": ("pid = call(56, 0x10000000 | 17, 0, 0, 0, 0)\nif pid == 0: os._exit(0)\nescaped(pid > 0)", ALWAYS),
    "a user namespace by clone3": (
        "pid = call(435, struct.pack('8Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0), 64)\nif pid == 0: os._exit(0)\nescaped(pid > 0)", ALWAYS),
    "a mount namespace": ("escaped(call(272, 0x20000) == 0)", AS_ROOT),
    "a time namespace": ("escaped(call(272, 0x80) == 0)", AS_ROOT),
    "the init process's namespaces": ("fd = os.open('/proc/1/ns/mnt', os.O_RDONLY); escaped(call(308, fd, 0) == 0)", NOT_TRIED),
    "more user namespaces allowed": ("put('/proc/sys/user/max_user_namespaces', b'9'); escaped()", NOT_TRIED),
    "load a module": ("escaped(call(175, b'x', 1, b'') != -errno.EPERM)", NOT_TRIED),
    "unload a module": ("escaped(call(176, b'nsiso_none', 0) != -errno.EPERM)", NOT_TRIED),
    "load a kernel": ("escaped(call(246, 0, 0, 0, 0) == 0)", NOT_TRIED),
    "reboot": ("escaped(call(169, 0xfee1dead, 672274793, 0, 0) == 0)", NOT_TRIED),
    "swap": ("escaped(call(167, b'/tmp/swap', 0) != -errno.EPERM)", NOT_TRIED),
    "set the clock": ("escaped(call(227, 0, struct.pack('2q', 1, 0)) == 0)", NOT_TRIED),
    "set the host name": ("escaped(call(170, b'escaped', 7) == 0)", NOT_TRIED),
    "become root": ("os.setuid(0); escaped()", AS_ROOT),
    "become another group": ("os.setgid(0); escaped()", AS_ROOT),
    "take more groups": ("os.setgroups([0]); escaped()", AS_ROOT),
    "get capabilities back": (
        "escaped(call(126, struct.pack('2I', 0x20080522, 0), struct.pack('6I', 1, 1, 1, 0, 0, 0)) == 0)", AS_ROOT),
    "set-user-ID programs": ("escaped(not os.statvfs('/usr').f_flag & os.ST_NOSUID)", ALWAYS),
    "new privileges": ("escaped(call(157, 39, 0, 0, 0, 0) != 1)", ALWAYS),
    "the magic key": ("open('/proc/sysrq-trigger', 'w'); escaped()", NOT_TRIED),
    "where cores go": ("open('/proc/sys/kernel/core_pattern', 'w'); escaped()", NOT_TRIED),
    "a setting of the kernel": ("open('/proc/sys/vm/drop_caches', 'w'); escaped()", NOT_TRIED),
    "a device file": ("os.mknod('/tmp/sda', 0o60666, os.makedev(8, 0)); escaped()", NOT_TRIED),
    "a character device": ("os.mknod('/tmp/mem', 0o20666, os.makedev(1, 1)); escaped()", NOT_TRIED),
    "the kernel's memory": ("open('/proc/kcore', 'rb').read(1) and escaped()", NOT_TRIED),
    "the machine's memory": ("os.open('/dev/mem', os.O_RDONLY); escaped()", NOT_TRIED),
    "the kernel's messages": ("escaped(call(103, 10, 0, 0) >= 0); open('/dev/kmsg'); escaped()", AS_ROOT),
    "trace the init process": ("escaped(call(101, 16, 1, 0, 0) == 0)", NOT_TRIED),
    "read its memory": ("open('/proc/1/mem', 'rb'); escaped()", NOT_TRIED),
    "overwrite its program": ("open('/proc/1/exe', 'r+b'); escaped()", NOT_TRIED),
    "overwrite one's own": ("open('/proc/self/exe', 'r+b'); escaped()", NOT_TRIED),
    "kernel keys": ("escaped(call(248, b'user', b'nsiso', b'x', 1, -3) >= 0)", ALWAYS),
    "ask for a key": ("escaped(call(249, b'user', b'nsiso', 0, 0) != -errno.EPERM)", ALWAYS),
    "bpf": ("escaped(call(321, 0, struct.pack('4I', 2, 4, 4, 1) + bytes(100), 116) >= 0)", AS_ROOT),
    "perf": ("escaped(call(298, b'x' * 128, 0, -1, -1, 0) != -errno.EPERM)", ALWAYS),
    "page faults": ("escaped(call(323, 1) != -errno.EPERM)", ALWAYS),
    "io_uring": ("escaped(call(425, 1, bytes(120)) != -errno.EPERM)", ALWAYS),
    "file handles": ("escaped(call(304, -100, bytes(24), 0) != -errno.EPERM)", AS_ROOT),
    "another's descriptor": ("escaped(call(438, call(434, 1, 0), 0, 0) >= 0)", NOT_TRIED),
    "x32 calls": ("escaped(call(0x40000000 | 272, 0x10000000) == 0)", NOT_TRIED),
    "32-bit calls": (
        "import mmap\npage = mmap.mmap(-1, 4096, prot=7)\n"
        # unshare(CLONE_NEWUSER) through int 0x80.
        "page.write(bytes.fromhex('53b836010000bb00000010cd805bc3'))\n"
        "code = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))\nescaped(code() == 0)", NOT_TRIED),
    "input for the terminal": ("import fcntl\nfor fd in (0, 1, 2): fcntl.ioctl(fd, 0x5412, b'x'); escaped()", NOT_TRIED),
    "inherited descriptors": ("escaped(any(int(fd) > 3 for fd in os.listdir('/proc/self/fd')))", NOT_TRIED),
    "up from the working directory": ("escaped(os.path.exists('/proc/self/cwd/../../../../home'))", ALWAYS),
    "out of the root": ("escaped(os.path.exists('/proc/1/root/home'))", NOT_TRIED),
    "environment of the host": ("escaped('NSISO_SECRET' in os.environ)", ALWAYS),
    "environment of the init process": ("escaped(b'NSISO_SECRET' in open('/proc/1/environ', 'rb').read())", NOT_TRIED),
    "map more ids": ("put('/proc/self/uid_map', b'0 0 1'); escaped()", NOT_TRIED),
    "a fork bomb": (
        "count = 0\ntry:\n  while count < 2000:\n    if os.fork() == 0: import time; time.sleep(30); os._exit(0)\n    count += 1\n"
        "except OSError: pass\nescaped(count >= 1000)", NOT_TRIED),
    "fill the disk": (
        "with open('/tmp/big', 'wb') as big:\n  for _ in range(100): big.write(bytes(1 << 20))\n  big.flush()\nescaped()", NOT_TRIED),
    "fill the root": ("open('/big', 'wb').write(bytes(100 << 20)); escaped()", NOT_TRIED),
    "less willing to die": ("put('/proc/self/oom_score_adj', b'-500'); escaped()", NOT_TRIED),
    "a core file": ("import resource; resource.setrlimit(resource.RLIMIT_CORE, (1, 1)); escaped()", NOT_TRIED),
}


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """What there is to reach on the host."""
    path = tmp_path_factory.mktemp("host") / "socket"
    abstract = f"nsiso-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as file, socket.socket(socket.AF_UNIX) as name:
        file.bind(str(path))
        name.bind("\0" + abstract)
        file.listen(), name.listen()
        os.environ["NSISO_SECRET"] = "1"
        yield [str(os.getpid()), str(tcp.getsockname()[1]), abstract, str(path)]
        del os.environ["NSISO_SECRET"]


def attempt(program, host, **keywords):
    return nsiso.run([PYTHON, "-c", HELP + program, *host], capture_output=True, text=True, timeout=60, **keywords)


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_is_refused(name, host):
    before = socket.gethostname(), os.path.exists("/usr/nsiso-escape")
    done = attempt(ATTEMPTS[name][0], host, sandbox=True)
    assert "ESCAPED" not in done.stdout, done
    assert "SyntaxError" not in done.stderr and "NameError" not in done.stderr, done.stderr
    assert (socket.gethostname(), os.path.exists("/usr/nsiso-escape")) == before == (before[0], False)


@pytest.mark.parametrize("name", [name for name, (_, control) in ATTEMPTS.items() if control == ALWAYS or ROOT and control == AS_ROOT])
def test_without_the_sandbox_it_is_not(name, host):
    done = attempt(ATTEMPTS[name][0], host)
    assert "ESCAPED" in done.stdout, done


def test_there_are_enough():
    assert len(ATTEMPTS) >= 40


def marked(mark):
    """Processes with this word in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as line:
                if mark in line.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            pass
    return found


def test_nothing_outlives_a_host_that_is_killed():
    mark = f"100.{os.getpid()}"
    code = f"import nsiso; nsiso.Popen(['sh', '-c', 'sleep {mark} & sleep {mark}'], **KEYWORDS).wait()"
    for keywords in ("dict(map_root=True, die_with_host=True)", "dict(sandbox=True)"):
        for delay in range(0, 400, 20):
            host = subprocess.Popen([sys.executable, "-c", code.replace("KEYWORDS", keywords)])
            # Python itself takes a while to start: from before the spawn until long after.
            time.sleep(delay / 1000)
            host.kill()
            host.wait()
    deadline = time.monotonic() + 10
    while marked(mark.encode()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert marked(mark.encode()) == []


def test_at_every_system_call_of_the_child_the_host_may_be_killed():
    mark = f"101.{os.getpid()}"
    calls = ["mount_setattr", "move_mount", "pivot_root", "umount2", "prctl", "capset", "seccomp", "landlock_restrict_self", "execve", "clone"]
    code = f"import nsiso; print(flush=True); nsiso.Popen(['/usr/bin/sleep', '{mark}'], sandbox=True).wait()"
    for call in calls:
        strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:delay_enter=100000:when=1..3"]
        tracer = subprocess.Popen([*strace, sys.executable, "-c", code], stdout=subprocess.PIPE)
        tracer.stdout.read(1)
        with open(f"/proc/{tracer.pid}/task/{tracer.pid}/children") as children:
            host = int(children.read().split()[0])
        time.sleep(0.15)
        os.kill(host, 9)
        time.sleep(0.05)
        tracer.kill()
        tracer.wait()
        tracer.stdout.close()
    deadline = time.monotonic() + 10
    while marked(mark.encode()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert marked(mark.encode()) == []


def test_a_guard_in_the_terminal():
    """TIOCSTI pushes input into the terminal one is in: without a terminal of its own and without the filter, into the host's."""
    push = "import fcntl; fcntl.ioctl(0, 0x5412, b'x')"
    # It is refused by the filter even on its own terminal.
    for keywords, works in [(dict(pty=True, map_root=True), True), (dict(pty=True, sandbox=True), False)]:
        with nsiso.Popen([PYTHON, "-c", push], **keywords) as process:
            code = process.wait()
            os.close(process.pty)
        legacy = open("/proc/sys/dev/tty/legacy_tiocsti").read().strip() == "1"
        assert (code == 0) == (works and legacy)


def test_a_read_only_bind_stays_read_only_without_capabilities():
    again = "import ctypes, struct; print(ctypes.CDLL(None).syscall(442, -100, b'/usr', 0, struct.pack('4Q', 0, 1, 0, 0), 32))"
    view = [nsiso.Bind("/", "/"), nsiso.ReadOnly("/usr")]
    options = dict(map_root=True, mounts=view, capture_output=True, text=True)
    assert nsiso.run([PYTHON, "-c", again], **options).stdout.strip() == "0", "with CAP_SYS_ADMIN in there it can be undone"
    assert nsiso.run([PYTHON, "-c", again], caps=[], **options).stdout.strip() == "-1"


def test_a_host_like_a_container():
    """Part of /proc is covered, and clone3 is refused."""
    inner = """
import nsiso
try:
    nsiso.run(["true"], map_root=True, pid=True, mounts=[nsiso.Proc()])
except nsiso.DeniedError as error:
    assert error.step == "mount_proc" and "covered" in error.hint, error
    print("refused in words")
done = nsiso.run(["sh", "-c", "echo $$"], map_root=True, init=True, mounts=[nsiso.Bind("/", "/"), nsiso.Tmpfs("/mnt")], capture_output=True)
print(done.stdout.decode())
"""
    view = [nsiso.Bind("/", "/"), nsiso.Proc(), nsiso.Mask("/proc/sys")]
    for errno in (1, 38):
        filtered = nsiso.Seccomp(deny=["clone3"], errno=errno)
        keywords = dict(map_root=True, pid=True, mounts=view, seccomp=filtered, capture_output=True, text=True)
        done = nsiso.run([sys.executable, "-c", inner], **keywords)
        assert done.stdout.split() == ["refused", "in", "words", "2"], done
