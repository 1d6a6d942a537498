//! Tests a spawn at each system call of its children until the program is executed: either the call
//! fails, or the process that spawns is killed there.
#![cfg(target_arch = "x86_64")]

mod tracer;

use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::Command;

use libc::c_long;
use nsiso::{ClockOffset, Limits, Mount, Spec, Stdio, Step};
use tracer::{Call, StepIn};

/// Runs the test again in a process of its own, the subreaper of all its descendants. Returns true
/// in that process.
fn alone(test: &str) -> bool {
    if std::env::var_os("NSISO_ALONE").is_some() {
        // SAFETY: only integers are passed. If a process survives, the alarm kills this one, which
        // waits for it, and with it the processes that it traces.
        unsafe {
            libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
            libc::alarm(300);
        }
        return true;
    }
    let program = std::env::current_exe().unwrap();
    let words = ["--exact", test, "--nocapture", "--test-threads=1"];
    let run = Command::new(program).args(words).env("NSISO_ALONE", "1").output().unwrap();
    let text = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{text}");
    false
}

/// Returns limits, or `None` if they cannot be used: they take root or a delegated cgroup.
fn limits() -> Option<Limits> {
    let limits = Limits::new().pids(100).memory(64 << 20);
    let process = Spec::new("true").unwrap().limits(limits.clone()).spawn().ok()?;
    process.wait().unwrap();
    Some(limits)
}

/// Returns the sandbox preset with all other options for which the child needs a system call.
fn sandbox(program: &[&str], limits: &Option<Limits>) -> Spec<'static> {
    let mut spec = Spec::new(program[0]).unwrap();
    spec.argv(program).unwrap().sandbox().unwrap();
    spec.hostname("box").unwrap().boottime(ClockOffset::new(1, 0).unwrap()).unwrap();
    spec.mount(Mount::file("text", "/etc/text", 0o644).unwrap())
        .mount(Mount::dir("/var/empty", 0o700).unwrap())
        .mount(Mount::mask("/usr/share").unwrap())
        .mount(Mount::overlay("/usr/lib", "/mnt").unwrap());
    spec.nice(1).unwrap().umask(0o27).unwrap().cpus(&[0]).unwrap().personality(0x4_0000);
    if let Some(limits) = limits {
        spec.limits(limits.clone());
    }
    spec.stdio(0, Stdio::Null).unwrap().stdio(2, Stdio::Null).unwrap();
    spec
}

/// Returns the calls to test. In a row of consecutive calls with one number, those in the middle
/// are left out.
fn to_try(mut calls: Vec<Call>) -> Vec<Call> {
    calls.sort_by_key(|call| (call.child, call.nth));
    let number = |n: usize| calls.get(n).map(|call| call.number);
    let middle = |n: usize| n > 0 && number(n) == number(n - 1) && number(n) == number(n + 1);
    (0..calls.len()).filter(|&n| !middle(n)).map(|n| calls[n]).collect()
}

/// Returns the first and the last call of each number in each child.
fn first_and_last(calls: Vec<Call>) -> Vec<Call> {
    let alike = |a: &Call, b: &Call| a.number == b.number && a.child == b.child;
    let end = |n: usize, others: &[Call]| !others.iter().any(|other| alike(other, &calls[n]));
    (0..calls.len()).filter(|&n| end(n, &calls[..n]) || end(n, &calls[n + 1..])).map(|n| calls[n]).collect()
}

/// Returns the cgroups that the library has created for the process `pid`.
fn groups_of(pid: i32) -> Vec<String> {
    fn below(directory: &str, name: &str, found: &mut Vec<String>, depth: usize) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = format!("{directory}/{}", entry.file_name().to_string_lossy());
            if entry.file_name().to_string_lossy().starts_with(name) {
                found.push(path);
            } else if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                below(&path, name, found, depth - 1);
            }
        }
    }
    let mut found = Vec::new();
    below("/sys/fs/cgroup", &format!("nsiso-{pid}."), &mut found, 3);
    found
}

/// The steps that may be reported when a call of this number fails. Calls that several steps make
/// are not in the table.
const STEPS: [(c_long, &[Step]); 33] = [
    (libc::SYS_unshare, &[Step::Unshare, Step::Clone]),
    (libc::SYS_ppoll, &[Step::UidMap]),
    (libc::SYS_sethostname, &[Step::Hostname]),
    (libc::SYS_mount, &[Step::Propagation]),
    (libc::SYS_open_tree, &[Step::Mount]),
    (libc::SYS_mount_setattr, &[Step::Mount]),
    (libc::SYS_fsopen, &[Step::Mount, Step::MountProc]),
    (libc::SYS_fsconfig, &[Step::Mount, Step::MountProc]),
    (libc::SYS_fsmount, &[Step::Mount, Step::MountProc]),
    (libc::SYS_move_mount, &[Step::Mount, Step::MountProc]),
    (libc::SYS_openat2, &[Step::Mount, Step::MountProc, Step::Make, Step::Cwd]),
    (libc::SYS_mkdirat, &[Step::Mount, Step::MountProc, Step::Make]),
    (libc::SYS_symlinkat, &[Step::Make]),
    (libc::SYS_pivot_root, &[Step::Root]),
    (libc::SYS_umount2, &[Step::Root]),
    (libc::SYS_chdir, &[Step::Root]),
    (libc::SYS_socket, &[Step::Loopback]),
    (libc::SYS_ioctl, &[Step::Loopback]),
    (libc::SYS_prlimit64, &[Step::Rlimit]),
    (libc::SYS_setpriority, &[Step::Nice]),
    (libc::SYS_sched_setaffinity, &[Step::Affinity]),
    (libc::SYS_personality, &[Step::Personality]),
    (libc::SYS_setgroups, &[Step::Groups]),
    (libc::SYS_setresgid, &[Step::Gid]),
    (libc::SYS_setresuid, &[Step::Uid]),
    (libc::SYS_clone3, &[Step::Clone]),
    (libc::SYS_clone, &[Step::Init]),
    (libc::SYS_execveat, &[Step::Prepare]),
    (libc::SYS_setsid, &[Step::Session]),
    (libc::SYS_capset, &[Step::Capabilities]),
    (libc::SYS_landlock_restrict_self, &[Step::Landlock]),
    (libc::SYS_seccomp, &[Step::Seccomp]),
    (libc::SYS_execve, &[Step::Exec]),
];

/// An errno that none of these calls returns by itself.
const STRANGE: i32 = libc::ENOTRECOVERABLE;

/// Spawns and writes the result to `words`: the step and the errno, then the number of file
/// descriptors left open, whether no child is left, and the number of cgroups left.
fn host(spec: &mut Spec, words: &mut impl Write) {
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    let told = match spec.spawn() {
        Ok(process) => format!("ran {:?}", process.wait().unwrap().code()),
        Err(error) => format!("{:?} {}", error.step(), error.errno()),
    };
    let left = descriptors() - before;
    // SAFETY: a null status is allowed.
    let childless = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG | libc::__WALL) } == -1;
    writeln!(words, "{told} {left} {childless} {}", groups_of(std::process::id() as i32).len()).unwrap();
}

/// Repeats a run until `call` occurs in it, and returns its result. On a busy machine a child may
/// repeat a call, which shifts the positions of the calls after it.
fn meeting<T>(call: &Call, mut run: impl FnMut() -> (Vec<Call>, T)) -> T {
    let met = (0..5).map(|_| run()).find(|(calls, _)| calls.contains(call));
    met.unwrap_or_else(|| panic!("never made: {call:?}")).1
}

#[test]
fn a_failing_call_fails_the_spawn_and_leaves_nothing() {
    if !alone("a_failing_call_fails_the_spawn_and_leaves_nothing") {
        return;
    }
    let limits = limits();
    // The spawning process writes its result to the first pipe, and the program its output to the
    // second.
    let attempt = |step_in| {
        let ((mut words, mut to_words), (mut output, to_output)) =
            (std::io::pipe().unwrap(), std::io::pipe().unwrap());
        let (calls, _) = tracer::run(
            || {
                let mut spec = sandbox(&["/bin/echo", "ran"], &limits);
                host(spec.fd(1, to_output.as_fd()).unwrap(), &mut to_words);
            },
            step_in,
        );
        drop((to_words, to_output));
        let (mut said, mut done) = (String::new(), String::new());
        words.read_to_string(&mut said).unwrap();
        output.read_to_string(&mut done).unwrap();
        (calls, (said, done))
    };
    let (calls, (said, done)) = attempt(StepIn::Never);
    assert_eq!((said.as_str(), done.as_str()), ("ran Some(0) 0 true 0\n", "ran\n"));
    // A child repeats exit_group until it succeeds.
    let fails = |call: &Call| call.number != libc::SYS_exit_group;
    for call in first_and_last(to_try(calls)).into_iter().filter(fails) {
        let (said, done) = meeting(&call, || attempt(StepIn::Fail(call, STRANGE)));
        let (step, rest) = said.split_once(' ').unwrap_or_default();
        // The first of the two children shares the file descriptors of the spawning process. If it
        // fails to close one, that stays open there.
        let unclosed = call.number == libc::SYS_close && rest == format!("{STRANGE} 1 true 0\n");
        assert!(unclosed || rest == format!("{STRANGE} 0 true 0\n"), "{call:?}: {said}");
        assert_eq!(done, "", "{call:?}: {said}");
        if let Some((_, steps)) = STEPS.iter().find(|(number, _)| *number == call.number) {
            assert!(steps.iter().any(|known| format!("{known:?}") == step), "{call:?}: {said}");
        }
    }
}

#[test]
fn nothing_survives_a_host_that_is_killed_at_any_call() {
    if !alone("nothing_survives_a_host_that_is_killed_at_any_call") {
        return;
    }
    let limits = limits();
    let spawn = || {
        let process = sandbox(&["/bin/sleep", "1000"], &limits).spawn();
        if let Ok(process) = process {
            let _ = process.wait();
        }
    };
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let watched = || sandbox(&["/bin/true"], &limits).spawn().unwrap().wait().map(drop).unwrap();
    let (calls, _) = tracer::run(watched, StepIn::Never);
    assert!(calls.len() > 100, "{calls:?}");
    let mut hosts = Vec::new();
    for call in to_try(calls) {
        // Returns when all descendants have ended.
        let (met, host) = tracer::run(spawn, StepIn::KillHost(call));
        assert!(met.contains(&call), "{call:?}");
        hosts.push(host);
    }
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
    if let Some(limits) = limits {
        // The next use of limits removes the cgroups of the killed processes.
        Spec::new("true").unwrap().limits(limits).spawn().unwrap().wait().unwrap();
    }
    assert_eq!(hosts.iter().flat_map(|host| groups_of(*host)).collect::<Vec<_>>(), Vec::<String>::new());
}
