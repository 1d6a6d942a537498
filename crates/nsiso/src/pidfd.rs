//! Opens pidfds, `pidfd_open(2)`, and wraps the calls on them. `process.rs` waits for processes and
//! collects their status.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::stat::fstat;
use nix::sys::statfs::{FsType, fstatfs};

use crate::{Error, Result, Step};

/// Opens a process by its pid and returns its pidfd, which is close-on-exec.
///
/// The pidfd refers to this process for ever, even if the kernel reuses the pid. To name a process
/// in a file or message, store its pid together with the inode of its pidfd (`fstat(2)`), which
/// since Linux 6.9 no other process ever has. With `inode`, the call opens only the process with
/// that inode. Needs Linux 5.3, and no privilege.
///
/// ESRCH if there is no such process, or if its pidfd has another inode. EINVAL if `pid` is not
/// positive, or is the id of a thread that is not its process's first. EMFILE or ENFILE if no file
/// descriptor is left. ENOSYS if the system call is missing or refused by an emulator or a seccomp
/// filter. `pidfd_open(2)`.
///
/// ```
/// use std::os::unix::fs::MetadataExt;
///
/// let pid = std::process::id() as i32;
/// let pidfd = nsiso::open_process(pid, None)?;
/// let inode = std::fs::File::from(pidfd).metadata().unwrap().ino();
/// // Later, perhaps in another process: the same process again.
/// let pidfd = nsiso::open_process(pid, Some(inode))?;
/// # Ok::<(), nsiso::Error>(())
/// ```
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

/// Opens the calling process.
pub(crate) fn own() -> Result<OwnedFd> {
    let opened = open_process(std::process::id() as i32, None);
    // valgrind does not support pidfd_open(2).
    opened.or_else(|error| if error.errno() == libc::ENOSYS { of_peer().or(Err(error)) } else { Err(error) })
}

/// Opens the calling process as the peer of a socket pair. Linux 6.5.
fn of_peer() -> nix::Result<OwnedFd> {
    const SO_PEERPIDFD: libc::c_int = 77;
    let (socket, _peer) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
    let (mut fd, mut size) = (-1, size_of::<RawFd>() as libc::socklen_t);
    let (level, socket, place) = (libc::SOL_SOCKET, socket.as_raw_fd(), (&raw mut fd).cast());
    // SAFETY: `fd` has room for the number. The file descriptor returned is new, and this function
    // owns it.
    unsafe {
        Errno::result(libc::getsockopt(socket, level, SO_PEERPIDFD, place, &raw mut size))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Calls `pidfd_open(2)`.
pub(crate) fn open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: the call takes numbers only.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the file descriptor is new, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// Sends a signal by `pidfd_send_signal(2)`. The process must not have been reaped.
pub(crate) fn send_signal(pidfd: BorrowedFd, pid: i32, signal: i32) -> nix::Result<()> {
    let fd = pidfd.as_raw_fd();
    // SAFETY: the call takes a file descriptor and numbers.
    match Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, 0, 0) }) {
        // valgrind does not support the call. Until the process is reaped, its pid is not reused.
        // SAFETY: the call takes numbers only.
        Err(Errno::ENOSYS) => Errno::result(unsafe { libc::kill(pid, signal) }).map(drop),
        sent => sent.map(drop),
    }
}

/// Reaps a child of the caller if it has ended. Returns whether it has ended and left no zombie.
pub(crate) fn reap(pidfd: BorrowedFd) -> bool {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    let options = libc::WEXITED | libc::WNOHANG | libc::__WALL;
    let fd = pidfd.as_raw_fd() as libc::id_t;
    // SAFETY: `info` is valid for writing, and all zeros is a valid value.
    let reaped = Errno::result(unsafe { libc::waitid(libc::P_PIDFD, fd, info.as_mut_ptr(), options) });
    match reaped {
        // SAFETY: waitid has filled in the fields of a child, or left zeros.
        Ok(_) => unsafe { info.assume_init().si_pid() != 0 },
        // Another part of the caller has reaped it, or it is not a child of the caller and may
        // still run.
        Err(_) => has_ended(pidfd),
    }
}

/// Whether a process has ended. It may have been reaped.
pub(crate) fn has_ended(pidfd: BorrowedFd) -> bool {
    let mut ended = [PollFd::new(pidfd, PollFlags::POLLIN)];
    poll(&mut ended, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

const PIDFS_MAGIC: FsType = FsType(0x5049_4446);

/// The inode of a pidfd, which no other process ever gets. None before pidfs (Linux 6.9), where all
/// pidfds have the same inode, or if it cannot be read.
pub(crate) fn inode(pidfd: BorrowedFd) -> Option<u64> {
    let is_pidfs = fstatfs(pidfd).ok()?.filesystem_type() == PIDFS_MAGIC;
    is_pidfs.then(|| fstat(pidfd).ok()).flatten().map(|about| about.st_ino)
}

/// The pid of a pidfd's process in the caller's pid namespace. None if `pidfd` is not a pidfd, if
/// the process has been reaped, or if `/proc` cannot be read.
pub(crate) fn pid_of(pidfd: BorrowedFd) -> Option<i32> {
    let path = format!("/proc/thread-self/fdinfo/{}", pidfd.as_raw_fd());
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Pid:"))?.trim().parse().ok().filter(|pid| *pid > 0)
}

/// `_IOWR(0xFF, 11, struct pidfd_info)` with the first version of the struct.
const PIDFD_GET_INFO: libc::c_ulong = 0xC040_FF0B;
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// The first version of `struct pidfd_info`.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// The wait status of a process that has been reaped; None before. Fails with ESRCH while the
/// process is being reaped, and later too if the kernel keeps no status. Fails with another errno
/// if the kernel does not know the request.
pub(crate) fn exit_of(pidfd: BorrowedFd) -> nix::Result<Option<i32>> {
    let mut info = Info { mask: PIDFD_INFO_EXIT, ..Info::default() };
    // SAFETY: `info` has the size that is part of the request number.
    Errno::result(unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO, &raw mut info) })?;
    Ok((info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code))
}
