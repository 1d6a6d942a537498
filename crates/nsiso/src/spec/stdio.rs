//! Where the program's descriptors lead to.

use std::os::fd::BorrowedFd;

/// Numbers beyond this cannot be had: the kernel's `fs.nr_open` is far below.
pub(crate) const MAX_DESCRIPTOR: i32 = 1 << 20;

/// What a standard descriptor of the program is. For a descriptor of the caller's see
/// [`Spec::fd`](crate::Spec::fd).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdio {
    /// The caller's own of that number; closed where the caller's is.
    Inherit,
    /// `/dev/null`.
    Null,
    /// A pipe, whose other end the [`Process`](crate::Process) hands back.
    Pipe,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'fd> {
    Stdio(Stdio),
    Borrowed(BorrowedFd<'fd>),
}
