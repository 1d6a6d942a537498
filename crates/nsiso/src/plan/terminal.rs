//! Opens the program's pseudo-terminal and plans how it becomes the program's controlling terminal.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use super::Plan;
use super::format::Action;
use crate::error::Step;
use crate::{Error, Result, Spec};

/// `TIOCGPTPEER`, which opens the other end without a path.
const TIOCGPTPEER: libc::c_ulong = 0x5441;

impl Plan {
    /// Opens both ends. The parent's end goes to the [`Process`](crate::Process), the program's end
    /// to the helper.
    pub(super) fn terminal(&mut self, spec: &Spec) -> Result<()> {
        let Some((rows, columns)) = spec.program.pty else { return Ok(()) };
        let failed = |errno: Errno| {
            let error = io::Error::from(errno);
            Error::new(Step::Pty, errno as i32, "a pseudo-terminal").with_hint(match errno {
                Errno::ENOENT => "the caller must have /dev/ptmx".into(),
                Errno::ENOSPC => "the limit /proc/sys/kernel/pty/max is reached".into(),
                _ => crate::rlimit::descriptor_hint(&error),
            })
        };
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: the opened file descriptors are new and owned here; TIOCSWINSZ takes a `winsize`.
        let (host, program) = unsafe {
            let host = Errno::result(libc::posix_openpt(flags)).map_err(failed)?;
            let host = OwnedFd::from_raw_fd(host);
            let fd = host.as_raw_fd();
            Errno::result(libc::grantpt(fd))
                .and_then(|_| Errno::result(libc::unlockpt(fd)))
                .map_err(failed)?;
            let program = Errno::result(libc::ioctl(fd, TIOCGPTPEER, flags)).map_err(failed)?;
            let program = OwnedFd::from_raw_fd(program);
            Errno::result(libc::ioctl(fd, libc::TIOCSWINSZ, &raw const size)).map_err(failed)?;
            (host, program)
        };
        self.pipes.parent.pty = Some(host);
        self.terminal = Some(self.above_targets(program, spec)?);
        Ok(())
    }

    /// Makes the terminal the controlling one. To be called after the new session is made.
    pub(super) fn controlling_terminal(&mut self) {
        if let Some(fd) = self.terminal {
            self.push(Step::Pty, Action::ControllingTerminal(fd));
        }
    }

    /// The program's end of the terminal, and the standard descriptors that refer to it.
    pub(super) fn terminal_at(&self, spec: &Spec) -> Option<(RawFd, Vec<RawFd>)> {
        let given = |number: &RawFd| spec.program.descriptors.iter().any(|(to, _)| to == number);
        self.terminal.map(|fd| (fd, (0..=2).filter(|number| !given(number)).collect()))
    }
}
