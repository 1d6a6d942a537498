//! [`Address`]: an IP address with the prefix length of its network, as in `10.0.0.1/24` and
//! `fd00::1/64`. Only arithmetic is done here; `net` gives addresses to devices.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::{Error, Result};

/// An IPv4 or IPv6 address and the prefix length of its network.
///
/// It is parsed from and printed as text such as `10.0.0.1/24`.
///
/// ```
/// use nsiso::Address;
///
/// let address: Address = "10.0.0.1/24".parse()?;
/// assert_eq!(address.network().to_string(), "10.0.0.0/24");
/// assert_eq!(address.host(7).unwrap().to_string(), "10.0.0.7/24");
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    ip: IpAddr,
    prefix: u8,
}

impl Address {
    /// Makes an address from an IP address and a prefix length in bits.
    ///
    /// The prefix is 0 to 32 for IPv4 and 0 to 128 for IPv6. EINVAL: the prefix is longer.
    pub fn new(ip: IpAddr, prefix: u8) -> Result<Self> {
        match prefix <= bits(ip) {
            true => Ok(Address { ip, prefix }),
            false => {
                Err(Error::argument(format!("{ip}/{prefix}: a prefix of {ip} has at most {} bits", bits(ip))))
            }
        }
    }

    /// Makes an address from a prefix that is known to fit.
    pub(crate) const fn of_network(ip: IpAddr, prefix: u8) -> Self {
        Address { ip, prefix }
    }

    /// Returns the IP address.
    pub fn ip(self) -> IpAddr {
        self.ip
    }

    /// Returns the prefix length, in bits.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// Returns the first address of the network: all bits after the prefix are 0.
    pub fn network(self) -> Address {
        self.with_host(0)
    }

    /// The last address of the network: all bits after the prefix are 1.
    pub(crate) fn broadcast(self) -> Address {
        let spare = bits(self.ip) - self.prefix;
        self.with_host(1u128.checked_shl(spare.into()).map_or(u128::MAX, |size| size - 1))
    }

    /// Returns the address of the `number`th host of the network, counted from 1.
    ///
    /// In a network of two addresses (`/31`, `/127`) both are hosts. In a larger network the first
    /// address is not a host, and for IPv4 neither is the last. Returns `None` for number 0, for a
    /// single address (`/32`, `/128`) and for a number beyond the last host.
    pub fn host(self, number: u32) -> Option<Address> {
        let spare = bits(self.ip) - self.prefix;
        let (first, last) = match (spare, self.ip) {
            (0, _) => return None,
            (1, _) => (0, 1),
            (_, IpAddr::V4(_)) => (1, (1u128 << spare) - 2),
            (..128, IpAddr::V6(_)) => (1, (1u128 << spare) - 1),
            (_, IpAddr::V6(_)) => (1, u128::MAX),
        };
        let host = first + u128::from(number.checked_sub(1)?);
        (host <= last).then(|| self.with_host(host))
    }

    /// Returns whether one of the two networks contains the other.
    ///
    /// Networks of different address families never overlap.
    pub fn overlaps(self, other: Address) -> bool {
        let shorter = self.prefix.min(other.prefix);
        let cut = |address: Address| Address { prefix: shorter, ..address }.network().ip;
        self.ip.is_ipv4() == other.ip.is_ipv4() && cut(self) == cut(other)
    }

    /// Returns whether the prefix covers the whole address, so that there is no network around it.
    pub fn is_single(self) -> bool {
        self.prefix == bits(self.ip)
    }

    fn with_host(self, host: u128) -> Address {
        let keep = |all: u128, spare: u8| all.checked_shr(spare.into()).map_or(0, |kept| kept << spare);
        let spare = bits(self.ip) - self.prefix;
        let ip = match self.ip {
            IpAddr::V4(ip) => {
                let network = keep(u32::from(ip).into(), spare) as u32;
                IpAddr::V4(Ipv4Addr::from(network | host as u32))
            }
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(keep(ip.into(), spare) | host)),
        };
        Address { ip, ..self }
    }
}

fn bits(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { 32 } else { 128 }
}

impl FromStr for Address {
    type Err = Error;

    /// Parses an address such as `10.0.0.1/24`.
    ///
    /// Without a slash the prefix is the whole address: `/32` or `/128`. EINVAL: the text is not an
    /// address, or the prefix is too long.
    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::argument(format!("{text:?} is no address, like 10.0.0.1/24 or fd00::1/64"));
        let (ip, prefix) = match text.split_once('/') {
            Some((ip, prefix)) => (ip, Some(prefix.parse().map_err(|_| bad())?)),
            None => (text, None),
        };
        let ip: IpAddr = ip.parse().map_err(|_| bad())?;
        Address::new(ip, prefix.unwrap_or(bits(ip)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Address {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_written_as_they_are_read() {
        for text in ["10.0.0.1/24", "0.0.0.0/0", "fd00::1/64", "::/0", "192.0.2.1/32"] {
            assert_eq!(address(text).to_string(), text);
        }
        assert_eq!(address("10.1.2.3").to_string(), "10.1.2.3/32");
        for bad in
            ["", "10.0.0.1/33", "10.0.0/24", "fd00::1/129", "a/b", "10.0.0.1/-1", "10.0.0.1/24/8", "::1/"]
        {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_network_has_hosts() {
        let host = |network: &str, number| address(network).host(number).map(|host| host.to_string());
        assert_eq!(host("10.0.0.0/30", 1).as_deref(), Some("10.0.0.1/30"));
        assert_eq!(host("10.0.0.0/30", 2).as_deref(), Some("10.0.0.2/30"));
        assert_eq!(host("10.0.0.0/30", 3), None);
        assert_eq!(host("10.0.0.0/31", 1).as_deref(), Some("10.0.0.0/31"));
        assert_eq!(host("10.0.0.0/32", 1), None);
        assert_eq!(host("10.0.0.0/30", 0), None);
        assert_eq!(host("fd00::/64", 2).as_deref(), Some("fd00::2/64"));
        assert_eq!(host("::/0", 5).as_deref(), Some("::5/0"));
        assert_eq!(address("10.1.2.3/8").network().to_string(), "10.0.0.0/8");
    }

    #[test]
    fn networks_overlap_where_one_holds_the_other() {
        assert!(address("10.0.0.1/24").overlaps(address("10.0.0.77/30")));
        assert!(address("0.0.0.0/0").overlaps(address("10.0.0.77/30")));
        assert!(!address("10.0.0.1/24").overlaps(address("10.0.1.1/24")));
        assert!(!address("::/0").overlaps(address("10.0.0.77/30")));
    }
}
