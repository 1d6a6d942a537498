//! The extern "C" face of nsiso: translation and nothing else. `include/nsiso.h` is made from this
//! crate by cbindgen; what is said here in doc comments is what a C programmer reads there.

#![allow(non_camel_case_types)]
// What a caller has to promise is said once, in the introduction of the header.
#![allow(clippy::missing_safety_doc)]

mod argument;

// The groups are in the order of the header. Words that all use:
mod error;
pub mod kinds;

// What to run, as one document or option by option:
pub mod document;
mod spec;

mod program;

mod identity;
mod join;
pub mod mount;

pub mod landlock;
pub mod privileges;
pub mod sandbox;
pub mod seccomp;

pub mod limits;
pub mod net;

// What comes of it:
mod process;

// Existing namespaces, and what there is:
mod enter;
pub mod list;
pub mod probe;

use std::ffi::{CStr, c_char};

/// The version of the library that is running, as "MAJOR.MINOR.PATCH". Static, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn ns_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => unreachable!(),
        };
    VERSION.as_ptr()
}
