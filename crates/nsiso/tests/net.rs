//! Tests of links between network namespaces, as root and as an ordinary user. Packets pass only
//! between namespaces that the tests create.

mod printed;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Backlog, SockaddrStorage, bind, connect, listen};
use nsiso::{Endpoint, Handle, Kinds, Spec, Stdio, Step, Uplink};
use printed::printed;

/// Creates network namespaces that one user namespace owns, so that an ordinary user can link them.
struct Lab {
    user: Handle,
}

impl Lab {
    fn new() -> Self {
        let mut held = Spec::new("none").unwrap().map_root().hold(Kinds::USER).unwrap();
        Lab { user: held.remove(0) }
    }

    fn network(&self) -> Handle {
        Spec::new("none").unwrap().join(self.user.as_fd()).unwrap().hold(Kinds::NET).unwrap().remove(0)
    }

    /// Returns the output of a shell in the network namespace.
    fn shell(&self, network: &Handle, script: &str) -> String {
        let mut spec = Spec::new("sh").unwrap();
        spec.args(["-c", script]).unwrap();
        spec.join(self.user.as_fd()).unwrap().join(network.as_fd()).unwrap();
        printed(&mut spec).0
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn endpoint(network: &Handle) -> Endpoint<'_> {
    Endpoint::new().netns(network.as_fd())
}

fn socket(network: &Handle, at: SocketAddr, kind: i32) -> OwnedFd {
    let domain = if at.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    nsiso::socket(network.as_fd(), domain, kind, 0).unwrap()
}

fn listener(network: &Handle, at: SocketAddr) -> TcpListener {
    let socket = socket(network, at, libc::SOCK_STREAM);
    bind(socket.as_raw_fd(), &SockaddrStorage::from(at)).unwrap();
    listen(&socket, Backlog::new(5).unwrap()).unwrap();
    TcpListener::from(socket)
}

fn stream(network: &Handle, to: SocketAddr) -> nix::Result<TcpStream> {
    let socket = socket(network, to, libc::SOCK_STREAM);
    connect(socket.as_raw_fd(), &SockaddrStorage::from(to))?;
    Ok(TcpStream::from(socket))
}

fn datagrams(network: &Handle, at: SocketAddr) -> UdpSocket {
    let socket = socket(network, at, libc::SOCK_DGRAM);
    bind(socket.as_raw_fd(), &SockaddrStorage::from(at)).unwrap();
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    socket
}

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port)
}

/// Sends data in both directions over TCP and UDP.
fn talk(from: &Handle, to: &Handle, ip: &str) {
    let listener = listener(to, at(ip, 80));
    let mut near = stream(from, at(ip, 80)).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    near.write_all(b"there").unwrap();
    let mut bytes = [0; 5];
    far.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"there");
    far.write_all(b"again").unwrap();
    near.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"again");

    let far = datagrams(to, at(ip, 53));
    let any = if ip.contains(':') { "::" } else { "0.0.0.0" };
    let near = datagrams(from, at(any, 0));
    near.send_to(b"there", at(ip, 53)).unwrap();
    let (len, whence) = far.recv_from(&mut bytes).unwrap();
    far.send_to(&bytes[..len], whence).unwrap();
    assert_eq!(near.recv_from(&mut bytes).unwrap().0, 5);
}

#[test]
fn two_networks_are_linked() {
    let lab = Lab::new();
    let (a, b) = (lab.network(), lab.network());
    let one = endpoint(&a).name("to-b").unwrap().mac("02:00:00:00:00:0a").unwrap().mtu(1400).unwrap();
    let one = one.address("10.0.0.1/30").unwrap().address("fd00::1/64").unwrap();
    let two = endpoint(&b).address("10.0.0.2/30").unwrap().address("fd00::2/64").unwrap();
    let two = two.gateway("10.0.0.1").unwrap().route("fd01::/64", Some("fd00::1")).unwrap();
    assert_eq!(nsiso::link(&one, &two).unwrap(), ["to-b", "eth0"]);
    for ip in ["10.0.0.2", "fd00::2"] {
        talk(&a, &b, ip);
    }
    talk(&b, &a, "10.0.0.1");
    let seen = lab.shell(&a, "ip -o link show to-b; ip -o address show to-b");
    for part in ["mtu 1400", "02:00:00:00:00:0a", "10.0.0.1/30 brd 10.0.0.3", "fd00::1/64", "LOWER_UP"] {
        assert!(seen.contains(part), "{part}: {seen}");
    }
    let routes = lab.shell(&b, "ip route; ip -6 route");
    assert!(routes.contains("default via 10.0.0.1 dev eth0"), "{routes}");
    assert!(routes.contains("fd01::/64 via fd00::1 dev eth0"), "{routes}");
    // The pair is removed when either of its namespaces ends.
    drop(a);
    for _ in 0..100 {
        if !lab.shell(&b, "ip -o link").contains("eth0") {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{}", lab.shell(&b, "ip -o link"));
}

#[test]
fn a_bridge_joins_many() {
    let lab = Lab::new();
    let switch = lab.network();
    nsiso::bridge(Some(switch.as_fd()), "lan").unwrap();
    let hosts: Vec<Handle> = (0..10).map(|_| lab.network()).collect();
    for (number, host) in hosts.iter().enumerate() {
        let port = endpoint(&switch).port_of("lan").unwrap();
        let address = format!("10.1.0.{}/24", number + 1);
        nsiso::link(&endpoint(host).address(&address).unwrap(), &port).unwrap();
    }
    talk(&hosts[0], &hosts[9], "10.1.0.10");
    talk(&hosts[5], &hosts[1], "10.1.0.2");
    assert_eq!(lab.shell(&switch, "ip -o link").lines().filter(|line| line.contains(": eth")).count(), 10);
    nsiso::remove_device(Some(switch.as_fd()), "eth3").unwrap();
    assert_eq!(lab.shell(&hosts[3], "ip -o link").lines().count(), 1);
}

#[test]
fn a_router_passes_packets_on() {
    let lab = Lab::new();
    let (a, router, b) = (lab.network(), lab.network(), lab.network());
    for (host, net) in [(&a, 1), (&b, 2)] {
        let address = |n: u8| (format!("10.{net}.0.{n}/24"), format!("fd0{net}::{n}/64"));
        let ((v4, v6), (r4, r6)) = (address(2), address(1));
        let inside = endpoint(host).address(&v4).unwrap().address(&v6).unwrap();
        let inside = inside.gateway(r4.split('/').next().unwrap()).unwrap();
        let inside = inside.gateway(r6.split('/').next().unwrap()).unwrap();
        nsiso::link(&inside, &endpoint(&router).address(&r4).unwrap().address(&r6).unwrap()).unwrap();
    }
    let probe = datagrams(&b, at("10.2.0.2", 9));
    probe.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    datagrams(&a, at("0.0.0.0", 0)).send_to(b"x", at("10.2.0.2", 9)).unwrap();
    assert!(probe.recv_from(&mut [0]).is_err(), "nobody passes packets on yet");
    nsiso::forward(router.as_fd(), true).unwrap();
    talk(&a, &b, "10.2.0.2");
    talk(&b, &a, "fd01::2");
    nsiso::forward(router.as_fd(), false).unwrap();
    assert_eq!(lab.shell(&router, "cat /proc/sys/net/ipv4/ip_forward").trim(), "0");
}

/// Returns the step and the errno of an error, and its text with the hint.
fn told<T: std::fmt::Debug>(result: nsiso::Result<T>) -> (Step, i32, String) {
    let error = result.unwrap_err();
    (error.step(), error.errno(), format!("{error} ({})", error.hint()))
}

#[test]
fn what_cannot_be_is_told_and_leaves_nothing() {
    let lab = Lab::new();
    let (a, b) = (lab.network(), lab.network());
    let names = ["same", "other"];
    let named = |network, name| endpoint(network).name(name).unwrap();
    nsiso::link(&named(&a, names[0]).address("10.0.0.1/24").unwrap(), &named(&b, names[0])).unwrap();
    let before = (lab.shell(&a, "ip -o address"), lab.shell(&b, "ip -o address"));

    let (step, errno, text) = told(nsiso::link(&named(&a, names[1]), &named(&b, names[0])));
    assert_eq!((step, errno), (Step::Link, libc::EEXIST), "{text}");
    assert!(text.contains("a device same at its end already"), "{text}");
    let (step, errno, text) = told(nsiso::link(&named(&a, "x"), &endpoint(&a).name("x").unwrap()));
    assert_eq!((step, errno), (Step::Link, libc::EEXIST), "{text}");

    let (step, errno, text) =
        told(nsiso::link(&named(&b, names[1]), &named(&a, names[1]).address("10.0.0.77/26").unwrap()));
    assert_eq!((step, errno), (Step::Address, libc::EEXIST), "{text}");
    assert!(text.contains("overlaps that of 10.0.0.1/24"), "{text}");

    let (step, _, text) = told(nsiso::link(&named(&a, names[1]).gateway("10.9.0.1").unwrap(), &endpoint(&b)));
    assert_eq!(step, Step::Route, "{text}");
    assert!(text.contains("the router is not in a network of the device"), "{text}");

    let (step, errno, text) = told(nsiso::link(&endpoint(&a), &endpoint(&b).port_of("none").unwrap()));
    assert_eq!((step, errno), (Step::Link, libc::ENODEV), "{text}");
    let (step, _, text) = told(nsiso::link(&endpoint(&a), &endpoint(&b).port_of("same").unwrap()));
    assert_eq!(step, Step::Link);
    assert!(text.contains("only a bridge has ports"), "{text}");
    let (step, errno, _) = told(nsiso::remove_device(Some(a.as_fd()), "none"));
    assert_eq!((step, errno), (Step::Link, libc::ENODEV));
    let (step, errno, _) = told(nsiso::move_device(Some(a.as_fd()), "none", &endpoint(&b)));
    assert_eq!((step, errno), (Step::Link, libc::ENODEV));
    let (_, _, text) = told(nsiso::move_device(Some(a.as_fd()), "lo", &endpoint(&b)));
    assert!(text.contains("cannot be moved"), "{text}");
    let (step, _, text) = told(nsiso::link(&Endpoint::new().netns(lab.user.as_fd()), &endpoint(&b)));
    assert_eq!(step, Step::Argument, "{text}");
    assert_eq!(before, (lab.shell(&a, "ip -o address"), lab.shell(&b, "ip -o address")));
}

#[test]
fn a_device_that_cannot_move_is_where_it_was() {
    let lab = Lab::new();
    let (a, b) = (lab.network(), lab.network());
    let spare = endpoint(&a).name("spare").unwrap().address("10.0.9.1/24").unwrap();
    nsiso::link(&spare, &endpoint(&a).name("other").unwrap()).unwrap();
    nsiso::link(&endpoint(&b), &endpoint(&b)).unwrap();
    let there = |network| lab.shell(network, "ip -o address; ip -o link | sed 's/^[0-9]*//; s/mode.*//'");
    let before = (there(&a), there(&b));
    for to in [
        endpoint(&b).name("eth0").unwrap(),
        endpoint(&b).gateway("10.99.99.99").unwrap(),
        endpoint(&b).port_of("none").unwrap(),
    ] {
        told(nsiso::move_device(Some(a.as_fd()), "spare", &to));
        let now = (there(&a), there(&b));
        let sorted = |text: &str| {
            text.lines()
                .map(|line| line.trim_start_matches(char::is_numeric).to_owned())
                .collect::<BTreeSet<_>>()
        };
        assert_eq!((sorted(&now.0), sorted(&now.1)), (sorted(&before.0), sorted(&before.1)));
    }
}

#[test]
fn a_device_moves() {
    let lab = Lab::new();
    let (a, b, c) = (lab.network(), lab.network(), lab.network());
    nsiso::link(&endpoint(&a).name("port").unwrap().address("10.0.0.1/24").unwrap(), &endpoint(&b)).unwrap();
    let to = endpoint(&c).name("moved").unwrap().address("10.0.0.2/24").unwrap();
    nsiso::move_device(Some(b.as_fd()), "eth0", &to).unwrap();
    talk(&a, &c, "10.0.0.2");
    assert_eq!(lab.shell(&b, "ip -o link").lines().count(), 1);
}

#[test]
fn a_program_starts_with_its_links() {
    let lab = Lab::new();
    let router = lab.network();
    let mut spec = Spec::new("sh").unwrap();
    spec.args(["-c", "ip -o address show eth0; ip route; cat"]).unwrap();
    spec.join(lab.user.as_fd()).unwrap();
    spec.stdio(0, Stdio::Pipe).unwrap().stdio(1, Stdio::Pipe).unwrap();
    let inside = Endpoint::new().address("10.3.0.2/24").unwrap().gateway("10.3.0.1").unwrap();
    spec.link(inside, endpoint(&router).address("10.3.0.1/24").unwrap());
    let mut process = spec.spawn().unwrap();
    let input = process.take_pipe(0).unwrap();
    let own = Handle::of_process(process.pidfd(), Kinds::NET).unwrap();
    talk(&own, &router, "10.3.0.1");
    drop((own, input));
    let mut text = String::new();
    File::from(process.take_pipe(1).unwrap()).read_to_string(&mut text).unwrap();
    assert!(text.contains("10.3.0.2/24") && text.contains("default via 10.3.0.1"), "{text}");
    assert_eq!(process.wait().unwrap().code(), Some(0));
    // The link is removed when the program has been waited for, not when the kernel destroys the
    // namespace later. So the next spawn can use the same names.
    let devices = || lab.shell(&router, "ip -o link").lines().count();
    assert_eq!(devices(), 1);
    spec.argv(["true"]).unwrap();
    for _ in 0..10 {
        assert_eq!(spec.spawn().unwrap().wait().unwrap().code(), Some(0));
    }
    let ended = spec.spawn().unwrap();
    poll(&mut [PollFd::new(ended.pidfd(), PollFlags::POLLIN)], PollTimeout::NONE).unwrap();
    drop(ended);
    assert_eq!(devices(), 1);
    let mut twice = Spec::new("true").unwrap();
    twice.join(lab.user.as_fd()).unwrap();
    twice
        .link(Endpoint::new(), endpoint(&router))
        .link(Endpoint::new().name("eth0").unwrap(), endpoint(&router));
    let error = twice.spawn().unwrap_err();
    assert_eq!((error.step(), error.errno(), error.index()), (Step::Link, libc::EEXIST, Some(1)), "{error}");
    assert_eq!(devices(), 1);
    let _held = spec.hold(Kinds::NET).unwrap();
    assert_eq!(devices(), 2, "the network is there, and so is the link");
}

#[test]
fn permission_is_asked_for() {
    let alone = |_| Spec::new("none").unwrap().map_root().hold(Kinds::NET).unwrap().remove(0);
    let [a, b] = [0, 1].map(alone);
    let made = nsiso::link(&endpoint(&a), &endpoint(&b));
    let host = nsiso::link(&endpoint(&a), &Endpoint::new().name("nsiso-t").unwrap());
    if is_root() {
        // Root may link namespaces of unrelated user namespaces, and link one to the caller's own.
        assert_eq!(host.unwrap()[1], "nsiso-t");
        nsiso::remove_device(None, "nsiso-t").unwrap();
    } else {
        let (step, errno, text) = told(host);
        assert_eq!((step, errno), (Step::Link, libc::EPERM), "{text}");
    }
    if made.is_ok() {
        eprintln!(
            "skipped: this kernel, before Linux 6.13, does not ask for rights where the other end goes"
        );
        return;
    }
    let (step, errno, text) = told(made);
    assert_eq!((step, errno), (Step::Link, libc::EPERM), "{text}");
    assert!(text.contains("CAP_NET_ADMIN"), "{text}");
}

/// Prepares a network namespace with a default route to a network without hosts, and with an
/// address for a server. Outside of it, runs the test twice inside, as root and as an ordinary
/// user, and returns false. Inside, returns true.
fn in_a_host_of_its_own(test: &str) -> bool {
    if std::env::var_os("NSISO_HOST_OF_ITS_OWN").is_some() {
        return true;
    }
    if !is_root() {
        eprintln!(
            "skipped: it takes root to make a host of its own, with a /dev/net/tun that anybody may open"
        );
        return false;
    }
    let script = "set -e
        ip link add up0 type veth peer name up1
        ip link set lo up; ip link set up0 up; ip link set up1 up
        ip address add 192.0.2.2/24 dev up0; ip address add 192.0.2.9/32 dev lo; ip route add default via 192.0.2.1
        mount -t tmpfs none /mnt; mknod -m 666 /mnt/tun c 10 200; mount --bind /mnt/tun /dev/net/tun
        $0 --exact $1 --nocapture
        exec setpriv --reuid 65534 --regid 65534 --clear-groups $0 --exact $1 --nocapture";
    let binary = std::env::current_exe().unwrap();
    let mut spec = Spec::new("sh").unwrap();
    spec.args(["-c", script]).unwrap().args([binary.as_os_str(), test.as_ref()]).unwrap();
    spec.env("NSISO_HOST_OF_ITS_OWN", "1").unwrap().unshare(Kinds::NET | Kinds::MNT);
    assert_eq!(spec.spawn().unwrap().wait().unwrap().code(), Some(0));
    false
}

#[test]
fn programs_get_out_through_pasta() {
    if !in_a_host_of_its_own("programs_get_out_through_pasta") {
        return;
    }
    let mut spec = Spec::new("cat").unwrap();
    if is_root() {
        gets_out(&mut spec);
    }
    gets_out(spec.map_root());
}

fn gets_out(spec: &mut Spec) {
    let server = TcpListener::bind("192.0.2.9:7007").unwrap();
    let local = TcpListener::bind("127.0.0.1:7007").unwrap();
    spec.stdio(0, Stdio::Pipe).unwrap().stdio(1, Stdio::Null).unwrap();
    spec.uplink(Uplink::new().tcp(8080, 80).unwrap().udp(5353, 53).unwrap());
    let mut process = spec.spawn().unwrap();
    let inside = Handle::of_process(process.pidfd(), Kinds::NET).unwrap();
    // The program reaches the server outside, but not the caller's loopback. The caller reaches the
    // program's port.
    let mut near = stream(&inside, at("192.0.2.9", 7007)).unwrap();
    let (mut far, _) = server.accept().unwrap();
    near.write_all(b"out").unwrap();
    let mut bytes = [0; 3];
    far.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"out");
    for host in ["127.0.0.1", "192.0.2.1"] {
        let socket = socket(&inside, at(host, 7007), libc::SOCK_STREAM);
        let socket = TcpStream::from(socket);
        socket.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        assert!(connect(socket.as_raw_fd(), &SockaddrStorage::from(at(host, 7007))).is_err());
    }
    local.set_nonblocking(true).unwrap();
    assert!(local.accept().is_err());
    let listener = listener(&inside, at("0.0.0.0", 80));
    let mut outside = TcpStream::connect("127.0.0.1:8080").unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    outside.write_all(b"in!").unwrap();
    accepted.read_exact(&mut bytes).unwrap();
    assert_eq!(&bytes, b"in!");
    // pasta ends with the program.
    drop(process.take_pipe(0));
    assert_eq!(process.wait().unwrap().code(), Some(0));
    assert!(TcpStream::connect("127.0.0.1:8080").is_err());
    // A port that is in use is an error.
    let _taken = TcpListener::bind("127.0.0.1:8080").unwrap();
    let error = spec.spawn().unwrap_err();
    assert_eq!((error.step(), error.errno()), (Step::Uplink, libc::EADDRINUSE), "{error}");
    assert!(error.message().contains("TCP port 8080 of 127.0.0.1"), "{error}");
}

#[test]
fn a_rate_is_kept() {
    let lab = Lab::new();
    let (a, b) = (lab.network(), lab.network());
    // 100,000 bytes per second, in one direction.
    let slow = endpoint(&a).address("10.0.0.1/30").unwrap().rate(800_000).unwrap();
    nsiso::link(&slow, &endpoint(&b).address("10.0.0.2/30").unwrap()).unwrap();
    let listener = listener(&b, at("10.0.0.2", 80));
    let mut near = stream(&a, at("10.0.0.2", 80)).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    let begun = Instant::now();
    let writer = std::thread::spawn(move || near.write_all(&[0; 200_000]));
    let mut left = 200_000;
    let mut room = [0; 65_536];
    while left > 0 {
        left -= far.read(&mut room).unwrap();
    }
    writer.join().unwrap().unwrap();
    // The first burst, the content of the bucket, passes at once.
    let passed = begun.elapsed().as_secs_f64();
    assert!(200_000.0 / passed < 120_000.0, "{passed}");
}

#[test]
fn packets_are_held_up_and_lost() {
    let lab = Lab::new();
    let (a, b) = (lab.network(), lab.network());
    let delay = Duration::from_millis(40);
    let late = endpoint(&a).address("10.0.0.1/30").unwrap().delay(delay, Duration::from_millis(1)).unwrap();
    let lossy = endpoint(&b).address("10.0.0.2/30").unwrap().loss(0.5).unwrap();
    match nsiso::link(&late, &lossy) {
        Ok(_) => {}
        Err(error) => {
            assert_eq!((error.step(), error.errno()), (Step::Qdisc, libc::ENOENT), "{error}");
            assert!(error.hint().contains("it has no netem"), "{error} {}", error.hint());
            assert_eq!(lab.shell(&a, "ip -o link").lines().count(), 1, "nothing is left");
            eprintln!("skipped: {} ({})", error, error.hint());
            return;
        }
    }
    let (near, far) = (datagrams(&a, at("10.0.0.1", 7)), datagrams(&b, at("10.0.0.2", 7)));
    // Replies to ARP requests are lost too. Then the kernel repeats the request or gives up.
    far.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let taken = (0..100).find_map(|number| {
        let begun = Instant::now();
        near.send_to(&[number], at("10.0.0.2", 7)).unwrap();
        let mut got = [255];
        while got != [number] && far.recv_from(&mut got).is_ok() {}
        (got == [number]).then(|| begun.elapsed())
    });
    assert!(taken.is_some_and(|taken| taken >= delay - Duration::from_millis(1)), "{taken:?}");
    near.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut got = 0;
    // No more packets at a time than the receiver's buffer holds.
    for _ in 0..10 {
        for _ in 0..100 {
            far.send_to(b"x", at("10.0.0.1", 7)).unwrap();
        }
        got += (0..100).take_while(|_| near.recv_from(&mut [0]).is_ok()).count();
    }
    assert!((400..600).contains(&got), "{got}");
}
