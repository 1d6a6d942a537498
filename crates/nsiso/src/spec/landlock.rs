//! What the program may reach at all, by path and port: `landlock(7)`.

use std::ffi::{CString, OsStr};

use super::{Spec, path_text};
use crate::{Error, Result};

/// Rules of Landlock: whatever they do not grant is refused, whoever the program is and whatever file permissions say.
///
/// Paths are as the program sees them, and must exist when it starts.
#[derive(Clone, Debug, Default)]
pub struct Landlock {
    pub(crate) paths: Vec<(CString, u64)>,
    pub(crate) bind: Option<Vec<u16>>,
    pub(crate) connect: Option<Vec<u16>>,
    pub(crate) scopes: bool,
    pub(crate) best_effort: bool,
    /// What the view lets the program write is granted, too.
    pub(crate) as_mounted: bool,
}

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
/// Removing and making files and directories of any sort.
const CHANGE_DIR: u64 = 0x1FF0;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// Those that mean something for a file that is no directory.
pub(crate) const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

const READ: u64 = READ_FILE | READ_DIR;
pub(crate) const WRITE: u64 = READ | WRITE_FILE | CHANGE_DIR | REFER | TRUNCATE | IOCTL_DEV;

pub(crate) const BIND_TCP: u64 = 1;
pub(crate) const CONNECT_TCP: u64 = 2;

impl Landlock {
    /// Grants nothing yet. The program may be started only where it may be executed and its libraries be read.
    pub fn new() -> Self {
        Landlock::default()
    }

    /// Files below `path` may be read and directories listed.
    pub fn read(self, path: impl AsRef<OsStr>) -> Result<Self> {
        self.grant(path.as_ref(), READ)
    }

    /// Files below `path` may be read and executed.
    pub fn execute(self, path: impl AsRef<OsStr>) -> Result<Self> {
        self.grant(path.as_ref(), READ | EXECUTE)
    }

    /// Files below `path` may be read, written, made and removed.
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

    /// TCP sockets may be bound to these ports alone.
    pub fn bind_tcp(mut self, ports: &[u16]) -> Self {
        self.bind.get_or_insert_default().extend_from_slice(ports);
        self
    }

    /// TCP connections may be made to these ports alone. The kernel counts connect(2): TCP Fast Open and MPTCP get round it, unless
    /// [`Filter::untrusted`](super::Filter::untrusted) refuses them; so does UDP, which is not TCP.
    pub fn connect_tcp(mut self, ports: &[u16]) -> Self {
        self.connect.get_or_insert_default().extend_from_slice(ports);
        self
    }

    /// No signals to processes outside, no connections to abstract Unix sockets made outside.
    pub fn scoped(mut self) -> Self {
        self.scopes = true;
        self
    }

    /// Whatever is mounted or made in the program's view of the file system for it to write may be written, but for the root itself.
    pub fn write_as_mounted(mut self) -> Self {
        self.as_mounted = true;
        self
    }

    /// Where the kernel knows less than is asked for, the rest is enforced. Without this the spawn fails.
    pub fn best_effort(mut self) -> Self {
        self.best_effort = true;
        self
    }

    /// What is asked of the kernel: `struct landlock_ruleset_attr`, as far as its version goes. None if it knows no Landlock.
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
    /// Restricts the program by these rules; `None` lifts what was set before, by
    /// [`Spec::sandbox`] for example. Rules bring `new_privs(false)`, which the kernel demands.
    pub fn landlock(&mut self, rules: impl Into<Option<Landlock>>) -> &mut Self {
        self.privileges.landlock = rules.into();
        match self.privileges.landlock {
            Some(_) => self.new_privs(false),
            None => self,
        }
    }
}
