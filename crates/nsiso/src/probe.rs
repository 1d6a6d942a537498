//! Finds out which features the kernel and the caller's privileges allow, by trying them in
//! short-lived children.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::errno::Errno;

use crate::cgroup;
use crate::kind::NAMES;
use crate::pidfd::exit_of;
use crate::spec::Task;
use crate::{Endpoint, Error, Handle, Kinds, Result, Spec, Stdio, Step};

/// Whether a feature is available.
///
/// ```
/// use nsiso::{Kinds, Spec, Support};
///
/// let net = nsiso::probe().into_iter().find(|feature| feature.name == "net").unwrap();
/// let mut spec = Spec::new("true")?;
/// spec.unshare(Kinds::NET);
/// if net.support == Support::InUserNamespace {
///     spec.map_root();
/// }
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Support {
    /// Available.
    Yes,
    /// Available together with a new user namespace.
    InUserNamespace,
    /// Not available.
    No,
}

/// The result of trying one feature.
///
/// ```
/// use nsiso::Support;
///
/// let mut features = nsiso::probe().into_iter();
/// let overlay = features.find(|feature| feature.name == "overlay").unwrap();
/// if overlay.support == Support::No {
///     eprintln!("no overlays: {} {}", overlay.detail, overlay.hint);
/// }
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Feature {
    /// The name of the feature: a kind of namespace (`user`, `pid`, ...), `nested_user`, `proc`,
    /// `overlay`, `idmapped_mounts`, `links`, `link_rate`, `link_delay`, `clone3`, `listns`,
    /// `pidfd_info_exit`, `landlock`, `cgroup_v2`, `cgroup_v1`, `limits` or `sandbox`.
    pub name: &'static str,
    /// What the feature is, in a few words.
    pub description: &'static str,
    /// Whether the feature is available.
    pub support: Support,
    /// Why the feature is not available, or more about it, such as a version. May be empty.
    pub detail: String,
    /// What the caller can do to make the feature available. May be empty.
    pub hint: String,
}

/// Tries every feature and returns the results.
///
/// It starts short-lived children, which takes some milliseconds. Results are not cached: each call
/// tries again. Needs no privilege.
///
/// ```
/// for feature in nsiso::probe() {
///     println!("{}: {:?} {} {}", feature.name, feature.support, feature.detail, feature.hint);
/// }
/// ```
pub fn probe() -> Vec<Feature> {
    let kinds = NAMES
        .iter()
        .map(|(kind, name)| with_or_without_user(name, |user| attempt(*kind | user, Task::Arrive, false)));
    let overlay = |user| attempt(Kinds::MNT | user, Task::MountOverlay, false);
    let mut features: Vec<Feature> = kinds.collect();
    features.push(of("nested_user", attempt(Kinds::USER, Task::NestUser, false)));
    features.push(with_or_without_user("proc", |user| {
        attempt(Kinds::PID | Kinds::MNT | user, Task::Arrive, true)
    }));
    features.push(with_or_without_user("overlay", overlay));
    features.push(of("idmapped_mounts", idmapped_mount()));
    features.push(of("links", link(Endpoint::new())));
    features.push(of("link_rate", Endpoint::new().rate(1_000_000).and_then(link)));
    features.push(of("link_delay", Endpoint::new().delay(MOMENT, Duration::ZERO).and_then(link)));
    features.push(call("clone3", libc::SYS_clone3, "clone(2) is used in its place"));
    features.push(call("listns", SYS_LISTNS, "namespaces are found through /proc alone; Linux 6.19 has it"));
    features.push(pidfd_info_exit());
    features.push(landlock());
    features.extend(cgroups());
    features.push(of("limits", cgroup::can_be_made()));
    features.push(of("sandbox", sandbox()));
    features
}

fn description(name: &str) -> &'static str {
    match name {
        "user" => "new user namespaces",
        "pid" => "new pid namespaces",
        "mnt" => "new mount namespaces",
        "net" => "new network namespaces",
        "ipc" => "new IPC namespaces",
        "uts" => "new UTS namespaces: host names",
        "time" => "new time namespaces: clock offsets",
        "cgroup" => "new cgroup namespaces",
        "nested_user" => "user namespaces inside a user namespace",
        "proc" => "a new /proc in a new pid namespace",
        "overlay" => "overlay mounts",
        "idmapped_mounts" => "binds with mapped owners",
        "links" => "links between network namespaces",
        "link_rate" => "links with a limited rate",
        "link_delay" => "links with delay and loss",
        "clone3" => "clone3(2)",
        "listns" => "listings by listns(2)",
        "pidfd_info_exit" => "exit status of a process that was reaped elsewhere",
        "landlock" => "Landlock rules",
        "cgroup_v2" => "a hierarchy of cgroups, version 2",
        "cgroup_v1" => "hierarchies of cgroups, version 1",
        "limits" => "limits by a cgroup that this caller can create",
        "sandbox" => "the sandbox",
        _ => "",
    }
}

#[inline(never)] // Keeps the stack of `probe` small.
fn sandbox() -> Result<()> {
    const LONG: Duration = Duration::from_secs(10);
    Spec::new("true")?.sandbox()?.deadline(LONG)?.stdio(0, Stdio::Null)?.spawn()?.wait().map(drop)
}

const SYS_LISTNS: libc::c_long = 470;

/// Spawns a child that only carries out `task`. It succeeds if all namespaces of `kinds` could be
/// made.
fn attempt(kinds: Kinds, task: Task, mount_proc: bool) -> Result<()> {
    let mut spec = Spec::new("task")?;
    spec.unshare(kinds);
    if kinds.contains(Kinds::USER) {
        spec.map_root();
    }
    if mount_proc {
        spec.mount_proc("/proc")?;
    }
    spec.program.task = Some(task);
    spec.spawn()?.wait().map(drop)
}

fn feature(
    name: &'static str,
    support: Support,
    detail: impl Into<String>,
    hint: impl Into<String>,
) -> Feature {
    Feature { name, description: description(name), support, detail: detail.into(), hint: hint.into() }
}

fn of(name: &'static str, result: Result<()>) -> Feature {
    match result {
        Ok(()) => feature(name, Support::Yes, "", ""),
        Err(error) => refused(name, &error),
    }
}

fn refused(name: &'static str, error: &Error) -> Feature {
    feature(name, Support::No, error.message(), error.hint())
}

fn with_or_without_user(name: &'static str, attempt: impl Fn(Kinds) -> Result<()>) -> Feature {
    if attempt(Kinds::empty()).is_ok() {
        return feature(name, Support::Yes, "", "");
    }
    match attempt(Kinds::USER) {
        Ok(()) => feature(name, Support::InUserNamespace, "", ""),
        Err(error) => refused(name, &error),
    }
}

const MOMENT: Duration = Duration::from_millis(1);

/// Makes a pair of linked devices in a new network namespace, which ends at once.
fn link(end: Endpoint) -> Result<()> {
    let network = Spec::new("none")?.map_root().hold(Kinds::NET)?;
    let network = network[0].as_fd();
    crate::link(&end.netns(network), &Endpoint::new().netns(network)).map(drop)
}

/// Makes an id-mapped copy of the root mount, which is never attached, `mount_setattr(2)`.
#[inline(never)] // Keeps the stack of `probe` small.
fn idmapped_mount() -> Result<()> {
    let mut holder = Spec::new("cat")?;
    holder.map_root().stdio(0, Stdio::Pipe)?.stdio(1, Stdio::Null)?;
    let holder = holder.spawn()?;
    let result = Handle::of_process(holder.pidfd(), Kinds::USER).and_then(|user| map_ids(&user));
    holder.kill().and_then(|()| holder.wait())?;
    result
}

fn map_ids(user: &Handle) -> Result<()> {
    let failed = |errno| {
        Error::new(Step::Mount, errno as i32, "a mount with mapped ids").with_hint(match errno {
            Errno::EPERM => {
                "it takes CAP_SYS_ADMIN in the user namespace that owns the file system: be root of the machine"
            }
            Errno::EINVAL => "the file system of the root directory does not know them",
            Errno::ENOSYS => "Linux 5.12 has them",
            _ => "",
        })
    };
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC;
    // SAFETY: the call takes a string and numbers.
    let tree =
        Errno::result(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, c"/".as_ptr(), flags) })
            .map_err(failed)?;
    // SAFETY: the file descriptor is new, and nothing else owns it.
    let tree = unsafe { OwnedFd::from_raw_fd(tree as RawFd) };
    let change = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: user.as_fd().as_raw_fd() as u64,
    };
    // SAFETY: the size passed is that of the struct.
    let changed = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const change,
            size_of_val(&change),
        )
    };
    Errno::result(changed).map(drop).map_err(failed)
}

/// Whether a system call exists. All its arguments are 0, with which it does nothing.
fn call(name: &'static str, number: libc::c_long, without: &str) -> Feature {
    // SAFETY: the calls probed refuse a null pointer of size 0.
    let result = Errno::result(unsafe { libc::syscall(number, 0usize, 0usize, 0usize, 0usize) });
    match result {
        Err(errno @ (Errno::ENOSYS | Errno::EPERM)) => feature(name, Support::No, errno.desc(), without),
        _ => feature(name, Support::Yes, "", ""),
    }
}

/// Whether a pidfd still reports the exit status when another part of the caller has reaped the
/// process. Linux 6.15.
#[inline(never)] // Keeps the stack of `probe` small.
fn pidfd_info_exit() -> Feature {
    const NAME: &str = "pidfd_info_exit";
    let reaped = || -> Result<_> {
        let process = Spec::new("true")?.stdio(0, Stdio::Null)?.spawn()?;
        process.wait()?;
        Ok(process)
    };
    let process = match reaped() {
        Ok(process) => process,
        Err(error) => return refused(NAME, &error),
    };
    match matches!(exit_of(process.pidfd()), Ok(Some(_))) {
        true => feature(NAME, Support::Yes, "", ""),
        false => feature(
            NAME,
            Support::No,
            "the kernel keeps no exit status with a pidfd",
            "a caller that ignores SIGCHLD or reaps all children loses the status; Linux 6.15 has it",
        ),
    }
}

fn landlock() -> Feature {
    const LANDLOCK_CREATE_RULESET_VERSION: usize = 1;
    // SAFETY: the call takes numbers only. With this flag it makes nothing.
    let abi = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, 0usize, 0usize, LANDLOCK_CREATE_RULESET_VERSION)
    };
    match Errno::result(abi) {
        Ok(abi) => feature("landlock", Support::Yes, format!("ABI {abi}"), ""),
        Err(errno) => feature(
            "landlock",
            Support::No,
            errno.desc(),
            "it takes CONFIG_SECURITY_LANDLOCK and landlock in lsm=",
        ),
    }
}

/// Where cgroup v1 and v2 are mounted, with their controllers, `cgroups(7)`.
fn cgroups() -> [Feature; 2] {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut v1 = Vec::new();
    let mut v2 = None;
    for line in mounts.lines() {
        let Some((place, about)) = line.split_once(" - ") else { continue };
        let path = place.split(' ').nth(4).unwrap_or_default();
        let mut about = about.split(' ');
        match about.next() {
            Some("cgroup2") => {
                let controllers =
                    fs::read_to_string(format!("{path}/cgroup.controllers")).unwrap_or_default();
                v2.get_or_insert(format!("{} at {path}", list(controllers.trim())));
            }
            Some("cgroup") => {
                let controllers = about.nth(1).unwrap_or_default();
                v1.push(format!(
                    "{} at {path}",
                    controllers.trim_start_matches("rw,").trim_start_matches("ro,")
                ));
            }
            _ => {}
        }
    }
    [
        match v2 {
            Some(detail) => feature("cgroup_v2", Support::Yes, detail, ""),
            None => feature("cgroup_v2", Support::No, "not mounted", "mount cgroup2 at /sys/fs/cgroup"),
        },
        match v1.is_empty() {
            false => feature("cgroup_v1", Support::Yes, v1.join("; "), ""),
            true => feature("cgroup_v1", Support::No, "not mounted", ""),
        },
    ]
}

fn list(controllers: &str) -> String {
    match controllers {
        "" => "no controllers".into(),
        some => some.replace(' ', ","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_is_what_a_spawn_does() {
        let features = probe();
        let support = |name: &str| features.iter().find(|feature| feature.name == name).unwrap().support;
        for (kind, name) in NAMES {
            let mut spec = Spec::new("true").unwrap();
            spec.unshare(kind);
            assert_eq!(spec.spawn().is_ok(), support(name) == Support::Yes, "{name}");
            spec.map_root();
            assert_eq!(spec.spawn().is_ok(), support(name) != Support::No, "{name}");
        }
        for feature in &features {
            let told = feature.support != Support::No || !feature.detail.is_empty();
            assert!(told && !feature.description.is_empty(), "{feature:?}");
        }
    }

    #[test]
    fn a_limit_is_told_with_its_reason() {
        let feature = with_or_without_user("net", |_| {
            Err(Error::new(Step::Clone, libc::ENOSPC, "a process").with_hint("a limit"))
        });
        assert_eq!((feature.support, feature.hint.as_str()), (Support::No, "a limit"));
        assert!(feature.detail.contains("ENOSPC"));
    }
}
