//! The options for an init process in the program's pid namespace: when it ends the namespace, and
//! at which deadline. The helper program runs the init process.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::Spec;
use crate::{Error, Kinds, Result};

/// What the init process does besides reaping orphans and forwarding signals.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Init {
    pub wait_for_all: bool,
    pub die_with_parent: bool,
}

impl<'fd> Spec<'fd> {
    /// Runs the program as the child of a small init process, which is PID 1 of a new pid
    /// namespace.
    ///
    /// Asks for a new pid namespace. The init process reaps orphans, forwards signals to the
    /// program, and ends the whole namespace when the program ends. It reports the program's status
    /// to the caller even if the caller reaps all children or ignores SIGCHLD.
    /// [`Process`](crate::Process) is then the init process, except for the status.
    ///
    /// `false`, the default, removes the init process again, with [`Spec::wait_for_all`] and
    /// [`Spec::die_with_parent`]: the program itself is PID 1. A [`Spec::deadline`] without an init
    /// process makes [`Spec::spawn`] fail with EINVAL. See `pid_namespaces(7)`.
    pub fn init(&mut self, on: bool) -> &mut Self {
        if !on {
            self.init = None;
            return self;
        }
        self.init.get_or_insert_default();
        self.unshare(Kinds::PID)
    }

    /// Sets whether the init process waits for all descendants of the program, not only for the
    /// program.
    ///
    /// `true` implies [`Spec::init`] and asks for a new pid namespace. Default: `false`, the
    /// namespace ends with the program.
    pub fn wait_for_all(&mut self, on: bool) -> &mut Self {
        self.set_init_flag(on, |init| &mut init.wait_for_all)
    }

    /// Sets whether every process in the namespace is killed when the calling process dies.
    ///
    /// What counts is the process, not the calling thread, and any kind of death, including
    /// SIGKILL. `true` implies [`Spec::init`] and asks for a new pid namespace. Default: `false`.
    pub fn die_with_parent(&mut self, on: bool) -> &mut Self {
        self.set_init_flag(on, |init| &mut init.die_with_parent)
    }

    /// Sets an option of the init process; `false` does not ask for an init process.
    fn set_init_flag(&mut self, on: bool, option: fn(&mut Init) -> &mut bool) -> &mut Self {
        if on {
            *option(self.init.get_or_insert_default()) = true;
            return self.init(true);
        }
        if let Some(init) = &mut self.init {
            *option(init) = false;
        }
        self
    }

    /// Kills the namespace when the process behind `pidfd` dies, in place of the caller.
    pub(crate) fn dies_with(&mut self, pidfd: BorrowedFd<'fd>) -> &mut Self {
        self.watched = Some(pidfd);
        self.init(true)
    }

    /// Kills every process in the namespace after this time.
    ///
    /// [`Status::timed_out`](crate::Status::timed_out) is then true. A program may hinder the init
    /// process; a caller that waits then kills everything itself, one second after the deadline.
    /// Implies [`Spec::init`] and asks for a new pid namespace. By default there is no deadline.
    /// EINVAL: the time is 0, or longer than 2^33 seconds (about 270 years).
    pub fn deadline(&mut self, after: Duration) -> Result<&mut Self> {
        if after.is_zero() || after > Duration::from_secs(1 << 33) {
            return Err(Error::argument("a deadline lies more than 0 and less than 270 years ahead"));
        }
        self.deadline = Some(after);
        Ok(self.init(true))
    }
}
