"""What this kernel, this user and this host allow."""

import re
from typing import Dict, NamedTuple

from . import _nsiso


class Feature(NamedTuple):
    """One thing that was tried."""

    name: str
    """A kind of namespace, "nested_user", "proc", "overlay", "links", "link_rate", "link_delay", "clone3", "listns", "pidfd_info_exit", "landlock", ..."""
    support: str
    """"yes", "in_user_namespace" (with a new one beside it) or "no"."""
    detail: str
    """Why not, or what there is; may be empty."""
    hint: str
    """What to do about it; may be empty."""

    def __bool__(self) -> bool:
        """Whether it can be had."""
        return self.support != "no"


def probe() -> Dict[str, Feature]:
    """Tries all there is, in children that are thrown away, in some milliseconds; by name. Nothing is kept."""

    def spelled(support: str) -> str:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", support).lower()

    features = (Feature(name, spelled(support), detail, hint) for name, support, detail, hint in _nsiso.probe())
    return {feature.name: feature for feature in features}


def unshare(*kinds: str, map_root: bool = False) -> None:
    """Moves this program itself into new namespaces, unshare(2): there is no way back.

    With ``map_root`` it is root in a new user namespace. New pid and time namespaces are for children to come. A program with
    threads can have net, uts and ipc alone, for the calling thread: use ``run`` there.
    """
    _nsiso.unshare([*kinds], map_root)
