//! Raw system calls, with no C library between: neither errno nor thread-local storage is touched.

use core::arch::asm;

/// A result with a bare errno.
pub(crate) type Outcome<T> = Result<T, i32>;

/// One system call whose failure is worth a report.
///
/// # Safety
/// The arguments are what the system call takes.
#[inline(always)]
pub(crate) unsafe fn check<const N: usize>(number: usize, args: [usize; N]) -> Outcome<usize> {
    const { assert!(N <= 6) };
    let arg = |n: usize| if n < N { args[n] } else { 0 };
    // SAFETY: the caller's promise.
    let result = unsafe {
        match N {
            ..=3 if cfg!(nsiso_helper) => short(number, arg(0), arg(1), arg(2)),
            _ => syscall(number, [arg(0), arg(1), arg(2), arg(3), arg(4), arg(5)]),
        }
    };
    match result {
        failed @ -4095..0 => Err(-failed as i32),
        value => Ok(value as usize),
    }
}

/// Most calls take few arguments, and are made from many places: one function for them makes the
/// helper a page smaller. Not for the library, whose child must call nothing.
///
/// # Safety
/// The arguments are what the system call takes.
#[inline(never)]
unsafe fn short(number: usize, first: usize, second: usize, third: usize) -> isize {
    // SAFETY: the caller's promise.
    unsafe { syscall(number, [first, second, third, 0, 0, 0]) }
}

/// One system call; a failure is the negative errno.
///
/// # Safety
/// The arguments are what the system call takes.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) unsafe fn syscall(number: usize, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel clobbers rcx and r11 alone; the caller answers for the arguments.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// One system call; a failure is the negative errno.
///
/// # Safety
/// The arguments are what the system call takes.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(crate) unsafe fn syscall(number: usize, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the caller answers for the arguments.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") args[0] as isize => result,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            in("x4") args[4],
            in("x5") args[5],
            options(nostack),
        );
    }
    result
}
