//! The memfd through which the plan goes to the helper, and in whose first page the helper answers.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};

use nix::errno::Errno;

use super::signals::take_signal;
use crate::helper::plan::{PAGE, Page};
use crate::{Error, Result, Step, rlimit};

/// The page, mapped shared.
pub(super) struct PlanFile {
    page: NonNull<Page>,
    plan_size: usize,
}

impl PlanFile {
    /// A file with this plan. All signals must be blocked.
    pub fn new(plan: &[u8]) -> Result<(OwnedFd, Self)> {
        const MFD_NOEXEC_SEAL: libc::c_uint = 8;
        let made = match memfd(libc::MFD_CLOEXEC | MFD_NOEXEC_SEAL) {
            // Before Linux 6.3.
            Err(Errno::EINVAL) => memfd(libc::MFD_CLOEXEC),
            // Some kernels with vm.memfd_noexec=2 refuse what does not say so.
            made => made,
        };
        let memfd = made.map_err(|errno| failed("the plan in memory", errno))?;
        write_at(&memfd, plan, PAGE).map_err(|errno| failed("the plan in memory", errno))?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice.
        let map =
            unsafe { libc::mmap(ptr::null_mut(), PAGE, access, libc::MAP_SHARED, memfd.as_raw_fd(), 0) };
        match NonNull::new(map.cast::<Page>()).filter(|_| map != libc::MAP_FAILED) {
            Some(page) => Ok((memfd, PlanFile { page, plan_size: plan.len() })),
            None => Err(Error::last_os(Step::Prepare, "memory to share with the helper")),
        }
    }

    pub fn plan_size(&self) -> usize {
        self.plan_size
    }

    pub fn page(&self) -> &Page {
        // SAFETY: mapped until this is dropped; its fields are atomics.
        unsafe { self.page.as_ref() }
    }
}

impl Drop for PlanFile {
    fn drop(&mut self) {
        // SAFETY: our own mapping, which nobody uses any more.
        unsafe { libc::munmap(self.page.as_ptr().cast(), PAGE) };
    }
}

/// A new file in memory.
pub(super) fn memfd(flags: libc::c_uint) -> nix::Result<OwnedFd> {
    // SAFETY: a string and numbers; what it returns is new and ours.
    unsafe { Errno::result(libc::memfd_create(c"nsiso".as_ptr(), flags)).map(|fd| OwnedFd::from_raw_fd(fd)) }
}

/// Writes all of it. A limit of the size of files holds in memory, too, and makes a signal.
pub(super) fn write_at(file: &OwnedFd, mut bytes: &[u8], mut at: usize) -> nix::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: as many bytes as is said.
        let written =
            unsafe { libc::pwrite(file.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), at as libc::off_t) };
        let written = Errno::result(written);
        if written == Err(Errno::EFBIG) {
            take_signal(libc::SIGXFSZ);
        }
        let written = written? as usize;
        (bytes, at) = (&bytes[written..], at + written);
    }
    Ok(())
}

pub(super) fn failed(object: &str, errno: Errno) -> Error {
    let hint = match errno {
        Errno::EFBIG => format!(
            "the library needs some ten KB of files in memory: the limit RLIMIT_FSIZE of the caller is {}",
            rlimit::in_words(libc::RLIMIT_FSIZE)
        ),
        errno => rlimit::descriptor_hint(&io::Error::from(errno)),
    };
    Error::new(Step::Prepare, errno as i32, object).with_hint(hint)
}
