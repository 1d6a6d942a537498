//! The parent set-up: what the parent does with the child's new namespaces while the child waits.

use std::os::fd::{AsFd, OwnedFd};

use super::{Child, pins, uplink};
use crate::attachments::Attachments;
use crate::plan::Plan;
use crate::{Endpoint, Error, Handle, Kinds, Result, Spec, Step, net};

/// The result of the parent set-up.
#[derive(Debug, Default)]
pub(super) struct ParentSetup {
    pub pinned: bool,
    pub held: Vec<Handle>,
    pub attachments: Attachments,
}

impl ParentSetup {
    /// Undoes everything after a failed spawn.
    #[inline(never)] // Keeps the stack of a spawn small.
    pub fn undo(self, spec: &Spec) {
        self.attachments.undo();
        if self.pinned {
            pins::undo(&spec.pins);
        }
    }
}

/// Does all of it, or undoes it and fails.
pub(super) fn set_up(child: &Child, spec: &Spec, plan: &Plan, received: Vec<OwnedFd>) -> Result<ParentSetup> {
    let mut namespaces = handles(plan, received)?;
    let pinned = !spec.pins.is_empty();
    let mut attachments = Attachments::default();
    let made =
        network(child, spec, &namespaces, &mut attachments).and_then(|()| pins::make(spec, &namespaces));
    if let Err(error) = made {
        attachments.undo();
        return Err(error);
    }
    namespaces.retain(|namespace| spec.held.contains(namespace.kind()));
    if pinned || !namespaces.is_empty() {
        // The network outlives the program, so its links stay.
        attachments.links.clear();
    }
    Ok(ParentSetup { pinned, held: namespaces, attachments })
}

/// The namespaces that the child has sent.
#[inline(never)] // keeps the stack below small
fn handles(plan: &Plan, received: Vec<OwnedFd>) -> Result<Vec<Handle>> {
    let mut received = received.into_iter();
    let handle = |kind: Kinds| {
        let fd = received.next().ok_or_else(|| {
            Error::new(Step::Open, libc::EIO, format!("the new {kind} namespace"))
                .with_hint("too many descriptors are open, perhaps")
        })?;
        Handle::from_fd(fd)
    };
    plan.parent_kinds.iter().map(handle).collect()
}

fn network(child: &Child, spec: &Spec, namespaces: &[Handle], attachments: &mut Attachments) -> Result<()> {
    let Some(own) = namespaces.iter().find(|namespace| namespace.kind() == Kinds::NET) else {
        return Ok(());
    };
    // First the uplink, which needs a certain device name; links take other names.
    if let Some(wanted) = &spec.network.uplink {
        attachments.uplink = Some(Box::new(uplink::start(child, own, wanted)?));
    }
    for (index, (inside, other)) in spec.network.links.iter().enumerate() {
        let pair = net::pair(&inside_of(own, inside), other);
        attachments.links.push(pair.map_err(|error| error.with_index(Some(index)))?);
    }
    move_devices(spec, own, attachments)
}

#[inline(never)] // as above
fn move_devices(spec: &Spec, own: &Handle, attachments: &mut Attachments) -> Result<()> {
    for (index, (device, inside)) in spec.network.devices.iter().enumerate() {
        let moved = net::moved(None, device, &inside_of(own, inside));
        attachments.devices.push(moved.map_err(|error| error.with_index(Some(index)))?);
    }
    Ok(())
}

/// The endpoint, in the program's network namespace.
fn inside_of<'fd>(own: &'fd Handle, endpoint: &Endpoint<'fd>) -> Endpoint<'fd> {
    endpoint.clone().netns(own.as_fd())
}
