//! A new time namespace. Whoever makes it is not in it yet.
//!
//! Since Linux 6.3 the program enters it when it is executed, also from memory shared with the caller. Before that a first child, with a copy of the
//! memory, makes it and enters it; the program's process is the second child, born in there.

use super::{Action, Plan};
use crate::error::Step;
use crate::spec::ClockOffset;
use crate::{Kinds, Spec};

const ENTERED_AT_EXEC: (u32, u32) = (6, 3);

/// Whether a new one costs no copy of the memory.
pub(crate) fn is_entered_at_exec() -> bool {
    kernel().is_none_or(|version| version >= ENTERED_AT_EXEC)
}

/// Whether it takes one. The portable build takes it anywhere, so that tests show it.
pub(super) fn takes_copy(spec: &Spec) -> bool {
    spec.kinds.contains(Kinds::TIME) && (cfg!(nsiso_portable) || !is_entered_at_exec())
}

impl Plan {
    /// In the only child.
    pub(super) fn time_namespace(&mut self, spec: &Spec) {
        if spec.kinds.contains(Kinds::TIME) && !takes_copy(spec) {
            self.push(Step::Unshare, Action::Unshare(Kinds::TIME));
        }
    }

    pub(super) fn clocks(&mut self, spec: &Spec) {
        if !takes_copy(spec) {
            self.clock_offsets(spec);
        }
    }

    /// In the first of two children. An ordinary user needs the new user namespace for it.
    pub(super) fn early_time_namespace(&mut self, spec: &Spec) {
        if !takes_copy(spec) {
            return;
        }
        let user = self.clone & Kinds::USER;
        if !user.is_empty() {
            self.clone -= user;
            self.push(Step::Unshare, Action::Unshare(user));
        }
        self.push(Step::Unshare, Action::Unshare(Kinds::TIME));
        // They cannot be changed any more once somebody is in there.
        self.clock_offsets(spec);
        self.push(Step::Unshare, Action::EnterOwnTime);
    }

    fn clock_offsets(&mut self, spec: &Spec) {
        let line = |clock: &str, offset: Option<ClockOffset>| match offset {
            Some(offset) => format!("{clock} {} {}\n", offset.seconds(), offset.nanoseconds()),
            None => String::new(),
        };
        let offsets = line("monotonic", spec.monotonic) + &line("boottime", spec.boottime);
        if !offsets.is_empty() {
            self.write_file(Step::ClockOffset, c"/proc/self/timens_offsets", &offsets);
        }
    }
}

/// The version of the kernel that runs.
fn kernel() -> Option<(u32, u32)> {
    let mut name = std::mem::MaybeUninit::<libc::utsname>::uninit();
    // SAFETY: room for the answer, which is there when uname says so; the release is a string.
    let release = unsafe {
        if libc::uname(name.as_mut_ptr()) != 0 {
            return None;
        }
        std::ffi::CStr::from_ptr((*name.as_ptr()).release.as_ptr()).to_string_lossy().into_owned()
    };
    version(&release)
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_a_version() {
        assert_eq!(version("6.1.0-56-amd64"), Some((6, 1)));
        assert_eq!(version("6.18.5"), Some((6, 18)));
        assert_eq!(version("unknown"), None);
    }
}
