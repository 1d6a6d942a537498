//! Networks: links between network namespaces, bridges, devices, sockets and uplinks.

use std::ffi::{c_char, c_int};
use std::net::IpAddr;
use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd};

use nsiso::{Endpoint, Error, Result, Uplink};

use crate::argument::{descriptor, is_null, items, reference};
use crate::endpoint::{NS_DEVICE_NAME, ns_endpoint, utf8};
use crate::error::{boundary, ns_error};
use crate::spec::{ns_spec, set};

/// Creates the new namespaces of `spec`, without a program, and stores descriptors of them in
/// `fds`.
///
/// `kinds` is NS_NET, ... joined by |; these kinds are new for this call in addition to those
/// of the spec. All options of the spec for its namespaces apply. `fds` has room for as many
/// descriptors as `kinds` has bits, in the order NS_TIME, NS_MNT, NS_CGROUP, NS_UTS, NS_IPC,
/// NS_USER, NS_NET. The caller closes them. Returns their number. A namespace exists as long as
/// a descriptor of it is open or a process is in it; ns_spec_join starts programs there.
///
/// It starts a child, as ns_spawn does, waits until that has ended, and needs the privileges
/// that ns_spawn needs for the spec.
///
/// Errors:
/// - -EINVAL: `kinds` is 0, has unknown bits or has NS_PID, whose namespaces end with their
///   first process; or the spec has ns_spec_limits or ns_spec_uplink.
/// - Those of ns_spawn.
///
/// Man page: namespaces(7).
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

/// Creates a socket in the network namespace `network` and returns its descriptor.
///
/// `domain`, `type` and `protocol` are those of socket(2). The caller closes the descriptor,
/// which is close-on-exec. The socket stays in that network namespace. The calling thread does
/// not change namespaces: unless `network` is its own, a child creates the socket, and the call
/// waits for it.
///
/// Takes CAP_SYS_ADMIN in the user namespace that owns the network namespace; a user has it in
/// the user namespaces that it created.
///
/// Errors:
/// - -EINVAL: `network` is not a network namespace.
/// - -EPERM at NS_STEP_JOIN: CAP_SYS_ADMIN is missing.
/// - Those of socket(2) at NS_STEP_SOCKET, such as -EAFNOSUPPORT, -EPROTONOSUPPORT or -EPERM.
///
/// Man pages: socket(2), network_namespaces(7).
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

/// Creates a pair of linked network devices, one at each endpoint.
///
/// The endpoints may be in one network namespace or in two. Each device is up and has the
/// settings of its endpoint. If a part fails, the pair is removed. `names` is NULL or has room
/// for two names, which are set to those of the devices at `a` and `b`. The pair exists until
/// one of its network namespaces ends or one of the devices is removed.
///
/// It blocks until packets can pass, for a second at most at each endpoint. Unless both
/// endpoints are in the caller's network namespace, it starts children and waits for them, as
/// ns_socket does.
///
/// Takes CAP_NET_ADMIN in the user namespaces that own both network namespaces, and what
/// ns_socket takes. Root has them. Another user has them where one user namespace that it
/// created owns both.
///
/// Errors:
/// - -EPERM: a capability is missing.
/// - -EEXIST at NS_STEP_LINK or NS_STEP_ADDRESS: a name or an address is in use.
/// - -EOPNOTSUPP at NS_STEP_LINK: the kernel has no veth, CONFIG_VETH.
/// - -ENODEV at NS_STEP_LINK: the bridge of an endpoint does not exist.
/// - -ENOENT at NS_STEP_QDISC: the kernel has no netem or tbf.
/// - -EEXIST, -ENETUNREACH, -EHOSTUNREACH or -EINVAL at NS_STEP_ROUTE: see ns_endpoint_route.
///
/// Man page: veth(4).
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

/// Borrows the descriptor of a network namespace. -1 stands for the caller's own: None.
fn here(fd: c_int) -> Result<Option<BorrowedFd<'static>>> {
    if fd == -1 { Ok(None) } else { descriptor(fd).map(Some) }
}

/// Creates a bridge without ports in a network namespace, and brings it up.
///
/// `network` is a descriptor of the network namespace, or -1 for the caller's own. `name` is
/// that of the new device, 1 to 15 bytes. ns_endpoint_port_of makes devices its ports. The
/// bridge exists until its network namespace ends or it is removed. Takes CAP_NET_ADMIN in the
/// user namespace that owns the network namespace, and what ns_socket takes.
///
/// Errors:
/// - -EINVAL: `name` is no name of a device, or `network` is not a network namespace.
/// - -EEXIST: a device of this name exists.
/// - -EPERM: a capability is missing.
/// - -EOPNOTSUPP: the kernel has no bridges, CONFIG_BRIDGE.
///
/// Man page: bridge(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_bridge(network: c_int, name: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or valid, says the header.
    boundary(err, || nsiso::bridge(here(network)?, unsafe { utf8(name, "name") }?).map(|()| 0))
}

/// Moves a network device to another network namespace.
///
/// `from` is a descriptor of the network namespace that it is in, or -1 for the caller's own.
/// It moves to that of `to` and gets the settings of `to`; its name is kept where `to` has
/// none. If a part fails, the device moves back and gets its old addresses again. Takes
/// CAP_NET_ADMIN in the user namespaces that own both network namespaces, and what ns_socket
/// takes.
///
/// Errors:
/// - -EINVAL: `device` is no name of a device, or a descriptor is not a network namespace.
/// - -ENODEV: there is no such device.
/// - -EEXIST: a device of this name, or an address, exists there.
/// - -EINVAL at NS_STEP_LINK: the device cannot be moved, as the loopback device.
/// - -EPERM: a capability is missing.
///
/// Man page: ip-link(8).
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

/// Removes a network device from a network namespace.
///
/// `network` is a descriptor of the network namespace, or -1 for the caller's own. The other
/// device of a pair is removed with it. Takes CAP_NET_ADMIN in the user namespace that owns the
/// network namespace, and what ns_socket takes.
///
/// Errors:
/// - -EINVAL: `name` is no name of a device, or `network` is not a network namespace.
/// - -ENODEV: there is no such device.
/// - -EOPNOTSUPP: the device cannot be removed, as hardware and the loopback device.
/// - -EPERM: a capability is missing.
///
/// Man page: ip-link(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_device_remove(network: c_int, name: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: NULL or valid, says the header.
    boundary(err, || nsiso::remove_device(here(network)?, unsafe { utf8(name, "name") }?).map(|()| 0))
}

/// Sets whether a network namespace forwards packets between its devices.
///
/// `network` is a descriptor of the network namespace. 0: it does not; otherwise it forwards,
/// IPv4 and IPv6. The call starts a child, which joins the namespace, and waits for it. Takes
/// CAP_SYS_ADMIN in the user namespace that owns the network namespace; a user has it in the
/// user namespaces that it created.
///
/// Errors:
/// - -EINVAL: `network` is not a network namespace.
/// - -EPERM at NS_STEP_JOIN: CAP_SYS_ADMIN is missing.
/// - Those of write(2) at NS_STEP_SETTING: /proc/sys cannot be written.
///
/// Man page: ip(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_forward(network: c_int, on: c_int, err: *mut ns_error) -> c_int {
    boundary(err, || nsiso::forward(descriptor(network)?, on != 0).map(|()| 0))
}

/// Links the program's new network namespace to that of `outside` by a pair of devices.
///
/// The pair is created before the program starts, with the settings of both endpoints, which
/// are copied. The network namespace of `inside` is ignored. The pair is removed when the
/// program has been waited for, unless ns_spec_pin or ns_hold keeps a namespace; otherwise when
/// the program's network namespace ends. Calls add up. Requests a new network namespace.
///
/// Takes CAP_NET_ADMIN in the user namespaces that own both network namespaces. Root has it.
/// Another user has it where one user namespace owns both, as when the program joins the user
/// namespace that owns that of `outside`.
///
/// Errors from ns_spawn:
/// - -EPERM: a capability is missing.
/// - -EEXIST at NS_STEP_LINK or NS_STEP_ADDRESS: a name or an address is in use.
/// - -EOPNOTSUPP at NS_STEP_LINK: the kernel has no veth, CONFIG_VETH.
/// - -ENODEV at NS_STEP_LINK: the bridge of an endpoint does not exist.
/// - -ENOENT at NS_STEP_QDISC: the kernel has no netem or tbf.
///
/// ns_exec fails with -EINVAL.
///
/// Man page: veth(4).
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

/// Moves a network device of the caller's network namespace into the program's new one.
///
/// The device moves before the program starts and gets the settings of `inside`, which is
/// copied; its name is kept where `inside` has none. NULL: the device is brought up and has no
/// other settings. The network namespace of `inside` is ignored. If the program cannot be
/// started, the device moves back. When the program's network namespace ends, the kernel
/// returns hardware to the initial one and removes virtual devices. Calls add up. Requests a
/// new network namespace.
///
/// Takes CAP_NET_ADMIN in the user namespaces that own both network namespaces.
///
/// Errors: -EINVAL if `device` is no name of a device. From ns_spawn at NS_STEP_LINK:
/// - -ENODEV: there is no such device.
/// - -EINVAL: the device cannot be moved, as the loopback device.
/// - -EPERM: CAP_NET_ADMIN is missing.
///
/// ns_exec fails with -EINVAL.
///
/// Man page: ip-link(8).
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

/// Connects the program's new network namespace to the caller's network by pasta(1), which
/// needs no privilege.
///
/// The program can connect to everything that the caller can connect to, except loopback
/// addresses of the machine. `tcp` and `udp` are tables of `tcp_count` and `udp_count` pairs of
/// port numbers: connections to the first, a port of the machine, are forwarded to the second,
/// a port of the program. A table may be NULL if its count is 0. `listen` is the address of the
/// machine at which its ports are opened, as "0.0.0.0"; NULL is "127.0.0.1". Versions of pasta
/// before 2024 return UDP answers only where both ports are equal. A later call replaces the
/// settings. Requests a new network namespace.
///
/// ns_spawn starts pasta, which must be installed, and waits until it is ready; pasta ends with
/// the program. It needs /dev/net/tun. Ports below 1024 take CAP_NET_BIND_SERVICE.
///
/// Errors: -EINVAL if `listen` is no address or a port is 0. From ns_spawn at NS_STEP_UPLINK:
/// - -ENOENT: pasta is not installed.
/// - -EADDRINUSE: a port of the machine is in use.
/// - -EACCES: a port is below 1024, and the capability is missing.
/// - -EADDRNOTAVAIL: `listen` is no address of the machine.
/// - -EIO: pasta failed; the hint has its message.
///
/// ns_exec and ns_hold fail with -EINVAL.
///
/// Man page: pasta(1).
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
