"""The Python contenders of `make bench`: `bench.py nsiso` and `bench.py subprocess`. bench.h
describes the protocol.
"""

import os
import subprocess
import sys
import time

WAY = sys.argv[1]
KINDS = {
    "none": {},
    "box": dict(user=True, pid=True, mnt=True, map_root=True, mount_proc=True),
    "net": dict(user=True, net=True),
    "all": dict.fromkeys(
        "user pid mnt net ipc uts time cgroup map_root mount_proc".split(), True
    ),
}
OPTIONS = {
    "none": [],
    "box": "unshare --user --pid --fork --map-root-user --mount-proc".split(),
    "net": "unshare --user --net".split(),
    "all": "unshare --user --pid --fork --mount --net --ipc --uts --time --cgroup "
    "--map-root-user --mount-proc".split(),
}

if WAY == "nsiso":
    import nsiso


def run(case, program):
    if WAY == "nsiso":
        return nsiso.run([program], **KINDS[case]).returncode
    return subprocess.run(OPTIONS[case] + [program]).returncode


for line in sys.stdin:
    case, count = line.split()
    program = "/bin/true"
    if case.endswith("-static"):
        case, program = case.removesuffix("-static"), os.environ["BENCH_STATIC"]
    times = []
    for _ in range(int(count)):
        start = time.perf_counter_ns()
        code = run(case, program)
        times.append(time.perf_counter_ns() - start)
        assert code == 0, code
    print(*times, flush=True)
