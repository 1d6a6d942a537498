//! The init process of the program's pid namespace.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use libc::{c_char, c_int};
use nix::errno::Errno;

use super::{Action, Plan, bytes};
use crate::error::Step;
use crate::pidfd::open_process;
use crate::{Error, Result, Spec};

/// The program itself: no library, no path, nothing that a view of the file system could lack.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/nsiso-init"));

/// What PID 1 becomes once the program runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Init {
    pub memfd: c_int,
    /// Where the program's status is written.
    pub report: c_int,
    /// The host's pidfd, or -1.
    pub host: c_int,
    pub argv: *const *const c_char,
    pub envp: *const *const c_char,
}

/// The init process finds its descriptors from here on; whatever it is given must lie above.
pub(crate) const FIRST: c_int = 3;
const ABOVE: c_int = 16;

impl Plan {
    pub(super) fn init(&mut self, spec: &Spec) -> Result<()> {
        let Some(wish) = spec.init else { return Ok(()) };
        let failed = |what: &'static str| {
            move |error: io::Error| {
                Error::from_io(Step::Init, what, &error).with_hint(crate::rlimit::descriptor_hint(&error))
            }
        };
        let memfd = self.child_end(sealed().map_err(refused)?).map_err(failed("the init process"))?;
        let (read, write) = io::pipe().map_err(failed("a pipe"))?;
        // Nobody waits for a report: it is there when the init process has ended, or never.
        // SAFETY: a descriptor of ours and numbers.
        unsafe { libc::fcntl(read.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        let report = self.child_end(write.into()).map_err(failed("a pipe"))?;
        self.pipes.parent.report = Some(read.into());
        let watched = match spec.watched {
            Some(pidfd) => Some(pidfd.try_clone_to_owned().map_err(failed("a pidfd"))?),
            None if wish.die_with_host => Some(open_process(std::process::id() as i32, None)?),
            None => None,
        };
        let watches = watched.is_some();
        let host = match watched {
            Some(pidfd) => self.child_end(pidfd).map_err(failed("the host's pidfd"))?,
            None => -1,
        };
        let letters = [("a", wish.wait_for_all), ("h", watches)];
        let letters: String =
            letters.iter().filter(|(_, wanted)| *wanted).map(|(letter, _)| *letter).collect();
        let deadline = spec.treatment.deadline.map_or(0, |after| after.as_nanos());
        let mut text = |text: String| self.arena.text(&CString::new(text).unwrap_or_default());
        let argv = [bytes(c"nsiso-init"), text(letters), text(deadline.to_string()), ptr::null()];
        let (argv, envp) = (self.arena.copy(&argv), self.arena.copy(&[ptr::null()]));
        self.push(Step::Init, Action::Init(Init { memfd, report, host, argv, envp }));
        self.program_from = Some(self.ops.len());
        Ok(())
    }

    /// Keeps `fd`, out of the way of the numbers that it will have in the child.
    fn child_end(&mut self, fd: OwnedFd) -> io::Result<RawFd> {
        // SAFETY: a descriptor of ours; what fcntl returns is new and ours.
        let copy = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, ABOVE) };
        if copy < 0 {
            let error = io::Error::last_os_error();
            // The limit is below the number.
            let used_up = error.raw_os_error() == Some(libc::EINVAL);
            return Err(if used_up { io::Error::from_raw_os_error(libc::EMFILE) } else { error });
        }
        // SAFETY: as above.
        self.pipes.child.push(unsafe { OwnedFd::from_raw_fd(copy) });
        Ok(copy)
    }
}

/// The program in memory that nobody can change any more.
fn sealed() -> std::result::Result<OwnedFd, Errno> {
    const MFD_EXEC: libc::c_uint = 0x10;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let name = bytes(c"nsiso-init");
    // SAFETY: a string and numbers; what it returns is new and ours.
    let made = unsafe {
        match Errno::result(libc::memfd_create(name, flags | MFD_EXEC)) {
            // Before Linux 6.3.
            Err(Errno::EINVAL) => Errno::result(libc::memfd_create(name, flags)),
            made => made,
        }
    };
    // SAFETY: as above.
    let fd = unsafe { OwnedFd::from_raw_fd(made?) };
    let mut file = File::from(fd);
    file.write_all(PROGRAM).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: numbers only.
    Errno::result(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) })?;
    Ok(file.into())
}

fn refused(errno: Errno) -> Error {
    Error::new(Step::Init, errno as i32, "the init process").with_hint(match errno {
        Errno::EACCES => "programs in memory are forbidden here: /proc/sys/vm/memfd_noexec is 2".into(),
        Errno::EMFILE => crate::rlimit::of_descriptors(),
        _ => String::new(),
    })
}
