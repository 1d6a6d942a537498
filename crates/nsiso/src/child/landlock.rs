//! Landlock, `landlock(7)`.

use std::mem::MaybeUninit;

use super::syscall::{Outcome, check};
use crate::plan::Ruleset;
use crate::spec::landlock::OF_FILES;

const PATH_BENEATH: usize = 1;
const NET_PORT: usize = 2;

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    access: u64,
    fd: i32,
}

/// # Safety
/// The pointers in `rules` are valid.
pub(super) unsafe fn restrict(rules: &Ruleset) -> Outcome<()> {
    let flags = (libc::O_PATH | libc::O_CLOEXEC) as usize;
    // SAFETY: the caller's promise; the paths end with NULL.
    unsafe {
        let set = check(libc::SYS_landlock_create_ruleset, [rules.attributes as usize, rules.size, 0, 0, 0])?;
        let mut rule = rules.paths;
        while !(*rule).path.is_null() {
            let cwd = libc::AT_FDCWD as usize;
            let fd = match check(libc::SYS_openat, [cwd, (*rule).path as usize, flags, 0, 0]) {
                Err(libc::ENOENT | libc::ENOTDIR | libc::EACCES | libc::ELOOP) if (*rule).optional => {
                    rule = rule.add(1);
                    continue;
                }
                opened => opened?,
            };
            let mut about = MaybeUninit::<libc::stat>::uninit();
            check(libc::SYS_fstat, [fd, about.as_mut_ptr() as usize, 0, 0, 0])?;
            let directory = (*about.as_ptr()).st_mode & libc::S_IFMT == libc::S_IFDIR;
            let access = if directory { (*rule).access } else { (*rule).access & OF_FILES };
            let beneath = PathBeneath { access, fd: fd as i32 };
            check(libc::SYS_landlock_add_rule, [set, PATH_BENEATH, &raw const beneath as usize, 0, 0])?;
            check(libc::SYS_close, [fd, 0, 0, 0, 0])?;
            rule = rule.add(1);
        }
        let mut number = 0;
        while number < rules.port_count {
            let port = rules.ports.add(number) as usize;
            check(libc::SYS_landlock_add_rule, [set, NET_PORT, port, 0, 0])?;
            number = number.wrapping_add(1);
        }
        check(libc::SYS_landlock_restrict_self, [set, 0, 0, 0, 0])?;
        check(libc::SYS_close, [set, 0, 0, 0, 0])?;
    }
    Ok(())
}
