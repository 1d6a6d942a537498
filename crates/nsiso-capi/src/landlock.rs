//! What the program may reach: rules of landlock(7).

use std::ffi::{c_char, c_int};

use nsiso::{Error, Landlock, Result};

use crate::argument::{items, reference, reference_mut, text};
use crate::error::{boundary, free, ns_error, quiet_boundary};
use crate::spec::{ns_spec, set};

/// ns_landlock_path: files may be read and directories listed.
pub const NS_LANDLOCK_READ: u64 = 1;
/// ns_landlock_path: files may be read and executed.
pub const NS_LANDLOCK_EXECUTE: u64 = 2;
/// ns_landlock_path: files may be read, written, made and removed.
pub const NS_LANDLOCK_WRITE: u64 = 4;
/// ns_spec_landlock: no signals to processes outside, no connections to abstract Unix sockets made outside.
pub const NS_LANDLOCK_SCOPED: u64 = 1;
/// ns_spec_landlock: where the kernel knows less than is asked for, the rest is enforced. Without it the spawn fails.
pub const NS_LANDLOCK_BEST_EFFORT: u64 = 2;
/// ns_spec_landlock: whatever is mounted or made in the program's view of the file system for it to write may be written, but for the root itself.
pub const NS_LANDLOCK_AS_MOUNTED: u64 = 4;

/// Rules of Landlock. Opaque, reusable. They grant nothing at first.
pub struct ns_landlock(Landlock);

/// New rules; NULL when memory is used up. Free them with ns_landlock_free.
#[unsafe(no_mangle)]
pub extern "C" fn ns_landlock_new() -> *mut ns_landlock {
    quiet_boundary(std::ptr::null_mut(), || Box::into_raw(Box::new(ns_landlock(Landlock::new()))))
}

/// Frees rules; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_landlock_free(rules: *mut ns_landlock) {
    // SAFETY: NULL, or made by ns_landlock_new and not freed before, says the header.
    unsafe { free(rules) }
}

/// # Safety
/// `rules` is NULL or rules that nobody else uses.
unsafe fn grant(
    rules: *mut ns_landlock,
    err: *mut ns_error,
    change: impl FnOnce(Landlock) -> Result<Landlock>,
) -> c_int {
    boundary(err, || {
        // SAFETY: the caller's promise.
        let rules = unsafe { reference_mut(rules, "rules") }?;
        rules.0 = change(rules.0.clone())?;
        Ok(0)
    })
}

/// Grants `access`, NS_LANDLOCK_READ, _EXECUTE, _WRITE joined by |, to the file or the tree at `path`, as the program sees it; it must exist
/// when the program starts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_landlock_path(
    rules: *mut ns_landlock,
    path: *const c_char,
    access: u64,
    err: *mut ns_error,
) -> c_int {
    const ALL: u64 = NS_LANDLOCK_READ | NS_LANDLOCK_EXECUTE | NS_LANDLOCK_WRITE;
    // SAFETY: NULL or valid, says the header.
    unsafe {
        grant(rules, err, |mut rules| {
            let path = text(path, "path")?;
            if access == 0 || access & !ALL != 0 {
                return Err(Error::argument(format!("{access:#x} is no access, NS_LANDLOCK_...")));
            }
            for (bit, allow) in [
                (NS_LANDLOCK_READ, Landlock::read as fn(Landlock, _) -> _),
                (NS_LANDLOCK_EXECUTE, Landlock::execute),
                (NS_LANDLOCK_WRITE, Landlock::write),
            ] {
                if access & bit != 0 {
                    rules = allow(rules, path)?;
                }
            }
            Ok(rules)
        })
    }
}

/// TCP sockets may be bound to these `count` ports alone; 0 for none. Linux 6.7.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_landlock_bind_tcp(
    rules: *mut ns_landlock,
    ports: *const u16,
    count: usize,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { grant(rules, err, |rules| Ok(rules.bind_tcp(items(ports, count, "ports")?))) }
}

/// TCP connections may be made to these `count` ports alone; 0 for none. Linux 6.7. The kernel counts connect(2): TCP Fast Open and MPTCP get round it, unless
/// ns_spec_seccomp refuses them; so does UDP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_landlock_connect_tcp(
    rules: *mut ns_landlock,
    ports: *const u16,
    count: usize,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { grant(rules, err, |rules| Ok(rules.connect_tcp(items(ports, count, "ports")?))) }
}

/// Restricts the program to what `rules` grant; they are copied. NULL lifts rules that were set before,
/// by ns_spec_sandbox for example; then `flags` must be 0. `flags`: NS_LANDLOCK_SCOPED, NS_LANDLOCK_BEST_EFFORT, NS_LANDLOCK_AS_MOUNTED. Brings ns_spec_new_privs. landlock(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_landlock(
    spec: *mut ns_spec,
    rules: *const ns_landlock,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            if rules.is_null() && flags == 0 {
                return Ok(spec.landlock(None));
            }
            let mut rules = reference(rules, "rules")?.0.clone();
            if flags & !(NS_LANDLOCK_SCOPED | NS_LANDLOCK_BEST_EFFORT | NS_LANDLOCK_AS_MOUNTED) != 0 {
                return Err(Error::argument(format!("{flags:#x} are no flags for Landlock")));
            }
            if flags & NS_LANDLOCK_SCOPED != 0 {
                rules = rules.scoped();
            }
            if flags & NS_LANDLOCK_BEST_EFFORT != 0 {
                rules = rules.best_effort();
            }
            if flags & NS_LANDLOCK_AS_MOUNTED != 0 {
                rules = rules.write_as_mounted();
            }
            Ok(spec.landlock(rules))
        })
    }
}
