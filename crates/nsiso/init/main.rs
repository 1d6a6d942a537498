//! The init process of a new pid namespace: PID 1, with the program as its child, PID 2.
//!
//! It reaps orphans, passes signals on to the program, ends when the program ends (the kernel then ends everything in the namespace), when
//! the host has died or the deadline is over, and writes the program's true status into a pipe. It is linked with nothing: it runs from
//! a sealed memfd, in whatever view of the file system the program has.
//!
//! Descriptors: 3 is the pipe, 4 the host's pidfd. Arguments: letters for what is wanted (`a`: wait for all descendants, `h`: watch the
//! host), and the deadline in nanoseconds from now, 0 for none.

#![no_std]
#![no_main]
#![no_builtins]

use core::arch::{asm, global_asm};
use core::mem::MaybeUninit;

const PROGRAM: usize = 2;
const REPORT: usize = 3;
const HOST: u32 = 4;

#[cfg(target_arch = "x86_64")]
global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {}", "ud2", sym start);
#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x0, sp", "bl {}", "brk 0", sym start);

#[cfg(target_arch = "x86_64")]
mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const WAIT4: usize = 61;
    pub const KILL: usize = 62;
    pub const CAPSET: usize = 126;
    pub const PRCTL: usize = 157;
    pub const CLOCK_GETTIME: usize = 228;
    pub const EXIT_GROUP: usize = 231;
    pub const PPOLL: usize = 271;
    pub const SIGNALFD4: usize = 289;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const RT_SIGPROCMASK: usize = 135;
    pub const WAIT4: usize = 260;
    pub const KILL: usize = 129;
    pub const CAPSET: usize = 91;
    pub const PRCTL: usize = 167;
    pub const CLOCK_GETTIME: usize = 113;
    pub const EXIT_GROUP: usize = 94;
    pub const PPOLL: usize = 73;
    pub const SIGNALFD4: usize = 74;
}

const SIGKILL: usize = 9;
const SIGCHLD: u32 = 17;
static ALL: u64 = !0;
const WNOHANG: usize = 1;
const WALL: usize = 0x4000_0000;
const POLLIN: i16 = 1;
const SECOND: u64 = 1_000_000_000;

/// What the host reads.
#[repr(C)]
struct Report {
    timed_out: u32,
    /// As wait(2) gives it.
    status: i32,
    /// `struct rusage`.
    usage: [u64; 18],
}

#[repr(C)]
struct Poll {
    fd: i32,
    events: i16,
    ready: i16,
}

#[repr(C)]
struct Time {
    seconds: u64,
    nanoseconds: u64,
}

/// What the arguments ask for.
struct Wishes {
    wait_for_all: bool,
    watch_host: bool,
    /// On CLOCK_MONOTONIC.
    deadline: Option<u64>,
}

#[cfg(target_arch = "x86_64")]
unsafe fn call(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize) -> isize {
    let result;
    // SAFETY: the caller answers for the arguments.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e,
             lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

#[cfg(target_arch = "aarch64")]
unsafe fn call(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize) -> isize {
    let result;
    // SAFETY: the caller answers for the arguments.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a as isize => result, in("x1") b, in("x2") c, in("x3") d, in("x4") e,
             options(nostack));
    }
    result
}

unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: the kernel has put argc and argv there.
    let wishes = unsafe { read_arguments(*stack, stack.add(1).cast()) };
    // SAFETY: structs and numbers as the calls want them.
    unsafe {
        call(number::RT_SIGPROCMASK, 2, &raw const ALL as usize, 0, 8, 0);
        give_up_privileges();
        let signals = call(number::SIGNALFD4, usize::MAX, &raw const ALL as usize, 8, 0o2_004_000, 0);
        watch(signals as i32, &wishes)
    }
}

unsafe fn read_arguments(count: usize, argv: *const *const u8) -> Wishes {
    let mut wishes = Wishes { wait_for_all: false, watch_host: false, deadline: None };
    if count < 3 {
        return wishes;
    }
    // SAFETY: three strings at least.
    unsafe {
        let mut letter = *argv.add(1);
        while *letter != 0 {
            wishes.wait_for_all |= *letter == b'a';
            wishes.watch_host |= *letter == b'h';
            letter = letter.add(1);
        }
        let mut digit = *argv.add(2);
        let mut left = 0u64;
        while *digit != 0 {
            left = left.wrapping_mul(10).wrapping_add(u64::from(*digit - b'0'));
            digit = digit.add(1);
        }
        if left > 0 {
            wishes.deadline = Some(now().saturating_add(left));
        }
    }
    wishes
}

/// Nothing but the right to signal the program is needed, and nobody may look into this process.
unsafe fn give_up_privileges() {
    const PR_SET_DUMPABLE: usize = 4;
    const PR_SET_NAME: usize = 15;
    const PR_SET_NO_NEW_PRIVS: usize = 38;
    const CAP_KILL: u32 = 1 << 5;
    let header = [0x2008_0522u32, 0];
    let sets = [CAP_KILL, CAP_KILL, 0, 0, 0, 0];
    let nothing = [0u32; 6];
    // SAFETY: structs as version 3 wants them.
    unsafe {
        call(number::PRCTL, PR_SET_DUMPABLE, 0, 0, 0, 0);
        call(number::PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        call(number::PRCTL, PR_SET_NAME, c"nsiso-init".as_ptr() as usize, 0, 0, 0);
        // Without the capability at the start there is none to keep.
        if call(number::CAPSET, &raw const header as usize, &raw const sets as usize, 0, 0, 0) < 0 {
            call(number::CAPSET, &raw const header as usize, &raw const nothing as usize, 0, 0, 0);
        }
    }
}

fn now() -> u64 {
    let mut time = Time { seconds: 0, nanoseconds: 0 };
    // SAFETY: room for the time.
    unsafe { call(number::CLOCK_GETTIME, 1, &raw mut time as usize, 0, 0, 0) };
    time.seconds.wrapping_mul(SECOND).wrapping_add(time.nanoseconds)
}

unsafe fn watch(signals: i32, wishes: &Wishes) -> ! {
    let host = if wishes.watch_host { HOST as i32 } else { -1 };
    let mut report = Report { timed_out: 0, status: 0, usage: [0; 18] };
    let mut ended = false;
    loop {
        // SAFETY: structs that live until the calls return.
        unsafe {
            let none_left = reap(&mut report, &mut ended);
            if none_left || ended && !wishes.wait_for_all {
                finish(&report);
            }
            let left = wishes.deadline.map(|deadline| deadline.saturating_sub(now()));
            if left == Some(0) {
                call(number::KILL, usize::MAX, SIGKILL, 0, 0, 0);
                report.timed_out = 1;
                while !reap(&mut report, &mut ended) {
                    wait(signals, -1, None);
                }
                finish(&report);
            }
            if wait(signals, host, left) {
                leave(128 + SIGKILL);
            }
            pass_on(signals);
        }
    }
}

/// Sleeps until there is a signal, the time is up or the host has died: then true.
unsafe fn wait(signals: i32, host: i32, left: Option<u64>) -> bool {
    let mut polls = [Poll { fd: signals, events: POLLIN, ready: 0 }, Poll { fd: host, events: POLLIN, ready: 0 }];
    let time = left.map(|left| Time { seconds: left / SECOND, nanoseconds: left % SECOND });
    let time = time.as_ref().map_or(0, |time| &raw const *time as usize);
    // SAFETY: both live until the call returns.
    unsafe { call(number::PPOLL, &raw mut polls as usize, 2, time, 0, 8) };
    polls[1].ready != 0
}

/// Collects whoever has ended. True if there are no children any more.
unsafe fn reap(report: &mut Report, ended: &mut bool) -> bool {
    loop {
        let mut status = 0i32;
        let mut usage = MaybeUninit::<[u64; 18]>::uninit();
        // SAFETY: room for both.
        let pid = unsafe {
            let place = usage.as_mut_ptr() as usize;
            call(number::WAIT4, usize::MAX, &raw mut status as usize, WNOHANG | WALL, place, 0)
        };
        match pid {
            ..0 => return true,
            0 => return false,
            pid if pid as usize == PROGRAM => {
                report.status = status;
                // SAFETY: wait4 has filled it in.
                report.usage = unsafe { usage.assume_init() };
                *ended = true;
            }
            _ => {}
        }
    }
}

/// Gives all signals but SIGCHLD to the program.
unsafe fn pass_on(signals: i32) {
    /// `struct signalfd_siginfo`, which begins with the number.
    #[repr(C)]
    struct Info([u32; 32]);
    let mut info = MaybeUninit::<Info>::uninit();
    // SAFETY: room for one; read fills in all of it or nothing.
    unsafe {
        while call(number::READ, signals as usize, info.as_mut_ptr() as usize, size_of::<Info>(), 0, 0) > 0 {
            let signal = (*info.as_ptr()).0[0];
            if signal != SIGCHLD {
                call(number::KILL, PROGRAM, signal as usize, 0, 0, 0);
            }
        }
    }
}

unsafe fn finish(report: &Report) -> ! {
    let (signal, code) = (report.status & 0x7F, report.status >> 8 & 0xFF);
    // SAFETY: the struct lives.
    unsafe {
        call(number::WRITE, REPORT, &raw const *report as usize, size_of::<Report>(), 0, 0);
        leave(if signal == 0 { code as usize } else { 128 + signal as usize })
    }
}

unsafe fn leave(code: usize) -> ! {
    loop {
        // SAFETY: a number.
        unsafe { call(number::EXIT_GROUP, code, 0, 0, 0, 0) };
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // SAFETY: a number. Nothing here panics.
    unsafe { leave(127) }
}

/// The compiler may call these for large values.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(start: *mut u8, byte: i32, len: usize) -> *mut u8 {
    let mut at = 0;
    while at < len {
        // SAFETY: the caller's promise.
        unsafe { start.add(at).write_volatile(byte as u8) };
        at += 1;
    }
    start
}

#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
    let mut at = 0;
    while at < len {
        // SAFETY: the caller's promise.
        unsafe { to.add(at).write_volatile(from.add(at).read()) };
        at += 1;
    }
    to
}
