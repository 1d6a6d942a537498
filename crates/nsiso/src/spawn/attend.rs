//! What the parent does with the child's new namespaces while the child waits.

use std::os::fd::AsFd;

use super::{Child, handed, pins, uplink};
use crate::companion::Companion;
use crate::plan::Plan;
use crate::{End, Error, Handle, Kinds, Result, Spec, Step, net};

/// What comes of it.
#[derive(Debug, Default)]
pub(super) struct Attended {
    pub pinned: bool,
    pub held: Vec<Handle>,
    pub uplink: Option<Companion>,
}

/// All of it or nothing: what is linked goes with the child, which has sent its namespaces.
pub(super) fn attend(child: &Child, spec: &Spec, plan: &Plan) -> Result<Attended> {
    let socket = plan.pipes.parent.handed.as_ref();
    let mut namespaces = Vec::new();
    for kind in plan.attended.iter() {
        let fd = socket.and_then(handed::receive).ok_or_else(|| {
            Error::new(Step::Open, libc::EIO, format!("the new {kind} namespace"))
                .with_hint("too many descriptors are open, perhaps")
        })?;
        namespaces.push(Handle::from_fd(fd)?);
    }
    let uplink = match namespaces.iter().find(|namespace| namespace.kind() == Kinds::NET) {
        Some(own) => network(child, spec, own)?,
        None => None,
    };
    pins::make(spec, &namespaces)?;
    namespaces.retain(|namespace| spec.held.contains(namespace.kind()));
    Ok(Attended { pinned: !spec.pins.is_empty(), held: namespaces, uplink })
}

fn network(child: &Child, spec: &Spec, own: &Handle) -> Result<Option<Companion>> {
    let at = |end: &End<'_>| End { namespace: None, ..end.clone() };
    for (index, (inside, outside)) in spec.links.iter().enumerate() {
        net::link(&at(inside).of(own.as_fd()), outside).map_err(|error| error.with_index(Some(index)))?;
    }
    for (index, (device, inside)) in spec.devices.iter().enumerate() {
        net::move_device(None, device, &at(inside).of(own.as_fd()))
            .map_err(|error| error.with_index(Some(index)))?;
    }
    spec.uplink.as_ref().map(|wish| uplink::start(child, own, wish)).transpose()
}
