//! Moves the calling process itself into new namespaces. Other programs are started there by
//! [`Spec`](crate::Spec).

use std::fs;

use nix::errno::Errno;

use crate::{Error, Kinds, Result, Step};

/// Moves the calling process into new namespaces of these kinds. There is no way back.
///
/// With `map_root`, which requires [`Kinds::USER`], the caller's uid and gid are mapped to 0 in the
/// new user namespace, and `setgroups(2)` is denied there. New pid and time namespaces take only
/// future children of the caller, not the caller itself. Needs CAP_SYS_ADMIN in the caller's user
/// namespace, unless `kinds` contains [`Kinds::USER`].
///
/// A process with several threads can make only net, uts and ipc namespaces, and these only for the
/// calling thread. The kernel refuses a user namespace to it; the other kinds are refused here,
/// because only the calling thread would be in them. Such a process starts another program by
/// [`Spec`](crate::Spec) instead.
///
/// EINVAL ([`Step::Argument`]) if `kinds` is empty, or lacks [`Kinds::USER`] with `map_root`.
/// EINVAL ([`Step::Unshare`]) if the process has several threads. EPERM if the privilege is
/// missing. ENOSPC if a limit in `/proc/sys/user` or the nesting depth of 32 is reached. If writing
/// a map fails, the process is already in its new namespaces: end it. `unshare(2)`,
/// `namespaces(7)`.
///
/// ```standalone_crate
/// use std::process::Command;
/// use nsiso::Kinds;
///
/// nsiso::unshare(Kinds::USER | Kinds::UTS, true)?;
/// let id = Command::new("id").arg("-u").output().unwrap();
/// assert_eq!(id.stdout, b"0\n");
/// # Ok::<(), nsiso::Error>(())
/// ```
pub fn unshare(kinds: Kinds, map_root: bool) -> Result<()> {
    if kinds.is_empty() {
        return Err(Error::argument("no kind of namespace is given"));
    }
    if map_root && !kinds.contains(Kinds::USER) {
        return Err(Error::argument("to map root takes a new user namespace: add the kind user"));
    }
    let failed = |errno: i32, hint: &str| {
        Error::new(Step::Unshare, errno, format!("new namespaces ({kinds}) in place")).with_hint(hint)
    };
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 && kinds.intersects(!(Kinds::NET | Kinds::UTS | Kinds::IPC)) {
        return Err(failed(
            libc::EINVAL,
            &format!(
                "this program has {threads} threads, and namespaces of these kinds cannot be had by some of them: start a program with a spec instead"
            ),
        ));
    }
    let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
    // SAFETY: the call takes numbers only.
    Errno::result(unsafe { libc::unshare(kinds.bits() as i32) }).map_err(|errno| {
        let hint = match errno {
            Errno::EPERM if !kinds.contains(Kinds::USER) => {
                "without CAP_SYS_ADMIN it takes a new user namespace: add the kind user"
            }
            Errno::ENOSPC => "a limit on namespaces is reached: /proc/sys/user, or a nesting of 32",
            _ => "",
        };
        failed(errno as i32, hint)
    })?;
    if map_root {
        let files = [
            (Step::Setgroups, "setgroups", "deny".to_owned()),
            (Step::GidMap, "gid_map", format!("0 {gid} 1")),
            (Step::UidMap, "uid_map", format!("0 {uid} 1")),
        ];
        for (step, file, text) in files {
            fs::write(format!("/proc/self/{file}"), text).map_err(|error| {
                Error::from_io(step, format!("to {file}"), &error)
                    .with_hint("the program is in its new namespaces already, without a map: end it")
            })?;
        }
    }
    Ok(())
}
