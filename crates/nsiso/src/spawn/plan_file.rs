//! The memfd that carries the plan to the helper, and in whose first page the helper reports.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};

use nix::errno::Errno;

use super::signals::take_signal;
use crate::helper::plan::{PAGE, Page};
use crate::{Error, Result, Step, rlimit};

/// The file, mapped shared.
pub(super) struct PlanFile {
    page: NonNull<Page>,
    plan_size: usize,
}

impl PlanFile {
    /// Makes a file with this plan. All signals must be blocked.
    pub fn new(plan: &[MaybeUninit<u8>]) -> Result<(OwnedFd, Self)> {
        const MFD_NOEXEC_SEAL: libc::c_uint = 8;
        let made = match memfd(libc::MFD_CLOEXEC | MFD_NOEXEC_SEAL) {
            // Linux before 6.3.
            Err(Errno::EINVAL) => memfd(libc::MFD_CLOEXEC),
            // Some kernels with vm.memfd_noexec=2 refuse a call without the flag.
            made => made,
        };
        let memfd = made.map_err(|errno| failed("the plan in memory", errno))?;
        let size = PAGE + plan.len();
        allocate(&memfd, size).map_err(|errno| failed("the plan in memory", errno))?;
        let (access, fd) = (libc::PROT_READ | libc::PROT_WRITE, memfd.as_raw_fd());
        // A child that another thread forks, even between these calls, must not write the page.
        // SAFETY: a new mapping at an address that the kernel chooses, as long as the file.
        let map = unsafe {
            let map = libc::mmap(ptr::null_mut(), size, libc::PROT_NONE, libc::MAP_SHARED, fd, 0);
            let usable = map != libc::MAP_FAILED
                && libc::madvise(map, size, libc::MADV_DONTFORK) == 0
                && libc::mprotect(map, size, access) == 0;
            if usable { map } else { ptr::null_mut() }
        };
        let Some(page) = NonNull::new(map.cast::<Page>()) else {
            return Err(Error::last_os(Step::Prepare, "memory to share with the helper"));
        };
        // Not by write(2): valgrind would complain about uninitialized bytes between fields.
        // SAFETY: the mapping has this much room after the page.
        unsafe { map.cast::<u8>().add(PAGE).copy_from_nonoverlapping(plan.as_ptr().cast(), plan.len()) };
        Ok((memfd, PlanFile { page, plan_size: plan.len() }))
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
        // SAFETY: our own mapping, which nothing uses any more.
        unsafe { libc::munmap(self.page.as_ptr().cast(), PAGE + self.plan_size) };
    }
}

/// Makes a new memfd.
pub(super) fn memfd(flags: libc::c_uint) -> nix::Result<OwnedFd> {
    // SAFETY: a constant string and integers; the returned descriptor is new and ours.
    unsafe { Errno::result(libc::memfd_create(c"nsiso".as_ptr(), flags)).map(|fd| OwnedFd::from_raw_fd(fd)) }
}

/// Allocates memory now: a lack of it is an error here, but a signal on a later write.
fn allocate(file: &OwnedFd, size: usize) -> nix::Result<()> {
    // SAFETY: integer arguments only.
    let done = unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, size as libc::off_t) };
    without_signal(Errno::result(done)).map(drop)
}

/// RLIMIT_FSIZE also applies to memfds, and raises SIGXFSZ, which this takes.
fn without_signal<T>(done: nix::Result<T>) -> nix::Result<T> {
    if matches!(done, Err(Errno::EFBIG)) {
        take_signal(libc::SIGXFSZ);
    }
    done
}

/// Writes all bytes.
pub(super) fn write_at(file: &OwnedFd, mut bytes: &[u8], mut at: usize) -> nix::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the buffer has as many bytes as passed.
        let written =
            unsafe { libc::pwrite(file.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), at as libc::off_t) };
        let written = without_signal(Errno::result(written))? as usize;
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
