//! Plans the program's own cgroup: its creation, and the actions that move the process into it.
//! `crate::cgroup` makes the cgroup and writes its limits.

use std::os::fd::RawFd;

use super::Plan;
use super::format::Action;
use crate::cgroup::Group;
use crate::error::Step;
use crate::{Kinds, Result, Spec};

/// The namespace kinds that must be made after the process has entered its cgroup. The root of a
/// cgroup namespace is the cgroup of the process that makes it.
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

    /// Opens the cgroup v2 directory in which `clone3(2)` can make the child, if there is one.
    pub(super) fn cgroup_for_clone(&mut self) -> Result<Option<RawFd>> {
        let Some(group) = &self.pipes.parent.group else { return Ok(None) };
        Ok(group.cgroup_for_clone()?.map(|directory| self.keep(directory)))
    }

    /// Moves only the process that becomes the program into the cgroup. A limit of one process
    /// leaves no room for another.
    pub(super) fn enter_group(&mut self) -> Result<()> {
        let Some(group) = &self.pipes.parent.group else { return Ok(()) };
        // The first file is the one of cgroup v2, if there is one.
        let mut born = group.v2().is_some();
        for entrance in group.entrances()? {
            let fd = self.keep(entrance);
            self.push(Step::Cgroup, Action::EnterGroup { fd, born: std::mem::replace(&mut born, false) });
        }
        Ok(())
    }
}
