"""Measures joining namespaces for `make bench`: a program that is run in the namespaces of another
process, and a thread that enters a namespace and leaves it.
"""

import argparse
import os
import random
import shutil
import subprocess

from run import BATCH, BUILD, ROOT, WARM_UP, Contender, judge, print_missed, quantile

BAR = 1.10


def field(target, user, *extra):
    env = {"BENCH_TARGET": str(target)}
    ways = {"safe": ("safe", None), "shared": ("shared", None), "nsiso from C": ("ours", None), "C fork + setns + fork": ("fork", None)}
    for name, path in {"nsenter": shutil.which("nsenter"), "our examples/c/nsenter": ROOT / "build/bin/nsenter"}.items():
        if path:
            ways[f"posix_spawn of {name}"] = ("tool", path)
    contenders = []
    for name, (way, path) in ways.items():
        cases = ["enter", "enter-static"]
        # A thread needs privileges in its own user namespace.
        if way in ("safe", "ours") and user is None and os.geteuid() == 0:
            cases.append("thread")
        bar = BAR if way == "ours" else None
        contenders.append(
            Contender(name, [BUILD / "enter", way, *extra], cases, bar, user, {**env, "BENCH_TOOL": str(path)})
        )
    return contenders


def compete(contenders, rounds, where):
    for turn in range(WARM_UP + rounds):
        for case in ["enter", "enter-static", "thread"]:
            for contender in random.sample(contenders, len(contenders)):
                if case in contender.cases:
                    contender.measure(case, BATCH, keep=turn >= WARM_UP)
    for contender in contenders:
        contender.close()
    for case in ["enter", "enter-static", "thread"]:
        limit = contenders[0].times.get(case)
        for contender in contenders:
            times = contender.times.get(case)
            if not times or not limit:
                continue
            (median, p10), (base, base10) = ([quantile(of, part) for part in (0.5, 0.1)] for of in (times, limit))
            bar = ""
            if contender.bars and case == "enter":
                bar = judge(f"{contender.name}, {case}, {where}", median / base, contender.bars)
            numbers = f"{median:.1f} | {p10:.1f} | {median / base:.2f} | {p10 / base10:.2f}"
            print(f"| {case} | {contender.name} | {numbers} | {bar} |", flush=True)
    print()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help=f"each of {BATCH} runs per case (default 60)")
    parser.add_argument("--parent", default="2G", help="size of the big parent (default 2G)")
    options = parser.parse_args()
    for user in [None, 65534] if os.geteuid() == 0 else [None]:
        for extra in ([], ["--parent", options.parent]):
            identity = dict(user=user, group=user, extra_groups=[]) if user else {}
            words = ["unshare", "-U", "-r", "-p", "-n", "--mount-proc", "--fork", "sh", "-c", "echo $$; exec cat"]
            with subprocess.Popen(words, stdin=-1, stdout=-1, text=True, **identity) as target:
                target.stdout.readline()
                pid = open(f"/proc/{target.pid}/task/{target.pid}/children").read().split()[0]
                whose = f"uid {os.geteuid() if user is None else user}"
                where = f"as {whose}, from a {'big' if extra else 'small'} parent"
                print(f"### Enter and run, {where}\n")
                print("| case | contender | median, us | p10, us | median / safe | p10 / safe | bar |")
                print("|---|---|--:|--:|--:|--:|---|")
                compete(field(pid, user, *extra), options.rounds, where)
                target.stdin.close()
    print_missed()


if __name__ == "__main__":
    main()
