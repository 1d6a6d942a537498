//! [`Landlock`]: the rules for files and TCP ports that the kernel enforces on the program,
//! `landlock(7)`. `plan` adds the paths that the mounts make writable.

use std::ffi::{CString, OsStr};

use super::{Spec, path_text};
use crate::{Error, Result};

/// Landlock rules: access that they do not grant is refused, whatever the program's uid and the
/// file permissions are.
///
/// Paths are resolved in the program's file system view and must exist when it starts; otherwise
/// [`Spec::spawn`] fails with ENOENT. Needs Linux 6.2 (Landlock ABI 3) for rules about files;
/// [`Landlock::best_effort`] accepts less. See `landlock(7)`.
///
/// ```
/// use nsiso::{Landlock, Spec};
///
/// let rules = Landlock::new().execute("/")?.write("/tmp")?.best_effort();
/// assert_eq!(Spec::new("true")?.landlock(rules).spawn()?.wait()?.code(), Some(0));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Landlock {
    pub(crate) paths: Vec<(CString, u64)>,
    pub(crate) bind: Option<Vec<u16>>,
    pub(crate) connect: Option<Vec<u16>>,
    pub(crate) scopes: bool,
    pub(crate) best_effort: bool,
    /// Also grants access to the writable mounts of the view.
    pub(crate) as_mounted: bool,
}

pub(crate) const EXECUTE: u64 = 1;
pub(crate) const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
/// Removing and making files and directories of any type.
const CHANGE_DIR: u64 = 0x1FF0;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// The access rights that apply to a file that is not a directory.
pub(crate) const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

const READ: u64 = READ_FILE | READ_DIR;
pub(crate) const WRITE: u64 = READ | WRITE_FILE | CHANGE_DIR | REFER | TRUNCATE | IOCTL_DEV;

pub(crate) const BIND_TCP: u64 = 1;
pub(crate) const CONNECT_TCP: u64 = 2;

impl Landlock {
    /// Makes a ruleset that grants nothing.
    ///
    /// The program starts only if the rules let it be executed and its libraries be read: EACCES
    /// otherwise.
    pub fn new() -> Self {
        Landlock::default()
    }

    /// Allows reading files and listing directories at and below `path`.
    ///
    /// EINVAL: the path is empty or has a NUL byte in it.
    pub fn read(self, path: impl AsRef<OsStr>) -> Result<Self> {
        self.grant(path.as_ref(), READ)
    }

    /// Allows reading and executing files, and listing directories, at and below `path`.
    ///
    /// EINVAL: the path is empty or has a NUL byte in it.
    pub fn execute(self, path: impl AsRef<OsStr>) -> Result<Self> {
        self.grant(path.as_ref(), READ | EXECUTE)
    }

    /// Allows reading, writing, creating and removing files at and below `path`, but not executing
    /// them.
    ///
    /// EINVAL: the path is empty or has a NUL byte in it.
    pub fn write(self, path: impl AsRef<OsStr>) -> Result<Self> {
        self.grant(path.as_ref(), WRITE)
    }

    fn grant(mut self, path: &OsStr, access: u64) -> Result<Self> {
        let path = path_text("Landlock rule", path)?;
        match self.paths.iter_mut().find(|(known, _)| *known == path) {
            Some((_, granted)) => *granted |= access,
            None => self.paths.push((path, access)),
        }
        Ok(self)
    }

    /// Allows binding TCP sockets to these ports only.
    ///
    /// Further calls add ports. By default every port may be bound. Needs Linux 6.7 (Landlock ABI
    /// 4).
    pub fn bind_tcp(mut self, ports: &[u16]) -> Self {
        self.bind.get_or_insert_default().extend_from_slice(ports);
        self
    }

    /// Allows TCP connections to these ports only.
    ///
    /// Further calls add ports. By default every port may be connected to. The rule applies to
    /// `connect(2)`: TCP Fast Open and MPTCP get round it unless
    /// [`Seccomp::untrusted`](super::Seccomp::untrusted) refuses them. UDP is not restricted. Needs
    /// Linux 6.7 (Landlock ABI 4).
    pub fn connect_tcp(mut self, ports: &[u16]) -> Self {
        self.connect.get_or_insert_default().extend_from_slice(ports);
        self
    }

    /// Refuses signals to processes outside, and connections to abstract Unix sockets made outside.
    ///
    /// Outside means: not restricted by this ruleset. Needs Linux 6.12 (Landlock ABI 6).
    pub fn scoped(mut self) -> Self {
        self.scopes = true;
        self
    }

    /// Allows writing to every writable mount, file and directory that the spec adds to the view,
    /// except the root.
    pub fn as_mounted(mut self) -> Self {
        self.as_mounted = true;
        self
    }

    /// Enforces the part of the rules that the kernel supports.
    ///
    /// Without this, [`Spec::spawn`] fails with ENOTSUP if the kernel supports only a part. On a
    /// kernel without Landlock nothing is enforced.
    pub fn best_effort(mut self) -> Self {
        self.best_effort = true;
        self
    }

    /// The fields of `struct landlock_ruleset_attr` that this version of Landlock knows. None if
    /// the kernel has no Landlock.
    pub(crate) fn attributes(&self, version: i32) -> Result<Option<[u64; 3]>> {
        let wanted = match () {
            _ if self.scopes => (6, "scopes"),
            _ if self.bind.is_some() || self.connect.is_some() => (4, "rules for ports"),
            _ => (3, "all rules for files"),
        };
        if version < wanted.0 && !self.best_effort {
            return Err(Error::new(crate::Step::Landlock, libc::ENOTSUP, wanted.1).with_hint(format!(
                "this kernel has Landlock {version}, {} is needed; best_effort() enforces what there is",
                wanted.0
            )));
        }
        let files = match version {
            ..=0 => return Ok(None),
            1 => REFER - 1,
            2 => TRUNCATE - 1,
            3 | 4 => IOCTL_DEV - 1,
            _ => (IOCTL_DEV << 1) - 1,
        };
        let ports = |rule: &Option<Vec<u16>>, bit| if rule.is_some() && version >= 4 { bit } else { 0 };
        let scopes = if self.scopes && version >= 6 { 3 } else { 0 };
        Ok(Some([files, ports(&self.bind, BIND_TCP) | ports(&self.connect, CONNECT_TCP), scopes]))
    }
}

impl Spec<'_> {
    /// Restricts the program by these Landlock rules.
    ///
    /// `None` removes the rules that were set before, for example by [`Spec::sandbox`]. Rules imply
    /// `new_privs(false)`, which the kernel demands: see [`Spec::new_privs`]. They take effect
    /// after the set-up, in the program's file system view.
    ///
    /// ENOTSUP at the spawn: the kernel does not support all of the rules. E2BIG at the spawn: the
    /// caller has 16 layers of Landlock already, the kernel's limit.
    pub fn landlock(&mut self, rules: impl Into<Option<Landlock>>) -> &mut Self {
        self.privileges.landlock = rules.into();
        match self.privileges.landlock {
            Some(_) => self.new_privs(false),
            None => self,
        }
    }
}
