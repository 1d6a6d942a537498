//! A new time namespace. Its clocks are set before a process is in it.

use super::Plan;
use super::format::Action;
use crate::error::Step;
use crate::spec::ClockOffset;
use crate::{Kinds, Spec};

impl Plan {
    /// Sets the clocks of the new time namespace and enters it.
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
