//! Tests that another process with write access to the root cannot lead the building of a view to
//! files outside of it, by swapping in symbolic links (CVE-2021-30465, CVE-2025-31133 and similar).

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use nsiso::{Mount, Spec, Stdio};

/// A directory that is removed when this is dropped.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Scratch {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("nsiso-races-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Scratch(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// A process that exchanges pairs of names repeatedly until this is dropped.
struct Flipper {
    pid: i32,
    flips: &'static AtomicU64,
}

impl Flipper {
    fn new(pairs: &[(PathBuf, PathBuf)]) -> Self {
        let name = |path: &Path| CString::new(path.to_str().unwrap()).unwrap();
        let names: Vec<_> = pairs.iter().map(|(one, two)| (name(one), name(two))).collect();
        let (protection, shared) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: the mapping is new, all zero, and stays until the process ends.
        let flips: &AtomicU64 =
            unsafe { &*libc::mmap(std::ptr::null_mut(), 4096, protection, shared, -1, 0).cast() };
        // SAFETY: the child only makes system calls.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            loop {
                for (one, two) in &names {
                    let (here, exchange) = (libc::AT_FDCWD, libc::RENAME_EXCHANGE);
                    // SAFETY: C strings and integers are passed.
                    unsafe {
                        libc::syscall(libc::SYS_renameat2, here, one.as_ptr(), here, two.as_ptr(), exchange)
                    };
                }
                flips.fetch_add(1, Ordering::Relaxed);
                // The pause is short enough for an exchange in every lookup, and long enough for
                // some spawns to succeed.
                // SAFETY: only an integer is passed.
                unsafe { libc::usleep(1) };
            }
        }
        Flipper { pid, flips }
    }
}

impl Drop for Flipper {
    fn drop(&mut self) {
        // SAFETY: it is our child, which nothing else reaps.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            libc::waitpid(self.pid, std::ptr::null_mut(), 0);
        }
    }
}

/// Returns every path below `top` with its mode and content.
fn contents(top: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(top).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(contents(&path));
        }
        found.insert(path.clone(), (path.metadata().unwrap().mode(), fs::read(&path).unwrap_or_default()));
    }
    found
}

#[test]
fn a_target_that_changes_under_our_hands_never_leads_out() {
    let scratch = Scratch::new();
    for directory in ["root/usr", "root/target/below", "root/work", "outside/below"] {
        fs::create_dir_all(scratch.path(directory)).unwrap();
    }
    for (file, text) in
        [("root/file", "inside\n"), ("outside/file", "host\n"), ("outside/below/secret", "host\n")]
    {
        fs::write(scratch.path(file), text).unwrap();
    }
    symlink(scratch.path("outside"), scratch.path("root/spare")).unwrap();
    symlink(scratch.path("outside/file"), scratch.path("root/link")).unwrap();
    let before = contents(&scratch.path("outside"));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    // The descriptor refers to this directory whichever name it has at the moment.
    let real = File::open(scratch.path("root/target/below")).unwrap();
    let real = PathBuf::from(format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&real)));

    let root = || Mount::bind(scratch.path("root"), "/").unwrap();
    let usr = || Mount::bind("/usr", "/usr").unwrap().read_only();
    let at = |name: &str| format!("/target/below/{name}");
    let views = [
        vec![Mount::file("x", at("made"), 0o666).unwrap()],
        vec![Mount::dir(at("a/b"), 0o777).unwrap(), Mount::symlink("/host", at("c")).unwrap()],
        vec![Mount::tmpfs("/target/below").unwrap(), Mount::file("x", at("hidden"), 0o666).unwrap()],
        vec![
            Mount::bind("/usr/share", at("directory")).unwrap(),
            Mount::bind("/etc/passwd", at("file")).unwrap(),
        ],
        vec![Mount::bind("/etc/passwd", "/file").unwrap(), Mount::mask("/file").unwrap()],
        vec![Mount::mask("/target").unwrap(), Mount::mask("/file").unwrap()],
        vec![Mount::read_only_path("/target").unwrap(), Mount::read_only_path("/file").unwrap()],
        vec![Mount::overlay("/usr/share", "/target/below").unwrap(), Mount::dev("/target/dev").unwrap()],
    ];
    let specs = views.map(|view| {
        let mut spec = Spec::new("/usr/bin/cat").unwrap();
        spec.args([
            "/file",
            "/link",
            "/target/file",
            "/spare/file",
            "/target/below/secret",
            "/spare/below/secret",
        ])
        .unwrap();
        spec.map_root().mount(root()).mount(usr());
        for name in ["bin", "lib", "lib64"] {
            let to = format!("usr/{name}");
            let _ = symlink(to, scratch.path("root").join(name));
        }
        for mount in view {
            spec.mount(mount);
        }
        spec.stdio(1, Stdio::Pipe).unwrap().stdio(2, Stdio::Null).unwrap();
        spec
    });
    let pair = |one: &str, two: &str| (scratch.path(one), scratch.path(two));
    let flipper = Flipper::new(&[pair("root/target", "root/spare"), pair("root/file", "root/link")]);
    let (mut ran, mut refused) = (0, 0);
    while flipper.flips.load(Ordering::Relaxed) < 10_000 || ran + refused < 400 {
        for spec in &specs {
            match spec.spawn() {
                Ok(mut process) => {
                    let mut text = String::new();
                    File::from(process.take_pipe(1).unwrap()).read_to_string(&mut text).unwrap();
                    process.wait().unwrap();
                    assert!(!text.contains("host"), "{text}");
                    ran += 1;
                }
                Err(_) => refused += 1,
            }
            for made in fs::read_dir(&real).unwrap() {
                let made = made.unwrap().path();
                let _ = fs::remove_dir_all(&made).or_else(|_| fs::remove_file(&made));
            }
        }
    }
    drop(flipper);
    assert!(ran > 0 && refused > 0, "both were met: {ran}, {refused}");
    assert_eq!(contents(&scratch.path("outside")), before);
    assert_eq!(fs::read_to_string("/proc/self/mountinfo").unwrap(), mounts);
}
