//! An init process for the program's pid namespace, a terminal, and an end in time.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::Spec;
use crate::{Error, Kinds, Result};

/// What the init process does besides reaping orphans and passing signals on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Init {
    pub wait_for_all: bool,
    pub die_with_parent: bool,
}

impl<'fd> Spec<'fd> {
    /// The program is not PID 1 itself: a tiny init process is, which reaps orphans, passes signals on to the program, ends everything
    /// in the namespace when the program ends, and tells the host the program's status even where the host reaps all children or
    /// ignores SIGCHLD. [`Process`](crate::Process) is then this process, except for the status. Asks for a new pid namespace.
    ///
    /// `false` takes it away again, with all that it brings: the program itself is PID 1.
    pub fn init(&mut self, on: bool) -> &mut Self {
        if !on {
            self.init = None;
            return self;
        }
        self.init.get_or_insert_default();
        self.unshare(Kinds::PID)
    }

    /// The process ends when all descendants of the program have ended, not only the program. Brings [`Spec::init`].
    pub fn wait_for_all(&mut self, on: bool) -> &mut Self {
        self.option_of_init(on, |init| &mut init.wait_for_all)
    }

    /// Everything in the namespace is killed when the calling process (not the thread) has died, however it did. Brings [`Spec::init`].
    pub fn die_with_parent(&mut self, on: bool) -> &mut Self {
        self.option_of_init(on, |init| &mut init.die_with_parent)
    }

    /// An option that is off asks for no init process.
    fn option_of_init(&mut self, on: bool, option: fn(&mut Init) -> &mut bool) -> &mut Self {
        if on {
            *option(self.init.get_or_insert_default()) = true;
            return self.init(true);
        }
        if let Some(init) = &mut self.init {
            *option(init) = false;
        }
        self
    }

    /// The same with another process than the caller, given by its pidfd.
    pub(crate) fn dies_with(&mut self, pidfd: BorrowedFd<'fd>) -> &mut Self {
        self.watched = Some(pidfd);
        self.init(true)
    }

    /// When this much time is over, everything in the namespace is killed, and the status says so. Brings [`Spec::init`].
    pub fn deadline(&mut self, after: Duration) -> Result<&mut Self> {
        if after.is_zero() || after > Duration::from_secs(1 << 33) {
            return Err(Error::argument("a deadline lies more than 0 and less than 270 years ahead"));
        }
        self.deadline = Some(after);
        Ok(self.init(true))
    }
}
