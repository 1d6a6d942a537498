"""Runs the contenders of `make bench` in turns and prints a table. A contender is a program that
does the same work in its own way.

There are two lower bounds. "shared" is the smallest C program whose child shares the caller's
memory: fastest, and unsafe. "safe" is the smallest C program that sets the child up in a helper
program, as nsiso does: one process without a pid namespace, two with one.
"""

import argparse
import os
import pathlib
import random
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/bench"
CASES = ["none", "box", "net", "all"]
STATIC = [f"{case}-static" for case in CASES]
BOX = CASES[1:]
WARM_UP = 2
BATCH = 5


class Contender:
    def __init__(self, name, command, cases, bars=None, user=None, env=()):
        self.name, self.cases, self.bars, self.times = name, cases, bars, {}
        identity = dict(user=user, group=user, extra_groups=[]) if user else {}
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "BENCH_STATIC": str(BUILD / "nothing"), **dict(env)},
            **identity,
        )

    def measure(self, case, count, keep):
        """Runs a case `count` times. Does nothing once the contender has failed."""
        if self.process is None:
            return
        try:
            self.process.stdin.write(f"{case} {count}\n")
            self.process.stdin.flush()
            times = [int(time) for time in self.process.stdout.readline().split()]
        except OSError:
            times = []
        if len(times) != count:
            print(f"{self.name}: failed in case {case}", file=sys.stderr)
            self.close()
        elif keep:
            self.times.setdefault(case, []).extend(times)

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process = None


def quantile(times, part):
    return sorted(times)[int(len(times) * part)] / 1000


def compete(contenders, rounds, batch=BATCH):
    cases = [case for case in CASES + STATIC if any(case in c.cases for c in contenders)]
    for turn in range(WARM_UP + rounds):
        for case in cases:
            for contender in random.sample(contenders, len(contenders)):
                if case in contender.cases:
                    contender.measure(case, batch, keep=turn >= WARM_UP)
    for contender in contenders:
        contender.close()
    return cases


class Bars:
    """The ratios that a contender must not exceed: medians to both lower bounds, and 10th
    percentiles of static programs to the safe one.
    """

    STATIC = 1.10
    SHARED = {"none": 1.18, "box": 1.30, "net": 1.18, "all": 1.30}

    def __init__(self, safe, shared=True):
        self.safe, self.shared = safe, shared

    def of(self, case):
        """The bars of a case. Each is a lower bound, the quantile that is compared, and the ratio
        allowed.
        """
        if case.endswith("-static"):
            return [("safe", 0.1, self.STATIC)]
        return [("safe", 0.5, self.safe)] + [("shared", 0.5, self.SHARED[case])] * self.shared


MISSED = []


def judge(what, ratio, bar):
    """Records a ratio that is above its bar, for the report at the end."""
    if ratio > bar:
        MISSED.append(f"{what}: {ratio:.2f} where {bar:.2f} is the bar")
    return f"{bar:.2f} {'met' if ratio <= bar else '**missed**'}"


def print_missed():
    print("Bars that were missed:" if MISSED else "Every bar was met.")
    for line in MISSED:
        print(f"- {line}")
    print()


def support(contender, case, limits, who):
    words = []
    for limit, part, bar in contender.bars.of(case) if contender.bars else []:
        ratio = quantile(contender.times[case], part) / quantile(limits[limit].times[case], part)
        what = f"{contender.name}, {case}, as {who}, {'p10' if part < 0.5 else 'median'} to {limit}"
        words.append(f"{limit} {judge(what, ratio, bar)}")
    return ", ".join(words)


def table(contenders, cases, who):
    print("| case | contender | median, us | p10, us | median / safe | p10 / safe | median / shared | bars |")
    print("|---|---|--:|--:|--:|--:|--:|---|")
    limits = {contender.name: contender for contender in contenders[:2]}
    for case in cases:
        if not all(limit.times.get(case) for limit in limits.values()):
            continue
        safe, shared = (limits[name].times[case] for name in ("safe", "shared"))
        for contender in contenders:
            times = contender.times.get(case)
            if not times:
                continue
            median, p10 = quantile(times, 0.5), quantile(times, 0.1)
            ratios = median / quantile(safe, 0.5), p10 / quantile(safe, 0.1), median / quantile(shared, 0.5)
            columns = " | ".join(f"{ratio:.2f}" for ratio in ratios)
            bars = support(contender, case, limits, who)
            print(f"| {case} | {contender.name} | {median:.0f} | {p10:.0f} | {columns} | {bars} |")
    print()


def python_with_nsiso():
    for python in [ROOT / "build/venv/bin/python", pathlib.Path("/tmp/pyvenv/bin/python")]:
        if python.exists():
            if subprocess.run([python, "-c", "import nsiso"], stderr=subprocess.DEVNULL).returncode == 0:
                return python
    return None


def field(user):
    script = ROOT / "tests/bench/bench.py"
    contenders = [
        Contender("safe", [BUILD / "safe"], CASES + STATIC, user=user),
        Contender("shared", [BUILD / "limit"], CASES + STATIC, user=user),
        Contender("nsiso from C", [BUILD / "ours_c"], CASES + STATIC, Bars(1.05), user),
        Contender("nsiso from Rust", [BUILD / "rust"], CASES + STATIC, Bars(1.05), user),
        Contender("C fork + unshare + fork", [BUILD / "fork"], CASES + STATIC, user=user),
    ]
    python = python_with_nsiso()
    if python:
        contenders.append(Contender("nsiso from Python", [python, script, "nsiso"], CASES, Bars(1.20, shared=False), user))
    else:
        print("nsiso from Python: skipped, the module is not built", file=sys.stderr)
    contenders.append(
        Contender("Python subprocess of unshare", ["/usr/bin/python3", script, "subprocess"], CASES, None, user)
    )
    tools = {"unshare": shutil.which("unshare"), "bwrap": shutil.which("bwrap")}
    ours = ROOT / "build/bin/unshare"
    tools["our examples/c/unshare"] = ours if ours.exists() else None
    for name, path in tools.items():
        if path is None:
            print(f"{name}: skipped, not installed", file=sys.stderr)
            continue
        contenders.append(
            Contender(f"posix_spawn of {name}", [BUILD / "tool"], BOX, None, user, {"BENCH_TOOL": str(path)})
        )
    return contenders


def big_parent(rounds, size):
    """Compares each contender with itself: once from a parent with touched memory and 64 threads,
    once from a small parent.
    """
    print(f"### From a parent with {size} touched and 64 threads\n")
    print("| case | contender | small, us | big, us | big / small | bar |")
    print("|---|---|--:|--:|--:|---|")
    names = {"safe": "safe", "limit": "shared", "ours_c": "nsiso from C", "rust": "nsiso from Rust", "fork": "C fork + unshare + fork"}
    for program, name in names.items():
        pair = [Contender(name, [BUILD / program, *extra], ["box"]) for extra in ([], ["--parent", size])]
        compete(pair, max(3, rounds // 8) if program == "fork" else rounds, 2 if program == "fork" else BATCH)
        if all("box" in contender.times for contender in pair):
            small, big = (quantile(contender.times["box"], 0.5) for contender in pair)
            ours = name.startswith("nsiso")
            bar = judge(f"{name}, {size} parent to small parent", big / small, 1.2) if ours else ""
            print(f"| box | {name} | {small:.0f} | {big:.0f} | {big / small:.2f} | {bar} |", flush=True)
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help=f"each of {BATCH} runs per case (default 60)")
    parser.add_argument("--quick", action="store_true", help="few rounds, a smaller big parent")
    parser.add_argument("--parent", default="2G", help="size of the big parent (default 2G)")
    parser.add_argument("--user", choices=["own", "nobody", "both"], default="both", help="who runs the contenders")
    options = parser.parse_args()
    rounds = 6 if options.quick else options.rounds
    users = {"own": [None], "nobody": [65534], "both": [None, 65534]}[options.user if os.geteuid() == 0 else "own"]
    print("none: no namespace. box: user, pid and mnt, root mapped, proc mounted. net: user and net. all: all eight,")
    print("root mapped, proc mounted. They run /bin/true; -static a program without a C library.")
    print("safe: the least C that shares no memory with what is in other namespaces. shared: the least C that does.\n")
    for user in users:
        who = f"uid {os.geteuid() if user is None else user}"
        print(f"### Spawn to reaped, as {who}\n")
        contenders = field(user)
        table(contenders, compete(contenders, rounds), who)
    big_parent(rounds, "256M" if options.quick else options.parent)
    print_missed()


if __name__ == "__main__":
    main()
