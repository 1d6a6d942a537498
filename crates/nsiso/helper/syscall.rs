//! Raw system calls without a C library: they touch neither errno nor thread-local storage.

use core::arch::asm;

/// A result with a bare errno.
pub(crate) type Outcome<T> = Result<T, i32>;

/// Makes a system call and turns a failure into an errno.
///
/// # Safety
/// The arguments are valid for the system call.
#[inline(always)]
pub(crate) unsafe fn check<const N: usize>(number: usize, args: [usize; N]) -> Outcome<usize> {
    const { assert!(N <= 6) };
    let arg = |n: usize| if n < N { args[n] } else { 0 };
    // SAFETY: guaranteed by the caller.
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

/// Makes a call with few arguments. Most calls are like that, so one shared function makes the
/// helper a page smaller. The library does not use it, because its child must not call functions.
///
/// # Safety
/// The arguments are valid for the system call.
#[inline(never)]
unsafe fn short(number: usize, first: usize, second: usize, third: usize) -> isize {
    // SAFETY: guaranteed by the caller.
    unsafe { syscall(number, [first, second, third, 0, 0, 0]) }
}

/// Makes a system call. A failure is the negative errno.
///
/// # Safety
/// The arguments are valid for the system call.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) unsafe fn syscall(number: usize, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel clobbers only rcx and r11; the caller guarantees the arguments.
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

/// Makes a system call. A failure is the negative errno.
///
/// # Safety
/// The arguments are valid for the system call.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(crate) unsafe fn syscall(number: usize, args: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the caller guarantees the arguments.
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
