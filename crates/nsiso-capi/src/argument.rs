//! Arguments from C, checked before they are used.

use std::ffi::{CStr, OsStr, c_char};
use std::os::fd::{BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;

use nsiso::{Error, Kinds, Result};

/// # Safety
/// `pointer` is NULL or valid for `'a`.
pub(crate) unsafe fn reference<'a, T>(pointer: *const T, what: &str) -> Result<&'a T> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_ref() }.ok_or_else(|| is_null(what))
}

/// # Safety
/// `pointer` is NULL or valid for `'a`, and nothing else uses the object.
pub(crate) unsafe fn reference_mut<'a, T>(pointer: *mut T, what: &str) -> Result<&'a mut T> {
    // SAFETY: the caller's promise.
    unsafe { pointer.as_mut() }.ok_or_else(|| is_null(what))
}

/// # Safety
/// `pointer` is NULL or a string valid for `'a`.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, what: &str) -> Result<&'a OsStr> {
    if pointer.is_null() {
        return Err(is_null(what));
    }
    // SAFETY: the caller's promise.
    Ok(OsStr::from_bytes(unsafe { CStr::from_ptr(pointer) }.to_bytes()))
}

/// # Safety
/// `table` is NULL or a table of strings that ends with NULL, valid for `'a`.
pub(crate) unsafe fn texts<'a>(mut table: *const *const c_char, what: &str) -> Result<Vec<&'a OsStr>> {
    if table.is_null() {
        return Err(is_null(what));
    }
    let mut found = Vec::new();
    // SAFETY: the caller's promise; `table` does not go past its NULL.
    unsafe {
        while !(*table).is_null() {
            found.push(text(*table, what)?);
            table = table.add(1);
        }
    }
    Ok(found)
}

/// # Safety
/// `first` is NULL or the first of `count` items valid for `'a`.
pub(crate) unsafe fn items<'a, T>(first: *const T, count: usize, what: &str) -> Result<&'a [T]> {
    match (first.is_null(), count) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(is_null(what)),
        (_, many) if many > isize::MAX as usize / size_of::<T>() => {
            Err(Error::argument(format!("{what}: {many} are more than memory can hold")))
        }
        // SAFETY: the caller's promise.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(first, count) }),
    }
}

/// Converts kinds of namespace, NS_USER and the like joined by |.
pub(crate) fn kinds(bits: u64) -> Result<Kinds> {
    let unknown = bits & !Kinds::all().bits();
    Kinds::from_bits(bits).ok_or_else(|| Error::argument(format!("{unknown:#x} is no kind of namespace")))
}

/// Borrows a descriptor of the caller's, which must be open now.
pub(crate) fn descriptor(fd: RawFd) -> Result<BorrowedFd<'static>> {
    // SAFETY: fcntl takes any number.
    if fd < 0 || unsafe { libc::fcntl(fd, libc::F_GETFD) } < 0 {
        return Err(Error::argument(format!("descriptor {fd} is not open")));
    }
    // SAFETY: it is open; the header says for how long it has to be.
    Ok(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// Copies a struct to the caller by the rules of clone3(2). An older caller has a smaller
/// struct and gets its first fields. A newer caller has a larger struct, the rest of which
/// becomes zero.
///
/// # Safety
/// `out` is NULL or has `size` bytes for writing. `T` has no padding.
pub(crate) unsafe fn store<T: Copy>(out: *mut T, size: usize, value: &T) -> Result<()> {
    if out.is_null() {
        return Err(is_null("out"));
    }
    if size == 0 {
        return Err(Error::argument("size is 0: pass the size of the struct that out points to"));
    }
    // SAFETY: the caller's promise; no more than `size` bytes are written.
    unsafe {
        std::ptr::write_bytes(out.cast::<u8>(), 0, size);
        std::ptr::copy_nonoverlapping((&raw const *value).cast::<u8>(), out.cast(), size.min(size_of::<T>()));
    }
    Ok(())
}

pub(crate) fn is_null(what: &str) -> Error {
    Error::argument(format!("{what} is NULL"))
}
