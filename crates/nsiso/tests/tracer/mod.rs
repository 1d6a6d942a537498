//! Traces every system call of the children of a spawn until their exec, with ptrace(2), and
//! intervenes at one of them.

use std::collections::{HashMap, HashSet};

use libc::{c_int, c_long, pid_t};

/// A system call of a child. `child` counts the children in the order of their creation, and `nth`
/// the calls of that child, both from 0. The counts are the same in every run, because futex(2),
/// with which the children wait for each other, is not counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Call {
    pub child: usize,
    pub nth: usize,
    /// The number of the system call.
    pub number: c_long,
}

/// What the tracer does at a system call.
#[derive(Clone, Copy)]
pub enum StepIn {
    Never,
    /// The call is not made and fails with this errno.
    Fail(Call, c_int),
    /// The spawning process gets SIGKILL before the call is made.
    KillHost(Call),
}

const OPTIONS: c_int = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACECLONE
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_EXITKILL;

/// Runs `host`, which spawns, in a forked process until it and all its descendants have ended.
/// Returns the calls in order, and the pid of the forked process.
///
/// `host` must not create threads. The caller must be the subreaper of the descendants and have no
/// other children.
pub fn run(host: impl FnOnce(), step_in: StepIn) -> (Vec<Call>, pid_t) {
    // SAFETY: the child does only what is allowed after a fork. The C library makes its allocator
    // usable in the child.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: only integers are passed.
        unsafe {
            libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0);
            libc::raise(libc::SIGSTOP);
        }
        host();
        // SAFETY: only an integer is passed.
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
    /// The children that have not executed a program yet.
    watched: HashSet<pid_t>,
    /// Whether the first child has executed the helper.
    helper_runs: bool,
    /// The children inside a call that is to fail, and the errno.
    failing: HashMap<pid_t, c_int>,
}

impl Tracer {
    /// Handles one event. Returns false when no process is left.
    fn next(&mut self) -> bool {
        let mut status = 0;
        // SAFETY: the status is valid for writing.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
        if pid < 0 {
            return false;
        }
        if !libc::WIFSTOPPED(status) {
            return true;
        }
        let signal = libc::WSTOPSIG(status);
        let deliver = match (signal, status >> 16) {
            // Each tracee begins with a SIGSTOP.
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
                    // The program runs. Later calls of the helper and of an init process do not
                    // affect it.
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

    /// Handles the entry to or the exit from a system call.
    fn call(&mut self, pid: pid_t) {
        // SAFETY: all-zero bytes are a valid value of this type.
        let mut about: libc::ptrace_syscall_info = unsafe { std::mem::zeroed() };
        ptrace(libc::PTRACE_GET_SYSCALL_INFO, pid, size_of_val(&about) as c_long, &raw mut about as c_long);
        if about.op == libc::PTRACE_SYSCALL_INFO_EXIT {
            if let Some(errno) = self.failing.remove(&pid) {
                ptrace(libc::PTRACE_POKEUSER, pid, RESULT, -c_long::from(errno));
            }
            return;
        }
        // SAFETY: the kernel has reported a system call entry, for which this field is valid.
        let number = unsafe { about.u.entry.nr } as c_long;
        if number == libc::SYS_futex {
            return;
        }
        let child = self.children.iter().position(|known| *known == pid).unwrap_or(0);
        let nth = self.calls.iter().filter(|call| call.child == child).count();
        let call = Call { child, nth, number };
        self.calls.push(call);
        if number == libc::SYS_execve {
            // The other children notice the exec before the tracer does. A failure of their calls
            // from then on cannot fail the spawn, so they are not traced further.
            self.watched.retain(|watched| *watched == pid);
        }
        match self.step_in {
            StepIn::Fail(at, errno) if at == call => {
                ptrace(libc::PTRACE_POKEUSER, pid, NUMBER, -1);
                self.failing.insert(pid, errno);
            }
            StepIn::KillHost(at) if at == call => {
                // SAFETY: it is our child, which nothing else reaps.
                unsafe { libc::kill(self.host, libc::SIGKILL) };
            }
            _ => {}
        }
    }
}

/// The offsets of the registers in `struct user`.
const NUMBER: c_long = (std::mem::offset_of!(libc::user_regs_struct, orig_rax)) as c_long;
const RESULT: c_long = (std::mem::offset_of!(libc::user_regs_struct, rax)) as c_long;

fn ptrace(request: libc::c_uint, pid: pid_t, address: c_long, data: c_long) {
    // SAFETY: the callers above pass the arguments that each request expects. Failures are ignored,
    // because a tracee may just have been killed.
    unsafe { libc::ptrace(request, pid, address, data) };
}
