//! What the program may do less than its user: capabilities, limits of resources, priorities.

use std::ffi::{c_char, c_int};

use crate::argument::{items, text, texts};
use crate::error::ns_error;
use crate::spec::{ns_spec, set};

/// ns_spec_rlimit: no limit.
pub const NS_UNLIMITED: u64 = u64::MAX;

/// The capabilities that the program keeps, a table of names ("net_admin", "CAP_CHOWN") that ends with NULL, none or some, in all of its sets; it can
/// never get any other. capabilities(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_caps(
    spec: *mut ns_spec,
    names: *const *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let names = texts(names, "names")?;
            spec.caps(names.iter().map(|name| name.to_string_lossy()))
        })
    }
}

/// PR_SET_SECUREBITS, capabilities(7): how root is treated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_securebits(spec: *mut ns_spec, bits: u32, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.securebits(bits))) }
}

/// Whether (`allowed` is not 0) set-user-ID programs and file capabilities give the program and its
/// descendants more privileges: by default they do. Landlock and seccomp need 0.
/// PR_SET_NO_NEW_PRIVS(2const).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_new_privs(spec: *mut ns_spec, allowed: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.new_privs(allowed != 0))) }
}

/// Whether (`allowed` is not 0) user namespaces can be made inside the new one: by default they can.
/// 0 asks for a new user namespace. CAP_SYS_RESOURCE would let the program allow them again: ns_spawn
/// refuses it in ns_spec_caps beside 0 with -EINVAL. The filter of ns_spec_seccomp refuses to make
/// them, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_user_namespaces(
    spec: *mut ns_spec,
    allowed: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.user_namespaces(allowed != 0))) }
}

/// A resource limit by its name ("nofile", "cpu", "as"...), in its unit; NS_UNLIMITED for none. An init process has the caller's. getrlimit(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_rlimit(
    spec: *mut ns_spec,
    name: *const c_char,
    soft: u64,
    hard: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.rlimit(&text(name, "name")?.to_string_lossy(), soft, hard)) }
}

/// The nice value, -20 to 19. setpriority(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_nice(spec: *mut ns_spec, nice: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.nice(nice)) }
}

/// How willingly the kernel kills the program when memory runs out, -1000 to 1000. proc_pid_oom_score_adj(5).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_oom_score_adj(
    spec: *mut ns_spec,
    score: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.oom_score_adj(score)) }
}

/// The `count` processors that the program runs on, by number. sched_setaffinity(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_cpus(
    spec: *mut ns_spec,
    cpus: *const u32,
    count: usize,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let cpus: Vec<usize> = items(cpus, count, "cpus")?.iter().map(|cpu| *cpu as usize).collect();
            spec.cpus(&cpus)
        })
    }
}

/// The permissions that new files do not get. umask(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_umask(spec: *mut ns_spec, mask: u32, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.umask(mask)) }
}

/// personality(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_personality(
    spec: *mut ns_spec,
    personality: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.personality(personality))) }
}
