//! The two kinds of id a user namespace maps, and where each has its place.

use crate::error::Step;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdKind {
    User,
    Group,
}

impl IdKind {
    /// The caller's effective id.
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

    /// The file under `/proc/PID`.
    pub fn file(self) -> &'static str {
        match self {
            IdKind::User => "uid_map",
            IdKind::Group => "gid_map",
        }
    }

    /// The file that lists the ids lent, and the privileged helper that maps them.
    pub fn lent_by(self) -> (&'static str, &'static str) {
        match self {
            IdKind::User => ("/etc/subuid", "newuidmap"),
            IdKind::Group => ("/etc/subgid", "newgidmap"),
        }
    }
}
