//! Network namespaces that pass packets on.

use std::os::fd::BorrowedFd;

use crate::spec::Task;
use crate::{Error, Handle, Kinds, Result};

/// Makes a router of the network namespace behind `namespace`: packets that are for others are passed on between its devices, of
/// IPv4 and IPv6, or are not any more. `ip(7)`.
pub fn forward(namespace: BorrowedFd, on: bool) -> Result<()> {
    let namespace = Handle::of_fd(namespace)?;
    if namespace.kind() != Kinds::NET {
        return Err(Error::argument(format!("{namespace:?} is no network namespace")));
    }
    let text = if on { c"1" } else { c"0" };
    let files = [c"sys/net/ipv4/ip_forward", c"sys/net/ipv6/conf/all/forwarding"];
    let task = Task::Write(files.map(|file| (file, text.to_owned())).into());
    super::socket::send(&namespace, task).map(drop)
}
