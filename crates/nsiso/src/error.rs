//! Defines the error type of every call: the step that failed, the errno, a message and a hint.
//! Where an error arises, the code there chooses the hint.

use std::fmt::Display;
use std::io;

use nix::errno::Errno;

/// The result of a call that may fail with an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// The step at which an error happened.
///
/// The numbers are part of the C interface. New steps get new numbers at the end.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// No step: no error happened.
    None = 0,
    /// A bad argument, found before anything was done.
    Argument = 1,
    /// Getting memory, a thread or a file descriptor in the calling process.
    Prepare = 2,
    /// `clone3(2)`, `clone(2)` or `unshare(2)`: making the process and its new namespaces.
    Clone = 3,
    /// `unshare(2)`: making a time namespace or a cgroup namespace in the child, or moving the
    /// caller into new namespaces.
    Unshare = 4,
    /// Writing `/proc/PID/setgroups`.
    Setgroups = 5,
    /// Writing `/proc/PID/uid_map`.
    UidMap = 6,
    /// Writing `/proc/PID/gid_map`.
    GidMap = 7,
    /// Writing `/proc/PID/timens_offsets`.
    ClockOffset = 8,
    /// Setting the host name, `sethostname(2)`.
    Hostname = 9,
    /// Setting the NIS domain name, `setdomainname(2)`.
    Domainname = 10,
    /// Setting the propagation of mounts, `mount_namespaces(7)`.
    Propagation = 11,
    /// Mounting a new proc file system.
    MountProc = 12,
    /// Entering the working directory, `chdir(2)` or `fchdir(2)`.
    Cwd = 13,
    /// Bringing up the loopback device.
    Loopback = 14,
    /// Starting a session, `setsid(2)`.
    Session = 15,
    /// Setting the supplementary groups, `setgroups(2)`.
    Groups = 16,
    /// Setting the gid, `setresgid(2)`.
    Gid = 17,
    /// Setting the uid, `setresuid(2)`.
    Uid = 18,
    /// Setting the capability sets, `capset(2)` and `PR_CAP_AMBIENT`.
    Capabilities = 19,
    /// Passing or closing the program's file descriptors.
    Descriptor = 20,
    /// Resetting signal dispositions and the signal mask.
    Signals = 21,
    /// Executing the program, `execve(2)`.
    Exec = 22,
    /// Waiting for a process to end.
    Wait = 23,
    /// Sending a signal.
    Signal = 24,
    /// A fault of the library itself, caught before it left the library.
    Internal = 25,
    /// Listing the namespaces of the machine.
    List = 26,
    /// Opening a namespace or a process.
    Open = 27,
    /// Joining a namespace, `setns(2)`.
    Join = 28,
    /// Returning a thread to the namespaces that it came from, `setns(2)`.
    Leave = 29,
    /// Pinning a namespace to a path, or removing a pin.
    Pin = 30,
    /// Changing the root directory, `chroot(2)` or `pivot_root(2)`.
    Root = 31,
    /// Mounting a file system or changing a mount.
    Mount = 32,
    /// Making a file, directory or symbolic link, or changing its mode.
    Make = 33,
    /// Setting a resource limit, `prlimit(2)`.
    Rlimit = 34,
    /// Setting the nice value, `setpriority(2)`.
    Nice = 35,
    /// Writing `/proc/PID/oom_score_adj`.
    OomScore = 36,
    /// Setting the CPU affinity, `sched_setaffinity(2)`.
    Affinity = 37,
    /// Setting the file mode creation mask, `umask(2)`.
    Umask = 38,
    /// Setting the execution domain, `personality(2)`.
    Personality = 39,
    /// Setting the securebits, `PR_SET_SECUREBITS`.
    Securebits = 40,
    /// Setting no_new_privs, `PR_SET_NO_NEW_PRIVS`.
    NoNewPrivs = 41,
    /// Forbidding or limiting user namespaces and inotify, `/proc/sys/user`.
    UserNamespaces = 42,
    /// Making and enforcing a Landlock ruleset, `landlock_restrict_self(2)`.
    Landlock = 43,
    /// Installing a seccomp filter, `seccomp(2)`.
    Seccomp = 44,
    /// Starting the init process of a new pid namespace.
    Init = 45,
    /// Opening the pseudo-terminal, or making it the controlling terminal.
    Pty = 46,
    /// Setting a limit of a cgroup.
    Limit = 47,
    /// Making, entering, freezing or reading a cgroup.
    Cgroup = 48,
    /// Making a socket in another network namespace.
    Socket = 49,
    /// Setting up a network device or a pair of linked devices.
    Link = 50,
    /// Adding an address to a network device.
    Address = 51,
    /// Adding a route.
    Route = 52,
    /// Setting the delay, loss or rate of a link, `tc(8)`.
    Qdisc = 53,
    /// Writing a kernel setting below `/proc/sys`.
    Setting = 54,
    /// Starting the program's uplink, `pasta(1)`.
    Uplink = 55,
}

impl Step {
    /// The verb of the step, which precedes its object in a message: "mount proc at".
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
            Step::NoNewPrivs => "set no_new_privs to",
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
            Step::Qdisc => "set the delay, loss or rate of",
            Step::Setting => "write",
            Step::Uplink => "connect by",
            Step::Root => "change the root directory to",
            Step::Internal => "internal fault in",
        }
    }
}

/// An error of the library: the failed step, the errno, a message and a hint.
///
/// It displays as its message, without the hint. It converts into a [`std::io::Error`] of the
/// errno's kind.
///
/// ```
/// use nsiso::Spec;
///
/// let error = Spec::new("/nonexistent")?.spawn().unwrap_err();
/// assert_eq!(error.errno(), libc::ENOENT);
/// eprintln!("{error}; {}", error.hint());
/// assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::NotFound);
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    errno: i32,
    step: Step,
    index: Option<usize>,
    message: String,
    hint: String,
    /// The message begins with a path in a document.
    placed: bool,
}

impl Error {
    /// Makes an error of `step` on `object`, caused by `errno`. The message is composed from all
    /// three.
    pub fn new(step: Step, errno: i32, object: impl Display) -> Self {
        let cause = Errno::from_raw(errno);
        Error {
            errno,
            step,
            index: None,
            message: format!("{} {object}: {} ({cause:?})", step.doing(), cause.desc()),
            hint: String::new(),
            placed: false,
        }
    }

    /// Makes an error about a bad argument: EINVAL, at [`Step::Argument`]. `message` says which
    /// argument is bad and what was expected.
    pub fn argument(message: impl Into<String>) -> Self {
        Error {
            errno: libc::EINVAL,
            step: Step::Argument,
            index: None,
            message: message.into(),
            hint: String::new(),
            placed: false,
        }
    }

    /// Makes an error about a fault of the library itself: EFAULT, at [`Step::Internal`]. For code
    /// that catches panics at the boundary to another language.
    pub fn internal(message: impl Into<String>) -> Self {
        Error {
            errno: libc::EFAULT,
            step: Step::Internal,
            index: None,
            message: message.into(),
            hint: "this is a fault of nsiso: please report it".into(),
            placed: false,
        }
    }

    /// Makes an error of `step` on `object` from the errno of the last failed call.
    pub(crate) fn last_os(step: Step, object: impl Display) -> Self {
        Self::from_io(step, object, &io::Error::last_os_error())
    }

    pub(crate) fn from_io(step: Step, object: impl Display, error: &io::Error) -> Self {
        Self::new(step, error.raw_os_error().unwrap_or(libc::EIO), object)
    }

    /// Makes an error about a file descriptor that the calling process could not open, with a hint
    /// at its limit.
    pub(crate) fn no_descriptor(step: Step, object: impl Display, error: &io::Error) -> Self {
        Self::from_io(step, object, error).with_hint(crate::rlimit::descriptor_hint(error))
    }

    /// Returns the error with this hint in place of its own.
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

    /// Puts a part of a document's path in front of the message, and of the path that is there.
    #[cfg(feature = "serde")]
    pub(crate) fn at(mut self, segment: &str) -> Self {
        let joint = match (self.placed, self.message.starts_with('[')) {
            (false, _) => ": ",
            (true, false) => ".",
            (true, true) => "",
        };
        self.message = format!("{segment}{joint}{}", self.message);
        self.placed = true;
        self
    }

    /// The errno of the failure, always positive.
    pub fn errno(&self) -> i32 {
        self.errno
    }

    /// The step at which the failure happened.
    ///
    /// ```
    /// use nsiso::{Spec, Step};
    ///
    /// let error = Spec::new("true")?.cwd("/nonexistent")?.spawn().unwrap_err();
    /// assert_eq!(error.step(), Step::Cwd);
    /// # Ok::<(), nsiso::Error>(())
    /// ```
    pub fn step(&self) -> Step {
        self.step
    }

    /// The position of the failing option among options of its kind, such as id ranges or file
    /// descriptors. Counted from 0 in the order in which they were added. None if the option cannot
    /// be repeated.
    pub fn index(&self) -> Option<usize> {
        self.index
    }

    /// What was done to which object, and the cause.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the caller can do about the failure. Empty if there is nothing to add to the message.
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
