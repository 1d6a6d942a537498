//! Defines what ends together with a program: its network links, moved devices and uplink process.
//! `spawn::parent_setup` makes them.

use std::os::fd::OwnedFd;

use crate::Process;
use crate::net::{Moved, Pair};

#[derive(Debug, Default)]
pub(crate) struct Attachments {
    pub uplink: Option<Box<Companion>>,
    pub links: Vec<Pair>,
    /// The moved devices, kept until the program has started so that a failed spawn can move them
    /// back.
    pub devices: Vec<Moved>,
}

/// A process that serves the program, such as `pasta(1)`.
#[derive(Debug)]
pub(crate) struct Companion {
    pub process: Process,
    /// The read end of the pipe for error output. Nothing reads it, but without it a write to the
    /// pipe would fail.
    pub complaints: OwnedFd,
}

impl Attachments {
    /// Removes the links and kills the uplink process. The kernel would remove links only somewhat
    /// later; the uplink process would notice the end of the program by itself.
    pub fn end(self) {
        self.links.into_iter().for_each(Pair::remove);
        if let Some(companion) = self.uplink {
            let _ = companion.process.kill();
            let _ = companion.process.wait();
            drop(companion.complaints);
        }
    }

    /// Undoes everything after a failed spawn: moves the devices back, removes the links and kills
    /// the uplink process.
    pub fn undo(mut self) {
        self.devices.drain(..).for_each(Moved::undo);
        self.end();
    }

    /// Leaves everything running. The links end with the program's network namespace, and the
    /// uplink process ends with the program.
    pub fn go_on(self) {
        std::mem::forget(self.uplink);
    }
}
