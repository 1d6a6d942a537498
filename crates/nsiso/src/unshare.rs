//! The calling program itself in new namespaces.

use std::fs;

use nix::errno::Errno;

use crate::{Error, Kinds, Result, Step};

/// Moves the calling program into new namespaces in place, `unshare(2)`; with `map_root` it is root in a new user
/// namespace. There is no way back.
///
/// The kernel takes user namespaces from a program with one thread alone, and so does this for all kinds but net, uts and ipc:
/// they would be those of the calling thread only. New pid and time namespaces are for children to come. A program with threads starts another one
/// by [`Spec`](crate::Spec).
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
    // SAFETY: numbers only.
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
