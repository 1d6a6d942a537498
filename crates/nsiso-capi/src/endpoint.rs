//! `ns_endpoint`: one end of a link.

use std::ffi::{c_char, c_int};
use std::time::Duration;

use nsiso::{Endpoint, Error, Result};

use crate::argument::{descriptor, reference_mut, text};
use crate::error::{boundary, free, ns_error, quiet_boundary};

/// Bytes of the name of a network device, with its NUL.
pub const NS_DEVICE_NAME: usize = 16;

/// One endpoint of a link: a network device in a network namespace, and its settings. Opaque
/// and reusable.
///
/// A setter must not run while another thread uses the same endpoint.
pub struct ns_endpoint(pub(crate) Endpoint<'static>);

/// Creates an endpoint in the caller's own network namespace, without settings.
///
/// Returns NULL if it fails. Free it with ns_endpoint_free.
#[unsafe(no_mangle)]
pub extern "C" fn ns_endpoint_new() -> *mut ns_endpoint {
    quiet_boundary(std::ptr::null_mut(), || Box::into_raw(Box::new(ns_endpoint(Endpoint::new()))))
}

/// Frees an endpoint; NULL is allowed.
///
/// Devices that were created with it remain.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_free(endpoint: *mut ns_endpoint) {
    // SAFETY: NULL, or made by ns_endpoint_new and not freed before, says the header.
    unsafe { free(endpoint) }
}

/// # Safety
/// `endpoint` is NULL or valid, and nothing else uses the endpoint.
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
pub(crate) unsafe fn utf8<'a>(pointer: *const c_char, what: &str) -> Result<&'a str> {
    // SAFETY: the caller's promise.
    let text = unsafe { text(pointer, what) }?;
    text.to_str().ok_or_else(|| Error::argument(format!("{what} {text:?} is not UTF-8")))
}

/// Sets the network namespace of the endpoint.
///
/// `network` is a descriptor as ns_open returns it. It must stay open as long as the endpoint,
/// or a spec with a copy of it, is used. Default: the caller's own network namespace; for the
/// argument `inside` of ns_spec_link and ns_spec_device always the program's.
///
/// Error from ns_link: -EINVAL, if it is not a network namespace.
///
/// Man page: network_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_netns(
    endpoint: *mut ns_endpoint,
    network: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| Ok(endpoint.netns(descriptor(network)?))) }
}

/// Sets the name of the device.
///
/// `name` has 1 to 15 bytes of UTF-8, without blanks, control characters, '/', ':' and '%'.
/// Default: the first of eth0, eth1, ... that is not used; in the caller's own network
/// namespace of veth0, veth1, ...; for a device that is moved its old name.
///
/// Errors: -EINVAL for another name, and for ".", "..", "all" and "default". Error from
/// ns_link: -EEXIST at NS_STEP_LINK, if a device of this name exists in the network namespace.
///
/// Man page: ip-link(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_name(
    endpoint: *mut ns_endpoint,
    name: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.name(utf8(name, "name")?)) }
}

/// Sets the hardware address of the device.
///
/// `mac` is six bytes in hexadecimal, as "02:00:00:00:00:01". Default: a random one.
///
/// Errors: -EINVAL for other text, and for the address of a group, whose first byte is odd.
/// Error from ns_link: -EADDRNOTAVAIL at NS_STEP_LINK, if the kernel does not accept it.
///
/// Man page: ip-link(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_mac(
    endpoint: *mut ns_endpoint,
    mac: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.mac(utf8(mac, "mac")?)) }
}

/// Sets the largest size of a packet, in bytes.
///
/// `bytes` is 68 to 65535; IPv6 takes 1280 at least. Default: 1500.
///
/// Errors: -EINVAL for another value.
///
/// Man page: netdevice(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_mtu(
    endpoint: *mut ns_endpoint,
    bytes: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.mtu(bytes)) }
}

/// Adds an IPv4 or IPv6 address to the device.
///
/// `address` has the length of the network's prefix, as "10.0.0.1/24" or "fd00::1/64"; without
/// a length it is a single address. Calls add up. An IPv6 address can be used at once.
///
/// Errors: -EINVAL for other text. From ns_link at NS_STEP_ADDRESS:
/// - -EEXIST: a device of the network namespace has the address, or another device has one
///   whose network overlaps.
/// - -EINVAL: an IPv6 address, and the MTU is below 1280.
/// - -EOPNOTSUPP, -EAFNOSUPPORT or -EACCES: the kernel has no IPv6, or it is disabled.
///
/// Man page: ip-address(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_address(
    endpoint: *mut ns_endpoint,
    address: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.address(utf8(address, "address")?)) }
}

/// Adds a route through the device.
///
/// `to` is a network, as "10.1.0.0/16"; `via` is the address of the router, or NULL if the
/// network is reached directly. Calls add up.
///
/// Errors: -EINVAL for other text, if `to` has bits behind the prefix, or if one of both is
/// IPv4 and the other IPv6. From ns_link at NS_STEP_ROUTE:
/// - -EEXIST: there is a route for this network.
/// - -ENETUNREACH, -EHOSTUNREACH or -EINVAL: the router is in no network of the device.
///
/// Man page: ip-route(8).
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

/// Adds the default route through the device.
///
/// `via` is the address of the router, IPv4 or IPv6; one of each can be added.
///
/// Errors: -EINVAL for other text. From ns_link at NS_STEP_ROUTE:
/// - -EEXIST: there is a default route.
/// - -ENETUNREACH, -EHOSTUNREACH or -EINVAL: the router is in no network of the device.
///
/// Man page: ip-route(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_gateway(
    endpoint: *mut ns_endpoint,
    via: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.gateway(utf8(via, "via")?)) }
}

/// Makes the device a port of a bridge.
///
/// `bridge` is the name of a bridge in the same network namespace, ns_bridge. Default: no port.
///
/// Errors: -EINVAL if it is no name of a device. From ns_link at NS_STEP_LINK:
/// - -ENODEV: there is no such device.
/// - -EOPNOTSUPP or -EINVAL: it is not a bridge.
///
/// Man page: bridge(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_port_of(
    endpoint: *mut ns_endpoint,
    bridge: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.port_of(utf8(bridge, "bridge")?)) }
}

/// Delays packets that leave through this endpoint.
///
/// `delay` and `jitter` are in nanoseconds; the delay of a packet is `delay` plus or minus up
/// to `jitter`. `delay` is at most an hour, and `jitter` at most `delay`. Default: 0. Takes
/// CONFIG_NET_SCH_NETEM in the kernel.
///
/// Errors: -EINVAL for other values. Error from ns_link: -ENOENT at NS_STEP_QDISC, if the
/// kernel has no netem.
///
/// Man page: tc-netem(8).
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

/// Drops some of the packets that leave through this endpoint, at random.
///
/// `part` is the share that is lost, 0 to 1: 0.01 is one of a hundred. Default: 0. Takes
/// CONFIG_NET_SCH_NETEM in the kernel.
///
/// Errors: -EINVAL for another value. Error from ns_link: -ENOENT at NS_STEP_QDISC, if the
/// kernel has no netem.
///
/// Man page: tc-netem(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_loss(
    endpoint: *mut ns_endpoint,
    part: f64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.loss(part)) }
}

/// Limits the rate of packets that leave through this endpoint.
///
/// `bits_per_second` is 8 at least. Default: no limit. Takes CONFIG_NET_SCH_TBF in the kernel;
/// beside ns_endpoint_delay or ns_endpoint_loss CONFIG_NET_SCH_NETEM.
///
/// Errors: -EINVAL for another value. Error from ns_link: -ENOENT at NS_STEP_QDISC, if the
/// kernel has no tbf or netem.
///
/// Man pages: tc-tbf(8), tc-netem(8).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_endpoint_rate(
    endpoint: *mut ns_endpoint,
    bits_per_second: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { change(endpoint, err, |endpoint| endpoint.rate(bits_per_second)) }
}
