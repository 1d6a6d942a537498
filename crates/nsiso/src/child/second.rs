//! The second child: made by the first one, which has joined namespaces, and a child of the caller's like it.

use libc::c_int;

use super::syscall::Outcome;
use crate::Kinds;
use crate::plan::Plan;

/// It becomes the caller's child by CLONE_PARENT. The pidfd lands among the caller's descriptors, since
/// the first child shares these (`CLONE_FILES`). It shares the first child's memory. Where that is the caller's, the kernel tells when it
/// lets go of it; where it is a copy, the first child stays until then.
fn flags(plan: &Plan, kinds: Kinds) -> c_int {
    let wait = if plan.copies { libc::CLONE_VFORK } else { libc::CLONE_CHILD_CLEARTID };
    wait | libc::CLONE_VM | libc::CLONE_PARENT | libc::CLONE_PIDFD | kinds.bits() as c_int
}

/// Makes it, in new namespaces, on its own stack; returns its pid. It goes on with the plan at once.
#[cfg(all(target_arch = "x86_64", not(nsiso_portable)))]
pub(super) fn clone(plan: &Plan, kinds: Kinds) -> Outcome<i32> {
    let result: isize;
    // SAFETY: for us this is one system call. The second child never comes back: it calls a function that
    // does not return, on a stack of its own. The pidfd and the word live in the plan.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call {second}",
            "ud2",
            "2:",
            second = sym super::second,
            inlateout("rax") libc::SYS_clone as isize => result,
            in("rdi") flags(plan, kinds) as usize,
            in("rsi") plan.second_stack,
            in("rdx") plan.mailbox.second_pidfd(),
            in("r10") plan.mailbox.word(),
            in("r8") 0,
            in("r12") plan,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    match result {
        1.. => Ok(result as i32),
        failed => Err(-failed as i32),
    }
}

/// Makes the program's process as a child of this one. The kernel notes in the mailbox that it is there, and when it lets go of the
/// memory.
#[cfg(all(target_arch = "x86_64", not(nsiso_portable)))]
pub(super) fn fork_program(plan: &Plan) -> Outcome<i32> {
    let result: isize;
    // SAFETY: as in `clone`.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call {program}",
            "ud2",
            "2:",
            program = sym super::program,
            inlateout("rax") libc::SYS_clone as isize => result,
            in("rdi") PROGRAM_FLAGS as usize,
            in("rsi") plan.program_stack,
            in("rdx") plan.mailbox.program(),
            in("r10") plan.mailbox.program(),
            in("r8") 0,
            in("r12") plan,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    match result {
        1.. => Ok(result as i32),
        failed => Err(-failed as i32),
    }
}

const PROGRAM_FLAGS: c_int =
    libc::CLONE_VM | libc::CLONE_PARENT_SETTID | libc::CLONE_CHILD_CLEARTID | libc::SIGCHLD;

#[cfg(not(all(target_arch = "x86_64", not(nsiso_portable))))]
pub(super) fn fork_program(plan: &Plan) -> Outcome<i32> {
    use libc::c_void;

    extern "C" fn start(plan: *mut c_void) -> c_int {
        // SAFETY: called in the program's process with the plan.
        unsafe { super::program(plan.cast_const().cast()) }
    }
    // SAFETY: as in `clone`.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let pid = libc::clone(
            start,
            plan.program_stack,
            PROGRAM_FLAGS,
            (&raw const *plan).cast_mut().cast(),
            plan.mailbox.program(),
            std::ptr::null_mut::<c_void>(),
            plan.mailbox.program(),
        );
        let failed = std::mem::replace(&mut *errno, before);
        if pid > 0 { Ok(pid) } else { Err(failed) }
    }
}

/// The same through the C library, which knows every architecture.
#[cfg(not(all(target_arch = "x86_64", not(nsiso_portable))))]
pub(super) fn clone(plan: &Plan, kinds: Kinds) -> Outcome<i32> {
    use libc::c_void;

    extern "C" fn start(plan: *mut c_void) -> c_int {
        // SAFETY: called in the second child with the plan.
        unsafe { super::second(plan.cast_const().cast()) }
    }
    // SAFETY: as above; errno of the waiting thread is put back.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let pid = libc::clone(
            start,
            plan.second_stack,
            flags(plan, kinds),
            (&raw const *plan).cast_mut().cast(),
            plan.mailbox.second_pidfd(),
            std::ptr::null_mut::<c_void>(),
            plan.mailbox.word(),
        );
        let failed = std::mem::replace(&mut *errno, before);
        if pid > 0 { Ok(pid) } else { Err(failed) }
    }
}
