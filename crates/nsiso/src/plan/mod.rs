//! A spec made flat: the list of actions that the child carries out, in the order the kernel needs
//! them, with every string, table and number they use in memory that does not move.
//!
//! All policy is here. The child (`crate::child`) has none: it does one action after the other.

mod action;
mod arena;
mod cgroup;
mod change;
mod descriptors;
mod environment;
mod errand;
mod hand_over;
mod host_mounts;
mod id_kind;
mod identity;
mod init;
mod joins;
pub(crate) mod mailbox;
mod overlay;
mod program;
mod stage;
mod subordinate;
mod terminal;
mod time;
mod treatment;
mod view;

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use libc::{c_char, c_int, c_ulong, c_void};

use crate::error::Step;
use crate::spec::Propagation;
use crate::{Kinds, Result, Spec, kind};
pub(crate) use action::{Action, Op};
use arena::Arena;
use cgroup::in_group;
pub(crate) use change::{Attributes, Change, Place, Slot};
pub(crate) use descriptors::{Ends, Pipes};
pub(crate) use identity::{Map, Maps};
pub(crate) use init::{FIRST as INIT_DESCRIPTORS, Init};
use joins::Joins;
pub(crate) use mailbox::Mailbox;
pub(crate) use overlay::{UPPER, WORK};
pub(crate) use program::places;
pub(crate) use stage::{Options, Stage};
pub(crate) use subordinate::missing_line;
pub(crate) use time::is_entered_at_exec as time_is_entered_at_exec;
pub(crate) use treatment::Ruleset;

/// Everything the child reads, and what the parent does meanwhile.
pub(crate) struct Plan {
    /// The namespaces that clone itself makes.
    pub clone: Kinds,
    pub ops: Vec<Op>,
    /// Where the child begins: after its first action where it is born in its control group of version 2.
    pub first_from: usize,
    /// The directory of that group, if there is one.
    pub birthplace: Option<OwnedFd>,
    /// Where the second child begins, if there is one, and its stack.
    pub second_from: Option<usize>,
    pub second_stack: *mut c_void,
    /// Where the program's own process begins, if PID 1 is another, and its stack.
    pub program_from: Option<usize>,
    pub program_stack: *mut c_void,
    /// What opens the sources of the view, until its place is known.
    sources: Vec<Op>,
    /// Where mounts of the view are made ready, if that takes mount(2).
    pub stage: Option<Stage>,
    /// The child's end of the socket over which it hands descriptors to the host.
    over: Option<c_int>,
    /// The program's end of its terminal.
    terminal: Option<c_int>,
    /// The children have a copy of the caller's memory, as by fork(2): who shares it cannot enter a time namespace.
    pub copies: bool,
    joins: Joins,
    pub mailbox: Mailbox,
    /// The id maps that the parent writes.
    pub maps: Maps,
    /// The child's new namespaces that the parent does something with.
    pub attended: Kinds,
    /// The child waits for the parent in the middle of its work.
    pub awaits_parent: bool,
    /// The child becomes another uid, which makes the memory it shares undumpable.
    pub changes_uid: bool,
    /// The child enters a user namespace where others may be privileged, and can do without files of /proc/self.
    pub enters_user: bool,
    /// The parent's and the child's ends of the pipes, and what else was opened for the child.
    pub pipes: Pipes,
    arena: Arena,
}

const fn bytes(text: &'static CStr) -> *const c_char {
    text.as_ptr()
}

impl Plan {
    /// Works out `spec`. Opens what the child gets; makes nothing else.
    pub fn new(spec: &Spec) -> Result<Plan> {
        consistent(spec)?;
        let joins = Joins::new(spec)?;
        let maps = Maps::new(spec, &joins)?;
        let attended = hand_over::attended(spec);
        let awaits_parent = spec.halt.is_some() || !attended.is_empty() || !maps.for_parent().is_empty();
        let scored = spec.treatment.oom_score_adj.is_some() && (awaits_parent || joins.any());
        let copies = joins.has(kind::TIME) || time::takes_copy(spec) || scored;
        let mut plan = Plan {
            // A time namespace is made by unshare: clone(2) has no bit for it, and one way is enough.
            clone: spec.kinds - Kinds::TIME - in_group(spec),
            ops: Vec::with_capacity(24),
            first_from: 0,
            birthplace: None,
            second_from: None,
            second_stack: std::ptr::null_mut(),
            program_from: None,
            program_stack: std::ptr::null_mut(),
            sources: Vec::new(),
            stage: None,
            over: None,
            terminal: None,
            copies,
            joins,
            mailbox: if copies { Mailbox::between_memories()? } else { Mailbox::new() },
            attended,
            awaits_parent,
            changes_uid: false,
            enters_user: false,
            pipes: Pipes::default(),
            arena: Arena::default(),
            maps,
        };
        plan.group(spec)?;
        plan.oom_score(spec);
        plan.joins(spec);
        // Files under /proc/self come before the change of uid, which makes them root's.
        plan.late_namespaces(spec);
        plan.id_maps(spec)?;
        plan.clocks(spec);
        plan.no_user_namespaces(spec);
        plan.names(spec);
        plan.mounts(spec);
        plan.terminal(spec)?;
        plan.view(spec)?;
        plan.surroundings(spec);
        plan.limits(spec);
        plan.identity(spec);
        plan.init(spec)?;
        plan.session(spec);
        plan.privileges(spec);
        plan.landlock(spec)?;
        match &spec.errand {
            Some(errand) => plan.errand(errand, spec)?,
            None => {
                if spec.notify.is_some() {
                    plan.hand_over(spec, Step::Seccomp)?;
                }
                plan.descriptors(spec)?;
                plan.lowered_limits(spec);
                plan.push(Step::Signals, Action::ResetSignals);
                plan.filters(spec);
                plan.program(spec);
            }
        }
        Ok(plan)
    }

    fn push(&mut self, step: Step, action: Action) {
        self.ops.push(Op { action, step, index: None });
    }

    fn push_nth(&mut self, step: Step, index: usize, action: Action) {
        self.ops.push(Op { action, step, index: Some(index) });
    }

    fn write_file(&mut self, step: Step, path: &'static CStr, text: &str) {
        let data = self.arena.bytes(text.as_bytes());
        self.push(step, Action::WriteFile { path: bytes(path), data, len: text.len() });
    }

    fn late_namespaces(&mut self, spec: &Spec) {
        let group = spec.kinds & in_group(spec);
        if !group.is_empty() {
            self.push(Step::Unshare, Action::Unshare(group));
        }
        self.time_namespace(spec);
    }

    fn names(&mut self, spec: &Spec) {
        if let Some(name) = &spec.hostname {
            let (name, len) = (self.arena.text(name), name.count_bytes());
            self.push(Step::Hostname, Action::SetHostname { name, len });
        }
        if let Some(name) = &spec.domainname {
            let (name, len) = (self.arena.text(name), name.count_bytes());
            self.push(Step::Domainname, Action::SetDomainname { name, len });
        }
    }

    fn mounts(&mut self, spec: &Spec) {
        if !spec.kinds.contains(Kinds::MNT) {
            return;
        }
        let change = match spec.propagation {
            Propagation::Private => Some(libc::MS_PRIVATE),
            Propagation::Slave => Some(libc::MS_SLAVE),
            Propagation::Shared => Some(libc::MS_SHARED),
            Propagation::Unchanged => None,
        };
        if let Some(flag) = change {
            self.propagation(Step::Propagation, bytes(c"/"), flag | libc::MS_REC);
        }
        if !spec.mounts.is_empty() {
            return;
        }
        let Some(path) = &spec.proc_mount else { return };
        let target = self.arena.text(path);
        if matches!(spec.propagation, Propagation::Shared | Propagation::Unchanged) {
            // The new proc must not spread to the host: its mount point is cut off first.
            self.propagation(Step::MountProc, target, libc::MS_PRIVATE | libc::MS_REC);
        }
        self.push(
            Step::MountProc,
            Action::Mount {
                source: bytes(c"proc"),
                target,
                fstype: bytes(c"proc"),
                flags: libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC,
                data: std::ptr::null(),
            },
        );
    }

    fn propagation(&mut self, step: Step, target: *const c_char, flags: c_ulong) {
        let nothing = bytes(c"none");
        self.push(
            step,
            Action::Mount { source: nothing, target, fstype: nothing, flags, data: std::ptr::null() },
        );
    }

    fn session(&mut self, spec: &Spec) {
        if spec.new_session {
            self.push(Step::Session, Action::NewSession);
        }
        self.controlling_terminal();
    }

    fn surroundings(&mut self, spec: &Spec) {
        if let Some(path) = spec.cwd.as_ref().filter(|_| spec.mounts.is_empty()) {
            let path = self.arena.text(path);
            self.push(Step::Cwd, Action::ChangeDirectory { path });
        }
        if spec.kinds.contains(Kinds::NET) && spec.loopback {
            self.push(Step::Loopback, Action::LoopbackUp);
        }
    }
}

/// A wish whose namespace has been taken back would be done to the caller's own.
fn consistent(spec: &Spec) -> Result<()> {
    let wishes = [
        (!spec.mounts.is_empty() || spec.proc_mount.is_some(), Kinds::MNT, "a view of the file system"),
        (spec.hostname.is_some() || spec.domainname.is_some(), Kinds::UTS, "a host name"),
        (spec.treatment.no_user_namespaces, Kinds::USER, "a ban on user namespaces"),
        (spec.monotonic.is_some() || spec.boottime.is_some(), Kinds::TIME, "an offset of a clock"),
        (spec.init.is_some(), Kinds::PID, "an init process"),
    ];
    match wishes.into_iter().find(|(wanted, kind, _)| *wanted && !spec.kinds.contains(*kind)) {
        None => {}
        Some((_, kind, what)) => {
            return Err(crate::Error::argument(format!(
                "{what} needs a new {kind} namespace, which is to be shared with the caller"
            )));
        }
    }
    let restricted = spec.landlock.is_some() || !spec.filters.is_empty() || spec.notify.is_some();
    if restricted && !spec.treatment.no_new_privs {
        return Err(crate::Error::argument(
            "Landlock and seccomp need no_new_privs, which has been taken back: take them back, too",
        ));
    }
    if spec.treatment.deadline.is_some() && spec.init.is_none() {
        return Err(crate::Error::argument("a deadline needs the init process, which has been taken back"));
    }
    Ok(())
}

// SAFETY: the pointers lead into the arena, which the plan owns and which never moves.
unsafe impl Send for Plan {}
