"""New namespaces without a program."""

from typing import Any, Dict

from . import _isolation, _nsiso
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
               "time": ("monotonic", "boottime"), "mnt": ("mounts", "root", "mount_proc"), "net": ("links", "devices", "uplink")}  # fmt: skip
    kinds += [kind for kind, options in implied.items() if kind not in kinds and any(keywords.get(option) for option in options)]
    spec = _nsiso.Spec(["none"])
    _isolation.apply(spec, keywords)
    joins = Joins(spec, () if join is None else join)
    try:
        return {kind: Namespace._of_fd(fd) for kind, fd in spec.hold(kinds)}
    finally:
        joins.close()
