//! Reads the id that the caller's network namespace has assigned to another one, `ip-netns(8)`,
//! with the rtnetlink request `RTM_GETNSID`.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

const RTM_GETNSID: u16 = 90;
const RTM_NEWNSID: u16 = 88;
const NETNSA_NSID: u16 = 1;
const NETNSA_FD: u16 = 3;

/// The request: a header, `struct rtgenmsg` with its padding, and the attribute with the file
/// descriptor.
#[repr(C)]
struct Question {
    header: libc::nlmsghdr,
    family: u32,
    attribute: Attribute,
}

/// `struct nlattr` with a value of 32 bits.
#[repr(C)]
#[derive(Clone, Copy)]
struct Attribute {
    len: u16,
    kind: u16,
    value: i32,
}

/// The reply. The id is its first attribute. An error reply is shorter or has another type.
#[repr(C)]
struct Answer {
    header: libc::nlmsghdr,
    family: u32,
    attribute: Attribute,
    rest: [u32; 32],
}

/// The netlink socket for the requests, opened at the first one.
#[derive(Default)]
pub(super) enum Socket {
    #[default]
    Unopened,
    Open(OwnedFd),
    /// The kernel did not create the socket, so no id can be read.
    Refused,
}

impl Socket {
    /// Returns the id of a network namespace, if it has one.
    pub fn of(&mut self, namespace: BorrowedFd) -> Option<i32> {
        if matches!(self, Socket::Unopened) {
            *self = open().map_or(Socket::Refused, Socket::Open);
        }
        match self {
            Socket::Open(socket) => ask(socket, namespace).filter(|nsid| *nsid >= 0),
            _ => None,
        }
    }
}

fn open() -> Option<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: only integers are passed; the returned file descriptor is new and owned by us.
    unsafe {
        match libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) {
            ..0 => None,
            fd => Some(OwnedFd::from_raw_fd(fd)),
        }
    }
}

fn ask(socket: &OwnedFd, namespace: BorrowedFd) -> Option<i32> {
    let question = Question {
        header: libc::nlmsghdr {
            nlmsg_len: size_of::<Question>() as u32,
            nlmsg_type: RTM_GETNSID,
            nlmsg_flags: libc::NLM_F_REQUEST as u16,
            nlmsg_seq: 0,
            nlmsg_pid: 0,
        },
        family: 0,
        attribute: Attribute {
            len: size_of::<Attribute>() as u16,
            kind: NETNSA_FD,
            value: namespace.as_raw_fd(),
        },
    };
    // SAFETY: all-zero bytes are a valid value of this type.
    let mut answer: Answer = unsafe { std::mem::zeroed() };
    // SAFETY: both structs have the sizes passed. MSG_DONTWAIT is enough, since the kernel has
    // queued the reply before send returns.
    let got = unsafe {
        let question_size = size_of::<Question>();
        if libc::send(socket.as_raw_fd(), (&raw const question).cast(), question_size, 0) < 0 {
            return None;
        }
        let answer_size = size_of::<Answer>();
        libc::recv(socket.as_raw_fd(), (&raw mut answer).cast(), answer_size, libc::MSG_DONTWAIT)
    };
    let whole = got >= size_of::<Question>() as isize;
    let told = answer.header.nlmsg_type == RTM_NEWNSID && answer.attribute.kind == NETNSA_NSID;
    (whole && told).then_some(answer.attribute.value)
}
