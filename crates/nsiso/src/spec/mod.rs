//! What the caller asks for. Each setter checks what it is given, at once; a finished [`Spec`] is
//! only read, so many threads may spawn from one at a time.

mod address;
mod clock;
mod environment;
mod id_map;
mod identity;
mod init;
mod join;
pub(crate) mod landlock;
mod limits;
mod mount;
mod names;
mod network;
mod privileges;
mod program;
mod rlimits;
mod rootfs;
mod sandbox;
mod scheduling;
mod seccomp;
mod stdio;
mod task;

use std::ffi::{CString, OsStr};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

pub use address::Address;
pub use clock::ClockOffset;
use clock::Clocks;
pub(crate) use environment::Environment;
pub(crate) use id_map::IdMap;
pub use id_map::IdRange;
use identity::Identity;
pub(crate) use init::Init;
pub(crate) use join::Join;
pub use landlock::Landlock;
use limits::Resources;
pub(crate) use limits::Setting;
pub use limits::{Io, Limits};
pub use mount::Mount;
pub(crate) use mount::{Tree, What};
use names::Names;
use network::Network;
pub use network::{Endpoint, Uplink};
pub(crate) use network::{Quality, Route, device_name};
pub(crate) use privileges::Privileges;
use program::Program;
pub use rlimits::UNLIMITED;
pub(crate) use rlimits::limit_name;
pub use rootfs::Propagation;
use rootfs::Rootfs;
use scheduling::Scheduling;
pub use seccomp::{Filter, SeccompAction};
pub(crate) use stdio::Source;
pub use stdio::Stdio;
pub(crate) use task::Task;

use crate::{Error, Kinds, Process, Result};

/// A program to start and the isolation it gets.
///
/// An option brings the namespace it needs: a host name asks for a new UTS namespace, an id map for
/// a new user namespace, a fresh `/proc` for a new mount namespace, a clock offset for a new time
/// namespace. An ordinary user needs a new user namespace for all other kinds.
///
/// ```
/// use nsiso::{Kinds, Spec};
///
/// let mut spec = Spec::new("sh")?;
/// spec.args(["-c", "test $$ = 1 && test $(id -u) = 0"])?
///     .unshare(Kinds::USER | Kinds::PID)
///     .map_root()
///     .mount_proc("/proc")?;
/// let status = spec.spawn()?.wait()?;
/// assert_eq!(status.code(), Some(0));
/// # Ok::<(), nsiso::Error>(())
/// ```
///
/// Descriptors given to a `Spec` are borrowed: they are used by number when the program is
/// spawned and stay the caller's.
#[derive(Clone, Debug)]
pub struct Spec<'fd> {
    pub(crate) program: Program<'fd>,
    /// The new namespaces.
    pub(crate) kinds: Kinds,
    pub(crate) joins: Vec<Join<'fd>>,
    /// Where new namespaces are kept.
    pub(crate) pins: Vec<(Kinds, PathBuf)>,
    /// The new namespaces that the parent keeps open.
    pub(crate) held: Kinds,
    pub(crate) sync_fds: Option<(BorrowedFd<'fd>, BorrowedFd<'fd>)>,
    pub(crate) identity: Box<Identity>,
    pub(crate) names: Names,
    pub(crate) clocks: Clocks,
    pub(crate) rootfs: Rootfs<'fd>,
    pub(crate) network: Box<Network<'fd>>,
    pub(crate) resources: Box<Resources>,
    pub(crate) privileges: Box<Privileges>,
    pub(crate) scheduling: Scheduling,
    pub(crate) init: Option<Init>,
    /// The process with which everything ends, in place of the caller.
    pub(crate) watched: Option<BorrowedFd<'fd>>,
    pub(crate) deadline: Option<Duration>,
}

impl<'fd> Spec<'fd> {
    /// A program without arguments in the caller's own namespaces. A name without a slash is
    /// looked for in the `PATH` of the environment the program gets, as `execvp(3)` does.
    pub fn new(program: impl AsRef<OsStr>) -> Result<Self> {
        Ok(Spec {
            program: Program::new(program.as_ref())?,
            kinds: Kinds::empty(),
            joins: Vec::new(),
            pins: Vec::new(),
            held: Kinds::empty(),
            sync_fds: None,
            identity: Box::default(),
            names: Names::default(),
            clocks: Clocks::default(),
            rootfs: Rootfs::default(),
            network: Box::default(),
            resources: Box::default(),
            privileges: Box::default(),
            scheduling: Scheduling::default(),
            init: None,
            watched: None,
            deadline: None,
        })
    }

    /// Starts the program. Returns when it runs or is known not to.
    ///
    /// A helper program does the set-up in memory of its own, so a process that may trace the
    /// program reaches nothing of the caller. Where a pid namespace is new or joined, or a cgroup
    /// of version 2 is used, the helper makes the program's process and ends: the caller, whose
    /// child both are, gets SIGCHLD for each.
    ///
    /// Many threads may spawn from one `Spec` at a time.
    pub fn spawn(&self) -> Result<Process> {
        self.check_privileges()?;
        crate::spawn::spawn(self)
    }

    /// The calling process becomes the program, as by `execve(2)`: it keeps its pid, its parent and
    /// its terminal, and its other threads end. Returns only if that fails before anything has
    /// changed.
    ///
    /// What fails later, when the process is no longer the caller's program, is written to
    /// descriptor 2, and the process exits with 127 if the program is not found, with 126
    /// otherwise. A new or joined pid namespace is that of the program's children; the program
    /// itself stays where the caller was. A caller with several threads maps its own ids alone:
    /// other id maps, and pins, are refused. A pin stays if a later step fails. With
    /// [`Spec::limits`] the cgroup stays when the program has ended, until the next call that uses
    /// limits removes it.
    ///
    /// Options that take a parent are refused: an init process and what brings it, pipes, a
    /// terminal, links, devices, an uplink, a filter that asks the caller, and [`Spec::sync_fds`]; and
    /// a fresh proc beside a new pid namespace, since the program is not in that.
    pub fn exec(&self) -> Error {
        match self.check_privileges().and_then(|()| crate::spawn::exec(self)) {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }

    /// Adds kinds of namespace that are made new for the program.
    pub fn unshare(&mut self, kinds: Kinds) -> &mut Self {
        self.kinds |= kinds;
        self
    }
}

fn text(what: &str, value: &OsStr) -> Result<CString> {
    CString::new(value.as_bytes())
        .map_err(|_| Error::argument(format!("{what} {value:?} has a NUL byte in it")))
}

fn path_text(what: &str, value: &OsStr) -> Result<CString> {
    if value.is_empty() {
        return Err(Error::argument(format!("the path of the {what} is empty")));
    }
    text(what, value)
}
