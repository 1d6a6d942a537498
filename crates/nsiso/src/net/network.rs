//! Requests to one network namespace: creates, configures, moves and removes its devices. `link.rs`
//! combines the requests of two namespaces.

use std::collections::HashSet;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::netlink::{Message, attribute, string, u32_at};
use super::qdisc;
use super::rtnetlink::{Refusal, RouteSocket};
use crate::spec::{Address, Route};
use crate::{Endpoint, Error, Result, Step};

const ACK: libc::c_int = libc::NLM_F_ACK;
const MAKE: libc::c_int = ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL;
/// How long to wait for a device. It never comes up if its peer is taken down again at once.
const PATIENCE: Duration = Duration::from_secs(1);
/// `IFLA_INFO_KIND` and `IFLA_INFO_DATA`.
const INFO_KIND: u16 = 1;
const INFO_DATA: u16 = 2;
/// `IFLA_INET6_ADDR_GEN_MODE`, `IN6_ADDR_GEN_MODE_NONE`.
const ADDRESS_MODE: u16 = 8;
const NO_ADDRESS: u8 = 1;
/// `VETH_INFO_PEER`.
const PEER: u16 = 1;

/// What the kernel reports about a device.
#[derive(Clone, Copy, Debug)]
pub(super) struct Device {
    pub index: u32,
    /// The hardware address, if the device has one of six bytes.
    mac: Option<[u8; 6]>,
    pub is_up: bool,
}

#[derive(Debug)]
pub(super) struct Network {
    route: RouteSocket,
    /// Whether this is the caller's own network namespace.
    own: bool,
}

impl Network {
    /// Opens the network namespace behind a file descriptor, or without one the caller's own.
    pub fn open(namespace: Option<BorrowedFd>) -> Result<Self> {
        Ok(Network { route: RouteSocket::new(namespace)?, own: namespace.is_none() })
    }

    /// Creates a pair of linked devices: the first in this namespace, the second in the namespace
    /// `other`.
    pub fn make_pair(
        &mut self,
        (name, endpoint): (&str, &Endpoint),
        other: BorrowedFd,
        (peer_name, peer): (&str, &Endpoint),
    ) -> std::result::Result<(), Refusal> {
        let about = |message: Message, name: &str, endpoint: &Endpoint| {
            hardware(message.text(libc::IFLA_IFNAME, name), endpoint)
        };
        let message = about(Message::new(libc::RTM_NEWLINK, MAKE, &link_header(0, 0)), name, endpoint);
        self.route.tell(message.nest(libc::IFLA_LINKINFO, |info| {
            info.text(INFO_KIND, "veth").nest(INFO_DATA, |data| {
                data.nest(PEER, |it| {
                    about(it.fixed(&link_header(0, 0)), peer_name, peer)
                        .number(libc::IFLA_NET_NS_FD, other.as_raw_fd() as u32)
                })
            })
        }))
    }

    /// Creates a bridge without ports and brings it up.
    pub fn make_bridge(&mut self, name: &str) -> Result<()> {
        let up = libc::IFF_UP as u32;
        let message = Message::new(libc::RTM_NEWLINK, MAKE, &link_header(0, up))
            .text(libc::IFLA_IFNAME, name)
            .nest(libc::IFLA_LINKINFO, |info| info.text(INFO_KIND, "bridge"));
        self.route.tell(message).map_err(|refusal| {
            let hint = match refusal.errno {
                libc::EOPNOTSUPP => "this kernel has no bridges: CONFIG_BRIDGE, or the module bridge",
                errno => of_device(errno),
            };
            refusal.error(Step::Link, format!("the bridge {name}"), hint)
        })
    }

    /// Configures a device as its endpoint says and brings it up.
    pub fn settle(&mut self, name: &str, endpoint: &Endpoint) -> Result<()> {
        let Device { index: device, mac, .. } = self.look_up(name)?;
        let linked = self.choose_link_local(device);
        self.change(device, name, endpoint)?;
        if let (Ok(()), Some(mac)) = (linked, mac) {
            // Errors are ignored: without IPv6 there is no such address and none is needed.
            let _ = self.add_address(device, name, link_local(mac));
        }
        let taken = match endpoint.addresses.is_empty() {
            true => Vec::new(),
            false => self.addresses()?,
        };
        for (index, address) in endpoint.addresses.iter().enumerate() {
            self.check_overlap(device, *address, &taken)
                .and_then(|()| self.add_address(device, name, *address))
                .map_err(|error| error.with_index(Some(index)))?;
        }
        for (index, route) in endpoint.routes.iter().enumerate() {
            self.add_route(device, name, *route).map_err(|error| error.with_index(Some(index)))?;
        }
        if let Some(discipline) = qdisc::discipline(&endpoint.quality, device) {
            self.route.tell(discipline).map_err(|refusal| {
                let hint = match refusal.errno {
                    libc::ENOENT => qdisc::missing(&endpoint.quality),
                    errno => of_device(errno),
                };
                refusal.error(Step::Qdisc, name.to_string(), hint)
            })?;
        }
        Ok(())
    }

    /// Waits until a device passes packets, at most `PATIENCE`. The kernel lets packets through
    /// somewhat later than both devices of a pair are up.
    pub fn wait_until_up(&mut self, name: &str) {
        const UP: u8 = 6;
        let begun = Instant::now();
        let mut state = 0;
        while state != UP && begun.elapsed() < PATIENCE {
            let message =
                Message::new(libc::RTM_GETLINK, ACK, &link_header(0, 0)).text(libc::IFLA_IFNAME, name);
            let asked = self.route.ask(message, |body| {
                state = attribute(body, LINK_HEADER, libc::IFLA_OPERSTATE)
                    .and_then(|value| value.first().copied())
                    .unwrap_or(UP);
            });
            if asked.is_err() {
                return;
            }
            if state != UP {
                std::thread::sleep(Duration::from_micros(200));
            }
        }
    }

    /// Turns off the kernel's own IPv6 link-local address, which cannot be used for some seconds
    /// because of duplicate address detection. The device cannot find neighbours without such an
    /// address, so `settle` adds one.
    fn choose_link_local(&mut self, device: u32) -> std::result::Result<(), Refusal> {
        let message = Message::new(libc::RTM_NEWLINK, ACK, &link_header(device, 0));
        self.route.tell(message.nest(libc::IFLA_AF_SPEC, |families| {
            families.nest(libc::AF_INET6 as u16, |v6| v6.with(ADDRESS_MODE, &[NO_ADDRESS]))
        }))
    }

    /// Makes the device a port of its endpoint's bridge and brings it up.
    fn change(&mut self, device: u32, name: &str, endpoint: &Endpoint) -> Result<()> {
        let bridge = endpoint.bridge.as_deref().map(|bridge| self.look_up(bridge)).transpose()?;
        let message = Message::new(libc::RTM_NEWLINK, ACK, &link_header(device, libc::IFF_UP as u32));
        let message = match bridge {
            Some(bridge) => message.number(libc::IFLA_MASTER, bridge.index),
            None => message,
        };
        self.route.tell(message).map_err(|refusal| {
            let (object, hint) = match (&endpoint.bridge, refusal.errno) {
                (Some(bridge), libc::EOPNOTSUPP | libc::EINVAL) => {
                    (format!("{name} to {bridge}"), "only a bridge has ports")
                }
                (_, errno) => (name.to_owned(), of_device(errno)),
            };
            refusal.error(Step::Link, object, hint)
        })
    }

    fn check_overlap(&self, device: u32, address: Address, taken: &[(u32, Address)]) -> Result<()> {
        let clashes = |(at, other): &&(u32, Address)| {
            let near = *at != device && !address.is_single() && !other.is_single() && !is_local(other.ip());
            other.ip() == address.ip() || near && address.overlaps(*other)
        };
        match taken.iter().find(clashes) {
            None => Ok(()),
            Some((_, other)) if other.ip() == address.ip() => {
                Err(Error::new(Step::Address, libc::EEXIST, address)
                    .with_hint("a device of this namespace has this address already"))
            }
            Some((_, other)) => Err(Error::new(Step::Address, libc::EEXIST, address).with_hint(format!(
                "its network overlaps that of {other}, which another device of this namespace has: packets could go either way"
            ))),
        }
    }

    fn add_address(&mut self, device: u32, name: &str, address: Address) -> Result<()> {
        let family = family(address.ip());
        // IFA_F_NODAD turns off duplicate address detection, during which the address could not be
        // used for seconds.
        let flags = if family == libc::AF_INET6 as u8 { libc::IFA_F_NODAD as u8 } else { 0 };
        let mut fixed = [family, address.prefix(), flags, 0, 0, 0, 0, 0];
        fixed[4..8].copy_from_slice(&device.to_ne_bytes());
        let ip = octets(address.ip());
        let message = Message::new(libc::RTM_NEWADDR, MAKE, &fixed)
            .with(libc::IFA_LOCAL, &ip)
            .with(libc::IFA_ADDRESS, &ip);
        let message = match address.ip() {
            IpAddr::V4(_) if address.prefix() < 31 => {
                message.with(libc::IFA_BROADCAST, &octets(address.broadcast().ip()))
            }
            _ => message,
        };
        self.route.tell(message).map_err(|refusal| {
            let hint = match refusal.errno {
                libc::EEXIST => "the device has it already",
                libc::EINVAL if address.ip().is_ipv6() => "IPv6 takes an MTU of 1280 at least",
                libc::EOPNOTSUPP | libc::EAFNOSUPPORT | libc::EACCES => {
                    "IPv6 is not compiled into this kernel, or switched off here"
                }
                errno => of_device(errno),
            };
            refusal.error(Step::Address, format!("{address} to {name}"), hint)
        })
    }

    fn add_route(&mut self, device: u32, name: &str, route: Route) -> Result<()> {
        let scope = if route.via.is_some() { libc::RT_SCOPE_UNIVERSE } else { libc::RT_SCOPE_LINK };
        let mut fixed = [0; 12];
        fixed[0] = family(route.to.ip());
        fixed[1] = route.to.prefix();
        [fixed[4], fixed[5]] = [libc::RT_TABLE_MAIN, libc::RTPROT_STATIC];
        [fixed[6], fixed[7]] = [scope, libc::RTN_UNICAST];
        let message = Message::new(libc::RTM_NEWROUTE, MAKE, &fixed)
            .with(libc::RTA_DST, &octets(route.to.ip()))
            .number(libc::RTA_OIF, device);
        let message = match route.via {
            Some(via) => message.with(libc::RTA_GATEWAY, &octets(via)),
            None => message,
        };
        self.route.tell(message).map_err(|refusal| {
            let hint = match refusal.errno {
                libc::EEXIST => "there is a route for this network already",
                libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EINVAL => {
                    "the router is not in a network of the device: give the device an address there"
                }
                errno => of_device(errno),
            };
            let via = route.via.map_or(String::new(), |via| format!(" via {via}"));
            refusal.error(Step::Route, format!("{}{via} through {name}", route.to), hint)
        })
    }

    /// Moves a device to another namespace and renames it.
    pub fn give(&mut self, name: &str, other: BorrowedFd, new_name: &str, endpoint: &Endpoint) -> Result<()> {
        let device = self.look_up(name)?.index;
        let message = Message::new(libc::RTM_NEWLINK, ACK, &link_header(device, 0))
            .number(libc::IFLA_NET_NS_FD, other.as_raw_fd() as u32)
            .text(libc::IFLA_IFNAME, new_name);
        self.route.tell(hardware(message, endpoint)).map_err(|refusal| {
            let hint = match refusal.errno {
                libc::EEXIST => "there is a device of this name already: give it another one",
                libc::EINVAL => "some devices, the loopback one for instance, cannot be moved",
                errno => of_device(errno),
            };
            let object = format!("{name} as {new_name} in another network namespace");
            refusal.error(Step::Link, object, hint)
        })
    }

    /// Removes a device and its peer if it has one.
    pub fn remove(&mut self, device: u32, name: &str) -> Result<()> {
        self.route.tell(Message::new(libc::RTM_DELLINK, ACK, &link_header(device, 0))).map_err(|refusal| {
            let hint = match refusal.errno {
                libc::EOPNOTSUPP => "hardware, and the loopback device, cannot be removed",
                errno => of_device(errno),
            };
            refusal.error(Step::Link, format!("{name}, to be removed"), hint)
        })
    }

    /// Returns the first of `eth0`, `eth1`, ... that is no device's name and not `other`. In the
    /// caller's own namespace, the names are `veth0`, `veth1`, ...
    pub fn free_name(&mut self, other: Option<&str>) -> Result<String> {
        let stem = if self.own { "veth" } else { "eth" };
        let mut taken = self.names()?;
        taken.extend(other.map(str::to_owned));
        let mut names = (0..).map(|number| format!("{stem}{number}"));
        Ok(names.find(|name| !taken.contains(name)).unwrap_or_default())
    }

    pub fn has(&mut self, name: &str) -> bool {
        self.names().is_ok_and(|names| names.contains(name))
    }

    pub fn look_up(&mut self, name: &str) -> Result<Device> {
        let mut found = None;
        let message = Message::new(libc::RTM_GETLINK, ACK, &link_header(0, 0)).text(libc::IFLA_IFNAME, name);
        let asked = self.route.ask(message, |body| {
            let mac = attribute(body, LINK_HEADER, libc::IFLA_ADDRESS);
            let is_up = u32_at(body, 8).is_some_and(|flags| flags & libc::IFF_UP as u32 != 0);
            found = u32_at(body, 4).map(|index| Device {
                index,
                mac: mac.and_then(|mac| mac.try_into().ok()),
                is_up,
            });
        });
        match (asked, found) {
            (_, Some(found)) => Ok(found),
            (Err(refusal), None) if refusal.errno != libc::ENODEV => {
                let hint = of_device(refusal.errno);
                Err(refusal.error(Step::Link, name.into(), hint))
            }
            _ => Err(Error::new(Step::Link, libc::ENODEV, name)
                .with_hint("there is no device of this name in the network namespace: see ip link")),
        }
    }

    /// Returns the addresses of a device except link-local ones, which the kernel may have
    /// assigned.
    pub fn addresses_of(&mut self, device: u32) -> Result<Vec<Address>> {
        let own =
            self.addresses()?.into_iter().filter(|(at, address)| *at == device && !is_local(address.ip()));
        Ok(own.map(|(_, address)| address).collect())
    }

    /// Returns the names of all devices.
    fn names(&mut self) -> Result<HashSet<String>> {
        let mut names = HashSet::new();
        let message = Message::new(libc::RTM_GETLINK, libc::NLM_F_DUMP, &link_header(0, 0));
        let asked = self.route.ask(message, |body| {
            names.extend(attribute(body, LINK_HEADER, libc::IFLA_IFNAME).map(string));
        });
        asked.map_err(|refusal| refusal.error(Step::Link, "the devices there are".into(), ""))?;
        Ok(names)
    }

    /// Returns every address with the index of its device.
    fn addresses(&mut self) -> Result<Vec<(u32, Address)>> {
        let mut found = Vec::new();
        let message = Message::new(libc::RTM_GETADDR, libc::NLM_F_DUMP, &[0; 8]);
        let asked = self.route.ask(message, |body| {
            let ip = attribute(body, 8, libc::IFA_LOCAL).or_else(|| attribute(body, 8, libc::IFA_ADDRESS));
            let address = ip.and_then(from_octets).and_then(|ip| Address::new(ip, *body.get(1)?).ok());
            found.extend(u32_at(body, 4).zip(address));
        });
        asked.map_err(|refusal| refusal.error(Step::Address, "the addresses there are".into(), ""))?;
        Ok(found)
    }
}

/// Returns the hint for an errno that any request about a device may fail with.
pub(super) fn of_device(errno: i32) -> &'static str {
    match errno {
        libc::EPERM => {
            "it takes CAP_NET_ADMIN in the user namespaces that own the network namespaces: be root, or use namespaces that one user \
             namespace of yours owns, by joining it before the network namespace is made"
        }
        libc::EEXIST => "there is a device of this name in the network namespace already",
        libc::ENODEV => "there is no such device in the network namespace: see ip link",
        libc::ERANGE | libc::EINVAL => "a value is out of the device's range",
        libc::EADDRNOTAVAIL => "it is no hardware address for one device",
        _ => "",
    }
}

/// Appends the MAC and the MTU of an endpoint.
fn hardware(message: Message, endpoint: &Endpoint) -> Message {
    let message = match endpoint.mac {
        Some(mac) => message.with(libc::IFLA_ADDRESS, &mac),
        None => message,
    };
    match endpoint.mtu {
        Some(mtu) => message.number(libc::IFLA_MTU, mtu),
        None => message,
    }
}

/// The size of `struct ifinfomsg`.
const LINK_HEADER: usize = 16;

/// Encodes `struct ifinfomsg`. The flags `up` are set; all other flags stay as they are.
fn link_header(index: u32, up: u32) -> [u8; LINK_HEADER] {
    let mut fixed = [0; LINK_HEADER];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    fixed[8..12].copy_from_slice(&up.to_ne_bytes());
    fixed[12..16].copy_from_slice(&up.to_ne_bytes());
    fixed
}

fn family(ip: IpAddr) -> u8 {
    (if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) as u8
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().into(),
        IpAddr::V6(ip) => ip.octets().into(),
    }
}

fn from_octets(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    v4.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from))
}

/// Returns the IPv6 link-local address that the kernel derives from a hardware address.
fn link_local([a, b, c, d, e, f]: [u8; 6]) -> Address {
    let ip = [0xFE, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xFF, 0xFE, d, e, f];
    Address::of_network(IpAddr::from(ip), 64)
}

/// Returns whether an address is link-local. Networks of such addresses may be on several devices.
fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}
