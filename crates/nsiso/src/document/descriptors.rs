//! Descriptors in a spec document: numbers of the caller's.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DescriptorOr, Kind, OneOrMany, kinds};
use crate::spec::{Join, Source};
use crate::{Error, Kinds, Result, Spec, Stdio};

/// A descriptor of the caller's, which must be open.
pub(super) fn descriptor(fd: RawFd) -> Result<BorrowedFd<'static>> {
    // SAFETY: a number; only asks.
    let open = fd >= 0 && unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
    match open {
        // SAFETY: it is open, and the document's promise is that the caller keeps it so until the
        // spawn.
        true => Ok(unsafe { BorrowedFd::borrow_raw(fd) }),
        false => Err(Error::argument(format!("descriptor {fd} is not open"))),
    }
}

/// Where a descriptor of the program leads to: one of the caller's, or a word.
pub type FdSource = DescriptorOr<StdioWord>;

/// What a standard descriptor is.
///
/// ```
/// use nsiso::document::{DescriptorOr, Document, StdioWord};
///
/// let document = Document::from_json(r#"{"args": ["make"], "fds": {"1": "null"}}"#)?;
/// assert_eq!(document.fds.unwrap()[&1], DescriptorOr::Other(StdioWord::Null));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StdioWord {
    /// The caller's descriptor of the same number.
    Inherit,
    /// /dev/null.
    Null,
    /// A pipe, whose other end the caller takes.
    Pipe,
}

impl DescriptorOr<StdioWord> {
    pub(super) fn put(self, number: i32, spec: &mut Spec<'static>) -> Result<()> {
        match self {
            DescriptorOr::Descriptor(fd) => spec.fd(number, descriptor(fd)?),
            DescriptorOr::Other(StdioWord::Inherit) => spec.stdio(number, Stdio::Inherit),
            DescriptorOr::Other(StdioWord::Null) => spec.stdio(number, Stdio::Null),
            DescriptorOr::Other(StdioWord::Pipe) => spec.stdio(number, Stdio::Pipe),
        }
        .map(drop)
    }
}

/// Namespaces to join: a descriptor of one, or those of a process.
pub type JoinOption = DescriptorOr<JoinProcess>;

/// Namespaces of a process.
///
/// ```
/// use std::os::fd::AsRawFd;
/// use nsiso::document::{DescriptorOr, Document, JoinProcess, Kind, OneOrMany};
///
/// let process = nsiso::open_process(1, None)?;
/// let kinds = Some(OneOrMany::Many(vec![Kind::Net, Kind::Uts]));
/// let join = DescriptorOr::Other(JoinProcess { pidfd: process.as_raw_fd(), kinds });
/// let spec = Document { join: Some(vec![join]), ..Document::default() }.spec()?;
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct JoinProcess {
    /// The pidfd of the process. pidfd_open(2).
    pub pidfd: RawFd,
    /// Which of its namespaces: all by default. Those that it shares with the caller are left out.
    pub kinds: Option<OneOrMany<Kind>>,
}

impl DescriptorOr<JoinProcess> {
    pub(super) fn put(&self, spec: &mut Spec<'static>) -> Result<()> {
        match self {
            DescriptorOr::Descriptor(fd) => spec.join(descriptor(*fd)?),
            DescriptorOr::Other(JoinProcess { pidfd, kinds }) => {
                let kinds = match kinds {
                    None => Kinds::all(),
                    Some(kinds) => kinds.items().iter().map(|kind| Kinds::from(*kind)).collect(),
                };
                spec.join_process(descriptor(*pidfd)?, kinds)
            }
        }
        .map(drop)
    }
}

impl From<&Source<'_>> for FdSource {
    fn from(source: &Source) -> Self {
        match source {
            Source::Stdio(Stdio::Inherit) => DescriptorOr::Other(StdioWord::Inherit),
            Source::Stdio(Stdio::Null) => DescriptorOr::Other(StdioWord::Null),
            Source::Stdio(Stdio::Pipe) => DescriptorOr::Other(StdioWord::Pipe),
            Source::Borrowed(fd) => DescriptorOr::Descriptor(fd.as_raw_fd()),
        }
    }
}

impl From<&Join<'_>> for JoinOption {
    fn from(join: &Join) -> Self {
        match join {
            Join::Namespace(fd) => DescriptorOr::Descriptor(fd.as_raw_fd()),
            Join::Process(pidfd, set) => {
                let kinds = OneOrMany::Many(kinds(*set));
                DescriptorOr::Other(JoinProcess { pidfd: pidfd.as_raw_fd(), kinds: Some(kinds) })
            }
        }
    }
}
