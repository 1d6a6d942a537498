//! A new time namespace, which the program enters when it is executed.

use super::{Action, Plan};
use crate::error::Step;
use crate::{Error, Kinds, Result, Spec};

/// Before this kernel a program that is executed stays in its old time namespace, unless its process was made by a copying fork.
const ENTERED_AT_EXEC: (u32, u32) = (6, 3);

/// Whether a program can be in a new time namespace at all, without a copy of the caller's memory.
pub(crate) fn time_is_entered_at_exec() -> bool {
    kernel().is_none_or(|version| version >= ENTERED_AT_EXEC)
}

impl Plan {
    /// Less isolation than was asked for is an error.
    pub(super) fn time_namespace(&mut self, spec: &Spec) -> Result<()> {
        if !spec.kinds.contains(Kinds::TIME) {
            return Ok(());
        }
        if !time_is_entered_at_exec() {
            return Err(Error::new(Step::Unshare, libc::ENOTSUP, "the time namespace")
                .with_hint("a program enters its new time namespace when it is executed since Linux 6.3: leave the kind time out"));
        }
        self.push(Step::Unshare, Action::Unshare(Kinds::TIME));
        Ok(())
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
