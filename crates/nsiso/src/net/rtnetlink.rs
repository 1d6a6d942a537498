//! Exchanges `rtnetlink(7)` messages with the kernel in one network namespace. `network.rs` builds
//! the requests.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, send};

use super::netlink::{Message, Reply, attribute, replies, string, u32_at};
use super::socket::{own, socket};
use crate::{Error, Result, Step};

/// A netlink socket in one network namespace. The kernel checks the privilege of the process that
/// opened the socket, besides that of the sender.
#[derive(Debug)]
pub(super) struct RouteSocket {
    socket: OwnedFd,
    sequence: u32,
}

/// The error reply to a request.
#[derive(Debug)]
pub(super) struct Refusal {
    pub errno: i32,
    /// The kernel's message; may be empty.
    said: String,
}

impl Refusal {
    /// Converts it to an error of `step` about `object`. The kernel's message follows the hint.
    pub fn error(self, step: Step, object: String, hint: &str) -> Error {
        let said = match self.said.as_str() {
            "" => String::new(),
            said => format!("{}the kernel says: {said}", if hint.is_empty() { "" } else { "; " }),
        };
        Error::new(step, self.errno, object).with_hint(format!("{hint}{said}"))
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Refusal { errno: errno as i32, said: String::new() }
    }
}

/// `NLMSG_ERROR` and `NLMSG_DONE`.
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const DONE: u16 = libc::NLMSG_DONE as u16;
/// `NLMSGERR_ATTR_MSG`: the kernel's message in an error reply.
const SAID: u16 = 1;
/// The size of the receive buffer. The kernel sends no more at a time.
const ROOM: usize = 32 << 10;

impl RouteSocket {
    /// Opens a socket in the network namespace behind a file descriptor, or without one in the
    /// caller's own.
    pub fn new(namespace: Option<BorrowedFd>) -> Result<Self> {
        let (domain, kind, protocol) = (libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE);
        let socket = match namespace {
            Some(namespace) => socket(namespace, domain, kind, protocol)?,
            None => own(domain, kind, protocol)?,
        };
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK] {
            let on: libc::c_int = 1;
            // SAFETY: the option is passed with its size. Old kernels do not know these options and
            // send less; that is no error.
            unsafe {
                let size = size_of_val(&on) as libc::socklen_t;
                libc::setsockopt(socket.as_raw_fd(), libc::SOL_NETLINK, option, (&raw const on).cast(), size);
            }
        }
        Ok(RouteSocket { socket, sequence: 0 })
    }

    /// Sends a request and waits for its acknowledgement.
    pub fn tell(&mut self, message: Message) -> std::result::Result<(), Refusal> {
        self.exchange(message, &mut |_| {})
    }

    /// Sends a request for a list and calls `each` with the body of every reply.
    pub fn ask(&mut self, message: Message, mut each: impl FnMut(&[u8])) -> std::result::Result<(), Refusal> {
        self.exchange(message, &mut |reply: &Reply| each(reply.body))
    }

    fn exchange(
        &mut self,
        message: Message,
        each: &mut dyn FnMut(&Reply),
    ) -> std::result::Result<(), Refusal> {
        self.sequence += 1;
        let fd = self.socket.as_raw_fd();
        send(fd, &message.finish(self.sequence), MsgFlags::empty())?;
        let mut room = vec![0; ROOM];
        loop {
            let len = match recv(fd, &mut room, MsgFlags::empty()) {
                Err(Errno::EINTR) => continue,
                read => read?,
            };
            for reply in replies(&room[..len]).filter(|reply| reply.sequence == self.sequence) {
                match reply.kind {
                    ERROR => return outcome(&reply),
                    DONE => return Ok(()),
                    _ => each(&reply),
                }
            }
        }
    }
}

/// Decodes `struct nlmsgerr`: the negative errno, the header of the request, and attributes.
fn outcome(reply: &Reply) -> std::result::Result<(), Refusal> {
    let fixed = 4 + super::netlink::HEADER;
    match u32_at(reply.body, 0).unwrap_or_default() as i32 {
        0 => Ok(()),
        failed => {
            let said = attribute(reply.body, fixed, SAID).map(string).unwrap_or_default();
            Err(Refusal { errno: -failed, said })
        }
    }
}
