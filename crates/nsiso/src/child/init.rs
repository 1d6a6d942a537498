//! PID 1 becomes the init process, once the program runs.

use libc::c_uint;

use super::descriptors;
use super::syscall::{Outcome, check};
use crate::plan::{INIT_DESCRIPTORS, Init};

/// Does not return if all goes well.
pub(super) fn become_init(init: &Init) -> i32 {
    match execute(init) {
        Err(errno) => errno,
        Ok(()) => libc::EIO,
    }
}

/// It holds nothing of the program's: whoever reads from the program must see the end when the program closes its end.
fn execute(init: &Init) -> Outcome<()> {
    let (report, host, memfd) = (INIT_DESCRIPTORS, INIT_DESCRIPTORS + 1, INIT_DESCRIPTORS + 2);
    descriptors::place(init.report, report)?;
    if init.host >= 0 {
        descriptors::place(init.host, host)?;
    }
    let cloexec = libc::O_CLOEXEC as usize;
    // SAFETY: numbers, a constant string and tables that live as long as the plan.
    unsafe {
        check(libc::SYS_dup3, [init.memfd as usize, memfd as usize, cloexec, 0, 0])?;
        descriptors::close(0, (report - 1) as c_uint)?;
        if init.host < 0 {
            descriptors::close(host as c_uint, host as c_uint)?;
        }
        descriptors::close((memfd + 1) as c_uint, c_uint::MAX)?;
        let (argv, envp) = (init.argv as usize, init.envp as usize);
        let path = c"".as_ptr() as usize;
        check(libc::SYS_execveat, [memfd as usize, path, argv, envp, libc::AT_EMPTY_PATH as usize])?;
    }
    Ok(())
}
