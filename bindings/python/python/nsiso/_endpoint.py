"""Defines Endpoint, one end of a link, and Uplink, a connection to outside networks."""

from dataclasses import dataclass, replace
from typing import Any, Dict, Iterable, Mapping, Optional, Protocol, Union

from ._argument import mapping
from ._document import Entry
from ._namespace import Namespace
from ._types import Seconds

Texts = Union[str, Iterable[str]]


class HasNet(Protocol):
    """What has a network namespace: a Host or a Bridge."""

    @property
    def net(self) -> Namespace: ...


#: A network namespace, or what has one.
Network = Union[HasNet, Namespace]
#: None is the network namespace of the calling process.
Place = Optional[Network]


def _probability(loss: Union[float, str]) -> Any:
    """Returns a probability, given a number or a text such as "1%"."""
    try:
        return float(loss[:-1]) / 100 if isinstance(loss, str) and loss.endswith("%") else loss
    except ValueError:
        raise ValueError(f"loss: {loss!r} is no probability: 0 to 1, or a text like '1%'") from None


@dataclass(frozen=True)
class Endpoint(Entry):
    """One end of a link: a network device, the network namespace it is in, and its settings.

    at: Host, Bridge, Namespace of kind "net", or None
        Where the device is. None is this process's own network namespace. For the inner end of the
        keyword ``links`` it is ignored: that device is in the program's network namespace.
    name: str
        Name of the device, at most 15 bytes. Default: the first free one of eth0, eth1, ..., or of
        veth0, veth1, ... in this process's own network namespace.
    addresses: str or iterable of str
        Addresses with the length of their network, such as "10.0.0.1/24". Default: none.
    gateway: str or iterable of str
        Address of the router for all other networks, one for IPv4 and one for IPv6 at most.
    routes: {network: router or None}
        Further routes, such as {"10.1.0.0/16": "10.0.0.2"}. None: directly through the device.
    mac: str
        Hardware address, such as "02:00:00:00:00:01". Default: a random one.
    mtu: int
        Largest packet in bytes, 68 to 65535. Default: 1500.
    port_of: str
        Name of a bridge in the same network namespace. The device becomes a port of it.
    delay, jitter: seconds, or str
        Delay of packets that leave through this end, such as 0.01 or "10ms" (units ns, us, ms, s, m,
        h), and its variation. The delay is at most one hour, and the jitter at most the delay.
        tc-netem(8).
    loss: float or str
        Probability that a packet that leaves through this end is lost: 0 to 1, or "1%".
        tc-netem(8).
    rate: bits per second, or str
        Largest rate of what leaves through this end, such as "10mbit" (units bit, kbit, mbit,
        gbit). Default: no limit. tc-tbf(8).

    Values are checked when the link is made: TypeError, ValueError or nsiso.ArgumentError.
    """

    at: Place = None
    name: Optional[str] = None
    addresses: Texts = ()
    gateway: Texts = ()
    routes: Optional[Mapping[str, Optional[str]]] = None
    mac: Optional[str] = None
    mtu: Optional[int] = None
    port_of: Optional[str] = None
    delay: Seconds = 0
    jitter: Seconds = 0
    loss: Union[float, str] = 0
    rate: Union[None, int, str] = None

    def document(self) -> Dict[str, Any]:
        routes = mapping("routes", self.routes or {}, {"10.1.0.0/16": "10.0.0.1"})
        document = {
            **Entry.document(replace(self, at=None, routes=None)),
            "routes": [{"to": to} if via is None else {"to": to, "via": via} for to, via in routes],
            "loss": _probability(self.loss),
        }
        netns = network(self.at)
        return document if netns == -1 else {**document, "netns": netns}


@dataclass(frozen=True)
class Uplink(Entry):
    """A connection to outside networks for a program in a new network namespace, by pasta(1).

    It works for an ordinary user. pasta must be installed (Debian package: passt). The program can
    reach what this process can reach, except the loopback addresses of this machine.

    tcp, udp: {port of this machine: port of the program}
        Ports that are forwarded to the program. Default: none.
    listen: str
        Address of this machine at which these ports listen. Default: "127.0.0.1". "0.0.0.0" is
        every IPv4 address.

    Versions of pasta before 2024 return UDP answers only if both port numbers are equal.
    """

    tcp: Optional[Mapping[int, int]] = None
    udp: Optional[Mapping[int, int]] = None
    listen: str = "127.0.0.1"

    def document(self) -> Dict[str, Any]:
        ports = {"tcp": self.tcp, "udp": self.udp}
        pairs = {name: [*mapping(name, given or {}, {8080: 80})] for name, given in ports.items()}
        return {**super().document(), **pairs}


def network(at: Place) -> int:
    """Returns the descriptor of the network namespace of ``at``, or -1 for this process's own.

    Raises ValueError if ``at`` is closed, and TypeError if it has no network namespace.
    """
    if at is None:
        return -1
    if getattr(at, "closed", False):
        raise ValueError(f"{at!r} is closed")
    namespace = getattr(at, "net", at)
    if not isinstance(namespace, Namespace):
        raise TypeError(f"{at!r} is no place: give a Host, a Bridge, a Namespace of kind net, or None for this process's own network")
    return namespace.fileno()
