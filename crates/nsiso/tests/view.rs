//! The program's view of the file system.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use nsiso::{Kinds, Mount, Propagation, Spec, Stdio, Step};

/// A directory that goes when this does.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("nsiso-view-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A shell in a user and a pid namespace of its own.
fn shell(script: &str) -> Spec<'static> {
    let mut spec = Spec::new("/bin/sh").unwrap();
    spec.args(["-c", script]).unwrap().map_root().unshare(Kinds::PID | Kinds::IPC | Kinds::NET);
    spec
}

fn output(spec: &mut Spec) -> String {
    spec.stdio(1, Stdio::Pipe).unwrap();
    let mut process = spec.spawn().unwrap();
    let mut text = String::new();
    File::from(process.take_pipe(1).unwrap()).read_to_string(&mut text).unwrap();
    process.wait().unwrap();
    text
}

fn host() -> Mount<'static> {
    Mount::bind("/", "/").unwrap()
}

#[test]
fn a_root_is_built_from_nothing() {
    let mut spec = shell(
        "cd /; ls; ls /dev; cat /etc/motd; ls -d /proc/[0-9]*; touch /x; echo $?; readlink /link; pwd -P",
    );
    spec.mount(Mount::tmpfs("/").unwrap().size(1 << 20).read_only()).mount(Mount::dev("/dev").unwrap());
    let error = spec.spawn().unwrap_err();
    assert_eq!((error.step(), error.errno(), error.index()), (Step::Mount, libc::EROFS, Some(1)), "{error}");
    let mut spec = shell(
        "cd /; ls; ls /dev; cat /etc/motd; ls -d /proc/[0-9]*; touch /usr/x; readlink /link; df /deep | tail -n 1",
    );
    spec.mount(Mount::tmpfs("/").unwrap().size(1 << 20));
    for name in ["usr", "bin", "lib", "lib64", "sbin"] {
        let path = format!("/{name}");
        match fs::read_link(&path) {
            Ok(to) => spec.mount(Mount::symlink(to, &path).unwrap()),
            Err(_) => spec.mount(Mount::bind(&path, &path).unwrap().read_only().if_exists()),
        };
    }
    spec.mount(Mount::dev("/dev").unwrap())
        .mount(Mount::proc("/proc").unwrap())
        .mount(Mount::mqueue("/dev/mqueue").unwrap())
        .mount(Mount::sysfs("/sys").unwrap())
        .mount(Mount::file("hello\n", "/etc/motd", 0o644).unwrap())
        .mount(Mount::symlink("/etc/motd", "/link").unwrap())
        .mount(Mount::directory("/deep/er", 0o750).unwrap())
        .stdio(2, Stdio::Null)
        .unwrap();
    let text = output(&mut spec);
    let lines: Vec<_> = text.lines().collect();
    for wanted in
        ["deep", "usr", "proc", "full", "urandom", "pts", "ptmx", "mqueue", "hello", "/proc/1", "/etc/motd"]
    {
        assert!(lines.contains(&wanted), "{wanted}: {text}");
    }
    assert!(!lines.contains(&"home") && text.contains("1024"), "{text}");
    let processes = lines.iter().filter(|line| line.starts_with("/proc/")).count();
    assert!(processes <= 3, "{text}");
}

#[test]
fn binds_are_read_only_with_all_below_them() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("below")).unwrap();
    fs::write(scratch.path("file"), "host").unwrap();
    let script = "cat /mnt/file; touch /mnt/new; touch /mnt/below/new; touch /proc/sys/kernel/hostname; echo x > /mnt/file; cat /run/x";
    let mut spec = shell(script);
    let directory = File::open(&scratch.0).unwrap();
    spec.mount(host())
        .mount(Mount::tmpfs("/mnt").unwrap())
        .mount(Mount::bind_fd(directory.as_fd(), "/mnt").unwrap().read_only())
        .mount(Mount::tmpfs("/run").unwrap())
        .mount(Mount::bind("/does/not/exist", "/run/x").unwrap().if_exists())
        .stdio(2, Stdio::Null)
        .unwrap();
    assert_eq!(output(&mut spec), "host");
    assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 2);
    let error = spec.mount(Mount::bind("/does/not/exist", "/mnt").unwrap()).spawn().unwrap_err();
    assert_eq!((error.step(), error.errno(), error.index()), (Step::Mount, libc::ENOENT, Some(5)));
    assert!(error.to_string().contains("/does/not/exist") && error.hint().contains("if_exists"), "{error}");
}

#[test]
fn what_is_hidden_stays_hidden() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("secret")).unwrap();
    fs::write(scratch.path("secret/key"), "key").unwrap();
    fs::write(scratch.path("word"), "word").unwrap();
    let inside = scratch.0.to_str().unwrap();
    let mut spec = shell(&format!(
        "cd {inside}; ls secret; cat word; touch secret/x; umount -l secret 2>&1; ls secret; touch there; touch /etc/x; echo done"
    ));
    spec.mount(Mount::mask(scratch.path("secret")).unwrap())
        .mount(Mount::mask(scratch.path("word")).unwrap())
        .mount(Mount::mask(scratch.path("nothing")).unwrap())
        .mount(Mount::read_only_path("/etc").unwrap())
        .mount(Mount::read_only_path("/no/such").unwrap().if_exists())
        .stdio(2, Stdio::Null)
        .unwrap();
    let text = output(&mut spec);
    assert!(!text.contains("word") && !fs::exists("/etc/x").unwrap(), "{text}");
    assert!(fs::exists(scratch.path("there")).unwrap());
}

#[test]
fn changes_on_an_overlay_are_thrown_away_or_kept() {
    let scratch = Scratch::new();
    for name in ["lower", "upper", "work"] {
        fs::create_dir(scratch.path(name)).unwrap();
    }
    fs::write(scratch.path("lower/old"), "old").unwrap();
    let script = "cat /mnt/old; echo new > /mnt/new; rm /mnt/old; ls /mnt";
    let mut spec = shell(script);
    spec.mount(host()).mount(Mount::overlay(scratch.path("lower"), "/mnt").unwrap());
    assert_eq!(output(&mut spec), "oldnew\n");
    let names = |name: &str| -> Vec<_> {
        let mut names: Vec<_> =
            fs::read_dir(scratch.path(name)).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!((names("lower"), names("upper").len()), (vec!["old".into()], 0));
    let mut spec = shell(script);
    let kept =
        Mount::overlay_kept(scratch.path("lower"), scratch.path("upper"), scratch.path("work"), "/mnt");
    spec.mount(host()).mount(kept.unwrap());
    assert_eq!(output(&mut spec), "oldnew\n");
    assert_eq!((names("lower"), names("upper")), (vec!["old".into()], vec!["new".into(), "old".into()]));
    // Root inside, with an id of the caller's, leaves a work directory that nobody may list.
    let work = scratch.path("work/work");
    let _ = fs::set_permissions(work, std::os::unix::fs::PermissionsExt::from_mode(0o700));
}

#[test]
fn the_whole_host_gets_a_layer() {
    let script = "echo x > /etc/nsiso-throw-away && echo x > /usr/nsiso-throw-away && echo x > /nsiso-throw-away && \
                  cat /etc/nsiso-throw-away && ls -d /proc/[0-9]* | wc -l && test -c /dev/null && cat /etc/passwd | head -n 1 | cut -d: -f1";
    let mut spec = shell(script);
    spec.mount(Mount::overlay("/", "/").unwrap())
        .mount(Mount::proc("/proc").unwrap())
        .mount(Mount::dev("/dev").unwrap());
    let text = output(&mut spec);
    assert!(text.starts_with("x\n") && text.ends_with("root\n"), "{text}");
    for place in ["/etc", "/usr", "/"] {
        assert!(!fs::exists(format!("{place}/nsiso-throw-away")).unwrap());
    }
}

#[test]
fn the_working_directory_is_inside() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("in")).unwrap();
    let root = File::open("/").unwrap();
    let mut spec = shell("pwd -P");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&root);
    spec.mount(host()).mount(Mount::proc("/proc").unwrap()).cwd(format!("/proc/self/fd/{fd}")).unwrap();
    let error = spec.spawn().unwrap_err();
    assert_eq!((error.step(), error.errno()), (Step::Cwd, libc::ELOOP), "{error}");
    let mut spec = shell("pwd -P; ls -id .");
    spec.mount(host()).mount(Mount::tmpfs("/mnt").unwrap()).mount(Mount::directory("/mnt/d", 0o755).unwrap());
    spec.cwd("/mnt/d").unwrap();
    assert!(output(&mut spec).starts_with("/mnt/d\n"));
    // Without a wish, where the caller is, if that is to be seen.
    let mut spec = shell("pwd -P");
    let here = std::env::current_dir().unwrap();
    assert_eq!(output(spec.mount(host())).trim(), here.to_str().unwrap());
}

#[test]
fn links_in_the_view_lead_nowhere_else() {
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("root/usr")).unwrap();
    fs::create_dir(scratch.path("outside")).unwrap();
    symlink(scratch.path("outside"), scratch.path("root/evil")).unwrap();
    symlink("../../../../../../../../tmp", scratch.path("root/up")).unwrap();
    let mut spec = Spec::new("/usr/bin/true").unwrap();
    spec.map_root()
        .mount(Mount::bind(scratch.path("root"), "/").unwrap())
        .mount(Mount::bind("/usr", "/usr").unwrap())
        .mount(Mount::file("x", "/evil/file", 0o644).unwrap());
    let error = spec.spawn().unwrap_err();
    assert_eq!((error.step(), error.errno()), (Step::Make, libc::ENOENT), "{error}");
    let mut spec = Spec::new("/usr/bin/true").unwrap();
    spec.map_root()
        .mount(Mount::bind(scratch.path("root"), "/").unwrap())
        .mount(Mount::bind("/usr", "/usr").unwrap())
        .mount(Mount::directory("/tmp", 0o755).unwrap())
        .mount(Mount::file("x", "/up/file", 0o644).unwrap());
    let _ = spec.spawn();
    assert_eq!(fs::read_dir(scratch.path("outside")).unwrap().count(), 0);
    assert!(fs::exists(scratch.path("root/tmp/file")).unwrap(), "a link is followed inside");
}

#[test]
fn bad_views_are_told_apart() {
    for bad in ["relative", "", "/a/../b"] {
        assert!(Mount::tmpfs(bad).is_err(), "{bad}");
    }
    assert!(Mount::bind("", "/x").unwrap_err().to_string().contains("source of a bind"));
    assert!(Mount::directory("/x", 0o10000).unwrap_err().to_string().contains("permissions"));
    assert!(Mount::propagation("/x", Propagation::Unchanged).is_err());
    let mut spec = shell("true");
    let error = spec.mount(Mount::tmpfs("/tmp").unwrap()).mount(host()).spawn().unwrap_err();
    assert!(error.to_string().contains("comes first") && error.index() == Some(1), "{error}");
    let mut spec = shell("true");
    let error = spec.mount(host()).propagation(Propagation::Shared).spawn().unwrap_err();
    assert!(error.to_string().contains("spread to the host"), "{error}");
    let mut spec = shell("true");
    spec.mount(host()).mount(Mount::bind("/etc/passwd", "/etc").unwrap());
    let error = spec.spawn().unwrap_err();
    assert!(error.errno() == libc::EINVAL && error.hint().contains("a file on a file"), "{error}");
    let mut spec = shell("touch /etc/x || echo refused");
    spec.mount(host())
        .mount(Mount::overlay("/etc", "/etc").unwrap().read_only())
        .stdio(2, Stdio::Null)
        .unwrap();
    assert_eq!(output(&mut spec), "refused\n");
    let error = Mount::proc("/proc").unwrap().hidepid("what").unwrap_err();
    assert!(error.step() == Step::Argument && error.message().contains("hidepid"), "{error}");
    assert!(Mount::mask("/").unwrap_err().message().contains("root itself"));
    let mut spec = Spec::new("/bin/true").unwrap();
    spec.map_root().mount(host()).mount(Mount::sysfs("/sys").unwrap());
    let error = spec.spawn().unwrap_err();
    assert!(error.hint().contains("network namespace"), "{error}: {}", error.hint());
}
