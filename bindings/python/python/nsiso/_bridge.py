"""Defines Bridge, a network bridge to which hosts are linked."""

import ipaddress
from typing import TYPE_CHECKING, Dict, List, Optional, Union

from . import _nsiso
from ._argument import text, texts
from ._endpoint import Endpoint, Texts
from ._hold import hold
from ._lab import Lab
from ._namespace import Namespace
from ._network import Link, Linkable

if TYPE_CHECKING:
    from typing_extensions import Self


class Bridge(Linkable):
    """A network bridge in a new network namespace, to which hosts are linked.

        lan = nsiso.Bridge("lan", "10.1.0.0/24")
        for host in hosts:
            nsiso.link(host, lan)          # 10.1.0.1, 10.1.0.2, ...

    name: str
        Name of the bridge device, at most 15 bytes.
    networks: str or iterable of str
        IP networks of the bridge, such as "10.1.0.0/24". A link that is made without addresses gets
        the first free address of each. Default: none.
    lab: Lab
        The lab whose user namespace owns the bridge. Default: the lab of this process.

    A Bridge is a context manager. The end of the block, or ``close()``, removes all links to the
    bridge and closes its network namespace. Raises ValueError if a network is not valid, and
    nsiso.Error if the namespace or the bridge cannot be made. An ordinary user can make bridges.
    """

    def __init__(self, name: str, networks: Texts = (), *, lab: Optional[Lab] = None) -> None:
        self.name: str = text("name", name)
        self.bridge = self.name
        self.closed: bool = False
        self._networks = [_network_of(network) for network in texts("networks", networks)]
        self._links: Dict[Link, List[str]] = {}
        """Each link, with the addresses of the device at its other end."""
        self.lab: Lab = lab or Lab.default()
        self.net: Namespace = hold(net=True, join=self.lab.join)["net"]
        _nsiso.bridge(self.net.fileno(), name)

    def addresses(self) -> List[str]:
        """Returns the first free address of each network of the bridge, such as "10.1.0.1/24".

        Raises ValueError if a network has no free address.
        """
        taken = {ipaddress.ip_interface(address).ip for addresses in self._links.values() for address in addresses}
        found = [next((ip for ip in network.hosts() if ip not in taken), None) for network in self._networks]
        if None in found:
            raise ValueError(f"the networks of {self!r} have no more addresses")
        return [f"{ip}/{network.prefixlen}" for ip, network in zip(found, self._networks)]

    def linked(self, link: Link, name: str, end: Endpoint, other: Endpoint) -> None:
        self._links[link] = texts("addresses", other.addresses)

    def unlinked(self, link: Link) -> None:
        self._links.pop(link, None)

    def close(self) -> None:
        if not self.closed:
            for link in [*self._links]:
                link.remove()
            self.closed = True
            self.net.close()

    def __enter__(self) -> "Self":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Bridge {self.name}>"


def _network_of(network: str) -> Union[ipaddress.IPv4Network, ipaddress.IPv6Network]:
    try:
        return ipaddress.ip_network(network)
    except ValueError as error:
        raise ValueError(f"networks: {error}") from None
