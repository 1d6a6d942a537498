//! What a careful engineer would choose for a program that is not trusted.

use std::ffi::CStr;
use std::fs;
use std::path::Path;

use super::{Filter, Landlock, Mount, Spec};
use crate::{Kinds, Result, rlimit};

/// A root that runs nothing of its own as root.
const NOBODY: u32 = 65_534;

/// What the dynamic linker and name lookup want of /etc; none of it is secret.
const ETC: [&str; 6] = [
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/ssl/certs",
];

/// Room in /tmp, in /dev/shm, and in all of the rest that can be written.
const ROOM: u64 = 64 << 20;

/// The host and domain name inside. The kernel's own default is no domain name, written like this.
const HOSTNAME: &CStr = c"sandbox";
const DOMAINNAME: &CStr = c"(none)";

/// Limits that all of the user's processes on the host share, and the most that a sandbox takes of
/// each: message queues (bytes) are three of the usual size.
const LIMITS: [(u32, u64); 4] = [
    (libc::RLIMIT_NPROC, 512),
    (libc::RLIMIT_MEMLOCK, 64 << 10),
    (libc::RLIMIT_SIGPENDING, 1024),
    (libc::RLIMIT_MSGQUEUE, 256 << 10),
];

impl Spec<'_> {
    /// Isolation for a program that is not trusted, as any user.
    ///
    /// - All kinds of namespace are new. No network but loopback. The host
    ///   name is `sandbox`.
    /// - The root holds the host's `/usr` read-only, a `/proc`, `/dev` and `/tmp` of its own, and
    ///   nothing else of the host. `/proc/sys` and `/proc/pressure` are read-only. The environment
    ///   is empty.
    /// - No capabilities and no way to get any, no user namespaces; Landlock, as far as the kernel
    ///   has it, and the filter [`Filter::untrusted`].
    /// - An init process, which ends everything with the program or the host.
    /// - 64 MiB each for the files in `/tmp`, in `/dev/shm` and in the rest; 512 processes, 64 KiB
    ///   of locked memory, 1024 pending signals, 256 KiB of POSIX message queues. Where the
    ///   caller's own limits are lower, they stay.
    /// - 64 terminals, 32 inotify instances, 4096 inotify watches: the user's are shared by all of the
    ///   host.
    /// - No core dumps, also where the host pipes them to a program. The limit for that is 1
    ///   (`core(5)`); if the caller's hard limit is 0, it stays 0, and such a program is started.
    ///
    /// A caller who is root runs the program as nobody, if the user namespace that the caller is in
    /// has one; [`Spec::map_root`] makes that user root inside.
    ///
    /// The filter also refuses to give a file set-user-ID or set-group-ID bits, so that the program
    /// leaves none in a directory that it may write. Without the filter ([`Spec::seccomp`]) it
    /// can.
    ///
    /// The sandbox is made of other options: later ones add to it, and what is mounted for writing
    /// may be written. Names and resource limits that are set before it stay as they are.
    /// [`Spec::share`], [`Spec::landlock`], [`Spec::seccomp`], [`Spec::init`],
    /// [`Spec::die_with_parent`], [`Spec::new_privs`] and [`Spec::user_namespaces`] loosen
    /// it.
    pub fn sandbox(&mut self) -> Result<&mut Self> {
        self.unshare(Kinds::all());
        self.names.hostname.get_or_insert(HOSTNAME.into());
        self.names.domainname.get_or_insert(DOMAINNAME.into());
        self.map_current();
        let (mut uid, mut gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
        if uid == 0 && nobody_is_there() {
            self.identity.stand_in = Some(NOBODY);
            self.groups(&[])?;
            (uid, gid) = (NOBODY, NOBODY);
        }
        self.mount(Mount::tmpfs("/")?.size(ROOM));
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
            .mount(Mount::tmpfs("/dev/shm")?.size(ROOM).mode(0o1777).no_exec())
            .mount(Mount::tmpfs("/tmp")?.size(ROOM).mode(0o1777))
            .mount(Mount::read_only_path("/proc/sys")?.if_exists())
            .mount(Mount::read_only_path("/proc/sysrq-trigger")?.if_exists())
            // Anybody may write there, to have the kernel watch the load of the whole host.
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
        self.landlock(Landlock::new().execute("/")?.write_as_mounted().scoped().best_effort());
        self.seccomp(Filter::untrusted());
        self.init(true).die_with_parent(true).new_session().reset_signals();
        Ok(self)
    }

    /// Limits below the caller's own, never above. Those that the caller has chosen stay.
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

    /// Takes back an option for new namespaces: the program shares these kinds with the caller.
    pub fn share(&mut self, kinds: Kinds) -> &mut Self {
        self.kinds -= kinds;
        if kinds.contains(Kinds::UTS) {
            // The sandbox's own names go with the namespace; those of the caller are refused later.
            self.names.hostname.take_if(|name| name.as_c_str() == HOSTNAME);
            self.names.domainname.take_if(|name| name.as_c_str() == DOMAINNAME);
        }
        self
    }
}

/// Files that give the ids in there and the loopback addresses a name; none of the host's.
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

/// Whether the caller's user namespace has the ids of nobody: one made by an ordinary user may have none but root's.
fn nobody_is_there() -> bool {
    let covers = |line: &str| {
        let mut numbers = line.split_whitespace().map_while(|word| word.parse::<u64>().ok());
        let (first, _, count) = (numbers.next(), numbers.next(), numbers.next());
        first.zip(count).is_some_and(|(first, count)| (first..first + count).contains(&NOBODY.into()))
    };
    // Where they cannot be read, root is no less careful.
    ["/proc/self/uid_map", "/proc/self/gid_map"]
        .iter()
        .all(|map| fs::read_to_string(map).map_or(true, |text| text.lines().any(covers)))
}
