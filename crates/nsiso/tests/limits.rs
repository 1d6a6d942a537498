//! Limits by control groups: by version 1 where this machine has its controllers there, otherwise by version 2.

use std::fs;
use std::time::{Duration, Instant};

use nsiso::{Exit, Kinds, Limits, Process, Spec, Stdio, Step};

fn shell(script: &str, limits: Limits) -> Spec<'static> {
    let mut spec = Spec::new("/bin/sh").unwrap();
    spec.args(["-c", script])
        .unwrap()
        .limits(limits)
        .stdio(1, Stdio::Null)
        .unwrap()
        .stdio(2, Stdio::Null)
        .unwrap();
    spec
}

/// Limits take root, or a group that is delegated; the reason where there is neither.
fn skipped() -> bool {
    match Spec::new("true").unwrap().limits(Limits::new().pids(100)).spawn() {
        Ok(process) => {
            process.wait().unwrap();
            false
        }
        Err(error) => {
            assert!(!nix::unistd::geteuid().is_root(), "{error}: {}", error.hint());
            assert!(error.hint().contains("Delegate=yes"), "{error}: {}", error.hint());
            eprintln!("skipped: {error}");
            true
        }
    }
}

/// Groups of this process's.
fn groups() -> Vec<String> {
    fn below(directory: &str, found: &mut Vec<String>, depth: usize) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let path = format!("{directory}/{name}");
            if name.starts_with(&format!("nsiso-{}.", std::process::id())) {
                found.push(path);
            } else if depth > 0 && entry.file_type().unwrap().is_dir() {
                below(&path, found, depth - 1);
            }
        }
    }
    let mut found = Vec::new();
    below("/sys/fs/cgroup", &mut found, 4);
    found
}

#[test]
fn limits_hold() {
    if skipped() {
        return;
    }
    memory();
    joining();
    processes();
    processor_time();
    pressure();
    freezing();
    killing();
    changing();
    removal();
    refusals();
    assert_eq!(groups(), Vec::<String>::new());
}

fn memory() {
    let hog = "head -c 200000000 /dev/zero | tail";
    let status = shell(&format!("exec sh -c '{hog}'"), Limits::new().memory(32 << 20))
        .spawn()
        .unwrap()
        .wait()
        .unwrap();
    assert!(status.out_of_memory(), "{status:?}");
    let resources = status.resources().unwrap();
    assert!((16 << 20..=33 << 20).contains(&resources.peak_memory.unwrap()), "{resources:?}");
    let status = shell(hog, Limits::new().memory(1 << 30)).spawn().unwrap().wait().unwrap();
    assert!(!status.out_of_memory() && status.code() == Some(0), "{status:?}");
    // And in namespaces of its own, seen from inside as the root.
    let mut spec =
        shell("test \"$(cut -d: -f3 /proc/self/cgroup | sort -u)\" = /", Limits::new().memory(64 << 20));
    spec.map_root().unshare(Kinds::all() - Kinds::TIME);
    let group_of_all = spec.spawn().unwrap().wait().unwrap();
    assert_eq!(group_of_all.code(), Some(0));
}

fn joining() {
    let mut target = Spec::new("cat").unwrap();
    target.map_root().unshare(Kinds::PID | Kinds::NET).stdio(0, Stdio::Pipe).unwrap();
    let target = target.spawn().unwrap();
    let mut spec =
        shell("grep -q /nsiso- /proc/self/cgroup && echo $$ >/dev/null && sleep 9", Limits::new().pids(9));
    spec.join_process(target.pidfd(), Kinds::USER | Kinds::PID | Kinds::NET).unwrap();
    let process = spec.spawn().unwrap();
    // Its shell and the sleep.
    let counted = || process.resources().unwrap().pids.unwrap();
    while counted() < 2 {
        assert!(counted() > 0, "the program has ended outside its group");
        std::thread::sleep(Duration::from_millis(5));
    }
    process.kill_group().unwrap();
    process.wait().unwrap();
    target.kill().unwrap();
    target.wait().unwrap();
}

fn processes() {
    let bomb = "i=0; while [ $i -lt 50 ]; do sleep 5 & i=$((i + 1)); done; wait";
    let start = Instant::now();
    let mut spec = shell(bomb, Limits::new().pids(10));
    let process = spec.map_root().init().spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(process.resources().unwrap().pids.unwrap() <= 10);
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(start.elapsed() < Duration::from_secs(4));
}

fn cpu_time(process: &Process) -> f64 {
    process.resources().unwrap().cpu_time.unwrap().as_secs_f64()
}

fn processor_time() {
    let process = shell("while :; do :; done", Limits::new().cpu(0.5).unwrap()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let (start, before) = (Instant::now(), cpu_time(&process));
    std::thread::sleep(Duration::from_secs(2));
    let share = (cpu_time(&process) - before) / start.elapsed().as_secs_f64();
    // Within a tenth; less where the machine has less to give.
    assert!(share > 0.0 && share <= 0.55, "{share}");
    process.set_limits(&Limits::new().cpu(0.01).unwrap()).unwrap();
    while process.resources().unwrap().throttled_time == Some(Duration::ZERO) {
        std::thread::sleep(Duration::from_millis(10));
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

/// Where the kernel counts it: not with psi=0, nor in version 1.
fn pressure() {
    let mut spec = shell("while :; do :; done & while :; do :; done", Limits::new());
    let process = spec.cpus(&[0]).unwrap().spawn().unwrap();
    let waited = || process.resources().unwrap().cpu_pressure.map(|pressure| pressure.some);
    while waited().is_some_and(|stall| stall.total == Duration::ZERO || stall.avg10 == 0.0) {
        std::thread::sleep(Duration::from_millis(50));
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

fn freezing() {
    let process = shell("while :; do :; done", Limits::new()).spawn().unwrap();
    process.freeze(true).unwrap();
    let before = cpu_time(&process);
    std::thread::sleep(Duration::from_millis(200));
    assert!(cpu_time(&process) - before < 0.01);
    process.freeze(false).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(cpu_time(&process) - before > 0.01);
    process.kill().unwrap();
    process.wait().unwrap();
}

fn killing() {
    let process =
        shell("for n in 1 2 3 4 5; do sleep 100 & done; setsid sleep 100", Limits::new()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(process.resources().unwrap().pids.unwrap() >= 6);
    process.kill_group().unwrap();
    assert!(matches!(process.wait().unwrap().exit(), Exit::Signal { signal: libc::SIGKILL, .. }));
    // What a program leaves behind goes with its group.
    let status = shell("setsid sleep 103.5 & exit 3", Limits::new()).spawn().unwrap().wait().unwrap();
    assert_eq!(status.code(), Some(3));
}

fn changing() {
    let process = shell("sleep 0.5; head -c 100000000 /dev/zero | tail", Limits::new().memory(1 << 30))
        .spawn()
        .unwrap();
    process.set_limits(&Limits::new().memory(16 << 20)).unwrap();
    assert!(process.wait().unwrap().out_of_memory());
    assert_eq!(process.freeze(true).unwrap_err().errno(), libc::ENOTSUP);
}

fn removal() {
    let spec = shell("exit 0", Limits::new().pids(50).memory(1 << 28));
    for _ in 0..200 {
        spec.spawn().unwrap().wait().unwrap();
    }
    assert_eq!(groups(), Vec::<String>::new());
    let error = Spec::new("/does/not/exist").unwrap().limits(Limits::new().pids(50)).spawn().unwrap_err();
    assert_eq!(error.step(), Step::Exec);
    assert_eq!(groups(), Vec::<String>::new());
}

fn refusals() {
    assert!(
        Limits::new().cpu(0.0).is_err()
            && Limits::new().cpu_weight(0).is_err()
            && Limits::new().cpus("a").is_err()
    );
    assert!(
        Limits::new().io("/proc", nsiso::Io::default()).unwrap_err().to_string().contains("no block device")
    );
    let error = shell("", Limits::new().cpus("9999").unwrap()).spawn().unwrap_err();
    assert_eq!(error.step(), Step::Limit, "{error}");
    let mut spec = shell("", Limits::new());
    let error = spec.cgroup_parent("/tmp").unwrap().spawn().map(|process| process.wait()).unwrap_err();
    assert!(matches!(error.step(), Step::Cgroup | Step::Limit), "{error}");
}
