//! Defines the two kinds of id that a user namespace maps, with the names of their files and tools.
//! `identity.rs` works out the maps.

use crate::error::Step;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdKind {
    User,
    Group,
}

impl IdKind {
    /// The caller's effective uid or gid.
    pub fn of_caller(self) -> u32 {
        match self {
            IdKind::User => nix::unistd::geteuid().as_raw(),
            IdKind::Group => nix::unistd::getegid().as_raw(),
        }
    }

    pub fn step(self) -> Step {
        match self {
            IdKind::User => Step::UidMap,
            IdKind::Group => Step::GidMap,
        }
    }

    /// The name of the map's file below `/proc/PID`.
    pub fn file(self) -> &'static str {
        match self {
            IdKind::User => "uid_map",
            IdKind::Group => "gid_map",
        }
    }

    /// The file that lists the caller's subordinate ids, and the privileged program that maps them.
    pub fn lent_by(self) -> (&'static str, &'static str) {
        match self {
            IdKind::User => ("/etc/subuid", "newuidmap"),
            IdKind::Group => ("/etc/subgid", "newgidmap"),
        }
    }
}
