//! Network namespaces linked to each other, without going into them: sockets made there, and the few messages of
//! `rtnetlink(7)` that it takes.

mod forward;
mod link;
mod netlink;
mod network;
mod qdisc;
mod rtnetlink;
mod socket;

pub use forward::forward;
pub(crate) use link::{Moved, Pair, moved, pair};
pub use link::{bridge, link, move_device, remove_device};
pub use socket::socket;
