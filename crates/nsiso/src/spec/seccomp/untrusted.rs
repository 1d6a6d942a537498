//! [`Seccomp::untrusted`]: the filter for programs that are not trusted.

use std::str::FromStr;

use syscalls::Sysno;

use super::bpf::{Rule, When, assemble};
use super::{Rules, Seccomp, SeccompAction};

/// The flags of all kinds of namespace that clone(2) and unshare(2) create.
const NEW_NAMESPACES: u32 = 0x7E02_0000;
const NEW_TIME_NAMESPACE: u32 = 0x80;

/// Unix, IPv4, IPv6 and netlink sockets. All other families reach what no network namespace
/// isolates (`AF_VSOCK` reaches the hypervisor), or rarely reviewed parts of the kernel.
const SOCKET_FAMILIES: &[u32] =
    &[libc::AF_UNIX as u32, libc::AF_INET as u32, libc::AF_INET6 as u32, libc::AF_NETLINK as u32];

const INTERNET: &[u32] = &[libc::AF_INET as u32, libc::AF_INET6 as u32];

/// The default, ICMP, TCP, UDP and ICMPv6. Others are rarely reviewed, and Landlock's rules for
/// ports do not cover MPTCP.
const INTERNET_PROTOCOLS: &[u32] = &[0, 1, 6, 17, 58];

const NETLINK: &[u32] = &[libc::AF_NETLINK as u32];

/// `NETLINK_ROUTE`, by which the C library and `ip(8)` read the addresses.
const NETLINK_PROTOCOLS: &[u32] = &[0];

/// `MSG_FASTOPEN` connects without connect(2), so Landlock's rules for ports do not cover it.
/// Below: the calls that take it, and which argument has the flags.
const FAST_OPEN: u32 = 0x2000_0000;
const SENDING: [(Sysno, u32); 3] = [(Sysno::sendto, 3), (Sysno::sendmsg, 2), (Sysno::sendmmsg, 3)];

/// `TCP_FASTOPEN_CONNECT`, and `TCP_ULP`, which gives the connection to other parts of the kernel.
const TCP_OPTIONS: &[u32] = &[30, 31];

/// Requests that reach other users of the terminal: `TIOCSTI` and `TIOCLINUX`; and `TIOCSETD`,
/// which loads drivers.
const TERMINAL_REQUESTS: &[u32] = &[libc::TIOCSTI as u32, 0x541C, libc::TIOCSETD as u32];

/// PER_LINUX and PER_LINUX32, each also with UNAME26; ADDR_NO_RANDOMIZE; and the query,
/// `personality(2)`.
const PERSONALITIES: &[u32] = &[0, 0x8, 0x2_0000, 0x2_0008, 0x4_0000, u32::MAX];

/// Calls that no untrusted program needs: for administration of the machine, for access to other
/// processes, and of large or new parts of the kernel. Names that the kernel or the machine does
/// not have are left out.
const ADMINISTRATION: &[&str] = &[
    "_sysctl",
    "acct",
    "add_key",
    "adjtimex",
    "afs_syscall",
    "bdflush",
    "bpf",
    "chroot",
    "clock_adjtime",
    "clock_settime",
    "create_module",
    "delete_module",
    "fanotify_init",
    "finit_module",
    "fsconfig",
    "fsmount",
    "fsopen",
    "fspick",
    "get_kernel_syms",
    "get_mempolicy",
    "getpmsg",
    "init_module",
    // All processes of the machine share fs.aio-max-nr.
    "io_setup",
    "io_uring_enter",
    "io_uring_register",
    "io_uring_setup",
    "ioperm",
    "iopl",
    "kcmp",
    "kexec_file_load",
    "kexec_load",
    "keyctl",
    "lookup_dcookie",
    "lsm_set_self_attr",
    "mbind",
    "migrate_pages",
    "modify_ldt",
    "mount",
    "mount_setattr",
    "move_mount",
    "move_pages",
    "name_to_handle_at",
    "nfsservctl",
    "open_by_handle_at",
    "open_tree",
    "open_tree_attr",
    "perf_event_open",
    "pidfd_getfd",
    "pivot_root",
    "process_madvise",
    "process_vm_readv",
    "process_vm_writev",
    "ptrace",
    "putpmsg",
    "query_module",
    "quotactl",
    "quotactl_fd",
    "reboot",
    "request_key",
    "security",
    "set_mempolicy",
    "set_mempolicy_home_node",
    "setdomainname",
    "sethostname",
    "setns",
    "settimeofday",
    "stime",
    "swapoff",
    "swapon",
    "syslog",
    "sysfs",
    "tuxcall",
    "umount",
    "umount2",
    "uselib",
    "userfaultfd",
    "ustat",
    "vhangup",
    "vmsplice",
    "vserver",
    "listns",
    "listmount",
    "statmount",
];

/// `S_ISUID` and `S_ISGID`.
const SET_ID: u32 = 0o6000;

/// With one of these flags open(2) uses its mode; without them the mode may be any number.
const CREATES: u32 = (libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY) as u32;

const CORE: &[u32] = &[libc::RLIMIT_CORE];
const PID_1: &[u32] = &[1];
const PROCESS_OR_GROUP: &[u32] = &[libc::PRIO_PROCESS, libc::PRIO_PGRP];
const USER: &[u32] = &[libc::PRIO_USER];

/// `IOPRIO_WHO_PROCESS` and `_PGRP`; `_USER`.
const IO_PROCESS_OR_GROUP: &[u32] = &[1, 2];
const IO_USER: &[u32] = &[3];

/// Calls that fail with EPERM if all the conditions beside them hold. A call may have several
/// entries. Names that this machine does not have are left out.
///
/// The most frequent calls come first: the kernel runs a filter from its beginning for every call
/// that the filter does not decide by its number alone.
const BY_ARGUMENTS: &[(&str, &[When])] = &[
    // A file with these bits in a writable bind would run as the caller's user outside. mkdir(2)
    // has no rule: the kernel ignores the bits there.
    ("openat", &[When::Bits(2, CREATES), When::Bits(3, SET_ID)]),
    ("open", &[When::Bits(1, CREATES), When::Bits(2, SET_ID)]),
    ("creat", &[When::Bits(1, SET_ID)]),
    ("chmod", &[When::Bits(1, SET_ID)]),
    ("fchmod", &[When::Bits(1, SET_ID)]),
    ("fchmodat", &[When::Bits(2, SET_ID)]),
    ("fchmodat2", &[When::Bits(2, SET_ID)]),
    ("mknod", &[When::Bits(1, SET_ID)]),
    ("mknodat", &[When::Bits(2, SET_ID)]),
    // The init process has the program's user and no more rights. With few descriptors or no
    // processor time it could not end the sandbox at its deadline.
    ("prlimit64", &[When::OneOf(0, PID_1), When::NotNull(2)]),
    ("sched_setaffinity", &[When::OneOf(0, PID_1)]),
    ("sched_setattr", &[When::OneOf(0, PID_1)]),
    ("sched_setparam", &[When::OneOf(0, PID_1)]),
    ("sched_setscheduler", &[When::OneOf(0, PID_1)]),
    ("setpriority", &[When::OneOf(0, PROCESS_OR_GROUP), When::OneOf(1, PID_1)]),
    ("setpriority", &[When::OneOf(0, USER)]),
    ("ioprio_set", &[When::OneOf(0, IO_PROCESS_OR_GROUP), When::OneOf(1, PID_1)]),
    ("ioprio_set", &[When::OneOf(0, IO_USER)]),
    // A limit of 1 prevents core dumps also where core_pattern pipes them to a program. A limit of
    // 0 does not, so the program must not set it.
    ("prlimit64", &[When::OneOf(1, CORE), When::NotNull(2)]),
    ("setrlimit", &[When::OneOf(0, CORE)]),
];

impl Seccomp {
    /// Makes a filter for programs that are not trusted. It allows every call except these:
    ///
    /// - Administration of the machine, access to the memory of other processes, new namespaces,
    ///   io_uring and other large or new parts of the kernel fail with EPERM.
    /// - clone3 and openat2 fail with ENOSYS, since a filter cannot read their flags. Callers fall
    ///   back to clone and openat.
    /// - Sockets other than Unix, TCP, UDP, ping and netlink route sockets fail as if the kernel
    ///   lacked them.
    /// - Giving a file a set-user-ID or set-group-ID bit fails with EPERM, also when the file is
    ///   created. A directory still inherits the set-group-ID bit, but then chmod, and copies that
    ///   keep modes, fail for it. Files that have such a bit already are not protected: a program
    ///   that may write to them can change what they do.
    /// - prlimit, sched_setaffinity, sched_setattr, sched_setparam, sched_setscheduler, setpriority
    ///   and ioprio_set fail with EPERM for PID 1, the last two also for all processes of a user. A
    ///   program that is PID 1 itself gives 0 as the pid.
    /// - Changing the core dump limit fails with EPERM.
    pub fn untrusted() -> Self {
        let rule = |number: Sysno, when: &[When], errno| Rule {
            number: number.id() as u32,
            when: when.to_vec(),
            action: SeccompAction::Fail(errno),
        };
        let fail = |number, when: &[When]| rule(number, when, libc::EPERM);
        let everywhere = ADMINISTRATION.iter().map(|name| (*name, [].as_slice()));
        let mut rules: Vec<Rule> = BY_ARGUMENTS
            .iter()
            .copied()
            .chain(everywhere)
            .filter_map(|(name, when)| Some(fail(Sysno::from_str(name).ok()?, when)))
            .collect();
        for call in [Sysno::clone3, Sysno::openat2] {
            rules.push(rule(call, &[], libc::ENOSYS));
        }
        let new = NEW_NAMESPACES | NEW_TIME_NAMESPACE;
        rules.push(fail(Sysno::unshare, &[When::Bits(0, new)]));
        rules.push(fail(Sysno::clone, &[When::Bits(0, NEW_NAMESPACES)]));
        rules.push(fail(Sysno::personality, &[When::NoneOf(0, PERSONALITIES)]));
        rules.push(fail(Sysno::ioctl, &[When::OneOf(1, TERMINAL_REQUESTS)]));
        for call in [Sysno::socket, Sysno::socketpair] {
            rules.push(rule(call, &[When::NoneOf(0, SOCKET_FAMILIES)], libc::EAFNOSUPPORT));
        }
        for (families, protocols) in [(INTERNET, INTERNET_PROTOCOLS), (NETLINK, NETLINK_PROTOCOLS)] {
            let when = [When::OneOf(0, families), When::NoneOf(2, protocols)];
            rules.push(rule(Sysno::socket, &when, libc::EPROTONOSUPPORT));
        }
        for (call, flags) in SENDING {
            rules.push(rule(call, &[When::Bits(flags, FAST_OPEN)], libc::EOPNOTSUPP));
        }
        let when = [When::OneOf(1, &[libc::IPPROTO_TCP as u32]), When::OneOf(2, TCP_OPTIONS)];
        rules.push(rule(Sysno::setsockopt, &when, libc::EOPNOTSUPP));
        Seccomp { program: assemble(&rules, SeccompAction::Allow), rules: Rules::Untrusted }
    }
}
