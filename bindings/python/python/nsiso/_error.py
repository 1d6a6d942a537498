"""Defines the exceptions of nsiso: OSErrors with the step that failed and a hint."""

import errno as _errno
import re
from typing import Optional


class Error(OSError):
    """An operation of the library failed.

    ``errno`` and ``strerror`` are those of OSError. ``str(error)`` includes the hint.

    step: str
        The step that failed, such as "exec", "mount_proc", "uid_map" or "cgroup".
    index: int or None
        Position of the failed item where a step has several, such as a mount or a descriptor.
    hint: str
        How to solve the problem. May be empty.
    """

    step: str = "none"
    index: Optional[int] = None
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.strerror} [{self.hint}]" if self.hint else str(self.strerror)


class ArgumentError(Error, ValueError, TypeError):
    """The type or the value of an argument is not valid. Nothing has been done yet.

    It is also a ValueError and a TypeError.
    """


class NotFoundError(Error, FileNotFoundError):
    """ENOENT: a program, its interpreter or another file does not exist.

    It is also a FileNotFoundError.
    """


class NotDirectoryError(Error, NotADirectoryError):
    """ENOTDIR: a part of a path is not a directory. Also a NotADirectoryError."""


class DeniedError(Error, PermissionError):
    """EPERM or EACCES: a privilege or a permission is missing. Also a PermissionError."""


class NoProcessError(Error, ProcessLookupError):
    """ESRCH: the process has ended. Also a ProcessLookupError."""


# Tracebacks show the name under which these are caught.
for _class in (Error, ArgumentError, NotFoundError, NotDirectoryError, DeniedError, NoProcessError):
    _class.__module__ = "nsiso"

_KINDS = {
    _errno.ENOENT: NotFoundError,
    _errno.ENOTDIR: NotDirectoryError,
    _errno.EPERM: DeniedError,
    _errno.EACCES: DeniedError,
    _errno.ESRCH: NoProcessError,
}


def make(errno: int, message: str, step: str, index: Optional[int], hint: str) -> Error:
    """Returns an exception of the class that fits ``errno``.

    ``step`` is the name of a variant of Step in Rust, such as "UidMap".
    """
    step = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", step).lower()
    kind = ArgumentError if step == "argument" else _KINDS.get(errno, Error)
    error = kind(errno, message)
    error.step, error.index, error.hint = step, index, hint
    return error
