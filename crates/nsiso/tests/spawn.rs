//! Tests of a spawn that the C and Python tests do not cover: calls that a filter refuses, a caller
//! with many threads, and that nothing is left behind.

mod printed;

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nsiso::{ClockOffset, Exit, Kinds, Spec, Stdio, Step};
use printed::printed;

fn shell(line: &str) -> Spec<'static> {
    let mut spec = Spec::new("sh").unwrap();
    spec.args(["-c", line]).unwrap();
    spec
}

fn output(spec: &mut Spec) -> String {
    let (text, status) = printed(spec);
    assert_eq!(status.code(), Some(0), "{text}");
    text
}

/// Runs the test `name` of this binary again in a process with one test thread, and returns its
/// output, or `None` if this is that process. `prefix` goes before its command line.
fn alone(name: &str, prefix: &[&str]) -> Option<String> {
    if std::env::var_os("NSISO_ALONE").is_some() {
        return None;
    }
    let program = std::env::current_exe().unwrap();
    let mut words: Vec<_> = prefix.iter().map(|word| word.to_string()).collect();
    words.extend(
        [program.to_str().unwrap(), "--exact", name, "--nocapture", "--test-threads=1"].map(String::from),
    );
    let run = Command::new(&words[0]).args(&words[1..]).env("NSISO_ALONE", "1").output().unwrap();
    let text = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{text}");
    Some(text)
}

/// Returns a spec with every option for which the child needs a system call.
fn everything() -> Spec<'static> {
    let mut spec = Spec::new("/usr/bin/env").unwrap();
    spec.arg("true").unwrap().unshare(Kinds::all()).map_root().keep_caps().new_session().reset_signals();
    spec.monotonic(ClockOffset::new(1, 0).unwrap())
        .unwrap()
        .hostname("a")
        .unwrap()
        .domainname("b")
        .unwrap()
        .cwd("/")
        .unwrap()
        .mount_proc("/proc")
        .unwrap();
    spec.uid(0).unwrap().gid(0).unwrap();
    spec.stdio(0, Stdio::Null).unwrap();
    spec
}

/// The calls of the child that strace makes fail. Each has its name, which call of that name or on
/// which path (so that the test's own calls before it do not fail), and the step that must be
/// reported.
const FAILING_CALLS: [(&str, &str, Step); 22] = [
    ("unshare", "", Step::Unshare),
    ("openat", "self/setgroups", Step::Setgroups),
    ("openat", "self/gid_map", Step::GidMap),
    ("openat", "self/uid_map", Step::UidMap),
    ("openat", "self/timens_offsets", Step::ClockOffset),
    ("sethostname", "", Step::Hostname),
    ("setdomainname", "", Step::Domainname),
    ("mount", "", Step::Propagation),
    ("mount", ":when=2", Step::MountProc),
    ("chdir", "", Step::Cwd),
    ("socket", "", Step::Loopback),
    ("ioctl", "", Step::Loopback),
    ("setsid", "", Step::Session),
    ("setresgid", "", Step::Gid),
    ("setresuid", "", Step::Uid),
    ("capget", "", Step::Capabilities),
    ("capset", "", Step::Capabilities),
    ("prctl", ":when=2", Step::Capabilities),
    ("dup3", "", Step::Descriptor),
    ("close_range", "", Step::Descriptor),
    ("rt_sigaction", ":when=50", Step::Signals),
    ("execve", "/usr/bin/env", Step::Exec),
];

#[test]
fn each_failing_call_is_its_own_step_and_leaves_nothing() {
    if let Ok(expected) = std::env::var("NSISO_STEP") {
        let before = fs::read_dir("/proc/self/fd").unwrap().count();
        let error = everything().spawn().unwrap_err();
        assert_eq!(format!("{:?}", error.step()), expected, "{error:?}");
        assert_eq!(error.errno(), libc::EIO);
        assert_eq!(fs::read_dir("/proc/self/fd").unwrap().count(), before);
        // SAFETY: a null status is allowed.
        let left = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG | libc::__WALL) };
        assert_eq!(left, -1, "a child is left");
        return;
    }
    let program = std::env::current_exe().unwrap();
    for (call, which, step) in FAILING_CALLS {
        // An ordinary user's child makes other calls of these names before the intended one.
        // tests/steps.rs makes each of them fail.
        // SAFETY: no arguments are passed.
        if matches!(call, "prctl" | "execve") && unsafe { libc::geteuid() } != 0 {
            continue;
        }
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={call}")]);
        match which.contains('/') {
            true => command.args(["-P", which, "-e", &format!("inject={call}:error=EIO")]),
            false => command.args(["-e", &format!("inject={call}:error=EIO{which}")]),
        };
        command.arg(&program).args(["--exact", "each_failing_call_is_its_own_step_and_leaves_nothing"]);
        let run = command.env("NSISO_STEP", format!("{step:?}")).output().unwrap();
        assert!(run.status.success(), "{call}: {}", String::from_utf8_lossy(&run.stdout));
    }
}

#[test]
fn a_refused_clone3_or_close_range_takes_the_fallback() {
    for inject in ["clone3:error=ENOSYS", "close_range:error=ENOSYS"] {
        let call = inject.split(':').next().unwrap();
        let (trace, inject) = (format!("trace={call}"), format!("inject={inject}"));
        let prefix = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
        let Some(_) = alone("a_refused_clone3_or_close_range_takes_the_fallback", &prefix) else {
            let _leak = fs::File::open("/dev/null").unwrap();
            let mut spec = everything();
            spec.argv(["sh", "-c", "echo $$; hostname; ls /proc/self/fd | xargs"]).unwrap();
            assert_eq!(output(&mut spec), "1\na\n0 1 2 3\n");
            return;
        };
    }
}

#[test]
fn a_busy_host_keeps_its_descriptors_handlers_and_errno() {
    if alone("a_busy_host_keeps_its_descriptors_handlers_and_errno", &[]).is_some() {
        return;
    }
    static STOP: AtomicBool = AtomicBool::new(false);
    /// Stops the threads, also if the test fails.
    struct StopAtEnd;
    impl Drop for StopAtEnd {
        fn drop(&mut self) {
            STOP.store(true, Ordering::Relaxed);
        }
    }
    static HOST: std::sync::atomic::AtomicI32 = std::sync::atomic::AtomicI32::new(0);
    static ELSEWHERE: AtomicBool = AtomicBool::new(false);
    extern "C" fn handler(_: i32) {
        // SAFETY: getpid is async-signal-safe.
        if unsafe { libc::getpid() } != HOST.load(Ordering::Relaxed) {
            ELSEWHERE.store(true, Ordering::Relaxed);
        }
    }
    HOST.store(std::process::id() as i32, Ordering::Relaxed);
    // SAFETY: the handler is async-signal-safe.
    unsafe { libc::signal(libc::SIGUSR1, handler as *const () as usize) };
    std::thread::scope(|scope| {
        for n in 0..64 {
            scope.spawn(move || {
                while !STOP.load(Ordering::Relaxed) {
                    drop(vec![n; 1000]);
                    // SAFETY: the path is a constant and the file descriptor is ours. It is not
                    // close-on-exec on purpose.
                    unsafe { libc::close(libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY)) };
                    // SAFETY: the signal goes to this process, which has a handler for it.
                    unsafe { libc::kill(libc::getpid(), libc::SIGUSR1) };
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
        let _stop = StopAtEnd;
        let script = "set -- /proc/self/fd/*; test $# -le 4";
        let (mut plain, mut boxed) = (shell(script), shell(script));
        plain.unshare(Kinds::USER | Kinds::UTS).map_root();
        boxed.sandbox().unwrap();
        for n in 0..3000 {
            let spec = if n % 30 == 0 { &boxed } else { &plain };
            // SAFETY: this is the errno of the calling thread.
            unsafe { *libc::__errno_location() = 77 };
            let process = spec.spawn().unwrap();
            // SAFETY: as above.
            assert_eq!(unsafe { *libc::__errno_location() }, 77);
            assert_eq!(process.wait().unwrap().exit(), Exit::Code(0));
        }
    });
    assert!(!ELSEWHERE.load(Ordering::Relaxed), "a handler of the host ran in a child");
}

#[test]
fn two_thousand_spawns_leak_nothing() {
    if alone("two_thousand_spawns_leak_nothing", &[]).is_some() {
        return;
    }
    let spec = everything();
    let count = || {
        let descriptors = fs::read_dir("/proc/self/fd").unwrap().count();
        (descriptors, fs::read_to_string("/proc/self/maps").unwrap().lines().count())
    };
    for _ in 0..10 {
        spec.spawn().unwrap().wait().unwrap();
    }
    let before = count();
    for _ in 0..2000 {
        spec.spawn().unwrap().wait().unwrap();
    }
    assert_eq!(count(), before);
    // SAFETY: a null status is allowed.
    assert_eq!(unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG | libc::__WALL) }, -1);
}

#[test]
fn a_host_with_two_gigabytes_and_closed_standard_descriptors_spawns() {
    if alone("a_host_with_two_gigabytes_and_closed_standard_descriptors_spawns", &[]).is_some() {
        return;
    }
    let big = vec![1u8; 2 << 30];
    // SAFETY: the file descriptor belongs to this process, which does not use it.
    unsafe { libc::close(0) };
    let mut spec = shell("test -e /proc/self/fd/0 && echo open || echo closed");
    spec.unshare(Kinds::USER | Kinds::PID).map_root();
    assert_eq!(output(&mut spec), "closed\n");
    assert_eq!(big[1 << 30], 1);
}

#[test]
fn a_program_ignores_what_its_caller_ignores() {
    if alone("a_program_ignores_what_its_caller_ignores", &[]).is_some() {
        return;
    }
    // SAFETY: only integers are passed.
    let ignore = |signal| unsafe { libc::signal(signal, libc::SIG_IGN) };
    let _ = [libc::SIGHUP, libc::SIGPIPE, libc::SIGXFSZ].map(ignore);
    let mut spec = Spec::new("grep").unwrap();
    spec.args(["-E", "SigIgn|SigBlk", "/proc/self/status"]).unwrap();
    // Only the four signals of this test: the process that started the test may ignore others.
    let ignored = |spec: &mut Spec| {
        let seen = output(spec);
        let set = |line: &str| u64::from_str_radix(&line[8..], 16).unwrap();
        let sets: Vec<u64> = seen.lines().map(set).collect();
        (sets[0], sets[1] & 0x0101_1001)
    };
    let bit = |signal: i32| 1 << (signal - 1);
    assert_eq!(ignored(&mut spec), (0, bit(libc::SIGHUP)));
    // The init process reports the status even though the caller ignores SIGCHLD, so that the
    // kernel keeps no status of a child.
    ignore(libc::SIGCHLD);
    assert_eq!(ignored(spec.init(true).map_root()), (0, bit(libc::SIGHUP) | bit(libc::SIGCHLD)));
    assert_eq!(ignored(spec.reset_signals()), (0, 0));
}

#[test]
fn the_dumpable_flag_is_as_before() {
    // SAFETY: only integers are passed.
    let dumpable = || unsafe { libc::prctl(libc::PR_GET_DUMPABLE) };
    // SAFETY: no arguments are passed.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("skipped: needs root, to become another uid");
        return;
    }
    let mut spec = shell("true");
    spec.uid(65534).unwrap().gid(65534).unwrap().cwd("/").unwrap();
    assert_eq!(dumpable(), 1);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..50 {
                    spec.spawn().unwrap().wait().unwrap();
                }
            });
        }
    });
    assert_eq!(dumpable(), 1);
}
