//! The init process and its deadline, and the sandbox made of all the parts, with what loosens it.

use std::ffi::c_int;
use std::time::Duration;

use nsiso::Error;

use crate::error::ns_error;
use crate::spec::{ns_spec, set};

/// ns_spec_init: the process ends when all descendants of the program have ended.
pub const NS_INIT_WAIT_FOR_ALL: u64 = 1;
/// ns_spec_init: everything is killed when the calling process (not the thread) has died, however it did.
pub const NS_INIT_DIE_WITH_HOST: u64 = 2;

/// The program is not PID 1 itself: a tiny init process is, which reaps orphans, passes signals on, ends everything in the namespace when the program ends, and tells the
/// program's status also where the host reaps all children. ns_process_pid and ns_process_pidfd are this process's. `flags`: NS_INIT_WAIT_FOR_ALL, NS_INIT_DIE_WITH_HOST,
/// or 0. Asks for a new pid namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_init(spec: *mut ns_spec, flags: u64, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            if flags & !(NS_INIT_WAIT_FOR_ALL | NS_INIT_DIE_WITH_HOST) != 0 {
                return Err(Error::argument(format!("{flags:#x} are no flags for the init process")));
            }
            spec.init();
            if flags & NS_INIT_WAIT_FOR_ALL != 0 {
                spec.wait_for_all();
            }
            if flags & NS_INIT_DIE_WITH_HOST != 0 {
                spec.die_with_host();
            }
            Ok(spec)
        })
    }
}

/// When this much time is over, everything in the namespace is killed, and ns_status says so. Brings ns_spec_init.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_deadline(spec: *mut ns_spec, nanoseconds: u64, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.deadline(Duration::from_nanos(nanoseconds))) }
}

/// Isolation for a program that is not trusted, as any user.
///
/// All kinds of namespace are new; no network but loopback; the host name is "sandbox". The root
/// holds the host's /usr read-only, a /proc, /dev and /tmp of its own and nothing else of the host.
/// No capabilities and no way to get any, no user namespaces; Landlock, as far as the kernel has
/// it, and ns_spec_seccomp_untrusted; ns_spec_init with NS_INIT_DIE_WITH_HOST; an empty
/// environment.
///
/// 64 MiB each for the files in /tmp, in /dev/shm and in the rest; 512 processes, 64 KiB of locked
/// memory, 1024 pending signals, 256 KiB of POSIX message queues, or the caller's own limits where
/// they are lower. No core dumps, also where the host pipes them to a program: the limit is 1, see
/// core(5); if the caller's hard limit is 0, it stays 0, and such a program is started.
///
/// A caller who is root runs it as nobody. Later options add to it, and what is mounted for writing
/// may be written; names and resource limits that are set before stay as they are. ns_spec_share,
/// ns_spec_no_landlock, ns_spec_no_seccomp, ns_spec_no_init, ns_spec_outlive_host,
/// ns_spec_allow_new_privs and ns_spec_allow_user_namespaces loosen it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_sandbox(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.sandbox()) }
}

/// Takes back a wish for new namespaces: the program shares these kinds with the caller.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_share(spec: *mut ns_spec, kinds: u64, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.share(crate::argument::kinds(kinds)?))) }
}

/// Takes back ns_spec_init, with NS_INIT_DIE_WITH_HOST: the program itself is PID 1. Not beside ns_spec_deadline.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_no_init(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.no_init())) }
}

/// Takes back NS_INIT_DIE_WITH_HOST.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_outlive_host(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.outlive_host())) }
}

/// Takes back ns_spec_no_new_privs, without which there is neither Landlock nor seccomp: take these back, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_allow_new_privs(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.allow_new_privs())) }
}

/// Takes back ns_spec_no_user_namespaces. ns_spec_seccomp_untrusted refuses to make them, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_allow_user_namespaces(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.allow_user_namespaces())) }
}

/// Takes back ns_spec_landlock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_no_landlock(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.no_landlock())) }
}

/// Takes back every ns_spec_seccomp_... .
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_no_seccomp(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.no_seccomp())) }
}
