//! A [`Spec`]: the program to start and its options, one file for each group of options. A setter
//! checks its arguments at once; the `plan` module turns a finished spec into the helper's actions.

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
mod mount_options;
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
#[cfg(feature = "serde")]
pub(crate) use privileges::capability_names;
use program::Program;
pub use rlimits::UNLIMITED;
pub(crate) use rlimits::limit_name;
pub use rootfs::Propagation;
use rootfs::Rootfs;
use scheduling::Scheduling;
#[cfg(feature = "serde")]
pub(crate) use seccomp::Rules;
pub use seccomp::{Seccomp, SeccompAction};
pub(crate) use stdio::Source;
pub use stdio::Stdio;
pub(crate) use task::Task;

use crate::{Error, Kinds, Process, Result};

/// A program to start and the isolation it gets.
///
/// An option asks for the new namespace that it needs: a host name for a UTS namespace, an id map
/// for a user namespace, a fresh `/proc` for a mount namespace, a clock offset for a time
/// namespace. [`Spec::unshare`] asks for any kind. An ordinary user needs a new user namespace for
/// all other kinds.
///
/// A setter returns an error of [`Step::Argument`](crate::Step::Argument) with errno EINVAL for a
/// value that is out of range or has a NUL byte in it. A finished spec is only read, so many
/// threads may spawn from one at a time.
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
/// A `Spec` borrows the file descriptors given to it. It uses them by number when the program is
/// spawned, and they stay open in the caller.
#[derive(Clone, Debug)]
pub struct Spec<'fd> {
    /// The sandbox's options have been set.
    pub(crate) sandbox: bool,
    pub(crate) program: Box<Program<'fd>>,
    /// The kinds of namespace that are new.
    pub(crate) kinds: Kinds,
    pub(crate) joins: Vec<Join<'fd>>,
    /// Where new namespaces are pinned.
    pub(crate) pins: Vec<(Kinds, PathBuf)>,
    /// The new namespaces whose descriptors the parent keeps.
    pub(crate) held: Kinds,
    pub(crate) sync_fds: Option<(BorrowedFd<'fd>, BorrowedFd<'fd>)>,
    pub(crate) identity: Box<Identity>,
    pub(crate) names: Names,
    pub(crate) clocks: Clocks,
    pub(crate) rootfs: Box<Rootfs<'fd>>,
    pub(crate) network: Box<Network<'fd>>,
    pub(crate) resources: Box<Resources>,
    pub(crate) privileges: Box<Privileges>,
    pub(crate) scheduling: Scheduling,
    pub(crate) init: Option<Init>,
    /// The pidfd of the process whose death ends the namespace, in place of the caller's.
    pub(crate) watched: Option<BorrowedFd<'fd>>,
    pub(crate) deadline: Option<Duration>,
}

impl<'fd> Spec<'fd> {
    /// Makes a spec for a program without arguments, in the caller's own namespaces.
    ///
    /// A name without a slash is searched for in the `PATH` of the program's environment, as by
    /// `execvp(3)`. Without `PATH`, `/bin` and `/usr/bin` are searched. EINVAL: the name is empty.
    pub fn new(program: impl AsRef<OsStr>) -> Result<Self> {
        Ok(Spec {
            sandbox: false,
            program: Box::new(Program::new(program.as_ref())?),
            kinds: Kinds::empty(),
            joins: Vec::new(),
            pins: Vec::new(),
            held: Kinds::empty(),
            sync_fds: None,
            identity: Box::default(),
            names: Names::default(),
            clocks: Clocks::default(),
            rootfs: Box::default(),
            network: Box::default(),
            resources: Box::default(),
            privileges: Box::default(),
            scheduling: Scheduling::default(),
            init: None,
            watched: None,
            deadline: None,
        })
    }

    /// Starts the program and returns once it runs.
    ///
    /// Returns an error if any step of the set-up or `execve(2)` fails: [`Error::step`] says which
    /// step, [`Error::errno`] why. Nothing of the program is left running then.
    ///
    /// A helper program does the set-up in its own memory, so a process that may trace the program
    /// cannot reach the caller's memory. Where a pid namespace is new or joined, or a cgroup of
    /// version 2 is used, the helper creates the program's process and ends. Both are children of
    /// the caller, which gets SIGCHLD for each.
    ///
    /// Many threads may spawn from one `Spec` at a time.
    pub fn spawn(&self) -> Result<Process> {
        self.check_privileges()?;
        crate::spawn::spawn(self)
    }

    /// Replaces the calling process with the program, as `execve(2)` does.
    ///
    /// The process keeps its pid, its parent and its terminal; its other threads end. This function
    /// returns only if it fails before anything has changed. A later failure, when the caller's
    /// program is gone, is written to descriptor 2, and the process exits with 127 if the program
    /// is not found, with 126 otherwise.
    ///
    /// A new or joined pid namespace is the namespace of the program's children; the program itself
    /// stays in the caller's. A caller with several threads can map only its own ids: other id
    /// maps, and pins, are refused. A pin stays if a later step fails. With [`Spec::limits`] the
    /// cgroup stays when the program has ended, until the next call that uses limits removes it.
    ///
    /// EINVAL: an option needs a parent process. These are an init process and the options that
    /// imply it, pipes, a terminal, links, devices, an uplink, [`Spec::seccomp_notify`] and
    /// [`Spec::sync_fds`]. A fresh proc beside a new pid namespace is refused too, since the
    /// program is not in that namespace.
    pub fn exec(&self) -> Error {
        match self.check_privileges().and_then(|()| crate::spawn::exec(self)) {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }

    /// Adds kinds of namespace that are created new for the program.
    ///
    /// See `namespaces(7)`. Without CAP_SYS_ADMIN all kinds but [`Kinds::USER`] need a new user
    /// namespace beside them; otherwise [`Spec::spawn`] fails with EPERM. [`Spec::share`] undoes
    /// this.
    pub fn unshare(&mut self, kinds: Kinds) -> &mut Self {
        self.kinds |= kinds;
        self
    }

    /// Returns the kinds of namespace that the options so far request to be created new.
    pub fn kinds(&self) -> Kinds {
        self.kinds
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
