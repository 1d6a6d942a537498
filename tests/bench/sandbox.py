"""Measures isolation for `make bench`: the cost of each part over a bare spawn, and the sandbox
against bubblewrap and nsjail doing the same work.
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
from run import ROOT, judge, print_missed, quantile

SYSTEM = [
    nsiso.Symlink(os.readlink(f"/{name}"), f"/{name}") if os.path.islink(f"/{name}") else nsiso.Bind(f"/{name}", ro=True, if_exists=True)
    for name in ("bin", "lib", "lib64")
]
VIEW = [nsiso.Tmpfs("/"), nsiso.Bind("/usr", ro=True), *SYSTEM]
BASE = dict(map_root=True, pid=True, mnt=True)


def view(*more):
    return dict(map_root=True, pid=True, net=True, ipc=True, mounts=[*VIEW, *more])


# Each part with only what it needs. A part whose name begins with "+" is added to the nearest row
# above it whose name does not.
PARTS = {
    "nothing": {},
    "new session": dict(start_new_session=True),
    "rlimits, nice, umask, cpus": dict(rlimits={"core": 0, "nofile": 100}, nice=1, umask=0o27, cpus=[0]),
    "no_new_privs": dict(new_privs=False),
    "Landlock, 2 paths": dict(landlock=nsiso.Landlock(execute=["/"], write=["/tmp"])),
    "seccomp, the ready list": dict(seccomp=True),
    "a pty": dict(pty=True, stdin=None),
    "user, pid and mount namespaces": BASE,
    "+ init": {**BASE, "init": True},
    "+ init and a deadline": {**BASE, "deadline": 60},
    "+ init that dies with the host": {**BASE, "die_with_parent": True},
    "+ no capabilities": {**BASE, "caps": [], "new_privs": False},
    "+ no user namespaces": {**BASE, "user_namespaces": False},
    "a view: user, pid, net, ipc, mount namespaces, /usr, 3 links": view(),
    "+ /proc": view(nsiso.Procfs()),
    "+ /dev": view(nsiso.Dev()),
    "+ a tmpfs": view(nsiso.Tmpfs("/tmp", size="1M")),
    "+ /sys": view(nsiso.Sysfs()),
    "+ mqueue": view(nsiso.Mqueue("/mqueue")),
    "+ a bind of a file": view(nsiso.Bind("/etc/passwd", ro=True)),
    "+ a file, a directory, a link": view(nsiso.File("x", "/etc/x"), nsiso.Dir("/d"), nsiso.Symlink("/d", "/l")),
    "+ a mask and a read-only path": view(nsiso.Mask("/usr/share"), nsiso.ReadOnly("/usr/lib")),
    "+ a throw-away overlay of /usr": view(nsiso.Overlay("/usr/lib", "/over")),
    "a throw-away overlay of /": dict(map_root=True, pid=True, mounts=[nsiso.Overlay("/"), nsiso.Procfs()]),
    "all eight namespaces, proc": dict.fromkeys(
        "user pid mnt net ipc uts time cgroup map_root mount_proc".split(), True
    ),
    "the sandbox": dict(sandbox=True),
    "the sandbox without Landlock": dict(sandbox=True, landlock=False),
    "the sandbox without seccomp": dict(sandbox=True, seccomp=False),
    "the sandbox in the host's network": dict(sandbox=True, share=["net"]),
}
RANGE = dict(uid_map=[(0, 100_000, 65_536)], gid_map=[(0, 100_000, 65_536)])


def privileged(tree):
    """The parts that need root. `tree` is a user namespace with a range of ids."""
    return {
        "a user namespace, 65,536 ids": dict(user=True, **RANGE),
        "a mount namespace, a bind": dict(mounts=[nsiso.Bind("/usr", "/mnt", ro=True)]),
        "a mount namespace, a bind with other owners": dict(mounts=[nsiso.Bind("/usr", "/mnt", ro=True, id_map=tree)]),
        "limits by a cgroup": dict(limits=nsiso.Limits(pids=100, memory="256M")),
        "the sandbox with limits": dict(sandbox=True, limits=nsiso.Limits(pids=100, memory="256M")),
    }


BWRAP = "bwrap, the same view and namespaces"


def bwrap(tool):
    words = [tool, "--unshare-all", "--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev", "--size", str(64 << 20), "--tmpfs", "/tmp"]
    for name in ("bin", "lib", "lib64"):
        words += ["--symlink", os.readlink(f"/{name}"), f"/{name}"] if os.path.islink(f"/{name}") else ["--ro-bind", f"/{name}", f"/{name}"]
    return [*words, "--die-with-parent", "--new-session", "--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--"]


def run(keywords):
    process = nsiso.Popen(["/usr/bin/true"], **keywords)
    process.wait()
    if process.pty is not None:
        os.close(process.pty)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="runs of each (default 100)")
    options = parser.parse_args()
    # Python keeps its descriptors open while it starts a child, so Python starts every contender.
    parts = dict(PARTS)
    if os.geteuid() == 0:
        holder = nsiso.Popen(["sleep", "infinity"], user=True, **RANGE)
        parts.update(privileged(nsiso.Namespace.of(holder, "user")))
    ways = {name: (lambda keywords=keywords: run(keywords)) for name, keywords in parts.items()}
    tools = {BWRAP: shutil.which("bwrap"), "our examples/c/bwrap": ROOT / "build/bin/bwrap"}
    for name, tool in tools.items():
        if tool:
            words = [*bwrap(str(tool)), "/usr/bin/true"]
            ways[name] = lambda words=words: subprocess.run(words, check=True)
    jail = [*(word for path in ("/usr", "/bin", "/lib", "/lib64") for word in ("-R", path)), "-T", "/tmp"]
    nsjail = ["nsjail", "-Mo", "-Q", *jail, "--", "/usr/bin/true"]
    if shutil.which("nsjail"):
        ways["nsjail, a like view"] = lambda: subprocess.run(nsjail, check=True)
    times = measured(ways, options.rounds)
    print(f"### What isolation costs, as uid {os.geteuid()}, from Python\n")
    table(times, "the sandbox", "to the sandbox")
    print()
    for other, bar in ((BWRAP, 0.60), ("all eight namespaces, proc", 1.6)):
        if other in times:
            ratio = quantile(times["the sandbox"], 0.5) / quantile(times[other], 0.5)
            print(f"The sandbox to {other}: {ratio:.2f}, bar {judge(f'The sandbox to {other}', ratio, bar)}")
    print()
    print_missed()
    for tool in filter(lambda tool: not shutil.which(tool), ("bwrap", "nsjail")):
        print(f"\n{tool} is not on this machine.")
    if os.geteuid() == 0:
        holder.kill()
        holder.wait()
    else:
        print("\nRanges of ids, binds with other owners and limits by cgroups take root.")


if __name__ == "__main__":
    main()
