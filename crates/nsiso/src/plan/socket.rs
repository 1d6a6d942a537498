//! Makes the socket between the parent and the helper, and plans which namespaces the helper sends
//! over it. The helper also uses it to ask for the parent's set-up.

use std::os::fd::RawFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};

use super::Plan;
use super::format::Action;
use crate::error::Step;
use crate::{Error, Kinds, Result, Spec};

/// The kinds of the child's new namespaces that the parent pins, keeps open or links to a network.
pub(super) fn parent_kinds(spec: &Spec) -> Kinds {
    let linked =
        !spec.network.links.is_empty() || !spec.network.devices.is_empty() || spec.network.uplink.is_some();
    let network = if linked { Kinds::NET } else { Kinds::empty() };
    spec.pins.iter().map(|(kind, _)| *kind).collect::<Kinds>() | spec.held | network
}

impl Plan {
    /// Returns the helper's end of the socket. The first call makes the socket.
    pub(super) fn socket(&mut self, spec: &Spec, step: Step) -> Result<RawFd> {
        if let Some(socket) = self.socket {
            return Ok(socket);
        }
        let (own, helper) =
            socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
                .map_err(|errno| Error::no_descriptor(step, "a socket", &errno.into()))?;
        let socket = self.above_targets(helper, spec)?;
        self.pipes.parent.socket = Some(own);
        self.socket = Some(socket);
        Ok(socket)
    }

    /// Plans the sending of the child's namespaces. The caller may not be able to open the
    /// namespaces of a process in another user namespace, so the child sends them itself.
    pub(super) fn send_namespaces(&mut self, spec: &Spec) -> Result<()> {
        for kind in self.parent_kinds.iter() {
            let socket = self.socket(spec, Step::Prepare)?;
            let link = self.arena.text(match kind {
                Kinds::USER => c"self/ns/user",
                Kinds::PID => c"self/ns/pid",
                Kinds::MNT => c"self/ns/mnt",
                Kinds::NET => c"self/ns/net",
                Kinds::IPC => c"self/ns/ipc",
                Kinds::UTS => c"self/ns/uts",
                // The child enters its new time namespace later.
                Kinds::TIME => c"self/ns/time_for_children",
                _ => c"self/ns/cgroup",
            });
            self.push(Step::Open, Action::SendNamespace { link, socket });
        }
        Ok(())
    }
}
