//! The child itself: clone3(2), or clone(2) where that is missing.

use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use libc::{c_int, c_void};

use super::Child;
use crate::child;
use crate::plan::Plan;

/// Makes the child, which starts on the plan at once. Fails with an errno.
///
/// All signals must be blocked, and the plan must live until its mailbox is released.
pub(super) fn clone(plan: &mut Plan) -> Result<Child, i32> {
    if plan.birthplace.is_some() {
        plan.first_from = 1;
        if let Ok(child) = clone3::clone(plan) {
            return Ok(child);
        }
        // The child goes there itself, and tells what is in the way of that.
        plan.first_from = 0;
        plan.birthplace = None;
    }
    match clone3::clone(plan) {
        Err(libc::ENOSYS) => clone2(plan),
        // A container's seccomp filter may refuse the call as such with EPERM.
        Err(libc::EPERM) if clone3::is_refused() => clone2(plan),
        child => child,
    }
}

/// What parent and child share and how the parent waits: until exec, unless the child needs it.
fn flags(plan: &Plan) -> u64 {
    // The first of two children is gone once the second one is made, which is waited for then. With a copy of the memory it stays, and is
    // waited for itself.
    if plan.second_from.is_some() {
        let memory = if plan.copies { 0 } else { libc::CLONE_VM | libc::CLONE_VFORK };
        return (libc::CLONE_PIDFD | libc::CLONE_FILES | memory) as u64;
    }
    let wait = if plan.awaits_parent { 0 } else { libc::CLONE_VFORK };
    plan.clone.bits() | (libc::CLONE_VM | libc::CLONE_PIDFD | libc::CLONE_CHILD_CLEARTID | wait) as u64
}

/// # Safety
/// `pidfd` is new and nobody else's.
unsafe fn child_of(pid: i32, pidfd: c_int, stack: Option<Stack>) -> Child {
    // SAFETY: the caller's promise.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Child { pid, pidfd, _stack: stack }
}

/// Through the C library's clone(), which knows every architecture.
fn clone2(plan: &Plan) -> Result<Child, i32> {
    extern "C" fn start(plan: *mut c_void) -> c_int {
        // SAFETY: called in the new child with the plan that `clone2` was given.
        unsafe { child::main(plan.cast_const().cast()) }
    }
    let stack = Stack::new()?;
    let mut pidfd: c_int = -1;
    // SAFETY: the stack is the child's own; the plan and the word outlive the child's use of them.
    // No exit signal: a set-up failure is nothing that the host's SIGCHLD handler should see.
    let pid = unsafe {
        libc::clone(
            start,
            stack.top(),
            flags(plan) as c_int,
            (&raw const *plan).cast_mut().cast(),
            &raw mut pidfd,
            ptr::null_mut::<c_void>(),
            plan.mailbox.word(),
        )
    };
    match pid {
        // SAFETY: clone has succeeded and stored the pidfd.
        1.. => Ok(unsafe { child_of(pid, pidfd, Some(stack)) }),
        _ => Err(std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)),
    }
}

#[cfg(all(target_arch = "x86_64", not(nsiso_portable)))]
mod clone3 {
    use std::os::fd::AsRawFd;
    use std::ptr;

    use libc::c_int;

    use super::{Child, Stack, child, child_of, flags};
    use crate::plan::Plan;

    /// Too wide for the constants in the libc crate.
    const CLONE_CLEAR_SIGHAND: u64 = 1 << 32;
    const CLONE_INTO_CGROUP: u64 = 1 << 33;

    pub fn clone(plan: &Plan) -> Result<Child, i32> {
        // While the parent is held by CLONE_VFORK the child may go on where its stack ends, as after
        // vfork(2): no memory to map, and the thread's guard page holds for the child too.
        let stack = match flags(plan) & libc::CLONE_VFORK as u64 == 0 {
            true => Some(Stack::new()?),
            false => None,
        };
        let mut pidfd: c_int = -1;
        // SAFETY: all zero is valid.
        let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
        args.flags = flags(plan) | CLONE_CLEAR_SIGHAND;
        args.pidfd = &raw mut pidfd as u64;
        args.child_tid = plan.mailbox.word() as u64;
        // No exit signal: a set-up failure is nothing that the host's SIGCHLD handler should see.
        args.exit_signal = 0;
        if let Some(directory) = &plan.birthplace {
            args.flags |= CLONE_INTO_CGROUP;
            args.cgroup = directory.as_raw_fd() as u64;
        }
        if let Some(stack) = &stack {
            args.stack = stack.bottom() as u64;
            args.stack_size = Stack::SIZE as u64;
        }
        let result: isize;
        // SAFETY: in the parent this is one system call. The child never comes back: it calls
        // `main`, which does not return, on a stack of its own or, while the parent is held, below
        // the parent's.
        unsafe {
            std::arch::asm!(
                "syscall",
                "test rax, rax",
                "jnz 2f",
                "xor ebp, ebp",
                "and rsp, -16",
                "mov rdi, r12",
                "call r13",
                "ud2",
                "2:",
                inlateout("rax") libc::SYS_clone3 as isize => result,
                in("rdi") &raw const args,
                in("rsi") size_of_val(&args),
                in("r12") plan,
                in("r13") child::main as unsafe extern "C" fn(*const Plan) -> !,
                lateout("rcx") _,
                lateout("r11") _,
            );
        }
        match result {
            // SAFETY: clone3 has succeeded and stored the pidfd.
            1.. => Ok(unsafe { child_of(result as i32, pidfd, stack) }),
            failed => Err(-failed as i32),
        }
    }

    /// Whether it is the call that is refused, not what was asked: arguments of no size make no process.
    pub fn is_refused() -> bool {
        // SAFETY: no arguments are read.
        unsafe { libc::syscall(libc::SYS_clone3, ptr::null::<libc::clone_args>(), 0) };
        std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
    }
}

#[cfg(not(all(target_arch = "x86_64", not(nsiso_portable))))]
mod clone3 {
    use super::Child;
    use crate::plan::Plan;

    /// There is no assembly for this machine.
    pub fn clone(_: &Plan) -> Result<Child, i32> {
        Err(libc::ENOSYS)
    }

    pub fn is_refused() -> bool {
        false
    }
}

/// A stack for the child, with a page below it that nobody may touch.
pub(super) struct Stack {
    map: *mut c_void,
}

impl Stack {
    /// The child's half needs less than a tenth of it.
    const SIZE: usize = 64 << 10;
    /// The largest page there is.
    const GUARD: usize = 64 << 10;

    pub fn new() -> Result<Self, i32> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK | libc::MAP_NORESERVE;
        // SAFETY: a new mapping at a place of the kernel's choice.
        let map =
            unsafe { libc::mmap(ptr::null_mut(), Self::GUARD + Self::SIZE, libc::PROT_NONE, flags, -1, 0) };
        let last_error = || std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::ENOMEM);
        if map == libc::MAP_FAILED {
            return Err(last_error());
        }
        let stack = Stack { map };
        // SAFETY: within the new mapping.
        match unsafe { libc::mprotect(stack.bottom(), Self::SIZE, libc::PROT_READ | libc::PROT_WRITE) } {
            0 => Ok(stack),
            _ => Err(last_error()),
        }
    }

    fn bottom(&self) -> *mut c_void {
        self.map.wrapping_byte_add(Self::GUARD)
    }

    pub fn top(&self) -> *mut c_void {
        self.bottom().wrapping_byte_add(Self::SIZE)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our mapping; the child no longer uses it.
        unsafe { libc::munmap(self.map, Self::GUARD + Self::SIZE) };
    }
}
