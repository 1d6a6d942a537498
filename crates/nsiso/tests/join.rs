//! Tests of existing namespaces: programs that join them, threads and functions that enter them,
//! and files that keep them.

mod printed;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc;
use std::thread;

use nsiso::{
    ClockOffset, Handle, IdRange, Kinds, Mount, Process, Spec, Stdio, Step, call, enter, pin, unpin,
};
use printed::printed;

const LINKS: [(Kinds, &str); 7] = [
    (Kinds::USER, "user"),
    (Kinds::PID, "pid"),
    (Kinds::MNT, "mnt"),
    (Kinds::NET, "net"),
    (Kinds::IPC, "ipc"),
    (Kinds::UTS, "uts"),
    (Kinds::CGROUP, "cgroup"),
];

/// A `cat` in new namespaces. It ends when its input is closed.
struct Target {
    process: Process,
    input: Option<File>,
}

impl Target {
    fn new(kinds: Kinds) -> Self {
        let mut spec = Spec::new("cat").unwrap();
        spec.unshare(kinds);
        if kinds.contains(Kinds::USER) {
            spec.map_root();
        }
        if kinds.contains(Kinds::PID | Kinds::MNT) {
            spec.mount_proc("/proc").unwrap();
        }
        Target::of(&mut spec)
    }

    fn of(spec: &mut Spec) -> Self {
        spec.stdio(0, Stdio::Pipe).unwrap().stdio(1, Stdio::Pipe).unwrap();
        let mut process = spec.spawn().unwrap();
        let mut input = File::from(process.take_pipe(0).unwrap());
        input.write_all(b"x").unwrap();
        File::from(process.take_pipe(1).unwrap()).read_exact(&mut [0]).unwrap();
        Target { process, input: Some(input) }
    }

    fn inode(&self, link: &str) -> u64 {
        fs::metadata(format!("/proc/{}/ns/{link}", self.process.pid())).unwrap().ino()
    }

    fn handle(&self, kind: Kinds) -> Handle {
        Handle::of_process(self.process.pidfd(), kind).unwrap()
    }

    fn end(mut self) {
        drop(self.input.take());
        self.process.wait().unwrap();
    }
}

fn output(spec: &mut Spec) -> String {
    let (text, status) = printed(spec);
    assert_eq!(status.code(), Some(0), "{text}");
    text
}

/// Returns the links in /proc/self/ns of a program with these options.
fn seen(spec: &mut Spec) -> Vec<String> {
    spec.argv(["sh", "-c", "for n in user pid mnt net ipc uts cgroup; do readlink /proc/self/ns/$n; done"])
        .unwrap();
    output(spec).lines().map(str::to_owned).collect()
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn all_kinds_of_a_process_are_joined_together() {
    let target = Target::new(Kinds::all() - Kinds::TIME);
    let wanted: Vec<String> =
        LINKS.iter().map(|(_, link)| format!("{link}:[{}]", target.inode(link))).collect();
    // Joining must also work from a process with many threads.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut spec = Spec::new("sh").unwrap();
                spec.join_process(target.process.pidfd(), Kinds::all()).unwrap();
                assert_eq!(seen(&mut spec), wanted);
                let ids = output(spec.argv(["sh", "-c", "id -u; id -g; id -G; echo $PPID"]).unwrap());
                assert_eq!(ids.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"]);
                assert_eq!(ids.split_whitespace().last(), Some("0"), "the parent is outside");
            });
        }
    });
    target.end();
}

#[test]
fn each_kind_is_joined_by_a_descriptor() {
    let target = Target::new(Kinds::all() - Kinds::TIME);
    let user = target.handle(Kinds::USER);
    for (kind, link) in LINKS {
        let handle = target.handle(kind);
        assert_eq!((handle.kind(), handle.inode()), (kind, target.inode(link)));
        let mut spec = Spec::new("sh").unwrap();
        spec.join(handle.as_fd()).unwrap();
        if kind != Kinds::USER && (!is_root() || kind == Kinds::PID) {
            spec.join(user.as_fd()).unwrap();
        }
        if kind == Kinds::MNT {
            // The /proc of the target's mount namespace belongs to its pid namespace, so join that
            // too.
            spec.join_process(target.process.pidfd(), Kinds::PID).unwrap();
        }
        // A program that joins only the pid namespace has no /proc of that namespace. Its pid is
        // checked instead.
        let link_seen = match kind {
            Kinds::PID => output(spec.argv(["sh", "-c", "echo $$"]).unwrap()),
            _ => output(spec.argv(["readlink", &format!("/proc/self/ns/{link}")]).unwrap()),
        };
        match kind {
            Kinds::PID => assert!(link_seen.trim().parse::<i32>().unwrap() < 100, "{link_seen}"),
            _ => assert_eq!(link_seen.trim(), format!("{link}:[{}]", target.inode(link))),
        }
    }
    target.end();
}

#[test]
fn new_namespaces_are_made_inside_joined_ones() {
    let target = Target::new(Kinds::USER | Kinds::NET);
    let mut spec = Spec::new("sh").unwrap();
    spec.join_process(target.process.pidfd(), Kinds::USER | Kinds::NET).unwrap();
    spec.unshare(Kinds::PID).mount_proc("/proc").unwrap().hostname("inside").unwrap();
    let text = output(
        spec.argv(["sh", "-c", "echo $$; hostname; readlink /proc/self/ns/net; readlink /proc/self/ns/user"])
            .unwrap(),
    );
    let wanted = format!("1\ninside\nnet:[{}]\nuser:[{}]\n", target.inode("net"), target.inode("user"));
    assert_eq!(text, wanted);
    // Create a user namespace inside the joined one.
    let mut spec = Spec::new("sh").unwrap();
    spec.join_process(target.process.pidfd(), Kinds::USER).unwrap().map_root();
    let text = output(
        spec.argv(["sh", "-c", "cat /proc/self/uid_map; id -u; readlink /proc/self/ns/user"]).unwrap(),
    );
    let words: Vec<_> = text.split_whitespace().collect();
    assert_eq!(words[..4], ["0", "0", "1", "0"], "{text}");
    assert_ne!(words[4], format!("user:[{}]", target.inode("user")));
    target.end();
}

#[test]
fn a_new_proc_is_refused_beside_a_joined_pid_namespace() {
    // It would show the processes of the caller's pid namespace to the program.
    let target = Target::new(Kinds::USER | Kinds::PID);
    let mut spec = Spec::new("true").unwrap();
    spec.join_process(target.process.pidfd(), Kinds::USER | Kinds::PID).unwrap();
    spec.unshare(Kinds::MNT);
    let mut mounted = spec.clone();
    spec.mount_proc("/proc").unwrap();
    mounted.mount(Mount::procfs("/proc").unwrap());
    for spec in [spec, mounted] {
        let error = spec.spawn().unwrap_err();
        assert_eq!((error.errno(), error.step()), (libc::EINVAL, Step::Argument), "{error}");
        assert!(error.hint().contains("join the mount namespace"), "{}", error.hint());
    }
    target.end();
}

#[test]
fn the_caller_is_the_parent_and_told_the_end() {
    let target = Target::new(Kinds::USER | Kinds::PID);
    let mut spec = Spec::new("sh").unwrap();
    spec.join_process(target.process.pidfd(), Kinds::USER | Kinds::PID).unwrap();
    spec.args(["-c", "exit 7"]).unwrap();
    for _ in 0..50 {
        let process = spec.spawn().unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(7));
    }
    let error = spec.argv(["/does/not/exist"]).unwrap().spawn().unwrap_err();
    assert_eq!((error.step(), error.errno()), (Step::Exec, libc::ENOENT));
    target.end();
}

#[test]
fn nothing_is_left_behind_by_joins() {
    let count = || fs::read_dir("/proc/self/fd").unwrap().count();
    let target = Target::new(Kinds::USER | Kinds::PID | Kinds::NET);
    let mut spec = Spec::new("true").unwrap();
    spec.join_process(target.process.pidfd(), Kinds::all()).unwrap();
    spec.spawn().unwrap().wait().unwrap();
    let before = count();
    for _ in 0..300 {
        spec.spawn().unwrap().wait().unwrap();
    }
    // The margin is for other tests of this binary, which run at the same time.
    assert!(count() < before + 100);
    target.end();
}

#[test]
fn a_dead_target_is_refused() {
    let target = Target::new(Kinds::USER | Kinds::NET);
    let pid = target.process.pid();
    // A second pidfd, which stays open after the process has been waited for.
    let pidfd: OwnedFd = target.process.pidfd().try_clone_to_owned().unwrap();
    let mut spec = Spec::new("true").unwrap();
    spec.join_process(pidfd.as_fd(), Kinds::NET).unwrap();
    target.end();
    let error = spec.spawn().unwrap_err();
    assert_eq!((error.step(), error.errno()), (Step::Open, libc::ESRCH), "{error}");
    assert!(error.hint().contains("has ended"), "{}", error.hint());
    let mut spec = Spec::new("true").unwrap();
    assert_eq!(spec.join_process(pidfd.as_fd(), Kinds::NET).unwrap_err().errno(), libc::ESRCH);
    assert_eq!(Handle::of_pid(pid, Kinds::NET).unwrap_err().errno(), libc::ESRCH);
}

#[test]
fn bad_joins_are_told_apart() {
    let own = Handle::own(Kinds::USER).unwrap();
    let mut spec = Spec::new("true").unwrap();
    let error = spec.join(own.as_fd()).unwrap().spawn().unwrap_err();
    assert!(error.to_string().contains("your own user namespace"), "{error}");
    let null = File::open("/dev/null").unwrap();
    let mut spec = Spec::new("true").unwrap();
    assert!(spec.join(null.as_fd()).unwrap_err().to_string().contains("is no namespace"));
    assert!(spec.join_process(null.as_fd(), Kinds::NET).unwrap_err().to_string().contains("is no pidfd"));
    assert!(spec.join_process(null.as_fd(), Kinds::empty()).unwrap_err().to_string().contains("no kind"));
    assert!(Handle::open("/dev/null").unwrap_err().to_string().contains("is no namespace"));
    assert_eq!(Handle::open("/does/not/exist").unwrap_err().errno(), libc::ENOENT);
    assert!(Handle::own(Kinds::NET | Kinds::UTS).unwrap_err().to_string().contains("more kinds than one"));
    let (one, two) = (Target::new(Kinds::USER | Kinds::NET), Target::new(Kinds::USER | Kinds::NET));
    let mut spec = Spec::new("true").unwrap();
    spec.join_process(one.process.pidfd(), Kinds::NET).unwrap();
    spec.join_process(two.process.pidfd(), Kinds::NET).unwrap();
    assert!(spec.spawn().unwrap_err().to_string().contains("cannot both be joined"));
    if !is_root() {
        let mut spec = Spec::new("true").unwrap();
        let error = spec.join_process(one.process.pidfd(), Kinds::NET).unwrap().spawn().unwrap_err();
        assert_eq!((error.step(), error.errno()), (Step::Join, libc::EPERM));
        assert!(error.hint().contains("user namespace"), "{}", error.hint());
    }
    let mut spec = Spec::new("true").unwrap();
    let inner = Target::new(Kinds::USER | Kinds::PID);
    spec.join_process(inner.process.pidfd(), Kinds::USER | Kinds::PID).unwrap().unshare(Kinds::PID);
    assert!(spec.spawn().unwrap_err().to_string().contains("from inside alone"));
    inner.end();
    one.end();
    two.end();
}

#[test]
fn another_time_namespace_is_joined() {
    let mut spec = Spec::new("cat").unwrap();
    spec.unshare(Kinds::all()).map_root().mount_proc("/proc").unwrap();
    spec.boottime(ClockOffset::new(1_000_000, 0).unwrap()).unwrap();
    let target = Target::of(&mut spec);
    let pidfd = target.process.pidfd();
    let wanted = format!("time:[{}]", target.inode("time"));
    let words = ["sh", "-c", "readlink /proc/self/ns/time; cut -d. -f1 /proc/uptime; exit 3"];
    let is_there = |spec: &mut Spec| {
        spec.stdio(1, Stdio::Pipe).unwrap();
        let mut process = spec.argv(words).unwrap().spawn().unwrap();
        let mut text = String::new();
        File::from(process.take_pipe(1).unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(process.wait().unwrap().code(), Some(3), "{text}");
        let (link, uptime) = text.trim().split_once('\n').unwrap();
        assert_eq!(link, wanted);
        assert!(uptime.parse::<u64>().unwrap() > 1_000_000, "{uptime}");
    };
    // Join it together with all other kinds, from many threads.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| is_there(Spec::new("sh").unwrap().join_process(pidfd, Kinds::all()).unwrap()));
        }
    });
    // Join it alone through a file descriptor, and together with new namespaces, for which the
    // caller writes the id maps.
    let (user, time) = (target.handle(Kinds::USER), target.handle(Kinds::TIME));
    let mut spec = Spec::new("sh").unwrap();
    spec.join(time.as_fd()).unwrap();
    if !is_root() {
        spec.join(user.as_fd()).unwrap();
    }
    is_there(&mut spec);
    let mut spec = Spec::new("sh").unwrap();
    spec.join(user.as_fd()).unwrap().join(time.as_fd()).unwrap();
    spec.unshare(Kinds::PID | Kinds::NET).mount_proc("/proc").unwrap();
    is_there(&mut spec);
    if is_root() {
        let mut spec = Spec::new("sh").unwrap();
        spec.join(time.as_fd()).unwrap();
        spec.uid_map(IdRange::new(0, 0, 10).unwrap())
            .unwrap()
            .gid_map(IdRange::new(0, 0, 10).unwrap())
            .unwrap();
        is_there(&mut spec);
    }
    // An error of the program is reported as usual.
    let mut spec = Spec::new("/does/not/exist").unwrap();
    let error = spec.join(user.as_fd()).unwrap().join(time.as_fd()).unwrap().spawn().unwrap_err();
    assert_eq!((error.step(), error.errno()), (Step::Exec, libc::ENOENT), "{error}");
    if !is_root() {
        let error = Spec::new("sh").unwrap().join(time.as_fd()).unwrap().spawn().unwrap_err();
        assert_eq!((error.step(), error.errno()), (Step::Join, libc::EPERM), "{error}");
    }
    target.end();
}

#[test]
fn relatives_are_asked_for() {
    let target = Target::new(Kinds::USER | Kinds::PID | Kinds::NET);
    let (user, pid, net) = (target.handle(Kinds::USER), target.handle(Kinds::PID), target.handle(Kinds::NET));
    assert_eq!(net.owner().unwrap().unwrap(), user);
    assert_eq!(user.parent().unwrap().unwrap(), Handle::own(Kinds::USER).unwrap());
    assert_eq!(pid.parent().unwrap().unwrap(), Handle::own(Kinds::PID).unwrap());
    assert_eq!(user.owner_uid(), Some(nix::unistd::geteuid().as_raw()));
    assert_eq!((net.owner_uid(), net.parent().unwrap().is_none()), (None, true));
    assert_eq!(Handle::for_children(target.process.pidfd(), Kinds::PID).unwrap(), pid);
    target.end();
}

/// Returns whether the test is skipped. The remaining tests take root: a thread joins with the
/// privilege of its own user namespace.
fn skipped(test: &str) -> bool {
    if !is_root() {
        eprintln!("skipped: {test}: a thread enters namespaces as root alone");
    }
    !is_root()
}

#[test]
fn an_ordinary_user_is_told_why_a_thread_may_not_enter() {
    let target = Target::new(Kinds::USER | Kinds::NET);
    let (net, user) = (target.handle(Kinds::NET), target.handle(Kinds::USER));
    let error = enter(&[&user]).unwrap_err();
    assert!(error.to_string().contains("user namespace") && error.hint().contains("spec"), "{error}");
    if !is_root() {
        let error = enter(&[&net]).unwrap_err();
        assert_eq!((error.step(), error.errno()), (Step::Join, libc::EPERM));
        assert!(error.hint().contains("could not return"), "{}", error.hint());
    }
    target.end();
}

#[test]
fn a_thread_enters_and_returns() {
    if skipped("a_thread_enters_and_returns") {
        return;
    }
    let target = Target::new(Kinds::NET | Kinds::UTS | Kinds::IPC | Kinds::CGROUP);
    let kinds = [Kinds::NET, Kinds::UTS, Kinds::IPC, Kinds::CGROUP];
    let handles = kinds.map(|kind| target.handle(kind));
    let here = || kinds.map(|kind| Handle::own(kind).unwrap().inode());
    let before = here();
    let (ask, asked) = mpsc::channel::<()>();
    let other_thread = thread::spawn(move || {
        asked.recv().unwrap();
        kinds.map(|kind| Handle::own(kind).unwrap().inode())
    });
    let entered = enter(&handles.each_ref()).unwrap();
    assert_eq!(here(), handles.each_ref().map(Handle::inode));
    ask.send(()).unwrap();
    assert_eq!(other_thread.join().unwrap(), before, "other threads stay where they are");
    // Entries may be nested and are left in reverse order.
    let other = Target::new(Kinds::NET);
    let inner = enter(&[&other.handle(Kinds::NET)]).unwrap();
    assert_eq!(Handle::own(Kinds::NET).unwrap(), other.handle(Kinds::NET));
    inner.leave().unwrap();
    assert_eq!(here(), handles.each_ref().map(Handle::inode));
    entered.leave().unwrap();
    assert_eq!(here(), before);
    for _ in 0..10_000 {
        enter(&[&handles[0]]).unwrap().leave().unwrap();
    }
    let caught = std::panic::catch_unwind(|| {
        let _entered = enter(&[&handles[0]]).unwrap();
        panic!("on purpose");
    });
    assert!(caught.is_err());
    assert_eq!(here(), before);
    // A failure halfway is undone. A thread cannot enter the second namespace, a pid namespace.
    assert!(enter(&[handles[0].as_fd(), Handle::own(Kinds::PID).unwrap().as_fd()]).is_err());
    assert_eq!(here(), before);
    other.end();
    target.end();
}

#[test]
fn a_function_is_called_inside() {
    if skipped("a_function_is_called_inside") {
        return;
    }
    let target = Target::new(Kinds::NET | Kinds::MNT);
    let handles = [target.handle(Kinds::NET), target.handle(Kinds::MNT)];
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = outside.local_addr().unwrap().port();
    // Bind the same port once more, in the other network namespace, and enter the other mount
    // namespace.
    let (inside, mounts) = call(&handles.each_ref(), || {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        (listener, Handle::own(Kinds::MNT).unwrap().inode())
    })
    .unwrap();
    assert_eq!(inside.local_addr().unwrap().port(), port);
    assert_eq!(Handle::of_socket(inside.as_fd()).unwrap(), handles[0]);
    assert_eq!(mounts, handles[1].inode());
    assert_ne!(Handle::own(Kinds::MNT).unwrap(), handles[1]);
    let error = call(&[Handle::own(Kinds::PID).unwrap()], || ()).unwrap_err();
    assert!(error.to_string().contains("pid namespace"), "{error}");
    target.end();
}

#[test]
fn a_pinned_namespace_outlives_its_processes() {
    if skipped("a_pinned_namespace_outlives_its_processes") {
        return;
    }
    let place = std::env::temp_dir().join(format!("nsiso-pin-{}", std::process::id()));
    let target = Target::new(Kinds::NET | Kinds::UTS);
    let net = target.handle(Kinds::NET);
    pin(&net, &place).unwrap();
    let error = pin(&net, &place).unwrap_err();
    assert_eq!((error.step(), error.errno()), (Step::Pin, libc::EEXIST));
    // An empty file is accepted; a symbolic link and a file with content are refused.
    let (empty, full) = (place.with_extension("empty"), place.with_extension("full"));
    fs::write(&empty, "").unwrap();
    fs::write(&full, "x").unwrap();
    pin(&net, &empty).unwrap();
    unpin(&empty).unwrap();
    std::os::unix::fs::symlink(&full, &empty).unwrap();
    assert_eq!(pin(&net, &empty).unwrap_err().errno(), libc::ELOOP);
    assert_eq!(pin(&net, &full).unwrap_err().errno(), libc::EEXIST);
    assert_eq!(fs::read_to_string(&full).unwrap(), "x");
    fs::remove_file(&empty).unwrap();
    fs::remove_file(&full).unwrap();
    let inode = net.inode();
    drop(net);
    target.end();
    let kept = Handle::open(&place).unwrap();
    assert_eq!(kept.inode(), inode);
    let mut spec = Spec::new("readlink").unwrap();
    spec.arg("/proc/self/ns/net").unwrap().join(kept.as_fd()).unwrap();
    assert_eq!(output(&mut spec).trim(), format!("net:[{inode}]"));
    unpin(&place).unwrap();
    assert!(!place.exists());
    assert!(unpin("/dev/null").is_err());
    assert_eq!(pin(&kept, "/does/not/exist").unwrap_err().errno(), libc::ENOENT);
}

#[test]
fn namespaces_are_pinned_from_the_start() {
    if skipped("namespaces_are_pinned_from_the_start") {
        return;
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count();
    let place = |link: &str| std::env::temp_dir().join(format!("nsiso-start-{}-{link}", std::process::id()));
    let mut spec = Spec::new("true").unwrap();
    spec.map_root();
    let all = LINKS.into_iter().chain([(Kinds::TIME, "time")]);
    for (kind, link) in all.clone() {
        spec.pin(kind, place(link)).unwrap();
    }
    assert_eq!(spec.spawn().unwrap().wait().unwrap().code(), Some(0));
    for (kind, link) in all.clone() {
        let kept = Handle::open(place(link)).unwrap();
        assert_eq!(kept.kind(), kind);
        assert_ne!(kept, Handle::own(kind).unwrap());
        unpin(place(link)).unwrap();
    }
    // If the program or one of the pins fails, no pin is left behind.
    for error in [spec.argv(["/does/not/exist"]).unwrap().spawn().unwrap_err(), {
        spec.argv(["true"]).unwrap().pin(Kinds::UTS, "/does/not/exist").unwrap().spawn().unwrap_err()
    }] {
        assert_eq!(error.errno(), libc::ENOENT, "{error}");
        assert!(all.clone().all(|(_, link)| !place(link).exists()), "{error}");
    }
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count(), mounts);
}

#[test]
fn a_root_and_a_working_directory_are_entered() {
    let target = Target::new(Kinds::USER | Kinds::MNT);
    let root = File::open("/usr").unwrap();
    let cwd = File::open("/proc").unwrap();
    let mut spec = Spec::new("/bin/ls").unwrap();
    spec.join_process(target.process.pidfd(), Kinds::USER).unwrap();
    spec.cwd_at(cwd.as_fd());
    assert!(output(spec.argv(["pwd"]).unwrap()).starts_with("/proc"));
    spec.root_at(root.as_fd());
    let error = spec.argv(["/does/not/exist"]).unwrap().spawn().unwrap_err();
    assert_eq!(error.step(), Step::Exec);
    if !is_root() {
        let mut spec = Spec::new("true").unwrap();
        let error = spec.root_at(root.as_fd()).spawn().unwrap_err();
        assert_eq!((error.step(), error.errno()), (Step::Root, libc::EPERM));
    }
    target.end();
}

#[test]
fn a_target_may_die_at_any_moment() {
    for round in 0..150 {
        let target = Target::new(Kinds::USER | Kinds::PID | Kinds::NET);
        let pidfd = target.process.pidfd().try_clone_to_owned().unwrap();
        let mut spec = Spec::new("true").unwrap();
        spec.join_process(pidfd.as_fd(), Kinds::all()).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(std::time::Duration::from_micros(round * 4));
                target.process.kill().unwrap();
            });
            for _ in 0..3 {
                match spec.spawn() {
                    // The program is in the pid namespace, so it is killed with the target, its
                    // init process.
                    Ok(process) => drop(process.wait().unwrap()),
                    Err(error) => {
                        assert!(!error.message().is_empty() && !error.hint().is_empty(), "{error:?}")
                    }
                }
            }
        });
        target.end();
    }
}

#[test]
fn a_pid_namespace_without_init_takes_nobody() {
    let target = Target::new(Kinds::USER | Kinds::PID);
    let (user, pid) = (target.handle(Kinds::USER), target.handle(Kinds::PID));
    target.end();
    let mut spec = Spec::new("true").unwrap();
    let error = spec.join(user.as_fd()).unwrap().join(pid.as_fd()).unwrap().spawn().unwrap_err();
    assert_eq!((error.step(), error.errno()), (Step::Clone, libc::ENOMEM), "{error}");
    assert!(error.hint().contains("init process"), "{}", error.hint());
}

/// An ordinary user has privilege in its own user namespace, so a thread there can enter the
/// namespaces that this user namespace owns.
#[test]
fn the_owner_of_a_user_namespace_enters_with_a_thread() {
    if std::env::var_os("NSISO_INSIDE").is_none() {
        let name = "the_owner_of_a_user_namespace_enters_with_a_thread";
        let mut spec = Spec::new(std::env::current_exe().unwrap()).unwrap();
        spec.args(["--exact", name, "--nocapture"]).unwrap().map_root().unshare(Kinds::MNT | Kinds::NET);
        spec.env("NSISO_INSIDE", "1").unwrap();
        let text = output(&mut spec);
        assert!(text.contains("1 passed"), "{text}");
        return;
    }
    let target = Target::new(Kinds::NET | Kinds::UTS | Kinds::MNT);
    let (net, uts, mnt) = (target.handle(Kinds::NET), target.handle(Kinds::UTS), target.handle(Kinds::MNT));
    let before = Handle::own(Kinds::NET).unwrap();
    let entered = enter(&[&net]).unwrap();
    assert_eq!(Handle::own(Kinds::NET).unwrap(), net);
    entered.leave().unwrap();
    // The test's own UTS namespace is owned by another user namespace. A thread could enter a new
    // one but could not return.
    let error = enter(&[&net, &uts]).unwrap_err();
    assert!(error.hint().contains("could not return"), "{error}");
    assert_eq!(call(&[&uts], || Handle::own(Kinds::UTS).unwrap()).unwrap(), uts);
    assert_eq!(Handle::own(Kinds::NET).unwrap(), before);
    assert_eq!(call(&[&net, &mnt], || Handle::own(Kinds::MNT).unwrap()).unwrap(), mnt);
    let place = std::env::temp_dir().join(format!("nsiso-inside-{}", std::process::id()));
    pin(&net, &place).unwrap();
    assert_eq!(Handle::open(&place).unwrap(), net);
    unpin(&place).unwrap();
    target.end();
}
