//! [`Stdio`] and the sources of the program's descriptors. `plan` opens them.

use std::os::fd::BorrowedFd;

/// The kernel's `fs.nr_open` is far below, so higher numbers are never possible.
pub(crate) const MAX_DESCRIPTOR: i32 = 1 << 20;

/// What a standard descriptor of the program is.
///
/// [`Spec::fd`](crate::Spec::fd) passes a descriptor of the caller's instead.
///
/// ```
/// use std::fs::File;
/// use nsiso::{Spec, Stdio};
///
/// let mut process = Spec::new("echo")?.arg("hello")?.stdio(1, Stdio::Pipe)?.spawn()?;
/// let output = File::from(process.take_pipe(1).unwrap());
/// assert_eq!(std::io::read_to_string(output).unwrap(), "hello\n");
/// assert_eq!(process.wait()?.code(), Some(0));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdio {
    /// The caller's descriptor of the same number; closed if the caller's is closed.
    Inherit,
    /// `/dev/null`, for reading and writing.
    Null,
    /// A pipe; [`Process::take_pipe`](crate::Process::take_pipe) returns the caller's end.
    Pipe,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'fd> {
    Stdio(Stdio),
    Borrowed(BorrowedFd<'fd>),
}
