"""Every namespace of the machine: ``list`` and ``tree``."""

import os
from collections.abc import Sequence
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple, Union

from . import _nsiso


class Holder(NamedTuple):
    """One that holds a namespace without being a process in it.

    ``how`` is "thread", "descriptor", "socket", "mount", "pid_for_children" or "time_for_children". For a mount,
    ``path`` is the place as process ``pid`` sees it, ``mount_namespace`` the inode of the mount namespace it is in.
    """

    how: str
    pid: int
    tid: Optional[int]
    fd: Optional[int]
    mount_namespace: Optional[int]
    path: Optional[str]


class Gaps(NamedTuple):
    """What a listing could not see: counts, and whether it is ``complete``.

    ``unreadable``: processes whose namespaces may not be read, mostly other users'. ``vanished``: processes that had
    ended when they were looked at; these leave no gap. ``closed``: processes and mount namespaces whose descriptors or
    mounts may not be read. ``sockets``: sockets whose network namespace may not be asked for. ``undescribed``: namespaces
    whose id, parent and owner could not be asked for. ``foreign_proc``: /proc shows another pid namespace.
    ``inner_pid_namespace``: processes outside the caller's pid namespace are not to be seen. ``hidden_processes``:
    /proc is mounted with hidepid.
    """

    complete: bool
    unreadable: int
    vanished: int
    closed: int
    sockets: int
    undescribed: int
    foreign_proc: bool
    inner_pid_namespace: bool
    hidden_processes: bool


class NamespaceInfo:
    """A namespace of a listing. What is not known is None."""

    kind: str  #: "user", "pid", "mnt", "net", "ipc", "uts", "time" or "cgroup"
    inode: int  #: the number in its link under /proc/PID/ns; used again once the namespace is gone
    device: int  #: the device of that inode
    id: Optional[int]  #: the 64-bit id, never used again
    nprocs: int  #: how many processes are in it
    pid: Optional[int]  #: the lowest pid in it
    ppid: Optional[int]  #: that process's parent
    uid: Optional[int]  #: the owner of that process's directory in /proc
    user: Optional[str]  #: the name of that user
    command: Optional[str]  #: that process's arguments, or its name where it has none
    parent_inode: Optional[int]  #: of a user or pid namespace: the one around it
    owner_inode: Optional[int]  #: the user namespace whose capabilities count in it
    creator: Optional[int]  #: the uid that made the user namespace, or the one that owns this namespace
    depth: int  #: how many parents it (or its owner) has
    nsid: Optional[int]  #: of a network namespace: its number in the caller's
    held: Tuple[str, ...]  #: "processes", "threads", "descriptors", "sockets", "mounts", "..._for_children", "descendants"

    def __init__(self, listing: "Listing", index: int) -> None:
        self._listing, self.index = listing, index
        record = listing._snapshot.record(index)
        self._parent, self._owner = record.pop("parent"), record.pop("owner")
        self.__dict__.update(record)
        self.held = tuple(self.held)

    @property
    def parent(self) -> Optional["NamespaceInfo"]:
        """The namespace around it; None at the top, and where its kind was not asked for."""
        return None if self._parent is None else self._listing[self._parent]

    @property
    def owner(self) -> Optional["NamespaceInfo"]:
        """The user namespace that owns it; None as for ``parent``."""
        return None if self._owner is None else self._listing[self._owner]

    def processes(self) -> List[int]:
        """The pids in it, in ascending order."""
        return self._listing._snapshot.processes(self.index)

    @property
    def holders(self) -> List[Holder]:
        """Those that hold it without being processes in it."""
        return [Holder(*row) for row in self._listing._snapshot.holders(self.index)]

    @property
    def paths(self) -> List[str]:
        """Where it is bind-mounted; the caller's own mount namespace comes first."""
        return [holder.path for holder in self.holders if holder.path is not None]

    def to_dict(self) -> Dict[str, Any]:
        """All of it as plain values, ready for json."""
        plain = {name: value for name, value in vars(self).items() if not name.startswith("_") and name != "index"}
        holders = [
            {name: value for name, value in holder._asdict().items() if value is not None} for holder in self.holders
        ]
        return {**plain, "held": [*self.held], "holders": holders}

    def __repr__(self) -> str:
        who = f", pid {self.pid} {self.command}" if self.pid is not None else ""
        plural = "" if self.nprocs == 1 else "es"
        return f"<NamespaceInfo {self.kind}:[{self.inode}], {self.nprocs} process{plural}{who}, held by {'+'.join(self.held)}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NamespaceInfo):
            return NotImplemented
        return (self.device, self.inode, self.id) == (other.device, other.inode, other.id)

    def __hash__(self) -> int:
        return hash((self.device, self.inode, self.id))


class Listing(Sequence):
    """A snapshot: a sequence of ``NamespaceInfo``, ordered by inode, with ``gaps``."""

    def __init__(self, snapshot: "_nsiso.Listing") -> None:
        self._snapshot = snapshot

    def __len__(self) -> int:
        return len(self._snapshot)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [NamespaceInfo(self, n) for n in range(*index.indices(len(self)))]
        n = index + len(self) if index < 0 else index
        if not 0 <= n < len(self):
            raise IndexError(f"namespace {index} of {len(self)}")
        return NamespaceInfo(self, n)

    def __iter__(self) -> Iterator[NamespaceInfo]:
        return (NamespaceInfo(self, n) for n in range(len(self)))

    @property
    def gaps(self) -> Gaps:
        """What could not be seen."""
        return Gaps(**self._snapshot.gaps())

    def find(
        self,
        *,
        inode: Optional[int] = None,
        fd: Optional[int] = None,
        path: Union[str, "os.PathLike[str]", None] = None,
        pid: Optional[int] = None,
        kind: Optional[str] = None,
    ) -> Optional[NamespaceInfo]:
        """One namespace: by inode, by a descriptor of it, by a path, or by a process and a kind. None if it is not there."""
        if [inode, fd, path, pid].count(None) != 3 or (pid is None) != (kind is None):
            raise TypeError("find() takes one of inode, fd, path, or pid with kind")
        if inode is not None:
            index = self._snapshot.find_inode(inode)
        elif fd is not None:
            index = self._snapshot.find_fd(fd)
        elif path is not None:
            index = self._snapshot.find_path(os.fspath(path))
        else:
            index = self._snapshot.find_process(pid, kind)
        return None if index is None else self[index]

    def __repr__(self) -> str:
        return f"<Listing of {len(self)} namespaces{'' if self.gaps.complete else ', incomplete'}>"


def list(
    kinds: Union[str, Iterable[str], None] = None,
    *,
    details: bool = True,
    children: bool = True,
    threads: bool = True,
    mounts: bool = True,
    descriptors: bool = True,
    sockets: bool = True,
    own: bool = False,
) -> Listing:
    """Takes a snapshot of the machine's namespaces.

    ``kinds`` narrows it to some kinds ("net", or ["user", "pid"]); the cost falls with them. Namespaces are found by
    what each process is in, and by what the other keywords say; each costs something and may be switched off:

    details      ids, parents, owners, commands and users; finds parents and owners without a process, and all that
                 listns(2) of Linux 6.19 tells
    children     what processes have ready for their children
    threads      threads that have left the namespaces of their process
    mounts       bind mounts in every mount namespace that has a process
    descriptors  open descriptors
    sockets      sockets made in another network namespace than their process is in

    ``own`` looks only at processes of the caller's own user. What could not be read is told in ``.gaps``.
    """
    scope = dict(details=details, children=children, threads=threads, mounts=mounts, descriptors=descriptors, sockets=sockets)
    names = [kinds] if isinstance(kinds, str) else None if kinds is None else [*kinds]
    return Listing(_nsiso.list(names, [name for name, wanted in scope.items() if wanted], own))


class Node(NamedTuple):
    """A namespace in a tree, with those below it."""

    namespace: NamespaceInfo
    children: "List[Node]"


def tree(by: str = "owner", listing: Optional[Listing] = None) -> "List[Node]":
    """The namespaces as trees: by "owner" all of them, below the user namespaces that own them; by "parent" the
    user and pid namespaces, each below the one around it. Returns the tops. Without a listing, takes one."""
    if by not in ("owner", "parent"):
        raise ValueError(f'by={by!r}: trees go by "owner" or "parent"')
    nodes = [Node(namespace, []) for namespace in (list() if listing is None else listing)]
    tops = []
    for node in nodes:
        if by == "parent" and node.namespace.kind not in ("user", "pid"):
            continue
        above = getattr(node.namespace, f"_{by}")
        (tops if above is None else nodes[above].children).append(node)
    return tops
