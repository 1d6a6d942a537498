//! The C API of nsiso: it converts arguments and results and does nothing else. cbindgen
//! generates `include/nsiso.h` from this crate, and its doc comments document the header.

#![allow(non_camel_case_types)]
// The introduction of the header states the requirements on all pointers.
#![allow(clippy::missing_safety_doc)]

mod argument;

// The modules are in the order of the header. First what all of them use:
mod error;
pub mod kinds;

// The options of a spec, as one document or one by one:
pub mod document;
mod spec;

mod program;

mod file;
mod identity;
mod join;
pub mod mount;
mod overlay;

pub mod landlock;
pub mod privileges;
pub mod sandbox;
pub mod seccomp;

pub mod endpoint;
pub mod limits;
pub mod net;
pub mod resources;

// Processes:
mod process;
mod status;

// Existing namespaces, listings and features:
mod enter;
mod handle;
pub mod list;
pub mod namespace;
pub mod probe;

use std::ffi::{CStr, c_char};

/// Returns the version of the library that is running, as "MAJOR.MINOR.PATCH".
///
/// The string is static and never NULL. The version of the header may differ from it.
#[unsafe(no_mangle)]
pub extern "C" fn ns_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => unreachable!(),
        };
    VERSION.as_ptr()
}
