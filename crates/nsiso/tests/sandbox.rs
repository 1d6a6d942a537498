//! Tests of dropped privileges, the init process, terminals, deadlines, and the sandbox preset that
//! combines them.

mod printed;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use nsiso::{
    ClockOffset, Exit, IdRange, Kinds, Landlock, Mount, Seccomp, SeccompAction, Spec, Stdio, Step, UNLIMITED,
};
use printed::printed;

fn shell(script: &str) -> Spec<'static> {
    let mut spec = Spec::new("/bin/sh").unwrap();
    spec.args(["-c", script]).unwrap();
    spec
}

fn inside(script: &str) -> Spec<'static> {
    let mut spec = shell(script);
    spec.map_root();
    spec
}

fn output(spec: &mut Spec) -> String {
    printed(spec.stdio(2, Stdio::Null).unwrap()).0
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

const SETS: &str = "grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | cut -f2";

fn sets(spec: &mut Spec) -> Vec<u64> {
    output(spec).lines().map(|line| u64::from_str_radix(line, 16).unwrap()).collect()
}

#[test]
fn capabilities_are_given_up_for_good() {
    assert_eq!(sets(inside(SETS).caps::<&str>([]).unwrap()), [0; 5]);
    let (chown, net_admin) = (1, 1 << 12);
    let kept = chown | net_admin;
    assert_eq!(sets(inside(SETS).caps(["chown", "CAP_NET_ADMIN"]).unwrap()), [kept; 5]);
    // With a uid other than 0 inside.
    let mut spec = shell(SETS);
    assert_eq!(sets(spec.map_current().caps(["net_admin"]).unwrap()), [net_admin; 5]);
    // Without a user namespace.
    let mut spec = shell(SETS);
    spec.caps::<&str>([]).unwrap();
    if is_root() {
        assert_eq!(sets(&mut spec), [0; 5]);
    } else {
        let error = spec.spawn().unwrap_err();
        assert!(error.step() == Step::Capabilities && error.hint().contains("new_privs off"), "{error}");
        assert_eq!(sets(spec.new_privs(false))[..3], [0; 3]);
    }
    assert!(shell("").caps(["everything"]).unwrap_err().to_string().contains("is no capability"));
}

#[test]
fn limits_are_the_programs_alone() {
    let processes =
        "while read -r a b c d; do [ \"$a $b\" = 'Max processes' ] && echo $c; done < /proc/self/limits";
    // These limits are lower than what the child needs for Landlock and what the init process
    // needs. They must apply to the program only.
    for bare in [false, true] {
        let mut spec = shell(&format!("ulimit -n; {processes}; true"));
        spec.sandbox().unwrap();
        if bare {
            spec.init(false);
        }
        spec.rlimit("nofile", 12, 12).unwrap().rlimit("nproc", 1, 1).unwrap();
        spec.rlimit("data", 1 << 20, 1 << 20).unwrap();
        assert_eq!(output(&mut spec).split_whitespace().collect::<Vec<_>>(), ["12", "1"]);
    }
}

#[test]
fn limits_and_scheduling_are_set() {
    let mut spec = shell(
        "ulimit -n; ulimit -Hn; ulimit -c; cut -d' ' -f19 /proc/self/stat; cat /proc/self/oom_score_adj; umask; grep NoNewPrivs /proc/self/status | cut -f2; grep Cpus_allowed_list /proc/self/status | cut -f2; cat /proc/self/personality",
    );
    spec.rlimit("nofile", 100, 200).unwrap().rlimit("RLIMIT_CORE", 0, 0).unwrap();
    spec.nice(5).unwrap().oom_score_adj(500).unwrap().umask(0o27).unwrap().new_privs(false);
    spec.cpus(&[0]).unwrap().personality(0x0040000);
    let before = fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let text = output(&mut spec);
    let wanted = ["100", "200", "0", "5", "500", "0027", "1", "0", "00040000"];
    assert_eq!(text.split_whitespace().collect::<Vec<_>>(), wanted);
    assert_eq!(fs::read_to_string("/proc/self/oom_score_adj").unwrap(), before, "the host keeps its own");
    let mut spec = shell("true");
    assert!(spec.rlimit("nofiles", 1, 1).is_err() && spec.rlimit("core", 2, 1).is_err());
    assert!(spec.nice(20).is_err() && spec.umask(0o1000).is_err() && spec.cpus(&[]).is_err());
    assert!(spec.oom_score_adj(1001).is_err() && spec.deadline(Duration::ZERO).is_err());
    if !is_root() {
        let error = shell("true").rlimit("nofile", 1, UNLIMITED).unwrap().spawn().unwrap_err();
        assert_eq!(
            (error.step(), error.errno(), error.index()),
            (Step::Rlimit, libc::EPERM, Some(0)),
            "{error}"
        );
    }
}

#[test]
fn no_further_user_namespaces() {
    let before = fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap();
    assert_eq!(output(&mut inside("unshare -U echo made")), "made\n");
    assert_eq!(output(inside("unshare -U echo made").user_namespaces(false)), "");
    assert_eq!(fs::read_to_string("/proc/sys/user/max_user_namespaces").unwrap(), before);
}

#[test]
fn the_ban_on_user_namespaces_is_not_lifted_from_inside() {
    let script = "echo 9 > /proc/sys/user/max_user_namespaces; unshare -U echo made";
    // CAP_SYS_RESOURCE would allow writing that file. The order of the options must make no
    // difference.
    let mut first = inside(script);
    first.user_namespaces(false).caps(["chown", "sys_resource"]).unwrap();
    let mut last = inside(script);
    last.caps(["CAP_SYS_RESOURCE"]).unwrap().user_namespaces(false);
    let mut all = inside(script);
    all.keep_caps().user_namespaces(false);
    for spec in [first, last, all] {
        let error = spec.spawn().unwrap_err();
        assert_eq!((error.step(), error.errno()), (Step::Argument, libc::EINVAL), "{error}");
        assert!(error.to_string().contains("CAP_SYS_RESOURCE"), "{error}");
        assert!(error.hint().contains("sys_resource"), "{error}");
    }
    assert_eq!(output(inside(script).user_namespaces(false).caps(["chown", "sys_admin"]).unwrap()), "");
    assert_eq!(output(inside(script).caps(["sys_resource"]).unwrap()), "made\n");
}

#[test]
fn system_calls_are_filtered() {
    let status =
        |spec: &mut Spec| spec.stdio(2, Stdio::Null).unwrap().spawn().unwrap().wait().unwrap().exit();
    let mut spec = Spec::new("mkdir").unwrap();
    spec.arg("/tmp/nsiso-never").unwrap();
    let calls = ["mkdir", "mkdirat"];
    let killed = status(spec.clone().seccomp(Seccomp::deny(calls, SeccompAction::Kill).unwrap()));
    assert!(matches!(killed, Exit::Signal { signal: libc::SIGSYS, .. }), "{killed:?}");
    let refused =
        status(spec.clone().seccomp(Seccomp::deny(calls, SeccompAction::Fail(libc::EROFS)).unwrap()));
    assert_eq!(refused, Exit::Code(1));
    assert!(!fs::exists("/tmp/nsiso-never").unwrap());
    // Only exec and exit_group are allowed.
    let killed = status(
        Spec::new("true").unwrap().seccomp(Seccomp::allow(["exit_group"], SeccompAction::Kill).unwrap()),
    );
    assert!(matches!(killed, Exit::Signal { signal: libc::SIGSYS, .. }), "{killed:?}");
    for (script, errno) in [("unshare -U true", 1), ("mount -t tmpfs none /mnt", 32), ("true", 0)] {
        let code = status(shell(script).seccomp(Seccomp::untrusted()));
        assert_eq!(code == Exit::Code(0), errno == 0, "{script}");
    }
    assert!(
        Seccomp::deny(["no_such_call"], SeccompAction::Kill)
            .unwrap_err()
            .to_string()
            .contains("no_such_call")
    );
    assert!(Seccomp::raw(Vec::new()).is_err());
    let nonsense = libc::sock_filter { code: 0xFFFF, jt: 0, jf: 0, k: 0 };
    let error = shell("").seccomp(Seccomp::raw(vec![nonsense]).unwrap()).spawn().unwrap_err();
    assert_eq!((error.step(), error.errno()), (Step::Seccomp, libc::EINVAL), "{error}");
}

#[test]
fn landlock_grants_nothing_else() {
    let directory = std::env::temp_dir().join(format!("nsiso-landlock-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let script = format!(
        "cat /etc/passwd && echo read; echo x > {0}/x && cat {0}/x; echo x > /tmp/nsiso-never",
        directory.display()
    );
    let rules = Landlock::new().execute("/usr").unwrap().execute("/bin").unwrap().execute("/lib").unwrap();
    let rules = rules.execute("/lib64").unwrap().read("/etc/ld.so.cache").unwrap().write(&directory).unwrap();
    // These rules together take Linux 6.2.
    if let Err(error) = shell("true").landlock(rules.clone()).spawn().and_then(|process| process.wait()) {
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!((error.step(), error.errno()), (Step::Landlock, libc::EOPNOTSUPP), "{error}");
        return eprintln!("skipped: {error}");
    }
    assert_eq!(output(shell(&script).landlock(rules.clone())), "x\n");
    // The rules apply to paths in the program's view of the file system.
    let mut spec = inside("cat /data/x; echo y > /data/x");
    spec.mount(Mount::tmpfs("/run").unwrap()).mount(Mount::bind(&directory, "/run/data").unwrap());
    spec.mount(Mount::symlink("/run/data", "/run/link").unwrap());
    let script = "cat /run/link/x; cat /etc/passwd";
    spec.argv(["/bin/sh", "-c", script]).unwrap().landlock(rules.clone().read("/run/data").unwrap());
    assert_eq!(output(&mut spec), "x\n");
    fs::remove_dir_all(&directory).unwrap();
    let error = shell("").landlock(rules).spawn().unwrap_err();
    assert_eq!((error.step(), error.errno()), (Step::Landlock, libc::ENOENT), "{error}");
    if !fs::exists("/bin/bash").unwrap() {
        return eprintln!("skipped ports: no bash to open them");
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = |allowed: &[u16]| {
        let mut spec = Spec::new("/bin/bash").unwrap();
        spec.args(["-c", &format!("exec 3<>/dev/tcp/127.0.0.1/{port}")]).unwrap();
        let rules = Landlock::new().execute("/").unwrap().write("/dev").unwrap().connect_tcp(allowed);
        spec.landlock(rules).stdio(2, Stdio::Null).unwrap().spawn().unwrap().wait().unwrap().code()
    };
    assert_eq!((connect(&[port]), connect(&[]).unwrap() != 0), (Some(0), true));
}

#[test]
fn an_init_process_reaps_passes_on_and_reports() {
    for mut spec in [shell(""), inside("")] {
        if !is_root() {
            spec.map_root();
        }
        spec.init(true).mount_proc("/proc").unwrap();
        let script = "echo $$; cat /proc/1/comm; ls -l /proc/1/fd | wc -l; for n in 1 2 3 4 5; do (sleep 0.05 & ); done; sleep 0.3; ps -eo stat | grep -c Z; exit 7";
        spec.argv(["/bin/sh", "-c", script]).unwrap();
        let words: Vec<_> = output(&mut spec).split_whitespace().map(str::to_owned).collect();
        assert_eq!((words[0].as_str(), words.last().unwrap().as_str()), ("2", "0"), "{words:?}");
        let status = spec.argv(["/bin/sh", "-c", "exit 7"]).unwrap().spawn().unwrap().wait().unwrap();
        assert_eq!((status.code(), status.usage().is_some(), status.timed_out()), (Some(7), true, false));
        let process = spec.argv(["sleep", "100"]).unwrap().spawn().unwrap();
        process.signal(libc::SIGTERM).unwrap();
        assert!(matches!(process.wait().unwrap().exit(), Exit::Signal { signal: libc::SIGTERM, .. }));
        let process = spec.argv(["sleep", "100"]).unwrap().spawn().unwrap();
        process.kill().unwrap();
        assert!(matches!(process.wait().unwrap().exit(), Exit::Signal { signal: libc::SIGKILL, .. }));
        // Processes that the program leaves behind are killed when it ends, or waited for with
        // `wait_for_all`.
        let start = Instant::now();
        spec.argv(["/bin/sh", "-c", "sleep 1 & exit 3"]).unwrap();
        assert_eq!(spec.spawn().unwrap().wait().unwrap().code(), Some(3));
        assert!(start.elapsed() < Duration::from_millis(900));
        assert_eq!(spec.wait_for_all(true).spawn().unwrap().wait().unwrap().code(), Some(3));
        assert!(start.elapsed() >= Duration::from_secs(1));
        let error = spec.argv(["/does/not/exist"]).unwrap().spawn().unwrap_err();
        assert_eq!((error.step(), error.errno()), (Step::Exec, libc::ENOENT), "{error}");
    }
}

#[test]
fn the_end_of_the_program_is_seen_at_its_pipe() {
    let mut spec = inside("echo x; exec >&-; sleep 0.3; exit 0");
    spec.init(true);
    let start = Instant::now();
    assert_eq!(output(&mut spec), "x\n");
    assert!(start.elapsed() >= Duration::from_millis(300));
    let mut spec = inside("exec >&-; sleep 5");
    spec.init(true).stdio(1, Stdio::Pipe).unwrap();
    let mut process = spec.spawn().unwrap();
    let mut text = String::new();
    File::from(process.take_pipe(1).unwrap()).read_to_string(&mut text).unwrap();
    assert!(process.try_wait().unwrap().is_none(), "the init process holds the pipe");
    process.kill().unwrap();
    process.wait().unwrap();
}

#[test]
fn a_deadline_ends_everything() {
    let mut spec = inside("sleep 100 & sleep 100");
    let start = Instant::now();
    let status = spec.deadline(Duration::from_millis(200)).unwrap().spawn().unwrap().wait().unwrap();
    assert!(
        status.timed_out() && matches!(status.exit(), Exit::Signal { signal: libc::SIGKILL, .. }),
        "{status:?}"
    );
    assert!(start.elapsed() >= Duration::from_millis(200) && start.elapsed() < Duration::from_secs(20));
    let status =
        inside("exit 4").deadline(Duration::from_secs(100)).unwrap().spawn().unwrap().wait().unwrap();
    assert_eq!((status.code(), status.timed_out()), (Some(4), false));
}

#[test]
fn a_terminal_of_its_own() {
    let mut spec = inside(
        "tty; stty size; read line; echo got $line; test $(cut -d' ' -f8 /proc/$$/stat) = $$ && echo foreground",
    );
    spec.pty(33, 101).init(true).mount_proc("/proc").unwrap();
    let mut process = spec.spawn().unwrap();
    let mut pty = File::from(process.take_pty().unwrap());
    pty.write_all(b"hello\n").unwrap();
    let mut text = Vec::new();
    // After its last process has closed it, reading a pseudo-terminal fails with EIO.
    let _ = pty.read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    process.wait().unwrap();
    assert!(text.contains("33 101") && text.contains("got hello") && text.contains("foreground"), "{text}");
}

#[test]
fn all_of_it_together_with_a_view_and_other_ids() {
    let mut spec = inside("id -u; cat /proc/1/comm; cat /proc/uptime | cut -d. -f1; hostname; pwd");
    spec.unshare(Kinds::all()).init(true).die_with_parent(true).hostname("box").unwrap();
    spec.boottime(ClockOffset::new(1_000_000, 0).unwrap()).unwrap();
    spec.mount(Mount::bind("/", "/").unwrap().read_only())
        .mount(Mount::procfs("/proc").unwrap())
        .mount(Mount::tmpfs("/tmp").unwrap());
    spec.cwd("/tmp").unwrap().caps::<&str>([]).unwrap().new_privs(false).seccomp(Seccomp::untrusted());
    let text = output(&mut spec);
    let words: Vec<_> = text.split_whitespace().collect();
    assert_eq!((words[0], words[3], words[4]), ("0", "box", "/tmp"), "{text}");
    assert!(words[2].parse::<u64>().unwrap() > 1_000_000);
    if is_root() {
        let nobody = IdRange::new(1000, 65534, 1).unwrap();
        let mut spec = shell("id -u; touch /tmp/x && stat -c %u /tmp/x; cat /etc/shadow; touch /x");
        spec.uid_map(nobody).unwrap().gid_map(nobody).unwrap().init(true);
        spec.mount(Mount::bind("/", "/").unwrap()).mount(Mount::tmpfs("/tmp").unwrap().mode(0o1777).unwrap());
        assert_eq!(output(&mut spec), "1000\n1000\n");
    }
}

#[test]
fn whoever_is_root_inside_the_sandbox_is_not_outside() {
    let outside = if is_root() { 65534 } else { nix::unistd::geteuid().as_raw() };
    let script = "id -u; id -g; id -G; cat /proc/self/uid_map";
    let words = |spec: &mut Spec| -> Vec<u32> {
        output(spec).split_whitespace().map(|word| word.parse().unwrap()).collect()
    };
    assert_eq!(words(shell(script).sandbox().unwrap().map_root()), [0, 0, 0, 0, outside, 1]);
    let current = words(shell(script).sandbox().unwrap().map_current());
    assert_eq!((current[0], &current[current.len() - 3..]), (outside, &[outside, outside, 1][..]));
}

#[test]
fn the_sandbox_in_a_joined_user_namespace_is_no_puzzle() {
    let mut holder = inside("cat");
    let mut holder = holder.stdio(0, Stdio::Pipe).unwrap().spawn().unwrap();
    let user = nsiso::Handle::of_process(holder.pidfd(), Kinds::USER).unwrap();
    let mut spec = shell("exit 7");
    spec.sandbox().unwrap().join(std::os::fd::AsFd::as_fd(&user)).unwrap();
    match is_root() {
        true => {
            let error = spec.spawn().unwrap_err().to_string();
            assert!(error.contains("runs its program as nobody"), "{error}");
        }
        false => assert_eq!(spec.spawn().unwrap().wait().unwrap().code(), Some(7)),
    }
    drop(holder.take_pipe(0));
    holder.wait().unwrap();
}

#[test]
fn the_sandbox_holds_and_works() {
    let script = "id -u; ls /; ls /home /root 2>&1 | head -n 1; cat /etc/shadow; touch /usr/x; echo x > /tmp/x && cat /tmp/x; \
                  unshare -U true && echo escaped; ls /proc | grep -c '^[0-9]'; cat /proc/net/dev | grep -c :; env; expr 6 '*' 7";
    let mut spec = shell(script);
    spec.sandbox().unwrap();
    let text = output(&mut spec);
    let has = |line: &str| text.lines().any(|other| other == line);
    assert!(has("x") && has("usr") && has("tmp") && has("HOME=/tmp") && has("42"), "{text}");
    assert!(!has("home") && !has("root") && !text.contains("escaped") && !text.contains("root:"), "{text}");
    let own = nix::unistd::geteuid().as_raw();
    assert_eq!(text.lines().next().unwrap(), if own == 0 { "65534".into() } else { own.to_string() });
    assert_eq!(sets(shell(SETS).sandbox().unwrap()), [0; 5]);
    // Each restriction of the preset can be turned off by its option.
    let mut spec = shell("readlink /proc/self/ns/net; cat /srv/passwd | head -n 1 | cut -d: -f1");
    spec.sandbox().unwrap().share(Kinds::NET).landlock(None).seccomp(None);
    spec.mount(Mount::bind("/etc/passwd", "/srv/passwd").unwrap().read_only());
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    assert_eq!(output(&mut spec), format!("{}\nroot\n", own.display()));
}

#[test]
fn the_sandbox_holds_where_mounts_take_mount() {
    if std::env::var_os("NSISO_CLASSIC_MOUNTS").is_some() {
        return;
    }
    let newer =
        ["mount_setattr", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "open_tree_attr"];
    for missing in [&newer[..1], &newer] {
        let mut again = Spec::new(std::env::current_exe().unwrap()).unwrap();
        again.args(["--quiet", "sandbox_holds", "together_with_a_view", "landlock"]).unwrap();
        again.env("NSISO_CLASSIC_MOUNTS", "1").unwrap().new_privs(false);
        again.seccomp(Seccomp::deny(missing, SeccompAction::Fail(libc::ENOSYS)).unwrap());
        let text = output(&mut again);
        assert!(text.contains("4 passed"), "{text}");
    }
}

#[test]
fn the_sandbox_has_names_of_its_own() {
    let script = "uname -n; cat /proc/sys/kernel/domainname; grep -c sandbox /etc/hosts";
    // The caller's own names must not be visible.
    let own = nix::sys::utsname::uname().unwrap();
    assert_ne!(own.nodename(), "sandbox");
    assert_eq!(output(shell(script).sandbox().unwrap()), "sandbox\n(none)\n1\n");
    // Names that the caller sets take precedence, whether set before or after the preset.
    let mut before = shell(script);
    before.hostname("box").unwrap().domainname("lan").unwrap().sandbox().unwrap();
    let mut after = shell(script);
    after.sandbox().unwrap().hostname("box").unwrap().domainname("lan").unwrap();
    for mut spec in [before, after] {
        assert_eq!(output(&mut spec), "box\nlan\n1\n");
    }
    // If the UTS namespace is shared, the names that only the preset has set are dropped.
    let mut shared = shell("uname -n");
    shared.sandbox().unwrap().share(Kinds::UTS);
    assert_eq!(output(&mut shared).trim_end(), own.nodename().to_str().unwrap());
}

/// Returns the soft and hard limits from `/proc/self/limits`: core, processes, locked memory,
/// pending signals, message queues.
fn limits_in(text: &str) -> [(u64, u64); 5] {
    let names = ["core file size", "processes", "locked memory", "pending signals", "msgqueue size"];
    names.map(|name| {
        let prefix = format!("Max {name}");
        let line = text.lines().find_map(|line| line.strip_prefix(prefix.as_str())).unwrap();
        let mut numbers = line.split_whitespace().map(|word| word.parse().unwrap_or(UNLIMITED));
        (numbers.next().unwrap(), numbers.next().unwrap())
    })
}

const LIMITS: &str = "cat /proc/self/limits";

#[test]
fn the_sandbox_takes_a_part_of_what_its_user_has() {
    let own = limits_in(&fs::read_to_string("/proc/self/limits").unwrap());
    let most = [1, 512, 64 << 10, 1024, 256 << 10];
    let mut usual = std::array::from_fn(|n| (own[n].0.min(most[n]), own[n].1.min(most[n])));
    // For core dumps 0 is not stricter than 1: the kernel may still pipe the dump to a program.
    usual[0].0 = usual[0].1;
    assert_eq!(limits_in(&output(shell(LIMITS).sandbox().unwrap())), usual);
    // Limits that the caller sets take precedence, whether set before or after the preset.
    let (mut before, mut after) = (shell(LIMITS), shell(LIMITS));
    before.rlimit("sigpending", 30, 40).unwrap().rlimit("core", 0, 0).unwrap().sandbox().unwrap();
    after.sandbox().unwrap().rlimit("sigpending", 30, 40).unwrap().rlimit("core", 0, 0).unwrap();
    for mut spec in [before, after] {
        let seen = limits_in(&output(&mut spec));
        assert_eq!((seen[0], seen[3]), ((0, 0), (30, 40)));
    }
}

#[test]
fn the_sandbox_raises_no_limit_of_the_caller() {
    if std::env::var_os("NSISO_LIMITED").is_some() {
        let seen = limits_in(&output(shell(LIMITS).sandbox().unwrap()));
        return assert_eq!(seen, [(0, 0), (300, 400), (4096, 4096), (50, 50), (0, 0)]);
    }
    let mut again = Spec::new(std::env::current_exe().unwrap()).unwrap();
    again.args(["--quiet", "raises_no_limit"]).unwrap().env("NSISO_LIMITED", "1").unwrap();
    again.rlimit("core", 0, 0).unwrap().rlimit("nproc", 300, 400).unwrap();
    again.rlimit("memlock", 4096, 4096).unwrap().rlimit("sigpending", 50, 50).unwrap();
    again.rlimit("msgqueue", 0, 0).unwrap();
    let text = output(&mut again);
    assert!(text.contains("1 passed"), "{text}");
}

#[test]
fn ordinary_modes_of_files_work_in_the_sandbox() {
    let script = "set -e; cd /tmp; umask 022; mkdir -m 1777 d; mkdir -p d/e; touch d/f; chmod 755 d/f; \
                  chmod -R u+rwX,go-w d; cp -p d/f d/g; cp -a d c; install -m 750 d/f i; mktemp -d t.XXXXXX >/dev/null; \
                  tar cf x.tar d; mkdir x; tar xpf x.tar -C x; ln d/f l; echo x > new; mknod n p; chmod 600 new; \
                  stat -c %a d/e d/f d/g c/f i x/d/f new";
    let text = output(shell(script).sandbox().unwrap());
    assert_eq!(
        text.split_whitespace().collect::<Vec<_>>(),
        ["755", "755", "755", "755", "750", "755", "600"]
    );
}

#[test]
fn a_time_namespace_is_joined_beside_an_init_process() {
    let mut target = inside("cat");
    target.boottime(ClockOffset::new(1_000_000, 0).unwrap()).unwrap().stdio(0, Stdio::Pipe).unwrap();
    let mut target = target.spawn().unwrap();
    let mut spec = shell("cut -d. -f1 /proc/uptime; echo $$; exit 9");
    spec.join_process(target.pidfd(), Kinds::USER | Kinds::TIME).unwrap().init(true);
    spec.stdio(1, Stdio::Pipe).unwrap();
    let mut process = spec.spawn().unwrap();
    let mut text = String::new();
    File::from(process.take_pipe(1).unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(9));
    let words: Vec<u64> = text.split_whitespace().map(|word| word.parse().unwrap()).collect();
    assert!(words[0] > 1_000_000 && words[1] == 2, "{text}");
    drop(target.take_pipe(0));
    target.wait().unwrap();
}

#[test]
fn what_would_be_done_to_the_host_is_refused() {
    let refused = |spec: &mut Spec, kind: &str| {
        let error = spec.spawn().unwrap_err();
        assert_eq!(error.step(), Step::Argument, "{error}");
        assert!(error.to_string().contains(&format!("needs a new {kind} namespace")), "{error}");
    };
    for (kind, name) in [(Kinds::MNT, "mnt"), (Kinds::USER, "user"), (Kinds::PID, "pid")] {
        refused(shell("true").sandbox().unwrap().share(kind), name);
    }
    refused(shell("true").mount(Mount::tmpfs("/tmp").unwrap()).share(Kinds::MNT), "mnt");
    refused(shell("true").mount_proc("/proc").unwrap().share(Kinds::MNT), "mnt");
    refused(shell("true").hostname("escaped").unwrap().share(Kinds::UTS), "uts");
    refused(shell("true").user_namespaces(false).share(Kinds::USER), "user");
    refused(shell("true").boottime(ClockOffset::new(1, 0).unwrap()).unwrap().share(Kinds::TIME), "time");
}

#[test]
fn the_ban_holds_where_no_capabilities_are_chosen() {
    let script =
        "echo 9 > /proc/sys/user/max_user_namespaces; unshare -U echo made; grep CapBnd /proc/self/status";
    let seen = output(inside(script).user_namespaces(false));
    let bounding = u64::from_str_radix(seen.strip_prefix("CapBnd:\t").unwrap().trim(), 16).unwrap();
    assert_eq!(bounding & 1 << 24, 0, "{seen}");
}

#[test]
fn the_sandbox_has_few_terminals_and_watches() {
    let code = "import os, ctypes\nn = m = 0\ntry:\n  while n < 200: os.openpty(); n += 1\nexcept OSError: pass\n\
                try:\n  while m < 100 and ctypes.CDLL(None).inotify_init1(0) >= 0: m += 1\nexcept OSError: pass\nprint(n, m)";
    let mut spec = Spec::new("/usr/bin/python3").unwrap();
    spec.args(["-c", code]).unwrap().sandbox().unwrap();
    assert_eq!(output(&mut spec), "64 32\n");
}
