"""Defines Host, a host of a network that is emulated on this machine."""

import contextlib
import ipaddress
import os
import re
import socket as _socket
import subprocess
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional, Set, Tuple, TypeVar, Union

from ._call import call_in_python
from ._argument import texts
from ._endpoint import Endpoint, Texts, Uplink
from ._error import DeniedError
from ._lab import Lab
from ._mount import Bind, File, Mount, Procfs, Sysfs
from ._namespace import Namespace, call_in
from ._network import Link, Linkable, forward, socket_in
from ._popen import Popen
from ._run import run

T = TypeVar("T")

if TYPE_CHECKING:
    from typing_extensions import ParamSpec, Self

    from ._types import SameAs

    P = ParamSpec("P")


class Host(Linkable):
    """A network host with its own network, host name, processes, /proc and /sys.

    Its other files are those of this machine.

        a, b = nsiso.Host("a"), nsiso.Host("b")
        nsiso.link(a, b, "10.0.0.0/30", delay="10ms")
        server = b.popen(["nc", "-l", "-p", "80"])
        a.run(["nc", b.ip, "80"], input=b"hello")

    name: str
        The host name: 1 to 64 letters, digits, dots, hyphens and underscores.
    router: bool
        Forward packets between the links of this host. A host that is linked to a router gets it as
        its gateway. Routes across several routers must be given with Endpoint(routes=...).
    dns: str or iterable of str
        Addresses of name servers, written to /etc/resolv.conf of the host. Without ``dns`` and
        ``uplink`` that file is empty, so that programs ask no name server.
    uplink: bool or Uplink
        Connect the host to outside networks by pasta(1). Default: False.
    mounts: iterable
        Further mounts for the file system view of the host, as for Popen.
    lab: Lab
        The lab whose user namespace owns the host. Default: the lab of this process.

    Programs of an ordinary user run as root in the user namespace of the lab. If the kernel refuses
    a new sysfs, as in a container, /sys shows the devices of this machine.

    A Host is a context manager. The end of the block, or ``close()``, kills all processes of the
    host and removes its network with all links. This also happens when the object is deleted, and
    when this process dies for any reason.

    Raises TypeError or ValueError for bad arguments, and nsiso.Error if the host cannot be made.
    """

    def __init__(
        self, name: str, *, router: bool = False, dns: Texts = (), uplink: Union[bool, Uplink] = False,
        mounts: "Iterable[Mount]" = (), lab: Optional[Lab] = None,
    ) -> None:  # fmt: skip
        if not isinstance(name, str):
            raise TypeError(f"the name of a host is a text, not {name!r}")
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
            raise ValueError(f"{name!r} is no name of a host: 1 to 64 letters, digits, dots, hyphens and underscores")
        if not isinstance(uplink, (bool, Uplink)):
            raise TypeError(f"uplink is True, False or an nsiso.Uplink, not {uplink!r}")
        self.name = name
        self.router = router
        self.closed: bool = False
        self.devices: Dict[str, List[str]] = {}
        """The addresses of each device that is linked, by its name."""
        self._links: Dict[Link, Tuple[str, Set[int]]] = {}
        """For each link its device, and the IP versions that have a gateway there."""
        self._owner = os.getpid()
        self.lab: Lab = lab or Lab.default()
        self._children: List[Popen[Any]] = []
        view: List[Mount] = [Bind("/", "/", suid=True, dev=True), Procfs(), *_names(name, texts("dns", dns), bool(uplink)), *mounts]

        def start(*more: "Mount") -> "Popen[bytes]":
            return Popen(
                ["sleep", "infinity"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/", join=self.lab.join, net=True, hostname=name,
                mounts=[*view, *more], init=True, die_with_parent=True, uplink=uplink or None,
            )  # fmt: skip

        self._first: Optional[Popen[bytes]] = None
        try:
            self._first = start(Sysfs())
        except DeniedError as error:
            # The kernel refuses a new sysfs where part of /sys is covered, as in a container.
            # The /sys of this machine stays visible then.
            if error.step != "mount":
                raise
            self._first = start()
        with contextlib.ExitStack() as undo:
            undo.callback(self._end)
            self.net: Namespace = Namespace.of(self._first, "net")
            if router:
                forward(self.net)
            undo.pop_all()

    @property
    def ip(self) -> str:
        """The first address of the host, without the length of its network.

        Raises ValueError if the host has no address.
        """
        for addresses in self.devices.values():
            for address in addresses:
                return str(ipaddress.ip_interface(address).ip)
        raise ValueError(f"{self!r} has no address: link it to something")

    @property
    def gateways(self) -> Set[int]:
        """The IP versions, 4 and 6, for which the host has a gateway."""
        return {version for _, versions in self._links.values() for version in versions}

    def linked(self, link: Link, name: str, end: Endpoint, other: Endpoint) -> None:
        self.devices[name] = texts("addresses", end.addresses)
        self._links[link] = (name, {ipaddress.ip_address(via).version for via in texts("gateway", end.gateway)})

    def unlinked(self, link: Link) -> None:
        name, _ = self._links.pop(link, ("", set()))
        self.devices.pop(name, None)

    if TYPE_CHECKING:
        run = SameAs(run)
        popen = SameAs(Popen)
    else:

        def run(self, args, **keywords):
            """Runs a program on this host until it ends, with the arguments of nsiso.run."""
            return run(args, **self._inside(keywords))

        def popen(self, args, **keywords):
            """Starts a program on this host, with the arguments of nsiso.Popen.

            The program is killed when the host is closed. Its working directory is that of this
            process by default. Raises ValueError if the host is closed.
            """
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
        """Returns a socket of this process in the network of the host.

        The arguments are those of socket.socket. The calling thread stays in its own network
        namespace.
        """
        return socket_in(self, family, type, proto)

    def call(self, function: "Callable[P, T]", *args: "P.args", **keywords: "P.kwargs") -> T:
        """Calls ``function(*args, **keywords)`` on this host and returns its result.

        An exception of the function is raised here. Raises ValueError if the host is closed.

        For root the function runs on a new thread of this process, in the network and UTS
        namespaces of the host. It sees the files of this machine.

        The kernel does not let a thread of an ordinary user enter these namespaces. For an ordinary
        user the function runs in a new Python process on the host. As with multiprocessing, the
        function must be importable, and pickle must support its arguments and its result. Where
        only a socket is needed, use ``socket()``.
        """
        if self.closed or self._first is None:
            raise ValueError(f"{self!r} is closed")
        if self.lab.user is None:
            return call_in(self._first, function, *args, kinds=["net", "uts"], **keywords)
        return call_in_python(self.popen, function, args, keywords)

    def close(self) -> None:
        """Kills all processes of the host, and removes its links and its network.

        In a forked copy of this process it only closes the namespace of the copy.
        """
        if self.closed:
            return
        # A forked process has copies of the hosts of its parent, and must not end these.
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
        # The first process cannot end before its children in the pid namespace are reaped.
        for child in self._children:
            child.wait()
        first.wait()

    def __del__(self) -> None:
        if hasattr(self, "net"):
            with contextlib.suppress(Exception):
                self.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Host {self.name}>"


def _names(name: str, dns: List[str], uplink: bool) -> List[File]:
    """Returns the files by which programs of the host look up names.

    Without a connection to name servers the file lists none, because waiting for them takes long.
    """
    servers = "".join(f"nameserver {ipaddress.ip_address(server)}\n" for server in dns)
    files = {"/etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {name}\n"}
    if dns or not uplink:
        files["/etc/resolv.conf"] = servers or "# There are no name servers.\n"
    # A file that does not exist would be created on this machine.
    return [File(text, path) for path, text in files.items() if os.path.exists(path)]
