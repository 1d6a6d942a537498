//! Tests of [`Spec::exec`], by which the calling process becomes the program. A process can do so
//! once, so each test runs this binary again, where the test's thread is one of two.

use std::fs;
use std::os::fd::AsFd;
use std::process::{Command, Output, Stdio as Standard};

use nsiso::{IdRange, Kinds, Limits, Spec, Stdio, Step};

/// Runs the test `name` in a process of its own and returns its pid and output, or `None` if this
/// is that process.
fn alone(name: &str) -> Option<(u32, Output)> {
    alone_after(&[], name)
}

fn alone_after(prefix: &[&str], name: &str) -> Option<(u32, Output)> {
    if is_alone() {
        return None;
    }
    let program = std::env::current_exe().unwrap();
    let mut words = prefix.to_vec();
    words.extend([program.to_str().unwrap(), "--exact", name, "--nocapture", "--test-threads=1"]);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env("NSISO_ALONE", "1").stdin(Standard::null());
    let child = command.stdout(Standard::piped()).stderr(Standard::piped()).spawn().unwrap();
    Some((child.id(), child.wait_with_output().unwrap()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the lines that the program has printed, without those of the test harness before them.
fn printed(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    let all = text(&output.stdout);
    let (_, after) = all.split_once("begin\n").unwrap_or_else(|| panic!("{output:?}"));
    after.lines().map(str::to_owned).collect()
}

fn shell(line: &str) -> Spec<'static> {
    let mut spec = Spec::new("sh").unwrap();
    spec.args(["-c", &format!("echo; echo begin; {line}")]).unwrap();
    spec
}

fn is_alone() -> bool {
    std::env::var_os("NSISO_ALONE").is_some()
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn a_thread_that_is_not_the_leader_becomes_the_program_with_the_pid() {
    match alone("a_thread_that_is_not_the_leader_becomes_the_program_with_the_pid") {
        Some((pid, output)) => {
            assert_eq!(printed(&output), [&pid.to_string(), &pid.to_string(), "inside", "0"]);
        }
        None => {
            // SAFETY: no arguments are passed.
            unsafe { assert_ne!(libc::gettid(), libc::getpid()) };
            let mut spec = shell("echo $$; ls /proc/$$/task; hostname; id -u");
            spec.map_root().hostname("inside").unwrap();
            panic!("{}", spec.exec());
        }
    }
}

#[test]
fn what_takes_a_parent_or_a_single_thread_is_refused() {
    let range = |inside, outside| IdRange::new(inside, outside, 1).unwrap();
    let mut with_pipe = shell("true");
    with_pipe.stdio(1, Stdio::Pipe).unwrap();
    let mut with_init = shell("true");
    with_init.map_root().init(true);
    let mut sandboxed = shell("true");
    sandboxed.sandbox().unwrap();
    let mut with_ranges = shell("true");
    with_ranges.map_root().uid_map(range(1, 100_000)).unwrap();
    let mut pinned = shell("true");
    pinned.map_root().unshare(Kinds::NET).pin(Kinds::NET, "/tmp/nowhere").unwrap();
    let mut with_proc = shell("true");
    with_proc.map_root().unshare(Kinds::PID).mount_proc("/proc").unwrap();
    for (spec, words) in [
        (with_pipe, "pipe"),
        (with_init, "init process"),
        (sandboxed, "init process"),
        (with_ranges, "one thread"),
        (pinned, "one thread"),
        (with_proc, "fresh proc"),
    ] {
        let error = spec.exec();
        assert_eq!((error.errno(), error.step()), (libc::EINVAL, Step::Argument), "{error}");
        assert!(error.message().contains(words) && error.hint().contains("spawn"), "{error}");
    }
}

/// Returns the lines of the calling thread's capability sets.
fn capabilities() -> String {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().filter(|line| line.starts_with("Cap")).map(|line| format!("{line}\n")).collect()
}

/// Makes execve and execveat fail from now on.
fn forbid_exec() {
    let code = [
        (0x20, 0, 0, 0),
        (0x15, 1, 0, libc::SYS_execve as u32),
        (0x15, 0, 1, libc::SYS_execveat as u32),
        (0x06, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        (0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let mut code = code.map(|(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k });
    let program = libc::sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
    // SAFETY: integers are passed, and a filter that lives until the call returns.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
    }
}

/// A command prefix that runs the test with uid 65534 and some capabilities.
const WITH_CAPABILITIES: [&str; 6] = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=+kill,+sys_chroot",
    "--ambient-caps=+kill",
];

#[test]
fn capabilities_come_along() {
    if !is_root() && !is_alone() {
        return;
    }
    match alone_after(&WITH_CAPABILITIES, "capabilities_come_along") {
        Some((_, output)) => {
            let lines = printed(&output);
            assert!(lines.iter().any(|line| line == "CapEff:\t0000000000000020"), "{lines:?}");
        }
        None => panic!("{}", shell("grep Cap /proc/self/status").exec()),
    }
}

#[test]
fn capabilities_are_as_before_where_exec_fails() {
    if !is_root() && !is_alone() {
        return;
    }
    match alone_after(&WITH_CAPABILITIES, "capabilities_are_as_before_where_exec_fails") {
        Some((_, output)) => assert!(output.status.success(), "{output:?}"),
        None => {
            let before = capabilities();
            assert!(before.contains("CapAmb:\t0000000000000020"), "{before}");
            forbid_exec();
            let error = shell("true").exec();
            assert_eq!(error.step(), Step::Prepare, "{error}");
            assert_eq!(capabilities(), before);
        }
    }
}

#[test]
fn limits_hold_and_the_cgroup_goes_with_the_next_use() {
    const NAME: &str = "limits_hold_and_the_cgroup_goes_with_the_next_use";
    let limits = || Limits::new().pids(7);
    match alone(NAME) {
        None => {
            let mut spec = shell("cat /proc/self/cgroup");
            spec.limits(limits());
            let error = spec.exec();
            assert_eq!(error.step(), Step::Cgroup, "{error}");
            assert!(!is_root(), "{error}: {}", error.hint());
            println!("skipped: {error}");
        }
        Some((_, output)) if text(&output.stdout).contains("skipped: ") => {}
        Some((pid, output)) => {
            let lines = printed(&output);
            let group = lines.iter().find_map(|line| {
                let name = line.rsplit('/').next()?;
                name.starts_with(&format!("nsiso-{pid}.")).then(|| name.to_owned())
            });
            let group = group.unwrap_or_else(|| panic!("{lines:?}"));
            let found = || {
                let find = Command::new("find").args(["/sys/fs/cgroup", "-name", &group]).output().unwrap();
                text(&find.stdout)
            };
            let left = found();
            assert!(!left.is_empty());
            let limit = left.lines().find_map(|path| fs::read_to_string(format!("{path}/pids.max")).ok());
            assert_eq!(limit.as_deref(), Some("7\n"), "{left}");
            shell("true").limits(limits()).stdio(1, Stdio::Null).unwrap().spawn().unwrap().wait().unwrap();
            assert_eq!(found(), "");
        }
    }
}

#[test]
fn joined_namespaces_are_those_of_the_program() {
    const NAME: &str = "joined_namespaces_are_those_of_the_program";
    if let Some((_, output)) = alone(NAME) {
        assert_eq!(printed(&output), ["there", "0"]);
        return;
    }
    let mut target = Spec::new("sh").unwrap();
    target.args(["-c", "echo; exec cat"]).unwrap().map_root().hostname("there").unwrap();
    target.stdio(0, Stdio::Pipe).unwrap().stdio(1, Stdio::Pipe).unwrap();
    let mut process = target.spawn().unwrap();
    let ready = process.take_pipe(1).unwrap();
    nix::unistd::read(ready.as_fd(), &mut [0]).unwrap();
    let pidfd = process.pidfd().try_clone_to_owned().unwrap();
    let mut spec = shell("hostname; id -u");
    spec.join_process(pidfd.as_fd(), Kinds::USER | Kinds::UTS).unwrap();
    // Executing the program closes the pipe to the target's input, which ends the target.
    panic!("{}", spec.exec());
}
