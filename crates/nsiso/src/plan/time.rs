//! Plans a new time namespace. The kernel accepts clock offsets only before a process enters it.

use super::Plan;
use super::format::Action;
use crate::error::Step;
use crate::spec::ClockOffset;
use crate::{Kinds, Spec};

impl Plan {
    /// Plans the clock offsets of the new time namespace, and the entry into it.
    pub(super) fn clocks(&mut self, spec: &Spec) {
        if !spec.kinds.contains(Kinds::TIME) {
            return;
        }
        let line = |clock: &str, offset: Option<ClockOffset>| match offset {
            Some(offset) => format!("{clock} {} {}\n", offset.seconds(), offset.nanoseconds()),
            None => String::new(),
        };
        let offsets = line("monotonic", spec.clocks.monotonic) + &line("boottime", spec.clocks.boottime);
        if !offsets.is_empty() {
            self.write_own(Step::ClockOffset, c"self/timens_offsets", &offsets);
        }
        self.push(Step::Unshare, Action::EnterOwnTime);
    }
}
