//! Plans the program's root file system as mount operations, which the child carries out in order.
//!
//! From the first operation on, the child's working directory is the new root, while its root
//! directory is still the caller's. So absolute paths find sources, and targets are below the
//! working directory.

use std::ffi::{CStr, CString};
use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;

use libc::c_int;
use nix::errno::Errno;

use super::format::{Action, Attributes, Classic, MountOp, Options, Place, Ref, Text};
use super::overlay::Layer;
use super::{Op, Plan};
use crate::error::Step;
use crate::spec::{Mount, Propagation, Tree, What};
use crate::{Error, Result, Spec};

const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
const LINKS: [(&CStr, &str); 5] = [
    (c"/proc/self/fd", "fd"),
    (c"/proc/self/fd/0", "stdin"),
    (c"/proc/self/fd/1", "stdout"),
    (c"/proc/self/fd/2", "stderr"),
    (c"pts/ptmx", "ptmx"),
];

impl Plan {
    pub(super) fn view(&mut self, spec: &Spec) -> Result<()> {
        if spec.rootfs.mounts.is_empty() {
            return Ok(());
        }
        if matches!(spec.rootfs.propagation, Propagation::Shared | Propagation::Unchanged) {
            return Err(Error::argument(
                "mounts need the propagation private or slave: otherwise the new root would propagate to the caller",
            ));
        }
        let begin = self.ops.len();
        self.mapped_caller();
        self.classic = classic(spec.rootfs.propagation == Propagation::Private);
        if self.classic != Classic::No {
            self.push(Step::Mount, Action::Rootfs(MountOp::Prepare));
        }
        if !is_at_root(&spec.rootfs.mounts[0]) {
            let mut host = Mount::bind("/", "/")?;
            host.attributes = 0;
            self.change(&host, spec, None)?;
        }
        for (index, mount) in spec.rootfs.mounts.iter().enumerate() {
            if index > 0 && is_at_root(mount) && makes_a_mount(mount) {
                return Err(Error::argument("what is mounted at / comes first")
                    .with_hint("the view has a root already: the sandbox's own, or that of an earlier mount")
                    .with_index(Some(index)));
            }
            if gives_way(mount, &spec.rootfs.mounts[index + 1..]) {
                continue;
            }
            self.change(mount, spec, Some(index)).map_err(|error| error.with_index(Some(index)))?;
        }
        if let Some(path) = &spec.rootfs.proc_mount {
            self.change(&Mount::procfs(std::ffi::OsStr::from_bytes(path.to_bytes()))?, spec, None)?;
        }
        self.sources_first(begin);
        self.push(Step::Root, Action::Rootfs(MountOp::Pivot));
        let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let path = match &spec.program.cwd {
            Some(path) => self.arena.text(path),
            None => self.arena.text(&CString::new(here.as_os_str().as_bytes()).unwrap_or_default()),
        };
        self.push(Step::Cwd, Action::Rootfs(MountOp::Enter { path, optional: spec.program.cwd.is_none() }));
        Ok(())
    }

    fn change(&mut self, mount: &Mount, spec: &Spec, index: Option<usize>) -> Result<()> {
        let path = Path::new(std::ffi::OsStr::from_bytes(mount.at.to_bytes()));
        let at = self.place(path);
        let (attributes, optional) = (mount.attributes, mount.optional);
        let (step, change) = match &mount.what {
            What::Bind { tree, recursive, id_map } => {
                let (source, fd) = match tree {
                    Tree::Path(path) => (path.clone(), -1),
                    Tree::Fd(fd) => (path_of(*fd)?, fd.as_raw_fd()),
                };
                let id_map = id_map.map_or(-1, |fd| fd.as_raw_fd());
                let attributes = Attributes { set: attributes, id_map };
                self.bind(&source, fd, *recursive, attributes, optional, at, index);
                return Ok(());
            }
            What::Filesystem { kind, options } => {
                let step = if *kind == "proc" { Step::MountProc } else { Step::Mount };
                let options: Vec<_> = options
                    .iter()
                    .map(|(name, value)| (*name, value.as_deref().map(str::as_bytes)))
                    .collect();
                (step, self.filesystem(kind, &options, attributes, at))
            }
            What::Dev => return self.devices(path, spec, index),
            What::Overlay { lower, changes } => {
                let layer = match (changes, lower.as_slice()) {
                    (Some((upper, work)), _) => Layer::Kept(upper, work),
                    (None, [lower]) => {
                        let lower = Path::new(std::ffi::OsStr::from_bytes(lower.to_bytes()));
                        return self.layers(lower, path, spec, attributes, index);
                    }
                    (None, _) if attributes & libc::MOUNT_ATTR_RDONLY != 0 => Layer::Absent,
                    (None, _) => Layer::ThrownAway,
                };
                (Step::Mount, self.overlay(lower, layer, spec, attributes, at))
            }
            What::Dir { mode } => (Step::Make, MountOp::Dir { mode: *mode, at }),
            What::Symlink { to } => (Step::Make, MountOp::Symlink { to: self.arena.text(to), at }),
            What::File { content, mode } => {
                let data = self.arena.bytes(content);
                (Step::Make, MountOp::File { data, mode: *mode, at })
            }
            What::Mask => {
                let options = self.options("tmpfs", &[("mode", Some(b"555"))]);
                (Step::Mount, MountOp::Mask { options, at })
            }
            What::Chmod { mode } => (Step::Make, MountOp::Chmod { mode: *mode, at }),
            What::ReadOnly { recursive } => {
                (Step::Mount, MountOp::ReadOnly { recursive: *recursive, optional, at })
            }
            What::Propagation(propagation) => {
                let flag = match propagation {
                    Propagation::Slave => libc::MS_SLAVE,
                    Propagation::Shared => libc::MS_SHARED,
                    _ => libc::MS_PRIVATE,
                };
                (Step::Propagation, MountOp::Propagation { flag, at })
            }
        };
        self.push_mount(step, index, change);
        Ok(())
    }

    /// Plans a bind mount. Sources are opened before any other mount operation, with the caller's
    /// rights.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn bind(
        &mut self,
        source: &CStr,
        fd: c_int,
        recursive: bool,
        attributes: Attributes,
        optional: bool,
        at: Place,
        index: Option<usize>,
    ) {
        // A /proc/self/fd link names the caller's file descriptor; the helper must use its own
        // copy.
        let named = || source.to_str().ok()?.strip_prefix("/proc/self/fd/")?.parse().ok();
        let fd = if fd < 0 { named().unwrap_or(fd) } else { fd };
        let source = self.arena.text(source);
        let slot = Ref::at(self.arena.value(-1i32).offset() as u32);
        let open = MountOp::Open { source, fd, recursive, optional, slot };
        self.sources.push(Op { action: Action::Rootfs(open), step: Step::Mount, index });
        self.push_mount(Step::Mount, index, MountOp::Bind { source, slot, recursive, attributes, at });
    }

    /// Inserts the actions that open sources in front of all other mount operations.
    fn sources_first(&mut self, begin: usize) {
        let sources = std::mem::take(&mut self.sources);
        self.ops.splice(begin..begin, sources);
    }

    pub(super) fn push_mount(&mut self, step: Step, index: Option<usize>, op: MountOp) {
        self.ops.push(Op { action: Action::Rootfs(op), step, index });
    }

    pub(super) fn place(&mut self, path: &Path) -> Place {
        let mut so_far = PathBuf::from("/");
        let mut parts = Vec::new();
        for part in path.components().skip(1) {
            so_far.push(part);
            let text = |bytes: &[u8]| CString::new(bytes).unwrap_or_default();
            let name = self.arena.text(&text(part.as_os_str().as_bytes()));
            parts.push([self.arena.text(&text(so_far.as_os_str().as_bytes())), name]);
        }
        parts.push([Text::NONE; 2]);
        let path = self.arena.text(&CString::new(path.as_os_str().as_bytes()).unwrap_or_default());
        Place { path, parts: self.arena.table(&parts).first }
    }

    pub(super) fn filesystem(
        &mut self,
        kind: &str,
        options: &[(&str, Option<&[u8]>)],
        attributes: u64,
        at: Place,
    ) -> MountOp {
        let options = self.options(kind, options);
        MountOp::Filesystem { kind: self.arena.string(kind.as_bytes()), options, attributes, at }
    }

    /// Plans a `/dev`: a tmpfs with the caller's device files bound into it, because only the
    /// initial root may make device files.
    fn devices(&mut self, at: &Path, spec: &Spec, index: Option<usize>) -> Result<()> {
        let place = self.place(at);
        let quiet = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;
        let change = self.filesystem(
            "tmpfs",
            &[("mode", Some(b"755".as_slice())), ("size", Some(b"64k"))],
            quiet,
            place,
        );
        self.push_mount(Step::Mount, index, change);
        for node in NODES {
            let source = CString::new(format!("/dev/{node}")).unwrap_or_default();
            let at = self.place(&at.join(node));
            // The device itself works, but a read-only mount protects its times, owner and
            // permissions.
            let attributes = Attributes::of(quiet | libc::MOUNT_ATTR_RDONLY);
            self.bind(&source, -1, false, attributes, false, at, index);
        }
        if let Some((terminal, _)) = self.terminal_at(spec) {
            // The program's terminal is not in the new devpts. Bound to /dev/console, ttyname(3)
            // finds it.
            // SAFETY: the plan keeps the file descriptor open.
            let source = path_of(unsafe { BorrowedFd::borrow_raw(terminal) })?;
            let at = self.place(&at.join("console"));
            let attributes = Attributes::of(quiet);
            self.bind(&source, terminal, false, attributes, false, at, index);
        }
        for (to, name) in LINKS {
            let (to, at) = (self.arena.text(to), self.place(&at.join(name)));
            self.push_mount(Step::Make, index, MountOp::Symlink { to, at });
        }
        let shm = self.place(&at.join("shm"));
        let change =
            self.filesystem("tmpfs", &[("mode", Some(b"1777"))], quiet | libc::MOUNT_ATTR_NODEV, shm);
        self.push_mount(Step::Mount, index, change);
        let pts = self.place(&at.join("pts"));
        let mut options =
            vec![("newinstance", None), ("ptmxmode", Some(b"0666".as_slice())), ("mode", Some(b"620"))];
        if spec.resources.few_user_resources {
            options.push(("max", Some(b"64")));
        }
        let change = self.filesystem("devpts", &options, quiet, pts);
        self.push_mount(Step::Mount, index, change);
        Ok(())
    }
}

impl Plan {
    /// Appends mount options in both forms, one by one and joined for mount(2). A value with a
    /// comma cannot be joined, except for overlayfs, where a backslash escapes the comma.
    pub(super) fn options(&mut self, kind: &str, options: &[(&str, Option<&[u8]>)]) -> Options {
        let mut joined = Vec::new();
        let mut each = Vec::new();
        let mut fits = true;
        for (name, value) in options {
            if !joined.is_empty() {
                joined.push(b',');
            }
            joined.extend(name.as_bytes());
            let mut pair = [self.arena.string(name.as_bytes()), Text::NONE];
            if let Some(value) = value {
                joined.push(b'=');
                joined.extend(*value);
                pair[1] = self.arena.string(value);
                fits &= kind == "overlay" || !value.contains(&b',');
            }
            each.push(pair);
        }
        each.push([Text::NONE; 2]);
        fits &= joined.len() <= JOINED_MAX;
        let joined = if fits { self.arena.string(&joined) } else { Text::NONE };
        Options { each: self.arena.table(&each).first, joined }
    }
}

/// mount(2) reads one page of options, including the NUL.
const JOINED_MAX: usize = 4095;

/// Whether mounts must be made by mount(2). mount_setattr(2) (Linux 5.12) is the newest of the
/// calls that replace it, so a kernel with it has them all.
fn classic(private: bool) -> Classic {
    // SAFETY: the size 0 is invalid. The kernel refuses it before it reads the other arguments.
    let answer = unsafe {
        libc::syscall(libc::SYS_mount_setattr, -1, ptr::null::<u8>(), 0, ptr::null::<u8>(), 0usize)
    };
    match Errno::result(answer) {
        Err(Errno::EINVAL) => Classic::No,
        _ if private => Classic::Private,
        _ => Classic::Yes,
    }
}

/// The path of an open file. The kernel binds no file descriptor of another mount namespace, so the
/// child opens the path again and checks that it is the same file.
fn path_of(fd: BorrowedFd) -> Result<CString> {
    let link = format!("/proc/self/fd/{}", fd.as_raw_fd());
    let path = fs::read_link(&link).map_err(|error| Error::from_io(Step::Mount, link, &error))?;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::argument("a path has a NUL byte in it"))
}

fn is_at_root(mount: &Mount) -> bool {
    mount.at.as_bytes() == b"/"
}

/// Whether a mount is an optional file that a later mount at the same path replaces.
fn gives_way(mount: &Mount, later: &[Mount]) -> bool {
    let file = matches!(mount.what, What::File { .. });
    file && mount.optional && later.iter().any(|other| other.at == mount.at)
}

fn makes_a_mount(mount: &Mount) -> bool {
    matches!(mount.what, What::Bind { .. } | What::Filesystem { .. } | What::Overlay { .. } | What::Dev)
}
