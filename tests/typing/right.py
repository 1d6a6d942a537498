"""Calls that mypy and pyright accept, with the types of their results. It is never run."""

import asyncio.subprocess
import multiprocessing
import os
import pathlib
import socket
import subprocess
from typing import List, Optional

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
