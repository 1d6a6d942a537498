"""Attempts to escape from the sandbox: small Python programs that print ESCAPED if they succeed.

Each attempt names where it succeeds without the sandbox. This proves that it is the sandbox that
refuses it.
"""

import os

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
def room(size):
    global kept
    kept = ctypes.create_string_buffer(size)
    return ctypes.addressof(kept)
HOST, PORT, NAME, PATH, KEY = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
"""

# name: (program, where it succeeds: always on the host; as root on the host; with all privileges
# inside a throw-away copy of the host; or not tried)
ALWAYS, AS_ROOT, INSIDE, NOT_TRIED = "always", "as root", "inside", "not tried"
ATTEMPTS = {
    "read the shadow file": ("open('/etc/shadow').read(); escaped()", AS_ROOT),
    "read the password file": ("escaped('root:x:0' in open('/etc/passwd').read())", ALWAYS),
    "list root's home": ("os.listdir('/root'); escaped()", AS_ROOT),
    "list homes": ("os.listdir('/home'); escaped()", ALWAYS),
    "list the host's /var": ("os.listdir('/var'); escaped()", ALWAYS),
    "see the host's /sys": ("os.listdir('/sys/kernel'); escaped()", ALWAYS),
    "write below /usr": ("open('/usr/nsiso-escape', 'w'); escaped()", INSIDE),
    "write below /etc": ("open('/etc/ld.so.cache', 'r+b'); escaped()", NOT_TRIED),
    "remove a program": ("os.unlink('/usr/bin/python3'); escaped()", NOT_TRIED),
    "read the host's socket file": ("s = socket.socket(socket.AF_UNIX); s.connect(PATH); escaped()", ALWAYS),
    "see the host's processes": ("escaped(any(int(p) > 20 for p in os.listdir('/proc') if p.isdigit()))", ALWAYS),
    "signal the host": ("os.kill(HOST, 0); escaped()", ALWAYS),
    "a pidfd of the host": ("escaped(call(434, HOST, 0) >= 0)", ALWAYS),
    "kill everybody": ("os.kill(-1, 9)", NOT_TRIED),
    "kill the init process": ("os.kill(1, 9); import time; time.sleep(.2)", NOT_TRIED),
    "the host's loopback": ("socket.create_connection(('127.0.0.1', PORT), 2); escaped()", ALWAYS),
    "the host's abstract socket": ("s = socket.socket(socket.AF_UNIX); s.connect('\\0' + NAME); escaped()", ALWAYS),
    "the network outside": ("s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('192.0.2.1', 9)); escaped()", NOT_TRIED),
    "a raw socket": ("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); escaped()", AS_ROOT),
    "a packet socket": ("socket.socket(socket.AF_PACKET, socket.SOCK_RAW); escaped()", AS_ROOT),
    "mount": ("escaped(call(165, b'none', b'/tmp', b'tmpfs', 0, 0) == 0)", INSIDE),
    "unmount": ("escaped(call(166, b'/usr', 2) == 0 or call(166, b'/proc/sys', 2) == 0)", INSIDE),
    "make a mount writable": ("escaped(call(442, -100, b'/usr', 0, struct.pack('4Q', 0, 1, 0, 0), 32) == 0)", INSIDE),
    "remount": ("escaped(call(165, b'none', b'/usr', b'none', 0x1020, 0) == 0)", INSIDE),
    "a new file system": ("escaped(call(430, b'tmpfs', 0) >= 0)", AS_ROOT),
    "a copy of a mount": ("escaped(call(428, -100, b'/', 1) >= 0)", AS_ROOT),
    "another root": ("escaped(call(155, b'/tmp', b'/tmp') == 0)", INSIDE),
    "chroot": ("os.chroot('/tmp'); escaped()", AS_ROOT),
    "a user namespace": ("escaped(call(272, 0x10000000) == 0)", ALWAYS),
    "a user namespace by clone": ("pid = call(56, 0x10000000 | 17, 0, 0, 0, 0)\nif pid == 0: os._exit(0)\nescaped(pid > 0)", ALWAYS),
    "a user namespace by clone3": (
        "pid = call(435, struct.pack('8Q', 0x10000000, 0, 0, 0, 17, 0, 0, 0), 64)\nif pid == 0: os._exit(0)\nescaped(pid > 0)", ALWAYS),
    "a mount namespace": ("escaped(call(272, 0x20000) == 0)", AS_ROOT),
    "a time namespace": ("escaped(call(272, 0x80) == 0)", AS_ROOT),
    "the init process's namespaces": ("fd = os.open('/proc/1/ns/mnt', os.O_RDONLY); escaped(call(308, fd, 0) == 0)", INSIDE),
    "more user namespaces allowed": ("put('/proc/sys/user/max_user_namespaces', b'9'); escaped()", INSIDE),
    "load a module": ("escaped(call(175, b'x', 1, b'') != -errno.EPERM)", INSIDE),
    "unload a module": ("escaped(call(176, b'nsiso_none', 0) != -errno.EPERM)", INSIDE),
    "load a kernel": ("escaped(call(246, 0, 0, 0, 0) == 0)", NOT_TRIED),
    "reboot": ("escaped(call(169, 0xfee1dead, 672274793, 0, 0) == 0)", NOT_TRIED),
    "swap": ("escaped(call(167, b'/tmp/swap', 0) != -errno.EPERM)", NOT_TRIED),
    "set the clock": ("escaped(call(227, 0, struct.pack('2q', 1, 0)) == 0)", NOT_TRIED),
    "set the host name": ("escaped(call(170, b'escaped', 7) == 0)", INSIDE),
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
    "read its memory": ("open('/proc/1/mem', 'rb'); escaped()", INSIDE),
    "overwrite its program": ("open('/proc/1/exe', 'r+b'); escaped()", NOT_TRIED),
    "overwrite one's own": ("open('/proc/self/exe', 'r+b'); escaped()", NOT_TRIED),
    "kernel keys": ("escaped(call(248, b'user', b'nsiso', b'x', 1, -3) >= 0)", ALWAYS),
    "ask for a key": ("escaped(call(249, b'user', b'nsiso', 0, 0) != -errno.EPERM)", ALWAYS),
    "bpf": ("escaped(call(321, 0, struct.pack('4I', 2, 4, 4, 1) + bytes(100), 116) >= 0)", AS_ROOT),
    "perf": ("escaped(call(298, b'x' * 128, 0, -1, -1, 0) != -errno.EPERM)", ALWAYS),
    "page faults": ("escaped(call(323, 1) != -errno.EPERM)", ALWAYS),
    "io_uring": ("escaped(call(425, 1, bytes(120)) != -errno.EPERM)", ALWAYS),
    "file handles": ("escaped(call(304, -100, bytes(24), 0) != -errno.EPERM)", AS_ROOT),
    "another's descriptor": ("escaped(call(438, call(434, 1, 0), 0, 0) >= 0)", INSIDE),
    "x32 calls": ("escaped(call(0x40000000 | 272, 0x10000000) == 0)", NOT_TRIED),
    "32-bit calls": (
        "import mmap\npage = mmap.mmap(-1, 4096, prot=7)\n"
        # unshare(CLONE_NEWUSER) through int 0x80.
        "page.write(bytes.fromhex('53b836010000bb00000010cd805bc3'))\n"
        "code = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))\nescaped(code() == 0)", NOT_TRIED),
    "input for the terminal": ("import fcntl\nfor fd in (0, 1, 2): fcntl.ioctl(fd, 0x5412, b'x'); escaped()", NOT_TRIED),
    "inherited descriptors": ("escaped(any(int(fd) > 3 for fd in os.listdir('/proc/self/fd')))", NOT_TRIED),
    "up from the working directory": ("escaped(os.path.exists('/proc/self/cwd/../../../../home'))", ALWAYS),
    "out of the root": ("escaped(os.path.exists('/proc/1/root/home'))", INSIDE),
    "environment of the host": ("escaped('NSISO_SECRET' in os.environ)", ALWAYS),
    "environment of the init process": ("escaped(b'NSISO_SECRET' in open('/proc/1/environ', 'rb').read())", INSIDE),
    "map more ids": ("put('/proc/self/uid_map', b'0 0 1'); escaped()", NOT_TRIED),
    "a fork bomb": (
        "count = 0\ntry:\n  while count < 2000:\n    if os.fork() == 0: import time; time.sleep(30); os._exit(0)\n    count += 1\n"
        "except OSError: pass\nescaped(count >= 1000)", INSIDE),
    "fill the disk": (
        "with open('/tmp/big', 'wb') as big:\n  for _ in range(100): big.write(bytes(1 << 20))\n  big.flush()\nescaped()", INSIDE),
    "fill the root": ("open('/big', 'wb').write(bytes(100 << 20)); escaped()", INSIDE),
    "less willing to die": ("put('/proc/self/oom_score_adj', b'-500'); escaped()", NOT_TRIED),
    "a core file": ("import resource; resource.setrlimit(resource.RLIMIT_CORE, (2, 2)); escaped()", INSIDE),
    # With core_pattern naming a program, RLIMIT_CORE 0 does not suppress the core dump, but 1 does.
    "a core dump for a program of the host": (
        "import resource\nescaped(1 not in resource.getrlimit(resource.RLIMIT_CORE)[:1])\n"
        "escaped(call(160, 4, struct.pack('2Q', 0, 1)) == 0 or call(302, 0, 4, struct.pack('2Q', 0, 1), 0) == 0)", INSIDE),
    "all of the user's pending signals": ("count = 0\nwhile count < 3000 and call(222, 1, 0, room(8)) == 0: count += 1\nescaped(count > 2000)", INSIDE),
    # Landlock refuses to open the new queue, but the queue has been created.
    "all of the user's message queues": (
        "count = 0\nwhile count < 8 and call(240, b'nsiso-%d' % count, os.O_CREAT | os.O_RDWR, 0o600, 0) != -errno.EMFILE: count += 1\nescaped(count > 5)", INSIDE),
    "the host's name": ("escaped(os.uname().nodename != 'sandbox')", ALWAYS),
    "have the kernel watch the host's load": ("open('/proc/pressure/cpu', 'r+b', 0); escaped()", INSIDE if os.path.exists("/proc/pressure/cpu") else NOT_TRIED),
    "up from the working directory, by openat2": (
        "escaped(call(437, -100, b'../../../../../../../home', struct.pack('3Q', 0o2000000, 0, 0), 24) >= 0)", ALWAYS),
    "up from a descriptor": ("fd = os.open('/', os.O_PATH); escaped(os.path.exists(f'/proc/self/fd/{fd}/../home'))", ALWAYS),
    "write to what was given for reading": ("put('/proc/self/fd/0', b'ESCAPED'); escaped()", ALWAYS),
    "list the host's /run": ("os.listdir('/run'); escaped()", ALWAYS),
    "the host's shared memory files": ("open('/dev/shm/' + NAME); escaped()", ALWAYS),
    "the host's shared memory": ("escaped(call(29, KEY, 0, 0) >= 0)", ALWAYS),
    "the host's message queues": ("escaped(call(240, NAME.encode(), 0, 0, 0) >= 0)", ALWAYS),
    "see the host's sockets": ("escaped(NAME in open('/proc/net/unix').read())", ALWAYS),
    "the hypervisor": ("socket.socket(40, socket.SOCK_STREAM); escaped()", ALWAYS),
    # An invalid socket type shows whether the call reached the kernel, even if the kernel does not
    # support the family.
    "ciphers of the kernel": ("escaped(call(41, 38, 15, 0) != -errno.EAFNOSUPPORT)", ALWAYS),
    "sockets that hardly anybody knows": (
        "escaped(any(call(number, family, 15, 0, room(8)) != -errno.EAFNOSUPPORT for number in (41, 53) for family in (9, 21, 26, 30, 31, 40, 42, 44)))", ALWAYS),
    "an address for the network": (
        "s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)\n"
        "address = struct.pack('BBBBI', 2, 8, 0, 0, 1) + struct.pack('HH4s', 8, 2, bytes([10, 9, 8, 7]))\n"
        "s.send(struct.pack('IHHII', 16 + len(address), 20, 0x605, 1, 0) + address)\n"
        "escaped(struct.unpack_from('i', s.recv(100), 16)[0] == 0)", INSIDE),
    "another domain name": ("escaped(call(171, b'escaped', 7) == 0)", INSIDE),
    "the host's processors": ("escaped(call(204, HOST, 128, room(128)) > 0)", ALWAYS),
    "the host's priority": ("os.getpriority(os.PRIO_PROCESS, HOST); escaped()", ALWAYS),
    "the host's limits": ("escaped(call(302, HOST, 7, 0, room(16)) == 0)", ALWAYS),
    "the host's turn at the disk": ("escaped(call(252, 1, HOST) >= 0)", ALWAYS),
    "the host's scheduler": ("os.sched_getscheduler(HOST); escaped()", ALWAYS),
    "a signal for the host from a pipe": ("import fcntl; fcntl.fcntl(os.pipe()[0], 8, HOST); escaped()", ALWAYS),
    "slow down the user's other processes": ("os.setpriority(os.PRIO_USER, os.getuid(), 19)", NOT_TRIED),
    "a higher priority": ("os.nice(-5); escaped()", AS_ROOT),
    "higher limits": ("import resource; resource.setrlimit(resource.RLIMIT_NPROC, (513, 513)); escaped()", INSIDE),
    "memory of another process": (
        "place = room(8); part = struct.pack('2Q', place, 8)\nescaped(call(310, os.getpid(), part, 1, part, 1, 0) == 8)", ALWAYS),
    "a descriptor of another process": ("escaped(call(438, call(434, os.getpid(), 0), 0, 0) >= 0)", ALWAYS),
    "compare processes": ("escaped(call(312, os.getpid(), os.getpid(), 1, 0, 0) == 0)", ALWAYS),
    "be traced": ("escaped(call(101, 0, 0, 0, 0) == 0)", ALWAYS),
    "a namespace of the init process by its pidfd": ("escaped(call(16, call(434, 1, 0), 0xFF03, 0) >= 0)", INSIDE),
    "the init process's descriptors": ("os.listdir('/proc/1/fd'); escaped()", INSIDE),
    "the session's keys": ("escaped(call(250, 0, -3, 1) >= 0)", ALWAYS),
    "a segment of one's own": ("escaped(call(154, 0, room(16), 16) >= 0)", ALWAYS),
    "an odd personality": ("escaped(call(135, 0x0400000) >= 0)", ALWAYS),
    "watch the file system": ("escaped(call(300, 0x200, 0) >= 0)", ALWAYS),
    "a handle of a file": ("escaped(call(303, -100, b'/', room(200), room(8), 0) != -errno.EPERM)", ALWAYS),
    "quotas": ("escaped(call(179, 0x80000100, 0, 0, 0) != -errno.EPERM)", ALWAYS),
    "accounting": ("escaped(call(163, b'/tmp') != -errno.EPERM)", NOT_TRIED),
    "tune the clock": ("escaped(call(159, room(208)) >= 0)", ALWAYS),
    "input and output ports": ("escaped(call(172, 3) == 0 or call(173, 0x80, 1, 1) == 0)", NOT_TRIED),
    "list mounts": ("escaped(call(458, struct.pack('IIQQ', 24, 0, 2**64 - 1, 0), room(80), 10, 0) >= 0)", ALWAYS),
    "devices of the machine": (
        "for name in ('fuse', 'kvm', 'kmsg', 'loop0', 'vda', 'net/tun', 'console', 'tty0', 'vhost-vsock', 'hwrng', 'cpu_dma_latency'):\n"
        "    escaped(os.path.exists('/dev/' + name))", ALWAYS),
    "set-user-ID programs of one's own": ("escaped(any(not os.statvfs(path).f_flag & os.ST_NOSUID for path in ('/', '/tmp', '/dev/shm', '/proc')))", ALWAYS),
    "device files of one's own": ("escaped(any(not os.statvfs(path).f_flag & os.ST_NODEV for path in ('/', '/tmp', '/usr', '/dev/shm')))", ALWAYS),
    "a program with capabilities": (
        "open('/tmp/x', 'w').close()\nos.setxattr('/tmp/x', 'security.capability', struct.pack('5I', 0x2000001, 1, 0, 0, 0)); escaped()", INSIDE),
    "somebody else's file": ("open('/tmp/x', 'w').close(); os.chown('/tmp/x', 0, 0); escaped(os.getuid() != 0 or os.stat('/tmp/x').st_uid == 0)", INSIDE),
    "groups after all": ("put('/proc/self/setgroups', b'allow'); os.setgroups([]); escaped()", NOT_TRIED),
    "another clock": ("put('/proc/self/timens_offsets', b'monotonic 5 0'); escaped()", NOT_TRIED),
    "another format of programs": ("put('/proc/sys/fs/binfmt_misc/register', b':x:M::x::/tmp/x:'); escaped()", NOT_TRIED),
    "move interrupts": ("put('/proc/irq/default_smp_affinity', b'1'); escaped()", NOT_TRIED),
    "fill the memory": ("open('/dev/shm/big', 'wb').write(bytes(100 << 20)); escaped()", INSIDE),
    "fill the memory with empty files": (
        "os.mkdir('/tmp/many')\nfor n in range(100_000): os.mknod(f'/tmp/many/{n}')\nescaped()", INSIDE),
}

# Ways to change how the init process runs. The kernel ignores the upper half of a number.
INIT = {
    "limits": "call(302, {}, 7, struct.pack('2Q', 64, 64), 0)",
    "limits, by a pointer": "call(302, {}, 7, page(), 0)",
    "policy": "call(144, {}, 5, struct.pack('i', 0))",
    "parameters": "call(142, {}, struct.pack('i', 0))",
    "attributes": "call(314, {}, struct.pack('IIQiIQQQ', 48, 5, 0, 0, 0, 0, 0, 0), 0)",
    "processors": "call(203, {}, 8, struct.pack('Q', 1))",
    "priority": "call(141, 0, {}, 19)",
    "priority, with its group": "(os.getpid() == 1 and os.setpgid(0, 0)) or call(141, 1, {}, 19)",
    "turn at the disk": "call(251, 1, {}, 3 << 13)",
}
# A pointer whose lower half is 0.
PAGE = """
import mmap
def page():
    libc.mmap.restype = ctypes.c_void_p
    place = libc.mmap(ctypes.c_void_p(1 << 44), ctypes.c_size_t(4096), 3, 0x100022, -1, ctypes.c_long(0))
    assert place == 1 << 44, place
    ctypes.memmove(place, struct.pack('2Q', 64, 64), 16)
    return place
"""
ATTEMPTS |= {
    f"the init process's {name}": (f"{PAGE}escaped(any({code.format('pid')} == 0 for pid in (1, 7 << 32 | 1)))", INSIDE) for name, code in INIT.items()
}
ATTEMPTS |= {
    "the priority of all of the user's processes": ("escaped(any(call(141, 2, who, 19) == 0 for who in (0, os.getuid(), 1 << 32)))", INSIDE),
    "their turn at the disk": ("escaped(any(call(251, 3, who, 3 << 13) == 0 for who in (0, os.getuid(), 1 << 32)))", INSIDE),
    "the init process, by its files": (
        "for name, text in (('oom_score_adj', b'1000'), ('autogroup', b'19'), ('timerslack_ns', b'9999999999'), ('comm', b'x'), ('sched', b'0')):\n"
        "    try: put('/proc/1/' + name, text)\n    except OSError: continue\n    escaped()", INSIDE),
}

# Ways to make files in a directory of the host that would run as their owner there. {} is the mode.
SET_ID = {
    "chmod": "call(90, b'x', {})",
    "fchmod": "call(91, fd, {})",
    "fchmodat": "call(268, -100, b'x', {})",
    "fchmodat2": "call(452, -100, b'x', {}, 0)",
    "mknod": "call(133, b'new', 0o100000 | {}, 0)",
    "mknodat": "call(259, -100, b'new', 0o100000 | {}, 0)",
    "open": "call(2, b'new', os.O_CREAT | os.O_RDWR, {})",
    "creat": "call(85, b'new', {})",
    "openat": "call(257, -100, b'new', os.O_CREAT | os.O_RDWR, {})",
    "openat without a name": "call(257, -100, b'.', os.O_TMPFILE | os.O_RDWR, {})",
    "openat2": "call(437, -100, b'new', struct.pack('3Q', os.O_CREAT | os.O_RDWR, {}, 0), 24)",
}
ATTEMPTS |= {
    f"a {kind} file by {name}": (f"os.chdir('/tmp'); fd = os.open('x', os.O_CREAT | os.O_RDWR); escaped({code.format(mode)} >= 0)", INSIDE)
    for name, code in SET_ID.items() for kind, mode in (("set-user-ID", 0o4755), ("set-group-ID", 0o2755))
}  # fmt: skip
ATTEMPTS["a set-user-ID file by an x32 call"] = ("open('/tmp/x', 'w').close(); escaped(call(0x40000000 | 90, b'/tmp/x', 0o4755) == 0)", NOT_TRIED)
ATTEMPTS["a set-user-ID directory"] = ("os.mkdir('/tmp/x', 0o6755); escaped(os.stat('/tmp/x').st_mode & 0o6000)", NOT_TRIED)
