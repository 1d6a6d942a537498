"""The user's own terminal, lent to a program that has a pseudo-terminal: for commands, not for libraries."""

import contextlib
import fcntl
import os
import select
import signal
import struct
import termios
import tty
from typing import Iterator, Tuple

from ._popen import Popen


def on_terminals() -> bool:
    """Whether this process's input and output are terminals."""
    return all(os.isatty(fd) for fd in (0, 1, 2))


def size() -> Tuple[int, int]:
    """Rows and columns of the user's terminal, or the usual ones."""
    try:
        rows, columns, _, _ = struct.unpack("4H", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))
    except OSError:
        rows, columns = 24, 80
    return rows, columns


def attend(process: Popen) -> None:
    """Carries all that is typed and shown, until the program has ended."""
    with _raw(process), contextlib.suppress(OSError):
        _carry(process)


@contextlib.contextmanager
def _raw(process: Popen) -> Iterator[None]:
    """Every key is for the program, and its terminal has the size of the user's."""
    if not os.isatty(0):
        yield
        return

    def resize(*_: object) -> None:
        fcntl.ioctl(process.pty, termios.TIOCSWINSZ, struct.pack("4H", *size(), 0, 0))

    before, handler = termios.tcgetattr(0), signal.signal(signal.SIGWINCH, resize)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, handler)


def _carry(process: Popen) -> None:
    sources = [0, process.pty]
    while True:
        # What it has written last is still there when it has ended.
        ready = select.select([*sources, process], [], [])[0]
        if process.pty in ready:
            # EIO once nobody has the other end.
            _write(1, os.read(process.pty, 65536))
        elif process in ready:
            return
        if 0 in ready:
            typed = os.read(0, 65536)
            if not typed:
                sources.remove(0)
            _write(process.pty, typed or b"\x04")


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
