//! Conversion of errors to C, and the boundary that every exported function goes through.

use std::ffi::{c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nsiso::{Error, Result};

/// Describes why a call failed.
///
/// The caller provides the struct; there is nothing to free. The texts are UTF-8, end with NUL
/// and are cut off if they are longer than their array.
#[repr(C)]
pub struct ns_error {
    /// The errno value, positive; 0 after a call that succeeded.
    pub errnum: i32,
    /// The step that failed: a value of `enum ns_step`. A newer library may give a newer
    /// number.
    pub step: i32,
    /// The index, from 0, of the option that failed, where there are several of its sort (id
    /// ranges, descriptors, mounts); -1 where it does not apply.
    pub index: i32,
    /// Not used; 0.
    pub reserved: i32,
    /// What the library tried to do, to which object, and the cause.
    pub message: [c_char; 512],
    /// What the caller can do about it; may be empty.
    pub hint: [c_char; 512],
}

/// Runs the body of an exported function that can fail. Returns its result, or a negative errno
/// value; a panic becomes an error.
pub(crate) fn boundary(err: *mut ns_error, body: impl FnOnce() -> Result<c_int>) -> c_int {
    let result = contained(body).unwrap_or_else(|panic| Err(Error::internal(said(&*panic))));
    // SAFETY: NULL, or a struct of the caller's.
    if let Some(err) = unsafe { err.as_mut() } {
        store(err, result.as_ref().err());
    }
    match result {
        Ok(value) => value,
        Err(error) => -error.errno(),
    }
}

/// Runs the body of an exported function that cannot report an error. A panic returns
/// `fallback`.
pub(crate) fn quiet_boundary<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    contained(body).unwrap_or(fallback)
}

/// Frees an object of the library; NULL is allowed.
///
/// # Safety
/// `object` is NULL, or was made by `Box::into_raw` and is no longer used.
pub(crate) unsafe fn free<T>(object: *mut T) {
    if !object.is_null() {
        // SAFETY: the caller's promise.
        quiet_boundary((), || drop(unsafe { Box::from_raw(object) }));
    }
}

/// Runs `body` so that no panic leaves it and the thread is not cancelled in it.
fn contained<T>(body: impl FnOnce() -> T) -> std::thread::Result<T> {
    let _uncancelled = Uncancelled::new();
    catch_unwind(AssertUnwindSafe(body))
}

/// While this exists, pthread_cancel(3) of the calling thread stays pending. The C library
/// cancels a thread by unwinding its stack, and a Rust frame that catches panics aborts on
/// that.
struct Uncancelled {
    before: c_int,
}

/// It has this value in glibc and musl.
const PTHREAD_CANCEL_DISABLE: c_int = 1;

/// Sets the cancel state of the calling thread and returns the previous one.
fn set_cancel_state(state: c_int) -> c_int {
    // Declared inside the function, so that cbindgen does not export it.
    unsafe extern "C" {
        fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
    }
    let mut before = 0;
    // SAFETY: `before` is valid for writing.
    unsafe { pthread_setcancelstate(state, &raw mut before) };
    before
}

impl Uncancelled {
    fn new() -> Self {
        Uncancelled { before: set_cancel_state(PTHREAD_CANCEL_DISABLE) }
    }
}

impl Drop for Uncancelled {
    fn drop(&mut self) {
        set_cancel_state(self.before);
    }
}

fn store(out: &mut ns_error, error: Option<&Error>) {
    out.errnum = error.map_or(0, Error::errno);
    out.step = error.map_or(0, |error| error.step() as i32);
    out.index = error.and_then(Error::index).map_or(-1, |index| index as i32);
    out.reserved = 0;
    copy(&mut out.message, error.map_or("", Error::message));
    copy(&mut out.hint, error.map_or("", Error::hint));
}

fn copy(out: &mut [c_char], text: &str) {
    let mut len = text.len().min(out.len() - 1);
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    for (to, from) in out.iter_mut().zip(&text.as_bytes()[..len]) {
        *to = *from as c_char;
    }
    out[len] = 0;
}

fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or(panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown place").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blank() -> ns_error {
        ns_error { errnum: 7, step: 7, index: 7, reserved: 7, message: [7; 512], hint: [7; 512] }
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let mut error = blank();
        assert_eq!(boundary(&mut error, || panic!("here")), -libc::EFAULT);
        assert_eq!(error.step, nsiso::Step::Internal as i32);
        assert_ne!(error.hint[0], 0);
    }

    #[test]
    fn a_panic_where_no_error_is_told_gives_the_fallback() {
        struct Bad;
        impl Drop for Bad {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        assert_eq!(quiet_boundary(7, || panic!("here")), 7);
        // SAFETY: made here.
        unsafe { free(Box::into_raw(Box::new(Bad))) };
        // SAFETY: NULL is allowed.
        unsafe { free(std::ptr::null_mut::<Bad>()) };
    }

    #[test]
    fn the_cancel_state_is_what_it_was() {
        let within = || Ok(set_cancel_state(PTHREAD_CANCEL_DISABLE));
        for before in [PTHREAD_CANCEL_DISABLE, 0] {
            set_cancel_state(before);
            assert_eq!(boundary(std::ptr::null_mut(), within), PTHREAD_CANCEL_DISABLE);
            assert_eq!(set_cancel_state(before), before);
        }
    }

    #[test]
    fn success_leaves_no_old_error() {
        let mut error = blank();
        assert_eq!(boundary(&mut error, || Ok(3)), 3);
        assert_eq!(
            (error.errnum, error.step, error.index, error.message[0], error.hint[0]),
            (0, 0, -1, 0, 0)
        );
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        let mut out = [0; 8];
        copy(&mut out, "abcdefé");
        assert_eq!(out.map(|c| c as u8), *b"abcdef\0\0");
    }
}
