//! What went wrong, where, and what to do about it: one type for every call.

use std::fmt::Display;
use std::io;

use nix::errno::Errno;

/// What a failing call returns.
pub type Result<T> = std::result::Result<T, Error>;

/// The step of the work at which an error happened. The numbers are part of the C interface:
/// new steps go to the end.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// No step: there was no error.
    None = 0,
    /// A bad argument, found before anything was done.
    Argument = 1,
    /// Memory or a file descriptor that the caller's own side needs.
    Prepare = 2,
    /// `clone3(2)` or `clone(2)`: the process and its namespaces.
    Clone = 3,
    /// `unshare(2)` in the child: the time namespace.
    Unshare = 4,
    /// `/proc/PID/setgroups`.
    Setgroups = 5,
    /// `/proc/PID/uid_map`.
    UidMap = 6,
    /// `/proc/PID/gid_map`.
    GidMap = 7,
    /// `/proc/PID/timens_offsets`.
    ClockOffset = 8,
    /// `sethostname(2)`.
    Hostname = 9,
    /// `setdomainname(2)`.
    Domainname = 10,
    /// The propagation of the mounts under `/`.
    Propagation = 11,
    /// The mount of a fresh proc file system.
    MountProc = 12,
    /// `chdir(2)`.
    Cwd = 13,
    /// The loopback device.
    Loopback = 14,
    /// `setsid(2)`.
    Session = 15,
    /// `setgroups(2)`.
    Groups = 16,
    /// `setresgid(2)`.
    Gid = 17,
    /// `setresuid(2)`.
    Uid = 18,
    /// `capset(2)` and the ambient set.
    Capabilities = 19,
    /// The program's file descriptors.
    Descriptor = 20,
    /// Signal dispositions and the signal mask.
    Signals = 21,
    /// `execve(2)`.
    Exec = 22,
    /// Waiting for the process to end.
    Wait = 23,
    /// Sending a signal.
    Signal = 24,
    /// A fault of the library itself, caught at its boundary.
    Internal = 25,
    /// Listing the machine's namespaces.
    List = 26,
    /// Opening a namespace.
    Open = 27,
    /// `setns(2)`: joining a namespace.
    Join = 28,
    /// `setns(2)`: going back to where a thread was.
    Leave = 29,
    /// Keeping a namespace at a path.
    Pin = 30,
    /// `chroot(2)` or `pivot_root(2)`.
    Root = 31,
    /// Mounting a file system or changing a mount.
    Mount = 32,
    /// Making a file, a directory or a symbolic link.
    Make = 33,
    /// `prlimit(2)`.
    Rlimit = 34,
    /// `setpriority(2)`.
    Nice = 35,
    /// `/proc/PID/oom_score_adj`.
    OomScore = 36,
    /// `sched_setaffinity(2)`.
    Affinity = 37,
    /// `umask(2)`.
    Umask = 38,
    /// `personality(2)`.
    Personality = 39,
    /// `PR_SET_SECUREBITS`.
    Securebits = 40,
    /// `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivs = 41,
    /// `/proc/sys/user/max_user_namespaces`.
    UserNamespaces = 42,
    /// `landlock_restrict_self(2)`.
    Landlock = 43,
    /// `seccomp(2)`.
    Seccomp = 44,
    /// The init process of a new pid namespace.
    Init = 45,
    /// The pseudo-terminal.
    Pty = 46,
    /// A limit of a control group.
    Limit = 47,
    /// The control group itself.
    Cgroup = 48,
    /// Making a socket in another network namespace.
    Socket = 49,
    /// A network device, or a pair of linked ones.
    Link = 50,
    /// An address of a network device.
    Address = 51,
    /// A route.
    Route = 52,
    /// The delay, loss or rate of a link.
    Qdisc = 53,
    /// A setting of the kernel below `/proc/sys`.
    Setting = 54,
    /// The way to the outside, `pasta(1)`.
    Uplink = 55,
}

impl Step {
    /// What was being done, to be read before an object: "mount proc at".
    pub(crate) fn doing(self) -> &'static str {
        match self {
            Step::None => "nothing",
            Step::Argument => "argument",
            Step::Prepare => "prepare",
            Step::Clone => "create",
            Step::Unshare => "create",
            Step::Setgroups | Step::UidMap | Step::GidMap | Step::ClockOffset => "write",
            Step::Hostname => "set host name",
            Step::Domainname => "set domain name",
            Step::Propagation => "set mount propagation",
            Step::MountProc => "mount proc at",
            Step::Cwd => "enter working directory",
            Step::Loopback => "bring up",
            Step::Session => "start",
            Step::Groups => "set supplementary groups",
            Step::Gid => "become gid",
            Step::Uid => "become uid",
            Step::Capabilities => "keep",
            Step::Descriptor => "pass",
            Step::Signals => "reset",
            Step::Exec => "execute",
            Step::Wait => "wait for",
            Step::Signal => "signal",
            Step::List => "look at",
            Step::Open => "open",
            Step::Join => "join",
            Step::Leave => "return to",
            Step::Pin => "pin",
            Step::Mount => "mount",
            Step::Make => "make",
            Step::Rlimit => "set the limit",
            Step::Nice => "set the nice value",
            Step::OomScore => "set the OOM score",
            Step::Affinity => "bind to",
            Step::Umask => "set the umask",
            Step::Personality => "set the personality",
            Step::Securebits => "set the securebits",
            Step::NoNewPrivs => "forgo new privileges with",
            Step::UserNamespaces => "forbid user namespaces by",
            Step::Landlock => "enforce",
            Step::Seccomp => "install",
            Step::Init => "start",
            Step::Pty => "open",
            Step::Limit => "limit",
            Step::Cgroup => "use",
            Step::Socket => "make",
            Step::Link => "set up",
            Step::Address => "add the address",
            Step::Route => "add the route",
            Step::Qdisc => "hold up",
            Step::Setting => "write",
            Step::Uplink => "connect by",
            Step::Root => "take as root directory",
            Step::Internal => "internal fault in",
        }
    }
}

/// A failure: where it happened, to what, why, and what can be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    errno: i32,
    step: Step,
    index: Option<usize>,
    message: String,
    hint: String,
}

impl Error {
    /// An error of `step` done to `object`.
    pub fn new(step: Step, errno: i32, object: impl Display) -> Self {
        let cause = Errno::from_raw(errno);
        Error {
            errno,
            step,
            index: None,
            message: format!("{} {object}: {} ({cause:?})", step.doing(), cause.desc()),
            hint: String::new(),
        }
    }

    /// A bad argument: `message` says which and what was expected.
    pub fn argument(message: impl Into<String>) -> Self {
        Error {
            errno: libc::EINVAL,
            step: Step::Argument,
            index: None,
            message: message.into(),
            hint: String::new(),
        }
    }

    /// A fault of ours, caught where it would have left the library.
    pub fn internal(message: impl Into<String>) -> Self {
        Error {
            errno: libc::EFAULT,
            step: Step::Internal,
            index: None,
            message: message.into(),
            hint: "this is a fault of nsiso: please report it".into(),
        }
    }

    /// The last failed call of the C library, as an error of `step` done to `object`.
    pub(crate) fn last_os(step: Step, object: impl Display) -> Self {
        Self::from_io(step, object, &io::Error::last_os_error())
    }

    pub(crate) fn from_io(step: Step, object: impl Display, error: &io::Error) -> Self {
        Self::new(step, error.raw_os_error().unwrap_or(libc::EIO), object)
    }

    /// For a descriptor that could not be had in the caller's own process.
    pub(crate) fn no_descriptor(step: Step, object: impl Display, error: &io::Error) -> Self {
        Self::from_io(step, object, error).with_hint(crate::rlimit::descriptor_hint(error))
    }

    /// The error with a remedy.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    pub(crate) fn with_errno(mut self, errno: i32) -> Self {
        self.errno = errno;
        self
    }

    pub(crate) fn with_index(mut self, index: Option<usize>) -> Self {
        self.index = index;
        self
    }

    /// The errno value: always positive.
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// The step at which it happened.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Which of several alike was meant (an id range, a descriptor), counted from 0 in the order
    /// they were asked for.
    pub fn index(&self) -> Option<usize> {
        self.index
    }

    /// What was done to which object, and the cause.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it; empty where the message says all there is.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = io::Error::from_raw_os_error(error.errno).kind();
        io::Error::new(kind, error)
    }
}
