//! Receives what the helper and its child send to the library over their socket.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use crate::kind::NAMES;

/// All messages received so far.
#[derive(Default)]
pub(super) struct Messages {
    socket: Option<OwnedFd>,
    /// New namespaces, in the order of their kinds.
    pub namespaces: Vec<OwnedFd>,
    /// The listener of a seccomp filter that asks the caller, or a socket.
    pub other: Option<OwnedFd>,
    /// Of the child that the helper has made.
    pub pidfd: Option<OwnedFd>,
    /// Whether the child waits for the parent set-up.
    pub asked: bool,
}

impl Messages {
    pub fn over(socket: Option<OwnedFd>) -> Self {
        Messages { socket, ..Messages::default() }
    }

    /// Receives what has arrived.
    pub fn take_all(&mut self) {
        // The helper does not send more.
        const MOST: usize = 64;
        let _ = (0..MOST).take_while(|_| self.take()).count();
    }

    /// Waits until the child asks for the parent set-up or the helper has ended, at most `timeout`.
    /// Returns false if it should be called again. It does not wait for longer than that if a
    /// process that traces the helper sends other messages all the time.
    pub fn until_asked(&mut self, helper: BorrowedFd, timeout: PollTimeout) -> bool {
        let Some(socket) = &self.socket else { return true };
        let mut ends = [socket.as_fd(), helper].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        match poll(&mut ends, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return true,
        }
        let ended = ends[1].any() == Some(true);
        self.take_all();
        self.asked || ended
    }

    /// Tells the child to go on: the parent set-up is done.
    pub fn answer(&self) {
        self.send(b'g');
    }

    /// Tells the child to end: the parent set-up cannot be done.
    pub fn refuse(&self) {
        self.send(b'r');
    }

    fn send(&self, letter: u8) {
        if let Some(socket) = &self.socket {
            // SAFETY: one byte. A child that has ended needs no answer.
            unsafe { libc::send(socket.as_raw_fd(), (&raw const letter).cast(), 1, libc::MSG_NOSIGNAL) };
        }
    }

    fn take(&mut self) -> bool {
        let Some(socket) = &self.socket else { return false };
        let (letter, fd) = match receive(socket) {
            Received::Message(letter, fd) => (letter, fd),
            Received::Nothing => return false,
            Received::End => {
                self.socket = None;
                return false;
            }
        };
        match letter {
            b'n' if self.namespaces.len() < NAMES.len() => self.namespaces.extend(fd),
            b'p' => self.pidfd = fd,
            b's' => self.other = fd,
            b'a' => self.asked = true,
            _ => {}
        }
        true
    }
}

enum Received {
    /// A letter, and possibly a descriptor.
    Message(u8, Option<OwnedFd>),
    Nothing,
    /// No process has the other end any more.
    End,
}

/// Receives one message, if there is one.
fn receive(socket: &OwnedFd) -> Received {
    let mut byte = [0];
    let mut data = [IoSliceMut::new(&mut byte)];
    let mut room = nix::cmsg_space!(i32);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT;
    let received = recvmsg::<()>(socket.as_raw_fd(), &mut data, Some(&mut room), flags);
    let message = match received {
        Ok(message) => message,
        Err(Errno::EAGAIN | Errno::EINTR) => return Received::Nothing,
        Err(_) => return Received::End,
    };
    let mut fds = Vec::new();
    for part in message.cmsgs().into_iter().flatten() {
        if let ControlMessageOwned::ScmRights(received) = part {
            // SAFETY: the kernel has made them for us. Alignment leaves room for two.
            fds.extend(received.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    if message.bytes == 0 {
        return Received::End;
    }
    Received::Message(byte[0], fds.into_iter().next())
}
