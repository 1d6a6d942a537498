//! The helper program: where it comes from, how it is started, and when it has become the program.
//!
//! The child of `clone(2)` shares the caller's memory until it executes the helper, but its
//! credentials and its namespaces, too: nobody may trace it who may not trace the caller.

use std::ffi::{CStr, CString, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

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

/// The helper while it sets the program up.
pub(super) struct Helper {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub file: PlanFile,
    /// What is mapped as `file`.
    memfd: OwnedFd,
}

impl Helper {
    pub fn start(plan: &mut Plan, spec: &Spec) -> Result<Self> {
        // A limit of the size of files makes a signal of a write to memory.
        let blocked = SignalsBlocked::new();
        let mut image = Image::open(spec)?;
        let (memfd, file) = PlanFile::new(plan.image())?;
        let inherited = plan.inherited();
        // This much of the helper is seen by anybody who lists processes.
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
        Ok(Helper { pid, pidfd, file, memfd })
    }

    /// Returns when the helper has executed the program or has ended; false when the time is over.
    /// Processes that have been stopped meanwhile go on: others may signal them in joined
    /// namespaces.
    pub fn wait(&self, within: Option<Duration>) -> bool {
        // Milliseconds after which the process itself is looked at: the kernel does not tell of one
        // that was killed in its very first moments.
        const LOOK_AFTER: u32 = 20;
        let owner = &self.file.page().owner;
        let deadline = within.map(|time| Instant::now() + time);
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

    fn resume_stopped(&self) {
        for pid in
            [self.pid, self.file.page().child.load(Ordering::Acquire)].into_iter().filter(|pid| *pid > 0)
        {
            let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
            let options = libc::WSTOPPED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
            // SAFETY: room for the struct, in which a pid says that there is such a child.
            unsafe {
                let asked = libc::waitid(libc::P_PID, pid as libc::id_t, info.as_mut_ptr(), options);
                if asked == 0 && info.assume_init().si_pid() == pid {
                    libc::kill(pid, libc::SIGCONT);
                }
            }
        }
    }

    /// Whether the helper's lock is gone, where an emulator has no robust futexes.
    fn has_unlocked(&self, word: u32) -> bool {
        // SAFETY: all zero is a lock of the whole file.
        let mut lock: libc::flock = unsafe { std::mem::zeroed() };
        lock.l_type = libc::F_WRLCK as libc::c_short;
        // SAFETY: one struct.
        word != 0
            && word & kernel::FUTEX_WAITERS == 0
            && unsafe { libc::fcntl(self.memfd.as_raw_fd(), libc::F_GETLK, &raw mut lock) } == 0
            && lock.l_type == libc::F_UNLCK as libc::c_short
    }

    /// Collects the helper, which has ended or is about to. Its status is nothing to anybody.
    pub fn reap(&self) {
        reap(&self.pidfd);
    }
}

fn reap(pidfd: &OwnedFd) {
    let options = libc::WEXITED | libc::__WALL;
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: room for the struct. A failure means that another part of the host has collected it.
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

/// False where the time is over.
fn futex_wait(word: *mut u32, value: u32, milliseconds: u32) -> bool {
    let time = libc::timespec { tv_sec: 0, tv_nsec: libc::c_long::from(milliseconds) * 1_000_000 };
    // SAFETY: the word lives; a shared futex, since the kernel wakes it for the memory of another
    // process.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, value, &raw const time) };
    woken == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ETIMEDOUT)
}

/// What the child needs between clone and exec. It calls nothing and allocates nothing: it shares
/// the memory of all threads of the host.
pub(super) struct Start<'fd> {
    program: RawFd,
    /// For kernels and emulators that do not execute a descriptor.
    path: CString,
    plan: RawFd,
    inherited: &'fd [RawFd],
    name: &'static CStr,
    environment: CString,
    capabilities: Option<Ambient>,
    /// Why the child did not become the helper.
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
            // qemu-user takes away what has no equals sign.
            environment: text(format!("{plan} {plan_size}=")),
            capabilities: Ambient::of_caller(),
            errno: AtomicI32::new(0),
        }
    }

    /// The caller itself becomes the helper. Returns why it could not, and is as before then.
    pub fn execute(&self) -> i32 {
        let flags = |fd: RawFd| {
            // SAFETY: numbers only.
            unsafe { libc::fcntl(fd, libc::F_GETFD) }
        };
        let before: Vec<_> = self.inherited.iter().map(|fd| (*fd, flags(*fd))).collect();
        // SAFETY: all of it lives until the call returns, if it does.
        let errno = unsafe { execute(self) }.err().unwrap_or(0);
        for (fd, flags) in before.into_iter().filter(|(_, flags)| *flags >= 0) {
            // SAFETY: numbers only.
            unsafe { libc::fcntl(fd, libc::F_SETFD, flags) };
        }
        if let Some(capabilities) = &self.capabilities {
            let (version, halves) = (&raw const capabilities.version, &raw const capabilities.before);
            // SAFETY: structs as the version has them; numbers. What is not inheritable is not
            // ambient.
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

/// Capabilities that exec would take are made ambient before.
struct Ambient {
    version: [u32; 2],
    halves: [[u32; 3]; 2],
    /// As they were.
    before: [[u32; 3]; 2],
    set: u64,
    /// Those that were not ambient before.
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

/// Makes the child and returns once it has executed the helper or has failed. Fails with an errno.
fn clone(start: &Start) -> std::result::Result<(i32, OwnedFd), i32> {
    #[repr(C, align(16))]
    struct Stack([u8; 4096]);
    // Not on the caller's stack, which may be small.
    let mut stack = Box::<Stack>::new_uninit();
    let mut pidfd: c_int = -1;
    let mut make = |flags| {
        let (top, start) = (stack.as_mut_ptr().wrapping_add(1).cast(), (&raw const *start).cast_mut().cast());
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | flags;
        // SAFETY: CLONE_VFORK holds this thread until the child uses stack and `start` no more.
        let pid = unsafe { libc::clone(become_helper, top, flags, start, &raw mut pidfd) };
        Errno::result(pid)
    };
    // No exit signal: a failure is nothing that a handler of the host's should see.
    let pid = match make(libc::CLONE_PIDFD) {
        // qemu-user makes a fork of it, and has neither another signal there nor a pidfd.
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

/// In the child. Why it does not become the helper is told in the shared memory, and by the exit
/// code, since an emulator may make a copy of the memory. A test looks at its machine code, to see
/// that it calls nothing.
#[inline(never)]
extern "C" fn become_helper(start: *mut c_void) -> c_int {
    // SAFETY: the caller's struct, which lives until this returns.
    let start = unsafe { &*start.cast::<Start<'_>>() };
    // SAFETY: what it leads to lives as long.
    let errno = unsafe { execute(start) }.err().unwrap_or(0);
    start.errno.store(errno, Ordering::Relaxed);
    errno
}

/// Returns only where it fails.
///
/// # Safety
/// What `start` leads to is valid.
#[inline(always)]
unsafe fn execute(start: &Start) -> Outcome<()> {
    // SAFETY: system calls with what the caller has promised.
    unsafe {
        check(kernel::SYS_fcntl, [start.plan as usize, kernel::F_SETFD as usize, 0])?;
        for fd in start.inherited {
            match check(kernel::SYS_fcntl, [*fd as usize, kernel::F_SETFD as usize, 0]) {
                // What is not open is an error of the action that uses it.
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
            // Emulators may not know it, and a filter may refuse it alone.
            Err(
                refused @ (kernel::ENOSYS | kernel::EINVAL | kernel::ENOENT | kernel::EACCES | kernel::EPERM),
            ) => {
                // Emulators may open the path when they have executed themselves.
                check(kernel::SYS_fcntl, [start.program as usize, kernel::F_SETFD as usize, 0])?;
                match check(kernel::SYS_execve, [start.path.as_ptr() as usize, argv, envp]) {
                    // There is no /proc.
                    Err(kernel::ENOENT) => Err(refused),
                    done => done.map(drop),
                }
            }
            done => done.map(drop),
        }
    }
}
