//! [`Mount`]: one operation on the program's file system view, such as a mount or a file that is
//! created. `plan` turns the mounts into operations that the helper does in order.

use std::ffi::{CString, OsStr};
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::{Propagation, Spec, path_text, text};
use crate::{Error, Kinds, Result};

/// One operation on the program's file system view: a mount, or a file, directory or symbolic link
/// that is created.
///
/// A source is a path as the caller sees it; if a mount namespace is joined, as seen there. A
/// target `at` is an absolute path as the program sees it. The target and the directories on the
/// way to it are created if they are missing.
///
/// Every mount ignores set-user-ID bits and file capabilities, unless [`Mount::suid`] is set;
/// binds, tmpfs and overlays also ignore device files, unless [`Mount::devices`] is set.
///
/// A constructor fails with EINVAL if a path is empty or has a NUL byte in it, or if a target is
/// relative or has `..` in it. Errors of the mount itself come from [`Spec::spawn`], with the index
/// of the mount ([`Error::index`]): EPERM if the caller has no CAP_SYS_ADMIN and the spec no new
/// user namespace, ENOENT if the source does not exist, EROFS if the target cannot be created on a
/// read-only file system.
///
/// Mounts are made by `mount_setattr(2)` and the calls around it, or by `mount(2)` if it is
/// missing: before Linux 5.12, or in a container whose seccomp filter refuses it.
///
/// ```
/// use nsiso::{Mount, Spec};
///
/// let mut spec = Spec::new("grep")?;
/// spec.args(["-q", "blue", "/tmp/link"])?.map_root();
/// spec.mount(Mount::tmpfs("/tmp")?.noexec())
///     .mount(Mount::file("blue\n", "/tmp/name", 0o644)?)
///     .mount(Mount::symlink("name", "/tmp/link")?);
/// assert_eq!(spec.spawn()?.wait()?.code(), Some(0));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Mount<'fd> {
    pub(crate) at: CString,
    pub(crate) what: What<'fd>,
    /// The `MOUNT_ATTR_...` flags that are set.
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
    /// The small `/dev` of [`Mount::dev`].
    Dev,
    Overlay {
        /// The lower trees, the uppermost first; never empty.
        lower: Vec<CString>,
        changes: Option<(CString, CString)>,
    },
    Dir {
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
    Chmod {
        mode: u32,
    },
    Propagation(Propagation),
}

/// The source of a bind.
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

    /// Binds a file or a directory of the caller's at `at`, with all mounts below it.
    ///
    /// At `/` it becomes the root of the view. The bind is writable, unless [`Mount::read_only`] is
    /// set. [`Mount::non_recursive`] leaves out the mounts below the source.
    pub fn bind(source: impl AsRef<OsStr>, at: impl AsRef<OsStr>) -> Result<Self> {
        let tree = Tree::Path(outside("source of a bind", source.as_ref())?);
        Mount::new(at, What::Bind { tree, recursive: true, id_map: None }, CAREFUL)
    }

    /// Binds the file or directory behind a descriptor at `at`, with all mounts below it.
    ///
    /// A descriptor opened with `O_PATH` is enough. The child opens the file again by its path:
    /// ESTALE at the spawn if it has moved, or lies in another mount namespace.
    pub fn bind_fd(source: BorrowedFd<'fd>, at: impl AsRef<OsStr>) -> Result<Self> {
        Mount::new(at, What::Bind { tree: Tree::Fd(source), recursive: true, id_map: None }, CAREFUL)
    }

    /// Mounts an empty tmpfs, `tmpfs(5)`, a file system in memory.
    ///
    /// Its mode is 0755, see [`Mount::mode`]. It may use half of the memory by default, see
    /// [`Mount::size`].
    pub fn tmpfs(at: impl AsRef<OsStr>) -> Result<Self> {
        let options = vec![("mode", Some("755".into()))];
        Mount::new(at, What::Filesystem { kind: "tmpfs", options }, CAREFUL)
    }

    /// Mounts a fresh proc, which shows the program's pid namespace, `proc(5)`.
    ///
    /// In a new user namespace this needs a new pid namespace, and a `/proc` of the caller's that
    /// no other mounts cover: EPERM at the spawn otherwise. EINVAL at the spawn: the spec joins a
    /// pid namespace, whose processes it would not show.
    pub fn procfs(at: impl AsRef<OsStr>) -> Result<Self> {
        let what = What::Filesystem { kind: "proc", options: Vec::new() };
        Mount::new(at, what, CAREFUL | libc::MOUNT_ATTR_NOEXEC)
    }

    /// Mounts a fresh sysfs, read-only, which shows the program's network namespace, `sysfs(5)`.
    ///
    /// In a new user namespace this needs a new network namespace, and a `/sys` of the caller's
    /// that is fully visible: EPERM at the spawn otherwise.
    pub fn sysfs(at: impl AsRef<OsStr>) -> Result<Self> {
        let what = What::Filesystem { kind: "sysfs", options: Vec::new() };
        Mount::new(at, what, CAREFUL | libc::MOUNT_ATTR_NOEXEC | libc::MOUNT_ATTR_RDONLY)
    }

    /// Mounts the POSIX message queues of the program's IPC namespace, `mq_overview(7)`.
    ///
    /// In a new user namespace this needs a new IPC namespace: EPERM at the spawn otherwise.
    pub fn mqueue(at: impl AsRef<OsStr>) -> Result<Self> {
        let what = What::Filesystem { kind: "mqueue", options: Vec::new() };
        Mount::new(at, what, CAREFUL | libc::MOUNT_ATTR_NOEXEC)
    }

    /// Mounts a small `/dev`.
    ///
    /// It contains the devices null, zero, full, random, urandom and tty, bound from the caller's
    /// `/dev`; pseudo-terminals of its own (`pts` and `ptmx`); the directory `shm`, a tmpfs; and
    /// the links fd, stdin, stdout and stderr. `console` is the program's terminal if [`Spec::pty`]
    /// is set.
    pub fn dev(at: impl AsRef<OsStr>) -> Result<Self> {
        Mount::new(at, What::Dev, libc::MOUNT_ATTR_NOSUID)
    }

    /// Mounts the directory `lower` with a temporary writable layer over it.
    ///
    /// Changes go to a tmpfs and are lost when the program's mount namespace ends. `lower` may be
    /// the caller's `/`. Each file system mounted below `lower` gets a layer of its own. Those
    /// without stored files (proc, sysfs, devices) are bound read-only. A file in a directory that
    /// contains mount points cannot have a layer: the caller's own files are copied (up to 1 MiB
    /// each and 16 MiB in all), others are bound read-only.
    ///
    /// In a new user namespace overlays need Linux 5.11: EPERM at the spawn otherwise.
    pub fn overlay(lower: impl AsRef<OsStr>, at: impl AsRef<OsStr>) -> Result<Self> {
        let lower = outside("lower tree of an overlay", lower.as_ref())?;
        Mount::new(at, What::Overlay { lower: vec![lower], changes: None }, CAREFUL)
    }

    /// Mounts the directory `lower` with a writable layer that is kept in the directory `upper`.
    ///
    /// `work` is an empty directory on the same file system as `upper`, for the kernel's use.
    /// Mounts below `lower` are not visible. ENOENT at the spawn: one of the three directories does
    /// not exist. EINVAL at the spawn: `upper` and `work` are not on one writable file system, or
    /// are on an overlay.
    ///
    /// In a new user namespace overlays need Linux 5.11: EPERM at the spawn otherwise.
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

    /// Adds a lower tree to an overlay, beneath the ones added before.
    ///
    /// A file of the new tree is visible if none of the trees above has a file at that path. With
    /// more than one tree, mounts below them are not visible, and an overlay with
    /// [`Mount::read_only`] and no kept changes has no writable layer. EINVAL: this is not an
    /// overlay.
    ///
    /// ```
    /// use nsiso::{Mount, Spec};
    ///
    /// let mut spec = Spec::new("/bin/sh")?;
    /// spec.args(["-c", "test -f /mnt/passwd && test -d /mnt/bin && ! test -w /mnt"])?
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

    /// Creates a directory with the mode `mode`.
    ///
    /// A directory that exists already stays as it is, with its mode. EINVAL: the mode is above
    /// 07777. ENOTDIR at the spawn: there is another file at this path.
    pub fn dir(at: impl AsRef<OsStr>, mode: u32) -> Result<Self> {
        Mount::new(at, What::Dir { mode: permissions(mode)? }, 0)
    }

    /// Creates a symbolic link at `at` that points to `to`.
    ///
    /// `to` is stored as it is and need not exist. EEXIST at the spawn: there is a file at `at`
    /// already.
    pub fn symlink(to: impl AsRef<OsStr>, at: impl AsRef<OsStr>) -> Result<Self> {
        Mount::new(at, What::Symlink { to: path_text("target of a symbolic link", to.as_ref())? }, 0)
    }

    /// Creates a file with this content and the mode `mode`.
    ///
    /// A file that exists already is not changed: the new one is mounted over it. With
    /// [`Mount::if_exists`] the file is left out if a later operation has the same target. EINVAL:
    /// the mode is above 07777.
    pub fn file(content: impl Into<Vec<u8>>, at: impl AsRef<OsStr>, mode: u32) -> Result<Self> {
        Mount::new(at, What::File { content: content.into(), mode: permissions(mode)? }, 0)
    }

    /// Hides a file or a directory: a directory becomes empty and read-only, a file becomes
    /// `/dev/null`.
    ///
    /// Nothing happens if the path does not exist. EINVAL: the path is `/`.
    pub fn mask(at: impl AsRef<OsStr>) -> Result<Self> {
        let mask = Mount::new(at, What::Mask, 0)?;
        match mask.at.as_bytes() {
            b"/" => Err(Error::argument("the root itself cannot be masked: mount a tmpfs there")),
            _ => Ok(mask),
        }
    }

    /// Makes a file or a directory read-only, with all mounts below it.
    ///
    /// It must exist, unless [`Mount::if_exists`] is set: ENOENT at the spawn. With
    /// [`Mount::non_recursive`] the mounts below it stay writable, and it must be a mount point.
    pub fn read_only_path(at: impl AsRef<OsStr>) -> Result<Self> {
        Mount::new(at, What::ReadOnly { recursive: true }, libc::MOUNT_ATTR_RDONLY)
    }

    /// Changes the mode of a file or directory that exists.
    ///
    /// No part of the path may be a symbolic link: ELOOP at the spawn. EINVAL: the mode is above
    /// 07777. ENOENT at the spawn: it does not exist. See `chmod(2)`.
    pub fn chmod(at: impl AsRef<OsStr>, mode: u32) -> Result<Self> {
        Mount::new(at, What::Chmod { mode: permissions(mode)? }, 0)
    }

    /// Sets the propagation of the mount at a mount point, `mount_namespaces(7)`.
    ///
    /// EINVAL: `propagation` is [`Propagation::Unchanged`], or, at the spawn, the path is not a
    /// mount point.
    pub fn propagation(at: impl AsRef<OsStr>, propagation: Propagation) -> Result<Self> {
        if propagation == Propagation::Unchanged {
            return Err(Error::argument("a propagation that is unchanged changes nothing"));
        }
        Mount::new(at, What::Propagation(propagation), 0)
    }
}

impl<'fd> Spec<'fd> {
    /// Adds an operation to the program's file system view.
    ///
    /// Asks for a new mount namespace. The view begins as the caller's whole tree. If the first
    /// mount is at `/`, the view begins as that mount alone. Each mount comes on top of the earlier
    /// ones. Then the old root is removed, `pivot_root(2)`.
    ///
    /// EINVAL at the spawn: a later mount is at `/`, or [`Spec::propagation`] is shared or
    /// unchanged. EPERM at the spawn: the caller has no CAP_SYS_ADMIN, and there is no new user
    /// namespace.
    ///
    /// ```
    /// use nsiso::{Mount, Spec};
    ///
    /// let mut spec = Spec::new("/bin/sh")?;
    /// spec.args(["-c", "touch /tmp/it && ! test -w /usr"])?
    ///     .map_root()
    ///     .mount(Mount::bind("/", "/")?.read_only())
    ///     .mount(Mount::tmpfs("/tmp")?.size(1 << 20)?);
    /// assert_eq!(spec.spawn()?.wait()?.code(), Some(0));
    /// # Ok::<(), nsiso::Error>(())
    /// ```
    pub fn mount(&mut self, mount: Mount<'fd>) -> &mut Self {
        self.rootfs.mounts.push(mount);
        self.unshare(Kinds::MNT)
    }
}

/// Checks and cleans a target: a path in the program's view.
fn inside(path: &OsStr) -> Result<CString> {
    if !path.as_bytes().starts_with(b"/") {
        return Err(Error::argument(format!("the target {path:?} is not absolute: it begins with /")));
    }
    if Path::new(path).components().any(|part| part == std::path::Component::ParentDir) {
        return Err(Error::argument(format!("the target {path:?} has .. in it")));
    }
    // This drops doubled and trailing slashes and single dots.
    let clean: std::path::PathBuf = Path::new(path).components().collect();
    text("target", clean.as_os_str())
}

/// Checks a path of the caller's and makes it absolute: the child has another working directory.
fn outside(what: &str, path: &OsStr) -> Result<CString> {
    let text = path_text(what, path)?;
    if path.as_bytes().starts_with(b"/") {
        return Ok(text);
    }
    let here = std::env::current_dir()
        .map_err(|error| Error::from_io(crate::Step::Prepare, "the working directory", &error))?;
    path_text(what, here.join(path).as_os_str())
}

pub(super) fn permissions(mode: u32) -> Result<u32> {
    match mode & !0o7777 {
        0 => Ok(mode),
        _ => Err(Error::argument(format!("{mode:#o} are no permissions: they are at most 07777"))),
    }
}
