"""Defines run, which is that of subprocess with isolation, and its result."""

import subprocess
from typing import TYPE_CHECKING, Any, AnyStr, Dict, Literal, Optional, overload

from ._popen import Popen, Usage

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._keywords import RunKeywords
    from ._types import Args


class Completed(subprocess.CompletedProcess[AnyStr]):
    """The result of ``run()``: a subprocess.CompletedProcess with further attributes.

    They are ``timed_out``, ``out_of_memory``, ``core_dumped`` and ``usage``.
    """

    timed_out: bool = False
    """Whether it was killed because its deadline expired."""

    out_of_memory: bool = False
    """Whether the kernel killed a process of its cgroup because the memory limit was reached."""

    core_dumped: bool = False
    """Whether it was killed by a signal and dumped its core, core(5)."""

    usage: Optional[Usage] = None
    """Resource usage of the program.

    None if another part of this process has reaped it.
    """

    def __repr__(self) -> str:
        flags = [(", timed_out=True", self.timed_out), (", out_of_memory=True", self.out_of_memory)]
        return super().__repr__()[:-1] + "".join(text for text, on in flags if on) + ")"


class _Run(Popen[AnyStr]):
    """A Popen of ``run()``: the program is killed when ``run()`` ends for any reason."""

    _outlives = False

    def _check(self, document: Dict[str, Any]) -> None:
        if document.get("pty"):
            raise TypeError("pty is for nsiso.Popen: run does not read from a terminal")
        if document.get("seccomp_notify"):
            raise TypeError("seccomp_notify is for nsiso.Popen: run does not answer")

    def __del__(self, *_: Any) -> None:
        # Without this, subprocess would leave the program running after an exception that comes
        # just after its start.
        self._end()


@overload
def run(
    args: "Args", *,
    text: Literal[True], encoding: Optional[str] = None, errors: Optional[str] = None,
    universal_newlines: Optional[bool] = None, input: Optional[str] = None, **keywords: "Unpack[RunKeywords]",
) -> "Completed[str]": ...  # fmt: skip
@overload
def run(
    args: "Args", *,
    text: Optional[bool] = None, encoding: str, errors: Optional[str] = None,
    universal_newlines: Optional[bool] = None, input: Optional[str] = None, **keywords: "Unpack[RunKeywords]",
) -> "Completed[str]": ...  # fmt: skip
@overload
def run(
    args: "Args", *,
    text: Optional[bool] = None, encoding: Optional[str] = None, errors: str,
    universal_newlines: Optional[bool] = None, input: Optional[str] = None, **keywords: "Unpack[RunKeywords]",
) -> "Completed[str]": ...  # fmt: skip
@overload
def run(
    args: "Args", *,
    text: Optional[bool] = None, encoding: Optional[str] = None, errors: Optional[str] = None,
    universal_newlines: Literal[True], input: Optional[str] = None, **keywords: "Unpack[RunKeywords]",
) -> "Completed[str]": ...  # fmt: skip
@overload
def run(
    args: "Args", *,
    text: Optional[Literal[False]] = None, encoding: None = None, errors: None = None,
    universal_newlines: Optional[Literal[False]] = None, input: Optional[bytes] = None, **keywords: "Unpack[RunKeywords]",
) -> "Completed[bytes]": ...  # fmt: skip
@overload
def run(
    args: "Args", *,
    text: Optional[bool] = None, encoding: Optional[str] = None, errors: Optional[str] = None,
    universal_newlines: Optional[bool] = None, input: None = None, **keywords: "Unpack[RunKeywords]",
) -> "Completed[Any]": ...  # fmt: skip
def run(
    *popenargs: Any, input: Any = None, capture_output: bool = False, timeout: Optional[float] = None,
    check: bool = False, **keywords: Any,
) -> "Completed[Any]":  # fmt: skip
    """Runs a program until it ends and returns a Completed, as subprocess.run does.

        done = nsiso.run(["id", "-u"], map_root=True, capture_output=True, text=True)
        assert done.stdout.strip() == "0"

    Takes the arguments of Popen, except ``pty`` and ``seccomp_notify``, and these:

    input: bytes or str
        Data for standard input.
    capture_output: bool
        Capture standard output and standard error. Default: False.
    timeout: seconds
        Kill the program after this time and raise subprocess.TimeoutExpired. With a new pid
        namespace, as in the sandbox, or with ``limits``, all of its descendants are killed, too.
        Otherwise only the program is killed.
    check: bool
        Raise subprocess.CalledProcessError if the exit code is not 0. Default: False.

    ``deadline`` does not raise an exception. The init process enforces it, and ``timed_out`` of the
    result is True.

    Raises nsiso.Error if the program cannot be started.
    """
    if input is not None:
        if keywords.get("stdin") is not None:
            raise ValueError("stdin and input arguments may not both be used")
        keywords["stdin"] = subprocess.PIPE
    if capture_output:
        if keywords.get("stdout") is not None or keywords.get("stderr") is not None:
            raise ValueError("stdout and stderr arguments may not be used with capture_output")
        keywords["stdout"] = keywords["stderr"] = subprocess.PIPE
    with _Run(*popenargs, **keywords) as process:
        # If an exception is raised here, the context manager kills the program and waits for it.
        stdout, stderr = process.communicate(input, timeout=timeout)
        completed = Completed(process.args, process.returncode, stdout, stderr)
        completed.timed_out, completed.out_of_memory = process.timed_out, process.out_of_memory
        completed.core_dumped, completed.usage = process.core_dumped, process.usage
    if check:
        completed.check_returncode()
    return completed
