"""Measures networks for `make bench`: nsiso and other tools create two network namespaces, link
them by a veth pair with addresses, and remove them.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys

if importlib.util.find_spec("nsiso") is None:
    # The nsiso package is installed only in this virtual environment.
    venv = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/venv/bin/python")
    os.execv(venv, [venv, *sys.argv])

import nsiso
from in_turns import measured
from run import quantile

A, B = f"nsiso-a{os.getpid()}", f"nsiso-b{os.getpid()}"
SCRIPT = f"""
ip netns add {A}; ip netns add {B}
ip -n {A} link add eth0 type veth peer name eth0 netns {B}
ip -n {A} address add 10.0.0.1/30 dev eth0; ip -n {B} address add 10.0.0.2/30 dev eth0
for n in {A} {B}; do ip -n $n link set lo up; ip -n $n link set eth0 up; done
ip netns delete {A}; ip netns delete {B}
"""
# The script of an ordinary user: two sleeping programs keep the namespaces alive.
USER_SCRIPT = """
unshare -rn sh -ec '
  unshare -n sleep 9 & b=$!
  ip link set lo up
  while [ "$(readlink /proc/$b/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do :; done
  ip link add eth0 type veth peer name eth0 netns $b
  ip address add 10.0.0.1/30 dev eth0; ip link set eth0 up
  nsenter -n -t $b sh -c "ip link set lo up; ip address add 10.0.0.2/30 dev eth0; ip link set eth0 up"
  kill $b'
"""


def by_nsiso():
    lab = nsiso.Lab.default().join
    with nsiso.hold(net=True, join=lab)["net"] as a, nsiso.hold(net=True, join=lab)["net"] as b:
        nsiso.link(a, b, "10.0.0.0/30")


def by_script():
    subprocess.run(["sh", "-ec", SCRIPT if os.geteuid() == 0 else USER_SCRIPT], check=True, stderr=subprocess.DEVNULL)


def by_pyroute2():
    from pyroute2 import NetNS, netns

    with NetNS(A) as a, NetNS(B) as b:
        a.link("add", ifname="eth0", kind="veth", peer={"ifname": "eth0", "net_ns_fd": B})
        for namespace, address in ((a, "10.0.0.1"), (b, "10.0.0.2")):
            [index] = namespace.link_lookup(ifname="eth0")
            namespace.addr("add", index=index, address=address, prefixlen=30)
            namespace.link("set", index=1, state="up")
            namespace.link("set", index=index, state="up")
    netns.remove(A)
    netns.remove(B)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="runs of each (default 30)")
    options = parser.parse_args()
    ways = {"nsiso from Python": by_nsiso}
    if shutil.which("ip"):
        ways["ip(8), a shell script"] = by_script
    if os.geteuid() == 0 and importlib.util.find_spec("pyroute2"):
        ways["pyroute2"] = by_pyroute2
    times = measured(ways, options.rounds, warm_up=2)
    base = quantile(times["nsiso from Python"], 0.5)
    print(f"### Two networks made, linked and removed, as uid {os.geteuid()}\n")
    print("| contender | median, us | p10, us | median / nsiso |")
    print("|---|--:|--:|--:|")
    for name, taken in times.items():
        median = quantile(taken, 0.5)
        print(f"| {name} | {median:.0f} | {quantile(taken, 0.1):.0f} | {median / base:.1f} |")
    print()


if __name__ == "__main__":
    main()
