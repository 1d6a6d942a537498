"""The calling process becomes a program."""

import contextlib
import os
import sys
from typing import Any, Iterable, Mapping, NoReturn, Union

from . import _isolation
from ._namespace import Joins
from ._popen import spec_of


def execvp(
    args: Any, *, executable: Any = None, cwd: Any = None, env: Any = None,
    pass_fds: Union[Iterable[int], Mapping[int, int]] = (), start_new_session: bool = False,
    join: Any = None, **options: Any,
) -> NoReturn:  # fmt: skip
    """Replaces this process with a program in namespaces of its own, as os.execvp does.

        nsiso.execvp(["bash"], user=True, mnt=True, map_root=True)

    The process keeps its pid, its parent and its terminal; its other threads end. The options are
    those of nsiso.Popen but for what takes a parent: an init process and what brings it, ``pty``,
    ``links``, ``devices``, ``uplink``, ``halt``, filters that ask this process, and a fresh proc
    beside a new pid namespace: they raise nsiso.ArgumentError. So do id maps of others than one's own
    ids, and ``pin``, where the process has several threads. A new or joined pid namespace is that of
    the program's children. With ``limits`` the cgroup is removed by the next use of limits after the
    program's end.

    Raises nsiso.Error where nothing has changed yet. What fails later is written to descriptor 2, and
    the process exits with 127 if the program is not found, with 126 otherwise. As with os.execvp,
    buffers are not flushed: flush files before.
    """
    unknown = sorted(set(options) - set(_isolation.KEYWORDS))
    if unknown:
        raise TypeError(f"execvp takes the keywords of nsiso.Popen for isolation, not {', '.join(unknown)}")
    if isinstance(args, (str, bytes, os.PathLike)):
        args = [args]
    passed = dict(pass_fds) if isinstance(pass_fds, Mapping) else {int(fd): int(fd) for fd in pass_fds}
    spec = spec_of(args, executable, cwd, env, start_new_session, passed, options)
    sys.audit("os.exec", executable or args[0], args, env)
    with contextlib.closing(Joins(spec, () if join is None else join)):
        spec.exec()
    raise AssertionError("exec has neither replaced this process nor failed")
