"""Links between networks, devices that move, sockets made elsewhere."""

import errno
import ipaddress
import socket as _socket
import weakref
from dataclasses import replace
from typing import Any, List, Optional, Sequence, Tuple, Union

from . import _nsiso
from ._argument import text, texts
from ._endpoint import Amount, Endpoint, Texts, network
from ._error import Error


def socket_in(
    at: Any, family: int = _socket.AF_INET, type: int = _socket.SOCK_STREAM, proto: int = 0
) -> "_socket.socket":
    """A socket of this process in another network, where it stays, while this thread stays where it is: as socket.socket does.

    ``at`` is a Host, a Bridge or a Namespace of kind net. An ordinary user makes sockets in the networks of its own user namespaces.
    """
    return _socket.socket(fileno=_nsiso.socket(network(at), family, type, proto))


def forward(at: Any, on: bool = True) -> None:
    """Makes a router of a network: packets for others are passed on between its devices (or not any more), ip(7)."""
    if at is None:
        raise ValueError("a network is made a router that somebody has made, not this process's own")
    _nsiso.forward(network(at), on)


def move_device(device: str, to: Union[Endpoint, Any], *, at: Any = None) -> None:
    """Moves a network device from the network ``at`` (this process's own) to an Endpoint, or a place where only its name is kept."""
    end = to if isinstance(to, Endpoint) else Endpoint(to)
    _nsiso.move_device(network(at), text("device", device), end.made())


def remove_device(device: str, *, at: Any = None) -> None:
    """Removes a network device from the network ``at`` (this process's own), with the other end of its pair."""
    _nsiso.remove_device(network(at), text("device", device))


class Link:
    """A link that was made: ``names`` are those of its two devices. It goes with either of its networks, or by ``remove``."""

    def __init__(self, ends: Sequence[Endpoint], names: Sequence[str]) -> None:
        self.names: Tuple[str, str] = (names[0], names[1])
        self._network = getattr(ends[0].at, "net", ends[0].at)
        # Hosts and bridges hold their links, not the other way round.
        self._places = [weakref.ref(end.at) for end in ends if hasattr(end.at, "linked")]
        self._there = True
        for end, other, name in zip(ends, reversed(ends), names):
            if hasattr(end.at, "linked"):
                end.at.linked(self, name, end, other)

    def remove(self) -> None:
        """Removes both devices. Of one that is gone nothing is left to do."""
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


def link(
    a: Any, b: Any, addresses: Texts = (), *, delay: Amount = 0, jitter: Amount = 0, loss: Amount = 0,
    rate: Optional[Amount] = None, mtu: Optional[int] = None,
) -> Link:  # fmt: skip
    """Makes a link between two places: a pair of network devices, veth(4), up and with addresses.

        nsiso.link(a, b, "10.0.0.0/30", delay="10ms")       # a is 10.0.0.1, b is 10.0.0.2
        nsiso.link(a, lan)                                  # a port of a Bridge, an address of its networks
        nsiso.link(Endpoint(a, name="up", addresses="10.0.0.9/24", gateway="10.0.0.1"), None)

    ``a`` and ``b``: each an Endpoint, or a Host, a Bridge, a Namespace of kind net, None for this process's own network. ``addresses``: of a network,
    "10.0.0.0/30", ``a`` gets the first address and ``b`` the second; an address, "10.0.0.7/24", is a's. A Host that is linked to a router has it as
    its gateway, unless it has one for that version of IP. Quality and ``mtu`` are those of both ways, unless an Endpoint says otherwise.

    As root between any two; an ordinary user between networks that one user namespace of its own owns, such as Hosts and Bridges. Raises
    nsiso.Error, and leaves nothing, where a name or an address is taken or a network overlaps another one.
    """
    ends = [end if isinstance(end, Endpoint) else Endpoint(end) for end in (a, b)]
    ends = [_with_quality(end, delay=delay, jitter=jitter, loss=loss, rate=rate, mtu=mtu) for end in ends]
    ends = _addressed(ends, texts("addresses", addresses))
    ends = _routed(ends)
    return Link(ends, _nsiso.link(*(end.made() for end in ends)))


def _with_quality(end: Endpoint, **quality: Any) -> Endpoint:
    plain = Endpoint()
    wanted = {name: value for name, value in quality.items() if getattr(end, name) == getattr(plain, name)}
    return replace(end, **wanted)


def _addressed(ends: List[Endpoint], addresses: List[str]) -> List[Endpoint]:
    """What the networks and addresses mean for both; a port of a Bridge has none."""
    bridges = [getattr(end.at, "bridge", None) for end in ends]
    given: List[List[str]] = [[], []]
    for address in addresses:
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
    for end, other, mine, bridge, beside in zip(ends, reversed(ends), given, bridges, reversed(bridges)):
        if bridge is not None:
            end = replace(end, port_of=end.port_of or bridge)
        elif not mine and not texts("addresses", end.addresses) and beside is not None:
            mine = other.at.addresses()
        made.append(replace(end, addresses=[*texts("addresses", end.addresses), *mine]))
    return made


def _routed(ends: List[Endpoint]) -> List[Endpoint]:
    """A Host's gateway is the router that it is linked to."""
    routers = [getattr(end.at, "router", None) for end in ends]
    made = []
    for end, other, router, other_is_router in zip(ends, reversed(ends), routers, reversed(routers)):
        if router is False and other_is_router and not texts("gateway", end.gateway):
            ips = [ipaddress.ip_interface(address).ip for address in texts("addresses", other.addresses)]
            families = {ip.version: str(ip) for ip in reversed(ips)}
            mine = {ipaddress.ip_interface(address).version for address in texts("addresses", end.addresses)}
            wanting = mine - end.at.gateways
            end = replace(end, gateway=[ip for version, ip in families.items() if version in wanting])
        made.append(end)
    return made
