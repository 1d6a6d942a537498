//! The extern "C" face of nsiso: translation and nothing else. `include/nsiso.h` is made from this
//! crate by cbindgen; what is said here in doc comments is what a C programmer reads there.

#![allow(non_camel_case_types)]
// What a caller has to promise is said once, in the introduction of the header.
#![allow(clippy::missing_safety_doc)]

mod argument;
mod enter;
mod error;
pub mod kinds;
pub mod limits;
pub mod list;
pub mod mount;
pub mod net;
pub mod privileges;
pub mod probe;
mod process;
mod spec;

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
