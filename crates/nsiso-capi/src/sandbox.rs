//! The init process and its deadline, and the sandbox made of all the parts, with what loosens it.

use std::ffi::c_int;
use std::time::Duration;

use crate::error::ns_error;
use crate::spec::{ns_spec, set};

/// Sets (`on` is not 0) or takes away (0) an init process: a small process of the library is PID 1 in
/// place of the program. It reaps orphans, passes signals on, ends everything in the namespace when
/// the program ends, and reports the program's status even where the caller reaps all children.
/// ns_process_pid and ns_process_pidfd are those of the init process. Asks for a new pid namespace.
/// Off by default; ns_spec_sandbox sets it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_init(spec: *mut ns_spec, on: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.init(on != 0))) }
}

/// Whether (`on` is not 0) the init process ends when all descendants of the program have ended, not
/// only the program. Brings ns_spec_init. Off by default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_wait_for_all(spec: *mut ns_spec, on: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.wait_for_all(on != 0))) }
}

/// Whether (`on` is not 0) everything in the pid namespace is killed when the calling process (not
/// the thread) has died. Brings ns_spec_init. Off by default; ns_spec_sandbox sets it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_die_with_parent(spec: *mut ns_spec, on: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.die_with_parent(on != 0))) }
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
/// it, and ns_spec_seccomp; ns_spec_die_with_parent; an empty environment.
///
/// 64 MiB each for the files in /tmp, in /dev/shm and in the rest; 512 processes, 64 KiB of locked
/// memory, 1024 pending signals, 256 KiB of POSIX message queues, or the caller's own limits where
/// they are lower. No core dumps, also where the host pipes them to a program: the limit is 1, see
/// core(5); if the caller's hard limit is 0, it stays 0, and such a program is started.
///
/// A caller who is root runs it as nobody. Later options add to it, and what is mounted for writing
/// may be written; names and resource limits that are set before stay as they are. These loosen it:
/// ns_spec_share; ns_spec_landlock with NULL; ns_spec_seccomp, ns_spec_init and
/// ns_spec_die_with_parent with 0; ns_spec_new_privs and ns_spec_user_namespaces with 1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_sandbox(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.sandbox()) }
}

/// The program shares these kinds of namespace with the caller, whatever asked for new ones before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_share(spec: *mut ns_spec, kinds: u64, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.share(crate::argument::kinds(kinds)?))) }
}
