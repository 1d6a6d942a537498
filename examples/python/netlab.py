"""Simulates a network of three hosts and a router as any user: one host runs a web server, and the
others fetch a page over a slow and lossy link.

    build/venv/bin/python examples/python/netlab.py
"""

import subprocess
import sys
import time

import nsiso

SERVER = [sys.executable, "-m", "http.server", "--directory", "/usr/share/doc", "80"]
ASK = "import sys, urllib.request as web; print(len(web.urlopen(sys.argv[1], timeout=30).read()), 'bytes')"


def far_link(router, host, network):
    """Links a distant host: 20 ms each way, one packet in ten lost. Without netem in the kernel,
    the link is only slow.
    """
    try:
        return nsiso.link(router, host, network, delay="20ms", loss="10%"), True
    except nsiso.Error as error:
        print(f"# {error}")
        return nsiso.link(router, host, network, rate="1mbit"), False


def main():
    with nsiso.Host("alice") as alice, nsiso.Host("bob") as bob, nsiso.Host("carol") as carol, nsiso.Host("r", router=True) as router:
        with nsiso.Bridge("lan", "10.0.1.0/24") as lan:
            nsiso.link(nsiso.Endpoint(router, addresses="10.0.1.254/24"), lan)
            for host in (alice, bob):
                nsiso.link(nsiso.Endpoint(host, addresses=lan.addresses(), gateway="10.0.1.254"), lan)
            _, lossy = far_link(router, carol, "10.0.2.0/24")

            with carol.popen(SERVER, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
                while carol.run(["sh", "-c", "exec 2>/dev/null; ss -Hltn | grep -q :80"]).returncode:
                    time.sleep(0.05)
                for host in (alice, bob):
                    start = time.monotonic()
                    asked = host.run([sys.executable, "-c", ASK, f"http://{carol.ip}/"], capture_output=True, text=True)
                    print(f"{host.name} ({host.ip}) asks carol ({carol.ip}): {asked.stdout.strip()} in {time.monotonic() - start:.2f} s")
                server.terminate()

            # Measures the packet loss: sockets of this process send datagrams in one direction.
            with alice.socket(type=2) as near, carol.socket(type=2) as far:
                far.bind((carol.ip, 9))
                far.settimeout(1)
                for number in range(200):
                    near.sendto(number.to_bytes(2, "big") + bytes(1000), (carol.ip, 9))
                got = 0
                try:
                    while far.recv(2000):
                        got += 1
                except TimeoutError:
                    pass
            print(f"of 200 datagrams from alice {got} reached carol" + ("" if lossy else ": the slow line drops what it cannot hold"))


if __name__ == "__main__":
    main()
