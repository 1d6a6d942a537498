"""Calls that mypy and pyright accept, with the types of their results. It is never run."""

import asyncio.subprocess
import datetime
import multiprocessing
import os
import pathlib
import socket
import subprocess
from typing import List, NoReturn, Optional

from typing_extensions import assert_type

import nsiso

process = subprocess.Popen(["true"])


# list, tree
listing = nsiso.list(["net", "uts"], own=True)
assert_type(listing[0], nsiso.NamespaceInfo)
assert_type(listing[1:], List[nsiso.NamespaceInfo])
assert_type(nsiso.list("net").find(pid=os.getpid(), kind="net"), Optional[nsiso.NamespaceInfo])
assert_type(listing.find(path=pathlib.Path("/run/netns/blue")), Optional[nsiso.NamespaceInfo])
assert_type(nsiso.tree("parent", listing)[0].children, List[nsiso.Node])

# Namespace, Pidfd, pin, unshare, probe
net = nsiso.Namespace.of(process, listing[0].kind)
assert_type(net.owner, Optional[nsiso.Namespace])
assert_type(net == listing[0], bool)
nsiso.Namespace.of(multiprocessing.Process(), "net"), nsiso.Namespace.for_children(nsiso.Pidfd(1), "pid")
nsiso.Namespace.of_socket(socket.socket()).pin(b"/run/netns/blue")
nsiso.pin("/proc/self/ns/net", pathlib.Path("/run/netns/blue"))
nsiso.unshare("user", "net", map_root=True)
assert_type(nsiso.probe()["overlay"].support, str)


# enter, call_in
def resolver(name: str, port: int = 53) -> float:
    return 1.0


async def enter_all(child: asyncio.subprocess.Process) -> None:
    with nsiso.enter([net, "/run/netns/blue", child, 1], net=True), nsiso.enter({net}):
        pass


with net as entered:
    assert_type(entered, nsiso.Namespace)
assert_type(nsiso.call_in(net, resolver, "a", port=1), float)
assert_type(nsiso.call_in(process, resolver, "a", port=1, kinds=["net"]), float)
nsiso.call_in(process, open, "/etc/resolv.conf", kinds=["mnt"]).readline()
nsiso.call_in((net, process), dict, [("a", 1)], b=2, kinds=("mnt",))

# Host, Bridge, link and the network
with nsiso.Host("a", mounts=[nsiso.Tmpfs("/tmp")], dns="192.0.2.1") as a, nsiso.Bridge("lan", ["10.0.0.0/24"]) as lan:
    assert_type(a, nsiso.Host)
    assert_type(nsiso.link(a, lan, delay="10ms", loss=0.1), nsiso.Link)
    nsiso.link(nsiso.Endpoint(a, addresses="10.0.0.1/24"), None, rate="10mbit", mtu=1400).remove()
    nsiso.move_device("eth0", lan, at=a)
    nsiso.forward(net)
    assert_type(nsiso.socket_in(a), socket.socket)
    assert_type(a.call(resolver, "a"), float)
    a.call(open, "/etc/hosts").readline()

# run, Popen, Sandbox, hold, execvp and their keywords
everything = nsiso.run(
    ["sh", "-c", "id"], user=True, pid=True, mnt=True, net=True, ipc=True, uts=True, time=True, cgroup=True,
    map_root=True, map_auto=True, uid_map=[(0, 1000, 1)], gid_map=[(0, 1000, 1)], setgroups=False, uid=0, gid=0,
    groups=[4], keep_caps=True, keep_credentials=False, hostname="box", domainname="lan", monotonic=-5,
    boottime=datetime.timedelta(days=1), propagation="slave", mount_proc=True, root=pathlib.Path("/srv"),
    mounts=[nsiso.Bind("/usr", ro=True), nsiso.Tmpfs("/tmp", size="64M"), nsiso.Propagation("/usr", "private")],
    loopback=False, links=[(nsiso.Endpoint(addresses="10.0.0.2/24"), net)], devices={"eth1": None}, uplink=nsiso.Uplink(tcp={8080: 80}),
    caps=["net_admin"], securebits=1, new_privs=False, user_namespaces=False, landlock=nsiso.Landlock(read=["/usr"], bind_tcp=[80]),
    seccomp=[True, nsiso.Seccomp(deny=["mkdir"], errno=1)], sandbox=True, share="net", limits=nsiso.Limits(memory="1G", pids=64),
    rlimits={"nofile": 100, "core": (0, None)}, nice=5, oom_score_adj=100, cpus={0, 1}, umask=0o077, personality=0,
    init=True, wait_for_all=True, die_with_parent=True, deadline="1.5s", reset_signals=True, sync_fds=(3, 4), pin={"net": "/run/a"},
    spec={"hostname": "box"}, join=(process, ["net"]), pass_fds={3: 4}, env={"A": "1"}, cwd="/", stdout=nsiso.PIPE, timeout=5, check=True,
)  # fmt: skip
assert_type(everything.stdout, bytes)
assert_type(nsiso.run(["id"], text=True, input="a"), nsiso.Completed[str])
assert_type(nsiso.run(["id"], encoding="utf-8"), nsiso.Completed[str])
assert_type(nsiso.run(["id"], input=b"a", hostname=None), nsiso.Completed[bytes])
assert_type(nsiso.Popen(["id"], text=True, pty=(24, 80)), nsiso.Popen[str])
assert_type(nsiso.Popen(["id"], seccomp_notify=["mkdir"], limits=nsiso.Limits()).resources().memory, Optional[int])
box = nsiso.Sandbox(mounts=[nsiso.File(b"1", "/tmp/a")], deadline=datetime.timedelta(seconds=5), capture_output=True)
assert_type(box.run(["id"], text=True, universal_newlines=True), nsiso.Completed[str])
assert_type(box.popen(["id"]), nsiso.Popen[bytes])
assert_type(a.run(["id"], errors="replace").stdout, str)
assert_type(nsiso.hold(net=True, map_root=True)["net"], nsiso.Namespace)
nsiso.Sandbox.from_file("judge.toml", share=["net", "ipc"]).to_dict()


def replaced() -> NoReturn:
    nsiso.execvp(["bash"], user=True, map_current=True)
