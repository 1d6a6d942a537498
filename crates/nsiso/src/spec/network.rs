//! The network that a program gets: links to other namespaces, devices moved in, a way out.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::Spec;
use super::address::Address;
use crate::{Error, Kinds, Result};

/// One end of a link: a network device in a network namespace, with what it is to be given.
///
/// ```
/// use nsiso::Endpoint;
///
/// let endpoint = Endpoint::new().name("eth0")?.address("10.0.0.1/30")?.address("fd00::1/64")?.gateway("10.0.0.2")?;
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

/// Where packets for a network go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub to: Address,
    /// None: straight through the device.
    pub via: Option<IpAddr>,
}

/// How packets that leave a device are held up, lost or slowed down.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Quality {
    pub delay: Duration,
    pub jitter: Duration,
    /// A part of 1.
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
    /// An end in the network namespace of the caller, or, as the inner end of [`Spec::link`], in the program's new one.
    pub fn new() -> Self {
        Endpoint::default()
    }

    /// An end in the network namespace behind this descriptor, such as a [`Handle`](crate::Handle).
    pub fn netns(mut self, namespace: BorrowedFd<'fd>) -> Self {
        self.namespace = Some(namespace);
        self
    }

    /// The device's name, at most 15 bytes. By default the first of `eth0`, `eth1`, ... that is free, in the caller's own namespace of
    /// `veth0`, `veth1`, ...
    pub fn name(mut self, name: &str) -> Result<Self> {
        self.name = Some(device_name(name)?);
        Ok(self)
    }

    /// The hardware address, as `02:00:00:00:00:01`; one by chance otherwise.
    pub fn mac(mut self, mac: &str) -> Result<Self> {
        self.mac = Some(hardware_address(mac)?);
        Ok(self)
    }

    /// The most bytes of a packet; 1500 by default.
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

    /// One more address of the device, with its network, as `10.0.0.1/24`. It may be used at once. One whose network overlaps that of another
    /// device in the namespace is refused when the link is made: packets could go either way.
    pub fn address(mut self, address: &str) -> Result<Self> {
        self.addresses.push(address.parse()?);
        Ok(self)
    }

    /// Packets for a network, as `10.1.0.0/16`, go through the device, to the router with the address `via` if there is one.
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

    /// The router for all other networks, by its address.
    pub fn gateway(self, via: &str) -> Result<Self> {
        let everywhere = if router(via)?.is_ipv4() { "0.0.0.0/0" } else { "::/0" };
        self.route(everywhere, Some(via))
    }

    /// The device becomes a port of this bridge, which is in the same namespace: see [`bridge`](crate::bridge()).
    pub fn port_of(mut self, bridge: &str) -> Result<Self> {
        self.bridge = Some(device_name(bridge)?);
        Ok(self)
    }

    /// How long packets that leave through this end are held up, give or take `jitter`. `tc-netem(8)`.
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

    /// The part of the packets leaving through this end that gets lost, by chance: 0.01 is one of a hundred. `tc-netem(8)`.
    pub fn loss(mut self, part: f64) -> Result<Self> {
        match part {
            0.0..=1.0 => self.quality.loss = part,
            _ => return Err(Error::argument(format!("a loss of {part} is not in the range 0 to 1"))),
        }
        Ok(self)
    }

    /// The most bits per second that leave through this end. `tc-tbf(8)`, `tc-netem(8)`.
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

/// A name that the kernel takes for a device.
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

/// A way to the outside for programs that may not make links to the host: `pasta(1)`, which translates between the program's network
/// and ordinary sockets of the caller.
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
    /// The program may reach what the caller may reach, the host's loopback excepted; nobody reaches the program.
    pub fn new() -> Self {
        Uplink::default()
    }

    /// Connections to the host's port `outside` are led to the program's port `inside`, TCP.
    pub fn tcp(mut self, outside: u16, inside: u16) -> Result<Self> {
        self.tcp.push(ports(outside, inside)?);
        Ok(self)
    }

    /// The same for UDP. Versions of pasta before 2024 bring answers back only where both ports are the same.
    pub fn udp(mut self, outside: u16, inside: u16) -> Result<Self> {
        self.udp.push(ports(outside, inside)?);
        Ok(self)
    }

    /// The host's address at which its ports are: 127.0.0.1 by default, 0.0.0.0 for all.
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
    /// Whether the loopback device of a new network namespace is brought up: yes by default.
    pub fn loopback(&mut self, up: bool) -> &mut Self {
        self.network.loopback = up;
        self
    }

    /// Links the program's new network namespace to another one or to the caller's: a pair of devices, `veth(4)`, that is there
    /// when the program starts and is removed when the program has been waited for, unless its network namespace is pinned or held; nobody waiting, it goes
    /// with the network namespace. Asks for a new network namespace.
    ///
    /// Takes CAP_NET_ADMIN in the user namespaces that own both network namespaces: root has it, an ordinary user where one user namespace owns both,
    /// as when the program joins that of the other.
    pub fn link(&mut self, inside: Endpoint<'fd>, outside: Endpoint<'fd>) -> &mut Self {
        self.network.links.push((inside, outside));
        self.unshare(Kinds::NET)
    }

    /// Moves a network device of the caller's network namespace into the program's new one, with what `inside` says; its name is kept
    /// where that says none. When the namespace ends, the kernel gives hardware back and removes what is virtual. Asks for a new network namespace.
    pub fn device(&mut self, device: &str, inside: Endpoint<'fd>) -> Result<&mut Self> {
        self.network.devices.push((device_name(device)?, inside));
        Ok(self.unshare(Kinds::NET))
    }

    /// Gives the program a way to the outside, as an ordinary user, too: `pasta(1)` runs beside it and ends with it. It must be installed
    /// (Debian: `passt`). Asks for a new network namespace.
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
