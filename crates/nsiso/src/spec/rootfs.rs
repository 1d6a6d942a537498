//! The options of the program's root file system as a whole: propagation, a fresh proc, and another
//! root directory. [`Mount`] is one operation on it.

use std::ffi::{CString, OsStr};
use std::os::fd::BorrowedFd;

use super::{Mount, Spec, What, path_text};
use crate::{Kinds, Result};

/// How mount events propagate between the new mount namespace and the caller's,
/// `mount_namespaces(7)`.
///
/// ```
/// use nsiso::{Kinds, Propagation, Spec};
///
/// let mut spec = Spec::new("true")?;
/// spec.map_root().unshare(Kinds::MNT).propagation(Propagation::Slave);
/// assert_eq!(spec.spawn()?.wait()?.code(), Some(0));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Propagation {
    /// Mount events do not propagate in either direction. Default.
    #[default]
    Private,
    /// Mount events propagate from the caller's namespace into the new one only.
    Slave,
    /// Mount events propagate in both directions.
    Shared,
    /// Each mount keeps the propagation that the kernel copied from the caller's namespace.
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
    /// Sets the propagation of all mounts in a new mount namespace.
    ///
    /// Default: [`Propagation::Private`]. With [`Spec::mount`], shared and unchanged are refused:
    /// [`Spec::spawn`] fails with EINVAL. It has no effect without a new mount namespace. See
    /// `mount_namespaces(7)`.
    pub fn propagation(&mut self, propagation: Propagation) -> &mut Self {
        self.rootfs.propagation = propagation;
        self
    }

    /// Mounts a fresh proc, which shows the program's pid namespace, at `path` (usually `/proc`).
    ///
    /// Asks for a new mount namespace. In a new user namespace this needs a new pid namespace, and
    /// a `/proc` of the caller's that no other mounts cover: EPERM at the spawn otherwise. ENOENT
    /// or ENOTDIR at the spawn: the mount point is not a directory that exists; with
    /// [`Spec::mount`] it is created. EINVAL: the path is empty or has a NUL byte in it; at the
    /// spawn: the spec joins a pid namespace, whose processes it would not show.
    /// [`Mount::procfs`] takes options and its place among other mounts.
    pub fn mount_proc(&mut self, path: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.rootfs.proc_mount = Some(path_text("mount point of proc", path.as_ref())?);
        Ok(self.unshare(Kinds::MNT))
    }

    /// Makes a directory, given by a descriptor, the program's root, `chroot(2)`.
    ///
    /// The directory may be in another mount namespace. It is entered after the namespaces are
    /// joined. Needs CAP_SYS_CHROOT: EPERM at the spawn otherwise. EBADF at the spawn: the
    /// descriptor is not open.
    pub fn root_at(&mut self, directory: BorrowedFd<'fd>) -> &mut Self {
        self.rootfs.root_at = Some(directory);
        self
    }

    /// Whether the spec mounts a fresh proc.
    pub(crate) fn mounts_proc(&self) -> bool {
        let is_proc = |mount: &Mount| matches!(mount.what, What::Filesystem { kind: "proc", .. });
        self.rootfs.proc_mount.is_some() || self.rootfs.mounts.iter().any(is_proc)
    }
}
