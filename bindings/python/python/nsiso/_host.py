"""Hosts of a network laboratory: a network, a host name and processes of its own, as any user."""

import contextlib
import ipaddress
import os
import re
import socket as _socket
import subprocess
from typing import Any, Callable, Dict, Iterable, List, Optional, Set, Tuple, TypeVar, Union

from ._call import call_in_python
from ._argument import texts
from ._endpoint import Endpoint, Texts, Uplink
from ._error import DeniedError
from ._lab import Lab
from ._mount import Bind, File, Procfs, Sysfs
from ._namespace import Namespace, call_in
from ._network import Link, forward, socket_in
from ._popen import Popen, run

T = TypeVar("T")


class Host:
    """A host of its own: network, host name, processes, /proc and /sys, and for the rest the files of this machine.

        a, b = nsiso.Host("a"), nsiso.Host("b")
        nsiso.link(a, b, "10.0.0.0/30", delay="10ms")
        server = b.popen(["nc", "-l", "-p", "80"])
        a.run(["nc", b.ip, "80"], input=b"hello")

    ``router``: it passes packets on, and is the gateway of hosts that are linked to it; where several are in a row, give them ``routes``. ``dns``: addresses of name servers, which its programs find
    in /etc/resolv.conf; without them, and without an uplink, no name server is asked. ``uplink``: True or an Uplink, a way to the outside. ``mounts``: more for the view of its files, as for Popen. ``lab``: see Lab.

    For an ordinary user its programs are root in a user namespace of the lab's. A context manager: in the end all its
    processes are killed, and its network is gone with all links; so they are with the object, and when this process dies, however it does.
    """

    def __init__(
        self, name: str, *, router: bool = False, dns: Texts = (), uplink: Union[bool, Uplink] = False,
        mounts: Iterable[Any] = (), lab: Optional[Lab] = None,
    ) -> None:  # fmt: skip
        if not isinstance(name, str):
            raise TypeError(f"the name of a host is a text, not {name!r}")
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
            raise ValueError(f"{name!r} is no name of a host: 1 to 64 letters, digits, dots, hyphens and underscores")
        if not isinstance(uplink, (bool, Uplink)):
            raise TypeError(f"uplink is True, False or an nsiso.Uplink, not {uplink!r}")
        self.name = name
        self.router = router
        self.closed = False
        self.devices: Dict[str, List[str]] = {}
        """The names of its linked devices, and the addresses of each."""
        self._links: Dict[Link, Tuple[str, Set[int]]] = {}
        """The links, with the device of each and the versions of IP that have a gateway there."""
        self._owner = os.getpid()
        self.lab = lab or Lab.default()
        self._children: List[Popen] = []
        view = [Bind("/", "/", suid=True, dev=True), Procfs(), *_names(name, texts("dns", dns), bool(uplink)), *mounts]
        start = lambda more: Popen(  # noqa: E731
            ["sleep", "infinity"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/", join=self.lab.join, net=True, hostname=name,
            mounts=[*view, *more], init=True, die_with_parent=True, uplink=uplink or None,
        )  # fmt: skip
        self._first: Optional[Popen] = None
        try:
            self._first = start([Sysfs()])
        except DeniedError as error:
            # Part of this machine's /sys is covered, as in a container: what is there shows the devices of the machine.
            if error.step != "mount":
                raise
            self._first = start([])
        with contextlib.ExitStack() as undo:
            undo.callback(self._end)
            self.net = Namespace.of(self._first, "net")
            if router:
                forward(self.net)
            undo.pop_all()

    @property
    def ip(self) -> str:
        """The first address that a link gave it."""
        for addresses in self.devices.values():
            for address in addresses:
                return str(ipaddress.ip_interface(address).ip)
        raise ValueError(f"{self!r} has no address: link it to something")

    @property
    def gateways(self) -> Set[int]:
        """The versions of IP, 4 and 6, that it has a gateway for."""
        return {version for _, versions in self._links.values() for version in versions}

    def linked(self, link: Link, name: str, end: Endpoint, other: Endpoint) -> None:
        self.devices[name] = texts("addresses", end.addresses)
        self._links[link] = (name, {ipaddress.ip_address(via).version for via in texts("gateway", end.gateway)})

    def unlinked(self, link: Link) -> None:
        name, _ = self._links.pop(link, ("", set()))
        self.devices.pop(name, None)

    def run(self, args: Any, **keywords: Any) -> "subprocess.CompletedProcess[Any]":
        """nsiso.run on this host."""
        return run(args, **self._inside(keywords))

    def popen(self, args: Any, **keywords: Any) -> Popen:
        """nsiso.Popen on this host. It is killed when the host is closed."""
        self._children = [child for child in self._children if child.poll() is None]
        child = Popen(args, **self._inside(keywords))
        self._children.append(child)
        return child

    def _inside(self, keywords: Dict[str, Any]) -> Dict[str, Any]:
        if self._first is None:
            raise ValueError(f"{self!r} is closed")
        return {"join": self._first, "cwd": os.getcwd(), **keywords}

    def socket(
        self, family: int = _socket.AF_INET, type: int = _socket.SOCK_STREAM, proto: int = 0
    ) -> "_socket.socket":
        """A socket of this process in the host's network: the thread stays where it is."""
        return socket_in(self, family, type, proto)

    def call(self, function: Callable[..., T], *args: Any, **keywords: Any) -> T:
        """Calls a function on this host and returns its result; what it raises is raised here.

        For root it runs on a thread of this process, in the host's network and under its name, with the files of this machine. For an ordinary user, whom the kernel lets no thread
        go there, it runs in a new Python on the host: as for multiprocessing, it must be one that can be imported, and pickle must take its
        arguments and result. Sockets alone: see ``socket``.
        """
        if self.closed:
            raise ValueError(f"{self!r} is closed")
        if self.lab.user is None:
            return call_in(self._first, function, *args, kinds=["net", "uts"], **keywords)
        return call_in_python(self.popen, function, args, keywords)

    def close(self) -> None:
        """Kills all processes of the host, and removes its links and its network."""
        if self.closed:
            return
        # A process that was forked has copies of its parent's hosts, which are not its own.
        if self._owner == os.getpid():
            for link in [*self._links]:
                link.remove()
            self._end()
        self.closed = True
        self.net.close()

    def _end(self) -> None:
        first, self._first = self._first, None
        if first is None:
            return
        first.kill()
        # Whoever is not collected would keep the first process from ending.
        for child in self._children:
            child.wait()
        first.wait()

    def __del__(self) -> None:
        if hasattr(self, "net"):
            with contextlib.suppress(Exception):
                self.close()

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Host {self.name}>"


def _names(name: str, dns: List[str], uplink: bool) -> List[Any]:
    """What its programs look names up in. Without a way to name servers nobody is asked, which would take long."""
    servers = "".join(f"nameserver {ipaddress.ip_address(server)}\n" for server in dns)
    files = {"/etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {name}\n"}
    if dns or not uplink:
        files["/etc/resolv.conf"] = servers or "# There are no name servers.\n"
    # One that is missing would be made on this machine.
    return [File(text, path) for path, text in files.items() if os.path.exists(path)]
