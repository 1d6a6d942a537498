//! What the child can do: the words of a plan.

use std::ffi::CStr;

use libc::{c_char, c_int, c_uint, c_ulong};

use super::{Change, Init, Ruleset};
use crate::Kinds;
use crate::error::Step;

/// One thing the child does. The pointers lead into the plan's arena or to static data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    /// Go into a control group: its cgroup.procs or tasks.
    EnterGroup(c_int),
    /// Make namespaces that clone did not.
    Unshare(Kinds),
    /// Enter the time namespace that was made for children.
    EnterOwnTime,
    /// Write a file in one go.
    WriteFile {
        path: *const c_char,
        data: *const u8,
        len: usize,
    },
    /// The same for a setting of the kernel, which need not exist.
    WriteSetting {
        path: *const c_char,
        data: *const u8,
        len: usize,
    },
    /// Open a link below `/proc`, and send what it leads to to the host.
    HandOver {
        proc: c_int,
        link: *const c_char,
        over: c_int,
    },
    /// Make a socket, and send it to the host over another one.
    Socket {
        domain: c_int,
        kind: c_int,
        protocol: c_int,
        over: c_int,
    },
    /// Enter an existing namespace.
    Join {
        fd: c_int,
        kind: Kinds,
        inode: u64,
    },
    /// No supplementary groups, unless the user namespace forbids any change.
    DropGroups,
    /// Uid and gid 0, where they are mapped.
    BecomeRoot,
    /// Make the second child, in new namespaces of these kinds. It carries out the rest.
    Clone(Kinds),
    /// Wait until the parent, of which this is the pidfd, has done its part.
    AwaitParent {
        host: c_int,
    },
    SetHostname {
        name: *const c_char,
        len: usize,
    },
    SetDomainname {
        name: *const c_char,
        len: usize,
    },
    Mount {
        source: *const c_char,
        target: *const c_char,
        fstype: *const c_char,
        flags: c_ulong,
        data: *const c_char,
    },
    /// Build the view of the file system.
    View(Change),
    ChangeDirectory {
        path: *const c_char,
    },
    /// Enter a directory that is open.
    EnterDirectory(c_int),
    /// Make the working directory the root.
    ChangeRoot,
    LoopbackUp,
    NewSession,
    /// Make a terminal the controlling one of the session.
    ControllingTerminal(c_int),
    /// Make the program's process, which carries out the rest, and become its init process.
    Init(Init),
    /// Keep the permitted capabilities over the change of uid.
    KeepCapabilities,
    SetGroups {
        groups: *const u32,
        count: usize,
    },
    SetGid(u32),
    SetUid(u32),
    /// Make every permitted capability inheritable and ambient.
    RaiseAmbient,
    /// Give up all capabilities but these; `bounding`: it must be for good.
    KeepOnly {
        keep: u64,
        bounding: bool,
    },
    /// prctl(2).
    Control {
        option: c_int,
        argument: usize,
    },
    SetLimit {
        resource: u32,
        limit: *const libc::rlimit64,
    },
    SetPriority(i32),
    SetAffinity {
        mask: *const u64,
        len: usize,
    },
    SetUmask(u32),
    SetPersonality(u32),
    Landlock(Ruleset),
    /// Install a filter of system calls.
    Filter {
        program: *const libc::sock_fprog,
    },
    /// Install one that asks the host, and send the host its end over a socket.
    NotifyFilter {
        program: *const libc::sock_fprog,
        socket: c_int,
    },
    /// Put `from` at the number `to`, open over exec.
    Descriptor {
        from: c_int,
        to: c_int,
    },
    /// Close a range of descriptors, both ends included.
    Close {
        first: c_uint,
        last: c_uint,
    },
    /// All signal dispositions to their default, none blocked.
    ResetSignals,
    /// Execute the first candidate that can be; the list ends with NULL.
    Execute {
        candidates: *const *const c_char,
        argv: *const *const c_char,
        envp: *const *const c_char,
    },
}

/// An action, and what a failure of it is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Op {
    pub action: Action,
    pub step: Step,
    /// Which of several alike.
    pub index: Option<usize>,
}

impl Op {
    /// What the action is done to, for an error message.
    pub fn object(&self) -> String {
        // SAFETY: every pointer of an action is a NUL-terminated string, or null at the end of a
        // list, that lives as long as the plan.
        let text = |pointer| unsafe { CStr::from_ptr(pointer) }.to_string_lossy();
        match self.action {
            Action::EnterGroup(_) => "the control group".into(),
            Action::Unshare(kinds) => format!("the {kinds} namespace"),
            Action::WriteFile { path, data, len } | Action::WriteSetting { path, data, len } => {
                // SAFETY: as above; `data` has `len` bytes.
                let data = unsafe { std::slice::from_raw_parts(data, len) };
                format!("{:?} to {}", String::from_utf8_lossy(data), text(path))
            }
            Action::HandOver { link, .. } => format!("/proc/{}", text(link)),
            Action::Socket { domain, kind, protocol, .. } => {
                format!("a socket of domain {domain}, type {kind}, protocol {protocol}")
            }
            Action::Join { kind, inode, .. } => format!("{kind}:[{inode}]"),
            Action::EnterOwnTime => "the time namespace".into(),
            Action::DropGroups => "none".into(),
            Action::BecomeRoot => "0".into(),
            Action::Clone(kinds) if kinds.is_empty() => "a process in joined namespaces".into(),
            Action::Clone(kinds) => format!("a process with new namespaces ({kinds}) in joined ones"),
            Action::AwaitParent { .. } => "the id maps".into(),
            Action::SetHostname { name, .. } | Action::SetDomainname { name, .. } => {
                format!("{:?}", text(name))
            }
            Action::Mount { target, .. } => text(target).into(),
            Action::View(change) => change.object(),
            Action::ChangeDirectory { path } => text(path).into(),
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
            // SAFETY: as above.
            Action::SetLimit { resource, limit } => limit_text(resource, unsafe { *limit }),
            Action::SetPriority(nice) => nice.to_string(),
            Action::SetAffinity { .. } => "the processors given".into(),
            Action::SetUmask(mask) => format!("{mask:o}"),
            Action::SetPersonality(personality) => format!("{personality:#x}"),
            Action::Landlock(_) => "the rules of Landlock".into(),
            Action::Filter { .. } | Action::NotifyFilter { .. } => "a filter of system calls".into(),
            Action::SetGroups { groups, count } => {
                // SAFETY: as above; `groups` has `count` numbers.
                format!("{:?}", unsafe { std::slice::from_raw_parts(groups, count) })
            }
            Action::SetGid(id) | Action::SetUid(id) => id.to_string(),
            Action::Descriptor { from, to } => format!("descriptor {from} as {to}"),
            Action::Close { first, .. } => format!("no descriptor from {first} on"),
            Action::ResetSignals => "signal handling".into(),
            Action::Execute { candidates, .. } => {
                // SAFETY: as above; a list of candidates has one at least.
                text(unsafe { *candidates }).into()
            }
        }
    }
}

fn limit_text(resource: u32, limit: libc::rlimit64) -> String {
    format!("{} to {} ({})", crate::spec::limit_name(resource), limit.rlim_cur, limit.rlim_max)
}
