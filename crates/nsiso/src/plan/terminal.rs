//! A pseudo-terminal of the program's own.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;

use super::Plan;
use super::format::Action;
use crate::error::Step;
use crate::{Error, Result, Spec};

/// `TIOCGPTPEER`: the other end, without a path.
const TIOCGPTPEER: libc::c_ulong = 0x5441;

impl Plan {
    /// Opens both ends, and returns the program's.
    pub(super) fn terminal(&mut self, spec: &Spec) -> Result<()> {
        let Some((rows, columns)) = spec.program.pty else { return Ok(()) };
        let failed = |errno: Errno| {
            let error = io::Error::from(errno);
            Error::new(Step::Pty, errno as i32, "a pseudo-terminal").with_hint(match errno {
                Errno::ENOENT => "the host must have /dev/ptmx".into(),
                Errno::ENOSPC => "the limit /proc/sys/kernel/pty/max is reached".into(),
                _ => crate::rlimit::descriptor_hint(&error),
            })
        };
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        // SAFETY: what is opened is new and ours; the struct is what the request wants.
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

    /// In the new session.
    pub(super) fn controlling_terminal(&mut self) {
        if let Some(fd) = self.terminal {
            self.push(Step::Pty, Action::ControllingTerminal(fd));
        }
    }

    /// Those of the program's standard descriptors that it is.
    pub(super) fn terminal_at(&self, spec: &Spec) -> Option<(RawFd, Vec<RawFd>)> {
        let given = |number: &RawFd| spec.program.descriptors.iter().any(|(to, _)| to == number);
        self.terminal.map(|fd| (fd, (0..=2).filter(|number| !given(number)).collect()))
    }
}
