//! Opens the namespaces to join and sorts them into the order that the kernel needs. The helper
//! joins them.

use std::os::fd::{AsFd, AsRawFd, RawFd};

use super::Plan;
use super::format::Action;
use crate::error::Step;
use crate::handle::{identify, own_inode};
use crate::kind::{NAMES, PID, TIME, USER};
use crate::spec::{Join, Mount, What};
use crate::{Error, Handle, Kinds, Result, Spec};

#[derive(Debug, Default)]
pub(crate) struct Joins {
    targets: Vec<Target>,
    /// The handles opened for joins by process.
    opened: Vec<Handle>,
}

#[derive(Debug)]
struct Target {
    /// The index of the join among the joins of the spec, for errors.
    index: usize,
    fd: RawFd,
    kind: usize,
    inode: u64,
}

impl Joins {
    pub fn new(spec: &Spec) -> Result<Self> {
        let mut joins = Joins::default();
        for (index, join) in spec.joins.iter().enumerate() {
            joins.add(index, *join).map_err(|error| error.with_index(Some(index)))?;
        }
        if joins.has(PID) && spec.kinds.contains(Kinds::PID) {
            return Err(Error::argument(
                "a new pid namespace inside a joined one is made from inside alone: join it with a program that makes the new one",
            ));
        }
        if joins.has(PID) && mounts_proc(spec) {
            // The helper mounts it, and is not in the joined pid namespace: only its child is.
            return Err(Error::argument("a new proc would show the caller's processes, not those of the joined pid namespace")
                .with_hint("join the mount namespace of the process, too, whose /proc shows them, or leave out the new proc"));
        }
        // A privileged caller joins the user namespace last, because joining it drops the privilege
        // needed for the others. An ordinary caller joins it first, to gain that privilege.
        let privileged = privileged();
        joins.targets.sort_by_key(|target| match target.kind {
            USER => {
                if privileged {
                    3
                } else {
                    0
                }
            }
            // Only later children of the helper are in a joined pid namespace, so it follows the
            // others.
            PID => 2,
            _ => 1,
        });
        Ok(joins)
    }

    fn add(&mut self, index: usize, join: Join) -> Result<()> {
        match join {
            Join::Namespace(fd) => {
                let (kind, inode) = identify(fd)?;
                let shared = own_inode(kind)? == inode;
                if shared && kind == USER {
                    return Err(Error::argument(format!(
                        "user:[{inode}] is your own user namespace: the kernel lets nobody join that again"
                    )));
                }
                if !shared || kind != TIME {
                    self.push(Target { index, fd: fd.as_raw_fd(), kind, inode })?;
                }
            }
            Join::Process(pidfd, kinds) => {
                for (kind, (bit, _)) in NAMES.iter().enumerate().filter(|(_, (bit, _))| kinds.contains(*bit))
                {
                    let handle = Handle::of_process(pidfd, *bit)?;
                    if handle.inode() == own_inode(kind)? {
                        continue;
                    }
                    let fd = handle.as_fd().as_raw_fd();
                    self.push(Target { index, fd, kind, inode: handle.inode() })?;
                    self.opened.push(handle);
                }
            }
        }
        Ok(())
    }

    fn push(&mut self, target: Target) -> Result<()> {
        let name = NAMES[target.kind].1;
        match self.targets.iter().find(|other| other.kind == target.kind) {
            Some(other) if other.inode != target.inode => Err(Error::argument(format!(
                "{name}:[{}] and {name}:[{}] cannot both be joined",
                other.inode, target.inode
            ))),
            Some(_) => Ok(()),
            None => {
                self.targets.push(target);
                Ok(())
            }
        }
    }

    pub fn has(&self, kind: usize) -> bool {
        self.targets.iter().any(|target| target.kind == kind)
    }
}

fn mounts_proc(spec: &Spec) -> bool {
    let is_proc = |mount: &Mount| matches!(&mount.what, What::Filesystem { kind, .. } if *kind == "proc");
    spec.rootfs.proc_mount.is_some() || spec.rootfs.mounts.iter().any(is_proc)
}

/// Whether the caller is root in its user namespace. Root may lack the capabilities; then the
/// kernel refuses the join.
fn privileged() -> bool {
    nix::unistd::geteuid().is_root()
}

impl Plan {
    pub(super) fn joins(&mut self, spec: &Spec) {
        let joins = std::mem::take(&mut self.joins);
        for target in &joins.targets {
            let Target { index, fd, kind, inode } = *target;
            let kind = NAMES[kind].0.bits() as i32;
            self.push_nth(Step::Join, index, Action::Join { fd, kind, inode });
        }
        if joins.has(USER) && !spec.identity.keep_credentials {
            self.push(Step::Groups, Action::DropGroups);
            if spec.identity.uid.is_none() && spec.identity.gid.is_none() {
                self.push(Step::Uid, Action::BecomeRoot);
            }
        }
        if let Some(directory) = spec.rootfs.root_at {
            self.push(Step::Root, Action::EnterDirectory(directory.as_raw_fd()));
            self.push(Step::Root, Action::ChangeRoot);
        }
        if let Some(directory) = spec.program.cwd_at {
            self.push(Step::Cwd, Action::EnterDirectory(directory.as_raw_fd()));
        }
        self.joins = joins;
    }
}
