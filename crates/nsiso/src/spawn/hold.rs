//! New namespaces that are held without a program.

use crate::spec::Task;
use crate::{Error, Handle, Kinds, Result, Spec};

impl Spec<'_> {
    /// Makes the spec's new namespaces, with all that it says of them, runs no program in them, and returns those of these kinds, ordered as
    /// time, mnt, cgroup, uts, ipc, user, net. They exist as long as these handles, or processes in them: [`Spec::join`] takes programs there.
    ///
    /// Not for pid namespaces, which end with their first process.
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
