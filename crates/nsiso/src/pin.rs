//! Pins namespaces to paths: a bind mount of the namespace's file keeps it alive until it is
//! unmounted.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use crate::handle::identify;
use crate::kind::{MNT, NAMES};
use crate::{Error, Result, Step, nsfs};

/// Keeps a namespace alive at `path`, by a bind mount of the namespace on a file there.
///
/// The file is made if it does not exist; otherwise it must be empty. `nsenter(1)`, `unshare(1)`
/// and, for network namespaces below `/run/netns`, `ip-netns(8)` find the namespace there.
/// [`unpin`] removes it. Needs CAP_SYS_ADMIN in the user namespace that owns the caller's mount
/// namespace. `mount(2)`.
///
/// EEXIST if there is anything but an empty file, such as another pinned namespace. ELOOP if `path`
/// is a symbolic link. ENOENT if its directory does not exist. EPERM if the privilege is missing.
/// EINVAL if `namespace` is not a namespace. EINVAL also for a mount namespace that is not newer
/// than the caller's, or if mounts at `path` propagate: use a private mount.
///
/// ```standalone_crate
/// use nsiso::{Handle, Kinds};
///
/// nsiso::unshare(Kinds::USER | Kinds::MNT | Kinds::NET, true)?;
/// let path = std::env::temp_dir().join(format!("net-{}", std::process::id()));
/// nsiso::pin(Handle::own(Kinds::NET)?, &path)?;
/// assert_eq!(Handle::open(&path)?, Handle::own(Kinds::NET)?);
/// nsiso::unpin(&path)?;
/// # Ok::<(), nsiso::Error>(())
/// ```
pub fn pin(namespace: impl AsFd, path: impl AsRef<Path>) -> Result<()> {
    let (fd, path) = (namespace.as_fd(), path.as_ref());
    let (kind, inode) = identify(fd)?;
    let failed = |errno: i32, hint: &str| {
        let object = format!("{}:[{inode}] at {}", NAMES[kind].1, path.display());
        Error::new(Step::Pin, errno, object).with_hint(hint)
    };
    let (place, made) = place(path).map_err(|error| {
        let hint = match error.raw_os_error() {
            Some(libc::ENOENT) => "make its directory first",
            Some(libc::EEXIST) => {
                "only an empty file may be covered: choose another path, or unpin what is there"
            }
            Some(libc::ELOOP) => "symlinks are not followed",
            _ => "",
        };
        failed(error.raw_os_error().unwrap_or(libc::EIO), hint)
    })?;
    // The paths of the open files cannot be redirected to other files meanwhile.
    let (source, target) = (link(fd), link(place.as_fd()));
    mount(Some(source.as_str()), target.as_str(), None::<&str>, MsFlags::MS_BIND, None::<&str>).map_err(|errno| {
        if made {
            let _ = fs::remove_file(path);
        }
        failed(errno as i32, match errno {
            Errno::EPERM => "it takes CAP_SYS_ADMIN over your mount namespace: be root, or in namespaces of your own",
            Errno::EINVAL if kind == MNT => {
                "a mount namespace is kept only from an older one, and where mounts do not propagate: use a private mount"
            }
            _ => "",
        })
    })
}

/// Opens the empty file at `path`, and returns whether it was made now.
fn place(path: &Path) -> io::Result<(File, bool)> {
    let open = |flags| {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY | flags;
        fs::OpenOptions::new().read(true).mode(0o444).custom_flags(flags).clone()
    };
    match open(0).write(true).create_new(true).open(path) {
        Ok(file) => return Ok((file, true)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let place = open(libc::O_PATH).open(path)?;
    let about = place.metadata()?;
    match about.file_type().is_symlink() {
        true => Err(io::Error::from_raw_os_error(libc::ELOOP)),
        false if about.is_file() && about.len() == 0 && !nsfs::is_namespace(place.as_fd()) => {
            Ok((place, false))
        }
        false => Err(io::Error::from_raw_os_error(libc::EEXIST)),
    }
}

fn link(fd: BorrowedFd) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Unmounts the namespace pinned at `path` and removes the file. The namespace ends if nothing else
/// holds it.
///
/// Symbolic links in the directory part of `path` are followed, once; the last component must not
/// be one. Nothing but a namespace is unmounted, even if another process changes the path
/// meanwhile. Needs CAP_SYS_ADMIN in the user namespace that owns the caller's mount namespace.
/// `umount(2)`.
///
/// ENOENT if `path` does not exist. EINVAL if there is no namespace at `path`, or if it is not a
/// mount point. EPERM if the privilege is missing.
///
/// ```
/// // Anything but a namespace stays mounted.
/// let error = nsiso::unpin("/proc").unwrap_err();
/// assert_eq!(error.to_string(), "/proc is no namespace");
/// ```
pub fn unpin(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    let unopened = |errno: Errno| Error::new(Step::Open, errno as i32, path.display());
    let no_namespace = || Error::argument(format!("{} is no namespace", path.display()));
    let name = path.file_name().ok_or_else(no_namespace)?;
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let directory = open(directory, flags | OFlag::O_DIRECTORY, Mode::empty()).map_err(unopened)?;
    let pinned = openat(&directory, name, flags | OFlag::O_NOFOLLOW, Mode::empty()).map_err(unopened)?;
    if !nsfs::is_namespace(pinned.as_fd()) {
        return Err(no_namespace());
    }
    let failed = |errno: Errno| Error::new(Step::Pin, errno as i32, format!("no longer {}", path.display()));
    // The path of the open file is still the checked one, even if `path` has changed meanwhile. The
    // link must be followed, so UMOUNT_NOFOLLOW is not set.
    umount2(link(pinned.as_fd()).as_str(), MntFlags::MNT_DETACH).map_err(|errno| {
        failed(errno).with_hint(
            "it must be the mount point itself, and you need CAP_SYS_ADMIN over your mount namespace",
        )
    })?;
    unlinkat(&directory, name, UnlinkatFlags::NoRemoveDir).map_err(failed)
}
