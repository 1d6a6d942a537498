"""Runs the contenders in turns and prints a table: `make bench`. The limit is the least C that does the work."""

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
    def __init__(self, name, command, cases, bar=None, user=None, env=()):
        self.name, self.cases, self.bar, self.times = name, cases, bar, {}
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
        """Does nothing once the contender has failed."""
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


def verdict(contender, case, median, p10):
    """The bar of peers.md A: static programs are judged at p10, the others at the median."""
    if contender.bar is None:
        return "", ""
    static = case.endswith("-static")
    bar = contender.bar + (0.10 if static else 0)
    return f"{bar:.2f}", "yes" if (p10 if static else median) <= bar else "**no**"


def table(contenders, cases):
    print("| case | contender | median, us | p10, us | median / limit | p10 / limit | bar | met |")
    print("|---|---|--:|--:|--:|--:|--:|---|")
    for case in cases:
        limit = contenders[0].times.get(case)
        for contender in contenders:
            times = contender.times.get(case)
            if not times or not limit:
                continue
            median, p10 = quantile(times, 0.5), quantile(times, 0.1)
            ratios = median / quantile(limit, 0.5), p10 / quantile(limit, 0.1)
            bar, met = verdict(contender, case, *ratios)
            print(
                f"| {case} | {contender.name} | {median:.0f} | {p10:.0f} "
                f"| {ratios[0]:.2f} | {ratios[1]:.2f} | {bar} | {met} |"
            )
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
        Contender("limit", [BUILD / "limit"], CASES + STATIC, user=user),
        Contender("nsiso from C", [BUILD / "ours_c"], CASES + STATIC, 1.05, user),
        Contender("nsiso from Rust", [BUILD / "rust"], CASES + STATIC, 1.05, user),
        Contender("C fork + unshare + fork", [BUILD / "fork"], CASES + STATIC, user=user),
    ]
    python = python_with_nsiso()
    if python:
        contenders.append(Contender("nsiso from Python", [python, script, "nsiso"], CASES, 1.35, user))
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
    """Each contender against itself: from a parent with memory touched and 64 threads, and from a small one."""
    print(f"### From a parent with {size} touched and 64 threads\n")
    print("| case | contender | small, us | big, us | big / small | bar | met |")
    print("|---|---|--:|--:|--:|--:|---|")
    names = {"limit": "limit", "ours_c": "nsiso from C", "rust": "nsiso from Rust", "fork": "C fork + unshare + fork"}
    for program, name in names.items():
        pair = [Contender(name, [BUILD / program, *extra], ["box"]) for extra in ([], ["--parent", size])]
        compete(pair, max(3, rounds // 8) if program == "fork" else rounds, 2 if program == "fork" else BATCH)
        if all("box" in contender.times for contender in pair):
            small, big = (quantile(contender.times["box"], 0.5) for contender in pair)
            ours = name.startswith("nsiso")
            met = ("yes" if big / small <= 1.2 else "**no**") if ours else ""
            bar = "1.20" if ours else ""
            print(f"| box | {name} | {small:.0f} | {big:.0f} | {big / small:.2f} | {bar} | {met} |", flush=True)
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help=f"each of {BATCH} runs per case (default 60)")
    parser.add_argument("--quick", action="store_true", help="few rounds, a smaller big parent")
    parser.add_argument("--parent", default="2G", help="size of the big parent (default 2G)")
    options = parser.parse_args()
    rounds = 6 if options.quick else options.rounds
    users = [None, 65534] if os.geteuid() == 0 else [None]
    print("none: no namespace. box: user, pid and mnt, root mapped, proc mounted. net: user and net. all: all eight,")
    print("root mapped, proc mounted. They run /bin/true; -static a program without a C library.\n")
    for user in users:
        print(f"### Spawn to reaped, as uid {os.geteuid() if user is None else user}\n")
        contenders = field(user)
        table(contenders, compete(contenders, rounds))
    big_parent(rounds, "256M" if options.quick else options.parent)


if __name__ == "__main__":
    main()
