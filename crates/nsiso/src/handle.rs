//! Defines [`Handle`], an open namespace, and the ways to open one. `nsfs.rs` makes the requests to
//! the kernel.

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::kind::{self, NAMES};
use crate::pidfd::{open_process, pid_of};
use crate::{Error, Kinds, Result, Step, nsfs};

/// The directory in which `ip-netns(8)` keeps named network namespaces.
const NAMED: &str = "/run/netns";

/// An open namespace, which the kernel keeps alive while the handle exists.
///
/// The file descriptor is close-on-exec. Two handles are equal if they refer to the same namespace.
/// Pass a handle to [`Spec::join`](crate::Spec::join), [`enter`](crate::enter),
/// [`call`](crate::call) or [`pin`](crate::pin).
///
/// ```
/// use nsiso::{Handle, Kinds};
///
/// let own = Handle::own(Kinds::NET)?;
/// assert_eq!(own, Handle::of_pid(std::process::id() as i32, Kinds::NET)?);
/// println!("{:?} is owned by {:?}", own, own.owner()?);
/// # Ok::<(), nsiso::Error>(())
/// ```
pub struct Handle {
    fd: OwnedFd,
    kind: usize,
    inode: u64,
}

impl Handle {
    /// Takes ownership of a file descriptor of a namespace.
    ///
    /// It refers to a file of `/proc/PID/ns` or to a bind mount of one. EINVAL if it does not.
    pub fn from_fd(fd: OwnedFd) -> Result<Self> {
        let (kind, inode) = identify(fd.as_fd())?;
        Ok(Handle { fd, kind, inode })
    }

    /// Makes a handle with its own copy of a namespace's file descriptor.
    ///
    /// EINVAL if `fd` is not a namespace; EMFILE if the caller has no file descriptors left.
    pub fn of_fd(fd: BorrowedFd) -> Result<Self> {
        let copy = fd.try_clone_to_owned().map_err(|error| {
            Error::no_descriptor(Step::Open, format!("descriptor {}", fd.as_raw_fd()), &error)
        })?;
        Handle::from_fd(copy)
    }

    /// Opens a namespace by the path of a file in `/proc/PID/ns`, or of a bind mount of such a
    /// file.
    ///
    /// Symbolic links are followed. A file that is not a namespace is never opened for reading, and
    /// the error is EINVAL. ENOENT if the path does not exist; EACCES if the caller may not reach
    /// it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let failed = |errno: Errno| Error::new(Step::Open, errno as i32, path.display());
        let place = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).map_err(failed)?;
        if !nsfs::is_namespace(place.as_fd()) {
            return Err(Error::argument(format!("{} is no namespace", path.display())));
        }
        reopen(&place).map_err(failed).and_then(Handle::from_fd)
    }

    /// Opens the network namespace that `ip-netns(8)` knows by this name, `/run/netns/NAME`.
    ///
    /// ENOENT if there is none. EINVAL if the name is empty, `.`, `..` or contains a slash.
    pub fn named(name: impl AsRef<OsStr>) -> Result<Self> {
        Handle::open(name_path(name.as_ref())?)
    }

    /// Opens the namespace of one kind in which the calling thread is.
    ///
    /// EINVAL if `kind` is not exactly one kind. ENOENT if `/proc` is not mounted, or if the kernel
    /// does not have the kind. `namespaces(7)`.
    pub fn own(kind: Kinds) -> Result<Self> {
        let path = own_link(one(kind)?);
        let opened = open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
        Handle::from_fd(opened.map_err(|errno| no_own(&path, errno))?)
    }

    /// Opens the namespace of one kind in which a process is.
    ///
    /// Needs the right to `ptrace(2)` the process: its user, or root. Uses requests to the pidfd
    /// since Linux 6.11, and `/proc` before.
    ///
    /// EINVAL if `kind` is not exactly one kind. ESRCH if the process has ended. EPERM or EACCES if
    /// the caller may not trace it. EMFILE if the caller has no file descriptors left.
    pub fn of_process(pidfd: BorrowedFd, kind: Kinds) -> Result<Self> {
        let kind = one(kind)?;
        open_of(pidfd, NAMES[kind].1, nsfs::of_pidfd(pidfd, kind)).and_then(Handle::from_fd)
    }

    /// Opens the namespace of one kind in which the process with this pid is.
    ///
    /// A pid may be reused when its process has ended. Use it at once, or use
    /// [`Handle::of_process`] with a pidfd. Needs the right to `ptrace(2)` the process. Fails as
    /// [`Handle::of_process`] and [`open_process`](crate::open_process) do: ESRCH if there is no
    /// such process.
    pub fn of_pid(pid: i32, kind: Kinds) -> Result<Self> {
        Handle::of_process(open_process(pid, None)?.as_fd(), kind)
    }

    /// Opens the pid or time namespace in which future children of a process will be.
    ///
    /// Needs the right to `ptrace(2)` the process. EINVAL for other kinds; ESRCH if the process has
    /// ended. `pid_namespaces(7)`, `time_namespaces(7)`.
    pub fn for_children(pidfd: BorrowedFd, kind: Kinds) -> Result<Self> {
        let (request, link) = match kind {
            Kinds::PID => (nsfs::PID_FOR_CHILDREN, "pid_for_children"),
            Kinds::TIME => (nsfs::TIME_FOR_CHILDREN, "time_for_children"),
            _ => return Err(Error::argument("only pid and time namespaces are made for children")),
        };
        open_of(pidfd, link, nsfs::new_descriptor(pidfd, request)).and_then(Handle::from_fd)
    }

    /// Opens the network namespace in which a socket was made.
    ///
    /// Needs CAP_NET_ADMIN in that network namespace; EPERM without it. `SIOCGSKNS`, Linux 4.10.
    pub fn of_socket(socket: BorrowedFd) -> Result<Self> {
        match nsfs::of_socket(socket) {
            Some(fd) => Handle::from_fd(fd),
            None => Err(Error::new(
                Step::Open,
                Errno::last_raw(),
                format!("the network namespace of descriptor {}", socket.as_raw_fd()),
            )
            .with_hint("it must be a socket, and you need CAP_NET_ADMIN in its network namespace")),
        }
    }

    /// The kind of the namespace.
    pub fn kind(&self) -> Kinds {
        NAMES[self.kind].0
    }

    /// The inode number of the namespace, as in the link `/proc/PID/ns/KIND`. The kernel may reuse
    /// it after the namespace has ended.
    pub fn inode(&self) -> u64 {
        self.inode
    }

    /// The 64-bit id of the namespace, which the kernel never reuses. None before Linux 6.18 (6.11
    /// for mount namespaces).
    pub fn id(&self) -> Option<u64> {
        Some(nsfs::id(self.fd.as_fd())).filter(|id| *id != 0)
    }

    /// Opens the user namespace that owns this namespace. For a user namespace that is its parent.
    ///
    /// None if the owner is outside the caller's user namespace and its descendants, or if there is
    /// none. `ioctl_nsfs(2)`.
    pub fn owner(&self) -> Result<Option<Handle>> {
        self.relative(nsfs::NS_GET_USERNS)
    }

    /// Opens the parent of a pid or user namespace.
    ///
    /// None for the other kinds, if the parent is outside the caller's own namespace and its
    /// descendants, or if there is no parent. `ioctl_nsfs(2)`.
    pub fn parent(&self) -> Result<Option<Handle>> {
        match self.kind {
            kind::USER | kind::PID => self.relative(nsfs::NS_GET_PARENT),
            _ => Ok(None),
        }
    }

    /// The uid of the user that made a user namespace, as seen in the caller's user namespace. None
    /// for the other kinds.
    pub fn owner_uid(&self) -> Option<u32> {
        nsfs::owner_uid(self.fd.as_fd()).filter(|_| self.kind == kind::USER)
    }

    fn relative(&self, request: libc::c_ulong) -> Result<Option<Handle>> {
        nsfs::new_descriptor(self.fd.as_fd(), request).map(Handle::from_fd).transpose()
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl From<Handle> for OwnedFd {
    fn from(handle: Handle) -> Self {
        handle.fd
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Self) -> bool {
        // Both namespaces exist, so neither inode number can have been reused.
        self.inode == other.inode
    }
}

impl Eq for Handle {}

impl std::hash::Hash for Handle {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.inode.hash(state);
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:[{}]", NAMES[self.kind].1, self.inode)
    }
}

fn own_link(kind: usize) -> String {
    format!("/proc/thread-self/ns/{}", NAMES[kind].1)
}

fn no_own(path: &str, errno: Errno) -> Error {
    Error::new(Step::Open, errno as i32, path).with_hint(match errno {
        Errno::ENOENT => "a mounted /proc is needed, and a kernel that has this kind",
        _ => "",
    })
}

/// The inode of the namespace in which the calling thread is, found without opening it.
pub(crate) fn own_inode(kind: usize) -> Result<u64> {
    let path = own_link(kind);
    let about = nix::sys::stat::stat(path.as_str()).map_err(|errno| no_own(&path, errno))?;
    Ok(about.st_ino)
}

/// The kind, as an index of [`NAMES`], and the inode of a namespace. EINVAL if `fd` is not one.
pub(crate) fn identify(fd: BorrowedFd) -> Result<(usize, u64)> {
    nsfs::identify(fd)
        .ok_or_else(|| Error::argument(format!("descriptor {} is no namespace", fd.as_raw_fd())))
}

/// The path below [`NAMED`] of a network namespace's name.
pub(crate) fn name_path(name: &OsStr) -> Result<std::path::PathBuf> {
    match name.as_encoded_bytes() {
        b"" | b"." | b".." => Err(Error::argument(format!("{name:?} is no name for a network namespace"))),
        bytes if bytes.contains(&b'/') => {
            Err(Error::argument(format!("{name:?} is a path, not a name in {NAMED}")))
        }
        _ => Ok(Path::new(NAMED).join(name)),
    }
}

/// The index in [`NAMES`] of exactly one kind.
pub(crate) fn one(kind: Kinds) -> Result<usize> {
    NAMES.iter().position(|(known, _)| *known == kind).ok_or_else(|| {
        Error::argument(match kind.is_empty() {
            true => "no kind of namespace is given".into(),
            false => format!("{kind} are more kinds than one"),
        })
    })
}

/// Opens the file behind an O_PATH descriptor for reading.
fn reopen(place: &OwnedFd) -> std::result::Result<OwnedFd, Errno> {
    let link = CString::new(format!("/proc/self/fd/{}", place.as_raw_fd())).unwrap_or_default();
    open(link.as_c_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
}

/// The result of a request to a pidfd. If the kernel does not know the request, opens the link
/// below `/proc`.
fn open_of(pidfd: BorrowedFd, link: &str, asked: Option<OwnedFd>) -> Result<OwnedFd> {
    if let Some(fd) = asked {
        return Ok(fd);
    }
    let errno = Errno::last();
    let (errno, pid) = match (errno, pid_of(pidfd)) {
        (Errno::ENOTTY | Errno::EINVAL, Some(pid)) => match through_proc(pidfd, pid, link) {
            Ok(fd) => return Ok(fd),
            Err(errno) => (errno, Some(pid)),
        },
        // A reaped process has no pid any more.
        (Errno::ENOTTY | Errno::EINVAL, None) if signalled(pidfd) == Err(Errno::ESRCH) => {
            (Errno::ESRCH, None)
        }
        (errno, pid) => (errno, pid),
    };
    let used_up = if errno == Errno::EMFILE { crate::rlimit::of_descriptors() } else { String::new() };
    let (object, hint) = match (errno, pid) {
        (Errno::ENOTTY | Errno::EINVAL | Errno::EBADF, None) => {
            (format!("descriptor {}", pidfd.as_raw_fd()), "it is no pidfd, pidfd_open(2)")
        }
        (Errno::ESRCH, _) => (format!("the {link} namespace of a process"), "the process has ended"),
        (Errno::EPERM | Errno::EACCES, Some(pid)) => (
            format!("the {link} namespace of process {pid}"),
            "it takes the right to ptrace the process: be its user, or root",
        ),
        (Errno::EMFILE, _) => (format!("the {link} namespace of a process"), used_up.as_str()),
        (_, _) => (format!("the {link} namespace of a process"), ""),
    };
    Err(Error::new(Step::Open, errno as i32, object).with_hint(hint))
}

/// Opens `/proc/PID/ns/LINK`. The process still exists afterwards, so the pid was not reused
/// meanwhile.
fn through_proc(pidfd: BorrowedFd, pid: i32, link: &str) -> std::result::Result<OwnedFd, Errno> {
    let path = format!("/proc/{pid}/ns/{link}");
    let fd = open(path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
    match (signalled(pidfd), fd) {
        // A zombie has no namespaces any more.
        (Err(Errno::ESRCH), _) | (_, Err(Errno::ENOENT)) => Err(Errno::ESRCH),
        (_, fd) => fd,
    }
}

/// Asks with signal 0 whether a process exists: ESRCH if it has been reaped, EBADF if `pidfd` is
/// not a pidfd.
fn signalled(pidfd: BorrowedFd) -> std::result::Result<(), Errno> {
    // SAFETY: the call takes a file descriptor and numbers; signal 0 sends nothing.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), 0, 0, 0) };
    Errno::result(sent).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_requests_on_pidfds_is_asked_through_proc() {
        let pid = std::process::id() as i32;
        let pidfd = open_process(pid, None).unwrap();
        assert_eq!(pid_of(pidfd.as_fd()), Some(pid));
        Errno::ENOTTY.set();
        let fd = open_of(pidfd.as_fd(), "net", None).unwrap();
        assert_eq!(Handle::from_fd(fd).unwrap(), Handle::own(Kinds::NET).unwrap());
    }

    #[test]
    fn names_are_no_paths() {
        for bad in ["", ".", "..", "a/b", "/run"] {
            assert!(name_path(OsStr::new(bad)).is_err(), "{bad}");
        }
        assert_eq!(name_path(OsStr::new("blue")).unwrap(), Path::new("/run/netns/blue"));
    }
}
