//! Turns a spec into a plan: the actions that the helper carries out, in the order that the kernel
//! needs, with all strings, tables and numbers that they use. Offsets replace pointers, so the
//! bytes mean the same at any address.
//!
//! The plan makes all decisions. The helper only carries out one action after the other.

mod action;
mod arena;
mod capabilities;
mod cgroup;
mod descriptors;
mod environment;
mod host_mounts;
mod id_kind;
mod identity;
mod init;
mod joins;
mod overlay;
mod privileges;
mod program;
mod rootfs;
mod socket;
mod subid;
mod task;
mod terminal;
mod time;

use std::ffi::{CStr, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::path::Path;

use crate::error::Step;
pub(crate) use crate::helper::plan as format;
use crate::spec::Propagation;
use crate::{Kinds, Result, Spec};
pub(crate) use action::Op;
use arena::Arena;
pub(crate) use capabilities::ambient_needed;
use cgroup::in_group;
pub(crate) use descriptors::{Ends, Pipes};
use format::{Action, Classic, Header, Table, Text, WriteProc};
pub(crate) use identity::{Map, Maps};
use joins::Joins;
pub(crate) use program::places;
pub(crate) use subid::missing_line;

/// The actions and data for the helper, and what the parent needs while the helper works.
pub(crate) struct Plan {
    pub ops: Vec<Op>,
    /// The actions that open the sources of mounts. They are moved in front of the other mount
    /// operations when all of these are known.
    sources: Vec<Op>,
    classic: Classic,
    /// The helper's end of the socket to the parent. Over it the helper sends file descriptors and
    /// asks for the parent's set-up.
    socket: Option<RawFd>,
    /// The program's end of its pseudo-terminal.
    terminal: Option<RawFd>,
    joins: Joins,
    /// The id maps, with those that the parent writes.
    pub maps: Maps,
    /// The kinds of the new namespaces that the helper sends to the parent.
    pub parent_kinds: Kinds,
    /// Whether the helper waits for the parent in the middle of its work.
    pub awaits_parent: bool,
    /// Both ends of the pipes, and the other file descriptors opened for the helper.
    pub pipes: Pipes,
    /// Whether the calling process itself becomes the program.
    exec: bool,
    arena: Arena,
}

impl Plan {
    /// Plans a spawn of `spec`. Opens the file descriptors that the helper inherits and makes the
    /// program's cgroup.
    pub fn new(spec: &Spec) -> Result<Plan> {
        Self::with(spec, false)
    }

    /// Plans the exec of `spec`: the calling process itself becomes the program.
    pub fn for_exec(spec: &Spec) -> Result<Plan> {
        Self::with(spec, true)
    }

    fn with(spec: &Spec, exec: bool) -> Result<Plan> {
        consistent(spec)?;
        descriptors::are_open(spec)?;
        let joins = Joins::new(spec)?;
        let maps = Maps::new(spec, &joins)?;
        let parent_kinds = socket::parent_kinds(spec);
        let awaits_parent =
            spec.sync_fds.is_some() || !parent_kinds.is_empty() || !maps.for_parent().is_empty();
        let mut plan = Plan {
            ops: Vec::with_capacity(24),
            sources: Vec::new(),
            classic: Classic::No,
            socket: None,
            terminal: None,
            joins,
            parent_kinds,
            awaits_parent,
            pipes: Pipes::default(),
            exec,
            arena: Arena::default(),
            maps,
        };
        plan.oom_score(spec);
        plan.joins(spec);
        plan.make_group(spec)?;
        plan.new_namespaces(spec)?;
        plan.enter_group()?;
        // Only the owner of a process may write its files below /proc, so they precede the change
        // of uid.
        plan.late_namespaces(spec);
        plan.id_maps(spec)?;
        plan.clocks(spec);
        plan.forbid_user_namespaces(spec);
        plan.names(spec);
        plan.mounts(spec);
        plan.terminal(spec)?;
        plan.view(spec)?;
        plan.cwd(spec);
        plan.loopback(spec);
        plan.limits(spec);
        plan.identity(spec);
        plan.init(spec)?;
        plan.privileges(spec);
        plan.landlock(spec)?;
        let runs_program = spec.program.task.is_none();
        let joined = plan.joins_processes();
        if runs_program && joined {
            plan.descriptors(spec)?;
        }
        if joined {
            plan.joined_process(spec)?;
        }
        plan.session(spec);
        match &spec.program.task {
            Some(task) => plan.task(task, spec)?,
            None => {
                if spec.privileges.notify.is_some() {
                    plan.socket(spec, Step::Seccomp)?;
                }
                if !joined {
                    plan.descriptors(spec)?;
                }
                plan.lowered_limits(spec);
                plan.push(Step::Signals, Action::ResetSignals { all: spec.program.reset_signals });
                plan.filters(spec);
                plan.program(spec);
            }
        }
        plan.first();
        Ok(plan)
    }

    /// Builds the bytes that the helper reads.
    pub fn image(&mut self) -> &[MaybeUninit<u8>] {
        let actions: Vec<Action> = self.ops.iter().map(|op| op.action).collect();
        let actions = self.arena.table(&actions);
        let inherited = self.inherited();
        let inherited = self.arena.table(&inherited);
        let (words, causes) = if self.exec { self.words() } else { (Table::NONE, Table::NONE) };
        self.arena.finish(Header { actions, inherited, classic: self.classic, words, causes })
    }

    /// The text that reports a failure of each action, and the text for each errno. The helper
    /// prints them when no parent waits for the outcome.
    fn words(&mut self) -> (Table<Text>, Table<Text>) {
        const ERRNO_MAX: i32 = 133;
        let caller = caller_name();
        let words: Vec<String> = self
            .ops
            .iter()
            .map(|op| format!("{caller}: {} {}: ", op.step.doing(), op.object(&self.arena)))
            .collect();
        let words: Vec<Text> = words.iter().map(|text| self.arena.string(text.as_bytes())).collect();
        let cause = |errno: i32| {
            let errno = nix::errno::Errno::from_raw(errno);
            format!("{} ({errno:?})\n", errno.desc())
        };
        let causes: Vec<Text> =
            (0..=ERRNO_MAX).map(|errno| self.arena.string(cause(errno).as_bytes())).collect();
        (self.arena.table(&words), self.arena.table(&causes))
    }

    /// Names the object of an action for an error message.
    pub fn object(&self, op: &Op) -> String {
        op.object(&self.arena)
    }

    /// Reads a string of the plan.
    pub fn text(&self, text: Text) -> &CStr {
        self.arena.read(text)
    }

    /// Whether the helper makes a process for the program. A new or joined pid namespace takes only
    /// later children of the process that makes or joins it.
    pub fn makes_child(&self) -> bool {
        self.clone_op().is_some()
    }

    pub fn joins_pid(&self) -> bool {
        self.joins.has(crate::kind::PID)
    }

    /// The action that makes the program's process, if there is one.
    pub fn clone_op(&self) -> Option<&Op> {
        self.ops.iter().find(|op| matches!(op.action, Action::Clone { .. }))
    }

    fn push(&mut self, step: Step, action: Action) {
        self.ops.push(Op { action, step, index: None });
    }

    fn push_nth(&mut self, step: Step, index: usize, action: Action) {
        self.ops.push(Op { action, step, index: Some(index) });
    }

    /// Plans the write of a file below `/proc`.
    fn write_proc(&mut self, step: Step, path: &CStr, text: &str, optional: bool) {
        let (path, data) = (self.arena.text(path), self.arena.bytes(text.as_bytes()));
        self.push(step, Action::WriteProc(WriteProc { path, data, optional, dumpable: false }));
    }

    /// Plans the write of a file below `/proc/self`. Root owns those files while the process is not
    /// dumpable, so the helper becomes dumpable for the write where it is not root.
    fn write_own(&mut self, step: Step, path: &CStr, text: &str) {
        let dumpable = !nix::unistd::geteuid().is_root() || self.joins.has(crate::kind::USER);
        let (path, data) = (self.arena.text(path), self.arena.bytes(text.as_bytes()));
        self.push(step, Action::WriteProc(WriteProc { path, data, optional: false, dumpable }));
    }

    /// Puts the first actions in front: close the file descriptors that the plan does not need,
    /// restore the caller's capabilities, and open `/proc` if an action needs it.
    fn first(&mut self) {
        self.close_before_child();
        let mut first = self.close_others();
        first.extend(capabilities::of_caller());
        if self.ops.iter().any(|op| action::needs_proc(&op.action)) {
            first.push(Op { action: Action::OpenProc, step: Step::Prepare, index: None });
        }
        self.ops.splice(0..0, first);
    }

    /// Plans the new namespaces. For a new pid namespace or a cgroup v2 directory, the helper makes
    /// a child in all of them at once; otherwise it moves itself with `unshare(2)`.
    fn new_namespaces(&mut self, spec: &Spec) -> Result<()> {
        let kinds = spec.kinds - Kinds::TIME - in_group(spec);
        let flags = kinds.bits() as i32;
        let cgroup = match self.joins.has(crate::kind::PID) {
            false => self.cgroup_for_clone()?,
            // The child is made at the end, when the helper may no longer enter the cgroup.
            true => None,
        };
        // With exec the caller keeps its own pid namespace. Its children are in the new one.
        if !self.exec && (kinds.contains(Kinds::PID) || cgroup.is_some()) {
            let socket = self.socket(spec, Step::Prepare)?;
            let cgroup = cgroup.unwrap_or(-1);
            self.push(Step::Clone, Action::Clone { kinds: flags, socket, cgroup });
        } else if !kinds.is_empty() {
            self.push(Step::Clone, Action::Unshare(flags));
        }
        Ok(())
    }

    /// Whether the program's process is made in a joined pid namespace.
    fn joins_processes(&self) -> bool {
        !self.exec && self.joins.has(crate::kind::PID)
    }

    /// Plans the program's process in a joined pid namespace, which takes only later children of
    /// the helper. Privileged processes in that namespace may trace the child, so the helper makes
    /// it only when it has the program's own privileges and file descriptors. The one other
    /// descriptor still open is the socket over which the helper sends the child's pidfd. The
    /// parent checks every message from it.
    fn joined_process(&mut self, spec: &Spec) -> Result<()> {
        let socket = self.socket(spec, Step::Prepare)?;
        self.push(Step::Clone, Action::Clone { kinds: 0, socket, cgroup: -1 });
        Ok(())
    }

    fn late_namespaces(&mut self, spec: &Spec) {
        let group = spec.kinds & in_group(spec);
        if !group.is_empty() {
            self.push(Step::Unshare, Action::Unshare(group.bits() as i32));
        }
        if spec.kinds.contains(Kinds::TIME) {
            self.push(Step::Unshare, Action::Unshare(Kinds::TIME.bits() as i32));
        }
    }

    fn names(&mut self, spec: &Spec) {
        if let Some(name) = &spec.names.hostname {
            let name = self.arena.bytes(name.to_bytes());
            self.push(Step::Hostname, Action::SetHostname(name));
        }
        if let Some(name) = &spec.names.domainname {
            let name = self.arena.bytes(name.to_bytes());
            self.push(Step::Domainname, Action::SetDomainname(name));
        }
    }

    fn mounts(&mut self, spec: &Spec) {
        if !spec.kinds.contains(Kinds::MNT) {
            return;
        }
        let change = match spec.rootfs.propagation {
            Propagation::Private => Some(libc::MS_PRIVATE),
            Propagation::Slave => Some(libc::MS_SLAVE),
            Propagation::Shared => Some(libc::MS_SHARED),
            Propagation::Unchanged => None,
        };
        if let Some(flag) = change {
            self.propagation(Step::Propagation, c"/", flag | libc::MS_REC);
        }
        if !spec.rootfs.mounts.is_empty() {
            return;
        }
        let Some(path) = &spec.rootfs.proc_mount else { return };
        if matches!(spec.rootfs.propagation, Propagation::Shared | Propagation::Unchanged) {
            // The mount of proc must not propagate to the caller's mount namespace, so its mount
            // point becomes private first.
            self.propagation(Step::MountProc, path, libc::MS_PRIVATE | libc::MS_REC);
        }
        let (proc, target) = (self.arena.text(c"proc"), self.arena.text(path));
        let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        let mount = Action::Mount { source: proc, target, fstype: proc, flags, data: Text::NONE };
        self.push(Step::MountProc, mount);
    }

    fn propagation(&mut self, step: Step, target: &CStr, flags: libc::c_ulong) {
        let (none, target) = (self.arena.text(c"none"), self.arena.text(target));
        let mount = Action::Mount { source: none, target, fstype: none, flags, data: Text::NONE };
        self.push(step, mount);
    }

    fn session(&mut self, spec: &Spec) {
        if spec.program.new_session {
            self.push(Step::Session, Action::NewSession);
        }
        self.controlling_terminal();
    }

    fn cwd(&mut self, spec: &Spec) {
        if let Some(path) = spec.program.cwd.as_ref().filter(|_| spec.rootfs.mounts.is_empty()) {
            let path = self.arena.text(path);
            self.push(Step::Cwd, Action::ChangeDirectory(path));
        }
    }

    fn loopback(&mut self, spec: &Spec) {
        if spec.kinds.contains(Kinds::NET) && spec.network.loopback {
            self.push(Step::Loopback, Action::LoopbackUp);
        }
    }
}

/// The caller's program name, with which error messages begin after an exec.
pub(crate) fn caller_name() -> String {
    let caller = std::env::args_os().next().unwrap_or_default();
    Path::new(&caller).file_name().unwrap_or(OsStr::new("nsiso")).to_string_lossy().into_owned()
}

/// Checks that options do not contradict each other. An option for a namespace that is shared would
/// change the caller's own, so it is refused.
fn consistent(spec: &Spec) -> Result<()> {
    let options = [
        (
            !spec.rootfs.mounts.is_empty() || spec.rootfs.proc_mount.is_some(),
            Kinds::MNT,
            "a view of the file system",
        ),
        (spec.names.hostname.is_some() || spec.names.domainname.is_some(), Kinds::UTS, "a host name"),
        (spec.privileges.no_user_namespaces, Kinds::USER, "a ban on user namespaces"),
        (
            spec.clocks.monotonic.is_some() || spec.clocks.boottime.is_some(),
            Kinds::TIME,
            "an offset of a clock",
        ),
        (spec.init.is_some(), Kinds::PID, "an init process"),
    ];
    match options.into_iter().find(|(wanted, kind, _)| *wanted && !spec.kinds.contains(*kind)) {
        None => {}
        Some((_, kind, what)) => {
            return Err(crate::Error::argument(format!(
                "{what} needs a new {kind} namespace, which is to be shared with the caller"
            )));
        }
    }
    let restricted = spec.privileges.landlock.is_some()
        || !spec.privileges.filters.is_empty()
        || spec.privileges.notify.is_some();
    if restricted && !spec.privileges.no_new_privs {
        return Err(crate::Error::argument(
            "Landlock and seccomp need new_privs to be off: turn it off, or leave them out",
        ));
    }
    if spec.deadline.is_some() && spec.init.is_none() {
        return Err(crate::Error::argument("deadline needs init, which is off"));
    }
    Ok(())
}
