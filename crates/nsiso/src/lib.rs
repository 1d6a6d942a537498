//! Linux namespaces for every program: start a program in any mix of new namespaces, with its own
//! view of users, processes, mounts, network, host name and clock, without root.
//!
//! [`Spec`] says what is wanted, [`Spec::spawn`] starts it, [`Process`] is what runs. [`Query`] lists every
//! namespace of the machine and who holds it. The library
//! is made for multi-threaded hosts with big heaps: it never forks them, keeps no state of its
//! own, prints nothing and handles no signals.

mod child;
mod error;
mod kind;
mod list;
mod plan;
mod process;
mod rlimit;
mod spawn;
mod spec;

pub use error::{Error, Result, Step};
pub use kind::Kinds;
pub use list::{Gaps, Held, Holder, Listing, Look, Namespace, Query};
pub use process::{Exit, Process, Status, Usage};
pub use spec::{ClockOffset, IdRange, Propagation, Spec, Stdio};
