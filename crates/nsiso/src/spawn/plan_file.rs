//! The memfd through which the plan goes to the helper, and in whose first page the helper answers.
//!
//! A host that waits for a word of the page maps it; one that waits for the helper's end reads it then.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering;

use nix::errno::Errno;

use super::signals::take_signal;
use crate::helper::plan::{PAGE, Page};
use crate::{Error, Result, Step, rlimit};

pub(super) struct PlanFile {
    memfd: OwnedFd,
    /// The page, mapped shared.
    page: Option<NonNull<Page>>,
    plan_size: usize,
}

impl PlanFile {
    /// A file with this plan, its page `mapped` or not. All signals must be blocked.
    pub fn new(plan: &[u8], mapped: bool) -> Result<Self> {
        let memfd = memfd(libc::MFD_CLOEXEC).map_err(|errno| failed("the plan in memory", errno))?;
        write_at(&memfd, plan, PAGE).map_err(|errno| failed("the plan in memory", errno))?;
        let mut file = PlanFile { memfd, page: None, plan_size: plan.len() };
        if mapped {
            file.page = Some(file.map()?);
        }
        Ok(file)
    }

    fn map(&self) -> Result<NonNull<Page>> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let (flags, fd) = (libc::MAP_SHARED | libc::MAP_POPULATE, self.memfd.as_raw_fd());
        // SAFETY: a new mapping at a place of the kernel's choice.
        let map = unsafe { libc::mmap(ptr::null_mut(), PAGE, access, flags, fd, 0) };
        NonNull::new(map.cast::<Page>())
            .filter(|_| map != libc::MAP_FAILED)
            .ok_or_else(|| Error::last_os(Step::Prepare, "memory to share with the helper"))
    }

    pub fn plan_size(&self) -> usize {
        self.plan_size
    }

    /// The page as it is now, copied once.
    pub fn page(&self) -> Page {
        let now = Page::default();
        match self.mapped_page() {
            Some(page) => {
                now.owner.store(page.owner.load(Ordering::Acquire), Ordering::Relaxed);
                now.progress.store(page.progress.load(Ordering::Acquire), Ordering::Relaxed);
                now.errno.store(page.errno.load(Ordering::Acquire), Ordering::Relaxed);
                now.child.store(page.child.load(Ordering::Acquire), Ordering::Relaxed);
                now.wait_errno.store(page.wait_errno.load(Ordering::Acquire), Ordering::Relaxed);
            }
            None => {
                // SAFETY: room for as many bytes; any are valid. What is not there stays 0.
                unsafe {
                    libc::pread(
                        self.memfd.as_raw_fd(),
                        (&raw const now).cast_mut().cast(),
                        size_of::<Page>(),
                        0,
                    )
                };
            }
        }
        now
    }

    /// None where the page is not mapped.
    pub fn mapped_page(&self) -> Option<&Page> {
        // SAFETY: mapped until this is dropped; its fields are atomics.
        self.page.as_ref().map(|page| unsafe { page.as_ref() })
    }
}

impl AsRawFd for PlanFile {
    fn as_raw_fd(&self) -> RawFd {
        self.memfd.as_raw_fd()
    }
}

impl Drop for PlanFile {
    fn drop(&mut self) {
        if let Some(page) = self.page {
            // SAFETY: our own mapping, which nobody uses any more.
            unsafe { libc::munmap(page.as_ptr().cast(), PAGE) };
        }
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
