//! Makes the child wait for the caller before its set-up.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::Child;
use super::signals::{SignalsBlocked, take_signal};
use crate::error::Step;
use crate::{Error, Result, Spec};

/// Writes the child's pid, and waits until the other descriptor is readable or the child ends.
pub(super) fn wait(child: &Child, spec: &Spec) -> Result<()> {
    let Some((info, block)) = spec.sync_fds else { return Ok(()) };
    let _blocked = SignalsBlocked::new();
    write(info, format!("{}\n", child.pid).as_bytes())
        .map_err(|errno| failed("the info descriptor of sync_fds", errno))?;
    let mut ends = [block, child.pidfd.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
    loop {
        match poll(&mut ends, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(failed("the block descriptor of sync_fds", errno)),
        }
    }
}

/// Takes the SIGPIPE of a pipe without a reader, because the caller did not write there.
fn write(fd: BorrowedFd, text: &[u8]) -> std::result::Result<(), Errno> {
    // SAFETY: `text` has as many bytes as passed.
    let written = Errno::result(unsafe { libc::write(fd.as_raw_fd(), text.as_ptr().cast(), text.len()) });
    if written == Err(Errno::EPIPE) {
        take_signal(libc::SIGPIPE);
    }
    written.map(drop)
}

fn failed(what: &str, errno: Errno) -> Error {
    Error::new(Step::Prepare, errno as i32, what)
}
