//! Turns forwarding of packets in a network namespace on or off.

use std::os::fd::BorrowedFd;

use crate::spec::Task;
use crate::{Error, Handle, Kinds, Result};

/// Turns forwarding of IPv4 and IPv6 packets between the devices of a network namespace on or off,
/// which makes it a router or an ordinary host. `ip(7)`.
///
/// Writes `net.ipv4.ip_forward` and `net.ipv6.conf.all.forwarding` in `/proc/sys`. A file that the
/// kernel does not have is skipped. The calling thread stays in its namespaces: a child process
/// joins the network namespace and writes.
///
/// Fails with EINVAL if `namespace` is not a network namespace, and with EPERM if the caller is not
/// permitted to join it. An ordinary user can use network namespaces that are owned by a user
/// namespace of its own.
///
/// ```no_run
/// use std::os::fd::AsFd;
///
/// let router = nsiso::Handle::named("router")?;
/// nsiso::forward(router.as_fd(), true)?;
/// # Ok::<(), nsiso::Error>(())
/// ```
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
