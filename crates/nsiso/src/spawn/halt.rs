//! A child that halts until somebody else has done something about it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Child;
use crate::error::Step;
use crate::{Error, Result, Spec};

/// Tells the child's pid, and waits for the word to go on.
pub(super) fn until_told(child: &Child, spec: &Spec) -> Result<()> {
    let Some((tell, go)) = spec.halt else { return Ok(()) };
    write(tell, format!("{}\n", child.pid).as_bytes())
        .map_err(|errno| failed("the descriptor that is told the pid", errno))?;
    let mut ends = [go, child.pidfd.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    loop {
        match poll(&mut ends, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(failed("the descriptor that is waited for", errno)),
        }
    }
}

/// All signals are blocked: that of a pipe which nobody reads is taken back, since the host has not written there.
fn write(fd: BorrowedFd, text: &[u8]) -> std::result::Result<(), Errno> {
    // SAFETY: `text` has as many bytes as is said.
    let written = Errno::result(unsafe { libc::write(fd.as_raw_fd(), text.as_ptr().cast(), text.len()) });
    if written == Err(Errno::EPIPE) {
        let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: room for the set, which sigemptyset fills in; the signal's description is not asked for.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGPIPE);
            libc::sigtimedwait(&raw const set, std::ptr::null_mut(), &raw const at_once);
        }
    }
    written.map(drop)
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::new(Step::Prepare, errno as i32, what)
}
