//! The program's root file system: what is mounted, and how mounts propagate.

use std::ffi::{CString, OsStr};
use std::os::fd::BorrowedFd;

use super::{Mount, Spec, What, path_text};
use crate::{Kinds, Result};

/// How mounts pass between the new mount namespace and the host's, `mount_namespaces(7)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// Neither way: the default.
    #[default]
    Private,
    /// From the host into the namespace only.
    Slave,
    /// Both ways.
    Shared,
    /// As the kernel copied them.
    Unchanged,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Rootfs<'fd> {
    pub propagation: Propagation,
    pub proc_mount: Option<CString>,
    pub mounts: Vec<Mount<'fd>>,
    pub root_at: Option<BorrowedFd<'fd>>,
}

impl<'fd> Spec<'fd> {
    /// The propagation of all mounts in a new mount namespace.
    pub fn propagation(&mut self, propagation: Propagation) -> &mut Self {
        self.rootfs.propagation = propagation;
        self
    }

    /// Mounts a fresh proc file system, which shows the new pid namespace, at `path` (usually
    /// `/proc`). Asks for a new mount namespace.
    pub fn mount_proc(&mut self, path: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.rootfs.proc_mount = Some(path_text("mount point of proc", path.as_ref())?);
        Ok(self.unshare(Kinds::MNT))
    }

    /// The directory that is the program's root, `chroot(2)`: a descriptor, of another mount namespace perhaps. Where mounts are
    /// joined, it is entered after them. Takes CAP_SYS_CHROOT.
    pub fn root_at(&mut self, directory: BorrowedFd<'fd>) -> &mut Self {
        self.rootfs.root_at = Some(directory);
        self
    }

    /// Whether it mounts a fresh proc.
    pub(crate) fn mounts_proc(&self) -> bool {
        let is_proc = |mount: &Mount| matches!(mount.what, What::Filesystem { kind: "proc", .. });
        self.rootfs.proc_mount.is_some() || self.rootfs.mounts.iter().any(is_proc)
    }
}
