"""Defines hold, which makes new namespaces without a program."""

from typing import TYPE_CHECKING, Dict, Optional

from ._namespace import Join, Namespace, joined
from ._spec import check_keywords, document_of_keywords, spec_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Options
    from ._types import Kind

def hold(*, join: "Optional[Join]" = None, **options: "Unpack[Options]") -> "Dict[Kind, Namespace]":
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
    check_keywords("hold", options)
    with joined(join) as joins:
        return {kind: Namespace._of_fd(fd) for kind, fd in spec_of({**document_of_keywords(options), **joins}).hold()}
