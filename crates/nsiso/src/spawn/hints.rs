//! Turns the errno of a failed step into a hint for the user. This runs only after a spawn has
//! failed, so there is time to inspect the system.

use std::fs;

use super::{interpreter, rootfs};
use crate::error::Step;
use crate::helper::plan::Action;
use crate::plan::{Op, Plan};
use crate::{Error, Kinds, Spec, rlimit};

/// Returns the content of a file of the system, if the file exists.
type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

fn read_host(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The error of a failed clone: no process was made.
pub(super) fn of_clone(errno: i32, kinds: Kinds) -> Error {
    let object = match kinds.is_empty() {
        true => "a process".into(),
        false => format!("a process with new namespaces ({kinds})"),
    };
    Error::new(Step::Clone, errno, object).with_hint(clone_hint(errno, kinds, &read_host))
}

/// The error of a set-up in joined namespaces that took too long.
pub(super) fn held_up() -> Error {
    Error::new(Step::Join, libc::ETIMEDOUT, "the namespaces given")
        .with_hint("a process in there stops or traces the new process, or its program cannot be read")
}

/// The error of a failed action of the child.
pub(super) fn of_step(plan: &Plan, op: &Op, errno: i32, spec: &Spec) -> Error {
    let object = plan.object(op);
    let error = match op.step {
        Step::Exec => return of_exec(errno, spec),
        Step::Clone => {
            return Error::new(op.step, errno, object).with_hint(clone_hint(errno, spec.kinds, &read_host));
        }
        Step::Landlock => Error::new(op.step, errno, landlock_object(spec, &object)),
        step => Error::new(step, errno, object).with_index(op.index),
    };
    error.with_hint(step_hint(plan, op, errno, spec.kinds, &read_host))
}

/// The ruleset, with the paths of its rules.
fn landlock_object(spec: &Spec, object: &str) -> String {
    let paths = spec
        .privileges
        .landlock
        .iter()
        .flat_map(|rules| &rules.paths)
        .map(|(path, _)| path.to_string_lossy().into_owned());
    format!("{object} ({})", join(paths))
}

fn clone_hint(errno: i32, kinds: Kinds, read: Read) -> String {
    match errno {
        libc::ENOSPC | libc::EUSERS => {
            let limits = kinds.names().filter_map(|name| setting(read, &format!("/proc/sys/user/max_{name}_namespaces")));
            format!(
                "this is not about disk space: a limit on namespaces is reached ({}), or user or pid namespaces \
                 are nested 32 deep",
                join(limits)
            )
        }
        libc::EPERM | libc::EACCES if !kinds.contains(Kinds::USER) => {
            "without CAP_SYS_ADMIN, new namespaces need a new user namespace beside them: add the kind user, or run as root".into()
        }
        libc::EPERM | libc::EACCES => {
            let others = ["a container's seccomp filter", "a chroot", "an id of yours that has no mapping in the current user namespace"];
            let causes = refusing_settings(read).chain(others.map(str::to_owned));
            format!("this machine does not let you make user namespaces; possible causes: {}", join(causes))
        }
        libc::ENOSYS => "the kernel is too old (Linux 5.10 is needed) or a container's seccomp filter refuses clone3 and clone".into(),
        libc::EINVAL => format!("this kernel was built without one of the namespaces {kinds}: look for CONFIG_*_NS in its configuration; \
                                  or qemu-user runs the caller, under which there are no new user and pid namespaces"),
        libc::EAGAIN => format!(
            "too many processes: the limit RLIMIT_NPROC ({}), pids.max of the cgroup, or kernel.pid_max is reached",
            rlimit::in_words(libc::RLIMIT_NPROC)
        ),
        libc::EMFILE => rlimit::of_descriptors(),
        libc::ENOMEM => "the kernel has no memory for another process, or the init process of the pid namespace has ended".into(),
        _ => String::new(),
    }
}

fn step_hint(plan: &Plan, op: &Op, errno: i32, kinds: Kinds, read: Read) -> String {
    if let Some(hint) = rootfs::by_mount(op, errno) {
        return hint;
    }
    match (op.step, errno) {
        (_, libc::EMFILE) => rlimit::of_descriptors(),
        (Step::Init, libc::EAGAIN | libc::ENOMEM) => clone_hint(errno, kinds, read),
        (Step::UidMap | Step::GidMap | Step::Setgroups | Step::ClockOffset, libc::ENOENT | libc::ENOTDIR) => {
            "a mounted /proc is needed to write id maps and clock offsets; spawns without them work without it".into()
        }
        (Step::GidMap, libc::EPERM) => {
            "an ordinary user may map its own gid only while setgroups is denied: do not ask for setgroups to be allowed".into()
        }
        (Step::UidMap | Step::Setgroups, libc::EPERM | libc::EACCES) => apparmor_or(read, "the kernel takes from an ordinary user its own effective uid alone"),
        (Step::UidMap | Step::GidMap, libc::EINVAL) => "an id is not mapped in your own user namespace, or ranges overlap".into(),
        (Step::Loopback | Step::Hostname | Step::Domainname | Step::Unshare | Step::Propagation, libc::EPERM) if kinds.contains(Kinds::USER) => {
            apparmor_or(read, "the new user namespace gives no capability here, or a container's seccomp filter refuses the call")
        }
        (Step::Loopback, libc::EPERM) => {
            "it takes CAP_NET_ADMIN: add the kind user, run as root with that capability, or turn loopback off".into()
        }
        (Step::Cgroup, libc::EACCES) => {
            "to go there takes a cgroup.procs that may be written in the nearest group around both the caller and the new one: be root, or start the \
             caller itself in the group that is delegated (systemd-run --user --scope -p Delegate=yes ...)"
                .into()
        }
        (Step::Join, libc::EPERM) => {
            "it takes CAP_SYS_ADMIN in the user namespace that owns it: join that user namespace too, or run as root".into()
        }
        (Step::Join, libc::EINVAL) => "the kernel lets nobody join its own user namespace again, nor a pid namespace that is no descendant of its own".into(),
        (Step::Join, libc::EBADF) => "the descriptor is not open: it must stay open until the program has been spawned".into(),
        (Step::Join, libc::ENOMEM) => "the init process of the pid namespace has ended".into(),
        (Step::Unshare, libc::ENOSPC | libc::EPERM) => match op.action {
            Action::Unshare(made) => {
                clone_hint(errno, Kinds::from_bits_truncate(made as u64), read)
            }
            _ => clone_hint(errno, Kinds::TIME, read),
        },
        (Step::Unshare, libc::EINVAL) => "time namespaces need Linux 5.6 and CONFIG_TIME_NS".into(),
        (Step::ClockOffset, libc::EACCES) => "the offsets of this time namespace are frozen: a process has entered it already".into(),
        (Step::ClockOffset, libc::ERANGE) => "the clock inside would be before 0 or past the kernel's range".into(),
        (Step::Propagation | Step::Root, libc::EACCES) => {
            "a security module refuses mounts here, such as the profile docker-default of AppArmor in a container".into()
        }
        (Step::Root, libc::EPERM) => {
            "CAP_SYS_ADMIN is missing, or a container's seccomp filter refuses pivot_root(2): start the container with another seccomp profile".into()
        }
        (Step::Propagation, libc::EINVAL) => "the root directory is not a mount point, as in a chroot".into(),
        (Step::MountProc, libc::EPERM | libc::EACCES) => match kinds.contains(Kinds::PID) {
            false => "proc needs a new pid namespace beside the new user namespace: add the kind pid".into(),
            true => "the kernel mounts a fresh proc only where the caller's own /proc is fully visible; in a container parts of it are \
                     covered by other mounts (see /proc/self/mountinfo)"
                .into(),
        },
        (Step::Capabilities, libc::EPERM) if matches!(op.action, Action::KeepOnly { keep: 0, .. }) => {
            "giving them up for good takes CAP_SETPCAP: use a new user namespace, or turn new_privs off, so that they cannot come back".into()
        }
        (Step::MountProc, libc::EINVAL) => "the mount point lies on a mount that is shared with the caller, where the new proc would appear too: \
                                            use the propagation private"
            .into(),
        (Step::MountProc, libc::ENOENT | libc::ENOTDIR) => "the mount point must be a directory that exists".into(),
        (Step::Mount, libc::EPERM | libc::EACCES) => rootfs::denied(plan, op),
        (Step::Mount, libc::EINVAL) => rootfs::invalid(op),
        (Step::Mount, libc::ESTALE) => "the file of the descriptor was moved, or is in another mount namespace".into(),
        (Step::Mount, libc::EROFS) | (Step::Make, libc::EROFS) => {
            "the file system of the target is read-only: create the target there first, or mount a tmpfs over its directory".into()
        }
        (Step::Mount, libc::ENOENT) => rootfs::missing(op),
        (Step::Mount | Step::Make, libc::EOVERFLOW) => {
            "your own ids have no mapping in the new user namespace: add map_root or map_current".into()
        }
        (Step::Securebits, libc::EPERM) => "it takes CAP_SETPCAP: use a new user namespace, or run as root".into(),
        (Step::Mount, libc::ENOTDIR) => "a directory is mounted on a directory, a file on a file".into(),
        (Step::Mount, libc::ENODEV) => "the kernel does not have this file system".into(),
        (Step::Mount | Step::Make, libc::ELOOP) => "a symbolic link on the way leads round in circles, or into /proc/PID/fd".into(),
        (Step::Make, libc::EEXIST) => "the target exists already".into(),
        (Step::Root, libc::EINVAL) => "the root directory of the caller must be a mount point: not a chroot, and not the initial ramfs".into(),
        (Step::Groups, libc::EPERM) => "setgroups is denied in this user namespace, or it has no gid map, or you are not root".into(),
        (Step::Uid | Step::Gid | Step::Groups, libc::EINVAL) => "the id has no mapping in the new user namespace: add it to the map".into(),
        (Step::Uid | Step::Gid, libc::EPERM) => "another id takes root, or a new user namespace that maps it".into(),
        (Step::Uid, libc::EAGAIN) => format!("that user has reached RLIMIT_NPROC ({})", rlimit::in_words(libc::RLIMIT_NPROC)),
        (Step::Capabilities, libc::EPERM) if matches!(op.action, Action::KeepOnly { .. }) => {
            "capabilities that are to be kept must be there, and giving up others for good takes CAP_SETPCAP: use a new user namespace, or turn new_privs off".into()
        }
        (Step::Capabilities, libc::EPERM) => "ambient capabilities are forbidden here by a securebit, capabilities(7)".into(),
        (Step::Descriptor, libc::EBADF) => match op.action {
            Action::Descriptor { to, .. } if to as u64 >= rlimit::soft(libc::RLIMIT_NOFILE) => rlimit::of_descriptors(),
            _ => "the descriptor is not open: it must stay open until the program has been spawned".into(),
        },
        (Step::Cwd, libc::ENOENT) => "the directory must exist in the program's view of the file system".into(),
        (Step::Cwd, libc::EACCES) => "a directory on the way lacks search permission for the program's user".into(),
        (Step::OomScore, libc::EACCES) => "a lower score takes CAP_SYS_RESOURCE in the initial user namespace".into(),
        (Step::Rlimit, libc::EPERM) => "a hard limit can be raised by CAP_SYS_RESOURCE in the initial user namespace alone, nofile to fs.nr_open at most".into(),
        (Step::Nice, libc::EACCES | libc::EPERM) => "a lower nice value takes CAP_SYS_NICE in the initial user namespace or RLIMIT_NICE".into(),
        (Step::Affinity, libc::EINVAL) => "none of these processors is there, or may be used by the caller, cpuset(7)".into(),
        (Step::Landlock, libc::ENOENT | libc::ENOTDIR) => "each path of a rule must exist in the program's view of the file system".into(),
        (Step::Landlock, libc::E2BIG) => "16 layers of Landlock are the most".into(),
        (Step::Seccomp, libc::EINVAL) => "the kernel does not take this program, or was built without filters".into(),
        (Step::UserNamespaces, libc::EACCES | libc::EROFS | libc::ENOENT) => "it takes a /proc/sys that can be written".into(),
        (_, libc::ENOSYS) => "the kernel is too old (Linux 5.10 is needed) or a seccomp filter refuses the call".into(),
        _ => String::new(),
    }
}

const NOT_EXECUTABLE: &str = "possible causes: no execute permission for the program's user on the file or its interpreter, no search permission on a \
                              directory of the path or of PATH (then the program may be in none), a file system mounted noexec, not a regular file";

/// The error of a failed exec: the file, or one that it needs, is missing or not executable.
pub(super) fn of_exec(errno: i32, spec: &Spec) -> Error {
    let program = spec.program.path.to_string_lossy();
    let error = |object: String| Error::new(Step::Exec, errno, object);
    match errno {
        libc::ENOENT => match interpreter::missing(spec) {
            Some(interpreter) => error(format!("{program}, whose interpreter {interpreter} is missing"))
                .with_hint("the program itself exists: install the interpreter or the loader it was built for"),
            None if program.contains('/') => error(program.into()).with_hint("there is no such file in the program's view of the file system"),
            None => error(program.into()).with_hint("it is in no directory of the PATH that the program gets"),
        },
        libc::EPERM if !spec.privileges.filters.is_empty() => error(program.into()).with_hint("a filter of system calls may refuse execve"),
        libc::EACCES if spec.privileges.landlock.is_some() => {
            error(program.into()).with_hint(format!("{NOT_EXECUTABLE}, or rules of Landlock that do not let it and its interpreter be executed"))
        }
        libc::EACCES => error(program.into()).with_hint(NOT_EXECUTABLE),
        libc::ENOEXEC => error(program.into()).with_hint("the kernel does not know this format: a script needs a #! line, a binary this machine's architecture"),
        libc::ENOMEM if spec.resources.limits.is_some() => error(program.into()).with_hint("the limit of memory is too small for the program to be loaded"),
        libc::E2BIG if spec.resources.limits.is_some() => {
            error(program.into()).with_hint("arguments and environment together are too long, or the limit of memory is too small for them")
        }
        libc::E2BIG => error(program.into()).with_hint("arguments and environment together are too long"),
        libc::ETXTBSY => error(program.into()).with_hint("the file is open for writing"),
        _ => error(program.into()),
    }
}

fn apparmor_or(read: Read, otherwise: &str) -> String {
    match read(APPARMOR).as_deref() {
        Some("1") => format!(
            "AppArmor takes all capabilities from new user namespaces ({APPARMOR} is 1): give your program a profile \
             with the rule \"userns,\", or have the administrator set it to 0"
        ),
        _ => otherwise.into(),
    }
}

/// Whether AppArmor gives capabilities in new user namespaces to programs with a profile alone.
pub(super) fn apparmor_restricts() -> bool {
    read_host(APPARMOR).as_deref() == Some("1")
}

const APPARMOR: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";

/// The settings that refuse user namespaces by their values.
fn refusing_settings(read: Read) -> impl Iterator<Item = String> {
    let refusing = [
        ("/proc/sys/kernel/unprivileged_userns_clone", "0"),
        ("/proc/sys/user/max_user_namespaces", "0"),
        (APPARMOR, "1"),
    ];
    refusing
        .into_iter()
        .filter(move |(path, value)| read(path).as_deref() == Some(value))
        .map(|(path, value)| format!("{path} is {value}"))
}

fn setting(read: Read, path: &str) -> Option<String> {
    read(path).map(|value| format!("{path} is {value}"))
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[path = "hints_tests.rs"]
mod tests;
