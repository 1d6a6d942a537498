//! A process that serves another one.

use std::os::fd::OwnedFd;

use crate::Process;

/// It watches the one that it serves, and ends with it.
#[derive(Debug)]
pub(crate) struct Companion {
    pub process: Process,
    /// Where it complains. Nobody reads that, but it could not write to a pipe without another end.
    pub complaints: OwnedFd,
}

impl Companion {
    /// At once, since the one that it serves has ended.
    pub fn end(self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        drop(self.complaints);
    }
}
