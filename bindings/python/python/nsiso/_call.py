"""Calls a function in another Python process, as multiprocessing does."""

import contextlib
import os
import pickle
import subprocess
import sys
from typing import Any, Callable, Dict, Mapping, Tuple, TypeVar

from ._popen import Popen

T = TypeVar("T")


def call_in_python(
    popen: "Callable[..., Popen[bytes]]", function: Callable[..., T], args: Tuple[Any, ...], keywords: Mapping[str, Any]
) -> T:  # fmt: skip
    """Calls a function in a Python process that ``popen`` starts.

    Returns the result of the function, or raises the exception that the function raised.
    """
    if _preparing:
        raise RuntimeError("Host.call is used while the main module is imported: begin that with if __name__ == '__main__', as for multiprocessing")
    wanted = pickle.dumps((function, args, keywords))
    preparation = _prepared(with_main=b"__main__" in wanted)
    read, write = os.pipe()
    with open(read, "rb") as answer, open(write, "wb") as end:
        command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; from nsiso._call import answer; answer({write})"]
        with popen(command, stdin=subprocess.PIPE, pass_fds=[write]) as python:
            end.close()
            assert python.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                python.stdin.write(pickle.dumps((preparation, wanted)))
                python.stdin.close()
            reply = answer.read()
    if not reply:
        raise ChildProcessError(f"the Python that was to call it ended with status {python.returncode} and sent no result")
    worked, result = pickle.loads(reply)
    if not worked:
        raise result
    returned: T = result
    return returned


def _prepared(with_main: bool) -> Dict[str, Any]:
    """Returns the data by which the other Python finds the same modules.

    The other Python imports the main module only if the function or an argument is defined there.
    """
    from multiprocessing import spawn

    preparation = spawn.get_preparation_data("nsiso")
    # The key authenticates children of multiprocessing. The new process is none of them.
    preparation.pop("authkey", None)
    if not with_main:
        for main in ("init_main_from_path", "init_main_from_name"):
            preparation.pop(main, None)
    return preparation


_preparing = False


def answer(fd: int) -> None:
    """Runs in the other Python: calls the function and writes the result to descriptor ``fd``."""
    from multiprocessing import spawn

    global _preparing
    preparation, wanted = pickle.load(sys.stdin.buffer)
    try:
        _preparing = True
        spawn.prepare(preparation)
        _preparing = False
        function, args, keywords = pickle.loads(wanted)
        reply = pickle.dumps((True, function(*args, **keywords)))
    except BaseException as error:
        reply = _error_reply(error)
    with open(fd, "wb") as end:
        end.write(reply)


def _error_reply(error: BaseException) -> bytes:
    try:
        reply = pickle.dumps((False, error))
        pickle.loads(reply)
        return reply
    except Exception:
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))
