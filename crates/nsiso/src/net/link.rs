//! Creates links between network namespaces and bridges, and moves and removes devices.
//! `network.rs` builds the single requests to the kernel.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::network::{Network, of_device};
use super::rtnetlink::Refusal;
use crate::spec::device_name;
use crate::{Endpoint, Error, Handle, Kinds, Result, Step};

/// How often to choose another free name if other processes take the chosen one first.
const TRIES: usize = 20;

/// Creates a link between two network namespaces, or within one, and returns the names of its two
/// devices.
///
/// The link is a pair of `veth(4)` devices. Each device is configured as its endpoint says and
/// brought up. The call waits, up to a second for each device, until packets can pass. If any part
/// fails, the pair is removed.
///
/// The pair exists until one of its namespaces ends or one of its devices is
/// [removed](remove_device). Creating it takes CAP_NET_ADMIN in the user namespaces that own the
/// two network namespaces. Root has it. An ordinary user has it if one user namespace of its own
/// owns both.
///
/// Fails with EPERM without that privilege, EINVAL if an endpoint's file descriptor is not a
/// network namespace, EEXIST if a device name or an address is in use or if the network of an
/// address overlaps that of another device, ENODEV if a bridge does not exist, ENETUNREACH or
/// EHOSTUNREACH if a router cannot be reached through the device, and EOPNOTSUPP if the kernel has
/// no veth devices (CONFIG_VETH).
///
/// ```
/// use std::os::fd::AsFd;
/// use nsiso::{Endpoint, Handle, Kinds, Spec};
///
/// // A user namespace, with a network namespace; and another one beside that.
/// let lab = Spec::new("none")?.map_root().hold(Kinds::USER | Kinds::NET)?;
/// let other = Spec::new("none")?.join(lab[0].as_fd())?.unshare(Kinds::NET).hold(Kinds::NET)?;
/// let a = Endpoint::new().netns(lab[1].as_fd()).address("10.0.0.1/30")?;
/// let b = Endpoint::new().netns(other[0].as_fd()).address("10.0.0.2/30")?;
/// assert_eq!(nsiso::link(&a, &b)?, ["eth0", "eth0"]);
/// # Ok::<(), nsiso::Error>(())
/// ```
pub fn link(a: &Endpoint, b: &Endpoint) -> Result<[String; 2]> {
    pair(a, b).map(|pair| pair.names)
}

/// A link that can be removed again.
#[derive(Debug)]
pub(crate) struct Pair {
    here: Network,
    device: u32,
    names: [String; 2],
}

impl Pair {
    /// Removes the link if its first device is still in the namespace in which it was created.
    pub fn remove(mut self) {
        let _ = self.here.remove(self.device, &self.names[0]);
    }
}

/// Creates a link as [`link`] does, and returns what is needed to remove it.
pub(crate) fn pair(a: &Endpoint, b: &Endpoint) -> Result<Pair> {
    let (mut here, mut there) = (Network::open(a.namespace)?, Network::open(b.namespace)?);
    let own = Handle::own(Kinds::NET)?;
    let [at_a, at_b] = [a, b].map(|endpoint| endpoint.namespace.unwrap_or(own.as_fd()));
    let names = make(&mut here, (a, at_a), &mut there, (b, at_b))?;
    let device = here.look_up(&names[0])?.index;
    let settled = here.settle(&names[0], a).and_then(|()| there.settle(&names[1], b));
    match settled {
        Ok(()) => {
            here.wait_until_up(&names[0]);
            there.wait_until_up(&names[1]);
            Ok(Pair { here, device, names })
        }
        Err(error) => {
            let _ = here.remove(device, &names[0]);
            Err(error)
        }
    }
}

/// Creates the pair of devices without addresses, routes and the rest.
fn make(
    here: &mut Network,
    (a, at_a): (&Endpoint, BorrowedFd),
    there: &mut Network,
    (b, at_b): (&Endpoint, BorrowedFd),
) -> Result<[String; 2]> {
    let within_one = Handle::of_fd(at_a)? == Handle::of_fd(at_b)?;
    for _ in 0..TRIES {
        let first = match &a.name {
            Some(name) => name.clone(),
            None => here.free_name(b.name.as_deref())?,
        };
        let second = match &b.name {
            Some(name) => name.clone(),
            None => there.free_name(Some(first.as_str()).filter(|_| within_one))?,
        };
        let mut made = here.make_pair((&first, a), at_b, (&second, b));
        if matches!(&made, Err(refusal) if refusal.errno == libc::EPERM) {
            // The process that opened the socket needs privilege in both namespaces. A socket
            // opened in the outer of two user namespaces has it in the inner one, but not the
            // reverse.
            made = there.make_pair((&second, b), at_a, (&first, a));
        }
        let Err(refusal) = made else { return Ok([first, second]) };
        let mut clash = a.name.as_ref().filter(|name| here.has(name));
        clash = clash.or_else(|| b.name.as_ref().filter(|name| there.has(name)));
        match (refusal.errno, clash) {
            // Another process took a chosen name in the meantime: choose again.
            (libc::EEXIST, None) if a.name != b.name || !within_one => {}
            (_, clash) => return Err(refused(refusal, [first, second], clash)),
        }
    }
    Err(Error::new(Step::Link, libc::EEXIST, "two devices")
        .with_hint("others make devices there all the time: give names"))
}

fn refused(refusal: Refusal, [first, second]: [String; 2], clash: Option<&String>) -> Error {
    let hint = match (refusal.errno, clash) {
        (libc::EEXIST, Some(name)) => {
            format!("there is a device {name} at its end already: give another name, or remove that one")
        }
        (libc::EOPNOTSUPP, _) => "this kernel has no such pairs: CONFIG_VETH, or the module veth".into(),
        (errno, _) => of_device(errno).into(),
    };
    refusal.error(Step::Link, format!("{first} and {second}"), &hint)
}

/// Creates a bridge without ports in a network namespace, and brings it up.
///
/// `namespace` is a file descriptor of the network namespace; the default is the caller's own.
/// Endpoints of links become [ports](Endpoint::port_of) of the bridge. The bridge exists until its
/// namespace ends or it is [removed](remove_device). Takes CAP_NET_ADMIN in the user namespace that
/// owns the network namespace.
///
/// Fails with EINVAL if `name` is not a valid device name, EEXIST if a device of this name exists,
/// EPERM without the privilege, and EOPNOTSUPP if the kernel has no bridges (CONFIG_BRIDGE).
///
/// ```
/// use std::os::fd::AsFd;
/// use nsiso::{Endpoint, Kinds, Spec};
///
/// let lab = Spec::new("none")?.map_root().hold(Kinds::NET)?;
/// let lab = lab[0].as_fd();
/// nsiso::bridge(Some(lab), "lan")?;
/// let port = Endpoint::new().netns(lab).port_of("lan")?;
/// nsiso::link(&port, &Endpoint::new().netns(lab))?;
/// # Ok::<(), nsiso::Error>(())
/// ```
pub fn bridge(namespace: Option<BorrowedFd>, name: &str) -> Result<()> {
    let name = device_name(name)?;
    Network::open(namespace)?.make_bridge(&name)
}

/// Moves a device to another network namespace and configures it there as the endpoint `to` says.
///
/// `from` is a file descriptor of the network namespace that the device is in; the default is the
/// caller's own. The device keeps its name unless `to` has one. Packets in transit are lost. If a
/// later part fails, the device is moved back under its old name, and if it was up, it is brought
/// up with the addresses that it had. Takes CAP_NET_ADMIN in the user namespaces that own the two
/// network namespaces.
///
/// Fails with ENODEV if there is no such device, EEXIST if the other namespace has a device of that
/// name, EINVAL if the device cannot be moved, as the loopback device, and EPERM without the
/// privilege.
///
/// ```no_run
/// use std::os::fd::AsFd;
/// use nsiso::{Endpoint, Handle};
///
/// let lab = Handle::named("lab")?;
/// let inside = Endpoint::new().netns(lab.as_fd()).name("eth0")?.address("10.0.0.2/24")?;
/// nsiso::move_device(None, "enp3s0", &inside)?;
/// # Ok::<(), nsiso::Error>(())
/// ```
pub fn move_device(from: Option<BorrowedFd>, device: &str, to: &Endpoint) -> Result<()> {
    moved(from, device, to).map(drop)
}

/// A device that has been moved, and what is needed to move it back.
#[derive(Debug)]
pub(crate) struct Moved {
    from: Network,
    from_fd: OwnedFd,
    to: Network,
    /// Its name in the namespace to which it was moved.
    name: String,
    /// Its former name and addresses, and whether it was up.
    was: Endpoint<'static>,
    was_up: bool,
}

impl Moved {
    pub fn undo(mut self) {
        let Some(name) = &self.was.name else { return };
        if self.to.give(&self.name, self.from_fd.as_fd(), name, &Endpoint::new()).is_ok() && self.was_up {
            let _ = self.from.settle(name, &self.was);
        }
    }
}

/// Moves a device as [`move_device`] does, and returns what is needed to move it back.
pub(crate) fn moved(from: Option<BorrowedFd>, device: &str, to: &Endpoint) -> Result<Moved> {
    let device = device_name(device)?;
    let own = Handle::own(Kinds::NET)?;
    let name = to.name.clone().unwrap_or_else(|| device.clone());
    let from_fd = from.unwrap_or(own.as_fd()).try_clone_to_owned();
    let from_fd = from_fd.map_err(|error| Error::from_io(Step::Link, device.as_str(), &error))?;
    let (mut from, mut there) = (Network::open(from)?, Network::open(to.namespace)?);
    let found = from.look_up(&device)?;
    let was = Endpoint {
        name: Some(device.clone()),
        addresses: from.addresses_of(found.index)?,
        ..Endpoint::new()
    };
    let target = to.namespace.unwrap_or(own.as_fd());
    let elsewhere = Handle::of_fd(target)? != Handle::of_fd(from_fd.as_fd())?;
    if elsewhere && name != device && there.has(&name) {
        // Some kernels would move the device under its old name instead of failing.
        return Err(Error::new(
            Step::Link,
            libc::EEXIST,
            format!("{device} as {name} in another network namespace"),
        )
        .with_hint("there is a device of this name already: give it another one"));
    }
    from.give(&device, target, &name, to)?;
    let settled = there.settle(&name, to);
    let moved = Moved { from, from_fd, to: there, name, was, was_up: found.is_up };
    match settled {
        Ok(()) => Ok(moved),
        Err(error) => {
            moved.undo();
            Err(error)
        }
    }
}

/// Removes a device from a network namespace. If it is one of a pair, the kernel removes the other
/// one too.
///
/// `namespace` is a file descriptor of the network namespace; the default is the caller's own.
/// Takes CAP_NET_ADMIN in the user namespace that owns it.
///
/// Fails with ENODEV if there is no such device, EOPNOTSUPP if it cannot be removed, as hardware
/// and the loopback device, and EPERM without the privilege.
///
/// ```
/// use std::os::fd::AsFd;
/// use nsiso::{Endpoint, Kinds, Spec};
///
/// let lab = Spec::new("none")?.map_root().hold(Kinds::NET)?;
/// let (lab, end) = (lab[0].as_fd(), Endpoint::new().netns(lab[0].as_fd()));
/// let [first, second] = nsiso::link(&end, &end)?;
/// nsiso::remove_device(Some(lab), &first)?;
/// assert_eq!(nsiso::remove_device(Some(lab), &second).unwrap_err().errno(), libc::ENODEV);
/// # Ok::<(), nsiso::Error>(())
/// ```
pub fn remove_device(namespace: Option<BorrowedFd>, name: &str) -> Result<()> {
    let name = device_name(name)?;
    let mut network = Network::open(namespace)?;
    let device = network.look_up(&name)?.index;
    network.remove(device, &name)
}
