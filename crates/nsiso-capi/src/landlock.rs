//! Landlock rules, landlock(7).

use std::ffi::{c_char, c_int};

use nsiso::{Error, Landlock, Result};

use crate::argument::{items, reference, reference_mut, text};
use crate::error::{boundary, free, ns_error, quiet_boundary};
use crate::spec::{ns_spec, set};

/// ns_landlock_path: files may be read and directories listed.
pub const NS_LANDLOCK_READ: u64 = 1;
/// ns_landlock_path: files may be read and executed and directories listed.
pub const NS_LANDLOCK_EXECUTE: u64 = 2;
/// ns_landlock_path: files may be read, written, created and removed and directories listed.
pub const NS_LANDLOCK_WRITE: u64 = 4;
/// ns_spec_landlock: no signals to processes outside, and no connections to abstract Unix
/// sockets created outside. Linux 6.12.
pub const NS_LANDLOCK_SCOPED: u64 = 1;
/// ns_spec_landlock: enforces what the kernel supports. Without it ns_spawn fails if the kernel
/// does not support all rules.
pub const NS_LANDLOCK_BEST_EFFORT: u64 = 2;
/// ns_spec_landlock: allows writing to every writable mount, file and directory of the spec
/// except the root.
pub const NS_LANDLOCK_AS_MOUNTED: u64 = 4;

/// Rules of Landlock. Opaque and reusable. New rules grant nothing.
///
/// A setter must not run while another thread uses the same rules.
pub struct ns_landlock(Landlock);

/// Creates Landlock rules that grant nothing.
///
/// Returns NULL if it fails. Free them with ns_landlock_free. The program can start only if the
/// rules let it and its libraries be executed and read.
///
/// Man page: landlock(7).
#[unsafe(no_mangle)]
pub extern "C" fn ns_landlock_new() -> *mut ns_landlock {
    quiet_boundary(std::ptr::null_mut(), || Box::into_raw(Box::new(ns_landlock(Landlock::new()))))
}

/// Frees Landlock rules; NULL is allowed.
///
/// Specs have their own copies.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_landlock_free(rules: *mut ns_landlock) {
    // SAFETY: NULL, or made by ns_landlock_new and not freed before, says the header.
    unsafe { free(rules) }
}

/// # Safety
/// `rules` is NULL or valid, and nothing else uses the rules.
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

/// Grants access to the file or the directory tree at `path`.
///
/// `access` is NS_LANDLOCK_READ, NS_LANDLOCK_EXECUTE and NS_LANDLOCK_WRITE joined by |. `path`
/// is as the program sees it; it must exist when the program starts. Calls add up. Takes Linux
/// 6.2 for all sorts of access, or NS_LANDLOCK_BEST_EFFORT and Linux 5.13.
///
/// Errors: -EINVAL if `access` is 0 or has unknown bits, or `path` is empty. Error from
/// ns_spawn: -ENOENT or -ENOTDIR at NS_STEP_LANDLOCK, if `path` does not exist.
///
/// Man page: landlock(7).
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

/// Restricts the TCP ports that the program may bind to.
///
/// `ports` has `count` port numbers, which are copied; calls add up. If `count` is 0, and no
/// other call adds ports, it may bind to none. Default: no restriction. Takes Linux 6.7.
///
/// Error from ns_spawn: -ENOTSUP at NS_STEP_LANDLOCK, if the kernel is older, unless
/// NS_LANDLOCK_BEST_EFFORT is set.
///
/// Man page: landlock(7).
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

/// Restricts the TCP ports that the program may connect to.
///
/// `ports` has `count` port numbers, which are copied; calls add up. If `count` is 0, and no
/// other call adds ports, it may connect to none. The rule applies to connect(2) of TCP
/// sockets: TCP Fast Open and MPTCP evade it, unless ns_spec_seccomp refuses them, and UDP is
/// not restricted. Default: no restriction. Takes Linux 6.7.
///
/// Error from ns_spawn: -ENOTSUP at NS_STEP_LANDLOCK, if the kernel is older, unless
/// NS_LANDLOCK_BEST_EFFORT is set.
///
/// Man page: landlock(7).
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

/// Restricts the program to what `rules` grant.
///
/// The rules are copied and replace those that were set before. `flags` is NS_LANDLOCK_SCOPED,
/// NS_LANDLOCK_BEST_EFFORT and NS_LANDLOCK_AS_MOUNTED joined by |, or 0. NULL removes rules
/// that were set before, for example by ns_spec_sandbox; `flags` must then be 0. Rules set
/// ns_spec_new_privs to 0, which the kernel requires. Default: no restriction. Takes Linux 6.2,
/// for ports 6.7, for NS_LANDLOCK_SCOPED 6.12.
///
/// Errors: -EINVAL for unknown flags, or flags without rules. From ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: ns_spec_new_privs with 1.
/// - -ENOTSUP at NS_STEP_LANDLOCK: the kernel does not support all rules, and
///   NS_LANDLOCK_BEST_EFFORT is not set.
/// - -ENOENT or -ENOTDIR at NS_STEP_LANDLOCK: a path of the rules does not exist.
/// - -E2BIG at NS_STEP_LANDLOCK: there are 16 layers of rules already.
/// - -EACCES at NS_STEP_EXEC: the rules do not let the program or its interpreter be executed.
///
/// Man page: landlock(7).
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
                rules = rules.as_mounted();
            }
            Ok(spec.landlock(rules))
        })
    }
}
