//! Tests of the program's view of the file system.

mod printed;

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use nsiso::{Kinds, Mount, Propagation, Seccomp, SeccompAction, Spec, Stdio, Step};
use printed::printed;

/// A directory that is removed when this is dropped.
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

/// Returns a spec for a shell in user and pid namespaces of its own.
fn shell(script: &str) -> Spec<'static> {
    let mut spec = Spec::new("/bin/sh").unwrap();
    spec.args(["-c", script]).unwrap().map_root().unshare(Kinds::PID | Kinds::IPC | Kinds::NET);
    spec
}

fn output(spec: &mut Spec) -> String {
    printed(spec).0
}

fn host() -> Mount<'static> {
    Mount::bind("/", "/").unwrap()
}

#[test]
fn a_root_is_built_from_nothing() {
    let mut spec = shell(
        "cd /; ls; ls /dev; cat /etc/motd; ls -d /proc/[0-9]*; touch /x; echo $?; readlink /link; pwd -P",
    );
    spec.mount(Mount::tmpfs("/").unwrap().size(1 << 20).unwrap().read_only())
        .mount(Mount::dev("/dev").unwrap());
    let error = spec.spawn().unwrap_err();
    assert_eq!((error.step(), error.errno(), error.index()), (Step::Mount, libc::EROFS, Some(1)), "{error}");
    let mut spec = shell(
        "cd /; ls; ls /dev; cat /etc/motd; ls -d /proc/[0-9]*; touch /usr/x; readlink /link; df /deep | tail -n 1",
    );
    spec.mount(Mount::tmpfs("/").unwrap().size(1 << 20).unwrap());
    for name in ["usr", "bin", "lib", "lib64", "sbin"] {
        let path = format!("/{name}");
        match fs::read_link(&path) {
            Ok(to) => spec.mount(Mount::symlink(to, &path).unwrap()),
            Err(_) => spec.mount(Mount::bind(&path, &path).unwrap().read_only().if_exists()),
        };
    }
    spec.mount(Mount::dev("/dev").unwrap())
        .mount(Mount::procfs("/proc").unwrap())
        .mount(Mount::mqueue("/dev/mqueue").unwrap())
        .mount(Mount::sysfs("/sys").unwrap())
        .mount(Mount::file("hello\n", "/etc/motd", 0o644).unwrap())
        .mount(Mount::symlink("/etc/motd", "/link").unwrap())
        .mount(Mount::dir("/deep/er", 0o750).unwrap())
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
    // overlayfs leaves a work directory without permissions, owned by the caller. Removing it takes
    // permission to list it.
    let work = scratch.path("work/work");
    let _ = fs::set_permissions(work, std::os::unix::fs::PermissionsExt::from_mode(0o700));
}

#[test]
fn an_overlay_has_several_lower_trees() {
    let scratch = Scratch::new();
    // Names with characters that overlayfs treats as separators, and names that are together too
    // long for its mount options.
    let names = ["top:\\,", &"m".repeat(120), &"b".repeat(120)];
    for (number, name) in names.into_iter().enumerate() {
        fs::create_dir(scratch.path(name)).unwrap();
        fs::write(scratch.path(name).join("all"), number.to_string()).unwrap();
        fs::write(scratch.path(name).join(format!("only{number}")), "").unwrap();
    }
    let overlay = |keep: bool| {
        let [top, middle, bottom] = names.map(|name| scratch.path(name));
        let (upper, work) = (scratch.path("upper"), scratch.path("work"));
        let overlay =
            if keep { Mount::overlay_kept(top, upper, work, "/mnt") } else { Mount::overlay(top, "/mnt") };
        overlay.unwrap().lower(middle).unwrap().lower(bottom).unwrap()
    };
    let run = |script: &str, overlay: Mount<'static>| {
        let mut spec = shell(script);
        output(spec.mount(host()).mount(overlay).stdio(2, Stdio::Null).unwrap())
    };
    let script = "cat /mnt/all; ls /mnt; echo new > /mnt/all && cat /mnt/all";
    let seen = "0all\nonly0\nonly1\nonly2\n";
    assert_eq!(run(script, overlay(false)), format!("{seen}new\n"));
    assert!(!run("grep ' /mnt ' /proc/self/mountinfo", overlay(false).read_only()).contains("upperdir"));
    assert_eq!(run(script, overlay(false).read_only()), format!("{seen}"));
    for name in ["upper", "work"] {
        fs::create_dir(scratch.path(name)).unwrap();
    }
    assert_eq!(run(script, overlay(true)), format!("{seen}new\n"));
    assert_eq!(fs::read_to_string(scratch.path("upper/all")).unwrap(), "new\n");
    assert_eq!(fs::read_to_string(scratch.path(names[0]).join("all")).unwrap(), "0");
    let _ =
        fs::set_permissions(scratch.path("work/work"), std::os::unix::fs::PermissionsExt::from_mode(0o700));
    assert!(host().lower("/usr").unwrap_err().to_string().contains("for overlays"));
}

#[test]
fn permissions_are_changed() {
    let mut spec = shell("stat -c %a /mnt /mnt/file");
    spec.mount(Mount::tmpfs("/mnt").unwrap()).mount(Mount::file("", "/mnt/file", 0o600).unwrap());
    spec.mount(Mount::chmod("/mnt", 0o1750).unwrap());
    spec.mount(Mount::chmod("/mnt/file", 0).unwrap());
    assert_eq!(output(&mut spec), "1750\n0\n");
    let error = spec.mount(Mount::chmod("/mnt/none", 0o700).unwrap()).spawn().unwrap_err();
    assert!(error.errno() == libc::ENOENT && error.to_string().contains("/mnt/none"), "{error}");
}

#[test]
fn a_mount_is_read_only_without_what_is_below_it() {
    let view = |at: &str| {
        let mut spec = shell("mkdir /mnt/x || mkdir /mnt/sub/x && echo below");
        spec.mount(Mount::tmpfs("/mnt").unwrap()).mount(Mount::tmpfs("/mnt/sub").unwrap());
        spec.mount(Mount::dir("/mnt/none", 0o755).unwrap()).stdio(2, Stdio::Null).unwrap();
        spec.mount(Mount::read_only_path(at).unwrap().non_recursive());
        spec
    };
    assert_eq!(output(&mut view("/mnt")), "below\n");
    let error = view("/mnt/none").spawn().unwrap_err();
    assert!(error.errno() == libc::EINVAL && error.hint().contains("no mount"), "{error}: {}", error.hint());
}

#[test]
fn the_whole_host_gets_a_layer() {
    let script = "echo x > /etc/nsiso-throw-away && echo x > /usr/nsiso-throw-away && echo x > /nsiso-throw-away && \
                  cat /etc/nsiso-throw-away && ls -d /proc/[0-9]* | wc -l && test -c /dev/null && cat /etc/passwd | head -n 1 | cut -d: -f1";
    let mut spec = shell(script);
    spec.mount(Mount::overlay("/", "/").unwrap())
        .mount(Mount::procfs("/proc").unwrap())
        .mount(Mount::dev("/dev").unwrap());
    let text = output(&mut spec);
    assert!(text.starts_with("x\n") && text.ends_with("root\n"), "{text}");
    for place in ["/etc", "/usr", "/"] {
        assert!(!fs::exists(format!("{place}/nsiso-throw-away")).unwrap());
    }
}

#[test]
fn a_file_hides_another_without_changing_it() {
    let scratch = Scratch::new();
    fs::write(scratch.path("it"), "old").unwrap();
    fs::write(scratch.path("other"), "other ").unwrap();
    symlink("it", scratch.path("link")).unwrap();
    let mut spec = shell("cd /mnt; cat other it link; ls; stat -c %a it; echo x > it && cat it");
    spec.mount(host()).mount(Mount::bind(&scratch.0, "/mnt").unwrap());
    spec.mount(Mount::file("new ", "/mnt/link", 0o640).unwrap());
    assert_eq!(output(&mut spec), "other new new it\nlink\nother\n640\nx\n");
    assert_eq!(fs::read_to_string(scratch.path("it")).unwrap(), "old");
    let mut names: Vec<_> =
        fs::read_dir(&scratch.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["it", "link", "other"]);
    // A file can be made in the root of the view too, but not in place of a directory.
    let mut bare = shell("cat /it");
    bare.mount(Mount::tmpfs("/").unwrap());
    for name in ["bin", "lib", "lib64", "usr"] {
        let path = format!("/{name}");
        bare.mount(Mount::bind(&path, &path).unwrap().if_exists());
    }
    bare.mount(Mount::file("one", "/it", 0o644).unwrap()).mount(Mount::file("two", "/it", 0o644).unwrap());
    assert_eq!(output(&mut bare), "two");
    bare.mount(Mount::file("three", "/usr", 0o644).unwrap());
    let error = bare.spawn().unwrap_err();
    assert_eq!((error.step(), error.errno()), (Step::Make, libc::EISDIR), "{error}");
}

#[test]
fn the_working_directory_is_inside() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("in")).unwrap();
    let root = File::open("/").unwrap();
    let mut spec = shell("pwd -P");
    let fd = std::os::fd::AsRawFd::as_raw_fd(&root);
    spec.mount(host()).mount(Mount::procfs("/proc").unwrap()).cwd(format!("/proc/self/fd/{fd}")).unwrap();
    spec.fd(fd, root.as_fd()).unwrap();
    let error = spec.spawn().unwrap_err();
    assert_eq!((error.step(), error.errno()), (Step::Cwd, libc::ELOOP), "{error}");
    let mut spec = shell("pwd -P; ls -id .");
    spec.mount(host()).mount(Mount::tmpfs("/mnt").unwrap()).mount(Mount::dir("/mnt/d", 0o755).unwrap());
    spec.cwd("/mnt/d").unwrap();
    assert!(output(&mut spec).starts_with("/mnt/d\n"));
    // Without the option, the program starts in the caller's working directory if that is in the
    // view.
    let mut spec = shell("pwd -P");
    let here = std::env::current_dir().unwrap();
    assert_eq!(output(spec.mount(host())).trim(), here.to_str().unwrap());
}

#[test]
fn nothing_of_the_host_is_above_the_root() {
    let scratch = Scratch::new();
    for root in [Mount::tmpfs("/"), Mount::overlay(&scratch.0, "/"), Mount::bind(&scratch.0, "/")] {
        let mut spec = shell(
            "stat -c %d:%i / /..; cut -d' ' -f5 /proc/self/mountinfo | grep -c '^/$'; unshare -U echo nested",
        );
        spec.mount(root.unwrap()).mount(Mount::bind("/usr", "/usr").unwrap());
        for name in ["bin", "lib", "lib64"] {
            spec.mount(Mount::symlink(format!("usr/{name}"), format!("/{name}")).unwrap());
        }
        let text = output(spec.mount(Mount::procfs("/proc").unwrap()));
        let lines: Vec<_> = text.lines().collect();
        assert!(lines.len() == 4 && lines[0] == lines[1], "{text}");
        assert_eq!(lines[2..], ["1", "nested"]);
    }
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
        .mount(Mount::dir("/tmp", 0o755).unwrap())
        .mount(Mount::file("x", "/up/file", 0o644).unwrap());
    let _ = spec.spawn();
    assert_eq!(fs::read_dir(scratch.path("outside")).unwrap().count(), 0);
    assert!(fs::exists(scratch.path("root/tmp/file")).unwrap(), "a link is followed inside");
}

/// Runs `work` while another thread exchanges two names repeatedly.
fn while_swapping(one: &Path, two: &Path, work: impl FnOnce()) {
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let name = |path: &Path| std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    let (one, two, cwd) = (name(one), name(two), libc::AT_FDCWD);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _at_the_end = Done(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // SAFETY: C strings and integers are passed.
                unsafe {
                    libc::syscall(
                        libc::SYS_renameat2,
                        cwd,
                        one.as_ptr(),
                        cwd,
                        two.as_ptr(),
                        libc::RENAME_EXCHANGE,
                    )
                };
            }
        });
        work();
    });
}

#[test]
fn a_target_that_changes_under_our_hands_never_leads_out() {
    if !is_classic() {
        // tests/races.rs covers the newer mount calls.
        return;
    }
    let scratch = Scratch::new();
    fs::create_dir_all(scratch.path("root/real")).unwrap();
    fs::create_dir_all(scratch.path("outside/below")).unwrap();
    let (target, spare) = (scratch.path("root/target"), scratch.path("root/spare"));
    fs::create_dir(&target).unwrap();
    symlink(scratch.path("outside"), &spare).unwrap();
    while_swapping(&target, &spare, || {
        let mut spec = Spec::new("/usr/bin/true").unwrap();
        spec.map_root()
            .mount(Mount::bind(scratch.path("root"), "/").unwrap())
            .mount(Mount::bind("/usr", "/usr").unwrap())
            .mount(Mount::file("x", "/target/below/made", 0o644).unwrap())
            .mount(Mount::tmpfs("/target/below").unwrap());
        for _ in 0..300 {
            if let Ok(process) = spec.spawn() {
                process.wait().unwrap();
            }
            let _ = fs::remove_file(scratch.path("root/target/below/made"));
        }
    });
    assert_eq!(fs::read_dir(scratch.path("outside/below")).unwrap().count(), 0);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(scratch.0.to_str().unwrap()));
}

#[test]
fn bad_views_are_told_apart() {
    for bad in ["relative", "", "/a/../b"] {
        assert!(Mount::tmpfs(bad).is_err(), "{bad}");
    }
    assert!(Mount::bind("", "/x").unwrap_err().to_string().contains("source of a bind"));
    assert!(Mount::dir("/x", 0o10000).unwrap_err().to_string().contains("permissions"));
    assert!(Mount::propagation("/x", Propagation::Unchanged).is_err());
    let mut spec = shell("true");
    let error = spec.mount(Mount::tmpfs("/tmp").unwrap()).mount(host()).spawn().unwrap_err();
    assert!(error.to_string().contains("comes first") && error.index() == Some(1), "{error}");
    let mut spec = shell("true");
    let error = spec.mount(host()).propagation(Propagation::Shared).spawn().unwrap_err();
    assert!(error.to_string().contains("propagate to the caller"), "{error}");
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
    let error = Mount::procfs("/proc").unwrap().hidepid("what").unwrap_err();
    assert!(error.step() == Step::Argument && error.message().contains("hidepid"), "{error}");
    assert!(Mount::mask("/").unwrap_err().message().contains("root itself"));
    let mut spec = Spec::new("/bin/true").unwrap();
    spec.map_root().mount(host()).mount(Mount::sysfs("/sys").unwrap());
    let error = spec.spawn().unwrap_err();
    assert!(error.hint().contains("network namespace"), "{error}: {}", error.hint());
}

/// Runs the test `name` again in a program of its own, which `world` prepares first. Returns
/// true in that program.
fn is_inside(name: &str, world: impl FnOnce(&mut Spec)) -> bool {
    if std::env::var("NSISO_INSIDE").is_ok_and(|inside| inside == name) {
        return true;
    }
    let mut spec = Spec::new(std::env::current_exe().unwrap()).unwrap();
    spec.args(["--exact", name, "--nocapture"]).unwrap().env("NSISO_INSIDE", name).unwrap();
    world(&mut spec);
    let text = output(spec.new_privs(false));
    assert!(text.contains("1 passed"), "{text}");
    false
}

/// Returns whether views are built with mount(2) in this process.
fn is_classic() -> bool {
    std::env::var_os("NSISO_CLASSIC_MOUNTS").is_some()
}

/// Creates mounts below mounts. One name has characters that mountinfo escapes, and two mounts are
/// hidden below others.
fn mounts_below(spec: &mut Spec) {
    spec.map_root().mount(host()).mount(Mount::dev("/dev").unwrap());
    for path in
        ["/mnt", "/mnt/a b", "/mnt/a b/c\\d", "/mnt/twice", "/mnt/twice", "/mnt/over/under", "/mnt/over"]
    {
        spec.mount(Mount::tmpfs(path).unwrap().noexec());
    }
}

/// Prints the directories, of those with a mount, in which a file can be created.
const WRITE: &str =
    r#"for d in . 'a b' 'a b/c\d' twice over; do touch "$d/x" 2>/dev/null && rm "$d/x" && echo "$d"; done"#;

#[test]
fn what_is_mounted_below_is_read_only_too() {
    if !is_inside("what_is_mounted_below_is_read_only_too", mounts_below) {
        return;
    }
    let run = |script: String, mount: Mount<'static>| output(shell(&script).mount(mount));
    let bound = || Mount::bind("/mnt", "/srv").unwrap();
    assert_eq!(run(format!("cd /srv; {WRITE} | wc -l"), bound()), "5\n");
    assert_eq!(run(format!("cd /mnt; {WRITE}"), Mount::read_only_path("/mnt").unwrap()), "");
    let mounts = run(
        format!("cd /srv; {WRITE}; grep ' /srv' /proc/self/mountinfo | cut -d' ' -f5,6"),
        bound().read_only(),
    );
    assert_eq!(mounts.lines().count(), 7, "{mounts}");
    for mount in mounts.lines() {
        // mount(2) cannot reach hidden mounts, and neither can the program.
        let hidden = mount.starts_with("/srv/twice") || mount.starts_with("/srv/over/under");
        // Flags that the outer mounts have are locked: the kernel does not clear them inside.
        let strict = mount.contains("ro,nosuid,nodev,noexec");
        assert!(strict || hidden && is_classic(), "{mounts}");
    }
    let twice =
        |strict: bool| mounts.lines().any(|m| m.starts_with("/srv/twice") && m.contains("ro,") == strict);
    assert!(twice(true), "{mounts}");
}

#[test]
fn what_the_host_could_bring_to_light_is_no_secret_that_is_kept() {
    if !is_inside("what_the_host_could_bring_to_light_is_no_secret_that_is_kept", mounts_below) {
        return;
    }
    let mut spec = shell("true");
    spec.propagation(Propagation::Slave).mount(Mount::bind("/mnt", "/srv").unwrap().read_only());
    match is_classic() {
        false => assert_eq!(output(&mut spec), ""),
        true => {
            let error = spec.spawn().unwrap_err();
            assert!(error.errno() == libc::EBUSY && error.hint().contains("propagation private"), "{error}");
        }
    }
}

#[test]
fn mounts_below_stay_read_only_while_their_names_change() {
    let scratch = Scratch::new();
    for name in ["one", "two"] {
        fs::create_dir(scratch.path(name)).unwrap();
    }
    let inside = |spec: &mut Spec| {
        spec.env("NSISO_SCRATCH", &scratch.0).unwrap();
        spec.map_root().mount(host()).mount(Mount::dev("/dev").unwrap());
        spec.mount(Mount::tmpfs(scratch.path("one")).unwrap());
    };
    let Some(place) = std::env::var_os("NSISO_SCRATCH") else {
        while_swapping(&scratch.path("one"), &scratch.path("two"), || {
            is_inside("mounts_below_stay_read_only_while_their_names_change", inside);
        });
        return;
    };
    let mut spec = shell("cut -d' ' -f5,6 /proc/self/mountinfo | grep -c '^/mnt.* rw'");
    spec.mount(Mount::bind(place, "/mnt").unwrap().read_only());
    let mut held = 0;
    for _ in 0..60 {
        match spec.stdio(1, Stdio::Null).unwrap().spawn() {
            Ok(process) => {
                assert_eq!(process.wait().unwrap().code(), Some(1));
                held += 1;
            }
            Err(error) => assert_eq!(error.errno(), libc::EAGAIN, "{error}: {}", error.hint()),
        }
    }
    assert!(held > 0);
}

#[test]
fn what_mount_cannot_do_is_refused_in_words() {
    if !is_classic() {
        return;
    }
    let user = File::open("/proc/self/ns/user").unwrap();
    let mut spec = shell("true");
    let error = spec.mount(Mount::bind("/etc", "/mnt").unwrap().id_map(user.as_fd())).spawn().unwrap_err();
    assert!(error.errno() == libc::ENOTSUP && error.hint().contains("other owners"), "{error}");
}

#[test]
fn a_directory_that_looks_like_proc_is_none() {
    let inside = |spec: &mut Spec| {
        spec.map_root().mount(host()).mount(Mount::tmpfs("/proc").unwrap());
        spec.mount(Mount::dir("/proc/self/fd", 0o755).unwrap());
    };
    if !is_classic() || !is_inside("a_directory_that_looks_like_proc_is_none", inside) {
        return;
    }
    let mut spec = Spec::new("/bin/true").unwrap();
    let error = spec.mount(host()).spawn().unwrap_err();
    assert!(error.errno() == libc::ENOENT && error.hint().contains("a proc at /proc"), "{error}");
}

#[test]
fn without_openat2_there_is_no_view() {
    let inside = |spec: &mut Spec| {
        spec.seccomp(Seccomp::deny(["openat2"], SeccompAction::Fail(libc::ENOSYS)).unwrap());
    };
    if is_inside("without_openat2_there_is_no_view", inside) {
        let error = shell("true").mount(Mount::tmpfs("/mnt").unwrap()).spawn().unwrap_err();
        assert!(error.errno() == libc::ENOSYS && error.hint().contains("openat2(2)"), "{error}");
    }
}

#[test]
fn an_overlay_is_of_any_name() {
    let scratch = Scratch::new();
    let name = "a,b:c\\d e";
    fs::create_dir(scratch.path(name)).unwrap();
    fs::write(scratch.path(name).join("file"), "word").unwrap();
    let mut spec = shell("cat /mnt/file; echo x > /mnt/file && cat /mnt/file");
    spec.mount(Mount::overlay(scratch.path(name), "/mnt").unwrap());
    assert_eq!(output(&mut spec), "wordx\n");
}

/// The system calls for mounts that Linux 5.2 to 6.15 have added.
const NEWER_CALLS: [&str; 7] =
    ["mount_setattr", "open_tree", "move_mount", "fsopen", "fsconfig", "fsmount", "open_tree_attr"];

/// Runs the other tests of this file again while these calls fail with ENOSYS, as on a kernel
/// without them.
fn again_without(calls: &[&str]) {
    let mut spec = Spec::new(std::env::current_exe().unwrap()).unwrap();
    spec.args(["--quiet", "--skip", "again_without"]).unwrap().new_privs(false);
    spec.env("NSISO_CLASSIC_MOUNTS", "1").unwrap();
    spec.seccomp(Seccomp::deny(calls, SeccompAction::Fail(libc::ENOSYS)).unwrap());
    spec.stdio(1, Stdio::Pipe).unwrap();
    let mut process = spec.spawn().unwrap();
    let mut text = String::new();
    File::from(process.take_pipe(1).unwrap()).read_to_string(&mut text).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(0), "{text}");
}

#[test]
fn all_of_it_again_without_mount_setattr() {
    again_without(&NEWER_CALLS[..1]);
}

#[test]
fn all_of_it_again_without_any_newer_call() {
    again_without(&NEWER_CALLS);
}
