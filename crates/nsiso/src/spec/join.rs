//! Existing namespaces that the program is to be in.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

use nix::errno::Errno;

use super::Spec;
use crate::handle::{identify, one};
use crate::{Error, Kinds, Result, Step};

/// Where a namespace to join is found.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Join<'fd> {
    /// It is this one.
    Namespace(BorrowedFd<'fd>),
    /// Those of these kinds that a process is in, given by its pidfd.
    Process(BorrowedFd<'fd>, Kinds),
}

impl<'fd> Spec<'fd> {
    /// Runs the program in an existing namespace, `setns(2)`: an nsfs descriptor, such as a [`Handle`](crate::Handle).
    ///
    /// Namespaces that are made new besides are made inside the joined ones: a new user namespace is a child of a
    /// joined one, a new mount namespace a copy. (A new pid namespace in a joined one is refused: the kernel has it made from inside alone.) In a joined user namespace the program is root, where root
    /// is mapped, unless an id is asked for or [`Spec::keep_credentials`]. In a joined mount namespace it begins at the root directory.
    pub fn join(&mut self, namespace: BorrowedFd<'fd>) -> Result<&mut Self> {
        identify(namespace)?;
        self.joins.push(Join::Namespace(namespace));
        Ok(self)
    }

    /// The same with namespaces of a process, given by its pidfd, that it is in when the program is spawned. Those
    /// that the caller shares with it are left out.
    pub fn join_process(&mut self, pidfd: BorrowedFd<'fd>, kinds: Kinds) -> Result<&mut Self> {
        if kinds.is_empty() {
            return Err(Error::argument("no kind of namespace is given"));
        }
        // SAFETY: a descriptor and numbers; signal 0 is none.
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
            // Whether another user's process may be joined is told at the spawn.
            _ => {}
        }
        self.joins.push(Join::Process(pidfd, kinds));
        Ok(self)
    }

    /// Keeps the new namespace of one kind at `path`, as [`pin`](crate::pin()) does, before the program runs. Asks for a new namespace.
    /// If the program cannot be started, nothing is kept.
    pub fn pin(&mut self, kind: Kinds, path: impl AsRef<Path>) -> Result<&mut Self> {
        one(kind)?;
        self.pins.retain(|(other, _)| *other != kind);
        self.pins.push((kind, path.as_ref().to_owned()));
        Ok(self.unshare(kind))
    }

    /// Holds the child once it is in its namespaces, before anything is set up in there: its pid is written to `info`, in decimal and with a line
    /// feed, and it goes on when `block` can be read, or when nobody has its other end any more (the child itself has what the caller had open). [`Spec::spawn`]
    /// waits for that, with all signals blocked. For whoever gives it id maps, a network or the like from outside.
    pub fn sync_fds(&mut self, info: BorrowedFd<'fd>, block: BorrowedFd<'fd>) -> &mut Self {
        self.sync_fds = Some((info, block));
        self
    }
}
