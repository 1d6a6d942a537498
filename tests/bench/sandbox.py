"""Isolation's part of `make bench`: what each part costs over a bare spawn, and the sandbox against bubblewrap doing the same work."""

import argparse
import os
import random
import shutil
import subprocess
import time

import sys

if "/build/venv/" not in sys.executable:
    # The package is there.
    venv = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/venv/bin/python")
    os.execv(venv, [venv, *sys.argv])

import nsiso
from run import ROOT, quantile

SYSTEM = [
    nsiso.Symlink(os.readlink(f"/{name}"), f"/{name}") if os.path.islink(f"/{name}") else nsiso.Bind(f"/{name}", ro=True, if_exists=True)
    for name in ("bin", "lib", "lib64")
]
VIEW = [nsiso.Tmpfs("/"), nsiso.Bind("/usr", ro=True), *SYSTEM]
PARTS = {
    "nothing": {},
    "user, pid and mount namespaces": dict(map_root=True, pid=True, mnt=True),
    "+ init": dict(map_root=True, pid=True, mnt=True, init=True),
    "+ a view (/usr, 3 links)": dict(map_root=True, pid=True, mounts=VIEW),
    "+ a view with /proc, /dev, /tmp": dict(map_root=True, pid=True, mounts=[*VIEW, nsiso.Proc(), nsiso.Dev(), nsiso.Tmpfs("/tmp")]),
    "+ no capabilities": dict(map_root=True, pid=True, mnt=True, caps=[], no_new_privs=True),
    "+ Landlock": dict(map_root=True, pid=True, mnt=True, landlock=nsiso.Landlock(execute=["/"], write=["/tmp"])),
    "+ seccomp": dict(map_root=True, pid=True, mnt=True, seccomp=True),
    "+ a throw-away overlay of /": dict(map_root=True, pid=True, mounts=[nsiso.Overlay("/"), nsiso.Proc()]),
    "the sandbox": dict(sandbox=True),
}


def bwrap(tool):
    words = [tool, "--unshare-all", "--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--size", str(64 << 20), "--tmpfs", "/tmp"]
    for name in ("bin", "lib", "lib64"):
        words += ["--symlink", os.readlink(f"/{name}"), f"/{name}"] if os.path.islink(f"/{name}") else ["--ro-bind", f"/{name}", f"/{name}"]
    return [*words, "--die-with-parent", "--new-session", "--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="runs of each (default 100)")
    options = parser.parse_args()
    # Python would not give up its descriptors for the children's sake: all contenders are started from it alike.
    ways = {name: (lambda keywords=keywords: nsiso.run(["/usr/bin/true"], **keywords)) for name, keywords in PARTS.items()}
    tools = {"bwrap, the same view and namespaces": shutil.which("bwrap"), "our examples/c/bwrap": ROOT / "build/bin/bwrap"}
    for name, tool in tools.items():
        if tool:
            words = [*bwrap(str(tool)), "/usr/bin/true"]
            ways[name] = lambda words=words: subprocess.run(words, check=True)
    nsjail = shutil.which("nsjail")
    if nsjail:
        words = [nsjail, "-Mo", "-Q", "-R", "/usr", "-R", "/lib", "-R", "/lib64", "-R", "/bin", "-T", "/tmp", "--", "/usr/bin/true"]
        ways["nsjail, a like view"] = lambda: subprocess.run(words, check=True)
    times = {name: [] for name in ways}
    for turn in range(options.rounds + 5):
        for name in random.sample(list(ways), len(ways)):
            start = time.perf_counter()
            ways[name]()
            if turn >= 5:
                times[name].append((time.perf_counter() - start) * 1e9)
    base, box = quantile(times["nothing"], 0.5), quantile(times["the sandbox"], 0.5)
    print(f"### What isolation costs, as uid {os.geteuid()}, from Python\n")
    print("| what | median, us | p10, us | over nothing, us | to the sandbox |")
    print("|---|--:|--:|--:|--:|")
    for name, taken in times.items():
        median = quantile(taken, 0.5)
        print(f"| {name} | {median:.0f} | {quantile(taken, 0.1):.0f} | {median - base:.0f} | {median / box:.2f} |")


if __name__ == "__main__":
    main()
