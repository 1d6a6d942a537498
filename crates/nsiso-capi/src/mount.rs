//! The program's view of the file system.

use std::ffi::{OsStr, c_char, c_int, c_void};

use nsiso::{Error, Mount, Result};

use crate::argument::{descriptor, items, text, texts};
use crate::error::ns_error;
use crate::spec::{ns_spec, set};

/// A mount: nothing can be written through it, as long as the program has no CAP_SYS_ADMIN in its user namespace: beside ns_spec_map_root give up
/// capabilities by ns_spec_caps, too.
pub const NS_MOUNT_RDONLY: u64 = 1;
/// A bind or a path to be made read-only: nothing happens if it does not exist.
pub const NS_MOUNT_IF_EXISTS: u64 = 2;
/// A mount: no program in it can be executed.
pub const NS_MOUNT_NOEXEC: u64 = 4;
/// A mount: set-user-ID bits and file capabilities count.
pub const NS_MOUNT_SUID: u64 = 8;
/// A mount: device files work.
pub const NS_MOUNT_DEV: u64 = 16;
/// A bind: without what is mounted below its source. A path to be made read-only, which is a mount point then: without what is mounted below it.
pub const NS_MOUNT_NON_RECURSIVE: u64 = 32;
/// A proc: processes alone, none of the machine's settings.
pub const NS_MOUNT_SUBSET_PID: u64 = 64;

fn flagged<'a>(mount: Mount<'a>, flags: u64) -> Result<Mount<'a>> {
    type Change<'a> = fn(Mount<'a>) -> Mount<'a>;
    let changes: [(u64, Change<'a>); 6] = [
        (NS_MOUNT_RDONLY, Mount::read_only),
        (NS_MOUNT_IF_EXISTS, Mount::if_exists),
        (NS_MOUNT_NOEXEC, Mount::no_exec),
        (NS_MOUNT_SUID, Mount::suid),
        (NS_MOUNT_DEV, Mount::devices),
        (NS_MOUNT_NON_RECURSIVE, Mount::non_recursive),
    ];
    let unknown = changes.iter().fold(flags, |rest, (flag, _)| rest & !flag);
    if unknown != 0 {
        return Err(Error::argument(format!("{unknown:#x} is no flag for this mount")));
    }
    let wanted = changes.iter().filter(|(flag, _)| flags & flag != 0);
    Ok(wanted.fold(mount, |mount, (_, change)| change(mount)))
}

/// Shows the file or directory `source`, as the caller sees it, at `target` in the program's view of the file system, with all that is mounted
/// below it; `flags` are NS_MOUNT_... joined by |, or 0. The view begins with the host's whole tree, or, if the first mount is at "/", with
/// that alone; each mount comes on top of those before it; then the old root is taken away. A target that is missing is made. Set-user-ID bits
/// and device files do not count. Asks for a new mount namespace. open_tree(2), mount_setattr(2), or
/// mount(2) where these are missing; pivot_root(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_bind(
    spec: *mut ns_spec,
    source: *const c_char,
    target: *const c_char,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            Ok(spec.mount(flagged(Mount::bind(text(source, "source")?, text(target, "target")?)?, flags)?))
        })
    }
}

/// The same by a descriptor, open until the spawn; O_PATH is enough.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_bind_fd(
    spec: *mut ns_spec,
    fd: c_int,
    target: *const c_char,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            Ok(spec.mount(flagged(Mount::bind_fd(descriptor(fd)?, text(target, "target")?)?, flags)?))
        })
    }
}

/// The same with other owners, by the id map of the user namespace `user_ns`, ns_open(), open until the spawn. Takes root, Linux 5.12 and a file
/// system that knows it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_bind_idmapped(
    spec: *mut ns_spec,
    source: *const c_char,
    target: *const c_char,
    user_ns: c_int,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            Ok(spec.mount(flagged(
                Mount::bind(text(source, "source")?, text(target, "target")?)?.id_map(descriptor(user_ns)?),
                flags,
            )?))
        })
    }
}

/// An empty file system in memory, of `size` bytes at most and a file for each KiB of them, 1024 at least (0: half
/// of the memory), whose root has the permissions `mode`. tmpfs(5).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_tmpfs(
    spec: *mut ns_spec,
    target: *const c_char,
    size: u64,
    mode: u32,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let mut tmpfs = Mount::tmpfs(text(target, "target")?)?.mode(mode);
            if size > 0 {
                tmpfs = tmpfs.size(size);
            }
            Ok(spec.mount(flagged(tmpfs, flags)?))
        })
    }
}

/// A fresh proc of the program's pid namespace. `hidepid` is NULL or "off", "noaccess", "invisible", "ptraceable"; NS_MOUNT_SUBSET_PID leaves the
/// machine's settings out. Where the host's own /proc is partly covered, as in a container, the kernel refuses it with EPERM. proc(5).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_procfs(
    spec: *mut ns_spec,
    target: *const c_char,
    hidepid: *const c_char,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let mut proc = Mount::procfs(text(target, "target")?)?;
            if !hidepid.is_null() {
                proc = proc.hidepid(&text(hidepid, "hidepid")?.to_string_lossy())?;
            }
            if flags & NS_MOUNT_SUBSET_PID != 0 {
                proc = proc.subset_pid();
            }
            Ok(spec.mount(flagged(proc, flags & !NS_MOUNT_SUBSET_PID)?))
        })
    }
}

/// A small /dev: null, zero, full, random, urandom, tty, pseudo-terminals of its own, shm, links to the descriptors; console is the program's
/// terminal, if it is given one, ns_spec_pty().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_dev(
    spec: *mut ns_spec,
    target: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.mount(Mount::dev(text(target, "target")?)?))) }
}

/// A fresh sysfs of the program's network namespace, read-only.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_sysfs(
    spec: *mut ns_spec,
    target: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.mount(Mount::sysfs(text(target, "target")?)?))) }
}

/// The POSIX message queues of the program's IPC namespace. mq_overview(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_mqueue(
    spec: *mut ns_spec,
    target: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.mount(Mount::mqueue(text(target, "target")?)?))) }
}

/// A writable layer over the directory `lower`. With `upper` and `work` NULL, what is written is thrown away, and `lower` may be the host's "/": what is
/// mounted in it gets layers of its own; /proc, /sys and the like are read-only, and so are files right beside something that is mounted, but for
/// the caller's own up to 1 MiB, which are copied.
/// Otherwise it is kept in the directory `upper`; `work`, an empty directory of the same file system, is the kernel's. Linux 5.11 for an
/// ordinary user.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_overlay(
    spec: *mut ns_spec,
    lower: *const c_char,
    upper: *const c_char,
    work: *const c_char,
    target: *const c_char,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            Ok(spec.mount(flagged(overlay(text(lower, "lower")?, upper, work, target)?, flags)?))
        })
    }
}

/// The same over several lower trees: `lower` is a list that ends with NULL, the uppermost first. What is in a tree is seen where those before it
/// have nothing; what is mounted in them is not seen. With NS_MOUNT_RDONLY, `upper` and `work` NULL, and more than one tree there is no writable
/// layer at all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_overlay_trees(
    spec: *mut ns_spec,
    lower: *const *const c_char,
    upper: *const c_char,
    work: *const c_char,
    target: *const c_char,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let lower = texts(lower, "lower")?;
            let [first, rest @ ..] = lower.as_slice() else {
                return Err(Error::argument("an overlay needs a lower tree"));
            };
            let mut overlay = overlay(first, upper, work, target)?;
            for tree in rest {
                overlay = overlay.lower(tree)?;
            }
            Ok(spec.mount(flagged(overlay, flags)?))
        })
    }
}

/// # Safety
/// The pointers are NULL or valid.
unsafe fn overlay(
    lower: &OsStr,
    upper: *const c_char,
    work: *const c_char,
    target: *const c_char,
) -> Result<Mount<'static>> {
    // SAFETY: the caller's promise.
    unsafe {
        let target = text(target, "target")?;
        match upper.is_null() && work.is_null() {
            true => Mount::overlay(lower, target),
            false => Mount::overlay_kept(lower, text(upper, "upper")?, text(work, "work")?, target),
        }
    }
}

/// A directory with these permissions; one that is there already is left as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_dir(
    spec: *mut ns_spec,
    target: *const c_char,
    mode: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.mount(Mount::dir(text(target, "target")?, mode)?))) }
}

/// A symbolic link to `to`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_symlink(
    spec: *mut ns_spec,
    to: *const c_char,
    target: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| Ok(spec.mount(Mount::symlink(text(to, "to")?, text(target, "target")?)?)))
    }
}

/// A new file with these `size` bytes, which are copied. In the sandbox it takes the place of the sandbox's own.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_file(
    spec: *mut ns_spec,
    data: *const c_void,
    size: usize,
    target: *const c_char,
    mode: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(spec, err, |spec| {
            let data = items(data.cast::<u8>(), size, "data")?;
            Ok(spec.mount(Mount::file(data, text(target, "target")?, mode)?))
        })
    }
}

/// Hides what is there: a directory becomes empty, a file reads as /dev/null. Nothing to hide is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_mask(
    spec: *mut ns_spec,
    target: *const c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.mount(Mount::mask(text(target, "target")?)?))) }
}

/// Makes what is there read-only, with all that is mounted below it. `flags`: NS_MOUNT_IF_EXISTS, NS_MOUNT_NON_RECURSIVE or 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_read_only(
    spec: *mut ns_spec,
    target: *const c_char,
    flags: u64,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe {
        set(
            spec,
            err,
            |spec| Ok(spec.mount(flagged(Mount::read_only_path(text(target, "target")?)?, flags)?)),
        )
    }
}

/// The permissions of what is there already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_mount_chmod(
    spec: *mut ns_spec,
    target: *const c_char,
    mode: u32,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: the spec is the caller's; pointers are NULL or valid, says the header.
    unsafe { set(spec, err, |spec| Ok(spec.mount(Mount::chmod(text(target, "target")?, mode)?))) }
}
