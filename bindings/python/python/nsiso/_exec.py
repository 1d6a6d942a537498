"""Defines execvp, which replaces the calling process with a program."""

import os
import sys
from typing import TYPE_CHECKING, Iterable, Mapping, NoReturn, Optional, Union

from ._namespace import Join, joined
from ._spec import check_keywords, document_of_keywords, passed_fds, spec_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._options import Options
    from ._types import Args, Path


def execvp(
    args: "Args", *, executable: "Optional[Path]" = None, cwd: "Optional[Path]" = None,
    env: "Union[None, Mapping[str, Path], Mapping[bytes, Path]]" = None, pass_fds: Union[Iterable[int], Mapping[int, int]] = (),
    start_new_session: bool = False, join: "Optional[Join]" = None, **options: "Unpack[Options]",
) -> NoReturn:  # fmt: skip
    """Replaces the calling process with a program in new or existing namespaces, as os.execvp does.

        nsiso.execvp(["bash"], user=True, mnt=True, map_root=True)

    args, executable, cwd, env, pass_fds, start_new_session, join
        As for nsiso.Popen.
    options
        The isolation keywords of nsiso.Popen, except those that need a parent process: ``init`` and
        the options that imply it (``wait_for_all``, ``die_with_parent``, ``deadline``), ``pty``,
        ``links``, ``devices``, ``uplink``, ``sync_fds`` and ``seccomp_notify``. A new proc
        mount is not possible together with a new pid namespace.

    The process keeps its pid, its parent and its terminal. Its other threads end. It stays in its
    pid namespace: a new or joined one applies to the children of the program. With ``limits`` the
    cgroup remains when the program has ended, until the next call that uses limits removes it.

    As with os.execvp, buffers of open files are not flushed: flush them before the call.

    Never returns. Raises nsiso.Error if the call fails before anything has changed, and
    nsiso.ArgumentError for an option that is not possible. A process with several threads also gets
    it for ``pin``, and for id maps that include ids other than its own. An error after that point
    is written to descriptor 2. Then the process exits with 127 if the program was not found, and
    with 126 otherwise.
    """
    check_keywords("execvp", options)
    if isinstance(args, (str, bytes, os.PathLike)):
        args = [args]
    sys.audit("os.exec", executable or args[0], args, env)
    with joined(join) as joins:
        spec_of(
            {**document_of_keywords(options), **joins}, args, executable=executable, cwd=cwd, env=env, new_session=start_new_session, passed=passed_fds(pass_fds)
        ).exec()
    raise AssertionError("exec has neither replaced this process nor failed")
