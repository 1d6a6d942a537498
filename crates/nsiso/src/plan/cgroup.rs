//! The control group of the program's own.

use std::os::fd::AsRawFd;

use super::{Action, Plan};
use crate::cgroup::Group;
use crate::error::Step;
use crate::{Kinds, Result, Spec};

/// A cgroup namespace has its root where the process is that makes it: in the group, so it comes after the group.
pub(super) fn in_group(spec: &Spec) -> Kinds {
    match spec.limits {
        Some(_) => Kinds::CGROUP,
        None => Kinds::empty(),
    }
}

impl Plan {
    /// First of all, so that nothing outruns a limit. What the child does first is not done where clone makes it in the group.
    pub(super) fn group(&mut self, spec: &Spec) -> Result<()> {
        let Some(limits) = &spec.limits else { return Ok(()) };
        let group = Group::new(spec, limits)?;
        self.birthplace = group.birthplace()?;
        for entrance in group.entrances()? {
            self.push(Step::Cgroup, Action::EnterGroup(entrance.as_raw_fd()));
            self.pipes.child.push(entrance);
        }
        self.pipes.parent.group = Some(group);
        Ok(())
    }
}
