//! The program's view of the file system: what is mounted or made where, in order.

use std::ffi::{CString, OsStr};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Propagation, Spec, path_text, text};
use crate::{Error, Kinds, Result};

/// One thing in the program's view of the file system: a mount, or a file, directory or symbolic link that is made.
///
/// The paths of targets are as the program sees them, those of sources as the caller does (in a joined mount namespace, as seen
/// there). Directories on the way to a target, and the target itself, are made where they are missing.
///
/// What is mounted ignores set-user-ID bits; binds and tmpfs ignore device files, too, unless [`Mount::suid`] and
/// [`Mount::devices`] say otherwise. `mount_setattr(2)`, or `mount(2)` where that is missing (before Linux 5.12, or in a container whose filter
/// refuses it).
#[derive(Clone, Debug)]
pub struct Mount<'fd> {
    pub(crate) at: CString,
    pub(crate) what: What<'fd>,
    /// `MOUNT_ATTR_...` that are set.
    pub(crate) attributes: u64,
    pub(crate) optional: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum What<'fd> {
    Bind {
        tree: Tree<'fd>,
        recursive: bool,
        id_map: Option<BorrowedFd<'fd>>,
    },
    Filesystem {
        kind: &'static str,
        options: Vec<(&'static str, Option<String>)>,
    },
    /// The few devices that every program may expect.
    Dev,
    Overlay {
        /// The uppermost first; never empty.
        lower: Vec<CString>,
        changes: Option<(CString, CString)>,
    },
    Directory {
        mode: u32,
    },
    Symlink {
        to: CString,
    },
    File {
        content: Vec<u8>,
        mode: u32,
    },
    Mask,
    ReadOnly {
        recursive: bool,
    },
    Permissions {
        mode: u32,
    },
    Propagation(Propagation),
}

/// What a bind shows.
#[derive(Clone, Debug)]
pub(crate) enum Tree<'fd> {
    Path(CString),
    Fd(BorrowedFd<'fd>),
}

const CAREFUL: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;

impl<'fd> Mount<'fd> {
    fn new(at: impl AsRef<OsStr>, what: What<'fd>, attributes: u64) -> Result<Self> {
        Ok(Mount { at: inside(at.as_ref())?, what, attributes, optional: false })
    }

    /// A file or a directory, with all that is mounted below it. At `/`, the root of the view.
    pub fn bind(source: impl AsRef<OsStr>, at: impl AsRef<OsStr>) -> Result<Self> {
        let tree = Tree::Path(outside("source of a bind", source.as_ref())?);
        Mount::new(at, What::Bind { tree, recursive: true, id_map: None }, CAREFUL)
    }

    /// The same by a descriptor (`O_PATH` is enough).
    pub fn bind_fd(source: BorrowedFd<'fd>, at: impl AsRef<OsStr>) -> Result<Self> {
        Mount::new(at, What::Bind { tree: Tree::Fd(source), recursive: true, id_map: None }, CAREFUL)
    }

    /// An empty file system in memory, `tmpfs(5)`.
    pub fn tmpfs(at: impl AsRef<OsStr>) -> Result<Self> {
        let options = vec![("mode", Some("755".into()))];
        Mount::new(at, What::Filesystem { kind: "tmpfs", options }, CAREFUL)
    }

    /// A fresh proc of the program's pid namespace, `proc(5)`.
    pub fn procfs(at: impl AsRef<OsStr>) -> Result<Self> {
        let what = What::Filesystem { kind: "proc", options: Vec::new() };
        Mount::new(at, what, CAREFUL | libc::MOUNT_ATTR_NOEXEC)
    }

    /// A fresh sysfs of the program's network namespace, `sysfs(5)`. Read-only.
    pub fn sysfs(at: impl AsRef<OsStr>) -> Result<Self> {
        let what = What::Filesystem { kind: "sysfs", options: Vec::new() };
        Mount::new(at, what, CAREFUL | libc::MOUNT_ATTR_NOEXEC | libc::MOUNT_ATTR_RDONLY)
    }

    /// The POSIX message queues of the program's IPC namespace, `mq_overview(7)`.
    pub fn mqueue(at: impl AsRef<OsStr>) -> Result<Self> {
        let what = What::Filesystem { kind: "mqueue", options: Vec::new() };
        Mount::new(at, what, CAREFUL | libc::MOUNT_ATTR_NOEXEC)
    }

    /// A small `/dev`: null, zero, full, random, urandom, tty, pseudo-terminals of its own, shm, and links to the descriptors;
    /// console is the program's terminal, if it is given one.
    pub fn dev(at: impl AsRef<OsStr>) -> Result<Self> {
        Mount::new(at, What::Dev, libc::MOUNT_ATTR_NOSUID)
    }

    /// A writable layer over the directory `lower`, the host's `/` included, which is thrown away in the end. What is mounted
    /// in `lower` gets layers of its own; what is no store of files (proc, sysfs, devices) is shown as it is, read-only. Files beside something that is mounted
    /// cannot have a layer: the caller's own are copied (up to 1 MiB each, 16 MiB in all), others are read-only.
    pub fn overlay(lower: impl AsRef<OsStr>, at: impl AsRef<OsStr>) -> Result<Self> {
        let lower = outside("lower tree of an overlay", lower.as_ref())?;
        Mount::new(at, What::Overlay { lower: vec![lower], changes: None }, CAREFUL)
    }

    /// An overlay whose changes are kept in the directory `upper`; `work`, an empty directory of the same file system, is the
    /// kernel's. What is mounted in `lower` is not seen.
    pub fn overlay_kept(
        lower: impl AsRef<OsStr>,
        upper: impl AsRef<OsStr>,
        work: impl AsRef<OsStr>,
        at: impl AsRef<OsStr>,
    ) -> Result<Self> {
        let lower = outside("lower tree of an overlay", lower.as_ref())?;
        let upper = outside("upper tree of an overlay", upper.as_ref())?;
        let work = outside("work directory of an overlay", work.as_ref())?;
        Mount::new(at, What::Overlay { lower: vec![lower], changes: Some((upper, work)) }, CAREFUL)
    }

    /// A further lower tree of an overlay, beneath those named before it: what is in it is seen where they have nothing. With more than one,
    /// what is mounted in them is not seen, and an overlay that is [`Mount::read_only`] and keeps no changes has no writable layer at all.
    ///
    /// ```
    /// use nsiso::{Mount, Spec};
    ///
    /// let mut spec = Spec::new("/bin/sh")?;
    /// spec.args(["-c", "test -f /mnt/passwd && test -d /mnt/bin && ! touch /mnt/x 2>/dev/null"])?
    ///     .map_root()
    ///     .mount(Mount::bind("/", "/")?)
    ///     .mount(Mount::overlay("/etc", "/mnt")?.lower("/usr")?.read_only());
    /// assert_eq!(spec.spawn()?.wait()?.code(), Some(0));
    /// # Ok::<(), nsiso::Error>(())
    /// ```
    pub fn lower(mut self, tree: impl AsRef<OsStr>) -> Result<Self> {
        match &mut self.what {
            What::Overlay { lower, .. } => lower.push(outside("lower tree of an overlay", tree.as_ref())?),
            _ => return Err(Error::argument("lower trees are for overlays")),
        }
        Ok(self)
    }

    /// A directory. One that is there already is left as it is.
    pub fn dir(at: impl AsRef<OsStr>, mode: u32) -> Result<Self> {
        Mount::new(at, What::Directory { mode: permissions(mode)? }, 0)
    }

    /// A symbolic link to `to`.
    pub fn symlink(to: impl AsRef<OsStr>, at: impl AsRef<OsStr>) -> Result<Self> {
        Mount::new(at, What::Symlink { to: path_text("target of a symbolic link", to.as_ref())? }, 0)
    }

    /// A file with this content. One that is there already is hidden by it, not changed. With [`Mount::if_exists`] it gives way to what is
    /// mounted or made at the same path later.
    pub fn file(content: impl Into<Vec<u8>>, at: impl AsRef<OsStr>, mode: u32) -> Result<Self> {
        Mount::new(at, What::File { content: content.into(), mode: permissions(mode)? }, 0)
    }

    /// Hides what is there: a directory becomes empty, a file reads as `/dev/null`. Nothing to hide is fine.
    pub fn mask(at: impl AsRef<OsStr>) -> Result<Self> {
        let mask = Mount::new(at, What::Mask, 0)?;
        match mask.at.as_bytes() {
            b"/" => Err(Error::argument("the root itself cannot be masked: mount a tmpfs there")),
            _ => Ok(mask),
        }
    }

    /// Makes what is there read-only, with all that is mounted below it.
    pub fn read_only_path(at: impl AsRef<OsStr>) -> Result<Self> {
        Mount::new(at, What::ReadOnly { recursive: true }, libc::MOUNT_ATTR_RDONLY)
    }

    /// The permissions of what is there already.
    pub fn chmod(at: impl AsRef<OsStr>, mode: u32) -> Result<Self> {
        Mount::new(at, What::Permissions { mode: permissions(mode)? }, 0)
    }

    /// The propagation of the mount at a mount point, `mount_namespaces(7)`.
    pub fn propagation(at: impl AsRef<OsStr>, propagation: Propagation) -> Result<Self> {
        if propagation == Propagation::Unchanged {
            return Err(Error::argument("a propagation that is unchanged changes nothing"));
        }
        Mount::new(at, What::Propagation(propagation), 0)
    }

    /// A bind with the flags of its source: those of a namespace's file cannot be changed.
    pub(crate) fn with_flags_of_source(mut self) -> Self {
        self.attributes = 0;
        self
    }

    /// Nothing can be written through it.
    pub fn read_only(mut self) -> Self {
        self.attributes |= libc::MOUNT_ATTR_RDONLY;
        self
    }

    /// No program in it can be executed.
    pub fn no_exec(mut self) -> Self {
        self.attributes |= libc::MOUNT_ATTR_NOEXEC;
        self
    }

    /// Set-user-ID bits and file capabilities count.
    pub fn suid(mut self) -> Self {
        self.attributes &= !libc::MOUNT_ATTR_NOSUID;
        self
    }

    /// Device files work.
    pub fn devices(mut self) -> Self {
        self.attributes &= !libc::MOUNT_ATTR_NODEV;
        self
    }

    /// A bind whose source does not exist is passed over; so is a path to be made read-only. A file that is made gives way.
    pub fn if_exists(mut self) -> Self {
        self.optional = true;
        self
    }

    /// A bind without what is mounted below its source. The kernel refuses that in a user namespace where something would come
    /// to light. A path to be made read-only: without what is mounted below it; it must be a mount point then.
    pub fn non_recursive(mut self) -> Self {
        if let What::Bind { recursive, .. } | What::ReadOnly { recursive } = &mut self.what {
            *recursive = false;
        }
        self
    }

    /// A bind that shows other owners, by the map of this user namespace. Takes root, Linux 5.12 and a file system
    /// that knows it.
    pub fn id_map(mut self, user_namespace: BorrowedFd<'fd>) -> Self {
        if let What::Bind { id_map, .. } = &mut self.what {
            *id_map = Some(user_namespace);
        }
        self
    }

    /// The most bytes that a tmpfs holds, and one file for each KiB of them, 1024 at least: empty ones take memory, too. By default half
    /// of the memory, and a file for every two pages of it.
    pub fn size(self, bytes: u64) -> Self {
        let files = if bytes == 0 { 0 } else { (bytes / 1024).max(1024) };
        self.option("size", Some(bytes.to_string())).option("nr_inodes", Some(files.to_string()))
    }

    /// The permissions of a tmpfs's root; 0755 by default.
    pub fn mode(self, mode: u32) -> Self {
        self.option("mode", Some(format!("{:o}", mode & 0o7777)))
    }

    /// Which processes a proc shows: `off`, `noaccess`, `invisible` or `ptraceable`.
    pub fn hidepid(self, hidepid: &str) -> Result<Self> {
        match hidepid {
            "off" | "noaccess" | "invisible" | "ptraceable" => {
                Ok(self.option("hidepid", Some(hidepid.into())))
            }
            _ => Err(Error::argument(format!(
                "{hidepid:?} is no hidepid: off, noaccess, invisible or ptraceable"
            ))),
        }
    }

    /// A proc that has processes alone, and none of the machine's settings.
    pub fn subset_pid(self) -> Self {
        self.option("subset", Some("pid".into()))
    }

    /// Whether it is there for the program to write in.
    pub(crate) fn is_written(&self) -> bool {
        let writable = self.attributes & libc::MOUNT_ATTR_RDONLY == 0;
        match self.what {
            What::Bind { .. } | What::Filesystem { .. } | What::Dev | What::Overlay { .. } => writable,
            What::Directory { mode } | What::File { mode, .. } => mode & 0o222 != 0,
            What::Permissions { .. }
            | What::Symlink { .. }
            | What::Mask
            | What::ReadOnly { .. }
            | What::Propagation(_) => false,
        }
    }

    fn option(mut self, name: &'static str, value: Option<String>) -> Self {
        if let What::Filesystem { options, .. } = &mut self.what {
            options.retain(|(other, _)| *other != name);
            options.push((name, value));
        }
        self
    }
}

impl<'fd> Spec<'fd> {
    /// Adds to the program's view of the file system. Asks for a new mount namespace.
    ///
    /// The view begins with the host's whole tree, or, if the first mount is at `/`, with that alone; each mount comes on
    /// top of those before it. Then the old root is taken away (`pivot_root(2)`).
    ///
    /// ```
    /// use nsiso::{Mount, Spec};
    ///
    /// let mut spec = Spec::new("/bin/sh")?;
    /// spec.args(["-c", "touch /tmp/it && ! touch /usr/it 2>/dev/null"])?
    ///     .map_root()
    ///     .mount(Mount::bind("/", "/")?.read_only())
    ///     .mount(Mount::tmpfs("/tmp")?.size(1 << 20));
    /// assert_eq!(spec.spawn()?.wait()?.code(), Some(0));
    /// # Ok::<(), nsiso::Error>(())
    /// ```
    pub fn mount(&mut self, mount: Mount<'fd>) -> &mut Self {
        self.rootfs.mounts.push(mount);
        self.unshare(Kinds::MNT)
    }
}

/// A path in the program's view.
fn inside(path: &OsStr) -> Result<CString> {
    if !path.as_bytes().starts_with(b"/") {
        return Err(Error::argument(format!("the target {path:?} is not absolute: it begins with /")));
    }
    if Path::new(path).components().any(|part| part == std::path::Component::ParentDir) {
        return Err(Error::argument(format!("the target {path:?} has .. in it")));
    }
    // Without doubled and trailing slashes and single dots.
    let clean: std::path::PathBuf = Path::new(path).components().collect();
    text("target", clean.as_os_str())
}

/// A path of the caller's, made absolute: the child moves about.
fn outside(what: &str, path: &OsStr) -> Result<CString> {
    let text = path_text(what, path)?;
    if path.as_bytes().starts_with(b"/") {
        return Ok(text);
    }
    let here = std::env::current_dir()
        .map_err(|error| Error::from_io(crate::Step::Prepare, "the working directory", &error))?;
    path_text(what, here.join(path).as_os_str())
}

fn permissions(mode: u32) -> Result<u32> {
    match mode & !0o7777 {
        0 => Ok(mode),
        _ => Err(Error::argument(format!("{mode:#o} are no permissions: they are at most 07777"))),
    }
}
