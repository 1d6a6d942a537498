"""Defines hold, which makes new namespaces without a program."""

from typing import TYPE_CHECKING, Dict, List

from ._namespace import KINDS, Join, Namespace, joined
from ._spec import KEYWORDS, spec_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Options
    from ._types import Kind

_IMPLIED = {
    "user": ("map_root", "map_current", "map_auto", "uid_map", "gid_map"), "uts": ("hostname", "domainname"),
    "time": ("monotonic", "boottime"), "mnt": ("mounts", "root", "mount_proc"), "net": ("links", "devices", "uplink"),
}  # fmt: skip


def hold(*, join: "Join" = (), **options: "Unpack[Options]") -> "Dict[Kind, Namespace]":
    """Makes new namespaces without a program and returns them as {kind: Namespace}.

        held = nsiso.hold(user=True, map_root=True, net=True)
        nsiso.run(["ip", "link"], join=[*held.values()])

    The namespaces exist until they are closed, or longer if processes are in them. The keywords are
    those of Popen that make namespaces or set them up: kinds, id maps, ``hostname``, ``monotonic``,
    ``mounts``, ``links``, ``join`` and so on.

    Raises TypeError for a keyword that is not one of isolation. Raises nsiso.ArgumentError if no
    kind of namespace is given, and for ``pid``, ``limits`` and ``uplink``, which need a program. A
    pid namespace ends with its first process. An ordinary user needs a new or a joined user
    namespace.
    """
    unknown = options.keys() - KEYWORDS
    if unknown:
        raise TypeError(f"hold() takes no {', '.join(sorted(unknown))}: it runs no program")
    implied = [kind for kind, names in _IMPLIED.items() if any(options.get(name) for name in names)]
    kinds: "List[Kind]" = [kind for kind in KINDS if options.get(kind) or kind in implied]
    with joined(join) as joins:
        return {kind: Namespace._of_fd(fd) for kind, fd in spec_of({**options, "join": joins}).hold(kinds)}
