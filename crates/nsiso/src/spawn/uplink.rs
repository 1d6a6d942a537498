//! Runs `pasta(1)` as the uplink: beside the program, in its user namespace, and ended with it.

use std::fs::File;
use std::io::{self, Read};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{Mode, fchmod};

use super::Child;
use crate::attachments::Companion;
use crate::handle::own_inode;
use crate::kind;
use crate::spec::Uplink;
use crate::{Error, Handle, Kinds, Mount, Result, Spec, Step};

/// Where pasta's file system view has the program's network namespace: a file that always exists.
const NETWORK: &str = "/proc/version";
const TOOL: &str = "pasta";

/// Starts pasta, and returns when it is ready.
#[inline(never)] // keeps the stack of other spawns small
pub(super) fn start(child: &Child, network: &Handle, wanted: &Uplink) -> Result<Companion> {
    are_free(wanted)?;
    let failed =
        |what: &'static str| move |error: io::Error| Error::no_descriptor(Step::Uplink, what, &error);
    let (mut ready, says_ready) = io::pipe().map_err(failed("a pipe"))?;
    let (complaints, complains) = io::pipe().map_err(failed("a pipe"))?;
    // pasta opens the pid pipe by path, as another user. Its messages must not block it.
    let prepared = fchmod(&says_ready, Mode::from_bits_truncate(0o666))
        .and_then(|()| fcntl(&complains, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)))
        .and_then(|_| fcntl(&complaints, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)));
    prepared.map_err(|errno| failed("a pipe")(errno.into()))?;

    let mut spec = Spec::new(TOOL)?;
    spec.args(["--foreground", "--quiet", "--stderr", "--config-net", "--netns-only", "--netns", NETWORK])?
        .args(["--pid", "/proc/self/fd/1"])?
        // Nothing that was not asked for: neither the host's loopback nor its ports.
        .args(["--no-map-gw", "--tcp-ns", "none", "--udp-ns", "none"])?
        .args(["--tcp-ports", &ports(wanted, &wanted.tcp), "--udp-ports", &ports(wanted, &wanted.udp)])?;
    let owner = network.owner()?;
    match owner.as_ref().filter(|owner| own_inode(kind::USER).ok() != Some(owner.inode())) {
        Some(owner) => drop(spec.join(owner.as_fd())?.keep_caps()),
        // pasta would become nobody, who may not enter the network namespace of a user who is as
        // privileged as the caller.
        None => drop(spec.args(["--runas", "0"])?),
    }
    let source = format!("/proc/self/fd/{}", network.as_fd().as_raw_fd());
    spec.mount(Mount::bind(source, NETWORK)?.with_flags_of_source());
    spec.unshare(Kinds::PID).init(true).dies_with(child.pidfd.as_fd());
    spec.stdio(0, crate::Stdio::Null)?.fd(1, says_ready.as_fd())?.fd(2, complains.as_fd())?;
    let process = spec.spawn().map_err(|error| match (error.step(), error.errno()) {
        (Step::Exec, libc::ENOENT) => Error::new(Step::Uplink, libc::ENOENT, TOOL)
            .with_hint("pasta is not installed: it comes with the package passt"),
        _ => error,
    })?;
    drop(spec);
    drop((says_ready, complains));
    let mut pid = [0];
    if let Ok(1) = ready.read(&mut pid) {
        return Ok(Companion { process, complaints: complaints.into() });
    }
    let _ = process.wait();
    let mut said = String::new();
    let _ = File::from(OwnedFd::from(complaints)).read_to_string(&mut said);
    Err(Error::new(Step::Uplink, libc::EIO, TOOL).with_hint(hint(&said)))
}

/// Fails if a port is taken. pasta would start all the same, and the port would lead elsewhere.
fn are_free(wanted: &Uplink) -> Result<()> {
    let taken = |kind: &'static str, port: u16| {
        move |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => "somebody else has this port",
                io::ErrorKind::PermissionDenied => "ports below 1024 take CAP_NET_BIND_SERVICE",
                _ => "the address must be one of the caller's",
            };
            Error::from_io(Step::Uplink, format!("{kind} port {port} of {}", wanted.listen), &error)
                .with_hint(hint)
        }
    };
    for (port, _) in &wanted.tcp {
        TcpListener::bind((wanted.listen, *port)).map_err(taken("TCP", *port))?;
    }
    for (port, _) in &wanted.udp {
        UdpSocket::bind((wanted.listen, *port)).map_err(taken("UDP", *port))?;
    }
    Ok(())
}

fn ports(wanted: &Uplink, ports: &[(u16, u16)]) -> String {
    match ports {
        [] => "none".into(),
        some => {
            let listed: Vec<String> =
                some.iter().map(|(outside, inside)| format!("{outside}:{inside}")).collect();
            format!("{}/{}", wanted.listen, listed.join(","))
        }
    }
}

/// The last line of pasta's messages, and its likely cause.
fn hint(said: &str) -> String {
    let mut lines = said.lines().filter(|line| !line.trim().is_empty() && !line.contains("syslog"));
    let said = lines.next_back().unwrap_or("nothing").trim();
    let meant = match said {
        _ if said.contains("tun") => ": the device /dev/net/tun must exist, and the caller may open it",
        _ if said.contains("routable interface") => ": the caller's network namespace has no default route",
        _ if said.contains("bind") => ": a port is in use, or below 1024 and the caller is not root",
        _ => "",
    };
    format!("pasta says: {said}{meant}")
}
