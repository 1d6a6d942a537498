"""Makes namespaces that are held in every possible way, prints them as JSON, and sleeps until its
input ends.

It must run in user, mount, net and uts namespaces of its own: it is privileged there and cannot
change the machine.
"""

import ctypes
import json
import os
import socket
import sys
import threading
import time

NEWTIME, NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x80, 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
place = sys.argv[1]
made = {}


def call(function, *arguments):
    if getattr(libc, function)(*arguments):
        raise OSError(ctypes.get_errno(), function)


def inode(path):
    return os.stat(path).st_ino


def child(work):
    """Runs `work` in a child that then sleeps; returns its pid once the work is done."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        call("prctl", 1, 9, 0, 0, 0)  # SIGKILL when the parent ends
        os.closerange(3, write)  # closes the descriptors inherited from the parent
        work()
        os.write(write, b"r")
        while True:
            time.sleep(1000)
    os.close(write)
    assert os.read(read, 1) == b"r"
    os.close(read)
    return pid


def enter_uts(pid):
    link = os.open(f"/proc/{pid}/ns/uts", os.O_RDONLY)
    call("setns", link, NEWUTS)
    os.close(link)


def by_processes():
    first = child(lambda: call("unshare", NEWUTS))
    second = child(lambda: enter_uts(first))
    made["processes"] = {"inode": inode(f"/proc/{first}/ns/uts"), "pids": [first, second]}


def by_mount_elsewhere():
    def work():
        call("unshare", NEWNS | NEWUTS)
        call("mount", b"none", b"/", None, 0x44000, None)  # MS_REC | MS_PRIVATE
        call("mount", b"t", place.encode(), b"tmpfs", 0, None)
        path = f"{place}/a b\\c"
        open(path, "w").close()
        call("mount", b"/proc/self/ns/uts", path.encode(), None, 0x1000, None)
        with open(f"{place}/inode", "w") as file:
            file.write(str(inode(path)))
        enter_uts(os.getppid())

    pid = child(work)
    with open(f"/proc/{pid}/root{place}/inode") as file:
        made["mounts"] = {"inode": int(file.read()), "pid": pid, "path": f"{place}/a b\\c"}


def by_descriptor():
    pid = child(lambda: call("unshare", NEWIPC))
    fd = os.open(f"/proc/{pid}/ns/ipc", os.O_RDONLY)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    made["descriptors"] = {"inode": os.fstat(fd).st_ino, "pid": os.getpid(), "fd": fd}


def by_socket():
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    call("unshare", NEWNET)
    there = inode("/proc/self/ns/net")
    held = socket.socket()
    held_open.append(held)
    call("setns", home, NEWNET)
    os.close(home)
    made["sockets"] = {"inode": there, "pid": os.getpid(), "fd": held.fileno()}


def as_ancestor():
    inodes = []

    def work():
        call("unshare", NEWUSER)
        with open(f"{place}/middle", "w") as file:
            file.write(str(inode("/proc/self/ns/user")))
        # Only a process whose uid is mapped may create the next user namespace.
        for name, text in ("setgroups", "deny"), ("uid_map", "0 0 1"), ("gid_map", "0 0 1"):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        call("unshare", NEWUSER)

    pid = child(work)
    with open(f"{place}/middle") as file:
        inodes.append(int(file.read()))
    made["descendants"] = {"inode": inodes[0], "below": inode(f"/proc/{pid}/ns/user")}


def by_thread():
    done = threading.Event()

    def work():
        call("unshare", NEWUTS)
        made["threads"] = {
            "inode": inode(f"/proc/self/task/{threading.get_native_id()}/ns/uts"),
            "pid": os.getpid(),
            "tid": threading.get_native_id(),
        }
        done.set()
        time.sleep(100_000)

    threading.Thread(target=work, daemon=True).start()
    assert done.wait(10)


def for_children():
    pid = child(lambda: call("unshare", NEWTIME))
    made["time_for_children"] = {"inode": inode(f"/proc/{pid}/ns/time_for_children"), "pid": pid}
    # A pid namespace without an init process has no link in /proc: only a pidfd leads to it.
    pid = child(lambda: call("unshare", NEWPID))
    fd = os.pidfd_open(pid)
    namespace = libc.ioctl(fd, 0xFF06, 0)
    made["pid_for_children"] = {"inode": os.fstat(namespace).st_ino, "pid": pid}
    os.close(namespace)
    os.close(fd)


held_open = []
for work in (by_processes, by_mount_elsewhere, by_descriptor, by_socket, as_ancestor, for_children, by_thread):
    work()
print(json.dumps(made), flush=True)
sys.stdin.read()
