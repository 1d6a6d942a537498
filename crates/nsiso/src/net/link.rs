//! Links between network namespaces, bridges, and devices that move.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::network::{Network, of_device};
use super::rtnetlink::Refusal;
use crate::spec::device_name;
use crate::{Endpoint, Error, Handle, Kinds, Result, Step};

/// How often a name is looked for that others take at the same time.
const TRIES: usize = 20;

/// Makes a link between two network namespaces, or within one: a pair of devices, `veth(4)`, each at its end, up and with
/// all that the end says. Returns the names of both. All or nothing: where one part fails the pair is removed.
///
/// The pair is there until one of its namespaces ends or one of the devices is [removed](remove_device). It takes CAP_NET_ADMIN in
/// the user namespaces that own both: root has it; an ordinary user where one user namespace owns both.
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

/// A link that may be taken away again.
#[derive(Debug)]
pub(crate) struct Pair {
    here: Network,
    device: u32,
    names: [String; 2],
}

impl Pair {
    /// If it is still where it was made.
    pub fn remove(mut self) {
        let _ = self.here.remove(self.device, &self.names[0]);
    }
}

/// [`link`].
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

/// The bare pair.
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
            // Whoever is privileged there may be so here as well, but not the other way round.
            made = there.make_pair((&second, b), at_a, (&first, a));
        }
        let Err(refusal) = made else { return Ok([first, second]) };
        let mut clash = a.name.as_ref().filter(|name| here.has(name));
        clash = clash.or_else(|| b.name.as_ref().filter(|name| there.has(name)));
        match (refusal.errno, clash) {
            // Somebody else was faster.
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

/// Makes a bridge, up and without ports, in the network namespace behind `namespace` (the caller's own without one). Ends of links
/// become its [ports](Endpoint::port_of). It is there until its namespace ends or it is [removed](remove_device).
pub fn bridge(namespace: Option<BorrowedFd>, name: &str) -> Result<()> {
    let name = device_name(name)?;
    Network::open(namespace)?.make_bridge(&name)
}

/// Moves a device from the network namespace behind `from` (the caller's own without one) to that of `to`, with what that says: its name (its old one by
/// default), addresses and all else. Packets on their way are lost. All or nothing: where one part fails it goes back, with the addresses it had.
pub fn move_device(from: Option<BorrowedFd>, device: &str, to: &Endpoint) -> Result<()> {
    moved(from, device, to).map(drop)
}

/// A device that has been moved, and may go back.
#[derive(Debug)]
pub(crate) struct Moved {
    from: Network,
    from_fd: OwnedFd,
    to: Network,
    /// What it is called there.
    name: String,
    /// What it was, and whether it was up.
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

/// [`move_device`].
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
        // Some kernels move it all the same, under its old name.
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

/// Removes a device from the network namespace behind `namespace` (the caller's own without one), with the other end of its pair.
pub fn remove_device(namespace: Option<BorrowedFd>, name: &str) -> Result<()> {
    let name = device_name(name)?;
    let mut network = Network::open(namespace)?;
    let device = network.look_up(&name)?.index;
    network.remove(device, &name)
}
