//! Makes a Landlock ruleset from the plan and applies it, `landlock(7)`.

use super::files::{close, find, is_directory};
use super::kernel;
use super::plan::Ruleset;
use super::syscall::{Outcome, check};

const PATH_BENEATH: usize = 1;
const NET_PORT: usize = 2;

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    access: u64,
    fd: i32,
}

/// # Safety
/// The references in `rules` point into the plan.
pub(super) unsafe fn restrict(rules: &Ruleset) -> Outcome<()> {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let attributes = rules.attributes.pointer() as usize;
        let set = check(kernel::SYS_landlock_create_ruleset, [attributes, rules.size, 0])?;
        for rule in rules.paths.slice() {
            let fd = match find(kernel::AT_FDCWD as usize, rule.path.string()) {
                // A path that cannot be reached needs no rule.
                Err(kernel::ENOENT | kernel::ENOTDIR | kernel::ELOOP | kernel::EACCES) if rule.optional => {
                    continue;
                }
                opened => opened?,
            };
            let access = if is_directory(fd)? { rule.access } else { rule.access & rule.of_files };
            let beneath = PathBeneath { access, fd: fd as i32 };
            let beneath = &raw const beneath as usize;
            check(kernel::SYS_landlock_add_rule, [set, PATH_BENEATH, beneath, 0])?;
            close(fd)?;
        }
        for port in rules.ports.slice() {
            check(kernel::SYS_landlock_add_rule, [set, NET_PORT, &raw const *port as usize, 0])?;
        }
        check(kernel::SYS_landlock_restrict_self, [set, 0])?;
        close(set)
    }
}
