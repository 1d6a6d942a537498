"""Defines Endpoint, one end of a link, and Uplink, a connection to outside networks."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Iterable, List, Mapping, Optional, Tuple, Union

from . import _nsiso
from ._argument import mapping, text, texts, unsigned
from ._namespace import Namespace

Texts = Union[str, Iterable[str]]
Amount = Union[int, float, str]

_TIMES = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_RATES = {"bit": 1, "kbit": 10**3, "mbit": 10**6, "gbit": 10**9}


def _amount(what: str, value: Amount, units: Mapping[str, float], example: str) -> float:
    """Returns a number, or the value of a text with a number and a unit."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < 0:
            raise ValueError(f"{what}: {value} is less than nothing")
        return value
    found = re.fullmatch(r"([0-9.]+)\s*([a-z%]*)", value.strip().lower()) if isinstance(value, str) else None
    try:
        return float(found[1]) * (units[found[2]] if found[2] else 1)  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{what}: {value!r} is neither a number nor one with a unit, like {example!r}") from None


@dataclass(frozen=True)
class Endpoint:
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
        Delay of packets that leave through this end, such as 0.01 or "10ms" (units ns, us, ms, s),
        and its variation. The delay is at most one hour, and the jitter at most the delay.
        tc-netem(8).
    loss: float or str
        Probability that a packet that leaves through this end is lost: 0 to 1, or "1%".
        tc-netem(8).
    rate: bits per second, or str
        Largest rate of what leaves through this end, such as "10mbit" (units bit, kbit, mbit,
        gbit). Default: no limit. tc-tbf(8).

    Values are checked when the link is made: TypeError, ValueError or nsiso.ArgumentError.
    """

    at: Any = None
    name: Optional[str] = None
    addresses: Texts = ()
    gateway: Texts = ()
    routes: Optional[Mapping[str, Optional[str]]] = None
    mac: Optional[str] = None
    mtu: Optional[int] = None
    port_of: Optional[str] = None
    delay: Amount = 0
    jitter: Amount = 0
    loss: Amount = 0
    rate: Optional[Amount] = None

    def made(self) -> "_nsiso.Endpoint":
        end = _nsiso.Endpoint(network(self.at))
        for name, value in (("name", self.name), ("mac", self.mac), ("port_of", self.port_of)):
            if value is not None:
                getattr(end, name)(text(name, value))
        if self.mtu is not None:
            end.mtu(unsigned("mtu", self.mtu))
        for address in texts("addresses", self.addresses):
            end.address(address)
        for via in texts("gateway", self.gateway):
            end.gateway(via)
        for to, router in mapping("routes", self.routes or {}, {"10.1.0.0/16": "10.0.0.1"}):
            end.route(text("routes", to), None if router is None else text("routes", router))
        if (self.delay, self.jitter) != (0, 0):
            end.delay(_amount("delay", self.delay, _TIMES, "10ms"), _amount("jitter", self.jitter, _TIMES, "1ms"))
        if self.loss != 0:
            end.loss(_amount("loss", self.loss, {"%": 0.01}, "1%"))
        if self.rate is not None:
            end.rate(int(_amount("rate", self.rate, _RATES, "10mbit")))
        return end


@dataclass(frozen=True)
class Uplink:
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

    def put(self, spec: Any) -> None:
        spec.uplink(_ports("tcp", self.tcp), _ports("udp", self.udp), ipaddress.ip_address(text("listen", self.listen)))


def _ports(name: str, ports: Optional[Mapping[int, int]]) -> List[Tuple[int, int]]:
    pairs = mapping(name, ports or {}, {8080: 80})
    return [(unsigned(name, outside, 65535), unsigned(name, inside, 65535)) for outside, inside in pairs]


def network(at: Any) -> int:
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
