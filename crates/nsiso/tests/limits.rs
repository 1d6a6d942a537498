//! Tests of limits enforced by cgroups: of version 1 if this machine has its controllers there,
//! otherwise of version 2.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nsiso::{Exit, Io, Kinds, Limits, Process, Spec, Status, Stdio, Step};

fn shell<'fd>(script: &str, limits: Limits) -> Spec<'fd> {
    let mut spec = Spec::new("/bin/sh").unwrap();
    spec.args(["-c", script]).unwrap().limits(limits).stdio(0, Stdio::Null).unwrap();
    spec.stdio(1, Stdio::Null).unwrap().stdio(2, Stdio::Null).unwrap();
    spec
}

fn ended(script: &str, limits: Limits) -> Status {
    shell(script, limits).spawn().unwrap().wait().unwrap()
}

/// Returns whether limits cannot be used here, and prints the reason. They take root or a delegated
/// cgroup.
fn skipped() -> bool {
    match Spec::new("true").unwrap().limits(Limits::new().pids(100)).spawn() {
        Ok(process) => {
            process.wait().unwrap();
            false
        }
        Err(error) => {
            // The error must say what is missing and where it was searched, and the hint what to
            // do.
            assert!(!nix::unistd::geteuid().is_root(), "{error}: {}", error.hint());
            assert!(
                error.to_string().contains("/sys/fs/cgroup") || error.to_string().contains("pids"),
                "{error}"
            );
            assert!(
                error.hint().contains("Delegate=yes") && error.hint().contains("rlimits"),
                "{}",
                error.hint()
            );
            eprintln!("skipped: {error}");
            true
        }
    }
}

/// Returns the cgroups of the library whose names satisfy `mine`.
fn groups_of(mine: impl Fn(&str) -> bool + Copy) -> Vec<String> {
    fn below(directory: &str, mine: impl Fn(&str) -> bool + Copy, found: &mut Vec<String>, depth: usize) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{directory}/{name}");
            if name.starts_with("nsiso-") && mine(&name) {
                found.push(path);
            } else if depth > 0 && entry.file_type().unwrap().is_dir() {
                below(&path, mine, found, depth - 1);
            }
        }
    }
    let mut found = Vec::new();
    below("/sys/fs/cgroup", mine, &mut found, 4);
    found
}

fn own_groups() -> Vec<String> {
    // SAFETY: no arguments are passed.
    let thread = unsafe { libc::gettid() };
    let (host, thread) = (format!("nsiso-{}.", std::process::id()), format!("-{thread}"));
    groups_of(|name| name.starts_with(&host) && name.ends_with(&thread))
}

fn assert_no_group_is_left() {
    assert_eq!(own_groups(), Vec::<String>::new());
}

fn cpu_time(process: &Process) -> Duration {
    process.resources().unwrap().cpu_time.unwrap()
}

fn pids(process: &Process) -> u64 {
    process.resources().unwrap().pids.unwrap()
}

#[test]
fn a_memory_hog_is_killed_and_said_to_be_out_of_memory() {
    if skipped() {
        return;
    }
    let hog = hog(200);
    // If the machine has swap, it must not be used.
    let limits = |bytes| match swaps() {
        true => Limits::new().memory(bytes).swap(0),
        false => Limits::new().memory(bytes),
    };
    let status = ended(&format!("exec sh -c '{hog}'"), limits(32 << 20));
    assert!(status.out_of_memory(), "{status:?}");
    let resources = status.resources().unwrap();
    // In version 2, the kernel reports the peak since Linux 5.19.
    assert!(resources.peak_memory.is_none_or(|peak| (16 << 20..=33 << 20).contains(&peak)), "{resources:?}");
    let status = ended(&hog, limits(1 << 30));
    assert!(!status.out_of_memory() && status.code() == Some(0), "{status:?}");
    assert_no_group_is_left();
}

/// Returns a command that fills a buffer of this size.
fn hog(megabytes: u64) -> String {
    format!("dd if=/dev/zero of=/dev/null bs={megabytes}M count=1")
}

fn swaps() -> bool {
    fs::read_to_string("/proc/swaps").is_ok_and(|text| text.lines().count() > 1)
}

#[test]
fn a_user_of_swap_is_held() {
    if skipped() {
        return;
    }
    if !swaps() {
        return eprintln!("skipped: this machine has no swap");
    }
    // One large read would not do: the kernel may cut it short instead of killing the process.
    let hog = "head -c 80000000 /dev/zero | tail";
    let limits = Limits::new().memory(32 << 20);
    let status = ended(hog, limits.clone().swap(8 << 20));
    assert!(status.out_of_memory(), "{status:?}");
    let status = ended(hog, limits.swap(200 << 20));
    assert!(!status.out_of_memory() && status.code() == Some(0), "{status:?}");
}

#[test]
fn huge_pages_are_held() {
    if skipped() {
        return;
    }
    let file = format!("/dev/hugepages/nsiso-{}", std::process::id());
    let take = |megabytes: u64| ended(&format!("fallocate -l {megabytes}M {file}"), two_pages()).code();
    fn two_pages() -> Limits {
        Limits::new().huge_pages("2MB", 4 << 20).unwrap()
    }
    if !Command::new("fallocate").args(["-l", "8M", &file]).status().is_ok_and(|status| status.success()) {
        return eprintln!("skipped: no huge pages to be had in /dev/hugepages");
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(take(4), Some(0));
    fs::remove_file(&file).unwrap();
    assert_ne!(take(8), Some(0));
    fs::remove_file(&file).unwrap();
}

#[test]
fn a_writer_is_slowed_down_to_its_bandwidth() {
    const BANDWIDTH: f64 = 500_000.0;
    if skipped() {
        return;
    }
    // Writes to a disk that may be overwritten or to a file, with O_DIRECT. On version 1, data in
    // the page cache is written back by other processes.
    let disk = std::env::var_os("NSISO_DISK").map(PathBuf::from);
    let temporary = std::env::temp_dir().join(format!("nsiso-disk-{}", std::process::id()));
    let path = disk.clone().unwrap_or_else(|| temporary.clone());
    let io = Io { wbps: Some(BANDWIDTH as u64), ..Io::default() };
    let on = if disk.is_some() { path.clone() } else { std::env::temp_dir() };
    let limits = match Limits::new().io(&on, io) {
        Ok(limits) => limits,
        Err(error) => return eprintln!("skipped: {error}"),
    };
    let dd =
        format!("exec dd if=/dev/zero of={} bs=64k count=1024 conv=notrunc oflag=direct", path.display());
    let start = Instant::now();
    let process = match shell(&dd, limits).spawn() {
        Err(error) if error.step() == Step::Limit && error.errno() == libc::ENOTSUP => {
            return eprintln!("skipped: {error}");
        }
        process => process.unwrap(),
    };
    sleep(Duration::from_secs(3));
    let resources = process.resources().unwrap();
    let written = resources.written_bytes.unwrap() as f64;
    assert!(
        written > 0.0 && written <= 1.1 * BANDWIDTH * start.elapsed().as_secs_f64() + 65536.0,
        "{resources:?}"
    );
    process.kill().unwrap();
    process.wait().unwrap();
    let _ = fs::remove_file(temporary);
    assert_no_group_is_left();
}

#[test]
fn a_fork_bomb_stops_at_its_limit() {
    const LIMIT: u64 = 20;
    if skipped() {
        return;
    }
    let bomb = "bomb() { while :; do bomb & done; }; while :; do (bomb) & wait; done";
    let process = shell(bomb, Limits::new().pids(LIMIT).cpu(0.5).unwrap()).spawn().unwrap();
    let mut most = 0;
    while most < LIMIT {
        let now = pids(&process);
        // A new process that is being refused is counted for a moment, one on each processor.
        assert!(now <= LIMIT + 2, "{now}");
        most = most.max(now);
    }
    process.kill_group().unwrap();
    process.wait().unwrap();
    assert_no_group_is_left();
}

#[test]
fn a_spinner_gets_its_share_of_a_processor() {
    if skipped() {
        return;
    }
    let process = shell("while :; do :; done", Limits::new().cpu(0.5).unwrap()).spawn().unwrap();
    sleep(Duration::from_millis(300));
    let (start, before) = (Instant::now(), cpu_time(&process));
    sleep(Duration::from_secs(2));
    let share = (cpu_time(&process) - before).as_secs_f64() / start.elapsed().as_secs_f64();
    // The share is exact to a tenth, and smaller if the machine has less CPU time to give.
    assert!(share > 0.0 && share <= 0.55, "{share}");
    process.set_limits(&Limits::new().cpu(0.01).unwrap()).unwrap();
    while process.resources().unwrap().throttled_time == Some(Duration::ZERO) {
        sleep(Duration::from_millis(10));
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

/// The kernel does not count pressure if it was booted with psi=0, or in version 1.
#[test]
fn pressure_is_told() {
    if skipped() {
        return;
    }
    let mut spec = shell("while :; do :; done & while :; do :; done", Limits::new());
    let process = spec.cpus(&[0]).unwrap().spawn().unwrap();
    let waited = || process.resources().unwrap().cpu_pressure.map(|pressure| pressure.some);
    while waited().is_some_and(|stall| stall.total == Duration::ZERO || stall.avg10 == 0.0) {
        sleep(Duration::from_millis(50));
    }
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let counted =
        fs::exists("/proc/pressure/cpu").unwrap() && own.lines().any(|line| line.starts_with("0::"));
    let resources = process.resources().unwrap();
    let all = [resources.memory_pressure, resources.cpu_pressure, resources.io_pressure];
    assert!(all.iter().all(|pressure| pressure.is_some() == counted), "{resources:?}");
    assert!(
        all.iter().flatten().all(|pressure| (0.0..=100.0).contains(&pressure.some.avg10)),
        "{resources:?}"
    );
    process.kill_group().unwrap();
    assert_eq!(process.wait().unwrap().resources().unwrap().cpu_pressure.is_some(), counted);
}

#[test]
fn a_frozen_group_makes_no_progress() {
    if skipped() {
        return;
    }
    let process = shell("while :; do :; done", Limits::new()).spawn().unwrap();
    process.freeze(true).unwrap();
    let before = cpu_time(&process);
    sleep(Duration::from_millis(300));
    assert!(cpu_time(&process) - before < Duration::from_millis(10));
    process.freeze(false).unwrap();
    while cpu_time(&process) - before < Duration::from_millis(10) {
        sleep(Duration::from_millis(10));
    }
    // A frozen cgroup is killed as well.
    process.freeze(true).unwrap();
    process.kill_group().unwrap();
    process.wait().unwrap();
    assert_no_group_is_left();
}

#[test]
fn killing_a_group_leaves_nothing() {
    if skipped() {
        return;
    }
    // Every process that lives keeps the pipe open.
    let mut spec = shell("for n in 1 2 3 4 5; do sleep 1000 & done; setsid sleep 1000", Limits::new());
    let mut process = spec.stdio(1, Stdio::Pipe).unwrap().spawn().unwrap();
    while pids(&process) < 6 {
        sleep(Duration::from_millis(10));
    }
    process.kill_group().unwrap();
    File::from(process.take_pipe(1).unwrap()).read_to_end(&mut Vec::new()).unwrap();
    assert!(matches!(process.wait().unwrap().exit(), Exit::Signal { signal: libc::SIGKILL, .. }));
    // Processes that the program leaves behind are killed with its cgroup.
    let mut spec = shell("setsid sleep 1000 & exit 3", Limits::new());
    let mut process = spec.stdio(1, Stdio::Pipe).unwrap().spawn().unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(3));
    File::from(process.take_pipe(1).unwrap()).read_to_end(&mut Vec::new()).unwrap();
    assert_no_group_is_left();
}

#[test]
fn limits_are_changed_while_the_program_runs() {
    if skipped() {
        return;
    }
    let process = shell(&format!("sleep 0.5; exec {}", hog(100)), Limits::new().memory(1 << 30));
    let process = process.spawn().unwrap();
    let less = Limits::new().memory(16 << 20);
    process.set_limits(&if swaps() { less.swap(0) } else { less }).unwrap();
    assert!(process.wait().unwrap().out_of_memory());
    assert_eq!(process.freeze(true).unwrap_err().errno(), libc::ESRCH);
    assert_eq!(process.set_limits(&Limits::new()).unwrap_err().errno(), libc::ESRCH);
    process.kill_group().unwrap();
    let without = Spec::new("true").unwrap().spawn().unwrap();
    without.wait().unwrap();
    assert_eq!(without.kill_group().unwrap_err().errno(), libc::ENOTSUP);
}

#[test]
fn limits_are_changed_all_or_none() {
    if skipped() {
        return;
    }
    let process = shell("exec sleep 100", Limits::new().memory(64 << 20).pids(10)).spawn().unwrap();
    let now = || {
        let read = |file: &str| {
            own_groups().iter().find_map(|group| fs::read_to_string(format!("{group}/{file}")).ok())
        };
        (read("memory.max").or_else(|| read("memory.limit_in_bytes")).unwrap(), read("pids.max").unwrap())
    };
    let before = now();
    let error = process.set_limits(&Limits::new().memory(32 << 20).pids(5).pids(1 << 40)).unwrap_err();
    assert_eq!((error.step(), error.errno()), (Step::Limit, libc::EINVAL), "{error}");
    assert_eq!(now(), before);
    // The cgroup of the program does not use this controller.
    let other = process.set_limits(&Limits::new().memory(32 << 20).cpus("0").unwrap());
    assert_eq!(other.is_err(), now() == before, "{other:?}");
    process.set_limits(&Limits::new().memory(32 << 20).pids(5)).unwrap();
    assert_eq!(now(), ("33554432\n".into(), "5\n".into()));
    process.kill().unwrap();
    process.wait().unwrap();
}

/// The environment variable that holds the cgroup of the next test when it runs in it.
const CROWDED: &str = "NSISO_CROWDED";

#[test]
fn a_cgroup_with_processes_is_not_divided() {
    const NOBODY: u32 = 65534;
    if let Ok(group) = std::env::var(CROWDED) {
        // Goes on when this process is in the cgroup.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        let status = ended("true", Limits::new());
        assert_eq!(status.code(), Some(0));
        let error = shell("true", Limits::new().pids(100)).spawn().unwrap_err();
        assert_eq!((error.errno(), error.step()), (libc::EBUSY, Step::Cgroup), "{error}");
        assert!(error.hint().contains(&format!("mkdir {group}/main")), "{}", error.hint());
        assert_eq!(fs::read_to_string(format!("{group}/cgroup.subtree_control")).unwrap().trim(), "");
        return;
    }
    let controllers = fs::read_to_string("/sys/fs/cgroup/cgroup.subtree_control").unwrap_or_default();
    if !nix::unistd::geteuid().is_root() || !controllers.contains("pids") {
        eprintln!("skipped: only root can lend a cgroup, and version 2 must have pids");
        return;
    }
    let group = format!("/sys/fs/cgroup/crowded-{}", std::process::id());
    fs::create_dir(&group).unwrap();
    for file in ["", "/cgroup.procs", "/cgroup.subtree_control"] {
        std::os::unix::fs::chown(format!("{group}{file}"), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_cgroup_with_processes_is_not_divided", "--nocapture"]);
    let mut child = command
        .env(CROWDED, &group)
        .uid(NOBODY)
        .gid(NOBODY)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    fs::write(format!("{group}/cgroup.procs"), child.id().to_string()).unwrap();
    drop(child.stdin.take());
    let ended = child.wait().unwrap();
    fs::remove_dir(&group).unwrap();
    assert!(ended.success());
}

#[test]
fn too_little_memory_ends_the_program_and_not_its_host() {
    if skipped() {
        return;
    }
    // While a child shares the memory of the spawning process, the kernel would kill that process
    // with it.
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    let bytes = [4 << 10, 64 << 10, 256 << 10];
    for (bytes, way) in
        bytes.into_iter().flat_map(|bytes| ["plain", "sandbox", "waits"].map(|way| (bytes, way)))
    {
        let limits = Limits::new().memory(bytes);
        let mut spec = shell("true", limits);
        match way {
            "sandbox" => drop(spec.sandbox().unwrap()),
            "waits" => drop(spec.map_root().sync_fds(null.as_fd(), null.as_fd())),
            _ => {}
        }
        match spec.spawn().and_then(|process| process.wait()) {
            Ok(status) => assert!(status.out_of_memory() || status.code() == Some(0), "{status:?}"),
            Err(error) => assert!(matches!(error.errno(), libc::ENOMEM | libc::E2BIG), "{error}"),
        }
    }
    assert_no_group_is_left();
}

#[test]
fn in_a_cgroup_namespace_the_group_is_the_root() {
    if skipped() {
        return;
    }
    let seen = "test \"$(cut -d: -f3 /proc/self/cgroup | sort -u)\" = /";
    let mut spec = shell(seen, Limits::new().memory(64 << 20));
    spec.map_root().unshare(Kinds::all() - Kinds::TIME);
    assert_eq!(spec.spawn().unwrap().wait().unwrap().code(), Some(0));
    assert_ne!(ended(seen, Limits::new()).code(), Some(0));
}

#[test]
fn a_program_in_joined_namespaces_is_limited() {
    if skipped() {
        return;
    }
    let mut target = Spec::new("cat").unwrap();
    target.map_root().unshare(Kinds::PID | Kinds::NET).stdio(0, Stdio::Pipe).unwrap();
    let target = target.spawn().unwrap();
    let mut spec = shell("sleep 1000; true", Limits::new().pids(9));
    spec.join_process(target.pidfd(), Kinds::USER | Kinds::PID | Kinds::NET).unwrap();
    let process = spec.spawn().unwrap();
    // The shell and its sleep are in the cgroup.
    while pids(&process) < 2 {
        assert!(pids(&process) > 0, "the program is not in its group");
        sleep(Duration::from_millis(5));
    }
    process.kill_group().unwrap();
    process.wait().unwrap();
    target.kill().unwrap();
    target.wait().unwrap();
}

#[test]
fn a_thousand_spawns_leave_no_group() {
    if skipped() {
        return;
    }
    let spec = shell("exit 0", Limits::new().pids(50).memory(1 << 28));
    for _ in 0..1000 {
        spec.spawn().unwrap().wait().unwrap();
    }
    assert_no_group_is_left();
    let error = Spec::new("/does/not/exist").unwrap().limits(Limits::new().pids(50)).spawn().unwrap_err();
    assert_eq!(error.step(), Step::Exec);
    assert_no_group_is_left();
}

#[test]
fn the_group_of_a_killed_host_is_swept_by_the_next_use() {
    if std::env::var_os("NSISO_HOST").is_some() {
        let mut process = shell("true", Limits::new().pids(50));
        let mut process = process.stdio(1, Stdio::Pipe).unwrap().spawn().unwrap();
        // Wait until the program has ended, but do not reap it.
        File::from(process.take_pipe(1).unwrap()).read_to_end(&mut Vec::new()).unwrap();
        // SAFETY: only integers are passed.
        unsafe { libc::raise(libc::SIGKILL) };
    }
    if skipped() {
        return;
    }
    let mut host = Command::new(std::env::current_exe().unwrap());
    host.args(["--exact", "the_group_of_a_killed_host_is_swept_by_the_next_use"]).env("NSISO_HOST", "1");
    let mut host = host.stdout(std::process::Stdio::null()).spawn().unwrap();
    let name = format!("nsiso-{}.", host.id());
    let left = || groups_of(|group| group.starts_with(&name));
    host.wait().unwrap();
    // The program may not have ended yet, and other tests may already have removed the cgroup.
    while !left().is_empty() {
        ended("exit 0", Limits::new());
    }
}

/// Version 1 limits the sum of memory and swap, so the library must convert the two and write them
/// in an order that the kernel accepts.
#[test]
fn memory_and_swap_grow_and_shrink() {
    if skipped() {
        return;
    }
    let limits = |memory: u64, swap: u64| Limits::new().memory(memory << 20).swap(swap << 20);
    let Ok(process) = shell("sleep 100", limits(100, 10)).spawn() else {
        eprintln!("skipped: this kernel does not count swap");
        return;
    };
    process.set_limits(&limits(400, 50)).unwrap();
    process.set_limits(&Limits::new().memory(600 << 20)).unwrap();
    process.set_limits(&limits(80, 5)).unwrap();
    process.set_limits(&Limits::new().memory(60 << 20)).unwrap();
    process.set_limits(&Limits::new().swap(20 << 20).memory(60 << 20)).unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    assert_no_group_is_left();
}

#[test]
fn what_cannot_be_had_is_refused() {
    assert!(Limits::new().cpu(0.0).is_err());
    assert!(Limits::new().cpu_weight(0).is_err());
    assert!(Limits::new().cpus("a").is_err());
    let error = Limits::new().io("/proc", Io::default()).unwrap_err();
    assert!(error.to_string().contains("no block device"), "{error}");
    if skipped() {
        return;
    }
    let error = shell("", Limits::new().cpus("9999").unwrap()).spawn().unwrap_err();
    assert_eq!(error.step(), Step::Limit, "{error}");
    let error = shell("", Limits::new().huge_pages("3MB", 0).unwrap()).spawn().unwrap_err();
    assert_eq!(error.step(), Step::Limit, "{error}");
    let mut spec = shell("", Limits::new());
    let error = spec.cgroup_parent("/tmp").unwrap().spawn().map(|process| process.wait()).unwrap_err();
    assert!(
        error.step() == Step::Argument && error.message().contains("no directory of a mounted cgroup2"),
        "{error}"
    );
    assert_no_group_is_left();
}
