//! The helper program: where it comes from, how it is started, and when it has become the program.
//!
//! The child of `clone(2)` shares the caller's memory until it executes the helper, but its credentials and
//! its namespaces, too: nobody may trace it who may not trace the caller.

use std::ffi::{CStr, CString, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::Ordering;

use super::image;
use super::plan_file::PlanFile;
use super::signals::SignalsBlocked;
use crate::helper::kernel;
use crate::helper::plan::Page;
use crate::helper::syscall::{Outcome, check};
use crate::plan::{Plan, ambient_needed};
use crate::{Result, Spec};

/// The helper while it sets the program up.
pub(super) struct Helper {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub file: PlanFile,
}

impl Helper {
    pub fn start(plan: &mut Plan, spec: &Spec) -> Result<Self> {
        // A limit of the size of files makes a signal of a write to memory.
        let blocked = SignalsBlocked::new();
        let program = image::open()?;
        // One that makes a child ends, and that can be waited for; one that executes the program tells
        // of it by a word of the page.
        let executes = !plan.makes_child();
        let file = PlanFile::new(plan.image(), executes)?;
        let inherited = plan.inherited();
        // This much of the helper is seen by anybody who lists processes.
        let name = if spec.init.is_some() { c"nsiso-init" } else { c"nsiso-helper" };
        let mut start = Start::new(&program, &file, &inherited, name);
        let (pid, pidfd) = clone(&mut start).map_err(|errno| super::hints::of_clone(errno, spec.kinds))?;
        drop(blocked);
        let errno = start.errno;
        let helper = Helper { pid, pidfd, file };
        match errno {
            0 => Ok(helper),
            errno => {
                helper.reap();
                Err(image::not_executed(errno))
            }
        }
    }

    /// Returns when the helper has executed the program or has ended.
    pub fn wait(&self) {
        // Milliseconds after which the process itself is looked at: the kernel does not tell of one that
        // was killed in its very first moments.
        const LOOK_AFTER: u32 = 20;
        let Some(Page { owner, .. }) = self.file.mapped_page() else { return self.reap() };
        loop {
            let word = owner.load(Ordering::Acquire);
            if word & kernel::FUTEX_OWNER_DIED != 0
                || !futex_wait(owner.as_ptr(), word, LOOK_AFTER) && self.has_ended()
            {
                return;
            }
        }
    }

    fn has_ended(&self) -> bool {
        let mut poll = libc::pollfd { fd: self.pidfd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one struct.
        unsafe { libc::poll(&raw mut poll, 1, 0) > 0 }
    }

    /// Collects the helper, which has ended or is about to. Its status is nothing to anybody.
    pub fn reap(&self) {
        let options = libc::WEXITED | libc::__WALL;
        let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
        // SAFETY: room for the struct. A failure means that another part of the host has collected it.
        unsafe {
            while libc::waitid(
                libc::P_PIDFD,
                self.pidfd.as_raw_fd() as libc::id_t,
                info.as_mut_ptr(),
                options,
            ) < 0
                && *libc::__errno_location() == libc::EINTR
            {}
        }
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
    // SAFETY: the word lives; a shared futex, since the kernel wakes it for the memory of another process.
    let woken = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT, value, &raw const time) };
    woken == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ETIMEDOUT)
}

/// What the child needs between clone and exec. It calls nothing and allocates nothing: it shares the
/// memory of all threads of the host.
pub(super) struct Start<'fd> {
    program: RawFd,
    /// For kernels and emulators that do not execute a descriptor.
    path: CString,
    plan: RawFd,
    inherited: &'fd [RawFd],
    name: &'static CStr,
    environment: CString,
    capabilities: Option<Ambient>,
    /// Why the helper was not executed.
    errno: i32,
}

impl<'fd> Start<'fd> {
    pub fn new(
        program: &'fd OwnedFd,
        plan: &'fd PlanFile,
        inherited: &'fd [RawFd],
        name: &'static CStr,
    ) -> Self {
        let (program, plan, plan_size) = (program.as_raw_fd(), plan.as_raw_fd(), plan.plan_size());
        let text = |text: String| CString::new(text).unwrap_or_default();
        Start {
            program,
            path: text(format!("/proc/self/fd/{program}")),
            plan,
            inherited,
            name,
            environment: text(format!("{plan} {plan_size}")),
            capabilities: Ambient::of_caller(),
            errno: 0,
        }
    }

    /// The caller itself becomes the helper. Returns why it could not.
    pub fn execute(&self) -> i32 {
        // SAFETY: all of it lives until the call returns, if it does.
        unsafe { execute(self) }.err().unwrap_or(0)
    }
}

/// Capabilities of a caller that is not uid 0 are made ambient, or exec takes them.
struct Ambient {
    version: [u32; 2],
    halves: [[u32; 3]; 2],
    set: u64,
}

impl Ambient {
    fn of_caller() -> Option<Self> {
        const VERSION_3: u32 = 0x2008_0522;
        let sets = ambient_needed()?;
        let half =
            |shift: u32| [sets.effective, sets.permitted, sets.permitted].map(|set| (set >> shift) as u32);
        Some(Ambient { version: [VERSION_3, 0], halves: [half(0), half(32)], set: sets.permitted })
    }
}

/// Makes the child and returns once it has executed the helper or has failed. Fails with an errno.
fn clone(start: &mut Start) -> std::result::Result<(i32, OwnedFd), i32> {
    #[repr(C, align(16))]
    struct Stack([MaybeUninit<u8>; 4096]);
    let mut stack = Stack([MaybeUninit::uninit(); 4096]);
    let mut pidfd: c_int = -1;
    // No exit signal: a failure is nothing that a handler of the host's should see.
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD;
    // SAFETY: CLONE_VFORK holds this thread until the child uses stack and `start` no more.
    let pid = unsafe {
        libc::clone(
            become_helper,
            (&raw mut stack).add(1).cast(),
            flags,
            (&raw mut *start).cast(),
            &raw mut pidfd,
        )
    };
    match pid {
        // SAFETY: clone has made the descriptor, and it is ours.
        1.. => Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd) })),
        _ => Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)),
    }
}

/// In the child. A test looks at its machine code, to see that it calls nothing.
#[inline(never)]
extern "C" fn become_helper(start: *mut c_void) -> c_int {
    let start = start.cast::<Start<'_>>();
    // SAFETY: the caller's struct, which nobody else uses meanwhile.
    unsafe {
        if let Err(errno) = execute(&*start) {
            (*start).errno = errno;
        }
    }
    127
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
            // Emulators may not know it.
            Err(kernel::ENOSYS | kernel::EINVAL | kernel::ENOENT) => {
                check(kernel::SYS_execve, [start.path.as_ptr() as usize, argv, envp]).map(drop)
            }
            done => done.map(drop),
        }
    }
}
