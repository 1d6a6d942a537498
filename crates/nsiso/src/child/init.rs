//! PID 1 makes the program's process and becomes the init process.
//!
//! Both share the caller's memory, and the program may have all the rights that PID 1 has: it must not run as long as that does. So
//! it is held back at a gate, a pipe whose other end PID 1 alone has, until the kernel closes this at exec.

use libc::c_uint;

use super::syscall::{Outcome, check};
use super::{descriptors, second, signals};
use crate::plan::{INIT_DESCRIPTORS, Init, Plan};

/// Above all numbers that the init process has.
const ABOVE: usize = 16;

/// Does not return if all goes well.
pub(super) fn start(init: &Init, plan: &Plan) -> Outcome<()> {
    let mut ends = [0i32; 2];
    let cloexec = libc::O_CLOEXEC as usize;
    // SAFETY: room for two numbers; numbers.
    let write = unsafe {
        check(libc::SYS_pipe2, [&raw mut ends as usize, cloexec, 0, 0, 0])?;
        let [_, write] = ends;
        let moved = check(libc::SYS_fcntl, [write as usize, libc::F_DUPFD_CLOEXEC as usize, ABOVE, 0, 0])?;
        check(libc::SYS_close, [write as usize, 0, 0, 0, 0])?;
        moved as i32
    };
    let [read, _] = ends;
    plan.mailbox.set_gate(read, write);
    second::fork_program(plan)?;
    become_init(init, write)
}

/// In the program's process: until PID 1 has become the init process. Where that fails, everything ends.
pub(super) fn wait_at_gate(plan: &Plan) -> Outcome<()> {
    let [read, write] = plan.mailbox.gate();
    let mut byte = 0u8;
    // SAFETY: room for one byte; numbers.
    unsafe {
        check(libc::SYS_close, [write as usize, 0, 0, 0, 0])?;
        check(libc::SYS_read, [read as usize, &raw mut byte as usize, 1, 0, 0])?;
        check(libc::SYS_close, [read as usize, 0, 0, 0, 0])?;
    }
    match plan.mailbox.errno() {
        None => Ok(()),
        Some(errno) => Err(errno),
    }
}

/// Sleeps until the program's process has let go of the memory.
pub(super) fn until_program_runs(plan: &Plan) {
    loop {
        let there = plan.mailbox.program_there();
        if there == 0 {
            return;
        }
        let args = [plan.mailbox.program() as usize, libc::FUTEX_WAIT as usize, there as usize, 0, 0];
        // SAFETY: the word lives in the plan; any return makes us look again.
        let _ = unsafe { check(libc::SYS_futex, args) };
    }
}

/// It holds nothing of the program's: whoever reads from the program must see the end when the program closes its end.
fn become_init(init: &Init, gate: i32) -> Outcome<()> {
    let (report, host, memfd) = (INIT_DESCRIPTORS, INIT_DESCRIPTORS + 1, INIT_DESCRIPTORS + 2);
    let last = memfd + 1;
    let cloexec = libc::O_CLOEXEC as usize;
    // Where SIGCHLD is ignored, the kernel collects children, and nobody hears of the program's end. All stay blocked.
    signals::to_defaults()?;
    descriptors::place(init.report, report)?;
    if init.host >= 0 {
        descriptors::place(init.host, host)?;
    }
    // SAFETY: numbers, a constant string and tables that live as long as the plan.
    unsafe {
        check(libc::SYS_dup3, [init.memfd as usize, memfd as usize, cloexec, 0, 0])?;
        check(libc::SYS_dup3, [gate as usize, last as usize, cloexec, 0, 0])?;
        descriptors::close(0, (report - 1) as c_uint)?;
        if init.host < 0 {
            descriptors::close(host as c_uint, host as c_uint)?;
        }
        descriptors::close((last + 1) as c_uint, c_uint::MAX)?;
        let (argv, envp) = (init.argv as usize, init.envp as usize);
        let path = c"".as_ptr() as usize;
        check(libc::SYS_execveat, [memfd as usize, path, argv, envp, libc::AT_EMPTY_PATH as usize])?;
    }
    Ok(())
}
