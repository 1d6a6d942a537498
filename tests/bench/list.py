"""Measures listing for `make bench`: many processes are listed in turns by a minimal C program, by
nsiso and by lsns(8).
"""

import argparse
import math
import pathlib
import random
import shutil
import subprocess
import sys
import time

from run import BUILD, Contender, quantile

CROWDS = [(300, 10), (3000, 10), (20000, 10), (300, 300), (3000, 3000), (20000, 5000)]
DESCRIPTORS = 100_000
PATIENCE = 120  # seconds for lsns
# Name, program, case, and the highest ratio allowed to the lower bound of this case.
PLAIN = [
    ("limit", "scan", "scan", None),
    ("kind and inode", "list", "scan", 1.15),
    ("full records", "list", "details", 1.60),
    ("looked for everywhere", "list", "everywhere", None),
]
WITH_DESCRIPTORS = [("limit", "scan", "fds", None), ("with descriptors", "list", "fds", None)]


class Crowd:
    def __init__(self, processes, groups, descriptors=0):
        words = [BUILD / "crowd", str(processes), str(groups), str(descriptors)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        if self.process.stdout.readline() != "ready\n":
            sys.exit("the crowd could not be made: this takes root")

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def compete(field, rounds):
    """The median time of each program, in milliseconds."""
    programs = {name: Contender(name, [BUILD / program], [case]) for name, program, case, _ in field}
    for turn in range(rounds + 1):
        for name, _, case, _ in random.sample(field, len(field)):
            programs[name].measure(case, 1, keep=turn > 0)
    for program in programs.values():
        program.close()
    return {name: quantile(programs[name].times[case], 0.5) / 1000 for name, _, case, _ in field}


def lsns():
    """The time of one run in milliseconds; infinite if it exceeds PATIENCE; None without lsns."""
    if not shutil.which("lsns"):
        return None
    start = time.monotonic()
    try:
        subprocess.run(["lsns", "-n", "-r"], stdout=subprocess.DEVNULL, timeout=PATIENCE, check=True)
    except subprocess.TimeoutExpired:
        return math.inf
    return (time.monotonic() - start) * 1000


def memory():
    reply = subprocess.run([BUILD / "list"], input="memory 1\n", capture_output=True, text=True, check=True).stdout
    size, length = map(int, reply.split())
    return size // length, length


def rows(crowd, field, medians):
    limit = medians["limit"]
    for name, _, _, bar in field:
        ratio = medians[name] / limit
        met = "" if bar is None else "yes" if ratio <= bar else "**no**"
        print(f"| {crowd} | {name} | {medians[name]:.1f} | {ratio:.2f} | {bar or ''} | {met} |")


def plot(measured, path):
    """Draws time against processes, both on logarithmic scales."""
    width, height, left, top = 460, 300, 70, 20

    def x(processes):
        return left + width * math.log10(processes / 200) / math.log10(30_000 / 200)

    def y(milliseconds):
        return top + height * (1 - math.log10(milliseconds) / 5)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 260} {height + 70}" font-family="sans-serif" '
        'font-size="13">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{left + width / 2}" y="{height + 60}" text-anchor="middle">processes, in 10 groups</text>',
    ]
    for power, label in enumerate(["1 ms", "10 ms", "100 ms", "1 s", "10 s", "100 s"]):
        line = y(10**power)
        parts.append(f'<path d="M{left} {line:.0f}h{width}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{line + 4:.0f}" text-anchor="end">{label}</text>')
    for processes in measured:
        parts.append(f'<text x="{x(processes):.0f}" y="{height + 38}" text-anchor="middle">{processes:,}</text>')
    names = list(next(iter(measured.values())))
    for name, colour in zip(names, ["#888", "#1b7837", "#2166ac", "#762a83", "#b2182b"]):
        points = [(x(count), y(times[name])) for count, times in measured.items() if math.isfinite(times[name])]
        path_of = " ".join(f"{across:.0f},{down:.0f}" for across, down in points)
        parts.append(f'<polyline points="{path_of}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.0f}" cy="{d:.0f}" r="3" fill="{colour}"/>' for a, d in points]
    ends = sorted((times, name) for name, times in measured[max(measured)].items() if math.isfinite(times))
    floor = math.inf
    for times, name in ends:
        floor = min(y(times) + 4, floor - 15)
        parts.append(f'<text x="{x(max(measured)) + 10:.0f}" y="{floor:.0f}">{name}</text>')
    pathlib.Path(path).write_text("\n".join([*parts, "</svg>\n"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="no crowd of more than 3,000 processes")
    parser.add_argument("--plot", default=BUILD / "list.svg", help="where to draw it (default build/bench/list.svg)")
    options = parser.parse_args()
    print("### Listing the namespaces of a crowd\n")
    print("| processes/groups | contender | median, ms | / limit | bar | met |\n|---|---|--:|--:|--:|---|")
    measured, sizes = {}, []
    for processes, groups in CROWDS:
        if options.quick and processes > 3000:
            continue
        with Crowd(processes, groups):
            medians = compete(PLAIN, 10 if processes > 3000 else 20)
            crowd = f"{processes:,}/{groups:,}"
            rows(crowd, PLAIN, medians)
            tool = lsns()
            if tool:
                told = f"{tool:.0f} | {tool / medians['limit']:.0f}" if math.isfinite(tool) else f">{PATIENCE}000 |"
                print(f"| {crowd} | lsns | {told} | | |", flush=True)
                medians["lsns"] = tool
            sizes.append((crowd, *memory()))
        if groups == 10:
            measured[processes] = medians
    with Crowd(300, 10, DESCRIPTORS):
        rows(f"300/10, {DESCRIPTORS:,} descriptors", WITH_DESCRIPTORS, compete(WITH_DESCRIPTORS, 20))
    print()
    for crowd, size, length in sizes:
        print(f"- {crowd}: {length} namespaces, {size} bytes each in a full listing")
    if not options.quick:
        growth = measured[20000]["full records"] / measured[3000]["full records"]
        print(f"- growth: time(20,000) / time(3,000) = {growth:.1f} (bar 8)")
    plot(measured, options.plot)


if __name__ == "__main__":
    main()
