"""A bridge that joins many hosts."""

import ipaddress
from typing import Any, List, Optional

from . import _nsiso
from ._end import Texts, texts
from ._hold import hold
from ._lab import Lab


class Bridge:
    """A bridge that joins many hosts: a network namespace of its own with a bridge in it.

        lan = nsiso.Bridge("lan", "10.1.0.0/24")
        for host in hosts:
            nsiso.link(host, lan)          # 10.1.0.1, 10.1.0.2, ...

    ``networks``: where links to it get their addresses from, if they are given none. ``lab``: as for Host. A context manager, which removes it,
    and all links to it.
    """

    def __init__(self, name: str, networks: Texts = (), *, lab: Optional[Lab] = None) -> None:
        self.name = self.bridge = name
        self._hosts = [iter(_network_of(network).hosts()) for network in texts(networks)]
        self._prefixes = [_network_of(network).prefixlen for network in texts(networks)]
        self.lab = lab or Lab.default()
        self.net = hold(net=True, join=self.lab.join)["net"]
        _nsiso.bridge(self.net.fileno(), name)

    def addresses(self) -> List[str]:
        """The next addresses of its networks."""
        found = [next(hosts, None) for hosts in self._hosts]
        if None in found:
            raise ValueError(f"the networks of {self!r} have no more addresses")
        return [f"{ip}/{prefix}" for ip, prefix in zip(found, self._prefixes)]

    def close(self) -> None:
        self.net.close()

    def __enter__(self) -> "Bridge":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Bridge {self.name}>"


def _network_of(text: str) -> Any:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"networks: {error}") from None
