//! A program's ways to the outside, which end with it.

use std::os::fd::OwnedFd;

use crate::Process;
use crate::net::{Moved, Pair};

#[derive(Debug, Default)]
pub(crate) struct Attachments {
    pub uplink: Option<Box<Companion>>,
    pub links: Vec<Pair>,
    /// Until the program has been started.
    pub devices: Vec<Moved>,
}

/// A process that serves another one.
#[derive(Debug)]
pub(crate) struct Companion {
    pub process: Process,
    /// Where it complains. Nobody reads that, but it could not write to a pipe without another end.
    pub complaints: OwnedFd,
}

impl Attachments {
    /// At once: the kernel would take links away somewhat later, and a companion sees the end by itself.
    pub fn end(self) {
        self.links.into_iter().for_each(Pair::remove);
        if let Some(companion) = self.uplink {
            let _ = companion.process.kill();
            let _ = companion.process.wait();
            drop(companion.complaints);
        }
    }

    /// As if nothing had been.
    pub fn undo(mut self) {
        self.devices.drain(..).for_each(Moved::undo);
        self.end();
    }

    /// Goes on without us: links with the program's network namespace, the companion with the program.
    pub fn go_on(self) {
        std::mem::forget(self.uplink);
    }
}
