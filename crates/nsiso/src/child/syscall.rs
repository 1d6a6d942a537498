//! Raw system calls: nothing of the C library is touched, errno least of all, since it belongs to
//! the thread that waits for us.

use libc::c_long;

/// A result with a bare errno.
pub(crate) type Outcome<T> = Result<T, i32>;

/// One system call whose failure is worth a report.
///
/// # Safety
/// The arguments are what the system call wants.
#[inline(always)]
pub(crate) unsafe fn check(number: c_long, args: [usize; 5]) -> Outcome<usize> {
    // SAFETY: the caller's promise.
    match unsafe { syscall(number, args) } {
        failed @ -4095..0 => Err(-failed as i32),
        value => Ok(value as usize),
    }
}

/// One system call; a failure is the negative errno.
///
/// # Safety
/// The arguments are what the system call wants.
#[cfg(all(target_arch = "x86_64", not(nsiso_portable)))]
#[inline(always)]
pub(crate) unsafe fn syscall(number: c_long, args: [usize; 5]) -> isize {
    let result: isize;
    // SAFETY: the kernel clobbers rcx and r11 alone; the caller answers for the arguments.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// One system call, on machines for which there is no assembly: through the C library, with errno
/// put back at once.
///
/// # Safety
/// The arguments are what the system call wants.
#[cfg(not(all(target_arch = "x86_64", not(nsiso_portable))))]
pub(crate) unsafe fn syscall(number: c_long, args: [usize; 5]) -> isize {
    let [a, b, c, d, e] = args;
    // SAFETY: errno of this thread; the caller answers for the arguments.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let result = libc::syscall(number, a, b, c, d, e) as isize;
        let result = if result == -1 { -(*errno as isize) } else { result };
        *errno = before;
        result
    }
}
