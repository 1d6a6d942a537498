//! Plans the init process of the program's pid namespace: its pipe, the process it dies with, and
//! its deadline. The helper becomes the init process.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::Plan;
use super::format::{Action, Init};
use crate::error::Step;
use crate::{Error, Kinds, Result, Spec};

impl Plan {
    pub(super) fn init(&mut self, spec: &Spec) -> Result<()> {
        let Some(options) = spec.init else { return Ok(()) };
        let failed =
            |what: &'static str| move |error: io::Error| Error::no_descriptor(Step::Init, what, &error);
        let (read, write) = io::pipe().map_err(failed("a pipe"))?;
        // The report is read after the init process has ended. The read must not block if there is
        // none.
        // SAFETY: the call takes an open file descriptor and numbers.
        unsafe { libc::fcntl(read.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        self.pipes.parent.report = Some(read.into());
        let report = self.keep(write.into());
        let parent = match spec.watched {
            Some(pidfd) => Some(pidfd.try_clone_to_owned().map_err(failed("a pidfd"))?),
            None if options.die_with_parent => Some(crate::pidfd::own()?),
            None => None,
        };
        let parent = parent.map_or(-1, |pidfd| self.keep(pidfd));
        let after = spec.deadline.map_or(0, |after| after.as_nanos());
        let deadline = u64::try_from(after).unwrap_or(u64::MAX);
        let other_user = spec.kinds.contains(Kinds::USER) || self.joins.has(crate::kind::USER);
        let anew = other_user && !nix::unistd::geteuid().is_root();
        let init = Init { report, parent, deadline, wait_for_all: options.wait_for_all, anew };
        self.push(Step::Init, Action::Init(init));
        Ok(())
    }

    /// Keeps `fd` open until the helper has inherited it.
    pub(super) fn keep(&mut self, fd: OwnedFd) -> RawFd {
        let number = fd.as_raw_fd();
        self.pipes.child.push(fd);
        number
    }
}
