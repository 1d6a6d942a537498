"""Runs an interactive shell on a throw-away copy of this machine: its changes disappear when it
ends. It needs no root.

    python throwaway.py [PROGRAM [ARGUMENT...]]
"""

import fcntl
import os
import select
import signal
import struct
import sys
import termios
import tty

import nsiso


def window_size(fd: int) -> "tuple[int, int]":
    rows, columns, _, _ = struct.unpack("4H", fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(8)))
    return rows, columns


def carry(pty: int) -> None:
    """Copies between the user's terminal and the program's, until the program has closed its
    terminal.
    """
    sources = [0, pty]
    while True:
        for fd in select.select(sources, [], [])[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                data = b""
            if fd == pty and not data:
                return
            if fd == 0 and not data:
                sources.remove(0)
                data = b"\x04"
            os.write(1 if fd == pty else pty, data)


def main() -> int:
    program = sys.argv[1:] or [os.environ.get("SHELL", "/bin/sh")]
    terminal = os.isatty(0)
    process = nsiso.Popen(
        program, map_root=True, hostname="throwaway", init=True, ipc=True, die_with_parent=True,
        mounts=[nsiso.Overlay("/"), nsiso.Procfs(), nsiso.Dev()], pty=window_size(0) if terminal else True,
    )  # fmt: skip

    def resize(*_: object) -> None:
        fcntl.ioctl(process.pty, termios.TIOCSWINSZ, struct.pack("4H", *window_size(0), 0, 0))

    if not terminal:
        carry(process.pty)
        return process.wait()
    before = termios.tcgetattr(0)
    signal.signal(signal.SIGWINCH, resize)
    tty.setraw(0)
    try:
        carry(process.pty)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
    return process.wait()


if __name__ == "__main__":
    try:
        code = main()
    except nsiso.Error as error:
        sys.exit(f"throwaway: {error}")
    sys.exit(code if code >= 0 else 128 - code)
