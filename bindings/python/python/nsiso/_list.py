"""Defines list and tree, which show the namespaces of the machine, and their results."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Literal, NamedTuple, Optional, Tuple, Union, overload

from . import _nsiso

if TYPE_CHECKING:
    from ._types import Kind, Kinds, Path


class Holder(NamedTuple):
    """Something that keeps a namespace in existence, other than a process in it.

    how: str
        "thread" (it has left the namespaces of its process), "descriptor", "socket", "mount",
        "pid_for_children" or "time_for_children" (for future children of a thread).
    pid: int
        The process. For a mount, a process that sees it.
    tid: int or None
        The thread, for the kinds that have one.
    fd: int or None
        Number of the descriptor or socket in that process.
    mount_namespace: int or None
        For a mount, the inode of the mount namespace it is in.
    path: str or None
        For a mount, its path as that process sees it.
    """

    how: str
    pid: int
    tid: Optional[int]
    fd: Optional[int]
    mount_namespace: Optional[int]
    path: Optional[str]


class Gaps(NamedTuple):
    """What a listing could not see.

    complete: bool
        Whether the listing saw everything that it looked for.
    unreadable: int
        Number of processes whose namespaces may not be read, mostly those of other users.
    vanished: int
        Number of processes that ended during the listing. They do not make it incomplete.
    closed: int
        Number of processes and mount namespaces whose threads, descriptors or mounts may not be
        read.
    sockets: int
        Number of sockets whose network namespace may not be read.
    undescribed: int
        Number of namespaces whose id, parent and owner could not be read.
    foreign_proc: bool
        /proc shows another pid namespace than that of this process.
    inner_pid_namespace: bool
        This process is not in the first pid namespace, and sees no processes outside its own.
    hidden_processes: bool
        /proc is mounted with hidepid, and hides the processes of other users.
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
    """A namespace in a listing. Attributes that are not known are None."""

    kind: "Kind"  #: "user", "pid", "mnt", "net", "ipc", "uts", "time" or "cgroup"
    inode: int  #: the number in its link below /proc/PID/ns; can be reused
    device: int  #: the device of that inode
    id: Optional[int]  #: the 64-bit id, never reused; mnt: Linux 6.11, others: 6.18
    nprocs: int  #: number of processes in it
    pid: Optional[int]  #: the lowest pid in it
    ppid: Optional[int]  #: the parent of process ``pid``
    uid: Optional[int]  #: the owner of /proc/PID of process ``pid``
    user: Optional[str]  #: the name of user ``uid``
    command: Optional[str]  #: arguments of process ``pid``, or its name if it has none
    parent_inode: Optional[int]  #: inode of the parent of a user or pid namespace
    owner_inode: Optional[int]  #: inode of the user namespace that owns it
    creator: Optional[int]  #: uid that made this user namespace, or the owning one
    depth: int  #: number of ancestors of it, or of its owner
    nsid: Optional[int]  #: id of a network namespace in this one, ip-netns(8)
    #: What keeps it in existence: "processes", "threads", "descriptors", "sockets", "mounts",
    #: "pid_for_children", "time_for_children", "descendants"
    held: Tuple[str, ...]
    index: int
    # Indices in the listing.
    _parent: Optional[int]
    _owner: Optional[int]

    def __init__(self, listing: "Listing", index: int) -> None:
        self._listing, self.index = listing, index
        record = listing._snapshot.record(index)
        self._parent, self._owner = record.pop("parent"), record.pop("owner")
        self.__dict__.update(record)
        self.held = tuple(self.held)

    @property
    def parent(self) -> Optional["NamespaceInfo"]:
        """The parent of a user or pid namespace, as NamespaceInfo.

        None for the first namespace, for one whose parent is not visible to this process, and if
        the listing does not include its kind.
        """
        return None if self._parent is None else self._listing[self._parent]

    @property
    def owner(self) -> Optional["NamespaceInfo"]:
        """The user namespace that owns this one, as NamespaceInfo.

        The owner of a user namespace is its parent. None if that is not visible to this process or
        not part of the listing.
        """
        return None if self._owner is None else self._listing[self._owner]

    def processes(self) -> List[int]:
        """Returns the pids of the processes in the namespace, in ascending order."""
        return self._listing._snapshot.processes(self.index)

    @property
    def holders(self) -> List[Holder]:
        """Everything that keeps the namespace in existence, other than processes in it."""
        return [Holder(*row) for row in self._listing._snapshot.holders(self.index)]

    @property
    def paths(self) -> List[str]:
        """The paths where the namespace is bind-mounted.

        Those in the mount namespace of this process come first.
        """
        return [holder.path for holder in self.holders if holder.path is not None]

    def to_dict(self) -> Dict[str, Any]:
        """Returns all attributes and holders as plain values, for the json module."""
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


class Listing(Sequence[NamespaceInfo]):
    """The result of ``list()``: a sequence of NamespaceInfo, ordered by inode.

    It is a snapshot and does not change.
    """

    def __init__(self, snapshot: "_nsiso.Listing") -> None:
        self._snapshot = snapshot

    def __len__(self) -> int:
        return len(self._snapshot)

    @overload
    def __getitem__(self, index: int) -> NamespaceInfo: ...

    @overload
    def __getitem__(self, index: slice) -> List[NamespaceInfo]: ...

    def __getitem__(self, index: Union[int, slice]) -> Union[NamespaceInfo, List[NamespaceInfo]]:
        if isinstance(index, slice):
            return [NamespaceInfo(self, n) for n in range(*index.indices(len(self)))]
        n = index + len(self) if index < 0 else index
        if not 0 <= n < len(self):
            raise IndexError(f"namespace {index} of {len(self)}")
        return NamespaceInfo(self, n)

    def __iter__(self) -> Iterator[NamespaceInfo]:
        return (NamespaceInfo(self, n) for n in range(len(self)))

    def to_dict(self) -> Dict[str, Any]:
        """Returns the listing as plain values, as ``nsiso list --json`` prints it."""
        return self._snapshot.to_dict()

    @property
    def gaps(self) -> Gaps:
        """What the listing could not see, as Gaps."""
        return Gaps(**self._snapshot.gaps())

    @overload
    def find(self, *, inode: int) -> Optional[NamespaceInfo]: ...

    @overload
    def find(self, *, fd: int) -> Optional[NamespaceInfo]: ...

    @overload
    def find(self, *, path: "Path") -> Optional[NamespaceInfo]: ...

    @overload
    def find(self, *, pid: int, kind: "Kind") -> Optional[NamespaceInfo]: ...

    def find(
        self,
        *,
        inode: Optional[int] = None,
        fd: Optional[int] = None,
        path: "Optional[Path]" = None,
        pid: Optional[int] = None,
        kind: "Optional[Kind]" = None,
    ) -> Optional[NamespaceInfo]:
        """Returns one namespace of the listing, or None if the listing does not include it.

            listing.find(pid=os.getpid(), kind="net")

        Takes exactly one of these:

        inode: int
            The number in its link below /proc/PID/ns.
        fd: int
            An open descriptor of the namespace.
        path: path
            A file below /proc/PID/ns, or a bind mount of one.
        pid: int, kind: str
            The namespace of this kind that a process is in.

        Raises TypeError for any other combination, and nsiso.Error if ``fd`` or ``path`` is not a
        namespace.
        """
        if [inode, fd, path, pid].count(None) != 3 or (pid is None) != (kind is None):
            raise TypeError("find() takes one of inode, fd, path, or pid with kind")
        if inode is not None:
            index = self._snapshot.find_inode(inode)
        elif fd is not None:
            index = self._snapshot.find_fd(fd)
        elif path is not None:
            index = self._snapshot.find_path(os.fsdecode(path))
        else:
            assert pid is not None and kind is not None
            index = self._snapshot.find_process(pid, kind)
        return None if index is None else self[index]

    def __repr__(self) -> str:
        return f"<Listing of {len(self)} namespaces{'' if self.gaps.complete else ', incomplete'}>"


def list(
    kinds: "Optional[Kinds]" = None,
    *,
    details: bool = True,
    children: bool = True,
    threads: bool = True,
    mounts: bool = True,
    descriptors: bool = True,
    sockets: bool = True,
    own: bool = False,
) -> Listing:
    """Takes a snapshot of the namespaces of the machine and returns it as a Listing.

        for namespace in nsiso.list("net"):
            print(namespace.inode, namespace.pid, namespace.command)

    kinds: str or iterable of str
        Kinds to list: "user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup". Default: all.
        Fewer kinds take less time.
    own: bool
        Look only at processes of the calling user. Default: False.

    The listing includes the namespaces of all visible processes. These keywords add to it. All are
    True by default, and False saves time:

    details
        Ids, parents, owners, commands and users. Also finds parents and owners without a process,
        and all namespaces that listns(2) of Linux 6.19 reports.
    children
        Namespaces that future children of a process will be in.
    threads
        Namespaces of threads that have left those of their process.
    mounts
        Bind mounts in each mount namespace that has a process.
    descriptors
        Open descriptors.
    sockets
        Sockets that were made in another network namespace than their process is in.

    No privilege is needed. What may not be read is counted in ``gaps`` of the result. Raises
    ValueError for an unknown kind.
    """
    scope = dict(details=details, children=children, threads=threads, mounts=mounts, descriptors=descriptors, sockets=sockets)
    names: Optional[List[Kind]] = None if kinds is None else [kinds] if isinstance(kinds, str) else [*kinds]
    return Listing(_nsiso.list(names, [name for name, wanted in scope.items() if wanted], own))


class Node(NamedTuple):
    """A namespace in a tree, and the nodes below it."""

    namespace: NamespaceInfo
    children: "List[Node]"


def tree(by: Literal["owner", "parent"] = "owner", listing: Optional[Listing] = None) -> List[Node]:
    """Returns the namespaces as trees: a list of the top Nodes.

    by: str
        "owner": each namespace is below the user namespace that owns it. "parent": only user and
        pid namespaces, each below its parent. Default: "owner".
    listing: Listing
        The listing to show. Default: a new one, as from ``list()``.

    Raises ValueError for another ``by``.
    """
    if by not in ("owner", "parent"):
        raise ValueError(f'by={by!r}: trees go by "owner" or "parent"')
    nodes = [Node(namespace, []) for namespace in (list() if listing is None else listing)]
    tops: List[Node] = []
    for node in nodes:
        if by == "parent" and node.namespace.kind not in ("user", "pid"):
            continue
        above = getattr(node.namespace, f"_{by}")
        (tops if above is None else nodes[above].children).append(node)
    return tops
