"""Defines functions for links, devices and sockets in other network namespaces."""

import errno
import ipaddress
import socket as _socket
import weakref
from dataclasses import replace
from typing import Any, List, Optional, Sequence, Set, Tuple, Union

from . import _nsiso
from ._argument import text, texts
from ._endpoint import Endpoint, Network, Place, Texts, network
from ._error import Error
from ._types import Seconds


def socket_in(
    at: Network, family: int = _socket.AF_INET, type: int = _socket.SOCK_STREAM, proto: int = 0
) -> "_socket.socket":
    """Returns a socket of this process in another network namespace.

        server = nsiso.socket_in(host)
        server.bind(("10.0.0.1", 80))

    at: Host, Bridge, or Namespace of kind "net"
        The network namespace. The socket stays in it.
    family, type, proto: int
        As for socket.socket. Default: a TCP socket for IPv4.

    The calling thread stays in its own network namespace. An ordinary user can make sockets in
    network namespaces of its own user namespaces. Raises nsiso.Error, and TypeError or ValueError
    for a bad ``at``.
    """
    return _socket.socket(fileno=_nsiso.socket(network(at), family, type, proto))


def forward(at: Network, on: bool = True) -> None:
    """Turns forwarding of IPv4 and IPv6 packets on or off in a network namespace, ip(7).

    at: Host, Bridge, or Namespace of kind "net"
        The network namespace. This process's own, None, is refused with ValueError.
    on: bool
        Whether packets are passed on between its devices. Default: True.
    """
    if at is None:
        raise ValueError("a network is made a router that somebody has made, not this process's own")
    _nsiso.forward(network(at), on)


def move_device(device: str, to: Union[Endpoint, Place], *, at: Place = None) -> None:
    """Moves a network device to another network namespace and sets it up there.

    device: str
        Name of the device.
    to: Endpoint, Host, Bridge, Namespace of kind "net", or None
        Where it goes. An Endpoint also gives a new name, addresses and other settings. The name
        stays the same by default.
    at: Host, Bridge, Namespace of kind "net", or None
        Where the device is. Default: this process's own network namespace.

    Packets in transit are lost. If a step fails, the device is moved back with its addresses, and
    nsiso.Error is raised. Needs CAP_NET_ADMIN in the user namespaces that own both network
    namespaces.
    """
    end = to if isinstance(to, Endpoint) else Endpoint(to)
    _nsiso.move_device(network(at), text("device", device), end.document())


def remove_device(device: str, *, at: Place = None) -> None:
    """Removes a network device. If it is one of a veth(4) pair, the other one is removed, too.

    device: str
        Name of the device.
    at: Host, Bridge, Namespace of kind "net", or None
        Where the device is. Default: this process's own network namespace.

    Raises nsiso.Error, with ENODEV if there is no such device. Needs CAP_NET_ADMIN in the user
    namespace that owns the network namespace.
    """
    _nsiso.remove_device(network(at), text("device", device))


class Link:
    """A link made by ``nsiso.link``: a pair of network devices.

    ``names`` are the names of the two devices. The link exists until ``remove()`` is called or one
    of its network namespaces ends.
    """

    def __init__(self, ends: Sequence[Endpoint], names: Sequence[str]) -> None:
        self.names: Tuple[str, str] = (names[0], names[1])
        self._network = getattr(ends[0].at, "net", ends[0].at)
        # Hosts and bridges refer to their links. The other way round would be a cycle.
        self._places = [weakref.ref(_place(end)) for end in ends]
        self._there = True
        for end, other, name in zip(ends, reversed(ends), names):
            _place(end).linked(self, name, end, other)

    def remove(self) -> None:
        """Removes both devices. Does nothing if they no longer exist."""
        if not self._there:
            return
        self._there = False
        for place in filter(None, [place() for place in self._places]):
            place.unlinked(self)
        try:
            remove_device(self.names[0], at=self._network)
        except Error as error:
            if error.errno != errno.ENODEV:
                raise

    def __repr__(self) -> str:
        return f"<Link {self.names[0]} -- {self.names[1]}>"


class Linkable:
    """What keeps the links that are made to it: a Host or a Bridge."""

    bridge: Optional[str] = None
    """The name of the bridge device, of a Bridge."""
    router: Optional[bool] = None
    """Whether a Host passes packets on."""

    @property
    def gateways(self) -> Set[int]:
        """The IP versions, 4 and 6, for which it has a gateway."""
        return set()

    def addresses(self) -> List[str]:
        """Returns the addresses that it has for the device at the other end of a link."""
        return []

    def linked(self, link: "Link", name: str, end: Endpoint, other: Endpoint) -> None:
        """Keeps a link, whose device here is ``name``."""

    def unlinked(self, link: "Link") -> None:
        """Forgets a link."""


def _place(end: Endpoint) -> Linkable:
    """Returns where an endpoint is, or something that keeps no links."""
    return end.at if isinstance(end.at, Linkable) else Linkable()


def link(
    a: Union[Endpoint, Place], b: Union[Endpoint, Place], addresses: Texts = (), *, delay: Seconds = 0, jitter: Seconds = 0, loss: Union[float, str] = 0,
    rate: Union[None, int, str] = None, mtu: Optional[int] = None,
) -> Link:  # fmt: skip
    """Links two network namespaces by a pair of network devices, veth(4), and returns a Link.

        nsiso.link(a, b, "10.0.0.0/30", delay="10ms")       # a is 10.0.0.1, b is 10.0.0.2
        nsiso.link(a, lan)                                  # lan is a Bridge
        nsiso.link(Endpoint(a, name="up", addresses="10.0.0.9/24", gateway="10.0.0.1"), None)

    a, b: Endpoint, Host, Bridge, Namespace of kind "net", or None
        The two ends. None is this process's own network namespace. On a Bridge the device becomes a
        port of the bridge.
    addresses: str or iterable of str
        Of a network such as "10.0.0.0/30", ``a`` gets the first address and ``b`` the second. An
        address such as "10.0.0.7/24" is given to ``a``. Default: none, or a free address of the
        Bridge at the other end.
    delay, jitter, loss, rate, mtu
        Settings of both ends, unless an Endpoint has its own. Units and ranges are as for Endpoint.

    Both devices are up. A Host that is linked to a router gets it as its gateway for each IP
    version for which it has none.

    Needs CAP_NET_ADMIN in the user namespaces that own both network namespaces. Root has it. An
    ordinary user has it if one of its user namespaces owns both, as for Hosts and Bridges of one
    Lab. Raises nsiso.Error if a name or an address is in use or a network overlaps another one.
    Then no device is left behind. Raises ValueError or TypeError for bad arguments.
    """
    ends = [end if isinstance(end, Endpoint) else Endpoint(end) for end in (a, b)]
    ends = [_with_quality(end, delay=delay, jitter=jitter, loss=loss, rate=rate, mtu=mtu) for end in ends]
    ends = _addressed(ends, texts("addresses", addresses))
    ends = _routed(ends)
    return Link(ends, _nsiso.link(ends[0].document(), ends[1].document()))


def _with_quality(end: Endpoint, **quality: Any) -> Endpoint:
    plain = Endpoint()
    wanted = {name: value for name, value in quality.items() if getattr(end, name) == getattr(plain, name)}
    return replace(end, **wanted)


def _addressed(ends: List[Endpoint], addresses: List[str]) -> List[Endpoint]:
    """Returns the ends with the addresses that follow from ``addresses``.

    A port of a bridge gets no address.
    """
    bridges = [_place(end).bridge for end in ends]
    given: List[List[str]] = [[], []]
    for address in addresses:
        if "/" not in address:
            raise ValueError(f"{address} lacks the length of its network: write it like 10.0.0.0/24, or 10.0.0.7/24 for one address")
        interface = ipaddress.ip_interface(address)
        network = interface.network
        if interface.ip == network.network_address and network.prefixlen < network.max_prefixlen:
            hosts = iter(network.hosts())
            for mine, bridge in zip(given, bridges):
                if bridge is None:
                    mine.append(f"{next(hosts)}/{network.prefixlen}")
        else:
            given[0].append(str(interface))
    made = []
    for end, other, mine, bridge in zip(ends, reversed(ends), given, bridges):
        if bridge is not None:
            end = replace(end, port_of=end.port_of or bridge)
        elif not mine and not texts("addresses", end.addresses):
            mine = _place(other).addresses()
        made.append(replace(end, addresses=[*texts("addresses", end.addresses), *mine]))
    return made


def _routed(ends: List[Endpoint]) -> List[Endpoint]:
    """Returns the ends, with the router at the other end as the gateway of a Host."""
    routers = [_place(end).router for end in ends]
    made = []
    for end, other, router, other_is_router in zip(ends, reversed(ends), routers, reversed(routers)):
        if router is False and other_is_router and not texts("gateway", end.gateway):
            ips = [ipaddress.ip_interface(address).ip for address in texts("addresses", other.addresses)]
            families = {ip.version: str(ip) for ip in reversed(ips)}
            mine = {ipaddress.ip_interface(address).version for address in texts("addresses", end.addresses)}
            wanting = mine - _place(end).gateways
            end = replace(end, gateway=[ip for version, ip in families.items() if version in wanting])
        made.append(end)
    return made
