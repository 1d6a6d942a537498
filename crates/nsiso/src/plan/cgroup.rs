//! The control group of the program's own.

use std::os::fd::AsRawFd;

use super::Plan;
use super::format::Action;
use crate::cgroup::Group;
use crate::error::Step;
use crate::{Kinds, Result, Spec};

/// A cgroup namespace has its root where the process is that makes it: in the group, so it comes after
/// the group.
pub(super) fn in_group(spec: &Spec) -> Kinds {
    match spec.limits {
        Some(_) => Kinds::CGROUP,
        None => Kinds::empty(),
    }
}

impl Plan {
    /// In the process that becomes the program: a limit of one process leaves no room for another.
    pub(super) fn group(&mut self, spec: &Spec) -> Result<()> {
        let Some(limits) = &spec.limits else { return Ok(()) };
        let group = Group::new(spec, limits)?;
        for entrance in group.entrances()? {
            self.push(Step::Cgroup, Action::EnterGroup(entrance.as_raw_fd()));
            self.pipes.child.push(entrance);
        }
        self.pipes.parent.group = Some(group);
        Ok(())
    }
}
