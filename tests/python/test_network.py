"""Tests networks from Python: hosts, links, bridges, routers, and sockets in other namespaces. All
traffic stays between namespaces that the tests create.
"""

import contextlib
import gc
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time

import nsiso
import pytest

ROOT = os.geteuid() == 0


@pytest.fixture
def pair():
    with nsiso.Host("a") as a, nsiso.Host("b") as b:
        nsiso.link(a, b, ["10.0.0.0/30", "fd00::/64"])
        yield a, b


def ip(host, *words):
    return json.loads(host.run(["ip", "-json", *words], capture_output=True, text=True, check=True).stdout)


def addresses(host):
    """The addresses that ip(8) prints: {device: [address, ...]}, without link-local ones."""
    return {
        device["ifname"]: sorted(f"{info['local']}/{info['prefixlen']}" for info in device["addr_info"] if info["scope"] != "link")
        for device in ip(host, "address")
    }


def talk(a, b, address, family=socket.AF_INET):
    """Exchanges data over TCP and UDP between two sockets of this process."""
    with b.socket(family) as server, a.socket(family) as client:
        server.bind((address, 80))
        server.listen()
        client.connect((address, 80))
        client.sendall(b"hello")
        with server.accept()[0] as far:
            assert far.recv(5) == b"hello"
    with b.socket(family, socket.SOCK_DGRAM) as far, a.socket(family, socket.SOCK_DGRAM) as near:
        far.bind((address, 53))
        far.settimeout(20)
        near.sendto(b"hello", (address, 53))
        assert far.recv(5) == b"hello"


def test_five_lines_are_a_laboratory(pair):
    a, b = pair
    assert (a.ip, b.ip) == ("10.0.0.1", "10.0.0.2")
    assert addresses(a) == {"lo": ["127.0.0.1/8", "::1/128"], "eth0": ["10.0.0.1/30", "fd00::1/64"]} and a.devices["eth0"] == ["10.0.0.1/30", "fd00::1/64"]
    talk(a, b, "10.0.0.2")
    talk(b, a, "fd00::1", socket.AF_INET6)


def test_a_host_has_a_name_files_and_processes_of_its_own(pair):
    a, _ = pair
    seen = a.run(["sh", "-c", "hostname; id -u; ls /sys/class/net; ls -d /proc/[0-9]*; pwd"], capture_output=True, text=True).stdout.split()
    assert seen[:4] == ["a", "0", "eth0", "lo"] and seen[-1] == os.getcwd()
    assert len(seen) < 10, "the processes of the machine are out of sight"
    assert a.run(["sh", "-c", "exit 3"]).returncode == 3


def test_real_programs_talk(pair):
    a, b = pair
    code = "import socket; s = socket.create_server(('', 80)); print(flush=True); c = s.accept()[0]; c.sendall(c.recv(9).upper())"
    with b.popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as server:
        server.stdout.readline()
        ask = f"import socket; c = socket.create_connection(('{b.ip}', 80)); c.sendall(b'hello'); print(c.recv(9))"
        assert a.run([sys.executable, "-c", ask], capture_output=True, text=True).stdout == "b'HELLO'\n"


def test_routers_and_gateways():
    with nsiso.Host("a") as a, nsiso.Host("r", router=True) as r, nsiso.Host("b") as b:
        nsiso.link(a, r, ["10.1.0.0/24", "fd01::/64"])
        # Two links give `b` a gateway for each version of IP.
        nsiso.link(r, b, "10.2.0.0/24")
        nsiso.link(r, b, "fd02::/64")
        assert b.gateways == {4, 6}
        assert [route["gateway"] for route in ip(a, "route") if route["dst"] == "default"] == ["10.1.0.2"]
        talk(a, b, b.ip)
        talk(b, a, "fd01::1", socket.AF_INET6)
        nsiso.forward(r, False)
        with b.socket(type=socket.SOCK_DGRAM) as far, a.socket(type=socket.SOCK_DGRAM) as near:
            far.bind((b.ip, 9))
            far.settimeout(0.2)
            near.sendto(b"x", (b.ip, 9))
            with pytest.raises(TimeoutError):
                far.recv(1)


def test_a_hundred_hosts_on_a_bridge_leave_nothing():
    def left():
        gc.collect()
        return len(os.listdir("/proc/self/fd")), len(children())

    nsiso.Lab.default()
    before = left()
    with nsiso.Bridge("lan", "10.3.0.0/16") as lan:
        hosts = [nsiso.Host(f"h{number}") for number in range(100)]
        for host in hosts:
            nsiso.link(host, lan)
        assert hosts[99].ip == "10.3.0.100"
        talk(hosts[0], hosts[99], hosts[99].ip)
        talk(hosts[50], hosts[7], hosts[7].ip)
        for host in hosts:
            host.close()
    assert left() == before


def children():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as status:
            found += [pid] if f"PPid:\t{os.getpid()}\n" in status.read() else []
    return found


def test_ends_have_all_that_was_asked_for(pair):
    a, b = pair
    mine = nsiso.Endpoint(a, name="far", addresses="192.0.2.1/24", mac="02:00:00:00:00:01", mtu=1400, routes={"198.51.100.0/24": "192.0.2.2"})
    made = nsiso.link(mine, nsiso.Endpoint(b, addresses=["192.0.2.2/24"]), rate="100mbit")
    assert made.names == ("far", "eth1") and repr(made) == "<Link far -- eth1>"
    [link] = ip(a, "link", "show", "far")
    assert (link["mtu"], link["address"]) == (1400, "02:00:00:00:00:01")
    assert ip(a, "route", "show", "198.51.100.0/24")[0]["gateway"] == "192.0.2.2"
    assert "tbf" in a.run(["tc", "qdisc", "show", "dev", "far"], capture_output=True, text=True).stdout
    made.remove()
    assert list(addresses(b)) == ["lo", "eth0"]


def test_programs_start_with_links_and_devices(pair):
    a, _ = pair
    inside = nsiso.Endpoint(addresses="10.7.0.2/24", gateway="10.7.0.1")
    keywords = dict(join=a.lab.join, links=[(inside, nsiso.Endpoint(a, addresses="10.7.0.1/24"))], capture_output=True, text=True)
    for _ in range(5):  # each time, the link is removed with the program
        done = nsiso.run(["ip", "-brief", "address", "show", "eth0"], **keywords)
        assert "10.7.0.2/24" in done.stdout and done.returncode == 0
    nsiso.link(nsiso.Endpoint(a, name="spare"), nsiso.Endpoint(a, name="other"))
    with nsiso.Host("c") as c:
        nsiso.move_device("spare", nsiso.Endpoint(c, addresses="10.8.0.1/24"), at=a)
        assert addresses(c)["spare"] == ["10.8.0.1/24"]
    # A caller that is in a network itself may move a device of it.
    if ROOT:
        nsiso.link(nsiso.Endpoint(None, name="nsiso-spare"), nsiso.Endpoint(None, name="nsiso-other"))
        # A device that was moved to a program is moved back if the program cannot be started.
        with pytest.raises(FileNotFoundError):
            nsiso.run(["/no/such/program"], devices={"nsiso-spare": nsiso.Endpoint(name="moved")})
        assert subprocess.run(["ip", "link", "show", "nsiso-spare"], capture_output=True).returncode == 0
        done = nsiso.run(["ip", "-brief", "link"], devices={"nsiso-spare": nsiso.Endpoint(name="moved")}, capture_output=True, text=True)
        assert "moved" in done.stdout
    with pytest.raises(nsiso.Error, match="no-such"):
        nsiso.run(["true"], net=True, user=not ROOT or None, map_root=True, devices={"no-such": None})


def test_functions_are_called_on_a_host(pair):
    a, _ = pair
    assert a.call(socket.gethostname) == "a"
    with pytest.raises(FileNotFoundError):
        a.call(open, "/does/not/exist")
    assert a.call(dict, [("x", 1)], y=2) == {"x": 1, "y": 2}
    if ROOT:
        assert a.call(lambda: sorted(name for _, name in socket.if_nameindex())) == ["eth0", "lo"]
    else:
        with pytest.raises((pickle.PicklingError, AttributeError)):
            a.call(lambda: 1)


def test_name_servers_are_found_in_resolv_conf():
    with nsiso.Host("a", dns=["192.0.2.53", "2001:db8::53"]) as a:
        assert a.run(["cat", "/etc/resolv.conf"], capture_output=True, text=True).stdout == "nameserver 192.0.2.53\nnameserver 2001:db8::53\n"
    assert "192.0.2.53" not in open("/etc/resolv.conf").read()
    with pytest.raises(ValueError, match="nowhere"):
        nsiso.Host("a", dns="nowhere")


UPLINK = """
import nsiso, os, socket
here = socket.create_server(("192.0.2.9", 7007))
with nsiso.Popen(["cat"], stdin=-1, map_root=True, uplink=nsiso.Uplink(tcp={8080: 80})) as process:
    inside = nsiso.Namespace.of(process, "net")
    with nsiso.socket_in(inside) as out:
        out.connect(("192.0.2.9", 7007))
        here.accept()[0].close()
    server = nsiso.socket_in(inside)
    server.bind(("", 80))
    server.listen()
    socket.create_connection(("127.0.0.1", 8080)).sendall(b"in")
    assert server.accept()[0].recv(2) == b"in"
    process.stdin.close()
# Beside a link, whose device gets a name that is free.
link = (nsiso.Endpoint(addresses="10.9.0.2/24"), nsiso.Endpoint(addresses="10.9.0.1/24"))
done = nsiso.run(["ip", "-brief", "address"], map_root=True, uplink=True, links=[link], capture_output=True, text=True)
assert done.returncode == 0 and "10.9.0.2" in done.stdout and len(done.stdout.splitlines()) == 3, done
print("out and in")
"""


@pytest.mark.skipif(not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="pasta opens /dev/net/tun, which this user may not open here")
def test_programs_get_out_and_in_through_pasta():
    """The tests run on a simulated host whose default route leads to another simulated host."""
    with nsiso.Host("h") as h, nsiso.Host("outside") as outside:
        nsiso.link(nsiso.Endpoint(h, addresses="192.0.2.2/24", gateway="192.0.2.1"), nsiso.Endpoint(outside, addresses="192.0.2.1/24"))
        h.run(["ip", "address", "add", "192.0.2.9/32", "dev", "lo"], check=True)
        done = h.run([sys.executable, "-c", UPLINK], capture_output=True, text=True, timeout=60)
        assert done.stdout == "out and in\n", done.stderr
        # Now by the command line, with a default route and without.
        shell = [sys.executable, "-m", "nsiso", "run", "-r", "--publish", "8080:80"]
        done = h.run([*shell, "ip", "-brief", "address"], capture_output=True, text=True, timeout=60)
        assert "192.0.2.2" in done.stdout, done
        h.run(["ip", "route", "delete", "default"], check=True)
        done = h.run([*shell, "true"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 125 and "pasta says" in done.stderr, done


def test_what_runs_on_a_host_ends_with_it():
    with nsiso.Host("a") as a:
        child = a.popen(["sh", "-c", "trap '' TERM; (setsid sleep 1000 &); sleep 1000"])
        pid = child.pid
    assert child.returncode == -signal.SIGKILL and not os.path.exists(f"/proc/{pid}")
    assert repr(a) == "<Host a>"
    with pytest.raises(ValueError, match="closed"):
        nsiso.link(a, None)


def test_a_host_goes_with_its_object():
    def lab():
        a, b = nsiso.Host("a"), nsiso.Host("b")
        nsiso.link(a, b, "10.0.0.0/30")
        return [a.popen(["sleep", "1003"]).pid, a._first.pid, b._first.pid]

    pids = lab()
    gc.collect()
    assert [pid for pid in pids if os.path.exists(f"/proc/{pid}")] == []


def test_a_closed_host_leaves_its_place_at_once(pair):
    a, b = pair
    b.close()
    assert addresses(a) == {"lo": ["127.0.0.1/8", "::1/128"]} and a.devices == {}
    with nsiso.Host("c") as c:
        again = nsiso.link(a, c, "10.0.0.0/30")
        again.remove()
        other = nsiso.link(a, c, "10.0.0.0/30")
        again.remove()
        assert "eth0" in addresses(a) and a.devices == {"eth0": ["10.0.0.1/30"]}
        other.remove()
    for use in (lambda: b.run(["true"]), b.socket, lambda: b.call(len, ""), lambda: nsiso.link(a, b)):
        with pytest.raises(ValueError, match="<Host b> is closed"):
            use()
    if ROOT:
        for _ in range(10):
            with nsiso.Host("d") as d:
                nsiso.link(None, d, "198.51.100.4/30")


def test_a_bridge_gives_out_each_address_once_and_takes_it_back():
    with nsiso.Bridge("lan", "10.4.0.0/30") as lan, nsiso.Host("a") as a, nsiso.Host("b") as b:
        nsiso.link(nsiso.Endpoint(a, addresses="10.4.0.1/30"), lan)
        nsiso.link(b, lan)
        assert (a.ip, b.ip) == ("10.4.0.1", "10.4.0.2")
        with nsiso.Host("c") as c:
            with pytest.raises(ValueError, match="no more addresses"):
                nsiso.link(c, lan)
            b.close()
            nsiso.link(c, lan)
            assert c.ip == "10.4.0.2"
            talk(a, c, c.ip)
    with nsiso.Host("a") as a, nsiso.Host("b") as b:
        nsiso.link(a, b, ["10.5.0.0/31", "fd05::/127"])
        assert (a.ip, b.ip) == ("10.5.0.0", "10.5.0.1")
        talk(a, b, b.ip)


def test_a_forked_process_leaves_its_parents_hosts_alone(pair):
    a, _ = pair
    pid = os.fork()
    if pid == 0:
        a.close()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert a.run(["true"]).returncode == 0


def test_hosts_end_with_a_process_that_is_killed():
    code = "import nsiso; a = nsiso.Host('a'); p = a.popen(['sleep', '1002']); print(p.pid, a._first.pid, flush=True); p.wait()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as owner:
        pids = owner.stdout.readline().split()
        owner.kill()
    for _ in range(200):
        if not any(os.path.exists(f"/proc/{pid}") for pid in pids):
            return
        time.sleep(0.05)
    pytest.fail(f"{pids} live on")


def test_many_threads_make_hosts():
    failures = []

    def work(number):
        try:
            with nsiso.Host("x") as x, nsiso.Host("y") as y:
                nsiso.link(x, y, "10.0.0.0/30")
                talk(x, y, y.ip)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_namespaces_are_held_without_a_program():
    with pytest.raises(nsiso.ArgumentError, match="pid"):
        nsiso.hold(user=True, map_root=True, pid=True)
    with pytest.raises(TypeError, match="sandboxed"):
        nsiso.hold(net=True, sandboxed=True)
    with pytest.raises(nsiso.ArgumentError, match="limits"):
        nsiso.hold(map_root=True, net=True, limits=nsiso.Limits(pids=5))
    held = nsiso.hold(map_root=True, hostname="kept", net=True, monotonic=100)
    assert set(held) == {"user", "uts", "net", "time"}
    some = [held["user"], held["uts"]]
    assert nsiso.run(["hostname"], join=some, capture_output=True, text=True).stdout == "kept\n"
    with nsiso.socket_in(held["net"], socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 7))
        assert made.get_inheritable() is False
    for namespace in held.values():
        namespace.close()


@pytest.mark.parametrize(
    "option, kind, text",
    [
        (dict(addresses="10.0.0.0/33"), ValueError, "10.0.0.0/33"),
        (dict(addresses="nonsense"), ValueError, "nonsense"),
        (dict(addresses="10.0.0.0"), ValueError, "lacks the length of its network"),
        (dict(delay="fast"), ValueError, "delay: expected seconds"),
        (dict(loss=2), nsiso.ArgumentError, "0 to 1"),
        (dict(loss="200%"), nsiso.ArgumentError, "0 to 1"),
        (dict(rate="1 parsec"), ValueError, "10mbit"),
        (dict(mtu=7), nsiso.ArgumentError, "MTU"),
        (dict(mtu="1500"), TypeError, "mtu: expected a number"),
        (dict(mtu=-1), ValueError, "mtu: expected a number"),
        (dict(rate=-1), ValueError, "rate: expected bits per second"),
        (dict(delay=""), ValueError, "delay: expected seconds"),
        (dict(addresses=5), TypeError, "addresses: 5 is no text"),
        (dict(addresses=[b"10.0.0.0/30"]), TypeError, "addresses: b'10.0.0.0/30' is no text"),
        (dict(delay="1ms", jitter="2ms"), nsiso.ArgumentError, "jitter"),
    ],
)
def test_bad_links_are_told_apart(pair, option, kind, text):
    a, b = pair
    before = addresses(a), addresses(b)
    with pytest.raises(kind) as told:
        nsiso.link(a, b, **option)
    assert text in str(told.value)
    assert (addresses(a), addresses(b)) == before


def test_what_the_kernel_refuses_is_told(pair):
    a, b = pair
    before = addresses(a), addresses(b)
    for ends, errno, text in [
        ((nsiso.Endpoint(a, name="eth0"), b), "EEXIST", "a device eth0 at its end already"),
        ((nsiso.Endpoint(a, addresses="10.0.0.2/24"), b), "EEXIST", "overlaps that of 10.0.0.1/30"),
        ((nsiso.Endpoint(a, gateway="10.9.9.9"), b), "ENETUNREACH", "router is not in a network"),
        ((nsiso.Endpoint(a, port_of="none"), b), "ENODEV", "no device of this name"),
    ]:
        with pytest.raises(nsiso.Error) as told:
            nsiso.link(*ends)
        assert text in str(told.value) and errno in str(told.value)
    for what in ("name", "mac", "gateway", "routes"):
        with pytest.raises(TypeError, match=f"{what}.* 5"):
            nsiso.link(nsiso.Endpoint(a, **{what: 5}), b)
    for name in ("", "a b", "a/b", "a\n192.0.2.1 localhost", "x" * 65):
        with pytest.raises(ValueError, match="no name of a host"):
            nsiso.Host(name)
    with pytest.raises(nsiso.ArgumentError, match="ends with its program"):
        nsiso.hold(map_root=True, uplink=True)
    with pytest.raises(ValueError, match="not this process's own"):
        nsiso.forward(None)
    with pytest.raises(TypeError, match="no place"):
        nsiso.link(a, "b")
    if not ROOT:
        with pytest.raises(nsiso.DeniedError, match="CAP_NET_ADMIN"):
            nsiso.link(a, None)
    assert (addresses(a), addresses(b)) == before


def test_root_links_a_host_to_the_machine():
    if not ROOT:
        pytest.skip("the network of the machine itself takes root")
    with nsiso.Host("a") as a:
        made = nsiso.link(None, a, "198.51.100.0/30")
        assert made.names == ("veth0", "eth0")
        with a.socket() as server, socket.socket() as client:
            server.bind((a.ip, 80))
            server.listen()
            client.connect((a.ip, 80))
    for _ in range(200):
        if "veth0" not in [name for _, name in socket.if_nameindex()]:
            return
        time.sleep(0.05)
    pytest.fail("the link outlives the host")
