//! Defines [`Op`], one action of the plan with its error context, and the text that names an
//! action's object in an error message. The helper carries the actions out.

use std::os::fd::RawFd;

use super::Arena;
use super::format::{Action, Limit, MountOp, Place, Text};
use crate::Kinds;
use crate::error::Step;

/// An action of the plan, and how an error message describes its failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub action: Action,
    pub step: Step,
    /// The position of the option among options of its kind, counted from 0, if it can be repeated.
    pub index: Option<usize>,
}

pub(super) fn kinds(flags: i32) -> Kinds {
    Kinds::from_bits_truncate(flags as u64)
}

impl Op {
    /// Names the object of the action for an error message.
    pub(super) fn object(&self, arena: &Arena) -> String {
        let text = |text: Text| arena.read(text).to_string_lossy();
        match self.action {
            Action::SetCapabilities(_) => "the capabilities of the caller".into(),
            Action::OpenProc => "/proc".into(),
            Action::EnterGroup { .. } => "the cgroup".into(),
            Action::Unshare(flags) if self.step == Step::Clone => {
                format!("a process with new namespaces ({})", kinds(flags))
            }
            Action::Unshare(flags) => format!("the {} namespace", kinds(flags)),
            Action::WriteProc(file) => {
                let data = String::from_utf8_lossy(arena.read_bytes(file.data)).into_owned();
                format!("{data:?} to /proc/{}", text(file.path))
            }
            Action::SendNamespace { link, .. } => format!("/proc/{}", text(link)),
            Action::SendSocket { domain, kind, protocol, .. } => {
                format!("a socket of domain {domain}, type {kind}, protocol {protocol}")
            }
            Action::Join { kind, inode, .. } => format!("{}:[{inode}]", kinds(kind)),
            Action::EnterOwnTime => "the time namespace".into(),
            Action::DropGroups => "none".into(),
            Action::BecomeRoot => "0".into(),
            Action::Clone { kinds: 0, .. } => "a process in joined namespaces".into(),
            Action::Clone { kinds: flags, .. } => {
                format!("a process with new namespaces ({})", kinds(flags))
            }
            Action::AwaitParent { .. } => "the id maps".into(),
            Action::SetHostname(name) | Action::SetDomainname(name) => {
                format!("{:?}", String::from_utf8_lossy(arena.read_bytes(name)))
            }
            Action::Mount { target, .. } => text(target).into(),
            Action::Rootfs(op) => mount_object(&op, arena),
            Action::ChangeDirectory(path) => text(path).into(),
            Action::EnterDirectory(fd) => format!("descriptor {fd}"),
            Action::ChangeRoot => "the directory given".into(),
            Action::LoopbackUp => "the loopback device".into(),
            Action::NewSession => "a new session".into(),
            Action::ControllingTerminal(_) => "the controlling terminal".into(),
            Action::Init(_) => "the init process".into(),
            Action::KeepOnly { keep: 0, .. } => "no capabilities".into(),
            Action::KeepCapabilities | Action::RaiseAmbient | Action::KeepOnly { .. } => {
                "capabilities".into()
            }
            Action::Control { argument, .. } => format!("{argument:#x}"),
            Action::SetLimit(Limit { resource, soft, hard }) => {
                format!("{} to {soft} ({hard})", crate::spec::limit_name(resource))
            }
            Action::SetPriority(nice) => nice.to_string(),
            Action::SetAffinity(_) => "the processors given".into(),
            Action::SetUmask(mask) => format!("{mask:o}"),
            Action::SetPersonality(personality) => format!("{personality:#x}"),
            Action::Landlock(_) => "the rules of Landlock".into(),
            Action::Seccomp(_) | Action::NotifyFilter { .. } => "a filter of system calls".into(),
            Action::SetGroups(groups) => format!("{:?}", arena.read_ids(groups)),
            Action::SetGid(id) | Action::SetUid(id) => id.to_string(),
            Action::Descriptor { from, to } => format!("descriptor {from} as {to}"),
            Action::Close { first, .. } => format!("no descriptor from {first} on"),
            Action::ResetSignals { .. } => "signal handling".into(),
            Action::Execute { program, .. } => text(program).into(),
        }
    }
}

/// Whether the helper must open the caller's `/proc` to carry out the action.
pub(super) fn needs_proc(action: &Action) -> bool {
    match action {
        Action::Init(init) => init.anew,
        _ => matches!(action, Action::WriteProc(_) | Action::SendNamespace { .. } | Action::EnterOwnTime),
    }
}

/// The caller's file descriptors that an action uses; -1 for none.
pub(super) fn descriptors(action: &Action) -> [RawFd; 2] {
    match *action {
        Action::EnterGroup { fd, .. }
        | Action::EnterDirectory(fd)
        | Action::ControllingTerminal(fd)
        | Action::Join { fd, .. }
        | Action::Descriptor { from: fd, .. }
        | Action::Rootfs(MountOp::Open { fd, .. }) => [fd, -1],
        Action::SendNamespace { socket, .. }
        | Action::SendSocket { socket, .. }
        | Action::NotifyFilter { socket, .. } => [socket, -1],
        Action::Clone { socket, cgroup, .. } => [socket, cgroup],
        Action::AwaitParent { socket, parent, .. } => [socket, parent],
        Action::Init(init) => [init.report, init.parent],
        Action::Rootfs(MountOp::Bind { attributes, .. }) => [attributes.id_map, -1],
        _ => [-1, -1],
    }
}

fn mount_object(op: &MountOp, arena: &Arena) -> String {
    let text = |text: Text| arena.read(text).to_string_lossy();
    let path = |at: Place| text(at.path);
    match *op {
        MountOp::Open { source, .. } => text(source).into(),
        MountOp::Prepare => "a place to make mounts ready".into(),
        MountOp::Bind { source, at, .. } => format!("{} at {}", text(source), path(at)),
        MountOp::Filesystem { kind, at, .. } => match text(kind).as_ref() {
            // The step's text already contains "proc".
            "proc" => path(at).into(),
            kind => format!("{kind} at {}", path(at)),
        },
        MountOp::Overlay { lower, at, .. } => format!("an overlay of {} at {}", text(lower), path(at)),
        MountOp::Dir { at, .. } | MountOp::Symlink { at, .. } | MountOp::File { at, .. } => path(at).into(),
        MountOp::Chmod { mode, at } => format!("the permissions {mode:o} of {}", path(at)),
        MountOp::Mask { at, .. } => format!("a mask at {}", path(at)),
        MountOp::ReadOnly { at, .. } => format!("{} read-only", path(at)),
        MountOp::Propagation { at, .. } => path(at).into(),
        MountOp::Pivot => "the new one".into(),
        MountOp::Enter { path, .. } => text(path).into(),
    }
}
