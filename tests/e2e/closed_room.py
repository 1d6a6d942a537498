"""Walks machine code (x86_64) from one function through everything that it calls, to check that
this code uses nothing outside itself: no other library and no thread-local storage.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass, field

from conftest import run

FUNCTION = re.compile(r"^([0-9a-f]+) <(.+)>:$")
PREFIXES = re.compile(r"^(?:notrack|bnd|rep|repz|lock|cs|ds) +")
DIRECT = re.compile(r"^([0-9a-f]+)(?: |$)")


@dataclass
class Room:
    names: set = field(default_factory=set)
    faults: list = field(default_factory=list)
    system_calls: int = 0


class Code:
    """The functions of a library, by address."""

    def __init__(self, path):
        self.functions = {}
        listing = run("objdump", "-d", "-C", "--no-show-raw-insn", path)
        assert listing.returncode == 0, listing.stderr
        for line in listing.stdout.splitlines():
            if match := FUNCTION.match(line):
                body = []
                self.functions[int(match[1], 16)] = (match[2], body)
            elif "\t" in line:
                text = PREFIXES.sub("", line.split("\t", 1)[1].strip())
                operation, _, operands = text.partition(" ")
                body.append((int(line.split(":")[0], 16), operation, operands.strip()))
        self.starts = sorted(self.functions)

    def owner(self, address):
        """The start address of the function that contains this address."""
        return self.starts[bisect_right(self.starts, address) - 1]

    def walk(self, name):
        """Collects everything that can run once the function `name` (a pattern for the whole name)
        has been called.
        """
        entries = [start for start in self.starts if re.fullmatch(name, self.functions[start][0])]
        assert len(entries) == 1, f"{len(entries)} functions are called {name}"
        room, seen, waiting = Room(), set(), entries
        while waiting:
            start = waiting.pop()
            if start not in seen:
                seen.add(start)
                waiting += self.look_into(start, room)
        return room

    def look_into(self, start, room):
        """Records what one function does; returns the functions that it calls or jumps to."""
        name, body = self.functions[start]
        room.names.add(name)
        if name.endswith("@plt") or ".plt" in name:
            room.faults.append(f"{name} is in another library")
            return []
        targets = []
        for number, (_, operation, operands) in enumerate(body):
            if operation == "syscall":
                room.system_calls += 1
            if "%fs:" in operands:
                room.faults.append(f"{name} uses thread-local storage: {operation} {operands}")
            if not operation.startswith(("call", "j", "loop")):
                continue
            if target := DIRECT.match(operands):
                targets.append(self.owner(int(target[1], 16)))
            elif operation.startswith("call") or not is_switch(body, number):
                room.faults.append(f"{name} goes somewhere unknown: {operation} {operands}")
        return targets


def is_switch(body, number):
    """Whether an indirect jump is a `match` within its function: such a jump adds an offset from a
    table to the table's address.
    """
    _, operation, operands = body[number]
    before = body[max(0, number - 4) : number]
    register = operands.removeprefix("*")
    added = any(op == "add" and args.endswith("," + register) for _, op, args in before)
    loaded = any(op == "movslq" and args.endswith((",4)," + register,)) for _, op, args in before)
    return register.startswith("%") and added and loaded
