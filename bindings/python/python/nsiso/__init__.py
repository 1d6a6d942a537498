"""Linux namespaces: start programs in any mix of new namespaces, without root.

    nsiso.run(["sh", "-c", "id -u; ps -ef"], user=True, pid=True, map_root=True, mount_proc=True)

``run`` and ``Popen`` take subprocess's arguments and give its results, and take keywords for isolation:
see ``help(nsiso.Popen)``. Errors are ``nsiso.Error``, an OSError with ``step`` and ``hint``.
"""

from subprocess import DEVNULL, PIPE, STDOUT, CalledProcessError, CompletedProcess, TimeoutExpired

from ._error import ArgumentError, DeniedError, Error, NotFoundError
from ._popen import Popen, Usage, run

__all__ = [
    "ArgumentError", "CalledProcessError", "CompletedProcess", "DEVNULL", "DeniedError", "Error", "NotFoundError",
    "PIPE", "Popen", "STDOUT", "TimeoutExpired", "Usage", "run",
]  # fmt: skip
