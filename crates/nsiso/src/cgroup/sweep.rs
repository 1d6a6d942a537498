//! Removes cgroups whose owners have died without removing them. [`Group::new`](super::Group::new)
//! starts a sweep each time.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::fcntl::AtFlags;
use nix::sys::stat::{FileStat, fstatat, stat};
use nix::unistd::geteuid;

use super::owner::Owner;
use super::tree;

/// How many cgroups are examined besides those directly below the parent, so that thousands of them
/// on a machine do not slow down every start of a program.
const LOOKS: usize = 256;

/// How long one search may take; what is left is for the next one.
const LONGEST: Duration = Duration::from_secs(2);

/// One search for cgroups of dead owners, in any number of hierarchies.
pub(super) struct Sweep {
    /// The owners examined so far: whether each is dead.
    owners: HashMap<Owner, bool>,
    until: Instant,
}

impl Sweep {
    /// Starts a sweep by `own`, the calling process, which is alive.
    pub fn new(own: Owner) -> Self {
        Sweep { owners: HashMap::from([(own, false)]), until: Instant::now() + LONGEST }
    }

    /// Removes the cgroups of dead owners below `parent`, and below its ancestors that belong to
    /// the caller's user: an owner may have been moved, or have used another parent.
    ///
    /// All cgroups directly below `parent` are found. If there are many others, some of them are
    /// left to a later call.
    pub fn below(&mut self, parent: &Path) {
        let mut top = parent.to_owned();
        let Ok(mut about) = stat(&top) else { return };
        let mut looks = LOOKS;
        let mut done = None;
        loop {
            if has_children(&about)
                && (done.is_none() || may_read(&about, &mut looks))
                && let Ok(directory) = tree::open_path(&top)
            {
                // Each level gets half of the remaining looks, so that no level uses up all of
                // them.
                let mut own_looks = looks / 2;
                looks -= own_looks;
                self.walk(directory, about.st_dev, done, &mut own_looks);
                looks += own_looks;
            }
            top.push("..");
            let Ok(above) = stat(&top) else { return };
            // This is above the root of the hierarchy, or above the cgroup delegated to the user.
            if !is_own(&above, about.st_dev) || above.st_ino == about.st_ino {
                return;
            }
            done = Some(about.st_ino);
            about = above;
        }
    }

    /// Removes cgroups of dead owners below `top`, except below the cgroup with the inode `done`.
    fn walk(&mut self, top: OwnedFd, hierarchy: u64, done: Option<u64>, looks: &mut usize) {
        let descend = |at: &OwnedFd, name: &CStr| {
            if *looks == 0 {
                return false;
            }
            *looks -= 1;
            let Ok(child) = fstatat(at, name, AtFlags::AT_SYMLINK_NOFOLLOW) else { return false };
            has_children(&child)
                && is_own(&child, hierarchy)
                && Some(child.st_ino) != done
                && may_read(&child, looks)
        };
        tree::walk(top, |directory| self.enter(directory), descend);
    }

    /// Removes cgroups of dead owners directly below, and returns the names of the others.
    fn enter(&mut self, directory: &OwnedFd) -> Vec<CString> {
        let mut left = tree::children(directory);
        left.retain(|name| !self.is_dead(name) || !self.remove(directory, name));
        // The order changes from call to call, so that each cgroup is examined at some time.
        if !left.is_empty() {
            let first = any_below(left.len());
            left.rotate_left(first);
        }
        left
    }

    fn is_dead(&mut self, name: &CStr) -> bool {
        let Some(owner) = name.to_str().ok().and_then(Owner::of_group) else { return false };
        *self.owners.entry(owner).or_insert_with(|| owner.is_dead())
    }

    /// Removes a cgroup whose owner is dead. It stays if a process is in it. That process is
    /// thawed, since nobody else is left to thaw it.
    fn remove(&self, at: &OwnedFd, name: &CStr) -> bool {
        let gone = tree::remove(at, name, self.until);
        if !gone {
            tree::write(at, name, "cgroup.freeze", "0");
            tree::write(at, name, "freezer.state", "THAWED");
        }
        gone
    }
}

/// Whether a directory is read, which costs as many looks as its size suggests. A directory that
/// costs more than the remaining looks is read at random, now and then.
fn may_read(about: &FileStat, looks: &mut usize) -> bool {
    let price = 8 + about.st_nlink as usize / 4;
    let may = any_below(price) < *looks;
    if may {
        *looks = looks.saturating_sub(price);
    }
    may
}

/// A number below `end` that differs from call to call.
fn any_below(end: usize) -> usize {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos() as usize % end
}

/// A cgroup directory has one link for itself, one for its name, and one for each child.
fn has_children(about: &FileStat) -> bool {
    about.st_nlink > 2
}

/// Whether the directory belongs to the hierarchy and to the caller's user. A cgroup of another
/// user is not searched: names there prove nothing, and that user could create any number of them.
fn is_own(about: &FileStat, hierarchy: u64) -> bool {
    about.st_dev == hierarchy && about.st_uid == geteuid().as_raw()
}
