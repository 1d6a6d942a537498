//! Assembles rules as a program of classic BPF, which the kernel runs for each call, `seccomp(2)`.

use libc::sock_filter;

use super::SeccompAction;

/// A system call and what happens to it if all the conditions hold.
pub(super) struct Rule {
    pub number: u32,
    pub when: Vec<When>,
    pub action: SeccompAction,
}

/// A condition on an argument, given by its number. An argument is a register of 64 bits. For an
/// `int` the kernel uses only the lower half, and so do all conditions but [`When::NotNull`].
#[derive(Clone, Copy)]
pub(super) enum When {
    /// The argument has one of these bits set.
    Bits(u32, u32),
    OneOf(u32, &'static [u32]),
    NoneOf(u32, &'static [u32]),
    /// The argument is not a null pointer.
    NotNull(u32),
}

impl SeccompAction {
    fn value(self) -> u32 {
        match self {
            SeccompAction::Allow => libc::SECCOMP_RET_ALLOW,
            SeccompAction::Fail(errno) => libc::SECCOMP_RET_ERRNO | (errno as u32 & libc::SECCOMP_RET_DATA),
            SeccompAction::Kill => libc::SECCOMP_RET_KILL_PROCESS,
            SeccompAction::Trap => libc::SECCOMP_RET_TRAP,
            SeccompAction::Log => libc::SECCOMP_RET_LOG,
        }
    }
}

/// Offsets in `struct seccomp_data`: the number, the architecture, and the arguments, of 8 bytes
/// each. All supported machines are little-endian: the lower half comes first.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

#[cfg(target_arch = "x86_64")]
const OWN_ARCHITECTURE: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const OWN_ARCHITECTURE: u32 = 0xC000_00B7;

/// Calls of x32 have x86_64's architecture and this bit in their number.
const X32: u32 = 0x4000_0000;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const JUMP_GREATER_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K) as u16;
const JUMP_BITS: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;

/// Assembles the checks of the architecture, the rules in order, and the action for all other
/// calls.
pub(super) fn assemble(rules: &[Rule], otherwise: SeccompAction) -> Vec<sock_filter> {
    let unknown = finish(SeccompAction::Fail(libc::ENOSYS));
    let mut program = vec![
        load(ARCHITECTURE),
        jump(JUMP_EQUAL, OWN_ARCHITECTURE, 1, 0),
        unknown,
        load(NUMBER),
        jump(JUMP_GREATER_EQUAL, X32, 0, 1),
        unknown,
    ];
    for rule in rules {
        let body = rule.body();
        program.push(jump(JUMP_EQUAL, rule.number, 0, body.len()));
        program.extend(body);
    }
    program.push(finish(otherwise));
    program
}

impl Rule {
    /// The instructions that run if the number matches.
    fn body(&self) -> Vec<sock_filter> {
        let mut body = vec![finish(self.action)];
        if !self.when.is_empty() {
            // The next rule compares the number again.
            body.push(load(NUMBER));
        }
        // The conditions are put in front from the last to the first, so that each knows how many
        // instructions to skip.
        for condition in self.when.iter().rev() {
            let past = body.len() - 1;
            let mut test = condition.test(past);
            test.append(&mut body);
            body = test;
        }
        body
    }
}

impl When {
    /// The instructions that continue if the condition holds, and otherwise skip `past` more.
    fn test(self, past: usize) -> Vec<sock_filter> {
        let (argument, tests) = match self {
            When::Bits(argument, bits) => (argument, vec![jump(JUMP_BITS, bits, 0, past)]),
            When::OneOf(argument, values) => {
                let last = values.len() - 1;
                let test = |(index, value)| {
                    jump(JUMP_EQUAL, value, last - index, if index == last { past } else { 0 })
                };
                (argument, values.iter().copied().enumerate().map(test).collect())
            }
            When::NoneOf(argument, values) => {
                let last = values.len() - 1;
                let test = |(index, value)| jump(JUMP_EQUAL, value, last - index + past, 0);
                (argument, values.iter().copied().enumerate().map(test).collect())
            }
            When::NotNull(argument) => {
                let upper = load(ARGUMENTS + 8 * argument + 4);
                (argument, vec![jump(JUMP_EQUAL, 0, 0, 2), upper, jump(JUMP_EQUAL, 0, past, 0)])
            }
        };
        [vec![load(ARGUMENTS + 8 * argument)], tests].concat()
    }
}

fn load(offset: u32) -> sock_filter {
    sock_filter { code: LOAD, jt: 0, jf: 0, k: offset }
}

fn jump(code: u16, value: u32, if_so: usize, if_not: usize) -> sock_filter {
    sock_filter { code, jt: if_so as u8, jf: if_not as u8, k: value }
}

fn finish(action: SeccompAction) -> sock_filter {
    sock_filter { code: RETURN, jt: 0, jf: 0, k: action.value() }
}
