//! The options for existing namespaces that the program joins, for new ones that are pinned, and
//! for a caller that sets up the child's namespaces itself.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use nix::errno::Errno;

use super::Spec;
use crate::handle::{identify, one};
use crate::{Error, Kinds, Result, Step};

/// A namespace to join, or the process it is taken from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Join<'fd> {
    /// A descriptor of the namespace.
    Namespace(BorrowedFd<'fd>),
    /// A pidfd, and the kinds of namespace of that process that are joined.
    Process(BorrowedFd<'fd>, Kinds),
}

impl<'fd> Spec<'fd> {
    /// Runs the program in an existing namespace, `setns(2)`.
    ///
    /// `namespace` is a descriptor of an nsfs file, such as a [`Handle`](crate::Handle). New
    /// namespaces are created inside the joined ones: a new user namespace is a child of a joined
    /// one, a new mount namespace is a copy of a joined one. A new pid namespace inside a joined
    /// one is refused with EINVAL at the spawn, since only a process inside can create it.
    ///
    /// In a joined user namespace the program becomes root if root is mapped there, unless
    /// [`Spec::uid`], [`Spec::gid`] or [`Spec::keep_credentials`] says otherwise. In a joined mount
    /// namespace it begins at the root directory.
    ///
    /// EINVAL: the descriptor is not of a namespace; or, at the spawn, it is the caller's own user
    /// namespace, or two different namespaces of one kind are joined. EPERM at the spawn: the
    /// caller lacks CAP_SYS_ADMIN in the user namespace that owns the namespace.
    pub fn join(&mut self, namespace: BorrowedFd<'fd>) -> Result<&mut Self> {
        identify(namespace)?;
        self.joins.push(Join::Namespace(namespace));
        Ok(self)
    }

    /// Runs the program in namespaces of another process, given by its pidfd.
    ///
    /// They are the namespaces of these kinds that the process is in when the program is spawned.
    /// Namespaces that the caller is in too are left out. Needs the permission to `ptrace(2)` the
    /// process, which is checked at the spawn. [`Spec::join`] says how joined and new namespaces go
    /// together.
    ///
    /// EINVAL: `kinds` is empty, or the descriptor is not a pidfd, `pidfd_open(2)`. ESRCH: the
    /// process has ended.
    pub fn join_process(&mut self, pidfd: BorrowedFd<'fd>, kinds: Kinds) -> Result<&mut Self> {
        if kinds.is_empty() {
            return Err(Error::argument("no kind of namespace is given"));
        }
        // SAFETY: a descriptor and numbers; signal 0 only checks the process.
        let asked = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), 0, 0, 0) };
        match Errno::result(asked) {
            Err(errno @ Errno::ESRCH) => {
                return Err(Error::new(Step::Open, errno as i32, "the namespaces of a process")
                    .with_hint("the process has ended"));
            }
            Err(Errno::EBADF | Errno::EINVAL) => {
                let fd = pidfd.as_raw_fd();
                return Err(Error::argument(format!("descriptor {fd} is no pidfd, pidfd_open(2)")));
            }
            // The spawn reports whether another user's process may be joined.
            _ => {}
        }
        self.joins.push(Join::Process(pidfd, kinds));
        Ok(self)
    }

    /// Pins the new namespace of one kind at `path` before the program runs, as
    /// [`pin`](crate::pin()) does.
    ///
    /// Asks for a new namespace of that kind. The pin is a bind mount that keeps the namespace in
    /// existence. If the program cannot be started, the pin is removed. A second pin of the same
    /// kind replaces the first. Needs CAP_SYS_ADMIN in the user namespace that owns the caller's
    /// mount namespace: EPERM at the spawn otherwise. EINVAL: `kind` is not exactly one kind.
    pub fn pin(&mut self, kind: Kinds, path: impl AsRef<Path>) -> Result<&mut Self> {
        one(kind)?;
        self.pins.retain(|(other, _)| *other != kind);
        self.pins.push((kind, path.as_ref().to_owned()));
        Ok(self.unshare(kind))
    }

    /// Makes the child wait for the caller once it is in its namespaces, before their set-up.
    ///
    /// [`Spec::spawn`] writes the child's pid to `info`, in decimal and with a line feed. The child
    /// continues when `block` becomes readable, or when its other end is closed in every process
    /// (the child itself holds copies of what the caller had open). Meanwhile [`Spec::spawn`] waits
    /// with all signals blocked. This is for callers that write id maps or set up a network from
    /// outside.
    pub fn sync_fds(&mut self, info: BorrowedFd<'fd>, block: BorrowedFd<'fd>) -> &mut Self {
        self.sync_fds = Some((info, block));
        self
    }
}
