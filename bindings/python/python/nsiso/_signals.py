"""Passes the signals that ``nsiso run`` gets on to the program."""

import os
import signal
from typing import Any, List, Optional

from ._popen import Popen

# Seconds that a program in a sandbox has after SIGTERM or SIGHUP.
GRACE = 10


class Passing:
    """Handles signals from now on. Those that come before the program has started are kept."""

    def __init__(self, sandbox: bool) -> None:
        self._sandbox = sandbox
        self._process: Optional[Popen[Any]] = None
        self._early: List[int] = []
        self._asked_to_end = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # An ignored signal stays ignored, as with nohup(1).
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._receive)

    def to(self, process: Popen[Any]) -> None:
        self._process = process
        for number in self._early:
            self._pass(process, number)

    def _receive(self, number: int, _: Any) -> None:
        # The terminal sends Ctrl-C to the program, too.
        if number == signal.SIGINT and _in_foreground():
            return
        if self._process is None:
            self._early.append(number)
        else:
            self._pass(self._process, number)

    def _pass(self, process: Popen[Any], number: int) -> None:
        if number != signal.SIGINT and self._asked_to_end:
            process.kill()
            return
        process.send_signal(number)
        if number != signal.SIGINT:
            self._asked_to_end = True
            if self._sandbox:
                signal.signal(signal.SIGALRM, lambda *_: process.kill())
                signal.alarm(GRACE)


def _in_foreground() -> bool:
    try:
        with open("/dev/tty") as terminal:
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
