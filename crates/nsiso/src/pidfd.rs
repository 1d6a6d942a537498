//! A process held by a descriptor, `pidfd_open(2)`.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::stat::fstat;
use nix::sys::statfs::{FsType, fstatfs};

use crate::{Error, Result, Step};

/// Opens the process with this pid: its pidfd, close-on-exec, which never means another one, also when the pid is used again.
///
/// Whoever has to keep a process in words keeps its pid and the inode of its pidfd, which no other process ever gets
/// (`fstat(2)`, Linux 6.9): with `inode`, any other process is refused with ESRCH.
pub fn open_process(pid: i32, inode: Option<u64>) -> Result<OwnedFd> {
    let failed = |errno, hint| Error::new(Step::Open, errno as i32, format!("process {pid}")).with_hint(hint);
    let pidfd = match open(pid) {
        Ok(pidfd) => pidfd,
        Err(errno @ Errno::ESRCH) => return Err(failed(errno, "there is no such process")),
        Err(errno @ Errno::EINVAL) => {
            return Err(failed(errno, "a process id is positive, and not that of a thread"));
        }
        Err(errno @ (Errno::EMFILE | Errno::ENFILE)) => {
            return Err(failed(errno, &crate::rlimit::of_descriptors()));
        }
        Err(errno) => return Err(failed(errno, "")),
    };
    let own = fstat(pidfd.as_fd()).map_err(|errno| failed(errno, ""))?.st_ino;
    match inode {
        Some(inode) if inode != own => {
            let hint = format!("it is not the one meant: the inode of its pidfd is {own}, not {inode}");
            Err(failed(Errno::ESRCH, &hint))
        }
        _ => Ok(pidfd),
    }
}

/// `pidfd_open(2)`.
pub(crate) fn open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: numbers; what it returns is new and ours.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

const PIDFS_MAGIC: FsType = FsType(0x5049_4446);

/// The inode of a pidfd, which no other process ever gets. None before pidfs, about Linux 6.9, where
/// all pidfds have the same inode; and if it cannot be read.
pub(crate) fn inode(pidfd: BorrowedFd) -> Option<u64> {
    let is_pidfs = fstatfs(pidfd).ok()?.filesystem_type() == PIDFS_MAGIC;
    is_pidfs.then(|| fstat(pidfd).ok()).flatten().map(|about| about.st_ino)
}

const PATIENCE: Duration = Duration::from_secs(2);

/// The pid that a pidfd is of, as the caller sees it; none if it is no pidfd.
pub(crate) fn pid_of(pidfd: BorrowedFd) -> Option<i32> {
    if let Some(pid) = pid_by_ioctl(pidfd) {
        return Some(pid);
    }
    let begun = Instant::now();
    let text = loop {
        match fdinfo(pidfd) {
            // While another thread's child is in a joined user namespace, this process's own files in /proc are root's.
            Err(error) if error.kind() == ErrorKind::PermissionDenied && begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_micros(100));
            }
            read => break read.ok()?,
        }
    };
    pid_in(&text)
}

/// [`pid_of`] without waiting: none if it cannot be read now.
pub(crate) fn pid_of_now(pidfd: BorrowedFd) -> Option<i32> {
    pid_in(&fdinfo(pidfd).ok()?)
}

fn fdinfo(pidfd: BorrowedFd) -> io::Result<String> {
    fs::read_to_string(format!("/proc/thread-self/fdinfo/{}", pidfd.as_raw_fd()))
}

fn pid_in(fdinfo: &str) -> Option<i32> {
    fdinfo.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok().filter(|pid| *pid > 0)
}

/// [`pid_of`] in two cheap calls, Linux 6.13. None where it has to be read.
fn pid_by_ioctl(pidfd: BorrowedFd) -> Option<i32> {
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    let id = pidfd.as_raw_fd() as libc::id_t;
    // It may be any file, and an ioctl could mean anything to that; to waitid(2) it is a pidfd or nothing.
    // SAFETY: numbers; no information is asked for.
    let asked = Errno::result(unsafe { libc::waitid(libc::P_PIDFD, id, std::ptr::null_mut(), options) });
    if !matches!(asked, Ok(_) | Err(Errno::ECHILD | Errno::EAGAIN)) {
        return None;
    }
    let mut info = Info { mask: PIDFD_INFO_PID, ..Info::default() };
    // SAFETY: `info` has the size that the request's number carries.
    Errno::result(unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) }).ok()?;
    let [pid, ..] = info.ids;
    (info.mask & PIDFD_INFO_PID != 0 && pid > 0).then_some(pid as i32)
}

/// `_IOWR(0xFF, 11, struct pidfd_info)` in the struct's first version.
const PIDFD_GET_INFO: libc::c_ulong = 0xC040_FF0B;
const PIDFD_INFO_PID: u64 = 1;
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// `struct pidfd_info` in its first version.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// The status word, once the process has been reaped. Fails with ESRCH while it is being reaped (and, on
/// kernels that keep no status, ever after), with another error where the question is not known.
pub(crate) fn exit_of(pidfd: BorrowedFd) -> nix::Result<Option<i32>> {
    let mut info = Info { mask: PIDFD_INFO_EXIT, ..Info::default() };
    // SAFETY: `info` has the size that the request's number carries.
    Errno::result(unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) })?;
    Ok((info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code))
}
