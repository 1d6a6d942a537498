//! The kernel's numbers and structs that the helper uses, under their names in the man pages.
//!
//! The helper links no library, so they are defined here. A test compares them with the libc crate.

#![allow(non_camel_case_types, non_upper_case_globals)]

pub use core::ffi::{c_char, c_int, c_uint, c_ulong};

pub use self::number::*;

#[cfg(target_arch = "x86_64")]
mod number {
    pub const SYS_capget: usize = 125;
    pub const SYS_capset: usize = 126;
    pub const SYS_chdir: usize = 80;
    pub const SYS_chroot: usize = 161;
    pub const SYS_clock_gettime: usize = 228;
    pub const SYS_clone: usize = 56;
    pub const SYS_clone3: usize = 435;
    pub const SYS_close: usize = 3;
    pub const SYS_close_range: usize = 436;
    pub const SYS_dup3: usize = 292;
    pub const SYS_execve: usize = 59;
    pub const SYS_execveat: usize = 322;
    pub const SYS_exit_group: usize = 231;
    pub const SYS_fchdir: usize = 81;
    pub const SYS_fchmod: usize = 91;
    pub const SYS_fcntl: usize = 72;
    pub const SYS_fsconfig: usize = 431;
    pub const SYS_fsmount: usize = 432;
    pub const SYS_fsopen: usize = 430;
    pub const SYS_fstatfs: usize = 138;
    pub const SYS_getdents64: usize = 217;
    pub const SYS_gettid: usize = 186;
    pub const SYS_ioctl: usize = 16;
    pub const SYS_kill: usize = 62;
    pub const SYS_landlock_add_rule: usize = 445;
    pub const SYS_landlock_create_ruleset: usize = 444;
    pub const SYS_landlock_restrict_self: usize = 446;
    pub const SYS_lseek: usize = 8;
    pub const SYS_mkdirat: usize = 258;
    pub const SYS_mknodat: usize = 259;
    pub const SYS_mmap: usize = 9;
    pub const SYS_mount: usize = 165;
    pub const SYS_mount_setattr: usize = 442;
    pub const SYS_move_mount: usize = 429;
    pub const SYS_open_tree: usize = 428;
    pub const SYS_openat: usize = 257;
    pub const SYS_openat2: usize = 437;
    pub const SYS_personality: usize = 135;
    pub const SYS_pidfd_open: usize = 434;
    pub const SYS_pipe2: usize = 293;
    pub const SYS_pivot_root: usize = 155;
    pub const SYS_ppoll: usize = 271;
    pub const SYS_prctl: usize = 157;
    pub const SYS_pread64: usize = 17;
    pub const SYS_prlimit64: usize = 302;
    pub const SYS_read: usize = 0;
    pub const SYS_rt_sigaction: usize = 13;
    pub const SYS_rt_sigprocmask: usize = 14;
    pub const SYS_sched_setaffinity: usize = 203;
    pub const SYS_seccomp: usize = 317;
    pub const SYS_sendmsg: usize = 46;
    pub const SYS_set_robust_list: usize = 273;
    pub const SYS_setdomainname: usize = 171;
    pub const SYS_setgroups: usize = 116;
    pub const SYS_sethostname: usize = 170;
    pub const SYS_setns: usize = 308;
    pub const SYS_setpriority: usize = 141;
    pub const SYS_setresgid: usize = 119;
    pub const SYS_setresuid: usize = 117;
    pub const SYS_setsid: usize = 112;
    pub const SYS_signalfd4: usize = 289;
    pub const SYS_socket: usize = 41;
    pub const SYS_statx: usize = 332;
    pub const SYS_symlinkat: usize = 266;
    pub const SYS_umask: usize = 95;
    pub const SYS_umount2: usize = 166;
    pub const SYS_unshare: usize = 272;
    pub const SYS_wait4: usize = 61;
    pub const SYS_write: usize = 1;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub const SYS_capget: usize = 90;
    pub const SYS_capset: usize = 91;
    pub const SYS_chdir: usize = 49;
    pub const SYS_chroot: usize = 51;
    pub const SYS_clock_gettime: usize = 113;
    pub const SYS_clone: usize = 220;
    pub const SYS_clone3: usize = 435;
    pub const SYS_close: usize = 57;
    pub const SYS_close_range: usize = 436;
    pub const SYS_dup3: usize = 24;
    pub const SYS_execve: usize = 221;
    pub const SYS_execveat: usize = 281;
    pub const SYS_exit_group: usize = 94;
    pub const SYS_fchdir: usize = 50;
    pub const SYS_fchmod: usize = 52;
    pub const SYS_fcntl: usize = 25;
    pub const SYS_fsconfig: usize = 431;
    pub const SYS_fsmount: usize = 432;
    pub const SYS_fsopen: usize = 430;
    pub const SYS_fstatfs: usize = 44;
    pub const SYS_getdents64: usize = 61;
    pub const SYS_gettid: usize = 178;
    pub const SYS_ioctl: usize = 29;
    pub const SYS_kill: usize = 129;
    pub const SYS_landlock_add_rule: usize = 445;
    pub const SYS_landlock_create_ruleset: usize = 444;
    pub const SYS_landlock_restrict_self: usize = 446;
    pub const SYS_lseek: usize = 62;
    pub const SYS_mkdirat: usize = 34;
    pub const SYS_mknodat: usize = 33;
    pub const SYS_mmap: usize = 222;
    pub const SYS_mount: usize = 40;
    pub const SYS_mount_setattr: usize = 442;
    pub const SYS_move_mount: usize = 429;
    pub const SYS_open_tree: usize = 428;
    pub const SYS_openat: usize = 56;
    pub const SYS_openat2: usize = 437;
    pub const SYS_personality: usize = 92;
    pub const SYS_pidfd_open: usize = 434;
    pub const SYS_pipe2: usize = 59;
    pub const SYS_pivot_root: usize = 41;
    pub const SYS_ppoll: usize = 73;
    pub const SYS_prctl: usize = 167;
    pub const SYS_pread64: usize = 67;
    pub const SYS_prlimit64: usize = 261;
    pub const SYS_read: usize = 63;
    pub const SYS_rt_sigaction: usize = 134;
    pub const SYS_rt_sigprocmask: usize = 135;
    pub const SYS_sched_setaffinity: usize = 122;
    pub const SYS_seccomp: usize = 277;
    pub const SYS_sendmsg: usize = 211;
    pub const SYS_set_robust_list: usize = 99;
    pub const SYS_setdomainname: usize = 162;
    pub const SYS_setgroups: usize = 159;
    pub const SYS_sethostname: usize = 161;
    pub const SYS_setns: usize = 268;
    pub const SYS_setpriority: usize = 140;
    pub const SYS_setresgid: usize = 149;
    pub const SYS_setresuid: usize = 147;
    pub const SYS_setsid: usize = 157;
    pub const SYS_signalfd4: usize = 74;
    pub const SYS_socket: usize = 198;
    pub const SYS_statx: usize = 291;
    pub const SYS_symlinkat: usize = 36;
    pub const SYS_umask: usize = 166;
    pub const SYS_umount2: usize = 39;
    pub const SYS_unshare: usize = 97;
    pub const SYS_wait4: usize = 260;
    pub const SYS_write: usize = 64;
}
pub const EPERM: c_int = 1;
pub const ENOENT: c_int = 2;
pub const ESRCH: c_int = 3;
pub const EIO: c_int = 5;
pub const EBADF: c_int = 9;
pub const EAGAIN: c_int = 11;
pub const EACCES: c_int = 13;
pub const EBUSY: c_int = 16;
pub const EEXIST: c_int = 17;
pub const EXDEV: c_int = 18;
pub const ENODEV: c_int = 19;
pub const ENOTDIR: c_int = 20;
pub const EISDIR: c_int = 21;
pub const EINVAL: c_int = 22;
pub const ENAMETOOLONG: c_int = 36;
pub const ENOSYS: c_int = 38;
pub const ELOOP: c_int = 40;
pub const ENOTSUP: c_int = 95;
pub const ETIMEDOUT: c_int = 110;
pub const ESTALE: c_int = 116;

pub const O_RDONLY: c_int = 0;
pub const O_WRONLY: c_int = 1;
pub const O_CREAT: c_int = 0o100;
pub const O_EXCL: c_int = 0o200;
pub const O_NONBLOCK: c_int = 0o4000;
#[cfg(target_arch = "x86_64")]
pub const O_DIRECTORY: c_int = 0o200_000;
#[cfg(target_arch = "x86_64")]
pub const O_NOFOLLOW: c_int = 0o400_000;
#[cfg(target_arch = "aarch64")]
pub const O_DIRECTORY: c_int = 0o40_000;
#[cfg(target_arch = "aarch64")]
pub const O_NOFOLLOW: c_int = 0o100_000;
pub const O_CLOEXEC: c_int = 0o2_000_000;
pub const O_PATH: c_int = 0o10_000_000;
pub const PATH_MAX: c_int = 4096;
pub const SEEK_SET: c_int = 0;

pub const AT_FDCWD: c_int = -100;
pub const AT_EMPTY_PATH: c_int = 0x1000;
pub const AT_STATX_DONT_SYNC: c_int = 0x4000;
pub const AT_RECURSIVE: c_int = 0x8000;
pub const STATX_BASIC_STATS: c_uint = 0x07FF;
pub const STATX_MNT_ID: c_uint = 0x1000;
pub const S_IFMT: u32 = 0o170_000;
pub const S_IFDIR: u32 = 0o040_000;
pub const S_IFREG: u32 = 0o100_000;

pub const RESOLVE_NO_XDEV: u64 = 0x01;
pub const RESOLVE_NO_MAGICLINKS: u64 = 0x02;
pub const RESOLVE_NO_SYMLINKS: u64 = 0x04;
pub const RESOLVE_IN_ROOT: u64 = 0x10;

pub const MS_RDONLY: c_ulong = 1;
pub const MS_NOSUID: c_ulong = 2;
pub const MS_NODEV: c_ulong = 4;
pub const MS_NOEXEC: c_ulong = 8;
pub const MS_REMOUNT: c_ulong = 0x20;
pub const MS_NOSYMFOLLOW: c_ulong = 0x100;
pub const MS_BIND: c_ulong = 0x1000;
pub const MS_MOVE: c_ulong = 0x2000;
pub const MS_REC: c_ulong = 0x4000;
pub const MS_UNBINDABLE: c_ulong = 0x2_0000;
pub const MNT_DETACH: c_int = 2;

pub const MOUNT_ATTR_RDONLY: u64 = 0x1;
pub const MOUNT_ATTR_NOSUID: u64 = 0x2;
pub const MOUNT_ATTR_NODEV: u64 = 0x4;
pub const MOUNT_ATTR_NOEXEC: u64 = 0x8;
pub const MOUNT_ATTR_IDMAP: u64 = 0x10_0000;
pub const OPEN_TREE_CLONE: c_uint = 1;
pub const OPEN_TREE_CLOEXEC: c_uint = O_CLOEXEC as c_uint;
pub const FSOPEN_CLOEXEC: c_uint = 1;
pub const FSMOUNT_CLOEXEC: c_uint = 1;
pub const FSCONFIG_SET_FLAG: c_uint = 0;
pub const FSCONFIG_SET_STRING: c_uint = 1;
pub const FSCONFIG_CMD_CREATE: c_uint = 6;
pub const MOVE_MOUNT_F_EMPTY_PATH: c_uint = 0x4;
pub const MOVE_MOUNT_T_EMPTY_PATH: c_uint = 0x40;

pub const PROT_READ: c_int = 1;
pub const PROT_WRITE: c_int = 2;
pub const MAP_SHARED: c_int = 1;
pub const MAP_PRIVATE: c_int = 2;
pub const MAP_POPULATE: c_int = 0x8000;

pub const CLONE_VFORK: c_int = 0x4000;
pub const CLONE_PARENT: c_int = 0x8000;
pub const CLONE_PIDFD: c_int = 0x1000;
pub const CLONE_PARENT_SETTID: c_int = 0x10_0000;
pub const CLONE_NEWTIME: c_int = 0x80;
pub const CLONE_INTO_CGROUP: u64 = 1 << 33;

pub const FUTEX_WAITERS: u32 = 0x8000_0000;
pub const FUTEX_OWNER_DIED: u32 = 0x4000_0000;

pub const PR_SET_PDEATHSIG: c_int = 1;
pub const PR_SET_DUMPABLE: c_int = 4;
pub const PR_SET_KEEPCAPS: c_int = 8;
pub const PR_SET_NAME: c_int = 15;
pub const PR_SET_SECCOMP: c_int = 22;
pub const PR_CAPBSET_DROP: c_int = 24;
pub const PR_SET_NO_NEW_PRIVS: c_int = 38;
pub const PR_CAP_AMBIENT: c_int = 47;
pub const PR_CAP_AMBIENT_RAISE: c_int = 2;
pub const PR_CAP_AMBIENT_CLEAR_ALL: c_int = 4;
pub const PRIO_PROCESS: c_int = 0;

pub const SECCOMP_MODE_FILTER: c_int = 2;
pub const SECCOMP_SET_MODE_FILTER: c_uint = 1;
pub const SECCOMP_FILTER_FLAG_NEW_LISTENER: c_ulong = 8;

pub const SIGKILL: c_int = 9;
pub const SIGPIPE: c_int = 13;
pub const SIGCHLD: c_int = 17;
pub const SIGSTOP: c_int = 19;
pub const SIGXFSZ: c_int = 25;
pub const SIG_SETMASK: c_int = 2;
pub const WNOHANG: c_int = 1;
/// `__WALL`.
pub const WALL: c_int = 0x4000_0000;
pub const CLOCK_MONOTONIC: c_int = 1;

pub const F_SETFD: c_int = 2;
pub const F_SETLK: c_int = 6;
pub const F_DUPFD_CLOEXEC: c_int = 1030;
pub const F_WRLCK: i16 = 1;
pub const FD_CLOEXEC: c_int = 1;
pub const POLLIN: i16 = 1;
pub const TIOCSCTTY: c_uint = 0x540E;
pub const SIOCSIFFLAGS: c_uint = 0x8914;
pub const IFF_UP: c_int = 1;
pub const IFNAMSIZ: usize = 16;
pub const AF_UNIX: c_int = 1;
pub const SOCK_DGRAM: c_int = 2;
pub const SOCK_CLOEXEC: c_int = O_CLOEXEC;
pub const SOL_SOCKET: c_int = 1;
pub const SCM_RIGHTS: c_int = 1;
pub const MSG_DONTWAIT: c_int = 0x40;

/// `mount_setattr(2)`.
#[repr(C)]
pub struct mount_attr {
    pub attr_set: u64,
    pub attr_clr: u64,
    pub propagation: u64,
    pub userns_fd: u64,
}

#[repr(C)]
pub struct iovec {
    pub iov_base: usize,
    pub iov_len: usize,
}

#[repr(C)]
pub struct pollfd {
    pub fd: c_int,
    pub events: i16,
    pub revents: i16,
}

/// `fcntl(2)`; all zero except the type locks the whole file.
#[repr(C)]
#[derive(Default)]
pub struct flock {
    pub l_type: i16,
    pub l_whence: i16,
    pub l_start: i64,
    pub l_len: i64,
    pub l_pid: c_int,
}

#[repr(C)]
pub struct timespec {
    pub tv_sec: u64,
    pub tv_nsec: u64,
}

/// `struct sock_fprog`: a seccomp filter program.
#[repr(C)]
pub struct sock_fprog {
    pub len: u16,
    pub filter: *const u64,
}

/// `struct statx`. `sizes`, `times` and `rest` combine fields that the helper does not use.
#[repr(C)]
pub struct statx {
    pub stx_mask: u32,
    pub stx_blksize: u32,
    pub stx_attributes: u64,
    pub stx_nlink: u32,
    pub stx_uid: u32,
    pub stx_gid: u32,
    pub stx_mode: u16,
    pub spare: u16,
    pub stx_ino: u64,
    pub sizes: [u64; 3],
    pub times: [u64; 8],
    pub stx_rdev: [u32; 2],
    pub stx_dev_major: u32,
    pub stx_dev_minor: u32,
    pub stx_mnt_id: u64,
    pub rest: [u64; 13],
}

/// `struct clone_args` of `clone3(2)`.
#[repr(C)]
#[derive(Default)]
pub struct clone_args {
    pub flags: u64,
    pub pidfd: u64,
    pub child_tid: u64,
    pub parent_tid: u64,
    pub exit_signal: u64,
    pub stack: u64,
    pub stack_size: u64,
    pub tls: u64,
    pub set_tid: u64,
    pub set_tid_size: u64,
    pub cgroup: u64,
}
