//! The control group of the program's own.

use std::os::fd::RawFd;

use super::Plan;
use super::format::Action;
use crate::cgroup::Group;
use crate::error::Step;
use crate::{Kinds, Result, Spec};

/// A cgroup namespace has its root where the process is that makes it: in the group, so it comes
/// after the group.
pub(super) fn in_group(spec: &Spec) -> Kinds {
    match spec.resources.limits {
        Some(_) => Kinds::CGROUP,
        None => Kinds::empty(),
    }
}

impl Plan {
    pub(super) fn make_group(&mut self, spec: &Spec) -> Result<()> {
        if let Some(limits) = &spec.resources.limits {
            self.pipes.parent.group = Some(Group::new(spec, limits)?);
        }
        Ok(())
    }

    /// The directory of version 2 in which a process can be made.
    pub(super) fn birthplace(&mut self) -> Result<Option<RawFd>> {
        let Some(group) = &self.pipes.parent.group else { return Ok(None) };
        Ok(group.birthplace()?.map(|directory| self.keep(directory)))
    }

    /// In the process that becomes the program: a limit of one process leaves no room for another.
    pub(super) fn enter_group(&mut self) -> Result<()> {
        let Some(group) = &self.pipes.parent.group else { return Ok(()) };
        // That of version 2 is the first.
        let mut born = group.v2().is_some();
        for entrance in group.entrances()? {
            let fd = self.keep(entrance);
            self.push(Step::Cgroup, Action::EnterGroup { fd, born: std::mem::replace(&mut born, false) });
        }
        Ok(())
    }
}
