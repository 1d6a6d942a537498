"""Names for the keywords of Popen and run, for type checkers."""

from typing import Iterable, Mapping, Optional, Union

from ._namespace import Join
from ._options import Options
from ._types import Path, Stream


class Keywords(Options, total=False):
    """The keywords of Popen, except those that choose its type: text, encoding and so on."""

    bufsize: int
    executable: Optional[Path]
    stdin: Stream
    stdout: Stream
    stderr: Stream
    close_fds: bool
    restore_signals: bool
    shell: bool
    cwd: Optional[Path]
    env: Union[None, Mapping[str, Path], Mapping[bytes, Path]]
    start_new_session: bool
    pass_fds: Union[Iterable[int], Mapping[int, int]]
    pipesize: int
    join: Optional[Join]


class RunKeywords(Keywords, total=False):
    """The keywords of run, except ``input`` and those that choose its type."""

    capture_output: bool
    timeout: Optional[float]
    check: bool
