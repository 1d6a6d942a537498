//! Watches every system call that the children of a spawn make up to their exec, by ptrace(2), and steps in at one of them.

use std::collections::{HashMap, HashSet};

use libc::{c_int, c_long, pid_t};

/// A system call of a child: which of them in the order they are made, and which of its calls, both counted from 0. That is the same in
/// every run, since futex(2), by which they wait for each other, does not count.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Call {
    pub child: usize,
    pub nth: usize,
    /// Its number in the kernel's table.
    pub number: c_long,
}

/// What happens at a system call.
#[derive(Clone, Copy)]
pub enum StepIn {
    Never,
    /// It is not made, and fails with this errno.
    Fail(Call, c_int),
    /// The host gets SIGKILL before it is made.
    KillHost(Call),
}

const OPTIONS: c_int = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_EXITKILL;

/// Runs `host` in a process of its own, which must have no threads, until it and all its descendants have ended: the caller has to be
/// their subreaper, and without other children. Returns the calls made, in order, and the host's pid.
pub fn run(host: impl FnOnce(), step_in: StepIn) -> (Vec<Call>, pid_t) {
    // SAFETY: the child goes on with what a forked process may do; the C library mends its allocator.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: numbers.
        unsafe {
            libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
            libc::raise(libc::SIGSTOP);
        }
        host();
        // SAFETY: a number.
        unsafe { libc::_exit(0) };
    }
    let mut tracer = Tracer {
        host: pid,
        step_in,
        calls: Vec::new(),
        children: Vec::new(),
        watched: HashSet::new(),
        helper_runs: false,
        failing: HashMap::new(),
    };
    while tracer.next() {}
    (tracer.calls, pid)
}

struct Tracer {
    host: pid_t,
    step_in: StepIn,
    calls: Vec<Call>,
    children: Vec<pid_t>,
    /// Children before their exec.
    watched: HashSet<pid_t>,
    /// The first child has executed the helper.
    helper_runs: bool,
    /// Those in a call that is to fail.
    failing: HashMap<pid_t, c_int>,
}

impl Tracer {
    /// Deals with one event. False when nobody is left.
    fn next(&mut self) -> bool {
        let mut status = 0;
        // SAFETY: room for the status.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        if pid < 0 {
            return false;
        }
        if !libc::WIFSTOPPED(status) {
            return true;
        }
        let signal = libc::WSTOPSIG(status);
        let deliver = match (signal, status >> 16) {
            // Each begins with one.
            (libc::SIGSTOP, 0) if pid == self.host => {
                ptrace(libc::PTRACE_SETOPTIONS, pid, 0, OPTIONS as c_long);
                0
            }
            (libc::SIGSTOP, 0) if !self.children.contains(&pid) => {
                self.children.push(pid);
                self.watched.insert(pid);
                0
            }
            // The first exec is that of the helper, by the first child.
            (_, libc::PTRACE_EVENT_EXEC) => {
                if self.children.first() != Some(&pid) || std::mem::replace(&mut self.helper_runs, true) {
                    // The program runs: what the helper and an init process do now is nothing to
                    // it.
                    self.watched.clear();
                }
                0
            }
            (signal, 0) if signal == libc::SIGTRAP | 0x80 => {
                self.call(pid);
                0
            }
            (signal, 0) => signal,
            _ => 0,
        };
        let go_on = if self.watched.contains(&pid) { libc::PTRACE_SYSCALL } else { libc::PTRACE_CONT };
        ptrace(go_on, pid, 0, c_long::from(deliver));
        true
    }

    /// The beginning or the end of a call.
    fn call(&mut self, pid: pid_t) {
        // SAFETY: all zero is valid.
        let mut about: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
        ptrace(libc::PTRACE_GET_SYSCALL_INFO, pid, size_of_val(&about) as c_long, &raw mut about as c_long);
        if about.op == libc::PTRACE_SYSCALL_INFO_EXIT {
            if let Some(errno) = self.failing.remove(&pid) {
                ptrace(libc::PTRACE_POKEUSER, pid, RESULT, -c_long::from(errno));
            }
            return;
        }
        // SAFETY: the kernel has said that it is the beginning.
        let number = unsafe { about.u.entry.nr } as c_long;
        if number == libc::SYS_futex {
            return;
        }
        let child = self.children.iter().position(|known| *known == pid).unwrap_or(0);
        let nth = self.calls.iter().filter(|call| call.child == child).count();
        let call = Call { child, nth, number };
        self.calls.push(call);
        if number == libc::SYS_execve {
            // The others are told of the exec before the tracer is: what they do then fails no spawn.
            self.watched.retain(|watched| *watched == pid);
        }
        match self.step_in {
            StepIn::Fail(at, errno) if at == call => {
                ptrace(libc::PTRACE_POKEUSER, pid, NUMBER, -1);
                self.failing.insert(pid, errno);
            }
            StepIn::KillHost(at) if at == call => {
                // SAFETY: our child, which nobody else collects.
                unsafe { libc::kill(self.host, libc::SIGKILL) };
            }
            _ => {}
        }
    }
}

/// Where `struct user` has the registers.
const NUMBER: c_long = (std::mem::offset_of!(libc::user_regs_struct, orig_rax)) as c_long;
const RESULT: c_long = (std::mem::offset_of!(libc::user_regs_struct, rax)) as c_long;

fn ptrace(request: libc::c_uint, pid: pid_t, address: c_long, data: c_long) {
    // SAFETY: what the requests above want. That a tracee has just been killed is no fault.
    unsafe { libc::ptrace(request, pid, address, data) };
}
