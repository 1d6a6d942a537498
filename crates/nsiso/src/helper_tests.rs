//! Compares the helper's own constants and structs (`helper/kernel.rs`) with those of the libc
//! crate.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::mem::{align_of, offset_of, size_of};
use std::path::PathBuf;

use super::kernel;

const TEXT: &str = include_str!("../helper/kernel.rs");

/// Compares constants with those of equal name in the libc crate, and returns their names.
macro_rules! same {
    ($($name:ident,)*) => {{
        $(assert_eq!(kernel::$name as i128, libc::$name as i128, stringify!($name));)*
        [$(stringify!($name)),*]
    }};
}

/// Compares the size, alignment and fields of a struct with those of the libc crate, and returns
/// its name.
macro_rules! same_struct {
    ($name:ident { $($field:ident),* }) => {{
        assert_eq!(size_of::<kernel::$name>(), size_of::<libc::$name>(), stringify!($name));
        assert_eq!(align_of::<kernel::$name>(), align_of::<libc::$name>(), stringify!($name));
        $(assert_eq!(
            offset_of!(kernel::$name, $field),
            offset_of!(libc::$name, $field),
            concat!(stringify!($name), ".", stringify!($field))
        );)*
        stringify!($name)
    }};
}

#[test]
fn numbers_are_those_of_the_libc_crate() {
    let calls = same![
        SYS_capget,
        SYS_capset,
        SYS_chdir,
        SYS_chroot,
        SYS_clock_gettime,
        SYS_clone,
        SYS_clone3,
        SYS_close,
        SYS_close_range,
        SYS_dup3,
        SYS_execve,
        SYS_execveat,
        SYS_exit_group,
        SYS_fchdir,
        SYS_fchmod,
        SYS_fcntl,
        SYS_fsconfig,
        SYS_fsmount,
        SYS_fsopen,
        SYS_fstatfs,
        SYS_getdents64,
        SYS_gettid,
        SYS_ioctl,
        SYS_kill,
        SYS_landlock_add_rule,
        SYS_landlock_create_ruleset,
        SYS_landlock_restrict_self,
        SYS_lseek,
        SYS_mkdirat,
        SYS_mknodat,
        SYS_mmap,
        SYS_mount,
        SYS_mount_setattr,
        SYS_move_mount,
        SYS_open_tree,
        SYS_openat,
        SYS_openat2,
        SYS_personality,
        SYS_pidfd_open,
        SYS_pipe2,
        SYS_pivot_root,
        SYS_ppoll,
        SYS_prctl,
        SYS_pread64,
        SYS_prlimit64,
        SYS_read,
        SYS_rt_sigaction,
        SYS_rt_sigprocmask,
        SYS_sched_setaffinity,
        SYS_seccomp,
        SYS_sendmsg,
        SYS_set_robust_list,
        SYS_setdomainname,
        SYS_setgroups,
        SYS_sethostname,
        SYS_setns,
        SYS_setpriority,
        SYS_setresgid,
        SYS_setresuid,
        SYS_setsid,
        SYS_signalfd4,
        SYS_socket,
        SYS_statx,
        SYS_symlinkat,
        SYS_umask,
        SYS_umount2,
        SYS_unshare,
        SYS_wait4,
        SYS_write,
    ];
    let others = same![
        EPERM,
        ENOENT,
        ESRCH,
        EIO,
        EBADF,
        EAGAIN,
        EACCES,
        EBUSY,
        EEXIST,
        EXDEV,
        ENODEV,
        ENOTDIR,
        EISDIR,
        EINVAL,
        ENAMETOOLONG,
        ENOSYS,
        ELOOP,
        ENOTSUP,
        ETIMEDOUT,
        ESTALE,
        O_RDONLY,
        O_WRONLY,
        O_CREAT,
        O_EXCL,
        O_NONBLOCK,
        O_DIRECTORY,
        O_NOFOLLOW,
        O_CLOEXEC,
        O_PATH,
        PATH_MAX,
        SEEK_SET,
        AT_FDCWD,
        AT_EMPTY_PATH,
        AT_STATX_DONT_SYNC,
        AT_RECURSIVE,
        STATX_BASIC_STATS,
        STATX_MNT_ID,
        S_IFMT,
        S_IFDIR,
        S_IFREG,
        RESOLVE_NO_XDEV,
        RESOLVE_NO_MAGICLINKS,
        RESOLVE_NO_SYMLINKS,
        RESOLVE_IN_ROOT,
        MS_RDONLY,
        MS_NOSUID,
        MS_NODEV,
        MS_NOEXEC,
        MS_REMOUNT,
        MS_NOSYMFOLLOW,
        MS_BIND,
        MS_MOVE,
        MS_REC,
        MS_UNBINDABLE,
        MNT_DETACH,
        MOUNT_ATTR_RDONLY,
        MOUNT_ATTR_NOSUID,
        MOUNT_ATTR_NODEV,
        MOUNT_ATTR_NOEXEC,
        MOUNT_ATTR_IDMAP,
        OPEN_TREE_CLONE,
        OPEN_TREE_CLOEXEC,
        FSOPEN_CLOEXEC,
        FSMOUNT_CLOEXEC,
        MOVE_MOUNT_F_EMPTY_PATH,
        MOVE_MOUNT_T_EMPTY_PATH,
        PROT_READ,
        PROT_WRITE,
        MAP_SHARED,
        MAP_POPULATE,
        MAP_PRIVATE,
        CLONE_VFORK,
        CLONE_PARENT,
        CLONE_PIDFD,
        CLONE_PARENT_SETTID,
        CLONE_NEWTIME,
        FUTEX_WAITERS,
        FUTEX_OWNER_DIED,
        PR_SET_PDEATHSIG,
        PR_SET_DUMPABLE,
        PR_SET_KEEPCAPS,
        PR_SET_NAME,
        PR_SET_SECCOMP,
        PR_CAPBSET_DROP,
        PR_SET_NO_NEW_PRIVS,
        PR_CAP_AMBIENT,
        PR_CAP_AMBIENT_RAISE,
        PR_CAP_AMBIENT_CLEAR_ALL,
        PRIO_PROCESS,
        SECCOMP_MODE_FILTER,
        SECCOMP_SET_MODE_FILTER,
        SECCOMP_FILTER_FLAG_NEW_LISTENER,
        SIGKILL,
        SIGPIPE,
        SIGCHLD,
        SIGSTOP,
        SIGXFSZ,
        SIG_SETMASK,
        WNOHANG,
        CLOCK_MONOTONIC,
        F_SETFD,
        F_SETLK,
        F_DUPFD_CLOEXEC,
        F_WRLCK,
        FD_CLOEXEC,
        POLLIN,
        TIOCSCTTY,
        SIOCSIFFLAGS,
        IFF_UP,
        IFNAMSIZ,
        AF_UNIX,
        SOCK_DGRAM,
        SOCK_CLOEXEC,
        MSG_DONTWAIT,
        SOL_SOCKET,
        SCM_RIGHTS,
    ];
    // The libc crate lacks the constants of linux/mount.h, truncates CLONE_INTO_CGROUP, and calls
    // WALL __WALL.
    let rest = [
        ("FSCONFIG_SET_FLAG", u64::from(kernel::FSCONFIG_SET_FLAG), 0),
        ("FSCONFIG_SET_STRING", u64::from(kernel::FSCONFIG_SET_STRING), 1),
        ("FSCONFIG_CMD_CREATE", u64::from(kernel::FSCONFIG_CMD_CREATE), 6),
        ("CLONE_INTO_CGROUP", kernel::CLONE_INTO_CGROUP, 0x2_0000_0000),
        ("WALL", kernel::WALL as u64, libc::__WALL as u64),
    ];
    for (name, ours, theirs) in rest {
        assert_eq!(ours, theirs, "{name}");
    }
    let compared: BTreeSet<&str> =
        calls.into_iter().chain(others).chain(rest.map(|(name, ..)| name)).collect();
    assert_eq!(compared, names_after(TEXT, "pub const "), "each constant is compared");
}

#[test]
fn structs_are_those_of_the_libc_crate() {
    let compared = [
        same_struct!(mount_attr { attr_set, attr_clr, propagation, userns_fd }),
        same_struct!(iovec { iov_base, iov_len }),
        same_struct!(pollfd { fd, events, revents }),
        same_struct!(flock { l_type, l_whence, l_start, l_len, l_pid }),
        same_struct!(timespec { tv_sec, tv_nsec }),
        same_struct!(sock_fprog { len, filter }),
        same_struct!(statx {
            stx_mask,
            stx_blksize,
            stx_attributes,
            stx_nlink,
            stx_uid,
            stx_gid,
            stx_mode,
            stx_ino,
            stx_dev_major,
            stx_dev_minor,
            stx_mnt_id
        }),
        same_struct!(clone_args {
            flags,
            pidfd,
            child_tid,
            parent_tid,
            exit_signal,
            stack,
            stack_size,
            tls,
            set_tid,
            set_tid_size,
            cgroup
        }),
    ];
    assert_eq!(BTreeSet::from(compared), names_after(TEXT, "pub struct "), "each struct is compared");
}

/// The identifiers that follow each `before` in `text`.
fn names_after<'text>(text: &'text str, before: &str) -> BTreeSet<&'text str> {
    let name = |rest: &'text str| rest.split(|byte: char| !byte.is_alphanumeric() && byte != '_').next();
    text.split(before).skip(1).filter_map(name).collect()
}

/// The system call numbers of one architecture by name, as text.
fn calls_for(arch: &str) -> BTreeMap<&'static str, &'static str> {
    let begin = format!("#[cfg(target_arch = \"{arch}\")]\nmod number {{\n");
    let (_, module) = TEXT.split_once(&begin).expect(arch);
    let (module, _) = module.split_once("\n}\n").expect(arch);
    numbers(module, "usize").collect()
}

fn numbers<'text>(text: &'text str, kind: &str) -> impl Iterator<Item = (&'text str, &'text str)> {
    text.lines().filter_map(move |line| {
        let (name, number) = line.trim().strip_prefix("pub const ")?.split_once(": ")?;
        Some((name, number.strip_prefix(kind)?.strip_prefix(" = ")?.strip_suffix(';')?))
    })
}

#[test]
fn both_architectures_have_the_same_calls() {
    let names = |arch| calls_for(arch).into_keys().collect::<Vec<_>>();
    assert_eq!(names("x86_64"), names("aarch64"));
}

/// The comparison above covers only the architecture that the test runs on.
#[test]
fn numbers_of_both_architectures_are_in_the_source_of_the_libc_crate() {
    let Some(libc) = source_of_libc() else {
        eprintln!("skipped: the source of the libc crate is not in cargo's registry");
        return;
    };
    for (arch, file) in [("x86_64", "x86_64/not_x32.rs"), ("aarch64", "aarch64/lp64.rs")] {
        let read = |file: &str| {
            fs::read_to_string(libc.join("src/unix/linux_like/linux/gnu/b64").join(file)).unwrap_or_default()
        };
        let text = read(file) + &read(&format!("{arch}/mod.rs"));
        let theirs: BTreeMap<&str, &str> = numbers(&text, "c_long").collect();
        for (name, ours) in calls_for(arch) {
            assert_eq!(theirs.get(name).copied(), Some(ours), "{name} of {arch}");
        }
    }
}

/// The source directory of the libc crate in cargo's registry, in the version that Cargo.lock
/// names.
fn source_of_libc() -> Option<PathBuf> {
    let lock = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).ok()?;
    let (_, rest) = lock.split_once("name = \"libc\"\nversion = \"")?;
    let directory = format!("libc-{}", rest.split('"').next()?);
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))?;
    let registries = fs::read_dir(home.join("registry/src")).ok()?;
    registries.flatten().map(|entry| entry.path().join(&directory)).find(|path| path.is_dir())
}
