"""Defines probe, which finds out what this kernel and user support, and unshare."""

from typing import TYPE_CHECKING, Dict, NamedTuple

from . import _nsiso

if TYPE_CHECKING:
    from ._types import Kind


class Feature(NamedTuple):
    """One feature that ``probe()`` has tried. It is true if the feature is available."""

    name: str
    """A kind of namespace, such as "user" or "net", or one of "nested_user", "proc", "overlay",
    "idmapped_mounts", "links", "link_rate", "link_delay", "clone3", "listns", "pidfd_info_exit",
    "landlock", "cgroup_v2", "cgroup_v1", "limits", "sandbox".
    """
    description: str
    """What it is, in a few words."""
    support: str
    """Either "yes", "in_user_namespace" (only with a new user namespace) or "no"."""
    detail: str
    """The reason why it is not available, or what is available. May be empty."""
    hint: str
    """How to make it available. May be empty."""

    def __bool__(self) -> bool:
        """Returns whether the feature is available."""
        return self.support != "no"


def probe() -> Dict[str, Feature]:
    """Tries the features of this kernel for this user, and returns them as {name: Feature}.

        if not nsiso.probe()["overlay"]:
            print("this kernel has no overlays for this user")

    Features are tried in child processes, which takes some milliseconds. Results are not cached.
    """
    return {feature["name"]: Feature(**feature) for feature in _nsiso.probe()}


def unshare(*kinds: "Kind", map_root: bool = False) -> None:
    """Moves the calling process into new namespaces, unshare(2).

        nsiso.unshare("user", "net", map_root=True)

    kinds: str
        Kinds of namespace: "user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup".
    map_root: bool
        Map the ids of the caller to root in the new user namespace, which ``kinds`` must include.
        Default: False.

    This cannot be undone. New pid and time namespaces apply to future children. In a process with
    several threads only net, uts and ipc are possible, and they apply only to the calling thread.
    Otherwise start a program with ``run``.

    Needs CAP_SYS_ADMIN, or "user" in ``kinds``. Raises ValueError for an unknown kind, and
    nsiso.Error, with EINVAL for a kind that is not possible with several threads.
    """
    _nsiso.unshare([*kinds], map_root)
