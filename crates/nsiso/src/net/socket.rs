//! Creates sockets in other network namespaces through a child process. The caller stays in its
//! own.

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::handle::own_inode;
use crate::kind;
use crate::spec::Task;
use crate::{Error, Handle, Kinds, Result, Spec, Step};

/// Creates a socket in a network namespace. The socket stays there, whichever process uses it.
///
/// `domain`, `kind` and `protocol` are the arguments of `socket(2)`. The file descriptor is
/// close-on-exec. A child process joins the namespace and creates the socket, so the caller and its
/// threads stay in their namespaces. An ordinary user can use network namespaces that are owned by
/// a user namespace of its own.
///
/// Fails with EINVAL if `namespace` is not a network namespace, EPERM if the caller is not
/// permitted to join it, and with the errno of `socket(2)`.
///
/// ```
/// use std::os::fd::AsFd;
/// use nsiso::{Handle, Kinds, Spec};
///
/// let held = Spec::new("none")?.map_root().hold(Kinds::NET)?;
/// let socket = nsiso::socket(held[0].as_fd(), libc::AF_INET, libc::SOCK_STREAM, 0)?;
/// let listener = std::net::UdpSocket::from(socket);
/// # Ok::<(), nsiso::Error>(())
/// ```
pub fn socket(namespace: BorrowedFd, domain: i32, kind: i32, protocol: i32) -> Result<OwnedFd> {
    let namespace = Handle::of_fd(namespace)?;
    if namespace.kind() != Kinds::NET {
        return Err(Error::argument(format!("{namespace:?} is no network namespace")));
    }
    if namespace.inode() == own_inode(kind::NET)? {
        return own(domain, kind, protocol);
    }
    send(&namespace, Task::Socket { domain, kind, protocol })?
        .ok_or_else(|| Error::new(Step::Socket, libc::EIO, "a socket in another network namespace"))
}

/// Runs `task` in a child process that has joined the network namespace, and returns the file
/// descriptor that it sends back, if any.
pub(super) fn send(namespace: &Handle, task: Task) -> Result<Option<OwnedFd>> {
    let mut spec = Spec::new("task")?;
    let owner = namespace.owner()?;
    if let Some(owner) = owner.as_ref().filter(|owner| own_inode(kind::USER).ok() != Some(owner.inode())) {
        spec.join(owner.as_fd())?;
    }
    spec.join(namespace.as_fd())?;
    spec.program.task = Some(task);
    let mut process = spec.spawn()?;
    process.wait()?;
    Ok(process.take_notify())
}

pub(super) fn own(domain: i32, kind: i32, protocol: i32) -> Result<OwnedFd> {
    // SAFETY: only integers are passed; the returned file descriptor is new and owned by us.
    let made = Errno::result(unsafe { libc::socket(domain, kind | libc::SOCK_CLOEXEC, protocol) });
    let failed = |errno: Errno| {
        let object = format!("a socket of domain {domain}, type {kind}, protocol {protocol}");
        Error::no_descriptor(Step::Socket, object, &errno.into())
    };
    // SAFETY: as above.
    made.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).map_err(failed)
}
