//! Tests that the next use of limits removes the cgroups that a killed owner left behind, and no
//! others.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nsiso::{Limits, Process, Spec, Stdio};

/// The environment variable that says what [`role`] does in a process of its own.
const ROLE: &str = "NSISO_TEST_ROLE";
const LEVELS: usize = 2000;

/// Returns whether the test is skipped. It takes root, for limits, namespaces and cgroups of its
/// own.
fn skipped() -> bool {
    let skipped = !nix::unistd::geteuid().is_root();
    if skipped {
        eprintln!("skipped: not root");
    }
    skipped
}

fn running() -> Process {
    let mut spec = Spec::new("sleep").unwrap();
    spec.args(["1000"]).unwrap().limits(Limits::new().pids(50));
    // A failed test leaves the program running. It must not keep the test's output pipe open.
    let spec = (0..3).fold(&mut spec, |spec, fd| spec.stdio(fd, Stdio::Null).unwrap());
    spec.spawn().unwrap()
}

/// Uses limits once, which makes the library search for cgroups of dead owners.
fn use_limits() -> nsiso::Result<()> {
    let mut spec = Spec::new("true").unwrap();
    spec.limits(Limits::new().pids(50));
    spec.spawn()?.wait()?;
    Ok(())
}

/// Does nothing when run as a test. [`start`] runs it in another process, with a role.
#[test]
fn role() {
    match std::env::var(ROLE).as_deref() {
        // Without limits this role fails.
        Ok("user") => (0..3).for_each(|_| use_limits().unwrap()),
        Ok("starved") => starved(),
        Ok("killed") => killed(0),
        Ok("killed deep") => killed(LEVELS),
        _ => {}
    }
}

/// Uses limits with few file descriptors left, then with more, until it works.
fn starved() {
    let used = fs::read_dir("/proc/self/fd").unwrap().count() as u64 - 1;
    for free in 0..100 {
        let limit = libc::rlimit { rlim_cur: used + free, rlim_max: 1000 };
        // SAFETY: the struct lives until the call returns.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
        if use_limits().is_ok() {
            assert!(free > 2);
            return;
        }
    }
    panic!("100 descriptors are not enough");
}

/// Ends like an owner that is killed while `levels` cgroups are nested in its own.
fn killed(levels: usize) {
    let mut spec = Spec::new("true").unwrap();
    spec.limits(Limits::new().pids(50)).stdio(1, Stdio::Pipe).unwrap();
    let mut process = spec.spawn().unwrap();
    if levels > 0 {
        nest(&groups_of(std::process::id()).remove(0), levels);
    }
    // Wait until the program has ended, but do not reap it.
    File::from(process.take_pipe(1).unwrap()).read_to_end(&mut Vec::new()).unwrap();
    // SAFETY: only integers are passed.
    unsafe { libc::raise(libc::SIGKILL) };
}

/// Starts a process with a role in the cgroup `home`. The command `by` starts it.
fn start(role: &str, by: &[&str], home: Option<&Path>) -> Child {
    let program = std::env::current_exe().unwrap();
    let enter = "if test -n \"$HOME_GROUP\"; then echo $$ >\"$HOME_GROUP/cgroup.procs\"; fi; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-e", "-c", enter, "sh"]).args(by).arg(program).args(["--exact", "role"]);
    command.env(ROLE, role).env("HOME_GROUP", home.unwrap_or(Path::new("")));
    command.stdout(std::process::Stdio::null()).spawn().unwrap()
}

fn run(role: &str, by: &[&str], home: Option<&Path>) -> ExitStatus {
    start(role, by, home).wait().unwrap()
}

/// Returns the directories of the cgroups that a process has created, that of the pids controller
/// first.
fn groups_of(pid: u32) -> Vec<PathBuf> {
    fn look(directory: &Path, prefix: &str, depth: usize, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name().to_str().unwrap().starts_with(prefix) {
                found.push(path);
            } else if depth > 0 {
                look(&path, prefix, depth - 1, found);
            }
        }
    }
    let mut found = Vec::new();
    look(Path::new("/sys/fs/cgroup"), &format!("nsiso-{pid}."), 5, &mut found);
    found.sort_by_key(|path| !path.join("pids.max").exists());
    found
}

/// Creates `levels` cgroups, one inside the other. The path of the innermost is longer than
/// PATH_MAX.
fn nest(group: &Path, levels: usize) {
    let mut here = OwnedFd::from(File::open(group).unwrap());
    for _ in 0..levels {
        mkdirat(&here, c"nested", Mode::from_bits_truncate(0o755)).unwrap();
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        here = openat(&here, c"nested", flags, Mode::empty()).unwrap();
    }
    assert!(here.as_raw_fd() > 2);
}

/// Empty cgroups, which are removed when this is dropped.
struct Groups(Vec<PathBuf>);

impl Groups {
    fn make(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let paths: Vec<PathBuf> = paths.into_iter().collect();
        paths.iter().for_each(|path| fs::create_dir(path).unwrap());
        Groups(paths)
    }

    fn left(&self) -> Vec<bool> {
        self.0.iter().map(|path| path.exists()).collect()
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            let _ = fs::remove_dir(path);
        }
    }
}

/// Returns the directory of this process's own cgroup, in the hierarchy of the pids controller.
fn own_group() -> PathBuf {
    let text = fs::read_to_string("/proc/self/cgroup").unwrap();
    let group = |controller: &str| {
        let mut lines = text.lines().map(|line| line.splitn(3, ':').skip(1));
        lines.find_map(|mut parts| (parts.next()? == controller).then(|| parts.next()).flatten())
    };
    match group("pids") {
        Some(path) => PathBuf::from(format!("/sys/fs/cgroup/pids{path}")),
        None => PathBuf::from(format!("/sys/fs/cgroup{}", group("").unwrap())),
    }
}

const OTHER_TIME: [&str; 6] = ["unshare", "--fork", "-T", "--boottime", "1000000", "--"];
const OTHER_PIDS: [&str; 4] = ["unshare", "--fork", "--pid", "--mount-proc"];

#[test]
fn a_living_owner_is_alive_for_every_reader() {
    if skipped() {
        return;
    }
    let process = running();
    // No process is in these cgroups. Only the living owner in their names protects them from
    // removal.
    let empty = groups_of(std::process::id()).into_iter().filter(|path| !path.ends_with("-empty"));
    let empty = Groups::make(empty.map(|mut path| {
        path.as_mut_os_string().push("-empty");
        path
    }));
    assert!(!empty.0.is_empty());
    let readers: [(&str, &[&str]); 4] =
        [("user", &[]), ("user", &OTHER_TIME), ("user", &OTHER_PIDS), ("starved", &[])];
    for (role, by) in readers {
        assert!(run(role, by, None).success(), "{role} {by:?}");
        assert!(empty.left().iter().all(|left| *left), "{role} {by:?} has removed a cgroup of the living");
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

/// The names have the form that is used before Linux 6.9, which introduced pidfs.
#[test]
fn start_times_are_compared_in_one_time_namespace_only() {
    if skipped() {
        return;
    }
    let inode = |kind: &str| {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(format!("/proc/self/ns/{kind}")).unwrap().ino()
    };
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let ticks: u64 = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap();
    let name = |ticks: u64| {
        let owner = format!("{}.{}.s{}.{ticks}", std::process::id(), inode("pid"), inode("time"));
        own_group().join(format!("nsiso-{owner}-start-1"))
    };
    let groups = Groups::make([name(ticks), name(ticks + 1)]);
    assert!(run("user", &OTHER_TIME, None).success() && run("user", &OTHER_PIDS, None).success());
    assert_eq!(groups.left(), [true, true]);
    assert!(run("user", &[], None).success());
    assert_eq!(groups.left(), [true, false]);
}

#[test]
fn cgroups_nested_2000_deep_are_removed() {
    if skipped() {
        return;
    }
    let small = std::thread::Builder::new().stack_size(256 << 10);
    let test = || {
        let process = running();
        // SAFETY: no arguments are passed.
        let thread = unsafe { libc::gettid() };
        let mut groups = groups_of(std::process::id()).into_iter();
        let group = groups.find(|path| path.to_str().unwrap().ends_with(&format!("-{thread}"))).unwrap();
        nest(&group, LEVELS);
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(!group.exists());
        // The nested cgroups of a killed owner are removed too.
        let mut owner = start("killed deep", &[], None);
        assert_eq!(owner.wait().unwrap().signal(), Some(libc::SIGKILL));
        swept(owner.id(), || use_limits().unwrap());
    };
    small.spawn(test).unwrap().join().unwrap();
}

/// Uses limits until no cgroup of a dead owner is left. Its last process may not have ended yet.
fn swept(pid: u32, mut user: impl FnMut()) {
    for _ in 0..50 {
        user();
        if groups_of(pid).is_empty() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{:?} are left", groups_of(pid));
}

#[test]
fn a_dead_owner_is_swept_from_wherever_it_was() {
    if skipped() {
        return;
    }
    let top = own_group().join(format!("test-{}", std::process::id()));
    let homes = [top.clone(), top.join("a"), top.join("a/b"), top.join("c")];
    let _homes = Groups::make(homes.clone());
    let [top, a, b, c] = &homes;
    // The cgroup of the owner and that of the next user of limits. `None` is this process's own
    // cgroup, an ancestor of the others.
    let pairs =
        [(Some(a), None), (Some(b), Some(top)), (Some(a), Some(c)), (Some(top), Some(b)), (None, Some(b))];
    for (dead, next) in pairs {
        let mut owner = start("killed", &[], dead.map(PathBuf::as_path));
        assert_eq!(owner.wait().unwrap().signal(), Some(libc::SIGKILL));
        swept(owner.id(), || assert!(run("user", &[], next.map(PathBuf::as_path)).success()));
    }
}
