//! The options of a [`Mount`].

use std::os::fd::BorrowedFd;

use super::mount::{Mount, What, permissions};
use crate::{Error, Result};

impl<'fd> Mount<'fd> {
    /// Gives a bind the mount flags of its source: those of a namespace's file cannot be changed.
    pub(crate) fn with_flags_of_source(mut self) -> Self {
        self.attributes = 0;
        self
    }

    /// Makes the mount read-only (`MOUNT_ATTR_RDONLY`).
    pub fn read_only(mut self) -> Self {
        self.attributes |= libc::MOUNT_ATTR_RDONLY;
        self
    }

    /// Refuses to execute programs in the mount (`MOUNT_ATTR_NOEXEC`).
    pub fn noexec(mut self) -> Self {
        self.attributes |= libc::MOUNT_ATTR_NOEXEC;
        self
    }

    /// Makes set-user-ID bits and file capabilities take effect in the mount (no
    /// `MOUNT_ATTR_NOSUID`).
    pub fn suid(mut self) -> Self {
        self.attributes &= !libc::MOUNT_ATTR_NOSUID;
        self
    }

    /// Makes device files in the mount work (no `MOUNT_ATTR_NODEV`).
    pub fn devices(mut self) -> Self {
        self.attributes &= !libc::MOUNT_ATTR_NODEV;
        self
    }

    /// Ignores a missing file: a bind whose source, or a [`Mount::read_only_path`] whose target
    /// does not exist.
    ///
    /// A [`Mount::file`] is left out instead if a later operation has the same target.
    pub fn if_exists(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Leaves out the mounts below.
    ///
    /// For a bind: the mounts below its source. In a user namespace the kernel refuses this with
    /// EINVAL if it would uncover files that a mount hides. For a [`Mount::read_only_path`]: the
    /// mounts below it stay writable; it must be a mount point. Other mounts are not changed.
    pub fn non_recursive(mut self) -> Self {
        if let What::Bind { recursive, .. } | What::ReadOnly { recursive } = &mut self.what {
            *recursive = false;
        }
        self
    }

    /// Makes a bind show files with other owners: the id map of `user_namespace` is applied to
    /// them.
    ///
    /// Needs Linux 5.12, root in the initial user namespace without a new one (EPERM at the spawn),
    /// and a file system that supports it (EINVAL at the spawn). ENOTSUP at the spawn:
    /// `mount_setattr(2)` is missing or refused. Mounts other than binds are not changed. See
    /// `mount_setattr(2)`, ID-mapped mounts.
    pub fn id_map(mut self, user_namespace: BorrowedFd<'fd>) -> Self {
        if let What::Bind { id_map, .. } = &mut self.what {
            *id_map = Some(user_namespace);
        }
        self
    }

    /// Limits the size of a tmpfs, in bytes.
    ///
    /// It also limits the number of files, since empty ones use memory too: to one for each KiB,
    /// and 1024 at least. By default a tmpfs holds half of the memory, and a file for every two
    /// pages of it. See `tmpfs(5)`. EINVAL: 0, which would be no limit, or 8 EiB and more.
    pub fn size(self, bytes: u64) -> Result<Self> {
        if !(1..1 << 63).contains(&bytes) {
            return Err(Error::argument(format!("{bytes} bytes are no size of a tmpfs: 1 to 8 EiB")));
        }
        let files = (bytes / 1024).max(1024);
        Ok(self.option("size", Some(bytes.to_string())).option("nr_inodes", Some(files.to_string())))
    }

    /// Sets the mode of the root directory of a tmpfs; 0755 by default.
    ///
    /// EINVAL: bits beyond 07777.
    pub fn mode(self, mode: u32) -> Result<Self> {
        let mode = permissions(mode)?;
        Ok(self.option("mode", Some(format!("{mode:o}"))))
    }

    /// Sets which processes a proc shows to other users: `off`, `noaccess`, `invisible` or
    /// `ptraceable`.
    ///
    /// EINVAL: another word. See `proc(5)`, mount option hidepid.
    pub fn hidepid(self, hidepid: &str) -> Result<Self> {
        match hidepid {
            "off" | "noaccess" | "invisible" | "ptraceable" => {
                Ok(self.option("hidepid", Some(hidepid.into())))
            }
            _ => Err(Error::argument(format!(
                "{hidepid:?} is no hidepid: off, noaccess, invisible or ptraceable"
            ))),
        }
    }

    /// Leaves everything but the process directories out of a proc (mount option `subset=pid`,
    /// `proc(5)`).
    pub fn subset_pid(self) -> Self {
        self.option("subset", Some("pid".into()))
    }

    /// Whether the operation adds a file system, directory or file that the program may write to.
    pub(crate) fn is_written(&self) -> bool {
        let writable = self.attributes & libc::MOUNT_ATTR_RDONLY == 0;
        match self.what {
            What::Bind { .. } | What::Filesystem { .. } | What::Dev | What::Overlay { .. } => writable,
            What::Dir { mode } | What::File { mode, .. } => mode & 0o222 != 0,
            What::Chmod { .. }
            | What::Symlink { .. }
            | What::Mask
            | What::ReadOnly { .. }
            | What::Propagation(_) => false,
        }
    }

    fn option(mut self, name: &'static str, value: Option<String>) -> Self {
        if let What::Filesystem { options, .. } = &mut self.what {
            options.retain(|(other, _)| *other != name);
            options.push((name, value));
        }
        self
    }
}
