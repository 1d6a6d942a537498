//! Starts programs in new or existing Linux namespaces: with their own users, processes, mounts,
//! network, host name and clocks. Root is not required.
//!
//! A [`Spec`] describes the program and its namespaces. [`Spec::spawn`] starts it and returns a
//! [`Process`]. A [`Query`] lists the namespaces of the machine and their holders. A [`Handle`] is
//! an open namespace: a [`Spec`] can join it, [`enter`] moves a thread into it, [`call`] runs a
//! function in it, and [`pin`] keeps it alive at a path. [`probe`] finds out what the kernel and
//! the user's privileges allow.
//!
//! The library is made for multi-threaded programs with large heaps. It never forks the caller,
//! prints nothing and handles no signals. Its only state is a list of the processes whose
//! [`Process`] was dropped while they ran, so that it can reap them.

mod cgroup;
mod enter;
mod error;
mod handle;
/// The code that the library shares with its helper program.
#[path = "../helper"]
mod helper {
    #[allow(dead_code, unused_imports, reason = "the helper uses the rest")]
    pub(crate) mod kernel;
    #[allow(dead_code, reason = "the helper uses the rest")]
    pub(crate) mod plan;
    pub(crate) mod syscall;

    // Modules of the helper that have unit tests.
    #[cfg(test)]
    #[allow(dead_code, reason = "the helper uses them")]
    mod files;
    #[cfg(test)]
    #[allow(dead_code, reason = "the helper uses them")]
    mod memory;
    #[cfg(test)]
    #[allow(dead_code, unused_imports, reason = "the helper uses them")]
    mod mount;

    #[cfg(test)]
    #[path = "../src/helper_tests.rs"]
    mod tests;
}
mod attachments;
#[cfg(feature = "serde")]
pub mod document;
mod kind;
mod list;
mod net;
mod nsfs;
mod pidfd;
mod pin;
mod plan;
mod probe;
mod process;
mod rlimit;
#[cfg(feature = "serde")]
mod serialize;
mod spawn;
mod spec;
mod status;
mod unshare;

pub use cgroup::{Pressure, Resources, Stall};
#[cfg(feature = "serde")]
pub use document::Document;
pub use enter::{Entered, call, enter};
pub use error::{Error, Result, Step};
pub use handle::Handle;
pub use kind::Kinds;
pub use list::{Gaps, Held, Holder, Listing, Namespace, Query, Scope};
pub use net::{bridge, forward, link, move_device, remove_device, socket};
pub use pidfd::open_process;
pub use pin::{pin, unpin};
pub use probe::{Feature, Support, probe};
pub use process::Process;
pub use spec::{
    Address, ClockOffset, Endpoint, IdRange, Io, Landlock, Limits, Mount, Propagation, Seccomp,
    SeccompAction, Spec, Stdio, UNLIMITED, Uplink,
};
pub use status::{Exit, Status, Usage};
pub use unshare::unshare;

/// The Rust code of the pages of documentation, so that `cargo test --doc` runs it.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    pub struct Readme;
    #[doc = include_str!("../../../docs/reference/spec-document.md")]
    pub struct SpecDocument;
}
