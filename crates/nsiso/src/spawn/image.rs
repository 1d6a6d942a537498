//! The helper as a file that can be executed: in memory, or installed.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use nix::errno::Errno;

use super::plan_file::{failed, memfd, write_at};
use crate::{Error, Result, Step};

/// The program itself: no library, no path, nothing that a view of the file system could lack.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/nsiso-helper"));

/// Where `make install` puts it, for hosts where programs in memory may not be executed.
const INSTALLED: [&str; 2] = ["/usr/local/libexec/nsiso/nsiso-helper", "/usr/libexec/nsiso/nsiso-helper"];

const OBJECT: &str = "the helper program";

/// Opens it. A file in memory that nobody can change any more, new each time: a descriptor that was kept
/// could be closed by the host, and its number used again.
pub(super) fn open() -> Result<OwnedFd> {
    const MFD_EXEC: libc::c_uint = 0x10;
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let made = match memfd(flags | MFD_EXEC) {
        // Before Linux 6.3.
        Err(Errno::EINVAL) => memfd(flags),
        made => made,
    };
    let file = match made {
        // The setting vm.memfd_noexec forbids programs in memory.
        Err(Errno::EACCES) => return installed(),
        made => made.map_err(|errno| failed(OBJECT, errno))?,
    };
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    write_at(&file, PROGRAM, 0).and_then(|()| seal(&file, seals)).map_err(|errno| failed(OBJECT, errno))?;
    Ok(file)
}

fn seal(file: &OwnedFd, seals: libc::c_int) -> nix::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: numbers only.
    Errno::result(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }).map(drop)
}

/// The installed one, if it is the very program that this library carries, and nobody but root or the
/// caller can change it.
fn installed() -> Result<OwnedFd> {
    let found = INSTALLED.iter().find_map(|path| trusted(path));
    found.ok_or_else(|| {
        Error::new(Step::Prepare, libc::EACCES, OBJECT).with_hint(format!(
            "programs in memory are forbidden here (/proc/sys/vm/memfd_noexec is 2), and no helper of this \
             version is installed: run make install, which puts it at {}",
            INSTALLED[0]
        ))
    })
}

fn trusted(path: &str) -> Option<OwnedFd> {
    let mut file = File::options().read(true).custom_flags(libc::O_NOFOLLOW).open(path).ok()?;
    let about = file.metadata().ok()?;
    let own = about.uid() == 0 || about.uid() == nix::unistd::geteuid().as_raw();
    if !own || about.mode() & 0o022 != 0 || about.len() != PROGRAM.len() as u64 {
        return None;
    }
    let mut bytes = Vec::with_capacity(PROGRAM.len());
    file.read_to_end(&mut bytes).ok()?;
    (bytes == PROGRAM).then(|| file.into())
}

/// The child could not become the helper.
pub(super) fn not_executed(errno: i32) -> Error {
    let hint = match errno {
        libc::EACCES | libc::EPERM => {
            "a security policy (SELinux, AppArmor, IPE) or a filter of system calls forbids to execute a \
             program in memory"
        }
        libc::ENOMEM => "the kernel has no memory for another process",
        libc::ENOSYS => "a seccomp filter refuses execveat(2)",
        _ => "",
    };
    Error::new(Step::Prepare, errno, OBJECT).with_hint(hint)
}
