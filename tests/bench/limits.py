"""Measures limits for `make bench`: the cost of a cgroup with limits over a bare spawn, and the
time that other tools need for the same work.
"""

import argparse
import os
import shutil
import subprocess
import sys

if "/build/venv/" not in sys.executable:
    # The nsiso package is installed only in this virtual environment.
    venv = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/venv/bin/python")
    os.execv(venv, [venv, *sys.argv])

import nsiso
from in_turns import measured, table

TRUE = "/usr/bin/true"
LIMITS = nsiso.Limits(memory="256M", cpu=0.5, pids=64)

# The same limits set by a shell script, in the hierarchy where each controller is.
BY_HAND = """
set -e
place() { # place CONTROLLER: the caller's group, of version 1 or 2
    of_v1=$(awk -F: -v name="$1" '{ n = split($2, names, ","); for (i = 1; i <= n; i++) if (names[i] == name) print $3 }' /proc/self/cgroup)
    [ -z "$of_v1" ] && echo "$V2" || echo "/sys/fs/cgroup/$1$of_v1"
}
group() { mkdir -p "$(place "$1")/by-hand-$$" && cd "$(place "$1")/by-hand-$$" && groups="$groups $PWD"; }
write() { for file in "$1" "$2"; do [ ! -e "$file" ] || echo "$3" > "$file"; done; }
group memory; write memory.max memory.limit_in_bytes 268435456
group pids; write pids.max pids.max 64
group cpu; [ ! -e cpu.max ] || echo "50000 100000" > cpu.max; write cpu.cfs_quota_us cpu.cfs_quota_us 50000
sh -c 'for group in "$@"; do echo $$ > "$group/cgroup.procs"; done; exec /usr/bin/true' sh $groups
for group in $groups; do rmdir "$group" 2>/dev/null || :; done
"""


def scope():
    """The command that does it with systemd, or None where systemd cannot."""
    words = ["systemd-run", *([] if os.geteuid() == 0 else ["--user"]), "--scope", "--quiet"]
    words += ["-p", "MemoryMax=256M", "-p", "CPUQuota=50%", "-p", "TasksMax=64", TRUE]
    works = shutil.which("systemd-run") and subprocess.run(words, capture_output=True).returncode == 0
    return words if works else None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="runs of each (default 60)")
    options = parser.parse_args()
    try:
        nsiso.run([TRUE], limits=LIMITS)
    except nsiso.Error as error:
        return print(f"limits are not measured: {error}\n{error.hint}")
    mounts = (line.split() for line in open("/proc/self/mounts"))
    own = next((line.strip()[3:] for line in open("/proc/self/cgroup") if line.startswith("0::")), "")
    environment = {**os.environ, "V2": next((words[1] for words in mounts if words[2] == "cgroup2"), "") + own.rstrip("/")}
    ways = {
        "nothing": lambda: nsiso.run([TRUE]),
        "a group": lambda: nsiso.run([TRUE], limits=nsiso.Limits()),
        "a group with three limits": lambda: nsiso.run([TRUE], limits=LIMITS),
        "a shell script, by hand": lambda: subprocess.run(["sh", "-c", BY_HAND], env=environment, check=True),
    }
    words = scope()
    if words:
        ways["systemd-run --scope"] = lambda: subprocess.run(words, check=True)
    # The kernel moves processes faster just after it has moved one, so there is a pause.
    times = measured(ways, options.rounds, pause=0.02)
    print(f"### What limits cost, as uid {os.geteuid()}, from Python\n")
    table(times, "a group with three limits", "to ours")
    if not words:
        print("\nsystemd-run is not there, or there is no systemd that it could ask.")


if __name__ == "__main__":
    main()
