//! [`Task`]: work that a child does in its namespaces in place of running a program. The helper
//! does it and ends.

use std::ffi::{CStr, CString};

/// The work.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// Nothing: the set-up alone is of interest.
    Arrive,
    /// Create a user namespace inside the new one.
    NestUser,
    /// Mount an overlay.
    MountOverlay,
    /// Make a socket, `socket(2)`, and send it to the parent.
    Socket { domain: i32, kind: i32, protocol: i32 },
    /// Write files below /proc, each in one write. A file that does not exist is skipped.
    Write(Vec<(&'static CStr, CString)>),
}
