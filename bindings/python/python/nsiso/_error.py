"""Errors of nsiso: OSErrors that say at which step, and what to do."""

import errno as _errno
import re
from typing import Optional


class Error(OSError):
    """A call failed. ``errno`` and ``strerror`` are as in any OSError.

    ``step`` names the step of the work ("exec", "mount_proc", "uid_map", ...), ``index`` which of several
    alike was meant (or None), ``hint`` what to do about it (may be empty).
    """

    step: str = "none"
    index: Optional[int] = None
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.strerror} [{self.hint}]" if self.hint else str(self.strerror)


class ArgumentError(Error, ValueError):
    """A bad argument, found before anything was done."""


class NotFoundError(Error, FileNotFoundError):
    """ENOENT: a program, an interpreter, a directory is missing."""


class NotDirectoryError(Error, NotADirectoryError):
    """ENOTDIR."""


class DeniedError(Error, PermissionError):
    """EPERM or EACCES."""


class NoProcessError(Error, ProcessLookupError):
    """ESRCH: the process has ended."""


_KINDS = {
    _errno.ENOENT: NotFoundError,
    _errno.ENOTDIR: NotDirectoryError,
    _errno.EPERM: DeniedError,
    _errno.EACCES: DeniedError,
    _errno.ESRCH: NoProcessError,
}


def make(errno: int, message: str, step: str, index: Optional[int], hint: str) -> Error:
    """The fitting kind of error. ``step`` comes in the spelling of Rust."""
    step = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", step).lower()
    kind = ArgumentError if step == "argument" else _KINDS.get(errno, Error)
    error = kind(errno, message)
    error.step, error.index, error.hint = step, index, hint
    return error
