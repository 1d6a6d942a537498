//! `ns_spec`: one setter per wish.

use std::ffi::{c_char, c_int};

use nsiso::{ClockOffset, Error, IdRange, Propagation, Result, Spec, Stdio};

use crate::argument::{descriptor, is_null, reference_mut, text, texts};
use crate::error::{boundary, ns_error};
use crate::kinds::*;

/// What to run and in which isolation. Opaque, reusable. Setters must not run while another thread
/// uses the spec; any number of threads may spawn from one at a time.
pub struct ns_spec(pub(crate) Spec<'static>);

/// A new spec: the shell in the caller's own namespaces. NULL when memory is used up. Free it with
/// ns_spec_free.
#[unsafe(no_mangle)]
pub extern "C" fn ns_spec_new() -> *mut ns_spec {
    match Spec::new("sh") {
        Ok(spec) => Box::into_raw(Box::new(ns_spec(spec))),
        Err(_) => std::ptr::null_mut(),
    }
}

/// Frees a spec; NULL is allowed. Processes spawned from it go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_free(spec: *mut ns_spec) {
    if !spec.is_null() {
        // SAFETY: made by ns_spec_new and not freed before, says the header.
        drop(unsafe { Box::from_raw(spec) });
    }
}

/// # Safety
/// `spec` is NULL or a spec that nobody else uses.
pub(crate) unsafe fn set(
    spec: *mut ns_spec,
    err: *mut ns_error,
    wish: impl FnOnce(&mut Spec<'static>) -> Result<()>,
) -> c_int {
    boundary(err, || {
        // SAFETY: the caller's promise.
        let spec = unsafe { reference_mut(spec, "spec") }?;
        wish(&mut spec.0).map(|()| 0)
    })
}

/// The program and its arguments, a table that ends with NULL and is copied. argv[0] without a slash is
/// looked for in the PATH of the environment that the program gets, as execvp(3) does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_argv(
    spec: *mut ns_spec,
    argv: *const *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            // SAFETY: NULL or a table, says the header.
            spec.argv(texts(argv, "argv")?).map(drop)
        })
    }
}

/// Adds kinds of namespace, NS_USER | NS_PID | ..., that are made new for the program. An ordinary user
/// needs NS_USER for all others. Before Linux 6.3 NS_TIME costs a copy of the caller's memory, as fork(2) does. -EINVAL for a
/// bit that is none of NS_ALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_unshare(spec: *mut ns_spec, kinds: u64, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.unshare(crate::argument::kinds(kinds)?);
            Ok(())
        })
    }
}

/// Runs the program in the existing namespace `fd`, ns_open(); the descriptor must stay open until the program has been
/// spawned. New namespaces are made inside joined ones. In a joined user namespace the program is root where root is mapped,
/// unless it is given an id or ns_spec_keep_credentials; in a joined mount namespace it begins at the root directory. The
/// kernel lets nobody enter another time namespace who shares memory, so this one alone gives the child a copy of the caller's, as
/// fork(2) does, until it runs the program. setns(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_join(spec: *mut ns_spec, fd: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.join(descriptor(fd)?).map(drop)) }
}

/// The same with namespaces of a process, given by its pidfd, that it is in at the spawn: NS_USER | NS_NET | ..., or
/// NS_ALL. Those that it shares with the caller are left out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_join_process(
    spec: *mut ns_spec,
    pidfd: c_int,
    kinds: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| spec.join_process(descriptor(pidfd)?, crate::argument::kinds(kinds)?).map(drop))
    }
}

/// In a joined user namespace the program keeps the caller's uid, gid and groups, mapped or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_keep_credentials(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.keep_credentials();
            Ok(())
        })
    }
}

/// The directory `fd` becomes the program's root, chroot(2), after mounts have been joined. Takes CAP_SYS_CHROOT. The
/// descriptor must stay open until the program has been spawned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_root_at(spec: *mut ns_spec, fd: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.root_at(descriptor(fd)?);
            Ok(())
        })
    }
}

/// The directory `fd` becomes the working directory; it may lie outside the root. fchdir(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_cwd_at(spec: *mut ns_spec, fd: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.cwd_at(descriptor(fd)?);
            Ok(())
        })
    }
}

/// Keeps the new namespace of one kind at `path`, as ns_pin does, before the program runs. Asks for a new namespace. If the
/// program cannot be started, nothing is kept.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_pin(
    spec: *mut ns_spec,
    kind: u64,
    path: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            // SAFETY: NULL or a string, says the header.
            spec.pin(crate::argument::kinds(kind)?, text(path, "path")?).map(drop)
        })
    }
}

/// Holds the child once it is in its namespaces, before anything is set up in there: its pid is written to the descriptor `tell`, in decimal and
/// with a line feed, and it goes on when the descriptor `go` can be read, or when nobody has its other end any more (the child itself has what the
/// caller had open). ns_spawn() waits for that, with all signals blocked. For whoever gives it id maps, a network or the like from outside. Both are open until the spawn.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_halt(
    spec: *mut ns_spec,
    tell: c_int,
    go: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.halt(crate::argument::descriptor(tell)?, crate::argument::descriptor(go)?);
            Ok(())
        })
    }
}

/// The supplementary groups, as seen inside: `count` gids, copied; none if `count` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_groups(
    spec: *mut ns_spec,
    gids: *const u32,
    count: usize,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            if gids.is_null() && count > 0 {
                return Err(is_null("gids"));
            }
            // SAFETY: `count` numbers, says the header.
            let gids = if count == 0 { &[][..] } else { std::slice::from_raw_parts(gids, count) };
            spec.groups(gids).map(drop)
        })
    }
}

/// The propagation of all mounts in a new mount namespace: NS_PROPAGATION_*. mount_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_propagation(
    spec: *mut ns_spec,
    propagation: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.propagation(match propagation {
                NS_PROPAGATION_PRIVATE => Propagation::Private,
                NS_PROPAGATION_SLAVE => Propagation::Slave,
                NS_PROPAGATION_SHARED => Propagation::Shared,
                NS_PROPAGATION_UNCHANGED => Propagation::Unchanged,
                _ => return Err(Error::argument(format!("{propagation} is none of NS_PROPAGATION_*"))),
            });
            Ok(())
        })
    }
}

/// Where the program's descriptor 0, 1 or 2 leads to: NS_STDIO_*.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_stdio(
    spec: *mut ns_spec,
    child_fd: c_int,
    stdio: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            let stdio = match stdio {
                NS_STDIO_INHERIT => Stdio::Inherit,
                NS_STDIO_NULL => Stdio::Null,
                NS_STDIO_PIPE => Stdio::Pipe,
                _ => return Err(Error::argument(format!("{stdio} is none of NS_STDIO_*"))),
            };
            spec.stdio(child_fd, stdio).map(drop)
        })
    }
}

/// Passes `fd` to the program, where its number is `child_fd`. `fd` is borrowed: it must be open now and
/// at each ns_spawn. Numbers may be permuted. Descriptors from 3 on that are not passed are closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_fd(
    spec: *mut ns_spec,
    child_fd: c_int,
    fd: c_int,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.fd(child_fd, descriptor(fd)?).map(drop)) }
}

/// The file to execute in place of argv[0]; argv[0] stays what the program sees as its name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_program(
    spec: *mut ns_spec,
    program: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            // SAFETY: NULL or a string, says the header.
            spec.program(text(program, "program")?).map(drop)
        })
    }
}

/// Start with an empty environment; later ns_spec_env_set add to it. By default the program gets the
/// caller's environment at the time of ns_spawn, which must not run while another thread calls setenv(3).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_env_clear(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.env_clear();
            Ok(())
        })
    }
}

/// Sets one environment variable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_env_set(
    spec: *mut ns_spec,
    name: *const c_char,
    value: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            // SAFETY: NULL or a string, says the header.
            spec.env(text(name, "name")?, text(value, "value")?).map(drop)
        })
    }
}

/// Removes one environment variable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_env_unset(
    spec: *mut ns_spec,
    name: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            // SAFETY: NULL or a string, says the header.
            spec.env_remove(text(name, "name")?).map(drop)
        })
    }
}

/// The working directory; the caller's by default. A relative program is looked for in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_cwd(spec: *mut ns_spec, path: *const c_char, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            // SAFETY: NULL or a string, says the header.
            spec.cwd(text(path, "path")?).map(drop)
        })
    }
}

/// The caller is root inside: its effective uid and gid are mapped to 0. Asks for a new user namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_map_root(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.map_root();
            Ok(())
        })
    }
}

/// The caller keeps its effective uid and gid inside. Asks for a new user namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_map_current(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.map_current();
            Ok(())
        })
    }
}

/// The caller's first block of ids in /etc/subuid and /etc/subgid is laid out from 0 inside, leaving out
/// the ids that are mapped otherwise. Asks for a new user namespace; an ordinary caller needs newuidmap(1).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_map_auto(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.map_auto();
            Ok(())
        })
    }
}

/// Maps `count` uids that start at `inside` in the new user namespace and at `outside` in the caller's;
/// may be called again for more ranges, up to 340. Other ids than one's own take root or newuidmap(1) and a
/// line in /etc/subuid. Asks for a new user namespace. user_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_uid_map(
    spec: *mut ns_spec,
    inside: u32,
    outside: u32,
    count: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.uid_map(IdRange::new(inside, outside, count)?).map(drop)) }
}

/// The same for gids.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_gid_map(
    spec: *mut ns_spec,
    inside: u32,
    outside: u32,
    count: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.gid_map(IdRange::new(inside, outside, count)?).map(drop)) }
}

/// Whether (not 0) setgroups(2) stays allowed in the new user namespace. By default it is denied when
/// the caller's own gid alone is mapped, as the kernel demands of an ordinary caller. Asks for a new user namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_setgroups(spec: *mut ns_spec, allow: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.setgroups(allow != 0);
            Ok(())
        })
    }
}

/// The uid to run as, as seen inside. By default the caller's; where a new user namespace does not map
/// that, 0, or the lowest uid that is mapped. Supplementary groups are dropped with the caller's identity,
/// unless ns_spec_groups gave some.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_uid(spec: *mut ns_spec, uid: u32, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.uid(uid).map(drop)) }
}

/// The gid to run as, as seen inside; the default is as for ns_spec_uid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_gid(spec: *mut ns_spec, gid: u32, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.gid(gid).map(drop)) }
}

/// Keeps the capabilities of the new user namespace over exec as ambient capabilities, also for a program
/// that is not root inside. capabilities(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_keep_caps(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.keep_caps();
            Ok(())
        })
    }
}

/// The host name inside, at most 64 bytes. Asks for a new UTS namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_hostname(
    spec: *mut ns_spec,
    name: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            // SAFETY: NULL or a string, says the header.
            spec.hostname(text(name, "name")?).map(drop)
        })
    }
}

/// The NIS domain name inside, at most 64 bytes. Asks for a new UTS namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_domainname(
    spec: *mut ns_spec,
    name: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            // SAFETY: NULL or a string, says the header.
            spec.domainname(text(name, "name")?).map(drop)
        })
    }
}

/// What is added to CLOCK_MONOTONIC inside, as in a struct timespec: half a second back is -1 s and
/// 500000000 ns. -ERANGE if the clock would be before 0 or past the kernel's range. Asks for a new time
/// namespace. time_namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_monotonic(
    spec: *mut ns_spec,
    seconds: i64,
    nanoseconds: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.monotonic(ClockOffset::new(seconds, nanoseconds)?).map(drop)) }
}

/// The same for CLOCK_BOOTTIME, and so for the uptime.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_boottime(
    spec: *mut ns_spec,
    seconds: i64,
    nanoseconds: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe { set(spec, err, |spec| spec.boottime(ClockOffset::new(seconds, nanoseconds)?).map(drop)) }
}

/// Mounts a fresh proc file system, which shows the new pid namespace, at `path`, usually "/proc". Asks for
/// a new mount namespace.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_proc(
    spec: *mut ns_spec,
    path: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            // SAFETY: NULL or a string, says the header.
            spec.mount_proc(text(path, "path")?).map(drop)
        })
    }
}

/// Whether (not 0) the loopback device of a new network namespace is brought up: by default it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_loopback(spec: *mut ns_spec, up: c_int, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.loopback(up != 0);
            Ok(())
        })
    }
}

/// Runs the program in a session of its own, setsid(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_new_session(spec: *mut ns_spec, err: *mut ns_error) -> c_int {
    // SAFETY: the spec is the caller's.
    unsafe {
        set(spec, err, |spec| {
            spec.new_session();
            Ok(())
        })
    }
}
