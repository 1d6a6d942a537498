//! Tests of processes whose handle is dropped while they run.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nsiso::{Process, Spec};

fn shell(script: &str) -> Process {
    Spec::new("/bin/sh").unwrap().args(["-c", script]).unwrap().spawn().unwrap()
}

/// Starts a process and drops its handle. Returns its pid and a pidfd.
fn detached(script: &str) -> (i32, OwnedFd) {
    let process = shell(script);
    (process.pid(), process.pidfd().try_clone_to_owned().unwrap())
}

fn until_ended(pidfd: OwnedFd) {
    let ready = poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], PollTimeout::from(10_000u16));
    assert_eq!(ready, Ok(1));
}

fn is_there(pid: i32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// A later call of the library, given a process that has not been waited for.
type Call = fn(&Process);

/// This is one test, because calls by other tests in this process would also reap.
#[test]
fn every_later_call_reaps_what_was_dropped_while_it_ran() {
    let kept = shell("exit 7");
    let calls: [(&str, Call); 3] = [
        ("spawn", |_| std::mem::forget(shell("exit 0"))),
        ("wait", |process| assert_eq!(process.wait().unwrap().code(), Some(7))),
        ("drop", |process| {
            let (_, pidfd) = detached("exit 0");
            until_ended(pidfd);
            assert_eq!(process.wait().unwrap().code(), Some(7));
            drop(shell("exit 0"));
        }),
    ];
    for (name, call) in calls {
        let (pid, pidfd) = detached("sleep 0.1");
        assert!(is_there(pid), "{name}");
        until_ended(pidfd);
        assert!(is_there(pid), "{name}");
        call(&kept);
        assert!(!is_there(pid), "{name}");
    }

    let spawner = || (0..50).map(|_| detached("exit 0")).collect::<Vec<_>>();
    let ended: Vec<(i32, OwnedFd)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(spawner)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let pids: Vec<i32> = ended.iter().map(|(pid, _)| *pid).collect();
    ended.into_iter().for_each(|(_, pidfd)| until_ended(pidfd));
    drop(shell("exit 0"));
    assert_eq!(pids.into_iter().filter(|pid| is_there(*pid)).count(), 0);
}
