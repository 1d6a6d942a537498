//! Descriptors that the child hands to the host: the end of a filter that asks it, a socket, its new namespaces.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;

use super::{Action, Plan, bytes};
use crate::error::Step;
use crate::{Error, Kinds, Result, Spec};

/// The child's new namespaces with which the parent does something.
pub(super) fn attended(spec: &Spec) -> Kinds {
    let linked = !spec.links.is_empty() || !spec.devices.is_empty() || spec.uplink.is_some();
    let network = if linked { Kinds::NET } else { Kinds::empty() };
    spec.pins.iter().map(|(kind, _)| *kind).collect::<Kinds>() | spec.held | network
}

impl Plan {
    /// The child's end of the socket pair over which it hands them, one after the other.
    pub(super) fn hand_over(&mut self, spec: &Spec, step: Step) -> Result<RawFd> {
        if let Some(over) = self.over {
            return Ok(over);
        }
        let (host, child) = UnixStream::pair().map_err(|error| failed(step, "a socket", &error))?;
        let child: OwnedFd = child.into();
        let numbers: Vec<RawFd> = spec.descriptors.iter().map(|(number, _)| *number).chain(0..=2).collect();
        let over = self.out_of_the_way(child.as_raw_fd(), -1, &numbers)?;
        self.pipes.child.push(child);
        self.pipes.parent.handed = Some(host.into());
        self.over = Some(over);
        Ok(over)
    }

    /// Whoever is in another user namespace cannot be looked into, so the child itself opens its namespaces for the host, through the host's
    /// own /proc, whatever it has joined.
    pub(super) fn hand_namespaces(&mut self, spec: &Spec) -> Result<()> {
        if self.attended.is_empty() {
            return Ok(());
        }
        let over = self.hand_over(spec, Step::Prepare)?;
        let proc = File::options().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open("/proc");
        let proc: OwnedFd = proc.map_err(|error| failed(Step::Prepare, "/proc", &error))?.into();
        for kind in self.attended.iter() {
            let link = bytes(match kind {
                Kinds::USER => c"self/ns/user",
                Kinds::PID => c"self/ns/pid",
                Kinds::MNT => c"self/ns/mnt",
                Kinds::NET => c"self/ns/net",
                Kinds::IPC => c"self/ns/ipc",
                Kinds::UTS => c"self/ns/uts",
                // It will be in there only once it has executed the program.
                Kinds::TIME => c"self/ns/time_for_children",
                _ => c"self/ns/cgroup",
            });
            self.push(Step::Open, Action::HandOver { proc: proc.as_raw_fd(), link, over });
        }
        self.pipes.child.push(proc);
        Ok(())
    }
}

fn failed(step: Step, what: &str, error: &io::Error) -> Error {
    Error::from_io(step, what, error).with_hint(crate::rlimit::descriptor_hint(error))
}
