//! Tests of a listing through the Rust interface. tests/python/test_list.py covers the ways in
//! which a namespace is held.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::thread;

use nsiso::{Exit, Held, Holder, Kinds, Listing, Process, Query, Scope, Spec, Stdio};

/// Starts a `cat` in new namespaces of all kinds. It ends when its input is closed.
fn sleeper() -> (Process, File) {
    let mut spec = Spec::new("cat").unwrap();
    spec.unshare(Kinds::all()).map_root();
    spec.stdio(0, Stdio::Pipe).unwrap().stdio(1, Stdio::Pipe).unwrap();
    let mut process = spec.spawn().unwrap();
    let mut input = File::from(process.take_pipe(0).unwrap());
    // When `cat` echoes a byte, its exec is certain to be complete.
    input.write_all(b"x").unwrap();
    File::from(process.take_pipe(1).unwrap()).read_exact(&mut [0]).unwrap();
    (process, input)
}

fn inode(pid: i32, link: &str) -> u64 {
    fs::metadata(format!("/proc/{pid}/ns/{link}")).unwrap().ino()
}

const LINKS: [(Kinds, &str); 8] = [
    (Kinds::USER, "user"),
    (Kinds::PID, "pid"),
    (Kinds::MNT, "mnt"),
    (Kinds::NET, "net"),
    (Kinds::IPC, "ipc"),
    (Kinds::UTS, "uts"),
    (Kinds::TIME, "time"),
    (Kinds::CGROUP, "cgroup"),
];

fn check(listing: &Listing, pid: i32) {
    let user = inode(pid, "user");
    for (kind, link) in LINKS {
        let namespace = listing.find_process(pid, kind).unwrap();
        assert_eq!((namespace.kind(), namespace.inode()), (kind, inode(pid, link)), "{link}");
        assert_eq!((namespace.processes(), namespace.pid()), (&[pid][..], Some(pid)), "{link}");
        assert_eq!(namespace.ppid(), Some(std::process::id() as i32), "{link}");
        assert_eq!(namespace.uid(), Some(nix::unistd::geteuid().as_raw()), "{link}");
        assert_eq!(namespace.command().unwrap().to_bytes(), b"cat", "{link}");
        assert!(namespace.held().contains(Held::PROCESSES), "{link}");
        let owner = namespace.owner().unwrap().inode();
        let wanted = if kind == Kinds::USER { inode(std::process::id() as i32, "user") } else { user };
        assert_eq!(owner, wanted, "{link}");
        let parent = namespace.parent().map(|parent| parent.inode());
        let has_parent = kind == Kinds::USER || kind == Kinds::PID;
        let own = has_parent.then(|| inode(std::process::id() as i32, link));
        assert_eq!(parent, own, "{link}");
    }
}

#[test]
fn a_process_in_new_namespaces_is_found_with_all_that_is_known() {
    let (process, input) = sleeper();
    let listing = Query::new().list().unwrap();
    check(&listing, process.pid());
    drop(input);
    assert_eq!(process.wait().unwrap().exit(), Exit::Code(0));
    let own = listing.find_process(std::process::id() as i32, Kinds::USER).unwrap().inode();
    assert!(Query::new().list().unwrap().find_inode(own).is_some());
    let gone = listing.find_process(process.pid(), Kinds::USER).unwrap().inode();
    assert!(Query::new().list().unwrap().find_inode(gone).is_none());
}

#[test]
fn many_threads_read_one_listing_and_take_their_own() {
    let (process, input) = sleeper();
    let pid = process.pid();
    let listing = Query::new().list().unwrap();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                check(&listing, pid);
                check(&Query::new().list().unwrap(), pid);
            });
        }
    });
    drop(input);
    process.wait().unwrap();
}

#[test]
fn a_namespace_held_by_a_descriptor_is_found_by_it() {
    let (process, input) = sleeper();
    let path = format!("/proc/{}/ns/uts", process.pid());
    let fd: OwnedFd = File::open(path).unwrap().into();
    let inode = inode(process.pid(), "uts");
    drop(input);
    process.wait().unwrap();
    let listing = Query::new().kinds(Kinds::UTS).list().unwrap();
    let namespace = listing.find_fd(fd.as_fd()).unwrap().unwrap();
    assert_eq!((namespace.inode(), namespace.held()), (inode, Held::DESCRIPTORS));
    assert!(namespace.processes().is_empty() && namespace.pid().is_none());
    let own = std::process::id() as i32;
    assert!(
        namespace.holders().any(|holder| matches!(holder, Holder::Descriptor { pid, .. } if *pid == own))
    );
    let brief = Query::new().kinds(Kinds::UTS).scope(Scope::empty()).list().unwrap();
    assert!(brief.find_inode(inode).is_none());
}

#[test]
fn a_listing_keeps_to_what_was_asked() {
    let listing = Query::new().kinds(Kinds::UTS | Kinds::IPC).scope(Scope::DETAILS).list().unwrap();
    assert!(listing.iter().all(|namespace| (Kinds::UTS | Kinds::IPC).contains(namespace.kind())));
    assert!(listing.iter().is_sorted_by_key(|namespace| namespace.inode()));
    let error = Query::new().kinds(Kinds::empty()).list().unwrap_err().to_string();
    assert!(error.contains("no kind"), "{error}");
    let null = File::open("/dev/null").unwrap();
    assert!(listing.find_fd(null.as_fd()).is_err());
    assert!(listing.get(listing.len()).is_none());
}
