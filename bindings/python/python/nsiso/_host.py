"""Hosts of a network laboratory: a network, a host name and processes of its own, as any user."""

import contextlib
import ipaddress
import os
import pickle
import socket as _socket
import subprocess
import sys
import threading
from typing import Any, Callable, Dict, Iterable, List, Optional, TypeVar, Union

from ._end import Texts, Uplink, texts
from ._error import DeniedError
from ._mount import Bind, File, Proc, Sysfs
from ._namespace import Namespace, call_in
from ._network import forward, hold, socket_in
from ._popen import Popen, run

T = TypeVar("T")


class Lab:
    """What hosts that are linked to each other have in common: the user namespace that owns their networks. Root needs none.

    Hosts and bridges share the process's own lab unless they are given another one.
    """

    _own: Optional["Lab"] = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        self.user: Optional[Namespace] = None
        try:
            hold(net=True)["net"].close()
        except DeniedError:
            self.user = hold(user=True, map_root=True)["user"]

    @property
    def join(self) -> List[Namespace]:
        return [self.user] if self.user else []

    @classmethod
    def default(cls) -> "Lab":
        with cls._lock:
            if cls._own is None:
                cls._own = Lab()
            return cls._own

    def __repr__(self) -> str:
        return f"<Lab {self.user!r}>" if self.user else "<Lab of root>"


class Host:
    """A host of its own: network, host name, processes, /proc and /sys, and for the rest the files of this machine.

        a, b = nsiso.Host("a"), nsiso.Host("b")
        nsiso.link(a, b, "10.0.0.0/30", delay="10ms")
        server = b.popen(["nc", "-l", "-p", "80"])
        a.run(["nc", b.ip, "80"], input=b"hello")

    ``router``: it passes packets on, and is the gateway of hosts that are linked to it. ``dns``: addresses of name servers, which its programs find
    in /etc/resolv.conf. ``uplink``: True or an Uplink, a way to the outside. ``mounts``: more for the view of its files, as for Popen. ``lab``: see Lab.

    For an ordinary user its programs are root in a user namespace of the lab's. A context manager: in the end all its
    processes are killed, and its network is gone with all links; so they are when this process dies, however it does.
    """

    def __init__(
        self, name: str, *, router: bool = False, dns: Texts = (), uplink: Union[bool, Uplink] = False,
        mounts: Iterable[Any] = (), lab: Optional[Lab] = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.router = router
        self.has_gateway = False
        self.devices: Dict[str, List[str]] = {}
        """The names of its linked devices, and the addresses of each."""
        self.lab = lab or Lab.default()
        self._children: List[Popen] = []
        view = [Bind("/", "/", suid=True, dev=True), Proc(), *_resolver(dns), *mounts]
        start = lambda more: Popen(  # noqa: E731
            ["sleep", "infinity"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/", join=self.lab.join, net=True, hostname=name,
            mounts=[*view, *more], init=True, die_with_host=True, uplink=uplink or None,
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

    def linked(self, device: str, addresses: List[str], gateway: bool) -> None:
        self.devices[device] = addresses
        self.has_gateway = self.has_gateway or gateway

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

        For root it runs on a thread of this process, in the host's network and with its files. For an ordinary user, whom the kernel lets no thread
        go there, it runs in a new Python on the host: as for multiprocessing, it must be one that can be imported, and pickle must take its
        arguments and result. Sockets alone: see ``socket``.
        """
        if self.lab.user is None:
            return call_in(self._first, function, *args, kinds=["net", "uts", "mnt"], **keywords)
        return _call_in_python(self, function, args, keywords)

    def close(self) -> None:
        """Kills all processes of the host. Its network goes, and all links to it."""
        self.net.close()
        self._end()

    def _end(self) -> None:
        first, self._first = self._first, None
        if first is None:
            return
        first.kill()
        # Whoever is not collected would keep the first process from ending.
        for child in self._children:
            child.wait()
        first.wait()

    def __enter__(self) -> "Host":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Host {self.name}>"


def _resolver(dns: Texts) -> List[Any]:
    servers = texts(dns)
    if not servers:
        return []
    text = "".join(f"nameserver {ipaddress.ip_address(server)}\n" for server in servers)
    return [File(text, "/etc/resolv.conf")]


def _call_in_python(host: Host, function: Callable[..., T], args: Any, keywords: Any) -> T:
    if _preparing:
        raise RuntimeError("Host.call is used while the main module is imported: begin that with if __name__ == '__main__', as for multiprocessing")
    wanted = pickle.dumps((function, args, keywords))
    preparation = _prepared(host.name, with_main=b"__main__" in wanted)
    read, write = os.pipe()
    with open(read, "rb") as answer, open(write, "wb") as end:
        command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; from nsiso._host import _answer; _answer({write})"]
        with host.popen(command, stdin=subprocess.PIPE, pass_fds=[write]) as python:
            end.close()
            assert python.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                python.stdin.write(pickle.dumps((preparation, wanted)))
                python.stdin.close()
            told = answer.read()
    if not told:
        raise ChildProcessError(f"the Python on {host!r} ended with status {python.returncode} and told nothing")
    worked, result = pickle.loads(told)
    if worked:
        return result
    raise result


def _prepared(name: str, with_main: bool) -> Dict[str, Any]:
    """What the other Python needs to find the same modules; the main one is imported there only for functions of its own."""
    from multiprocessing import spawn

    preparation = spawn.get_preparation_data(f"nsiso-{name}")
    # A secret between this process and its own helpers, of which the new one is none.
    preparation.pop("authkey", None)
    if not with_main:
        for main in ("init_main_from_path", "init_main_from_name"):
            preparation.pop(main, None)
    return preparation


_preparing = False


def _answer(fd: int) -> None:
    """The other side of it."""
    from multiprocessing import spawn

    global _preparing
    preparation, wanted = pickle.load(sys.stdin.buffer)
    try:
        _preparing = True
        spawn.prepare(preparation)
        _preparing = False
        function, args, keywords = pickle.loads(wanted)
        told = pickle.dumps((True, function(*args, **keywords)))
    except BaseException as error:
        told = _told_error(error)
    with open(fd, "wb") as answer:
        answer.write(told)


def _told_error(error: BaseException) -> bytes:
    try:
        told = pickle.dumps((False, error))
        pickle.loads(told)
        return told
    except Exception:
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
