"""Runs programs in new or existing Linux namespaces, with or without root privileges.

    nsiso.run(["sh", "-c", "id -u; ps -ef"], user=True, pid=True, map_root=True, mount_proc=True)

``run`` and ``Popen`` take the arguments of the subprocess module and keywords for isolation; see
``help(nsiso.Options)``. ``Sandbox`` is a set of these keywords for programs that are not trusted.
``execvp`` replaces the calling process with a program.

The keyword ``join`` runs a program in existing namespaces. ``enter`` moves the calling thread into
existing namespaces, ``call_in`` runs a function in them, and ``Namespace`` is an open namespace.
``hold`` makes namespaces without a program, and ``pin`` keeps a namespace at a path.

``list`` and ``tree`` show the namespaces of the machine and what holds each of them. ``probe``
tells which features this kernel and this user have. ``Host``, ``Bridge`` and ``link`` build
networks of hosts on one machine.

Failures are raised as ``nsiso.Error``, an OSError with the attributes ``step`` and ``hint``.
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
from ._mount import Bind, Chmod, Dev, Dir, File, Mask, Mount, Mqueue, Overlay, Procfs, Propagation, ReadOnly, Symlink, Sysfs, Tmpfs
from ._nsiso import __version__ as __version__
from ._namespace import Namespace, Pidfd, call_in, enter, pin, unpin
from ._network import Link, forward, link, move_device, remove_device, socket_in
from ._options import Options
from ._popen import Popen, Usage
from ._probe import Feature, probe, unshare
from ._restrictions import Landlock, Seccomp
from ._run import Completed, run
from ._sandbox import Sandbox

__all__ = [
    "Bind", "Chmod", "Dev", "Dir", "File", "Landlock", "Limits", "Pressure", "Resources", "Stall", "Mask", "Mount", "Mqueue", "Options", "Overlay", "Procfs", "Propagation", "ReadOnly", "Sandbox", "Seccomp", "Symlink",
    "Sysfs", "Tmpfs",
    "Bridge", "Endpoint", "Host", "Lab", "Link", "Uplink", "forward", "hold", "link", "move_device", "remove_device", "socket_in",
    "ArgumentError", "CalledProcessError", "Completed", "CompletedProcess", "DEVNULL", "DeniedError", "Error", "Feature", "Gaps",
    "Holder", "NamespaceInfo", "Listing", "Namespace", "NoProcessError", "Node", "NotDirectoryError", "NotFoundError", "PIPE", "Pidfd", "Popen", "STDOUT",
    "TimeoutExpired", "Usage", "call_in", "enter", "execvp", "list", "pin", "probe", "run", "tree", "unpin",
    "unshare",
]  # fmt: skip
