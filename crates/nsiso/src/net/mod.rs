//! Configures network namespaces from outside: links, bridges, devices and forwarding. A child
//! process creates a socket in the namespace, through which the caller sends the few `rtnetlink(7)`
//! requests that are needed.
//!
//! netlink-packet-route and netlink-sys would bring nine crates more, and have no types for the
//! netem and tbf queues; the messages here take 300 lines.

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
