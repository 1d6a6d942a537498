//! Makes new namespaces and holds them open without a program.

use crate::spec::Task;
use crate::{Error, Handle, Kinds, Result, Spec};

impl Spec<'_> {
    /// Makes the spec's new namespaces without a program and returns handles to those of `kinds`.
    ///
    /// All options apply to them. Handles are ordered as time, mnt, cgroup, uts, ipc, user, net. A
    /// namespace lives as long as its handle or a process in it; [`Spec::join`] makes programs join
    /// it.
    ///
    /// EINVAL: `kinds` is empty or has pid namespaces, which end with their first process, or the
    /// spec has limits or an uplink, which need a program.
    pub fn hold(&self, kinds: Kinds) -> Result<Vec<Handle>> {
        if kinds.is_empty() || kinds.contains(Kinds::PID) {
            return Err(Error::argument(
                "what is held is of one kind at least, and no pid namespace, which ends with its first process",
            ));
        }
        if self.resources.limits.is_some() {
            return Err(Error::argument(
                "limits are a program's, and what is held has none: give them to the programs that join it",
            ));
        }
        if self.network.uplink.is_some() {
            return Err(Error::argument(
                "an uplink ends with its program, and what is held has none: give it to a program with a network of its own",
            ));
        }
        let mut spec = self.clone();
        spec.unshare(kinds);
        (spec.held, spec.program.task) = (kinds, Some(Task::Arrive));
        let mut process = spec.spawn()?;
        process.wait()?;
        Ok(process.take_held())
    }
}
