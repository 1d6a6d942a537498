//! Starts the helper program and finds out when it has executed the program.
//!
//! The child of `clone(2)` shares the caller's memory until it executes the helper. It also has the
//! caller's credentials and namespaces, so only a process that may trace the caller may trace it.

use std::ffi::{CStr, CString, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Instant;

use nix::errno::Errno;

use super::image::Image;
use super::plan_file::PlanFile;
use super::signals::SignalsBlocked;
use crate::helper::kernel;
use crate::helper::plan::Capabilities;
use crate::helper::syscall::{Outcome, check};
use crate::pidfd::has_ended;
use crate::plan::{Plan, ambient_needed};
use crate::{Result, Spec};

/// The helper while it sets up the program.
pub(super) struct Helper {
    /// A moment before it was started.
    pub begun: Instant,
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub file: PlanFile,
    /// What `file` maps.
    memfd: OwnedFd,
}

impl Helper {
    pub fn start(plan: &mut Plan, spec: &Spec) -> Result<Self> {
        let begun = Instant::now();
        // With RLIMIT_FSIZE set, writing to a memfd may raise a signal.
        let blocked = SignalsBlocked::new();
        let mut image = Image::open(spec)?;
        let (memfd, file) = PlanFile::new(plan.image())?;
        let inherited = plan.inherited();
        // Lists of processes show this name.
        let name = if spec.init.is_some() { c"nsiso-init" } else { c"nsiso-helper" };
        let (pid, pidfd) = loop {
            let start = Start::new(image.file(), &memfd, file.plan_size(), &inherited, name);
            let (pid, pidfd) = clone(&start).map_err(|errno| super::hints::of_clone(errno, spec.kinds))?;
            match start.errno.load(Ordering::Relaxed) {
                0 => break (pid, pidfd),
                errno => {
                    reap(&pidfd);
                    image = image.after_refusal(errno, spec)?;
                }
            }
        };
        drop(blocked);
        Ok(Helper { begun, pid, pidfd, file, memfd })
    }

    /// Waits until the helper has executed the program or has ended. Returns false if time is up
    /// first. With a deadline it resumes stopped processes: others in joined namespaces may stop
    /// them.
    pub fn wait(&self, deadline: Option<Instant>) -> bool {
        // Milliseconds between checks of the process itself: the kernel does not wake the futex for
        // a helper that is killed in its very first moments.
        const LOOK_AFTER: u32 = 20;
        let owner = &self.file.page().owner;
        loop {
            let word = owner.load(Ordering::Acquire);
            if word & kernel::FUTEX_OWNER_DIED != 0
                || !futex_wait(owner.as_ptr(), word, LOOK_AFTER)
                    && (has_ended(self.as_fd()) || self.has_unlocked(word))
            {
                return true;
            }
            if let Some(deadline) = deadline {
                self.resume_stopped();
                if Instant::now() > deadline {
                    return false;
                }
            }
        }
    }

    /// Lets the helper and its child go on if another process has stopped them.
    pub fn resume_stopped(&self) {
        for pid in
            [self.pid, self.file.page().child.load(Ordering::Acquire)].into_iter().filter(|pid| *pid > 0)
        {
            let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
            let options = libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
            // SAFETY: room for the struct, whose pid is set if there is such a child.
            unsafe {
                let asked = libc::waitid(libc::P_PID, pid as libc::id_t, info.as_mut_ptr(), options);
                if asked == 0 && info.assume_init().si_pid() == pid {
                    libc::kill(pid, libc::SIGCONT);
                }
            }
        }
    }

    /// Whether the helper's file lock is gone, which emulators without robust futexes need.
    fn has_unlocked(&self, word: u32) -> bool {
        // SAFETY: all zero is a lock of the whole file.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = libc::F_WRLCK as libc::c_short;
        // SAFETY: room for the struct.
        word != 0
            && word & kernel::FUTEX_WAITERS == 0
            && unsafe { libc::fcntl(self.memfd.as_raw_fd(), libc::F_GETLK, &raw mut lock) } == 0
            && lock.l_type == libc::F_UNLCK as libc::c_short
    }
}

fn reap(pidfd: &OwnedFd) {
    let options = libc::WEXITED | libc::__WALL;
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: room for the struct. A failure means that another part of the caller has reaped it.
    unsafe {
        while libc::waitid(libc::P_PIDFD, pidfd.as_raw_fd() as libc::id_t, info.as_mut_ptr(), options) < 0
            && *libc::__errno_location() == libc::EINTR
        {}
    }
}

impl AsFd for Helper {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Returns false if the time has passed.
fn futex_wait(word: *mut u32, value: u32, milliseconds: u32) -> bool {
    let time = libc::timespec { tv_sec: 0, tv_nsec: libc::c_long::from(milliseconds) * 1_000_000 };
    // SAFETY: the word lives. The futex is shared, since the kernel wakes it from another process.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, value, &raw const time) };
    woken == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ETIMEDOUT)
}

/// What the child needs between clone and exec. The child calls no function and allocates nothing,
/// because it shares the memory of all the caller's threads.
pub(super) struct Start<'fd> {
    program: RawFd,
    /// For kernels and emulators that cannot execute a descriptor.
    path: CString,
    plan: RawFd,
    inherited: &'fd [RawFd],
    name: &'static CStr,
    environment: CString,
    capabilities: Option<Ambient>,
    /// Errno if the child did not become the helper, else 0.
    errno: AtomicI32,
}

impl<'fd> Start<'fd> {
    pub fn new(
        program: &'fd OwnedFd,
        plan: &'fd OwnedFd,
        plan_size: usize,
        inherited: &'fd [RawFd],
        name: &'static CStr,
    ) -> Self {
        let (program, plan) = (program.as_raw_fd(), plan.as_raw_fd());
        let text = |text: String| CString::new(text).unwrap_or_default();
        Start {
            program,
            path: text(format!("/proc/self/fd/{program}")),
            plan,
            inherited,
            name,
            // qemu-user drops environment strings without an equals sign.
            environment: text(format!("{plan} {plan_size}=")),
            capabilities: Ambient::of_caller(),
            errno: AtomicI32::new(0),
        }
    }

    /// Turns the caller itself into the helper. If this fails, undoes it and returns the errno.
    pub fn execute(&self) -> i32 {
        let flags = |fd: RawFd| {
            // SAFETY: integer arguments only.
            unsafe { libc::fcntl(fd, libc::F_GETFD) }
        };
        let before: Vec<_> = self.inherited.iter().map(|fd| (*fd, flags(*fd))).collect();
        // SAFETY: all of it lives until the call returns, if it does.
        let errno = unsafe { execute(self) }.err().unwrap_or(0);
        for (fd, flags) in before.into_iter().filter(|(_, flags)| *flags >= 0) {
            // SAFETY: integer arguments only.
            unsafe { libc::fcntl(fd, libc::F_SETFD, flags) };
        }
        if let Some(capabilities) = &self.capabilities {
            let (version, halves) = (&raw const capabilities.version, &raw const capabilities.before);
            // SAFETY: structs with the layout of the version, and integers. Capabilities that are
            // not inheritable are not ambient.
            unsafe {
                libc::syscall(libc::SYS_capset, version, halves);
                for n in (0..64).filter(|n| capabilities.raised & 1 << n != 0) {
                    libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_LOWER, n, 0, 0);
                }
            }
        }
        errno
    }
}

/// Capabilities that exec would remove, which are made ambient before.
struct Ambient {
    version: [u32; 2],
    halves: [[u32; 3]; 2],
    /// The sets before the change.
    before: [[u32; 3]; 2],
    set: u64,
    /// Capabilities that were not ambient before.
    raised: u64,
}

impl Ambient {
    fn of_caller() -> Option<Self> {
        const VERSION_3: u32 = 0x2008_0522;
        let (before, needed) = ambient_needed()?;
        let halves = |sets: &Capabilities| {
            let half = |shift: u32| {
                [sets.effective, sets.permitted, sets.inheritable].map(|set| (set >> shift) as u32)
            };
            [half(0), half(32)]
        };
        Some(Ambient {
            version: [VERSION_3, 0],
            halves: halves(&needed),
            before: halves(&before),
            set: needed.ambient,
            raised: needed.ambient & !before.ambient,
        })
    }
}

/// Makes the child. Returns once the child has executed the helper or has failed.
fn clone(start: &Start) -> std::result::Result<(i32, OwnedFd), i32> {
    #[repr(C, align(16))]
    struct Stack([u8; 4096]);
    // The caller's own stack may be small.
    let mut stack = Box::<Stack>::new_uninit();
    let mut pidfd: c_int = -1;
    let mut make = |flags| {
        let (top, start) = (stack.as_mut_ptr().wrapping_add(1).cast(), (&raw const *start).cast_mut().cast());
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | flags;
        // SAFETY: CLONE_VFORK suspends this thread while the child uses stack and `start`.
        let pid = unsafe { libc::clone(become_helper, top, flags, start, &raw mut pidfd) };
        Errno::result(pid)
    };
    // No exit signal: the caller's handlers must not see a child that fails.
    let pid = match make(libc::CLONE_PIDFD) {
        // qemu-user makes a fork of it, which has neither another exit signal nor a pidfd.
        Err(Errno::EINVAL) => make(libc::SIGCHLD),
        made => made,
    }
    .map_err(|errno| errno as i32)?;
    if pidfd >= 0 {
        // SAFETY: clone has made the descriptor, and it is ours.
        return Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd) }));
    }
    crate::pidfd::open(pid).map(|pidfd| (pid, pidfd)).map_err(|errno| {
        super::end_child(pid);
        errno as i32
    })
}

/// Runs in the child. Reports a failure in the shared memory and by the exit code, because an
/// emulator may have copied the memory. A test checks that its machine code has no calls.
#[inline(never)]
extern "C" fn become_helper(start: *mut c_void) -> c_int {
    // SAFETY: the caller's struct, which lives until this returns.
    let start = unsafe { &*start.cast::<Start<'_>>() };
    // SAFETY: what the struct refers to lives as long.
    let errno = unsafe { execute(start) }.err().unwrap_or(0);
    start.errno.store(errno, Ordering::Relaxed);
    errno
}

/// Executes the helper. Returns only if this fails.
///
/// # Safety
/// What `start` refers to is valid.
#[inline(always)]
unsafe fn execute(start: &Start) -> Outcome<()> {
    // SAFETY: system calls with arguments that the caller guarantees.
    unsafe {
        check(kernel::SYS_fcntl, [start.plan as usize, kernel::F_SETFD as usize, 0])?;
        for fd in start.inherited {
            match check(kernel::SYS_fcntl, [*fd as usize, kernel::F_SETFD as usize, 0]) {
                // A descriptor that is not open is an error of the action that uses it.
                Ok(_) | Err(kernel::EBADF) => {}
                Err(errno) => return Err(errno),
            }
        }
        if let Some(capabilities) = &start.capabilities {
            let (version, halves) = (&raw const capabilities.version, &raw const capabilities.halves);
            check(kernel::SYS_capset, [version as usize, halves as usize])?;
            let mut rest = capabilities.set;
            while rest != 0 {
                let raise = kernel::PR_CAP_AMBIENT_RAISE as usize;
                let capability = rest.trailing_zeros() as usize;
                check(kernel::SYS_prctl, [kernel::PR_CAP_AMBIENT as usize, raise, capability, 0, 0])?;
                rest &= rest - 1;
            }
        }
        let (argv, envp) = ([start.name.as_ptr(), ptr::null()], [start.environment.as_ptr(), ptr::null()]);
        let (argv, envp) = (argv.as_ptr() as usize, envp.as_ptr() as usize);
        let (here, empty) = (kernel::AT_EMPTY_PATH as usize, c"".as_ptr() as usize);
        match check(kernel::SYS_execveat, [start.program as usize, empty, argv, envp, here]) {
            // Emulators may not know execveat, and a seccomp filter may refuse only this call.
            Err(
                refused @ (kernel::ENOSYS | kernel::EINVAL | kernel::ENOENT | kernel::EACCES | kernel::EPERM),
            ) => {
                // An emulator may open the path only after it has executed itself.
                check(kernel::SYS_fcntl, [start.program as usize, kernel::F_SETFD as usize, 0])?;
                match check(kernel::SYS_execve, [start.path.as_ptr() as usize, argv, envp]) {
                    // There is no /proc, so report the first error.
                    Err(kernel::ENOENT) => Err(refused),
                    done => done.map(drop),
                }
            }
            done => done.map(drop),
        }
    }
}
