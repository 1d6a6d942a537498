//! What the caller asks for. Each setter checks what it is given, at once; a finished [`Spec`] is
//! only read, so many threads may spawn from one at a time.

mod address;
mod clock;
mod environment;
mod id_map;
mod init;
mod join;
pub(crate) mod landlock;
mod limits;
mod mount;
mod network;
mod privileges;
mod sandbox;
mod seccomp;
mod stdio;
mod task;

use std::ffi::{CString, OsStr};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

pub use address::Address;
pub use clock::ClockOffset;
pub(crate) use environment::Environment;
pub(crate) use id_map::IdMap;
pub use id_map::IdRange;
pub(crate) use init::Init;
pub(crate) use join::Join;
pub use landlock::Landlock;
pub(crate) use limits::Setting;
pub use limits::{Io, Limits};
pub use mount::Mount;
pub(crate) use mount::{Tree, What};
pub use network::{Endpoint, Uplink};
pub(crate) use network::{Quality, Route, device_name};
pub use privileges::UNLIMITED;
pub(crate) use privileges::{Treatment, limit_name};
pub use seccomp::{Filter, SeccompAction};
pub use stdio::Stdio;
pub(crate) use stdio::{MAX_DESCRIPTOR, Source};
pub(crate) use task::Task;

use crate::{Error, Kinds, Process, Result};

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
    pub(crate) program: CString,
    pub(crate) argv: Vec<CString>,
    pub(crate) environment: Environment,
    pub(crate) cwd: Option<CString>,
    pub(crate) kinds: Kinds,
    pub(crate) joins: Vec<Join<'fd>>,
    pub(crate) keep_credentials: bool,
    pub(crate) root_at: Option<BorrowedFd<'fd>>,
    pub(crate) cwd_at: Option<BorrowedFd<'fd>>,
    pub(crate) pins: Vec<(Kinds, PathBuf)>,
    pub(crate) sync_fds: Option<(BorrowedFd<'fd>, BorrowedFd<'fd>)>,
    /// Who the caller is taken for in the id maps, where it is not to be itself.
    pub(crate) stand_in: Option<u32>,
    pub(crate) uid_map: IdMap,
    pub(crate) gid_map: IdMap,
    pub(crate) setgroups: Option<bool>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) groups: Option<Vec<u32>>,
    pub(crate) keep_caps: bool,
    pub(crate) hostname: Option<CString>,
    pub(crate) domainname: Option<CString>,
    pub(crate) monotonic: Option<ClockOffset>,
    pub(crate) boottime: Option<ClockOffset>,
    pub(crate) propagation: Propagation,
    pub(crate) proc_mount: Option<CString>,
    pub(crate) mounts: Vec<Mount<'fd>>,
    pub(crate) limits: Option<Limits>,
    pub(crate) cgroup_parent: Option<PathBuf>,
    pub(crate) treatment: Treatment,
    pub(crate) init: Option<Init>,
    /// The process with which everything ends, in place of the caller.
    pub(crate) watched: Option<BorrowedFd<'fd>>,
    pub(crate) pty: Option<(u16, u16)>,
    pub(crate) landlock: Option<Landlock>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) notify: Option<Filter>,
    pub(crate) loopback: bool,
    pub(crate) new_session: bool,
    /// Signals that the caller ignores are at their default in the program.
    pub(crate) reset_signals: bool,
    /// What is done in place of the program.
    pub(crate) task: Option<Task>,
    pub(crate) held: Kinds,
    pub(crate) links: Vec<(Endpoint<'fd>, Endpoint<'fd>)>,
    pub(crate) devices: Vec<(String, Endpoint<'fd>)>,
    pub(crate) uplink: Option<Uplink>,
    pub(crate) descriptors: Vec<(i32, Source<'fd>)>,
}

impl<'fd> Spec<'fd> {
    /// A program without arguments in the caller's own namespaces. A name without a slash is
    /// looked for in the `PATH` of the environment the program gets, as `execvp(3)` does.
    pub fn new(program: impl AsRef<OsStr>) -> Result<Self> {
        let program = program_text(program.as_ref())?;
        Ok(Spec {
            argv: vec![program.clone()],
            program,
            environment: Environment::default(),
            cwd: None,
            kinds: Kinds::empty(),
            joins: Vec::new(),
            keep_credentials: false,
            root_at: None,
            cwd_at: None,
            pins: Vec::new(),
            sync_fds: None,
            stand_in: None,
            uid_map: IdMap::default(),
            gid_map: IdMap::default(),
            setgroups: None,
            uid: None,
            gid: None,
            groups: None,
            keep_caps: false,
            hostname: None,
            domainname: None,
            monotonic: None,
            boottime: None,
            propagation: Propagation::default(),
            proc_mount: None,
            mounts: Vec::new(),
            limits: None,
            cgroup_parent: None,
            treatment: Treatment::default(),
            init: None,
            watched: None,
            pty: None,
            landlock: None,
            filters: Vec::new(),
            notify: None,
            loopback: true,
            new_session: false,
            reset_signals: false,
            task: None,
            held: Kinds::empty(),
            links: Vec::new(),
            devices: Vec::new(),
            uplink: None,
            descriptors: Vec::new(),
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

    /// The file to execute in place of the program's name, which stays `argv[0]`.
    pub fn program(&mut self, program: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.program = program_text(program.as_ref())?;
        Ok(self)
    }

    /// Replaces the program and all its arguments: the first is both the program and `argv[0]`.
    pub fn argv<A: AsRef<OsStr>>(&mut self, argv: impl IntoIterator<Item = A>) -> Result<&mut Self> {
        let argv: Vec<_> =
            argv.into_iter().map(|arg| text("argument", arg.as_ref())).collect::<Result<_>>()?;
        let program =
            argv.first().ok_or_else(|| Error::argument("argv is empty: it begins with the program"))?;
        self.program = program_text(OsStr::from_bytes(program.to_bytes()))?;
        self.argv = argv;
        Ok(self)
    }

    /// One more argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.argv.push(text("argument", arg.as_ref())?);
        Ok(self)
    }

    /// More arguments.
    pub fn args<A: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = A>) -> Result<&mut Self> {
        for arg in args {
            self.arg(arg)?;
        }
        Ok(self)
    }

    /// What the program sees as its own name; its name as it was given, by default.
    pub fn arg0(&mut self, name: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.argv[0] = text("argv[0]", name.as_ref())?;
        Ok(self)
    }

    /// Start with an empty environment; later [`Spec::env`] add to it. The default is the
    /// caller's environment at the time of the spawn.
    pub fn env_clear(&mut self) -> &mut Self {
        self.environment.clear();
        self
    }

    /// Sets one environment variable.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.environment.set(name.as_ref(), value.as_ref())?;
        Ok(self)
    }

    /// Removes one environment variable.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.environment.unset(name.as_ref())?;
        Ok(self)
    }

    /// The working directory; the caller's by default. A relative program is looked for in it.
    pub fn cwd(&mut self, path: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.cwd = Some(path_text("working directory", path.as_ref())?);
        Ok(self)
    }

    /// Adds kinds of namespace that are made new for the program.
    pub fn unshare(&mut self, kinds: Kinds) -> &mut Self {
        self.kinds |= kinds;
        self
    }

    /// The caller is root inside: its effective uid and gid are mapped to 0.
    /// Asks for a new user namespace.
    pub fn map_root(&mut self) -> &mut Self {
        self.uid_map.add_caller(Some(0));
        self.gid_map.add_caller(Some(0));
        self.unshare(Kinds::USER)
    }

    /// The caller keeps its effective uid and gid inside. Asks for a new user namespace.
    pub fn map_current(&mut self) -> &mut Self {
        self.uid_map.add_caller(None);
        self.gid_map.add_caller(None);
        self.unshare(Kinds::USER)
    }

    /// The caller's first block of ids in `/etc/subuid` and `/etc/subgid` is laid out from 0
    /// inside, leaving out the ids that are mapped otherwise. Asks for a new user namespace;
    /// an ordinary caller needs `newuidmap(1)`.
    pub fn map_auto(&mut self) -> &mut Self {
        self.uid_map.add_subordinate();
        self.gid_map.add_subordinate();
        self.unshare(Kinds::USER)
    }

    /// Maps one more range of uids. Asks for a new user namespace.
    pub fn uid_map(&mut self, range: IdRange) -> Result<&mut Self> {
        self.uid_map.add_range("uid", range)?;
        Ok(self.unshare(Kinds::USER))
    }

    /// Maps one more range of gids. Asks for a new user namespace.
    pub fn gid_map(&mut self, range: IdRange) -> Result<&mut Self> {
        self.gid_map.add_range("gid", range)?;
        Ok(self.unshare(Kinds::USER))
    }

    /// Whether `setgroups(2)` stays allowed in the new user namespace, `user_namespaces(7)`. By
    /// default it is denied when the caller's own gid alone is mapped, as the kernel demands of an
    /// ordinary caller.
    pub fn setgroups(&mut self, allow: bool) -> &mut Self {
        self.setgroups = Some(allow);
        self.unshare(Kinds::USER)
    }

    /// The uid to run as, as seen inside. By default the caller's; where a new user namespace does
    /// not map that, 0, or the lowest uid that is mapped. Supplementary groups are dropped with
    /// the caller's identity, unless given.
    pub fn uid(&mut self, uid: u32) -> Result<&mut Self> {
        self.uid = Some(id_map::id("uid", uid)?);
        Ok(self)
    }

    /// The gid to run as, as seen inside; the default is as for [`Spec::uid`].
    pub fn gid(&mut self, gid: u32) -> Result<&mut Self> {
        self.gid = Some(id_map::id("gid", gid)?);
        Ok(self)
    }

    /// The supplementary groups, as seen inside; `&[]` for none.
    pub fn groups(&mut self, groups: &[u32]) -> Result<&mut Self> {
        for gid in groups {
            id_map::id("supplementary gid", *gid)?;
        }
        self.groups = Some(groups.to_vec());
        Ok(self)
    }

    /// Keeps the capabilities of the new user namespace over exec, as ambient capabilities
    /// (`capabilities(7)`), also for a program that is not root inside.
    pub fn keep_caps(&mut self) -> &mut Self {
        self.keep_caps = true;
        self
    }

    /// The host name inside: at most 64 bytes. Asks for a new UTS namespace.
    pub fn hostname(&mut self, name: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.hostname = Some(uts_name("host name", name.as_ref())?);
        Ok(self.unshare(Kinds::UTS))
    }

    /// The NIS domain name inside: at most 64 bytes. Asks for a new UTS namespace.
    pub fn domainname(&mut self, name: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.domainname = Some(uts_name("domain name", name.as_ref())?);
        Ok(self.unshare(Kinds::UTS))
    }

    /// What is added to `CLOCK_MONOTONIC` inside. Asks for a new time namespace.
    pub fn monotonic(&mut self, offset: ClockOffset) -> Result<&mut Self> {
        offset.check(libc::CLOCK_MONOTONIC)?;
        self.monotonic = Some(offset);
        Ok(self.unshare(Kinds::TIME))
    }

    /// What is added to `CLOCK_BOOTTIME` (and so to the uptime) inside. Asks for a new time namespace.
    pub fn boottime(&mut self, offset: ClockOffset) -> Result<&mut Self> {
        offset.check(libc::CLOCK_BOOTTIME)?;
        self.boottime = Some(offset);
        Ok(self.unshare(Kinds::TIME))
    }

    /// The propagation of all mounts in a new mount namespace.
    pub fn propagation(&mut self, propagation: Propagation) -> &mut Self {
        self.propagation = propagation;
        self
    }

    /// Mounts a fresh proc file system, which shows the new pid namespace, at `path` (usually
    /// `/proc`). Asks for a new mount namespace.
    pub fn mount_proc(&mut self, path: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.proc_mount = Some(path_text("mount point of proc", path.as_ref())?);
        Ok(self.unshare(Kinds::MNT))
    }

    /// Whether the loopback device of a new network namespace is brought up: yes by default.
    pub fn loopback(&mut self, up: bool) -> &mut Self {
        self.loopback = up;
        self
    }

    /// Runs the program in a session of its own, `setsid(2)`.
    pub fn new_session(&mut self) -> &mut Self {
        self.new_session = true;
        self
    }

    /// Every signal is at its default in the program, also those that the caller ignores. Without
    /// it the program ignores what the caller ignores, as after `execve(2)`, so that `nohup` works;
    /// but SIGPIPE and SIGXFSZ are at their default. [`Spec::sandbox`] brings it.
    pub fn reset_signals(&mut self) -> &mut Self {
        self.reset_signals = true;
        self
    }

    /// Where the program's descriptor 0, 1 or 2 leads to: the caller's own, by default.
    pub fn stdio(&mut self, child_fd: i32, stdio: Stdio) -> Result<&mut Self> {
        if !(0..=2).contains(&child_fd) {
            return Err(Error::argument(format!(
                "descriptor {child_fd} is not a standard one: 0 (input), 1 (output) or 2 (error)"
            )));
        }
        self.set_descriptor(child_fd, Source::Stdio(stdio));
        Ok(self)
    }

    /// Passes `fd` to the program, where its number is `child_fd`. All descriptors that are
    /// neither passed nor standard ones are closed in the program.
    pub fn fd(&mut self, child_fd: i32, fd: BorrowedFd<'fd>) -> Result<&mut Self> {
        if !(0..=MAX_DESCRIPTOR).contains(&child_fd) {
            return Err(Error::argument(format!(
                "descriptor number {child_fd} is not in the range 0 to {MAX_DESCRIPTOR}"
            )));
        }
        self.set_descriptor(child_fd, Source::Borrowed(fd));
        Ok(self)
    }

    /// Whether it mounts a fresh proc.
    pub(crate) fn mounts_proc(&self) -> bool {
        let is_proc = |mount: &Mount| matches!(mount.what, What::Filesystem { kind: "proc", .. });
        self.proc_mount.is_some() || self.mounts.iter().any(is_proc)
    }

    fn set_descriptor(&mut self, child_fd: i32, source: Source<'fd>) {
        self.descriptors.retain(|(number, _)| *number != child_fd);
        self.descriptors.push((child_fd, source));
    }
}

/// The longest host or domain name: `__NEW_UTS_LEN`.
const UTS_NAME_MAX: usize = 64;

fn text(what: &str, value: &OsStr) -> Result<CString> {
    CString::new(value.as_bytes())
        .map_err(|_| Error::argument(format!("{what} {value:?} has a NUL byte in it")))
}

fn program_text(program: &OsStr) -> Result<CString> {
    if program.is_empty() {
        return Err(Error::argument("the program's name is empty"));
    }
    text("program", program)
}

fn path_text(what: &str, value: &OsStr) -> Result<CString> {
    if value.is_empty() {
        return Err(Error::argument(format!("the path of the {what} is empty")));
    }
    text(what, value)
}

fn uts_name(what: &str, name: &OsStr) -> Result<CString> {
    if name.len() > UTS_NAME_MAX {
        return Err(Error::argument(format!(
            "the {what} has {} bytes; the kernel takes at most {UTS_NAME_MAX}",
            name.len()
        )));
    }
    text(what, name)
}
