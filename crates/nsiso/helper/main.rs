//! The helper: a small static program that sets a process up and then executes the program.
//!
//! The library starts it from a sealed memfd, in the caller's namespaces and with its credentials.
//! It joins and makes namespaces, builds the file system view, drops privileges and executes the
//! program, or stays as the init process of a pid namespace. It shares only one page of results
//! with the caller, so a process that may trace it later reaches no memory of the caller.
//!
//! It takes no arguments. Its environment is one string: the number of the plan's descriptor, a
//! space, the size of the plan in bytes, and an equals sign.

#![no_std]
#![no_main]
#![no_builtins]

mod capabilities;
mod descriptors;
mod files;
mod init;
mod kernel;
mod landlock;
mod loopback;
mod memory;
mod mount;
mod parent;
#[allow(dead_code, reason = "the library makes what the helper reads")]
mod plan;
mod proc;
mod processes;
mod rootfs;
mod run;
mod seccomp;
mod send_fd;
mod signals;
mod syscall;
mod targets;

use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::Ordering;

use plan::{Header, PAGE, Page};
use syscall::{Outcome, check};

#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {}",
    "ud2",
    sym start
);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x0, sp", "bl {}", "brk 0", sym start);

/// `struct robust_list_head`, `get_robust_list(2)`. Its address is registered with the kernel.
#[repr(C)]
struct RobustList {
    first: usize,
    /// From an entry to its futex word.
    offset: isize,
    pending: usize,
}

unsafe extern "C" fn start(stack: *const usize) -> ! {
    let mut list = RobustList { first: 0, offset: 0, pending: 0 };
    // SAFETY: the kernel has put argc, argv and envp on the stack.
    let ready = unsafe {
        let environment = *stack.add(*stack + 2).cast::<*const u8>();
        // The init process has executed this program again.
        if !environment.is_null() && *environment == b'i' {
            init::resume(i32::from(*environment.add(1) - b'0'));
        }
        prepare(environment, &raw mut list)
    };
    match ready {
        Ok((page, header)) => run::run(page, header),
        // There is no page to report the error in.
        Err(errno) => processes::exit(errno as usize),
    }
}

/// # Safety
/// `environment` is a NUL-terminated string or NULL; `list` lives as long as the process.
unsafe fn prepare(
    environment: *const u8,
    list: *mut RobustList,
) -> Outcome<(&'static Page, &'static Header)> {
    // SAFETY: integers; guaranteed by the caller.
    unsafe {
        check(kernel::SYS_prctl, [kernel::PR_SET_DUMPABLE as usize, 0])?;
        let (page, header, fd) = map(environment)?;
        watch(page, list, fd)?;
        Ok((page, header))
    }
}

/// Memory for a plan of the usual size, which costs fewer page faults than a separate mapping.
static ROOM: Room = Room(UnsafeCell::new([MaybeUninit::uninit(); 2048]));

struct Room(UnsafeCell<[MaybeUninit<u64>; 2048]>);

// SAFETY: there is one thread.
unsafe impl Sync for Room {}

/// Maps the page of results, and reads or maps the plan. Also returns the file's descriptor.
///
/// # Safety
/// `environment` is a NUL-terminated string or NULL. To be called once.
unsafe fn map(environment: *const u8) -> Outcome<(&'static Page, &'static Header, usize)> {
    if environment.is_null() {
        return Err(kernel::EINVAL);
    }
    // SAFETY: guaranteed by the caller. New mappings at addresses that the kernel chooses, never
    // unmapped; nothing else uses `ROOM`.
    unsafe {
        let (fd, rest) = number(environment);
        let (size, _) = number(rest);
        let access = (kernel::PROT_READ | kernel::PROT_WRITE) as usize;
        let (shared, private) = (kernel::MAP_SHARED | kernel::MAP_POPULATE, kernel::MAP_PRIVATE);
        let page = check(kernel::SYS_mmap, [0, PAGE, access, shared as usize, fd, 0])?;
        let plan = if size <= size_of::<Room>() {
            let room = ROOM.0.get() as usize;
            match check(kernel::SYS_pread64, [fd, room, size, PAGE])? {
                read if read == size => room,
                _ => return Err(kernel::EIO),
            }
        } else {
            check(kernel::SYS_mmap, [0, size, access, private as usize, fd, PAGE])?
        };
        memory::set_base(plan);
        Ok((&*(page as *const Page), &*(plan as *const Header), fd))
    }
}

/// Parses a decimal number. Also returns the text after the character that follows the number.
///
/// # Safety
/// `text` is a NUL-terminated string.
unsafe fn number(mut text: *const u8) -> (usize, *const u8) {
    let mut value = 0usize;
    loop {
        // SAFETY: guaranteed by the caller: the NUL ends the loop.
        match unsafe { text.read() } {
            digit @ b'0'..=b'9' => value = value.wrapping_mul(10).wrapping_add(usize::from(digit - b'0')),
            0 => return (value, text),
            // SAFETY: as above.
            _ => return (value, unsafe { text.add(1) }),
        }
        // SAFETY: as above.
        text = unsafe { text.add(1) };
    }
}

/// Makes the kernel notify the library when this process executes the program or ends. Closes `fd`,
/// the plan's descriptor.
///
/// # Safety
/// `list` lives as long as the process.
unsafe fn watch(page: &Page, list: *mut RobustList, fd: usize) -> Outcome<()> {
    let head = list as usize;
    // SAFETY: guaranteed by the caller; the word is in the page.
    unsafe {
        let thread = check(kernel::SYS_gettid, [])?;
        // The list is empty except for the pending entry, which is the futex word.
        (*list).first = head;
        (*list).offset = page.owner.as_ptr() as isize - head as isize;
        (*list).pending = head;
        let waiters = match check(kernel::SYS_set_robust_list, [head, size_of::<RobustList>()]) {
            // Emulators have no robust lists. There the library polls a file lock.
            Err(kernel::ENOSYS) => {
                descriptors::lock_until_exec(fd)?;
                0
            }
            done => {
                done?;
                check(kernel::SYS_close, [fd])?;
                kernel::FUTEX_WAITERS
            }
        };
        page.owner.store(thread as u32 | waiters, Ordering::Release);
    }
    Ok(())
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    processes::exit(127)
}

/// The compiler may call this for large values.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(start: *mut u8, byte: i32, len: usize) -> *mut u8 {
    let mut at = 0;
    while at < len {
        // SAFETY: guaranteed by the caller.
        unsafe { start.add(at).write_volatile(byte as u8) };
        at += 1;
    }
    start
}

/// The compiler may call this for large values.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    let mut at = 0;
    while at < len {
        // SAFETY: guaranteed by the caller.
        unsafe { to.add(at).write_volatile(from.add(at).read()) };
        at += 1;
    }
    to
}
