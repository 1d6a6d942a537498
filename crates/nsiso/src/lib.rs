//! Linux namespaces for every program: start a program in any mix of new namespaces, with its own
//! view of users, processes, mounts, network, host name and clock, without root.
//!
//! [`Spec`] says what is wanted, [`Spec::spawn`] starts it, [`Process`] is what runs. [`Query`]
//! lists every namespace of the machine and who holds it. [`Handle`] is an existing namespace: a
//! [`Spec`] may join it, [`enter`] takes a thread and [`call`] a function into it, [`pin`] keeps
//! it. The library is made for multi-threaded hosts with big heaps: it never forks them, prints
//! nothing, handles no signals, and keeps nothing but a list of processes that were dropped while
//! they ran, to collect them.

mod cgroup;
mod enter;
mod error;
mod handle;
/// What the library and its helper program share.
#[path = "../helper"]
mod helper {
    #[allow(dead_code, unused_imports, reason = "the helper uses the rest")]
    pub(crate) mod kernel;
    #[allow(dead_code, reason = "the helper uses the rest")]
    pub(crate) mod plan;
    pub(crate) mod syscall;

    // For their own tests.
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
    Address, ClockOffset, Endpoint, Filter, IdRange, Io, Landlock, Limits, Mount, Propagation, SeccompAction,
    Spec, Stdio, UNLIMITED, Uplink,
};
pub use status::{Exit, Status, Usage};
pub use unshare::unshare;
