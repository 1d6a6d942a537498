"""Networks: links between namespaces, bridges, devices that move."""

import ipaddress
import socket as _socket
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from . import _isolation, _nsiso
from ._end import Amount, End, Texts, network, texts
from ._namespace import Joins, Namespace


def hold(*, join: Any = None, **keywords: Any) -> Dict[str, Namespace]:
    """New namespaces without a program: {kind: Namespace}, which exist until they are closed.

        held = nsiso.hold(user=True, map_root=True, net=True)
        nsiso.run(["ip", "link"], join=[*held.values()])

    The keywords are those of Popen that make namespaces or say what they are like: kinds, id maps, ``hostname``, ``mounts``, ``join`` and so
    on. Not for pid namespaces, which end with their first process.
    """
    unknown = keywords.keys() - set(_isolation.KEYWORDS)
    if unknown:
        raise TypeError(f"hold() takes no {', '.join(sorted(unknown))}: it runs no program")
    kinds = [kind for kind in _isolation.KINDS if keywords.get(kind)]
    implied = {"user": ("map_root", "map_current", "map_auto", "uid_map", "gid_map"), "uts": ("hostname", "domainname"),
               "time": ("monotonic", "boottime"), "mnt": ("mounts", "root", "mount_proc"), "net": ("uplink", "links", "devices")}  # fmt: skip
    kinds += [kind for kind, wishes in implied.items() if kind not in kinds and any(keywords.get(wish) for wish in wishes)]
    spec = _nsiso.Spec(["none"])
    _isolation.apply(spec, keywords)
    joins = Joins(spec, () if join is None else join)
    try:
        return {kind: Namespace._of_fd(fd) for kind, fd in spec.hold(kinds)}
    finally:
        joins.close()


def socket_in(
    at: Any, family: int = _socket.AF_INET, type: int = _socket.SOCK_STREAM, proto: int = 0
) -> "_socket.socket":
    """A socket of this process in another network, where it stays, while this thread stays where it is: as socket.socket does.

    ``at`` is a Host, a Bridge or a Namespace of kind net. An ordinary user makes sockets in the networks of its own user namespaces.
    """
    return _socket.socket(fileno=_nsiso.socket(network(at), family, type, proto))


def forward(at: Any, on: bool = True) -> None:
    """Makes a router of a network: packets for others are passed on between its devices (or not any more), ip(7)."""
    _nsiso.forward(network(at), on)


def move_device(device: str, to: Union[End, Any], *, at: Any = None) -> None:
    """Moves a network device from the network ``at`` (this process's own) to an End, or a place where only its name is kept."""
    end = to if isinstance(to, End) else End(to)
    _nsiso.move_device(network(at), device, end.made())


def remove_device(device: str, *, at: Any = None) -> None:
    """Removes a network device from the network ``at`` (this process's own), with the other end of its pair."""
    _nsiso.remove_device(network(at), device)


class Bridge:
    """A bridge that joins many hosts: a network namespace of its own with a bridge in it.

        lan = nsiso.Bridge("lan", "10.1.0.0/24")
        for host in hosts:
            nsiso.link(host, lan)          # 10.1.0.1, 10.1.0.2, ...

    ``networks``: where links to it get their addresses from, if they are given none. ``lab``: as for Host. A context manager, which removes it,
    and all links to it.
    """

    def __init__(self, name: str, networks: Texts = (), *, lab: Any = None) -> None:
        from ._host import Lab

        self.name = name
        self._hosts = [iter(_network_of(network).hosts()) for network in texts(networks)]
        self._prefixes = [_network_of(network).prefixlen for network in texts(networks)]
        self.lab = lab or Lab.default()
        self.net = hold(net=True, join=self.lab.join)["net"]
        _nsiso.bridge(self.net.fileno(), name)

    def addresses(self) -> List[str]:
        """The next addresses of its networks."""
        return [f"{next(hosts)}/{prefix}" for hosts, prefix in zip(self._hosts, self._prefixes)]

    def close(self) -> None:
        self.net.close()

    def __enter__(self) -> "Bridge":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Bridge {self.name}>"


def _network_of(text: str) -> Any:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"networks: {error}") from None


class Link:
    """A link that was made: ``names`` are those of its two devices. It goes with either of its networks, or by ``remove``."""

    def __init__(self, ends: Sequence[End], names: Sequence[str]) -> None:
        self._at = ends[0].at
        self.names: Tuple[str, str] = (names[0], names[1])

    def remove(self) -> None:
        remove_device(self.names[0], at=self._at)

    def __repr__(self) -> str:
        return f"<Link {self.names[0]} -- {self.names[1]}>"


def link(
    a: Any, b: Any, addresses: Texts = (), *, delay: Amount = 0, jitter: Amount = 0, loss: Amount = 0,
    rate: Optional[Amount] = None, mtu: Optional[int] = None,
) -> Link:  # fmt: skip
    """Makes a link between two places: a pair of network devices, veth(4), up and with addresses.

        nsiso.link(a, b, "10.0.0.0/30", delay="10ms")       # a is 10.0.0.1, b is 10.0.0.2
        nsiso.link(a, lan)                                  # a port of a Bridge, an address of its networks
        nsiso.link(End(a, name="up", addresses="10.0.0.9/24", gateway="10.0.0.1"), None)

    ``a`` and ``b``: each an End, or a Host, a Bridge, a Namespace of kind net, None for this process's own network. ``addresses``: of a network,
    "10.0.0.0/30", ``a`` gets the first address and ``b`` the second; an address, "10.0.0.7/24", is a's. A Host that is linked to a router has it as
    its gateway, unless it has one. Quality and ``mtu`` are those of both ways, unless an End says otherwise.

    As root between any two; an ordinary user between networks that one user namespace of its own owns, such as Hosts and Bridges. Raises
    nsiso.Error, and leaves nothing, where a name or an address is taken or a network overlaps another one.
    """
    ends = [end if isinstance(end, End) else End(end) for end in (a, b)]
    ends = [_with_quality(end, delay=delay, jitter=jitter, loss=loss, rate=rate, mtu=mtu) for end in ends]
    ends = _addressed(ends, [_ports(end) for end in ends], texts(addresses))
    ends = _routed(ends)
    made = Link(ends, _nsiso.link(*(end.made() for end in ends)))
    for end, name in zip(ends, made.names):
        if hasattr(end.at, "linked"):
            end.at.linked(name, texts(end.addresses), bool(texts(end.gateway)))
    return made


def _replaced(end: End, **values: Any) -> End:
    return End(**{**end.__dict__, **values})


def _with_quality(end: End, **quality: Any) -> End:
    plain = End()
    wanted = {name: value for name, value in quality.items() if getattr(end, name) == getattr(plain, name)}
    return _replaced(end, **wanted)


def _ports(end: End) -> bool:
    return isinstance(end.at, Bridge)


def _addressed(ends: List[End], are_ports: List[bool], addresses: List[str]) -> List[End]:
    """What the networks and addresses mean for both; a port of a bridge has none."""
    given: List[List[str]] = [[], []]
    for text in addresses:
        interface = ipaddress.ip_interface(text)
        network = interface.network
        if interface.ip == network.network_address and network.prefixlen < network.max_prefixlen - 1:
            hosts = iter(network.hosts())
            for mine, is_port in zip(given, are_ports):
                if not is_port:
                    mine.append(f"{next(hosts)}/{network.prefixlen}")
        else:
            given[0].append(str(interface))
    made = []
    for end, other, mine, is_port in zip(ends, reversed(ends), given, are_ports):
        if is_port:
            end = _replaced(end, port_of=end.port_of or end.at.name)
        elif not mine and not texts(end.addresses) and isinstance(other.at, Bridge):
            mine = other.at.addresses()
        made.append(_replaced(end, addresses=[*texts(end.addresses), *mine]))
    return made


def _routed(ends: List[End]) -> List[End]:
    """A Host's gateway is the router that it is linked to."""
    routers = [getattr(end.at, "router", None) for end in ends]
    made = []
    for end, other, router, other_is_router in zip(ends, reversed(ends), routers, reversed(routers)):
        if router is False and other_is_router and not texts(end.gateway) and not end.at.has_gateway:
            ips = [ipaddress.ip_interface(address).ip for address in texts(other.addresses)]
            families = {ip.version: str(ip) for ip in reversed(ips)}
            mine = {ipaddress.ip_interface(address).version for address in texts(end.addresses)}
            end = _replaced(end, gateway=[ip for version, ip in families.items() if version in mine])
        made.append(end)
    return made
