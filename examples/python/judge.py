"""Judges untrusted Python: runs each snippet in a sandbox with limits, and reports the result.

    python judge.py [FILE...]      judges files, or without any a few snippets of its own
"""

import sys
from typing import NamedTuple

import nsiso

SECONDS = 2
BOX = nsiso.Sandbox(rlimits={"as": 512 << 20, "cpu": SECONDS + 1, "fsize": 1 << 20, "nproc": 20}, deadline=SECONDS)

SNIPPETS = {
    "right": "print(sum(range(10)))",
    "wrong": "print(44)",
    "crash": "raise ValueError('no')",
    "for ever": "while True: pass",
    "asleep": "import time; time.sleep(100)",
    "too much memory": "print(len(bytearray(2 << 30)))",
    "a fork bomb": "import os\nwhile True: os.fork()",
    "your files": "print(open('/etc/hostname').read())",
    "the network": "import socket; socket.create_connection(('192.0.2.1', 80), 1)",
    "out of the way": "import os; os.kill(-1, 9)",
}


class Verdict(NamedTuple):
    word: str
    output: str
    seconds: float


def judge(source: str, wanted: str) -> Verdict:
    """Runs Python source and compares its output with the wanted one."""
    with BOX.popen(["python3", "-I", "-c", source], stdout=nsiso.PIPE, stderr=nsiso.STDOUT, stdin=nsiso.DEVNULL, text=True, errors="replace") as process:
        output = process.stdout.read(10_000)
        process.stdout.close()
        code = process.wait()
    seconds = process.usage.user_time + process.usage.system_time if process.usage else 0.0
    if process.timed_out:
        return Verdict("time limit", output, seconds)
    if code < 0:
        return Verdict(f"killed by signal {-code}", output, seconds)
    if code > 0:
        return Verdict("runtime error", (output.strip().splitlines() or [""])[-1], seconds)
    return Verdict("accepted" if output.split() == wanted.split() else "wrong answer", output, seconds)


def main() -> None:
    try:
        snippets = {name: open(name).read() for name in sys.argv[1:]} or SNIPPETS
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"judge.py: {error}")
    for name, source in snippets.items():
        verdict = judge(source, "45")
        print(f"{name:16} {verdict.word:18} {verdict.seconds:5.2f} s  {verdict.output.strip()[:60]!r}")


if __name__ == "__main__":
    main()
