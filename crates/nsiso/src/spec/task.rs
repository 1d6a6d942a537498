//! What a child does in place of running a program: it goes where a spec says, does one thing there and ends.

use std::ffi::{CStr, CString};

/// The one thing.
#[derive(Clone, Debug)]
pub(crate) enum Task {
    /// Nothing: to come so far is all.
    Arrive,
    /// Try a user namespace inside the new one.
    NestUser,
    /// Try an overlay.
    MountOverlay,
    /// Make a socket and hand it over, `socket(2)`.
    Socket { domain: i32, kind: i32, protocol: i32 },
    /// Write files below /proc in one go each. One that does not exist is passed over.
    Write(Vec<(&'static CStr, CString)>),
}
