//! [`Seccomp`]: which system calls the program may make, assembled as classic BPF, `seccomp(2)`.
//! The helper installs the filters just before it executes the program.

use std::str::FromStr;

use libc::sock_filter;
use syscalls::Sysno;

use super::Spec;
use crate::{Error, Result};

/// What the kernel does with a system call, `seccomp(2)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeccompAction {
    /// Executes the call.
    Allow,
    /// Fails the call with this errno.
    Fail(i32),
    /// Kills the process with SIGSYS.
    Kill,
    /// Sends SIGSYS to the thread, which may handle it; the call is not executed.
    Trap,
    /// Executes the call and writes it to the audit log.
    Log,
}

/// A filter of system calls, as a program that the kernel runs for each call, `seccomp(2)`.
///
/// Calls of another architecture than the library's own fail with ENOSYS in every filter but
/// [`Seccomp::raw`], so that no call gets round the rules.
#[derive(Clone, Debug)]
pub struct Seccomp {
    program: Vec<sock_filter>,
    #[cfg_attr(not(feature = "serde"), allow(dead_code))]
    rules: Rules,
}

/// What a filter was made of.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "serde"), allow(dead_code))]
pub(crate) enum Rules {
    Untrusted,
    Deny(Vec<String>, SeccompAction),
    Allow(Vec<String>, SeccompAction),
    Notify(Vec<String>),
    Raw,
}

fn owned<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Vec<String> {
    names.into_iter().map(|name| name.as_ref().to_owned()).collect()
}

/// A system call and what happens to it if all the conditions hold.
struct Rule {
    number: u32,
    when: Vec<When>,
    action: SeccompAction,
}

/// A condition on an argument, given by its number. An argument is a register of 64 bits. For an
/// `int` the kernel uses only the lower half, and so do all conditions but [`When::NotNull`].
#[derive(Clone, Copy)]
enum When {
    /// The argument has one of these bits set.
    Bits(u32, u32),
    OneOf(u32, &'static [u32]),
    NoneOf(u32, &'static [u32]),
    /// The argument is not a null pointer.
    NotNull(u32),
}

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

    /// Makes a filter that applies `action` to these calls and allows all others.
    ///
    /// Calls are given by name, `syscalls(2)`. EINVAL: a name is not a system call of this machine.
    pub fn deny<S: AsRef<str>>(calls: impl IntoIterator<Item = S>, action: SeccompAction) -> Result<Self> {
        let calls = owned(calls);
        let program = assemble(&named(&calls, action)?, SeccompAction::Allow);
        Ok(Seccomp { program, rules: Rules::Deny(calls, action) })
    }

    /// Makes a filter that allows these calls and applies `otherwise` to all others.
    ///
    /// Calls are given by name, `syscalls(2)`. `execve`, which starts the program, is always
    /// allowed. EINVAL: a name is not a system call of this machine.
    pub fn allow<S: AsRef<str>>(
        calls: impl IntoIterator<Item = S>,
        otherwise: SeccompAction,
    ) -> Result<Self> {
        let calls = owned(calls);
        let mut rules = named(&calls, SeccompAction::Allow)?;
        rules.push(Rule {
            number: Sysno::execve.id() as u32,
            when: Vec::new(),
            action: SeccompAction::Allow,
        });
        Ok(Seccomp { program: assemble(&rules, otherwise), rules: Rules::Allow(calls, otherwise) })
    }

    fn notify<S: AsRef<str>>(calls: impl IntoIterator<Item = S>) -> Result<Self> {
        let calls = owned(calls);
        let rules = named(&calls, SeccompAction::Allow)?;
        // The child itself makes these calls before exec, when the caller cannot answer yet.
        const NEEDED: [Sysno; 4] = [Sysno::sendmsg, Sysno::close, Sysno::execve, Sysno::exit_group];
        if let Some(needed) =
            NEEDED.iter().find(|call| rules.iter().any(|rule| rule.number == call.id() as u32))
        {
            return Err(Error::argument(format!(
                "{needed} cannot be asked about: it is needed to start the program"
            )));
        }
        let mut program = assemble(&rules, SeccompAction::Allow);
        // The rules follow the architecture checks, two instructions each; the second one returns.
        for pair in program[6..].chunks_mut(2).take(rules.len()) {
            pair[1].k = libc::SECCOMP_RET_USER_NOTIF;
        }
        Ok(Seccomp { program, rules: Rules::Notify(calls) })
    }

    /// Makes a filter from classic BPF instructions, `seccomp(2)`.
    ///
    /// The program must allow `execve`, which starts the program. It is used as it is, without
    /// checks of the architecture. EINVAL: it does not have 1 to 4096 instructions, or, at the
    /// spawn, the kernel rejects it.
    pub fn raw(program: Vec<sock_filter>) -> Result<Self> {
        match program.len() {
            1..=4096 => Ok(Seccomp { program, rules: Rules::Raw }),
            len => Err(Error::argument(format!("a filter has 1 to 4096 instructions, not {len}"))),
        }
    }

    #[cfg(feature = "serde")]
    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    pub(crate) fn program(&self) -> &[sock_filter] {
        &self.program
    }
}

impl Spec<'_> {
    /// Adds a filter of system calls; `None` removes all filters added before.
    ///
    /// The filters are installed just before the program is executed. The kernel runs all of them
    /// for each call, and the strictest action wins. A filter implies `new_privs(false)`, see
    /// [`Spec::new_privs`], which the kernel demands. EINVAL at the spawn: the kernel rejects the
    /// filter, or was built without filters.
    ///
    /// ```
    /// use nsiso::{Seccomp, SeccompAction, Spec};
    ///
    /// let mut spec = Spec::new("mkdir")?;
    /// spec.arg("/tmp/never")?.seccomp(Seccomp::deny(["mkdir", "mkdirat"], SeccompAction::Kill)?);
    /// assert_eq!(spec.spawn()?.wait()?.code(), None);
    /// # Ok::<(), nsiso::Error>(())
    /// ```
    pub fn seccomp(&mut self, filter: impl Into<Option<Seccomp>>) -> &mut Self {
        match filter.into() {
            Some(filter) => {
                self.privileges.filters.push(filter);
                self.new_privs(false)
            }
            None => {
                self.privileges.filters.clear();
                self
            }
        }
    }
}

impl Spec<'_> {
    /// Makes the caller answer these system calls of the program, `seccomp_unotify(2)`.
    ///
    /// [`Process::take_notify`](crate::Process::take_notify) returns the descriptor from which the
    /// caller reads the calls and to which it writes the answers. The program waits meanwhile.
    /// Calls are given by name; all others are allowed. Implies `new_privs(false)`, see
    /// [`Spec::new_privs`].
    ///
    /// EINVAL: a name is not a system call of this machine, or is one that starts the program:
    /// `sendmsg`, `close`, `execve` or `exit_group`.
    pub fn seccomp_notify<S: AsRef<str>>(&mut self, calls: impl IntoIterator<Item = S>) -> Result<&mut Self> {
        self.privileges.notify = Some(Seccomp::notify(calls)?);
        Ok(self.new_privs(false))
    }
}

fn named<S: AsRef<str>>(calls: impl IntoIterator<Item = S>, action: SeccompAction) -> Result<Vec<Rule>> {
    calls
        .into_iter()
        .map(|name| {
            let name = name.as_ref();
            let number = Sysno::from_str(name).map_err(|()| {
                Error::argument(format!("{name:?} is no system call of this machine, syscalls(2)"))
            })?;
            Ok(Rule { number: number.id() as u32, when: Vec::new(), action })
        })
        .collect()
}

impl SeccompAction {
    fn value(self) -> u32 {
        match self {
            SeccompAction::Allow => libc::SECCOMP_RET_ALLOW,
            SeccompAction::Fail(errno) => libc::SECCOMP_RET_ERRNO | (errno as u32 & libc::SECCOMP_RET_DATA),
            SeccompAction::Kill => libc::SECCOMP_RET_KILL_PROCESS,
            SeccompAction::Trap => libc::SECCOMP_RET_TRAP,
            SeccompAction::Log => libc::SECCOMP_RET_LOG,
        }
    }
}

/// Offsets in `struct seccomp_data`: the number, the architecture, and the arguments, of 8 bytes
/// each. All supported machines are little-endian: the lower half comes first.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

#[cfg(target_arch = "x86_64")]
const OWN_ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const OWN_ARCHITECTURE: u32 = 0xC000_00B7;

/// Calls of x32 have x86_64's architecture and this bit in their number.
const X32: u32 = 0x4000_0000;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const JUMP_GREATER_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const JUMP_BITS: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;

/// Assembles the checks of the architecture, the rules in order, and the action for all other
/// calls.
fn assemble(rules: &[Rule], otherwise: SeccompAction) -> Vec<sock_filter> {
    let unknown = finish(SeccompAction::Fail(libc::ENOSYS));
    let mut program = vec![
        load(ARCHITECTURE),
        jump(JUMP_EQUAL, OWN_ARCHITECTURE, 1, 0),
        unknown,
        load(NUMBER),
        jump(JUMP_GREATER_EQUAL, X32, 0, 1),
        unknown,
    ];
    for rule in rules {
        let body = rule.body();
        program.push(jump(JUMP_EQUAL, rule.number, 0, body.len()));
        program.extend(body);
    }
    program.push(finish(otherwise));
    program
}

impl Rule {
    /// The instructions that run if the number matches.
    fn body(&self) -> Vec<sock_filter> {
        let mut body = vec![finish(self.action)];
        if !self.when.is_empty() {
            // The next rule compares the number again.
            body.push(load(NUMBER));
        }
        // The conditions are put in front from the last to the first, so that each knows how many
        // instructions to skip.
        for condition in self.when.iter().rev() {
            let past = body.len() - 1;
            let mut test = condition.test(past);
            test.append(&mut body);
            body = test;
        }
        body
    }
}

impl When {
    /// The instructions that continue if the condition holds, and otherwise skip `past` more.
    fn test(self, past: usize) -> Vec<sock_filter> {
        let (argument, tests) = match self {
            When::Bits(argument, bits) => (argument, vec![jump(JUMP_BITS, bits, 0, past)]),
            When::OneOf(argument, values) => {
                let last = values.len() - 1;
                let test = |(index, value)| {
                    jump(JUMP_EQUAL, value, last - index, if index == last { past } else { 0 })
                };
                (argument, values.iter().copied().enumerate().map(test).collect())
            }
            When::NoneOf(argument, values) => {
                let last = values.len() - 1;
                let test = |(index, value)| jump(JUMP_EQUAL, value, last - index + past, 0);
                (argument, values.iter().copied().enumerate().map(test).collect())
            }
            When::NotNull(argument) => {
                let upper = load(ARGUMENTS + 8 * argument + 4);
                (argument, vec![jump(JUMP_EQUAL, 0, 0, 2), upper, jump(JUMP_EQUAL, 0, past, 0)])
            }
        };
        [vec![load(ARGUMENTS + 8 * argument)], tests].concat()
    }
}

fn load(offset: u32) -> sock_filter {
    sock_filter { code: LOAD, jt: 0, jf: 0, k: offset }
}

fn jump(code: u16, value: u32, if_so: usize, if_not: usize) -> sock_filter {
    sock_filter { code, jt: if_so as u8, jf: if_not as u8, k: value }
}

fn finish(action: SeccompAction) -> sock_filter {
    sock_filter { code: RETURN, jt: 0, jf: 0, k: action.value() }
}
