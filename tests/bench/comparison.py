"""Compares nsiso with other tools that do the same work, and writes the tables of
docs/explanation/comparison.md and docs/images/speed.svg with --update.

The work: /bin/true in new user, pid and mount namespaces, with root mapped and a new proc.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time

from bar_chart import bar_chart
from run import BUILD, ROOT, Contender, compete, quantile

sys.path.insert(0, str(ROOT / "docs/tools"))

from generated import with_section  # noqa: E402

VENV = ROOT / "build/venv/bin"
PAGE = ROOT / "docs/explanation/comparison.md"
PLOT = ROOT / "docs/images/speed.svg"
BEGIN, END = "<!-- made by tests/bench/comparison.py --update -->\n", "<!-- end of the table -->\n"
RUNTIMES = ("crun", "runc")
# crun refuses a machine that has both versions of cgroups, so the contenders see version 2 alone.
UNIFIED = "mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup 2>/dev/null; exec \"$@\""
ONE_VERSION = ["unshare", "--mount", "sh", "-c", UNIFIED, "sh"]


def bundle(directory, program):
    """Writes an OCI bundle that does the same work, and returns its path."""
    place = pathlib.Path(directory, os.path.basename(program[0]))
    (place / "rootfs/dev").mkdir(parents=True)
    one_id = [{"containerID": 0, "hostID": 0, "size": 1}]
    trees = [f"/{name}" for name in ("usr", "bin", "lib", "lib64") if os.path.isdir(f"/{name}")]
    config = {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "process": {"cwd": "/", "args": program, "env": ["PATH=/usr/bin:/bin"], "user": {"uid": 0, "gid": 0}, "noNewPrivileges": False},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            *({"destination": tree, "type": "bind", "source": os.path.realpath(tree), "options": ["bind", "ro"]} for tree in trees),
        ],
        "linux": {"namespaces": [{"type": kind} for kind in ("user", "pid", "mount")], "uidMappings": one_id, "gidMappings": one_id},
    }
    (place / "config.json").write_text(json.dumps(config))
    return place


def commands(directory, program):
    """Returns the command of each tool that is on this machine, by name."""
    unshare = ["--user", "--pid", "--fork", "--map-root-user", "--mount-proc"]
    bwrap = ["--unshare-user", "--unshare-pid", "--uid", "0", "--gid", "0", "--bind", "/", "/", "--proc", "/proc"]
    found = {
        "`nsiso run`": [VENV / "nsiso", "run", "--user", "--pid", "--map-root", "--mount-proc", "--", *program],
        "unshare": ["unshare", *unshare, *program],
        "bwrap": ["bwrap", *bwrap, *program],
    }
    for runtime in RUNTIMES:
        place = bundle(f"{directory}/{runtime}", program)
        no_cgroup = ["--cgroup-manager=disabled"] if runtime == "crun" else []
        found[runtime] = [runtime, *no_cgroup, "run", "--bundle", place, f"bench-{os.getpid()}"]
    return {name: [str(word) for word in words] for name, words in found.items() if shutil.which(words[0])}


def times(directory, rounds):
    """Returns the median time of each contender in milliseconds."""
    script = ROOT / "tests/bench/bench.py"
    field = [
        Contender("nsiso from C", [BUILD / "ours_c"], ["box"]),
        Contender("nsiso from Rust", [BUILD / "rust"], ["box"]),
        Contender("nsiso from Python", [VENV / "python", script, "nsiso"], ["box"]),
    ]
    for name, words in commands(directory, ["/bin/true"]).items():
        words[0] = shutil.which(words[0])
        field.append(Contender(name, [*ONE_VERSION, BUILD / "tool"], ["box"], env={"BENCH_COMMAND": " ".join(words)}))
    compete(field, rounds)
    return {one.name: quantile(one.times["box"], 0.5) / 1000 for one in field if one.times}


def tool_memory(pid):
    """Returns the memory of a process and its descendants in KiB, but for the program's own."""
    total = 0
    for process in [pid, *descendants(pid)]:
        try:
            text = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
            name = pathlib.Path(f"/proc/{process}/comm").read_text().strip()
        except OSError:
            continue
        found = re.search(r"^Pss: +(\d+)", text, re.MULTILINE)
        total += int(found[1]) if found and name != "sleep" else 0
    return total


def descendants(pid):
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield int(child)
            yield from descendants(int(child))


def memory(directory):
    """Returns the memory in KiB that each tool keeps while the program runs."""
    found = {}
    for name, words in commands(directory, ["/bin/sleep", "60"]).items():
        with subprocess.Popen([*ONE_VERSION, *words], stderr=subprocess.DEVNULL) as process:
            while "sleep" not in {process_name(pid) for pid in [process.pid, *descendants(process.pid)]}:
                assert process.poll() is None, name
                time.sleep(0.01)
            found[name] = tool_memory(process.pid)
            # The tool ends after the program, and removes what it has made.
            for pid in [process.pid, *descendants(process.pid)]:
                if process_name(pid) == "sleep":
                    os.kill(pid, 9)
    return found


def process_name(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


def sizes():
    """Returns the size in KiB of what each tool installs to run, without the libraries of the system."""
    files = {"nsiso from C": ROOT / "build/lib/libnsiso.so.0", **{name: shutil.which(name) for name in ("unshare", "bwrap", *RUNTIMES)}}
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        for name, path in files.items():
            if path:
                stripped = pathlib.Path(directory, "stripped")
                subprocess.run(["strip", "-o", stripped, path], check=True)
                found[name] = stripped.stat().st_size // 1024
    return found


def versions():
    asked = {"unshare": ["unshare", "--version"], "bwrap": ["bwrap", "--version"], **{name: [name, "--version"] for name in RUNTIMES}}
    lines = []
    for name, words in asked.items():
        if shutil.which(name):
            shown = subprocess.run(words, capture_output=True, text=True).stdout
            lines.append(f"{name} {re.search(r'[0-9]+(?:[.][0-9]+)+', shown)[0]}")
    processor = re.search(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    what = f"{processor[1] if processor else platform.machine()}, {os.cpu_count()} processors, Linux {platform.release().split('-')[0]}"
    return textwrap.fill(f"Measured on {datetime.date.today()}: {what}; {', '.join(lines)}.", 100)


def table(taken, kept, size):
    names = list(taken)
    ours = taken["nsiso from C"]
    rows = [
        ["", *names],
        ["---", *("--:" for _ in names)],
        ["time, ms", *lowest_in_bold({name: f"{taken[name]:.2f}" for name in names}, names)],
        ["to nsiso from C", *(f"{taken[name] / ours:.2f}" for name in names)],
        ["memory that stays while it runs, KiB", *lowest_in_bold(kept, names)],
        ["size on disk, KiB", *lowest_in_bold(size, names)],
    ]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def lowest_in_bold(values, names):
    """Returns the cells of a row, the lowest in bold."""
    lowest = min(values.values(), key=float)
    return [(f"**{values[name]}**" if values[name] == lowest else str(values[name])) if name in values else "-" for name in names]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40, help="each of 5 runs (default 40)")
    parser.add_argument("--update", action="store_true", help="write the page and the plot")
    options = parser.parse_args()
    if os.geteuid():
        print("The comparison takes root: OCI runtimes need it here.")
        return
    with tempfile.TemporaryDirectory() as directory:
        taken = times(f"{directory}/true", options.rounds)
        text = f"{versions()}\n\n{table(taken, memory(f'{directory}/sleep'), sizes())}"
    print(f"### Comparison with other tools\n\n{text}")
    # Beside the start of Python, all others would look the same.
    drawn = bar_chart(
        "a program in new user, pid and mount namespaces, milliseconds",
        {name: took for name, took in taken.items() if name != "`nsiso run`"},
    )
    (BUILD / "speed.svg").write_text(drawn)
    if options.update:
        PAGE.write_text(with_section(PAGE, BEGIN, END, f"\n{text}\n"))
        PLOT.write_text(drawn)


if __name__ == "__main__":
    if "/build/venv/" not in sys.executable:
        os.execv(VENV / "python", [str(VENV / "python"), *sys.argv])
    main()
