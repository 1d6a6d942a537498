"""Linux namespaces: start programs in any mix of new namespaces, without root.

    nsiso.run(["sh", "-c", "id -u; ps -ef"], user=True, pid=True, map_root=True, mount_proc=True)

``run`` and ``Popen`` take subprocess's arguments and give its results, and take keywords for isolation:
see ``help(nsiso.Popen)``. ``Sandbox`` is a set of them for programs that are not trusted. ``join`` runs a program in existing namespaces, ``enter`` takes the calling thread and ``call_in``
a function into them; ``Namespace`` is one of them, opened. ``list`` and ``tree`` show every namespace of the machine and who holds it. Errors
are ``nsiso.Error``, an OSError with ``step`` and ``hint``.
"""

from subprocess import DEVNULL, PIPE, STDOUT, CalledProcessError, CompletedProcess, TimeoutExpired

from ._bridge import Bridge
from ._endpoint import Endpoint, Uplink
from ._exec import execvp
from ._error import ArgumentError, DeniedError, Error, NoProcessError, NotDirectoryError, NotFoundError
from ._hold import hold
from ._host import Host
from ._lab import Lab
from ._limits import Limits, Pressure, Resources, Stall
from ._list import Gaps, Holder, NamespaceInfo, Listing, Node, list, tree
from ._mount import Bind, Chmod, Dev, Dir, File, Mask, Mqueue, Overlay, Procfs, ReadOnly, Symlink, Sysfs, Tmpfs
from ._namespace import Namespace, Pidfd, call_in, enter, pin, unpin
from ._network import Link, forward, link, move_device, remove_device, socket_in
from ._popen import Completed, Popen, Usage, run
from ._probe import Feature, probe, unshare
from ._restrictions import Landlock, Seccomp
from ._sandbox import Sandbox

__all__ = [
    "Bind", "Chmod", "Dev", "Dir", "File", "Landlock", "Limits", "Pressure", "Resources", "Stall", "Mask", "Mqueue", "Overlay", "Procfs", "ReadOnly", "Sandbox", "Seccomp", "Symlink",
    "Sysfs", "Tmpfs",
    "Bridge", "Endpoint", "Host", "Lab", "Link", "Uplink", "forward", "hold", "link", "move_device", "remove_device", "socket_in",
    "ArgumentError", "CalledProcessError", "Completed", "CompletedProcess", "DEVNULL", "DeniedError", "Error", "Feature", "Gaps",
    "Holder", "NamespaceInfo", "Listing", "Namespace", "NoProcessError", "Node", "NotDirectoryError", "NotFoundError", "PIPE", "Pidfd", "Popen", "STDOUT",
    "TimeoutExpired", "Usage", "call_in", "enter", "execvp", "list", "pin", "probe", "run", "tree", "unpin",
    "unshare",
]  # fmt: skip
