//! [`Spec::sandbox`]: a set of options for a program that is not trusted, and [`Spec::share`],
//! which loosens it.

use std::ffi::CStr;
use std::fs;
use std::path::Path;

use super::{Landlock, Mount, Seccomp, Spec};
use crate::{Kinds, Result, rlimit};

/// The ids of nobody, in place of root's, for a caller that is root.
const NOBODY: u32 = 65_534;

/// Files of /etc that the dynamic linker and name lookup need; none of them is secret.
const ETC: [&str; 6] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/ssl/certs",
];

/// The size of /tmp, of /dev/shm, and of the rest of the writable root, each.
const ROOM: u64 = 64 << 20;

/// The host name and domain name inside. The kernel's default for no domain name is this text.
const HOSTNAME: &CStr = c"sandbox";
const DOMAINNAME: &CStr = c"(none)";

/// Resources that all of the user's processes on the machine share, and the most that a sandbox
/// uses of each. Message queues (bytes): enough for three of the default size.
const LIMITS: [(u32, u64); 4] = [
    (libc::RLIMIT_NPROC, 512),
    (libc::RLIMIT_MEMLOCK, 64 << 10),
    (libc::RLIMIT_SIGPENDING, 1024),
    (libc::RLIMIT_MSGQUEUE, 256 << 10),
];

impl Spec<'_> {
    /// Isolates a program that is not trusted. Any user may call this.
    ///
    /// - All kinds of namespace are new. There is no network but loopback. The host name is
    ///   `sandbox`.
    /// - The root contains the caller's `/usr` read-only, a `/proc`, `/dev` and `/tmp` of its own,
    ///   and a few files of `/etc`, but nothing else of the caller's. `/proc/sys` and
    ///   `/proc/pressure` are read-only. The environment is empty but for PATH, HOME and LANG.
    /// - The program has no capabilities, cannot get any, and cannot create user namespaces. It is
    ///   restricted by Landlock, as far as the kernel supports it, and by the filter
    ///   [`Seccomp::untrusted`].
    /// - An init process ends every process when the program or the caller ends.
    /// - The files in `/tmp`, in `/dev/shm` and in the rest may use 64 MiB each. The program may
    ///   use 512 processes, 64 KiB of locked memory, 1024 pending signals and 256 KiB of POSIX
    ///   message queues. Lower limits of the caller's stay.
    /// - The program may use 64 terminals, 32 inotify instances and 4096 inotify watches: all
    ///   processes of the user share these on the whole machine.
    /// - There are no core dumps, also where the machine pipes them to a program. The limit for
    ///   that is 1 byte (`core(5)`). If the caller's hard limit is 0, it stays 0, and such a
    ///   program is started.
    ///
    /// A caller that is root runs the program as nobody, if the caller's user namespace maps that
    /// user; [`Spec::map_root`] makes that user root inside.
    ///
    /// The filter also refuses to give a file set-user-ID or set-group-ID bits, so that the program
    /// leaves no such file in a directory that it may write to. Without the filter
    /// ([`Spec::seccomp`]) it can.
    ///
    /// The sandbox consists of other options. Options set later add to it, and Landlock allows
    /// writing to writable mounts that are added later. Names and resource limits set earlier stay
    /// as they are. [`Spec::share`], [`Spec::landlock`], [`Spec::seccomp`], [`Spec::init`],
    /// [`Spec::die_with_parent`], [`Spec::new_privs`] and [`Spec::user_namespaces`] loosen it.
    pub fn sandbox(&mut self) -> Result<&mut Self> {
        self.sandbox = true;
        self.unshare(Kinds::all());
        self.names.hostname.get_or_insert(HOSTNAME.into());
        self.names.domainname.get_or_insert(DOMAINNAME.into());
        self.map_current();
        let (mut uid, mut gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        if uid == 0 && nobody_is_there() {
            self.identity.mapped_as = Some(NOBODY);
            self.groups(&[])?;
            (uid, gid) = (NOBODY, NOBODY);
        }
        self.mount(Mount::tmpfs("/")?.size(ROOM)?);
        for directory in ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"] {
            match fs::read_link(directory) {
                Ok(to) => self.mount(Mount::symlink(to, directory)?),
                Err(_) => self.mount(Mount::bind(directory, directory)?.read_only().if_exists()),
            };
        }
        for path in ETC.iter().filter(|path| Path::new(path).exists()) {
            self.mount(Mount::bind(path, path)?.read_only().if_exists());
        }
        for (path, text) in names(uid, gid) {
            self.mount(Mount::file(text, path, 0o444)?.if_exists());
        }
        self.mount(Mount::procfs("/proc")?)
            .mount(Mount::dev("/dev")?)
            .mount(Mount::tmpfs("/dev/shm")?.size(ROOM)?.mode(0o1777)?.noexec())
            .mount(Mount::tmpfs("/tmp")?.size(ROOM)?.mode(0o1777)?)
            .mount(Mount::read_only_path("/proc/sys")?.if_exists())
            .mount(Mount::read_only_path("/proc/sysrq-trigger")?.if_exists())
            // Any user may write there, and so make the kernel watch the load of the whole machine.
            .mount(Mount::read_only_path("/proc/pressure")?.if_exists())
            .mount(Mount::mask("/proc/kcore")?)
            .mount(Mount::mask("/proc/keys")?)
            .mount(Mount::mask("/proc/timer_list")?)
            .cwd("/tmp")?;
        self.env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")?
            .env("HOME", "/tmp")?
            .env("LANG", "C.UTF-8")?;
        self.caps::<&str>([])?.user_namespaces(false).new_privs(false);
        self.resources.few_user_resources = true;
        self.sandbox_limits();
        if self.privileges.landlock.is_none() {
            self.landlock(Landlock::new().execute("/")?.as_mounted().scoped().best_effort());
        }
        // Filters that were added before add to it.
        self.privileges.filters.insert(0, Seccomp::untrusted());
        self.init(true).die_with_parent(true).new_session().reset_signals();
        Ok(self)
    }

    /// Adds limits that are not above the caller's own. Limits that the caller has set stay.
    fn sandbox_limits(&mut self) {
        // The kernel takes a limit of exactly 1 byte for "no core dump, not even through a pipe".
        let core = rlimit::hard(libc::RLIMIT_CORE).min(1);
        let lowered = LIMITS.map(|(resource, most)| {
            (resource, rlimit::soft(resource).min(most), rlimit::hard(resource).min(most))
        });
        for (resource, rlim_cur, rlim_max) in lowered.into_iter().chain([(libc::RLIMIT_CORE, core, core)]) {
            let limits = &mut self.resources.rlimits;
            if limits.iter().all(|(chosen, _)| *chosen != resource) {
                limits.push((resource, libc::rlimit64 { rlim_cur, rlim_max }));
            }
        }
    }

    /// Shares these kinds of namespace with the caller: undoes [`Spec::unshare`] and options that
    /// imply it.
    ///
    /// [`Spec::spawn`] fails with EINVAL if an option still needs one of these namespaces, for
    /// example a host name and [`Kinds::UTS`]: it would change the caller's own. The names that
    /// [`Spec::sandbox`] sets are removed together with the UTS namespace.
    pub fn share(&mut self, kinds: Kinds) -> &mut Self {
        self.kinds -= kinds;
        if kinds.contains(Kinds::UTS) {
            // The sandbox's own names are removed; names set by the caller make the spawn fail.
            self.names.hostname.take_if(|name| name.as_c_str() == HOSTNAME);
            self.names.domainname.take_if(|name| name.as_c_str() == DOMAINNAME);
        }
        self
    }
}

/// Files that name the ids and the loopback addresses inside, without data of the caller's.
fn names(uid: u32, gid: u32) -> [(&'static str, String); 3] {
    let name = |id| match id {
        0 => "root",
        NOBODY => "nobody",
        _ => "user",
    };
    [
        ("/etc/passwd", format!("{}:x:{uid}:{gid}::/tmp:/bin/sh\n", name(uid))),
        ("/etc/group", format!("{}:x:{gid}:\n", name(gid))),
        ("/etc/hosts", "127.0.0.1 localhost sandbox\n::1 localhost\n".into()),
    ]
}

/// Whether the caller's user namespace maps nobody's ids: one made by an ordinary user may map
/// root's only.
fn nobody_is_there() -> bool {
    let covers = |line: &str| {
        let mut numbers = line.split_whitespace().map_while(|word| word.parse::<u64>().ok());
        let (first, _, count) = (numbers.next(), numbers.next(), numbers.next());
        first.zip(count).is_some_and(|(first, count)| (first..first + count).contains(&NOBODY.into()))
    };
    // If the maps cannot be read, the safe assumption is that nobody exists.
    ["/proc/self/uid_map", "/proc/self/gid_map"]
        .iter()
        .all(|map| fs::read_to_string(map).map_or(true, |text| text.lines().any(covers)))
}
