"""Connects the terminal of the user to the pseudo-terminal of a program."""

import contextlib
import errno
import fcntl
import os
import select
import signal
import struct
import termios
import tty
from typing import Any, Iterator, List, Tuple, Union

from ._popen import Popen


def on_terminals() -> bool:
    """Returns whether standard input, output and error of this process are terminals."""
    return all(os.isatty(fd) for fd in (0, 1, 2))


def size() -> Tuple[int, int]:
    """Returns rows and columns of the terminal at standard input, or 24 and 80."""
    try:
        rows, columns, _, _ = struct.unpack("4H", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))
    except OSError:
        rows, columns = 24, 80
    return rows, columns


def relay(process: "Popen[Any]") -> None:
    """Copies input and output between both terminals until the program has ended."""
    pty = process.pty
    assert pty is not None
    with _raw(pty):
        try:
            _carry(process, pty)
        except OSError as error:
            # EIO: no process has the other end open. Otherwise nobody reads the output any more,
            # and the program gets SIGHUP when its terminal is closed.
            if error.errno != errno.EIO:
                os.close(pty)


@contextlib.contextmanager
def _raw(pty: int) -> Iterator[None]:
    """Puts the user's terminal into raw mode, and keeps the program's at the same size."""
    if not os.isatty(0):
        yield
        return

    def resize(*_: object) -> None:
        fcntl.ioctl(pty, termios.TIOCSWINSZ, struct.pack("4H", *size(), 0, 0))

    before, handler = termios.tcgetattr(0), signal.signal(signal.SIGWINCH, resize)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, handler)


def _carry(process: "Popen[Any]", pty: int) -> None:
    sources: List[Union[int, Popen[Any]]] = [pty, process]
    with contextlib.suppress(OSError):
        os.fstat(0)
        sources.append(0)
    while True:
        # The last output of the program is still readable when it has ended.
        ready = select.select(sources, [], [])[0]
        if pty in ready:
            # read(2) fails with EIO when no process has the other end open.
            _write(1, os.read(pty, 65536))
        elif process in ready:
            return
        if 0 in ready:
            typed = os.read(0, 65536)
            if not typed:
                sources.remove(0)
            _write(pty, typed or b"\x04")


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
