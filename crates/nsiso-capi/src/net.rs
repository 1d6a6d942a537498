//! Links between network namespaces, and what else a network is made of.

use std::ffi::{c_char, c_int};
use std::net::IpAddr;
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};
use std::time::Duration;

use nsiso::{Endpoint, Error, Result, Uplink};

use crate::argument::{descriptor, is_null, items, reference, reference_mut, text};
use crate::error::{boundary, free, ns_error, quiet_boundary};
use crate::spec::{ns_spec, set};

/// Room for the name of a network device, with its NUL.
pub const NS_DEVICE_NAME: usize = 16;

/// One end of a link: a network device in a network namespace, with what it is to be given. Opaque, reusable. Setters must not run
/// while another thread uses the end.
pub struct ns_endpoint(Endpoint<'static>);

/// Makes the new namespaces of `spec`, with all that it says of them, runs no program in them, and stores a descriptor of each kind in
/// `kinds`, which the caller closes, in `fds`: as many as `kinds` has bits, in the order NS_TIME, NS_MNT, NS_CGROUP, NS_UTS, NS_IPC, NS_USER, NS_NET. The namespaces exist as
/// long as these descriptors or processes in them: ns_spec_join takes programs there. Returns how many. -EINVAL for NS_PID, which ends with its
/// first process.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_hold(
    spec: *const ns_spec,
    kinds: u64,
    fds: *mut c_int,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        if fds.is_null() {
            return Err(is_null("fds"));
        }
        // SAFETY: NULL or valid, says the header.
        let held = unsafe { reference(spec, "spec") }?.0.hold(crate::argument::kinds(kinds)?)?;
        let count = held.len() as c_int;
        for (place, handle) in held.into_iter().enumerate() {
            // SAFETY: room for as many as there are kinds, says the header.
            unsafe { *fds.add(place) = OwnedFd::from(handle).into_raw_fd() };
        }
        Ok(count)
    })
}

/// A socket in the network namespace `network`, where it stays, socket(2): a descriptor that the caller closes. The calling thread stays where it is.
/// An ordinary user makes sockets in the network namespaces of its own user namespaces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_socket(
    network: c_int,
    domain: c_int,
    r#type: c_int,
    protocol: c_int,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        nsiso::socket(descriptor(network)?, domain, r#type, protocol).map(IntoRawFd::into_raw_fd)
    })
}

/// A new end: in the caller's own network namespace, or, as the inner end of ns_spec_link, in the program's. NULL when memory is used up. Free it
/// with ns_endpoint_free.
#[unsafe(no_mangle)]
pub extern "C" fn ns_endpoint_new() -> *mut ns_endpoint {
    quiet_boundary(std::ptr::null_mut(), || Box::into_raw(Box::new(ns_endpoint(Endpoint::new()))))
}

/// Frees an end; NULL is allowed. What was made with it stays.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_free(endpoint: *mut ns_endpoint) {
    // SAFETY: NULL, or made by ns_endpoint_new and not freed before, says the header.
    unsafe { free(endpoint) }
}

/// # Safety
/// `end` is NULL or an end that nobody else uses.
unsafe fn change(
    endpoint: *mut ns_endpoint,
    err: *mut ns_error,
    set: impl FnOnce(Endpoint<'static>) -> Result<Endpoint<'static>>,
) -> c_int {
    boundary(err, || {
        // SAFETY: the caller's promise.
        let endpoint = unsafe { reference_mut(endpoint, "endpoint") }?;
        endpoint.0 = set(endpoint.0.clone())?;
        Ok(0)
    })
}

/// # Safety
/// `pointer` is NULL or a string.
unsafe fn utf8<'a>(pointer: *const c_char, what: &str) -> Result<&'a str> {
    // SAFETY: the caller's promise.
    let text = unsafe { text(pointer, what) }?;
    text.to_str().ok_or_else(|| Error::argument(format!("{what} {text:?} is not UTF-8")))
}

/// The network namespace of the end: a descriptor that must stay open as long as the end is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_netns(
    endpoint: *mut ns_endpoint,
    network: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| Ok(endpoint.netns(descriptor(network)?))) }
}

/// The device's name, at most 15 bytes; by default the first of eth0, eth1, ... that is free, in the caller's own namespace of veth0, veth1, ...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_name(
    endpoint: *mut ns_endpoint,
    name: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.name(utf8(name, "name")?)) }
}

/// The hardware address, as "02:00:00:00:00:01"; one by chance otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_mac(
    endpoint: *mut ns_endpoint,
    mac: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.mac(utf8(mac, "mac")?)) }
}

/// The most bytes of a packet, 68 to 65535; 1500 by default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_mtu(
    endpoint: *mut ns_endpoint,
    bytes: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.mtu(bytes)) }
}

/// One more address with its network, as "10.0.0.1/24" or "fd00::1/64". When the link is made, -EEXIST if the network overlaps that of another
/// device in the namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_address(
    endpoint: *mut ns_endpoint,
    address: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.address(utf8(address, "address")?)) }
}

/// Packets for the network `to`, as "10.1.0.0/16", go through the device, to the router with the address `via` unless that is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_route(
    endpoint: *mut ns_endpoint,
    to: *const c_char,
    via: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe {
        change(endpoint, err, |endpoint| {
            let via = if via.is_null() { None } else { Some(utf8(via, "via")?) };
            endpoint.route(utf8(to, "to")?, via)
        })
    }
}

/// The router for all other networks, by its address.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_gateway(
    endpoint: *mut ns_endpoint,
    via: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.gateway(utf8(via, "via")?)) }
}

/// The device becomes a port of this bridge, which is in the same namespace: ns_bridge.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_port_of(
    endpoint: *mut ns_endpoint,
    bridge: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.port_of(utf8(bridge, "bridge")?)) }
}

/// How long packets that leave through this end are held up, give or take `jitter`, in nanoseconds. tc-netem(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_delay(
    endpoint: *mut ns_endpoint,
    delay: u64,
    jitter: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe {
        change(endpoint, err, |endpoint| {
            endpoint.delay(Duration::from_nanos(delay), Duration::from_nanos(jitter))
        })
    }
}

/// The part of the packets leaving through this end that gets lost, 0 to 1: 0.01 is one of a hundred. tc-netem(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_loss(
    endpoint: *mut ns_endpoint,
    part: f64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.loss(part)) }
}

/// The most bits per second that leave through this end. tc-tbf(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_rate(
    endpoint: *mut ns_endpoint,
    bits_per_second: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.rate(bits_per_second)) }
}

/// Makes a link between two network namespaces, or within one: a pair of devices, veth(4), each at its end, up and with all that the end says. All or
/// nothing. `names`, unless it is NULL, has room for two names and gets those of the devices at `a` and `b`. The pair is there until one of its
/// namespaces ends or one device is removed. Takes CAP_NET_ADMIN in the user namespaces that own both: root has it; an ordinary user
/// where one user namespace owns both. -EEXIST: a name or an address is taken; -EPERM; -ENOENT at NS_STEP_QDISC: the kernel has no netem.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_link(
    a: *const ns_endpoint,
    b: *const ns_endpoint,
    names: *mut [c_char; NS_DEVICE_NAME],
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let (a, b) = unsafe { (reference(a, "a")?, reference(b, "b")?) };
        let made = nsiso::link(&a.0, &b.0)?;
        if !names.is_null() {
            for (place, name) in made.iter().enumerate() {
                let mut text = [0; NS_DEVICE_NAME];
                text.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from as c_char);
                // SAFETY: room for two, says the header.
                unsafe { *names.add(place) = text };
            }
        }
        Ok(0)
    })
}

/// A network namespace of the caller's, or -1 for its own.
fn here(fd: c_int) -> Result<Option<BorrowedFd<'static>>> {
    if fd == -1 { Ok(None) } else { descriptor(fd).map(Some) }
}

/// Makes a bridge, up and without ports, in the network namespace `network` (-1: the caller's own). Ends of links become its ports,
/// ns_endpoint_port_of. It is there until the namespace ends or it is removed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_bridge(network: c_int, name: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or valid, says the header.
    boundary(err, || nsiso::bridge(here(network)?, unsafe { utf8(name, "name") }?).map(|()| 0))
}

/// Moves a network device from the network namespace `from` (-1: the caller's own) to that of `to`, with what that says: its name (the old one by
/// default), addresses and all else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_device_move(
    from: c_int,
    device: *const c_char,
    to: *const ns_endpoint,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let (device, to) = unsafe { (utf8(device, "device")?, reference(to, "to")?) };
        nsiso::move_device(here(from)?, device, &to.0).map(|()| 0)
    })
}

/// Removes a network device from the network namespace `network` (-1: the caller's own), with the other end of its pair.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_device_remove(network: c_int, name: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or valid, says the header.
    boundary(err, || nsiso::remove_device(here(network)?, unsafe { utf8(name, "name") }?).map(|()| 0))
}

/// Makes a router of the network namespace `network`: packets for others are passed on between its devices, or (0) are not any more. ip(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_forward(network: c_int, on: c_int, err: *mut ns_error) -> c_int {
    boundary(err, || nsiso::forward(descriptor(network)?, on != 0).map(|()| 0))
}

/// Links the program's new network namespace to that of `outside`: the pair is there when the program starts. It is removed
/// when the program has been waited for, unless its network namespace is pinned or held; nobody waiting, it goes with that. Both ends are copied; the namespace of `inside` does not matter. Permissions and errors as for ns_link.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_link(
    spec: *mut ns_spec,
    inside: *const ns_endpoint,
    outside: *const ns_endpoint,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            Ok(spec.link(reference(inside, "inside")?.0.clone(), reference(outside, "outside")?.0.clone()))
        })
    }
}

/// Moves a network device of the caller's network namespace into the program's new one, with what `inside` says (NULL: nothing but up). When the namespace
/// ends, the kernel gives hardware back and removes what is virtual.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_device(
    spec: *mut ns_spec,
    device: *const c_char,
    inside: *const ns_endpoint,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let inside = inside.as_ref().map_or_else(Endpoint::new, |endpoint| endpoint.0.clone());
            spec.device(utf8(device, "device")?, inside)
        })
    }
}

/// Gives the program a way to the outside, as an ordinary user, too: pasta(1), which must be installed, runs beside it and ends with it. The
/// program reaches what the caller reaches, the host's loopback excepted. Ports of the host are led to ports of the program: `tcp` and
/// `udp` are tables of `tcp_count` and `udp_count` pairs of numbers, the host's first; NULL with 0. `listen` is the host's address for them; NULL is "127.0.0.1".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_uplink(
    spec: *mut ns_spec,
    listen: *const c_char,
    tcp: *const [u16; 2],
    tcp_count: usize,
    udp: *const [u16; 2],
    udp_count: usize,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let mut uplink = Uplink::new();
            if !listen.is_null() {
                let listen = utf8(listen, "listen")?;
                let ip: IpAddr =
                    listen.parse().map_err(|_| Error::argument(format!("{listen:?} is no address")))?;
                uplink = uplink.listen(ip);
            }
            for [outside, inside] in items(tcp, tcp_count, "tcp")? {
                uplink = uplink.tcp(*outside, *inside)?;
            }
            for [outside, inside] in items(udp, udp_count, "udp")? {
                uplink = uplink.udp(*outside, *inside)?;
            }
            Ok(spec.uplink(uplink))
        })
    }
}
