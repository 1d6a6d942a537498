"""What a network is made of: ends of links, and a way to the outside."""

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
    """A number, or one with a unit."""
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
    """One end of a link: a network device at a place, with what it is to be given.

    ``at``: a Host, a Bridge, a Namespace of kind net, or None for this process's own network (as the inner end of ``links``: the program's).
    ``name``: of the device, at most 15 letters; by default the first free of eth0, eth1, ... ``addresses``: one or some, with their networks, as
    "10.0.0.1/24". ``gateway``: the router for all other networks, one for each family. ``routes``: {"10.1.0.0/16": router's address or None}. ``mac``,
    ``mtu`` (bytes). ``port_of``: the bridge at the same place that it is a port of.

    What leaves through it is held up by ``delay`` (seconds, or "10ms"), give or take ``jitter``, gets lost by ``loss`` (a part of 1, or "1%"), and
    is no more than ``rate`` (bits per second, or "10mbit"): tc-netem(8), tc-tbf(8).
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
    """A way to the outside for a program in a network of its own: pasta(1), which must be installed (Debian: passt), also for an ordinary user.

    The program reaches what this process reaches, the host's loopback excepted. ``tcp`` and ``udp``: {port of the host: port of the program} that lead
    inside. ``listen``: the host's address of these ports; "0.0.0.0" for all.
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
    """The descriptor of the network namespace that is meant, -1 for one's own."""
    if at is None:
        return -1
    if getattr(at, "closed", False):
        raise ValueError(f"{at!r} is closed")
    namespace = getattr(at, "net", at)
    if not isinstance(namespace, Namespace):
        raise TypeError(f"{at!r} is no place: give a Host, a Bridge, a Namespace of kind net, or None for this process's own network")
    return namespace.fileno()
