"""Calls that mypy and pyright refuse: each line that ends with "# error". It is never run."""

import subprocess

import nsiso

process = subprocess.Popen(["true"])
listing = nsiso.list()
net = nsiso.Namespace.own("net")
host = nsiso.Host("a")


def resolver(name: str, port: int = 53) -> float:
    return 1.0


# list, tree
nsiso.list("network")  # error
nsiso.list(thread=True)  # error
listing.find(pid=1)  # error
listing.find(inode=1, fd=2)  # error
nsiso.tree("process")  # error

# Namespace, pin, unshare
nsiso.Namespace.of(process, "network")  # error
nsiso.Namespace.of("1", "net")  # error
nsiso.Namespace.for_children(process, "net")  # error
nsiso.pin(process, "/run/netns/blue")  # error
nsiso.unshare(["net"])  # error

# enter, call_in
with nsiso.enter(process, mnt=True):  # error
    pass
with nsiso.enter(host, net=True):  # error
    pass
nsiso.call_in(net, resolver, port=1)  # error
nsiso.call_in(process, resolver, "a", kinds=["network"])  # error

# Host, Bridge, link and the network
nsiso.Host("a", mounts=["/tmp"])  # error
nsiso.Bridge("lan", 24)  # error
nsiso.link(host, process)  # error
nsiso.socket_in(None)  # error
host.call(resolver, 1)  # error

# run, Popen, Sandbox, hold, execvp and their keywords
box = nsiso.Sandbox()
nsiso.run(["id"], hostnam="box")  # error
nsiso.run(["id"], user="nobody")  # error
nsiso.run(["id"], mounts=["/tmp"])  # error
nsiso.run(["id"], uid_map=[(0, 1000)])  # error
nsiso.run(["id"], share="network")  # error
nsiso.run(["id"], text=True, input=b"a")  # error
nsiso.Popen(["id"], preexec_fn=print)  # error
nsiso.Popen(["id"], propagation="sideways")  # error
nsiso.Popen(["id"], limits="256M")  # error
nsiso.Sandbox(nice="5")  # error
box.run(["id"], seccomp=nsiso.Seccomp(deny=["mkdir"], action="scold"))  # error
box.popen(["id"], landlock=["/usr"])  # error
host.run(["id"], deadline=[5])  # error
nsiso.hold(net=1.5)  # error
nsiso.execvp(["id"], capture_output=True)  # error
