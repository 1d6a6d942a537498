//! The network of a spec document.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::descriptors::descriptor;
use super::units::{Rate, Time};
use super::value::list;
use super::{At, OneOrMany, Switch};
use crate::{Endpoint, Error, Result, Spec, Uplink};

/// One end of a link: a network device with its settings.
///
/// ```
/// use nsiso::document::EndpointOption;
///
/// let value = serde_json::json!({"name": "eth0", "addresses": "10.0.0.1/24", "delay": "20ms"});
/// let endpoint = EndpointOption::from_value(&value)?.endpoint()?;
/// let error = EndpointOption::from_value(&serde_json::json!({"adresses": []})).unwrap_err();
/// assert_eq!(error.hint(), "did you mean addresses?");
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "an object")]
pub struct EndpointOption {
    /// The network namespace of the outside end, as a descriptor; the caller's own by default.
    pub netns: Option<RawFd>,
    /// The device's name. By default the first free one of eth0, eth1, ..., of veth0, veth1, ...
    /// in the caller's own namespace; a device that moves keeps its name.
    pub name: Option<String>,
    /// The hardware address, such as "02:00:00:00:00:01".
    pub mac: Option<String>,
    /// The most bytes of a packet: 68 to 65535, 1500 by default.
    pub mtu: Option<u32>,
    /// Addresses with their network, such as "10.0.0.1/24".
    pub addresses: Option<OneOrMany<String>>,
    /// The router for all other networks.
    pub gateway: Option<OneOrMany<String>>,
    /// Routes to networks.
    pub routes: Option<Vec<RouteOption>>,
    /// The bridge that the device becomes a port of.
    pub port_of: Option<String>,
    /// Delay of packets that leave, in seconds, 0 to one hour, tc-netem(8).
    pub delay: Option<Time>,
    /// Variation of the delay, in seconds, at most `delay`.
    pub jitter: Option<Time>,
    /// Probability that a packet that leaves is lost, 0 to 1, tc-netem(8).
    pub loss: Option<f64>,
    /// The most bits per second that leave. tc-tbf(8).
    pub rate: Option<Rate>,
}

/// A route.
///
/// ```
/// use nsiso::document::{EndpointOption, RouteOption};
///
/// let route = RouteOption { to: "10.1.0.0/16".into(), via: Some("10.0.0.1".into()) };
/// let option = EndpointOption { routes: Some(vec![route]), ..EndpointOption::default() };
/// let endpoint = option.endpoint()?;
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct RouteOption {
    /// The network, such as "10.1.0.0/16".
    pub to: String,
    /// The router; none if the network is on the link itself.
    pub via: Option<String>,
}

impl EndpointOption {
    /// Reads an endpoint from an object. EINVAL as for [`super::Document::from_value`].
    pub fn from_value(value: &serde_json::Value) -> Result<Self> {
        super::json::from_value(value)
    }

    /// The endpoint with these settings. EINVAL for a value that is not possible.
    pub fn endpoint(&self) -> Result<Endpoint<'static>> {
        let mut endpoint = Endpoint::new();
        if let Some(fd) = self.netns {
            endpoint = endpoint.netns(descriptor(fd).at("netns")?);
        }
        if let Some(name) = &self.name {
            endpoint = endpoint.name(name).at("name")?;
        }
        if let Some(mac) = &self.mac {
            endpoint = endpoint.mac(mac).at("mac")?;
        }
        if let Some(mtu) = self.mtu {
            endpoint = endpoint.mtu(mtu).at("mtu")?;
        }
        for address in self.addresses.iter().flat_map(OneOrMany::items) {
            endpoint = endpoint.address(address).at("addresses")?;
        }
        for (index, route) in self.routes.iter().flatten().enumerate() {
            endpoint = endpoint.route(&route.to, route.via.as_deref()).at(&format!("routes[{index}]"))?;
        }
        for router in self.gateway.iter().flat_map(OneOrMany::items) {
            endpoint = endpoint.gateway(router).at("gateway")?;
        }
        if let Some(bridge) = &self.port_of {
            endpoint = endpoint.port_of(bridge).at("port_of")?;
        }
        if self.delay.is_some() || self.jitter.is_some() {
            let time = |time: Option<Time>, field| match time {
                None => Ok(Duration::ZERO),
                Some(time) => {
                    time.duration().ok_or_else(|| Error::argument("a time is not negative")).at(field)
                }
            };
            let (delay, jitter) = (time(self.delay, "delay")?, time(self.jitter, "jitter")?);
            endpoint = endpoint.delay(delay, jitter).at("delay")?;
        }
        if let Some(part) = self.loss {
            endpoint = endpoint.loss(part).at("loss")?;
        }
        match self.rate {
            Some(rate) => endpoint.rate(rate.0).at("rate"),
            None => Ok(endpoint),
        }
    }

    /// The end in the program's new network namespace.
    fn inside(&self) -> Result<Endpoint<'static>> {
        match self.netns {
            None => self.endpoint(),
            Some(_) => Err(Error::argument("this end is in the program's new network namespace").at("netns")),
        }
    }
}

/// A link between the program's new network namespace and another one.
///
/// ```
/// use nsiso::document::{Document, EndpointOption, LinkOption};
///
/// let inside = EndpointOption { name: Some("eth0".into()), ..EndpointOption::default() };
/// let link = LinkOption { inside, ..LinkOption::default() };
/// let document = Document { links: Some(vec![link]), ..Document::default() };
/// assert_eq!(document.to_value()["links"][0]["inside"]["name"], "eth0");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "an object")]
pub struct LinkOption {
    /// The end in the program's network namespace.
    pub inside: EndpointOption,
    /// The other end.
    pub outside: EndpointOption,
}

impl LinkOption {
    pub(super) fn put(&self, spec: &mut Spec<'static>) -> Result<()> {
        spec.link(self.inside.inside().at("inside")?, self.outside.endpoint().at("outside")?);
        Ok(())
    }
}

pub(super) fn put_device(device: &str, inside: &EndpointOption, spec: &mut Spec<'static>) -> Result<()> {
    spec.device(device, inside.inside()?).map(drop)
}

/// The ports of an uplink, each as [outside, inside].
///
/// ```
/// use nsiso::document::{Document, Switch, UplinkPorts};
///
/// // Port 8080 of the caller leads to port 80 of the program.
/// let ports = UplinkPorts { tcp: Some(vec![(8080, 80)]), ..UplinkPorts::default() };
/// let document = Document::from_json(r#"{"uplink": {"tcp": [[8080, 80]]}}"#)?;
/// assert_eq!(document.uplink, Some(Switch::Value(ports)));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, default, expecting = "an object")]
pub struct UplinkPorts {
    /// TCP ports.
    pub tcp: Option<Vec<(u16, u16)>>,
    /// UDP ports.
    pub udp: Option<Vec<(u16, u16)>>,
    /// Address of the caller at which the ports listen. Default: 127.0.0.1.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub listen: Option<IpAddr>,
}

pub(super) fn put_uplink(option: &Switch<UplinkPorts>, spec: &mut Spec<'static>) -> Result<()> {
    let Some(ports) = option.or(UplinkPorts::default()) else { return Ok(()) };
    let mut uplink = Uplink::new();
    for (index, (outside, inside)) in ports.tcp.iter().flatten().enumerate() {
        uplink = uplink.tcp(*outside, *inside).at(&format!("tcp[{index}]"))?;
    }
    for (index, (outside, inside)) in ports.udp.iter().flatten().enumerate() {
        uplink = uplink.udp(*outside, *inside).at(&format!("udp[{index}]"))?;
    }
    if let Some(ip) = ports.listen {
        uplink = uplink.listen(ip);
    }
    spec.uplink(uplink);
    Ok(())
}

impl From<&(Endpoint<'_>, Endpoint<'_>)> for LinkOption {
    fn from((inside, outside): &(Endpoint, Endpoint)) -> Self {
        LinkOption { inside: inside.into(), outside: outside.into() }
    }
}

impl From<&Uplink> for UplinkPorts {
    fn from(uplink: &Uplink) -> Self {
        UplinkPorts {
            tcp: list(uplink.tcp.iter().copied()),
            udp: list(uplink.udp.iter().copied()),
            listen: Some(uplink.listen),
        }
    }
}

impl From<&Endpoint<'_>> for EndpointOption {
    fn from(endpoint: &Endpoint) -> Self {
        let some = |time: Duration| Some(Time::from(time)).filter(|time| time.0 != 0);
        EndpointOption {
            netns: endpoint.namespace.map(|fd| fd.as_raw_fd()),
            name: endpoint.name.clone(),
            mac: endpoint.mac.map(|mac| mac.map(|byte| format!("{byte:02x}")).join(":")),
            mtu: endpoint.mtu,
            addresses: list(endpoint.addresses.iter().map(ToString::to_string)).map(OneOrMany::Many),
            // It is among the routes.
            gateway: None,
            routes: list(endpoint.routes.iter().map(|route| RouteOption {
                to: route.to.to_string(),
                via: route.via.map(|via| via.to_string()),
            })),
            port_of: endpoint.bridge.clone(),
            delay: some(endpoint.quality.delay),
            jitter: some(endpoint.quality.jitter),
            loss: Some(endpoint.quality.loss).filter(|loss| *loss != 0.0),
            rate: endpoint.quality.rate.map(Rate),
        }
    }
}
