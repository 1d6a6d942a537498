//! The network options of a program: links to other namespaces, devices moved in, and an uplink.
//! The `net` module makes links and devices, `pasta(1)` serves the uplink.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::Spec;
use super::address::Address;
use crate::{Error, Kinds, Result};

/// One end of a link: a network device in a network namespace, with its addresses, routes and
/// settings.
///
/// A setter fails with EINVAL for a value that is out of range.
///
/// ```
/// use nsiso::Endpoint;
///
/// let endpoint = Endpoint::new()
///     .name("eth0")?
///     .address("10.0.0.1/30")?
///     .address("fd00::1/64")?
///     .gateway("10.0.0.2")?;
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Endpoint<'fd> {
    pub(crate) namespace: Option<BorrowedFd<'fd>>,
    pub(crate) name: Option<String>,
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) mtu: Option<u32>,
    pub(crate) addresses: Vec<Address>,
    pub(crate) routes: Vec<Route>,
    pub(crate) bridge: Option<String>,
    pub(crate) quality: Quality,
}

/// A route: where packets for a network go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub to: Address,
    /// The router; none if the network is reached directly.
    pub via: Option<IpAddr>,
}

/// How packets that leave a device are delayed, lost or limited: the settings of its qdisc.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Quality {
    pub delay: Duration,
    pub jitter: Duration,
    /// The fraction of packets that is lost, 0 to 1.
    pub loss: f64,
    /// Bits per second.
    pub rate: Option<u64>,
}

impl Quality {
    pub fn is_plain(&self) -> bool {
        *self == Quality::default()
    }
}

impl<'fd> Endpoint<'fd> {
    /// Makes an endpoint in the caller's network namespace.
    ///
    /// As the inner end of [`Spec::link`] or [`Spec::device`] it is in the program's new network
    /// namespace.
    pub fn new() -> Self {
        Endpoint::default()
    }

    /// Puts the endpoint into the network namespace behind a descriptor, such as a
    /// [`Handle`](crate::Handle).
    pub fn netns(mut self, namespace: BorrowedFd<'fd>) -> Self {
        self.namespace = Some(namespace);
        self
    }

    /// Sets the name of the device.
    ///
    /// By default it is the first of `eth0`, `eth1`, ... that is free; in the caller's own
    /// namespace the first of `veth0`, `veth1`, ... EINVAL: the name is not 1 to 15 bytes, has
    /// blanks, slashes, colons or percent signs in it, or is `all` or `default`. EEXIST when the
    /// link is made: another device has the name.
    pub fn name(mut self, name: &str) -> Result<Self> {
        self.name = Some(device_name(name)?);
        Ok(self)
    }

    /// Sets the hardware address, such as `02:00:00:00:00:01`.
    ///
    /// By default the kernel chooses one at random. EINVAL: the text is not such an address, or it
    /// is a multicast address.
    pub fn mac(mut self, mac: &str) -> Result<Self> {
        self.mac = Some(hardware_address(mac)?);
        Ok(self)
    }

    /// Sets the MTU, in bytes; 1500 by default.
    ///
    /// EINVAL: the value is not in the range 68 to 65535.
    pub fn mtu(mut self, bytes: u32) -> Result<Self> {
        match bytes {
            68..=65_535 => self.mtu = Some(bytes),
            _ => {
                return Err(Error::argument(format!(
                    "an MTU of {bytes} bytes is not in the range 68 to 65535"
                )));
            }
        }
        Ok(self)
    }

    /// Adds an address with the prefix length of its network, such as `10.0.0.1/24`.
    ///
    /// It can be used at once: IPv6 does no duplicate address detection for it. EINVAL: the text is
    /// not an address. EEXIST when the link is made: its network overlaps the network of another
    /// device in the namespace, so that packets could go either way.
    pub fn address(mut self, address: &str) -> Result<Self> {
        self.addresses.push(address.parse()?);
        Ok(self)
    }

    /// Adds a route: packets for the network `to` go through the device, to the router `via` if
    /// there is one.
    ///
    /// `to` is a network such as `10.1.0.0/16`. EINVAL: one of them is not an address, `to` is the
    /// address of a host in its network, or they are of different families. See `ip-route(8)`.
    pub fn route(mut self, to: &str, via: Option<&str>) -> Result<Self> {
        let to: Address = to.parse()?;
        let via = via.map(router).transpose()?;
        if to.network() != to {
            return Err(Error::argument(format!("{to} is an address, its network is {}", to.network())));
        }
        if via.is_some_and(|via| via.is_ipv4() != to.ip().is_ipv4()) {
            return Err(Error::argument(format!("the route to {to} goes to a router of the other family")));
        }
        self.routes.push(Route { to, via });
        Ok(self)
    }

    /// Adds a default route: the router `via` gets the packets for all other networks.
    ///
    /// The default route is for the address family of `via`. EINVAL: `via` is not an address.
    pub fn gateway(self, via: &str) -> Result<Self> {
        let everywhere = if router(via)?.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
        self.route(everywhere, Some(via))
    }

    /// Makes the device a port of a bridge in the same network namespace.
    ///
    /// [`bridge`](crate::bridge()) makes a bridge. EINVAL: `bridge` is not a valid device name.
    pub fn port_of(mut self, bridge: &str) -> Result<Self> {
        self.bridge = Some(device_name(bridge)?);
        Ok(self)
    }

    /// Delays the packets that leave through this endpoint by `delay`, plus or minus `jitter`.
    ///
    /// EINVAL: the delay is longer than an hour, or the jitter is longer than the delay. Needs the
    /// kernel's netem: ENOENT when the link is made otherwise. See `tc-netem(8)`.
    pub fn delay(mut self, delay: Duration, jitter: Duration) -> Result<Self> {
        const MOST: Duration = Duration::from_secs(3600);
        if delay > MOST || jitter > delay {
            return Err(Error::argument(format!(
                "a delay is at most an hour, and its jitter no more than itself: {delay:?}, {jitter:?}"
            )));
        }
        (self.quality.delay, self.quality.jitter) = (delay, jitter);
        Ok(self)
    }

    /// Drops packets that leave through this endpoint at random.
    ///
    /// `part` is the fraction that is lost: 0.01 is one in a hundred. EINVAL: it is not in the
    /// range 0 to 1. Needs the kernel's netem: ENOENT when the link is made otherwise. See
    /// `tc-netem(8)`.
    pub fn loss(mut self, part: f64) -> Result<Self> {
        match part {
            0.0..=1.0 => self.quality.loss = part,
            _ => return Err(Error::argument(format!("a loss of {part} is not in the range 0 to 1"))),
        }
        Ok(self)
    }

    /// Limits the rate of the packets that leave through this endpoint, in bits per second.
    ///
    /// EINVAL: the rate is below 8. Needs the kernel's tbf, or netem if there is a delay or loss
    /// too: ENOENT when the link is made otherwise. See `tc-tbf(8)`, `tc-netem(8)`.
    pub fn rate(mut self, bits_per_second: u64) -> Result<Self> {
        match bits_per_second {
            8.. => self.quality.rate = Some(bits_per_second),
            _ => {
                return Err(Error::argument(format!(
                    "{bits_per_second} bits per second are less than a byte"
                )));
            }
        }
        Ok(self)
    }
}

/// Checks a name as the kernel checks it for a device.
pub(crate) fn device_name(name: &str) -> Result<String> {
    let odd = |letter: char| letter.is_whitespace() || letter.is_control() || "/:%".contains(letter);
    match name {
        "" | "." | ".." | "all" | "default" => {}
        _ if name.len() >= libc::IFNAMSIZ || name.contains(odd) => {}
        _ => return Ok(name.into()),
    }
    Err(Error::argument(format!(
        "{name:?} is no name of a network device: 1 to 15 bytes without blanks, slashes, colons and percent signs, and neither all nor default"
    )))
}

fn router(via: &str) -> Result<IpAddr> {
    via.parse().map_err(|_| Error::argument(format!("{via:?} is no address of a router, like 10.0.0.1")))
}

fn hardware_address(text: &str) -> Result<[u8; 6]> {
    let bad = || Error::argument(format!("{text:?} is no hardware address, like 02:00:00:00:00:01"));
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next().filter(|part| part.len() == 2 && !part.starts_with('+')).ok_or_else(bad)?;
        *byte = u8::from_str_radix(part, 16).map_err(|_| bad())?;
    }
    match parts.next() {
        Some(_) => Err(bad()),
        None if mac[0] & 1 == 1 => Err(Error::argument(format!(
            "{text} is the hardware address of a group: the first byte of a device's is even"
        ))),
        None => Ok(mac),
    }
}

/// An uplink by `pasta(1)`, for programs whose caller has no privilege to make links to its own
/// network.
///
/// pasta translates between the program's network and ordinary sockets of the caller.
///
/// ```
/// use nsiso::{Spec, Uplink};
///
/// let mut spec = Spec::new("httpd")?;
/// spec.map_root().uplink(Uplink::new().tcp(8080, 80)?);
/// assert_eq!(Uplink::new().udp(0, 53).unwrap_err().errno(), libc::EINVAL);
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Uplink {
    pub(crate) tcp: Vec<(u16, u16)>,
    pub(crate) udp: Vec<(u16, u16)>,
    pub(crate) listen: IpAddr,
}

impl Default for Uplink {
    fn default() -> Self {
        Uplink { tcp: Vec::new(), udp: Vec::new(), listen: Ipv4Addr::LOCALHOST.into() }
    }
}

impl Uplink {
    /// Makes an uplink that forwards no ports.
    ///
    /// The program reaches what the caller can reach, except the caller's loopback. Nobody outside
    /// reaches the program, until [`Uplink::tcp`] or [`Uplink::udp`] forwards a port.
    pub fn new() -> Self {
        Uplink::default()
    }

    /// Forwards TCP connections from the port `outside` of the caller's network to the program's
    /// port `inside`.
    ///
    /// EINVAL: a port is 0. EADDRINUSE at the spawn: the port is taken. EACCES at the spawn: ports
    /// below 1024 need CAP_NET_BIND_SERVICE. [`Uplink::listen`] sets the address.
    pub fn tcp(mut self, outside: u16, inside: u16) -> Result<Self> {
        self.tcp.push(ports(outside, inside)?);
        Ok(self)
    }

    /// Forwards UDP packets from the port `outside` of the caller's network to the program's port
    /// `inside`.
    ///
    /// Versions of pasta before 2024 return the answers only if both ports are the same. EINVAL: a
    /// port is 0. EADDRINUSE at the spawn: the port is taken. EACCES at the spawn: ports below 1024
    /// need CAP_NET_BIND_SERVICE. [`Uplink::listen`] sets the address.
    pub fn udp(mut self, outside: u16, inside: u16) -> Result<Self> {
        self.udp.push(ports(outside, inside)?);
        Ok(self)
    }

    /// Sets the address in the caller's network at which the forwarded ports listen.
    ///
    /// Default: 127.0.0.1. 0.0.0.0 listens at every address.
    pub fn listen(mut self, ip: IpAddr) -> Self {
        self.listen = ip;
        self
    }
}

fn ports(outside: u16, inside: u16) -> Result<(u16, u16)> {
    match (outside, inside) {
        (0, _) | (_, 0) => Err(Error::argument(format!("{outside}:{inside}: 0 is no port"))),
        both => Ok(both),
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Network<'fd> {
    pub loopback: bool,
    pub links: Vec<(Endpoint<'fd>, Endpoint<'fd>)>,
    pub devices: Vec<(String, Endpoint<'fd>)>,
    pub uplink: Option<Uplink>,
}

impl Default for Network<'_> {
    fn default() -> Self {
        Network { loopback: true, links: Vec::new(), devices: Vec::new(), uplink: None }
    }
}

impl<'fd> Spec<'fd> {
    /// Sets whether the loopback device of a new network namespace is brought up.
    ///
    /// Default: `true`. It has no effect without a new network namespace.
    pub fn loopback(&mut self, up: bool) -> &mut Self {
        self.network.loopback = up;
        self
    }

    /// Links the program's new network namespace to another one or to the caller's, by a pair of
    /// devices, `veth(4)`.
    ///
    /// Asks for a new network namespace. `inside` describes the device of the program, `outside`
    /// the other one: in the caller's network namespace, or in that of [`Endpoint::netns`]. The
    /// pair exists when the program starts. It is removed when the program has been waited for,
    /// unless the program's network namespace is pinned or held. If nobody waits, it is removed
    /// together with the network namespace.
    ///
    /// Needs CAP_NET_ADMIN in the user namespaces that own both network namespaces: EPERM at the
    /// spawn otherwise. Root has it. An ordinary user has it if one user namespace owns both, for
    /// example if the program joins the user namespace of the other.
    pub fn link(&mut self, inside: Endpoint<'fd>, outside: Endpoint<'fd>) -> &mut Self {
        self.network.links.push((inside, outside));
        self.unshare(Kinds::NET)
    }

    /// Moves a network device from the caller's network namespace into the program's new one.
    ///
    /// Asks for a new network namespace. `inside` gives the addresses and settings of the device;
    /// without [`Endpoint::name`] it keeps its name. When the namespace ends, the kernel moves a
    /// hardware device back and removes a virtual one. If the program cannot be started, the device
    /// goes back. EINVAL: `device` is not a valid device name. Needs CAP_NET_ADMIN in the user
    /// namespaces that own both network namespaces.
    pub fn device(&mut self, device: &str, inside: Endpoint<'fd>) -> Result<&mut Self> {
        self.network.devices.push((device_name(device)?, inside));
        Ok(self.unshare(Kinds::NET))
    }

    /// Connects the program to the caller's network by `pasta(1)`, also for an ordinary user.
    ///
    /// Asks for a new network namespace. pasta runs beside the program and ends with it. It must be
    /// installed (Debian: package `passt`): ENOENT at the spawn otherwise. EIO at the spawn: pasta
    /// failed, and the hint has its message.
    pub fn uplink(&mut self, uplink: Uplink) -> &mut Self {
        self.network.uplink = Some(uplink);
        self.unshare(Kinds::NET)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_kernel_takes() {
        for good in ["eth0", "a", "to-router.1", "fifteen-bytes-x"] {
            assert_eq!(device_name(good).unwrap(), good);
        }
        for bad in ["", ".", "..", "all", "a b", "a/b", "a:b", "eth%d", "sixteen-bytes-xx", "a\n", "\0"] {
            assert!(device_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn hardware_addresses_are_of_devices() {
        assert_eq!(hardware_address("02:00:00:00:00:fF").unwrap(), [2, 0, 0, 0, 0, 255]);
        for bad in [
            "",
            "02:00:00:00:00",
            "02:00:00:00:00:00:00",
            "2:0:0:0:0:0",
            "01:00:00:00:00:00",
            "+2:00:00:00:00:00",
        ] {
            assert!(hardware_address(bad).is_err(), "{bad}");
        }
    }
}
