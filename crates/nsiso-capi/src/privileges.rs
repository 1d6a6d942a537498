//! The program's privileges, resource limits and scheduling.

use std::ffi::{c_char, c_int};

use crate::argument::{items, text, texts};
use crate::error::ns_error;
use crate::spec::{ns_spec, set};

/// ns_spec_rlimit: no limit.
pub const NS_UNLIMITED: u64 = u64::MAX;

/// Sets the capabilities that the program keeps.
///
/// `names` is a table of names, as "net_admin" or "CAP_CHOWN", that ends with NULL; upper and
/// lower case are the same. An empty table leaves none. The program has them in its permitted,
/// effective, inheritable, ambient and bounding sets, and can never gain others. In a new user
/// namespace all capabilities can be kept, otherwise those of the caller. Default: the
/// capabilities that execve(2) leaves.
///
/// Errors: -EINVAL for an unknown name. From ns_spawn:
/// - -EPERM at NS_STEP_CAPABILITIES: the caller does not have a capability that is named, or
///   lacks CAP_SETPCAP to drop others; a new user namespace, or for the latter
///   ns_spec_new_privs with 0, avoids that.
/// - -EINVAL at NS_STEP_ARGUMENT: "sys_resource" beside ns_spec_user_namespaces with 0.
///
/// Man page: capabilities(7).
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

/// Sets the securebits of the program.
///
/// `bits` is SECBIT_... of linux/securebits.h joined by |; they change how the kernel treats
/// uid 0. Takes CAP_SETPCAP, which a new user namespace gives. Default: the caller's.
///
/// Error from ns_spawn: -EPERM at NS_STEP_SECUREBITS, if CAP_SETPCAP is missing or a bit is
/// locked.
///
/// Man page: capabilities(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_securebits(spec: *mut ns_spec, bits: u32, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.securebits(bits))) }
}

/// Sets whether the program and its descendants can gain privileges by execve(2).
///
/// 0: set-user-ID and set-group-ID bits and file capabilities have no effect; otherwise they
/// have, which is the default. ns_spec_landlock, all ns_spec_seccomp functions and
/// ns_spec_sandbox set 0.
///
/// Error from ns_spawn: -EINVAL at NS_STEP_ARGUMENT, if it is not 0 beside Landlock or a
/// seccomp filter.
///
/// Man page: PR_SET_NO_NEW_PRIVS(2const).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_new_privs(spec: *mut ns_spec, allowed: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.new_privs(allowed != 0))) }
}

/// Sets whether user namespaces can be created inside the program's new user namespace.
///
/// 0: they cannot; otherwise they can, which is the default. 0 requests a new user namespace,
/// writes 0 to /proc/sys/user/max_user_namespaces there, and takes CAP_SYS_RESOURCE from the
/// program, which could change that again. The filter of ns_spec_seccomp refuses to create user
/// namespaces, too.
///
/// Errors from ns_spawn:
/// - -EINVAL at NS_STEP_ARGUMENT: ns_spec_caps names CAP_SYS_RESOURCE, ns_spec_keep_caps keeps
///   it, or ns_spec_share shares the user namespace.
/// - -EACCES, -EROFS or -ENOENT at NS_STEP_USER_NAMESPACES: /proc/sys cannot be written.
///
/// Man page: namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_user_namespaces(
    spec: *mut ns_spec,
    allowed: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.user_namespaces(allowed != 0))) }
}

/// Sets a resource limit of the program.
///
/// `name` is that of a constant RLIMIT_... of getrlimit(2), with or without the prefix, as
/// "nofile", "cpu" or "as"; upper and lower case are the same. `soft` and `hard` have the unit
/// that getrlimit(2) states; NS_UNLIMITED is no limit. A limit that is lowered does not apply
/// to the init process. Default: the caller's limits.
///
/// Errors: -EINVAL for an unknown name, or if `soft` is above `hard`. Error from ns_spawn:
/// -EPERM at NS_STEP_RLIMIT, if it raises a hard limit and CAP_SYS_RESOURCE in the initial user
/// namespace is missing, or "nofile" is above /proc/sys/fs/nr_open.
///
/// Man page: getrlimit(2).
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

/// Sets the nice value of the program.
///
/// `nice` is -20, the most CPU time, to 19, the least. Default: the caller's.
///
/// Errors: -EINVAL for another value. Error from ns_spawn: -EACCES or -EPERM at NS_STEP_NICE,
/// if it lowers the value and CAP_SYS_NICE in the initial user namespace is missing and
/// RLIMIT_NICE does not allow it.
///
/// Man page: setpriority(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_nice(spec: *mut ns_spec, nice: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.nice(nice)) }
}

/// Sets how the kernel ranks the program for being killed when memory runs out.
///
/// `score` is -1000, never, to 1000, first. Default: the caller's.
///
/// Errors: -EINVAL for another value. Error from ns_spawn: -EACCES at NS_STEP_OOM_SCORE, if it
/// lowers the score and CAP_SYS_RESOURCE in the initial user namespace is missing.
///
/// Man page: proc_pid_oom_score_adj(5).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_oom_score_adj(
    spec: *mut ns_spec,
    score: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.oom_score_adj(score)) }
}

/// Sets the CPUs that the program may run on.
///
/// `cpus` has `count` numbers of CPUs, from 0, which are copied. Default: those of the caller.
///
/// Errors: -EINVAL if `count` is 0 or a number is above 8191. Error from ns_spawn: -EINVAL at
/// NS_STEP_AFFINITY, if the caller may use none of them.
///
/// Man page: sched_setaffinity(2).
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

/// Sets the file mode creation mask of the program.
///
/// `mask` has the permission bits that new files do not get. Default: the caller's.
///
/// Errors: -EINVAL if it is above 0777.
///
/// Man page: umask(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_umask(spec: *mut ns_spec, mask: u32, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.umask(mask)) }
}

/// Sets the execution domain of the program.
///
/// `personality` is a value of sys/personality.h. Default: the caller's.
///
/// Errors from ns_spawn: those of personality(2) at NS_STEP_PERSONALITY.
///
/// Man page: personality(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_personality(
    spec: *mut ns_spec,
    personality: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.personality(personality))) }
}
