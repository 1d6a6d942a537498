//! A process held by a descriptor, `pidfd_open(2)`.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
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
        Err(errno @ Errno::ENOSYS) => {
            return Err(failed(errno, "pidfd_open(2) is refused, or valgrind or another emulator lacks it"));
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

/// That of the calling process.
pub(crate) fn own() -> Result<OwnedFd> {
    let opened = open_process(std::process::id() as i32, None);
    // valgrind does not know pidfd_open(2).
    opened.or_else(|error| if error.errno() == libc::ENOSYS { of_peer().or(Err(error)) } else { Err(error) })
}

/// That of the calling process, as the other end of a socket, Linux 6.5.
fn of_peer() -> nix::Result<OwnedFd> {
    const SO_PEERPIDFD: libc::c_int = 77;
    let (socket, _peer) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
    let (mut fd, mut size) = (-1, size_of::<RawFd>() as libc::socklen_t);
    let (level, socket, place) = (libc::SOL_SOCKET, socket.as_raw_fd(), (&raw mut fd).cast());
    // SAFETY: room for a number; what it returns is new and ours.
    unsafe {
        Errno::result(libc::getsockopt(socket, level, SO_PEERPIDFD, place, &raw mut size))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// `pidfd_open(2)`.
pub(crate) fn open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: numbers; what it returns is new and ours.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// `pidfd_send_signal(2)` to a process whose status nobody can have collected.
pub(crate) fn send_signal(pidfd: BorrowedFd, pid: i32, signal: i32) -> nix::Result<()> {
    let fd = pidfd.as_raw_fd();
    // SAFETY: a descriptor and numbers.
    match Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, 0, 0) }) {
        // valgrind does not know it. Until it is collected, the pid is the process's own.
        // SAFETY: numbers.
        Err(Errno::ENOSYS) => Errno::result(unsafe { libc::kill(pid, signal) }).map(drop),
        sent => sent.map(drop),
    }
}

/// Whether the process has ended, also if it was collected.
pub(crate) fn has_ended(pidfd: BorrowedFd) -> bool {
    let mut ended = [PollFd::new(pidfd, PollFlags::POLLIN)];
    poll(&mut ended, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

const PIDFS_MAGIC: FsType = FsType(0x5049_4446);

/// The inode of a pidfd, which no other process ever gets. None before pidfs, about Linux 6.9,
/// where all pidfds have the same inode; and if it cannot be read.
pub(crate) fn inode(pidfd: BorrowedFd) -> Option<u64> {
    let is_pidfs = fstatfs(pidfd).ok()?.filesystem_type() == PIDFS_MAGIC;
    is_pidfs.then(|| fstat(pidfd).ok()).flatten().map(|about| about.st_ino)
}

/// The pid that a pidfd is of, as the caller sees it; none if it is no pidfd, or cannot be read
/// now.
pub(crate) fn pid_of(pidfd: BorrowedFd) -> Option<i32> {
    let path = format!("/proc/thread-self/fdinfo/{}", pidfd.as_raw_fd());
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok().filter(|pid| *pid > 0)
}

/// `_IOWR(0xFF, 11, struct pidfd_info)` in the struct's first version.
const PIDFD_GET_INFO: libc::c_ulong = 0xC040_FF0B;
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
