//! Namespaces kept at a path, by a bind mount of their file: they exist until it is unmounted.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::handle::identify;
use crate::kind::{MNT, NAMES};
use crate::{Error, Handle, Result, Step};

/// Keeps a namespace at `path`, which must not exist. `nsenter(1)`, `unshare(1)` and, below `/run/netns`, `ip-netns(8)`
/// find it there. Takes CAP_SYS_ADMIN in the user namespace that owns the caller's mount namespace.
pub fn pin(namespace: impl AsFd, path: impl AsRef<Path>) -> Result<()> {
    let (fd, path) = (namespace.as_fd(), path.as_ref());
    let (kind, inode) = identify(fd)?;
    let failed = |errno: i32, hint: &str| {
        let object = format!("{}:[{inode}] at {}", NAMES[kind].1, path.display());
        Error::new(Step::Pin, errno, object).with_hint(hint)
    };
    // A file of our own: nothing that is there is covered, and no symlink is followed.
    if let Err(error) = fs::OpenOptions::new().write(true).create_new(true).mode(0o444).open(path) {
        let errno = error.raw_os_error().unwrap_or(libc::EIO);
        return Err(failed(
            errno,
            match error.kind() {
                io::ErrorKind::AlreadyExists => "choose another path, or unpin what is there",
                io::ErrorKind::NotFound => "make its directory first",
                _ => "",
            },
        ));
    }
    let source = format!("/proc/self/fd/{}", fd.as_raw_fd());
    mount(Some(source.as_str()), path, None::<&str>, MsFlags::MS_BIND, None::<&str>).map_err(|errno| {
        let _ = fs::remove_file(path);
        failed(errno as i32, match errno {
            nix::errno::Errno::EPERM => "it takes CAP_SYS_ADMIN over your mount namespace: be root, or in namespaces of your own",
            nix::errno::Errno::EINVAL if kind == MNT => {
                "a mount namespace can be kept only from an older one, and where mounts do not propagate: use a private mount"
            }
            _ => "",
        })
    })
}

/// Undoes [`pin`]: unmounts what is at `path` and removes the file. The namespace ends if nothing else holds it.
pub fn unpin(path: impl AsRef<Path>) -> Result<()> {
    let path = path.as_ref();
    // Only a namespace is taken away, never what somebody else has mounted there.
    Handle::open(path)?;
    let failed = |errno: i32| Error::new(Step::Pin, errno, format!("no longer {}", path.display()));
    umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW).map_err(|errno| {
        failed(errno as i32).with_hint(
            "it must be the mount point itself, and you need CAP_SYS_ADMIN over your mount namespace",
        )
    })?;
    fs::remove_file(path).map_err(|error| failed(error.raw_os_error().unwrap_or(libc::EIO)))
}
