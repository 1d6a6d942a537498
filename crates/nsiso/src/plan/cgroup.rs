//! The control group of the program's own.

use std::os::fd::AsRawFd;

use super::{Action, Plan};
use crate::cgroup::Group;
use crate::error::Step;
use crate::spec::Setting;
use crate::{Kinds, Limits, Result, Spec};

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

    /// The limits that come when the program runs. Where memory runs out the kernel kills all who share it, and spares only those who have made
    /// a child by vfork(2) and wait: so no child may meet the limit while it shares the host's otherwise.
    pub fn late_limits(&self, spec: &Spec) -> Result<Option<Limits>> {
        let vforked = self.second_from.is_none() && self.program_from.is_none() && !self.awaits_parent;
        let (Some(limits), Some(group)) = (&spec.limits, &self.pipes.parent.group) else { return Ok(None) };
        let of_memory = |setting: &&Setting| matches!(setting, Setting::Memory(_) | Setting::Swap(_));
        let settings: Vec<_> = limits.settings.iter().filter(of_memory).cloned().collect();
        if vforked || settings.is_empty() {
            return Ok(None);
        }
        group.lift_memory()?;
        Ok(Some(Limits { settings }))
    }
}
