//! What the program may do less than its user, its init process and terminal, and the sandbox made of it all.

use std::borrow::Cow;
use std::ffi::{c_char, c_int, c_void};
use std::time::Duration;

use nsiso::{Error, Filter, Landlock, Reaction, Result};

use crate::argument::{is_null, reference, reference_mut, text, texts};
use crate::error::{boundary, ns_error};
use crate::spec::{ns_spec, set};

/// ns_spec_rlimit: no limit.
pub const NS_UNLIMITED: u64 = u64::MAX;

/// ns_spec_init: the process ends when all descendants of the program have ended.
pub const NS_INIT_WAIT_FOR_ALL: u64 = 1;
/// ns_spec_init: everything is killed when the calling process (not the thread) has died, however it did.
pub const NS_INIT_DIE_WITH_HOST: u64 = 2;

/// ns_spec_seccomp_...: the call fails, with the errno given.
pub const NS_SECCOMP_FAIL: i32 = 0;
/// ns_spec_seccomp_...: the program is killed, by SIGSYS.
pub const NS_SECCOMP_KILL: i32 = 1;
/// ns_spec_seccomp_...: the thread gets SIGSYS, which it may handle.
pub const NS_SECCOMP_TRAP: i32 = 2;
/// ns_spec_seccomp_...: the call is made, and written to the audit log.
pub const NS_SECCOMP_LOG: i32 = 3;

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
    Box::into_raw(Box::new(ns_landlock(Landlock::new())))
}

/// Frees rules; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_landlock_free(rules: *mut ns_landlock) {
    if !rules.is_null() {
        // SAFETY: made by ns_landlock_new and not freed before, says the header.
        drop(unsafe { Box::from_raw(rules) });
    }
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
    unsafe { grant(rules, err, |rules| Ok(rules.bind_tcp(numbers(ports, count)?))) }
}

/// TCP connections may be made to these `count` ports alone; 0 for none. Linux 6.7. The kernel counts connect(2): TCP Fast Open and MPTCP get round it, unless
/// ns_spec_seccomp_untrusted refuses them; so does UDP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_landlock_connect_tcp(
    rules: *mut ns_landlock,
    ports: *const u16,
    count: usize,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    unsafe { grant(rules, err, |rules| Ok(rules.connect_tcp(numbers(ports, count)?))) }
}

/// # Safety
/// `ports` is NULL or has `count` numbers.
unsafe fn numbers<'a>(ports: *const u16, count: usize) -> Result<&'a [u16]> {
    match (ports.is_null(), count) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(is_null("ports")),
        // SAFETY: the caller's promise.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(ports, count) }),
    }
}

/// # Safety
/// `calls` is NULL or a table of strings.
unsafe fn names<'a>(calls: *const *const c_char) -> Result<Vec<Cow<'a, str>>> {
    // SAFETY: the caller's promise.
    Ok(unsafe { texts(calls, "calls") }?.into_iter().map(|name| name.to_string_lossy()).collect())
}

fn reaction_of(reaction: c_int, errnum: c_int) -> Result<Reaction> {
    match reaction {
        NS_SECCOMP_FAIL if (1..4096).contains(&errnum) => Ok(Reaction::Fail(errnum)),
        NS_SECCOMP_FAIL => Err(Error::argument(format!("{errnum} is no errno"))),
        NS_SECCOMP_KILL => Ok(Reaction::Kill),
        NS_SECCOMP_TRAP => Ok(Reaction::Trap),
        NS_SECCOMP_LOG => Ok(Reaction::Log),
        _ => Err(Error::argument(format!("{reaction} is no reaction, NS_SECCOMP_..."))),
    }
}

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
            spec.caps(names.iter().map(|name| name.to_string_lossy())).map(drop)
        })
    }
}

/// PR_SET_SECUREBITS, capabilities(7): how root is treated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_securebits(spec: *mut ns_spec, bits: u32, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            spec.securebits(bits);
            Ok(())
        })
    }
}

/// Set-user-ID programs and file capabilities give nothing more, for good. PR_SET_NO_NEW_PRIVS(2const).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_no_new_privs(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            spec.no_new_privs();
            Ok(())
        })
    }
}

/// No user namespace can be made inside the new one. Asks for a new user namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_no_user_namespaces(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            spec.no_user_namespaces();
            Ok(())
        })
    }
}

/// A resource limit by its name ("nofile", "cpu", "as"...), in its unit; NS_UNLIMITED for none. getrlimit(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_rlimit(
    spec: *mut ns_spec,
    name: *const c_char,
    soft: u64,
    hard: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| spec.rlimit(&text(name, "name")?.to_string_lossy(), soft, hard).map(drop))
    }
}

/// The nice value, -20 to 19. setpriority(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_nice(spec: *mut ns_spec, nice: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.nice(nice).map(drop)) }
}

/// How willingly the kernel kills the program when memory runs out, -1000 to 1000. proc_pid_oom_score_adj(5).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_oom_score_adj(
    spec: *mut ns_spec,
    score: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.oom_score_adj(score).map(drop)) }
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
            if cpus.is_null() {
                return Err(is_null("cpus"));
            }
            // SAFETY: says the header.
            let cpus: Vec<usize> =
                std::slice::from_raw_parts(cpus, count).iter().map(|cpu| *cpu as usize).collect();
            spec.cpus(&cpus).map(drop)
        })
    }
}

/// The permissions that new files do not get. umask(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_umask(spec: *mut ns_spec, mask: u32, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.umask(mask).map(drop)) }
}

/// personality(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_personality(
    spec: *mut ns_spec,
    personality: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            spec.personality(personality);
            Ok(())
        })
    }
}

/// Restricts the program to what `rules` grant; they are copied. `flags`: NS_LANDLOCK_SCOPED, NS_LANDLOCK_BEST_EFFORT, NS_LANDLOCK_AS_MOUNTED. Brings ns_spec_no_new_privs. landlock(7).
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
            spec.landlock(rules);
            Ok(())
        })
    }
}

/// Adds the filter of system calls for programs that are not trusted: administration of the machine, insides of other processes and the kernel's larger
/// and younger parts fail with EPERM, sockets but Unix, TCP, UDP, ping, and netlink about addresses and routes with EAFNOSUPPORT or EPROTONOSUPPORT, TCP Fast Open
/// with EOPNOTSUPP, clone3 with ENOSYS. Brings ns_spec_no_new_privs. seccomp(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_seccomp_untrusted(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            spec.seccomp(Filter::untrusted());
            Ok(())
        })
    }
}

/// Adds a filter: the `calls`, a table of names that ends with NULL, get `reaction`, NS_SECCOMP_..., all others are allowed. `errnum` is what
/// NS_SECCOMP_FAIL fails with. All filters are asked, and the strictest wins.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_seccomp_deny(
    spec: *mut ns_spec,
    calls: *const *const c_char,
    reaction: c_int,
    errnum: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let calls = names(calls)?;
            spec.seccomp(Filter::deny(calls, reaction_of(reaction, errnum)?)?);
            Ok(())
        })
    }
}

/// Adds a filter: the `calls`, and execve, by which the program starts, are allowed, all others get `reaction`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_seccomp_allow(
    spec: *mut ns_spec,
    calls: *const *const c_char,
    reaction: c_int,
    errnum: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let calls = names(calls)?;
            spec.seccomp(Filter::allow(calls, reaction_of(reaction, errnum)?)?);
            Ok(())
        })
    }
}

/// Adds a filter as the kernel runs it: `count` structs sock_filter, which are copied. It must allow execve.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_seccomp_raw(
    spec: *mut ns_spec,
    filter: *const c_void,
    count: usize,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            if filter.is_null() {
                return Err(is_null("filter"));
            }
            // SAFETY: says the header.
            let program = std::slice::from_raw_parts(filter.cast::<libc::sock_filter>(), count).to_vec();
            spec.seccomp(Filter::raw(program)?);
            Ok(())
        })
    }
}

/// The host is asked about these calls, a table of names that ends with NULL, and answers for them by the descriptor that
/// ns_process_take_notify hands out. The program waits meanwhile. seccomp_unotify(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_seccomp_notify(
    spec: *mut ns_spec,
    calls: *const *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.seccomp_notify(names(calls)?).map(drop)) }
}

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
            Ok(())
        })
    }
}

/// When this much time is over, everything in the namespace is killed, and ns_status says so. Brings ns_spec_init.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_deadline(spec: *mut ns_spec, nanoseconds: u64, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.deadline(Duration::from_nanos(nanoseconds)).map(drop)) }
}

/// Gives the program a pseudo-terminal of its own with this many rows and columns, as controlling terminal and as its descriptors 0, 1 and 2, unless these
/// are given. ns_process_take_pty hands out the other end. pty(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_pty(
    spec: *mut ns_spec,
    rows: u16,
    columns: u16,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            spec.pty(rows, columns);
            Ok(())
        })
    }
}

/// Isolation for a program that is not trusted, as any user: all kinds of namespace new; a root that holds the host's /usr read-only, a /proc, /dev and /tmp of its own and
/// nothing else of the host; no network but loopback; no capabilities and no way to get any, no user namespaces; Landlock, as far as the kernel has it, and
/// ns_spec_seccomp_untrusted; ns_spec_init with NS_INIT_DIE_WITH_HOST; an empty environment; 512 processes, no core files, 64 MiB each for
/// the files in /tmp, in /dev/shm and in the rest. A caller who is root runs it
/// as nobody. Later wishes add to it; what is mounted for writing may be written. ns_spec_share, ns_spec_no_landlock, ns_spec_no_seccomp,
/// ns_spec_no_init, ns_spec_outlive_host, ns_spec_allow_new_privs and ns_spec_allow_user_namespaces loosen it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_sandbox(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| spec.sandbox().map(drop)) }
}

/// Takes back a wish for new namespaces: the program shares these kinds with the caller.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_share(spec: *mut ns_spec, kinds: u64, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            spec.share(crate::argument::kinds(kinds)?);
            Ok(())
        })
    }
}

/// Takes back ns_spec_init, with NS_INIT_DIE_WITH_HOST: the program itself is PID 1. Not beside ns_spec_deadline.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_no_init(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            spec.no_init();
            Ok(())
        })
    }
}

/// Takes back NS_INIT_DIE_WITH_HOST.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_outlive_host(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            spec.outlive_host();
            Ok(())
        })
    }
}

/// Takes back ns_spec_no_new_privs, without which there is neither Landlock nor seccomp: take these back, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_allow_new_privs(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            spec.allow_new_privs();
            Ok(())
        })
    }
}

/// Takes back ns_spec_no_user_namespaces. ns_spec_seccomp_untrusted refuses to make them, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_allow_user_namespaces(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            spec.allow_user_namespaces();
            Ok(())
        })
    }
}

/// Takes back ns_spec_landlock.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_no_landlock(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            spec.no_landlock();
            Ok(())
        })
    }
}

/// Takes back every ns_spec_seccomp_... .
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_no_seccomp(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            spec.no_seccomp();
            Ok(())
        })
    }
}
