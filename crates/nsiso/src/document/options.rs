//! Every option of the spec document: its name and type, how it is set in a spec, and how it is
//! read from one. The faces of the library follow from this list.

use std::os::fd::{AsRawFd, RawFd};

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::descriptors::descriptor;
use super::network::{put_device, put_uplink};
use super::reading::*;
use super::resources::put_rlimits;
use super::restrictions::{put_landlock, put_seccomp, seccomp_of};
use super::setting::*;
use super::*;
use crate::spec::capability_names;
use crate::{Mount, Seccomp};

/// Declares [`Document`]. Options are set in this order.
macro_rules! options {
    ($(
        $(#[$doc:meta])*
        $name:ident: $type:ty,
            set |$spec:ident, $value:ident| $set:expr,
            get |$from:ident| $get:expr;
    )*) => {
        /// The options of a spec. Every field may be left out.
        ///
        /// An option brings the namespace that it needs: a host name asks for a new UTS namespace,
        /// an id map for a new user namespace. Descriptors are numbers of the caller's, which it
        /// keeps open until the spawn.
        ///
        /// ```
        /// use nsiso::Document;
        ///
        /// let text = r#"{"args": ["id", "-u"], "map_root": true, "hostname": "box"}"#;
        /// let document = Document::from_json(text)?;
        /// assert_eq!(document.spec()?.spawn()?.wait()?.code(), Some(0));
        /// let error = Document::from_json(r#"{"hostnam": "box"}"#).unwrap_err();
        /// assert_eq!(error.hint(), "did you mean hostname?");
        /// # Ok::<(), nsiso::Error>(())
        /// ```
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(JsonSchema))]
        #[serde(deny_unknown_fields, default, expecting = "an object")]
        #[cfg_attr(
            feature = "schema",
            schemars(
                title = "nsiso spec",
                description = "What nsiso runs and how it is isolated. Every option may be left out."
            )
        )]
        pub struct Document {
            $($(#[$doc])* pub $name: Option<$type>,)*
        }

        impl Document {
            /// Sets the options in a spec. An error begins with the name of the option.
            pub(super) fn set_each(&self, spec: &mut Spec<'static>) -> Result<()> {
                $(if let Some($value) = &self.$name {
                    let $spec = &mut *spec;
                    Done::done($set).at(stringify!($name))?;
                })*
                Ok(())
            }

            /// Reads the options from a spec, and leaves out what is as by default.
            pub(super) fn get_each(spec: &Spec) -> Self {
                Document { $($name: { let $from = spec; $get },)* }
            }
        }
    };
}

options! {
    // The sandbox comes first, since the other options add to it or replace a part.

    /// Isolate a program that is not trusted. The other options add to the sandbox or replace a
    /// part of it.
    sandbox: bool,
        set |spec, on| sandbox(spec, *on),
        get |_spec| None;

    // Namespaces:

    /// Make a new user namespace, user_namespaces(7). An ordinary user needs it, or an option that
    /// implies it, for all other kinds.
    user: bool,
        set |spec, on| unshare(spec, *on, Kinds::USER),
        get |spec| flag(spec.kinds.contains(Kinds::USER));

    /// Make a new pid namespace, pid_namespaces(7).
    pid: bool,
        set |spec, on| unshare(spec, *on, Kinds::PID),
        get |spec| flag(spec.kinds.contains(Kinds::PID));

    /// Make a new mount namespace, mount_namespaces(7).
    mnt: bool,
        set |spec, on| unshare(spec, *on, Kinds::MNT),
        get |spec| flag(spec.kinds.contains(Kinds::MNT));

    /// Make a new network namespace, network_namespaces(7).
    net: bool,
        set |spec, on| unshare(spec, *on, Kinds::NET),
        get |spec| flag(spec.kinds.contains(Kinds::NET));

    /// Make a new IPC namespace, ipc_namespaces(7).
    ipc: bool,
        set |spec, on| unshare(spec, *on, Kinds::IPC),
        get |spec| flag(spec.kinds.contains(Kinds::IPC));

    /// Make a new UTS namespace, uts_namespaces(7).
    uts: bool,
        set |spec, on| unshare(spec, *on, Kinds::UTS),
        get |spec| flag(spec.kinds.contains(Kinds::UTS));

    /// Make a new time namespace, time_namespaces(7).
    time: bool,
        set |spec, on| unshare(spec, *on, Kinds::TIME),
        get |spec| flag(spec.kinds.contains(Kinds::TIME));

    /// Make a new cgroup namespace, cgroup_namespaces(7).
    cgroup: bool,
        set |spec, on| unshare(spec, *on, Kinds::CGROUP),
        get |spec| flag(spec.kinds.contains(Kinds::CGROUP));

    /// Run the program in existing namespaces, setns(2): descriptors of namespaces, or {"pidfd":
    /// N, "kinds": [...]} for those of a process. New namespaces are made inside the joined ones.
    /// Needs the permission to trace the process, ptrace(2), and CAP_SYS_ADMIN in the user
    /// namespace that owns a joined namespace; joining that user namespace, too, gives this
    /// capability.
    join: Vec<JoinOption>,
        set |spec, joins| each(joins, |join| join.put(spec)),
        get |spec| list(spec.joins.iter().map(JoinOption::from));

    /// Bind-mount new namespaces at these paths, by kind, so that they outlive the program.
    pin: BTreeMap<Kind, ByteString>,
        set |spec, pins| pins.iter().try_for_each(|(kind, path)| spec.pin((*kind).into(), &path.0).map(drop)),
        get |spec| map(spec.pins.iter().flat_map(|(kind, at)| {
            kinds(*kind).into_iter().map(|kind| (kind, at.as_os_str().into()))
        }));

    /// Two descriptors, [info, block]. The child writes its pid and a line feed to the first once
    /// it is in its new namespaces. It sets up nothing until the second is readable or its other
    /// end is closed. The start of the program returns only after that, so another thread or
    /// process must respond.
    sync_fds: (RawFd, RawFd),
        set |spec, fds| descriptor(fds.0).and_then(|info| Ok(spec.sync_fds(info, descriptor(fds.1)?))),
        get |spec| spec.sync_fds.map(|(info, block)| (info.as_raw_fd(), block.as_raw_fd()));

    /// Host name in a new UTS namespace, at most 64 bytes.
    hostname: ByteString,
        set |spec, name| spec.hostname(name),
        get |spec| spec.names.hostname.as_ref().map(bytes);

    /// NIS domain name in a new UTS namespace, at most 64 bytes.
    domainname: ByteString,
        set |spec, name| spec.domainname(name),
        get |spec| spec.names.domainname.as_ref().map(bytes);

    /// Offset of CLOCK_MONOTONIC in a new time namespace, time_namespaces(7). It may be negative,
    /// but the clock may not.
    monotonic: Time,
        set |spec, time| offset(*time).and_then(|offset| spec.monotonic(offset)),
        get |spec| spec.clocks.monotonic.map(Time::from);

    /// Offset of CLOCK_BOOTTIME in a new time namespace, time_namespaces(7). It may be negative,
    /// but the clock may not.
    boottime: Time,
        set |spec, time| offset(*time).and_then(|offset| spec.boottime(offset)),
        get |spec| spec.clocks.boottime.map(Time::from);

    // User and group ids:

    /// Map the uid and gid of the caller to root in a new user namespace. Not with `map_current`.
    map_root: bool,
        set |spec, on| when(spec, *on, Spec::map_root),
        get |spec| flag(spec.identity.uid_map.caller == Some(Some(0)));

    /// Map the uid and gid of the caller to themselves in a new user namespace.
    map_current: bool,
        set |spec, on| when(spec, *on, Spec::map_current),
        get |spec| flag(spec.identity.uid_map.caller == Some(None));

    /// Map the subordinate ids of the caller, subuid(5), from 0 on. Ids that another option maps
    /// are left out. An ordinary user needs newuidmap(1).
    map_auto: bool,
        set |spec, on| when(spec, *on, Spec::map_auto),
        get |spec| flag(spec.identity.uid_map.subordinate);

    /// Ranges of uids to map in a new user namespace, each [inside, outside, count]: the first id
    /// in it, the first id of the caller, and their number. At most 340 ranges.
    uid_map: Vec<(u32, u32, u32)>,
        set |spec, ranges| each_range(ranges, |range| spec.uid_map(range).map(drop)),
        get |spec| list(spec.identity.uid_map.ranges.iter().map(range));

    /// Ranges of gids to map in a new user namespace, each [inside, outside, count].
    gid_map: Vec<(u32, u32, u32)>,
        set |spec, ranges| each_range(ranges, |range| spec.gid_map(range).map(drop)),
        get |spec| list(spec.identity.gid_map.ranges.iter().map(range));

    /// Allow or deny setgroups(2) in the new user namespace. Default: denied if only the gid of
    /// the caller is mapped.
    setgroups: bool,
        set |spec, allowed| spec.setgroups(*allowed),
        get |spec| spec.identity.setgroups;

    /// The uid of the program, as seen inside. Default: the caller's. If it is not mapped in a new
    /// user namespace, 0 or the lowest mapped id.
    uid: u32,
        set |spec, uid| spec.uid(*uid),
        get |spec| spec.identity.uid;

    /// The gid of the program, as seen inside. Default: as for `uid`.
    gid: u32,
        set |spec, gid| spec.gid(*gid),
        get |spec| spec.identity.gid;

    /// Supplementary groups, as seen inside. Default: those of the caller, or none if the program
    /// runs with other ids.
    groups: Vec<u32>,
        set |spec, groups| spec.groups(groups),
        get |spec| spec.identity.groups.clone();

    /// Keep the capabilities in a new user namespace across execve(2), as ambient capabilities,
    /// also if the program is not root inside.
    keep_caps: bool,
        set |spec, on| when(spec, *on, Spec::keep_caps),
        get |spec| flag(spec.identity.keep_caps);

    /// Keep the uid, gid and groups of the caller in a joined user namespace.
    keep_credentials: bool,
        set |spec, on| when(spec, *on, Spec::keep_credentials),
        get |spec| flag(spec.identity.keep_credentials);

    // The file system view:

    /// Propagation of all mounts in a new mount namespace, mount_namespaces(7). Default: private.
    propagation: Propagation,
        set |spec, propagation| spec.propagation(*propagation),
        get |spec| Some(spec.rootfs.propagation).filter(|propagation| *propagation != Propagation::default());

    /// A descriptor of a directory that becomes the root directory, chroot(2).
    root_at: RawFd,
        set |spec, fd| descriptor(*fd).map(|fd| spec.root_at(fd)),
        get |spec| spec.rootfs.root_at.map(|fd| fd.as_raw_fd());

    /// The directory that becomes the root directory of the program: a bind at / before all
    /// `mounts`.
    root: ByteString,
        set |spec, root| Mount::bind(root, "/").map(|root| spec.mount(root)),
        get |_spec| None;

    /// Mounts and changes to files, applied in this order in a new mount namespace.
    mounts: Vec<MountEntry>,
        set |spec, mounts| each(mounts, |entry| {
            spec.mount(entry.mount()?);
            Ok(())
        }),
        get |spec| list(spec.rootfs.mounts.iter().map(MountEntry::of));

    /// Mount a new proc file system for the new pid namespace. true means /proc.
    mount_proc: Switch<ByteString>,
        set |spec, path| path.or("/proc".into()).map_or(Ok(()), |path| spec.mount_proc(path).map(drop)),
        get |spec| spec.rootfs.proc_mount.as_ref().map(|path| Switch::Value(bytes(path)));

    // The network:

    /// Bring up the loopback device of a new network namespace. Default: true.
    loopback: bool,
        set |spec, up| spec.loopback(*up),
        get |spec| Some(false).filter(|_| !spec.network.loopback);

    /// Links to other network namespaces, each with the endpoint inside and the one outside. They
    /// are made before the program starts, veth(4). Needs
    /// CAP_NET_ADMIN in the user namespaces that own both network namespaces.
    links: Vec<LinkOption>,
        set |spec, links| each(links, |link| link.put(spec)),
        get |spec| list(spec.network.links.iter().map(LinkOption::from));

    /// Network devices of the caller to move into the new network namespace, by name. When it
    /// ends, the kernel returns physical devices and removes virtual ones.
    devices: BTreeMap<String, EndpointOption>,
        set |spec, devices| devices.iter().try_for_each(|(device, inside)| put_device(device, inside, spec)),
        get |spec| map(spec.network.devices.iter().map(|(device, inside)| (device.clone(), inside.into())));

    /// Connect the program's network namespace to outside networks by pasta(1), which must be
    /// installed. Ports that lead in may be given.
    uplink: Switch<UplinkPorts>,
        set |spec, uplink| put_uplink(uplink, spec),
        get |spec| spec.network.uplink.as_ref().map(|uplink| Switch::Value(uplink.into()));

    // The program:

    /// The program and its arguments. Default: the shell.
    args: Vec<ByteString>,
        set |spec, args| spec.argv(args),
        get |spec| list(spec.program.argv.iter().map(bytes));

    /// The file to execute, if it is not the first of `args`.
    program: ByteString,
        set |spec, program| spec.program(program),
        get |spec| Some(&spec.program.path).filter(|path| spec.program.argv.first() != Some(path)).map(bytes);

    /// Start with an empty environment instead of the caller's.
    env_clear: bool,
        set |spec, on| when(spec, *on, Spec::env_clear),
        get |spec| flag(spec.program.environment.cleared);

    /// Environment variables to set.
    env: BTreeMap<String, ByteString>,
        set |spec, variables| variables.iter().try_for_each(|(name, value)| spec.env(name, value).map(drop)),
        get |spec| map(variables(spec).filter_map(Result::ok));

    /// Environment variables to remove.
    env_unset: Vec<ByteString>,
        set |spec, names| names.iter().try_for_each(|name| spec.env_unset(name).map(drop)),
        get |spec| list(removed_variables(spec));

    /// The working directory, a path that the program sees. Default: the caller's.
    cwd: ByteString,
        set |spec, cwd| spec.cwd(cwd),
        get |spec| spec.program.cwd.as_ref().map(bytes);

    /// A descriptor of a directory that becomes the working directory. `cwd` and `mounts` take
    /// precedence.
    cwd_at: RawFd,
        set |spec, fd| descriptor(*fd).map(|fd| spec.cwd_at(fd)),
        get |spec| spec.program.cwd_at.map(|fd| fd.as_raw_fd());

    /// Descriptors of the program, by number. Each is a descriptor of the caller; 0, 1 and 2 may
    /// also be "inherit", "null" or "pipe". All others are closed.
    fds: BTreeMap<i32, FdSource>,
        set |spec, fds| fds.iter().try_for_each(|(number, source)| source.put(*number, spec)),
        get |spec| map(spec.program.descriptors.iter().map(|(number, source)| (*number, source.into())));

    /// Run the program in a new session, setsid(2).
    new_session: bool,
        set |spec, on| when(spec, *on, Spec::new_session),
        get |spec| flag(spec.program.new_session && spec.program.pty.is_none());

    /// Reset all signals to their default action. Otherwise signals that the caller ignores stay
    /// ignored, except SIGPIPE and SIGXFSZ.
    reset_signals: bool,
        set |spec, on| when(spec, *on, Spec::reset_signals),
        get |spec| flag(spec.program.reset_signals);

    /// Give the program a new pseudo-terminal as controlling terminal, and as standard input,
    /// output and error unless these are given, pty(7). true is 24 rows and 80 columns; otherwise
    /// [rows, columns].
    pty: Switch<(u16, u16)>,
        set |spec, size| {
            if let Some((rows, columns)) = size.or((24, 80)) {
                spec.pty(rows, columns);
            }
        },
        get |spec| spec.program.pty.map(Switch::Value);

    /// File mode creation mask, umask(2), a number; octal on the command line. Default: the
    /// caller's.
    umask: u32,
        set |spec, umask| spec.umask(*umask),
        get |spec| spec.program.umask;

    /// Execution domain, personality(2).
    personality: u32,
        set |spec, personality| spec.personality(*personality),
        get |spec| spec.program.personality;

    // Privileges and restrictions:

    /// The capabilities that the program keeps, such as net_admin, capabilities(7). It cannot get
    /// any others. An empty list means none. Default: not restricted.
    caps: OneOrMany<String>,
        set |spec, caps| spec.caps(caps.items()),
        get |spec| spec.privileges.capabilities.map(|set| OneOrMany::Many(capability_names(set)));

    /// Flags of PR_SET_SECUREBITS as a number, capabilities(7).
    securebits: u32,
        set |spec, bits| spec.securebits(*bits),
        get |spec| spec.privileges.securebits;

    /// Rules for access to files and TCP ports, landlock(7). false removes those of the sandbox.
    landlock: Switch<LandlockRules>,
        set |spec, landlock| put_landlock(landlock, spec),
        get |spec| spec.privileges.landlock.as_ref().map(|rules| Switch::Value(LandlockRules::of(rules)));

    /// Filters for system calls, seccomp(2). true is the filter of the sandbox. false removes it.
    seccomp: Switch<OneOrMany<SeccompFilter>>,
        set |spec, seccomp| put_seccomp(seccomp, spec),
        get |spec| seccomp_of(&spec.privileges.filters);

    /// System calls that the caller answers, seccomp_unotify(2).
    seccomp_notify: Vec<String>,
        set |spec, calls| spec.seccomp_notify(calls),
        get |spec| spec.privileges.notify.as_ref().and_then(Seccomp::notified).map(<[String]>::to_vec);

    // Resources:

    /// Limits for the program and its descendants, enforced by a cgroup made for it, cgroups(7).
    limits: LimitsOption,
        set |spec, limits| limits.put(spec),
        get |spec| super::resources::limits(spec);

    /// Resource limits of the process by name, such as nofile, getrlimit(2): a number, or the soft
    /// and the hard limit; "unlimited" for none. An init process keeps the limits of the caller.
    rlimits: BTreeMap<String, Rlimit>,
        set |spec, rlimits| put_rlimits(rlimits, spec),
        get |spec| map(spec.resources.rlimits.iter().map(rlimit));

    /// Nice value, -20 to 19, setpriority(2).
    nice: i32,
        set |spec, nice| spec.nice(*nice),
        get |spec| spec.scheduling.nice;

    /// Preference of the kernel to kill the program if memory runs out, -1000 to 1000,
    /// proc_pid_oom_score_adj(5).
    oom_score_adj: i32,
        set |spec, score| spec.oom_score_adj(*score),
        get |spec| spec.scheduling.oom_score_adj;

    /// The processors that the program may run on, by number, sched_setaffinity(2).
    cpus: Vec<usize>,
        set |spec, cpus| spec.cpus(cpus),
        get |spec| spec.scheduling.cpus.as_deref().map(processors);

    // Last, since other options may bring what these turn off:

    /// Kill everything in the pid namespace after this time. Implies `init`.
    deadline: Time,
        set |spec, time| spec.deadline(time.duration().unwrap_or_default()),
        get |spec| spec.deadline.map(Time::from);

    /// Allow set-user-ID programs and file capabilities to give privileges,
    /// PR_SET_NO_NEW_PRIVS(2const). Default: true, or false with `landlock` or `seccomp`, which
    /// need false.
    new_privs: bool,
        set |spec, allowed| spec.new_privs(*allowed),
        get |spec| new_privs(&spec.privileges);

    /// Allow new user namespaces inside the program's own. Default: true. false implies `user`,
    /// and is refused if the program keeps CAP_SYS_RESOURCE.
    user_namespaces: bool,
        set |spec, allowed| spec.user_namespaces(*allowed),
        get |spec| Some(false).filter(|_| spec.privileges.no_user_namespaces);

    /// Let the init process end when all descendants of the program have ended. Implies `init`.
    wait_for_all: bool,
        set |spec, on| spec.wait_for_all(*on),
        get |spec| flag(spec.init.is_some_and(|init| init.wait_for_all));

    /// Kill everything in the pid namespace when the calling process dies for any reason. The end
    /// of a thread does not matter. Implies `init`.
    die_with_parent: bool,
        set |spec, on| spec.die_with_parent(*on),
        get |spec| flag(spec.init.is_some_and(|init| init.die_with_parent));

    /// Make a small init process PID 1 of a new pid namespace. It reaps orphans, passes signals on
    /// to the program, and kills everything in the namespace when the program ends. The pid of the
    /// process and its signals are those of the init process; the exit status is that of the
    /// program.
    init: bool,
        set |spec, on| spec.init(*on),
        get |spec| match spec.init {
            Some(_) => Some(true),
            // A deadline would bring one.
            None => spec.deadline.map(|_| false),
        };

    /// Kinds of namespace that the sandbox shares with the caller: net, ipc, uts, time, cgroup.
    share: OneOrMany<Kind>,
        set |spec, share| spec.share(share.items().iter().map(|kind| Kinds::from(*kind)).collect()),
        get |_spec| None;
}
