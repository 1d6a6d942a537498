//! Opens the helper as an executable file: in a memfd, or installed on disk.

use std::env;
use std::ffi::{CStr, OsStr};
use std::fs::{self, File};
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use super::hints::apparmor_restricts;
use super::plan_file::{failed, memfd, write_at};
use crate::plan::ambient_needed;
use crate::{Error, Kinds, Result, Spec, Step};

/// The helper's file. It needs no library and no path, which a file system view could lack.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/nsiso-helper"));

const NAME: &str = "nsiso-helper";

/// Paths of the installed helper from the library's directory: beside the library (the Python
/// package), below the same prefix, or that from a directory like `lib/x86_64-linux-gnu`.
const NEAR_LIBRARY: [&str; 3] = [NAME, "../libexec/nsiso/nsiso-helper", "../../libexec/nsiso/nsiso-helper"];

/// Paths to try after those.
const INSTALLED: [&str; 2] = ["/usr/local/libexec/nsiso/nsiso-helper", "/usr/libexec/nsiso/nsiso-helper"];

const OBJECT: &str = "the helper program";

const NO_EXEC: &str = "the setting vm.memfd_noexec is 2 here, which forbids programs in memory";
const POLICY: &str = "a security policy (SELinux, AppArmor, IPE) or a seccomp filter forbids to execute \
                      a program in memory";

/// The open file of the helper.
pub(super) enum Image {
    Memory(OwnedFd),
    Installed(OwnedFd, PathBuf),
    /// An installed one that is not needed, but that a profile of AppArmor may name.
    Preferred(OwnedFd),
}

impl Image {
    /// Makes a sealed memfd, which nobody can change. It is new each time, because the caller could
    /// close a kept descriptor and reuse its number. If the kernel forbids executing a memfd, opens
    /// the installed helper.
    ///
    /// Where AppArmor restricts user namespaces, a helper that root has installed comes first: a
    /// profile can name its path, and cannot name a memfd. A program that is root in its user
    /// namespace reaches the file of its init process, and could change one of the caller's own.
    pub fn open(spec: &Spec) -> Result<Self> {
        let restricted = spec.kinds.contains(Kinds::USER) && !is_privileged() && apparmor_restricts();
        if restricted && let Some(file) = places().iter().find_map(|path| trusted(path, Owner::Root).ok()) {
            return Ok(Image::Preferred(file));
        }
        Self::in_memory(spec)
    }

    fn in_memory(spec: &Spec) -> Result<Self> {
        const MFD_EXEC: libc::c_uint = 0x10;
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        let made = match memfd(flags | MFD_EXEC) {
            // Linux before 6.3.
            Err(Errno::EINVAL) => memfd(flags),
            made => made,
        };
        let file = match made {
            Err(Errno::EACCES) => return Self::installed(spec, NO_EXEC),
            made => made.map_err(|errno| failed(OBJECT, errno))?,
        };
        let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
        write_at(&file, PROGRAM, 0)
            .and_then(|()| seal(&file, seals))
            .map_err(|errno| failed(OBJECT, errno))?;
        Ok(Image::Memory(file))
    }

    pub fn file(&self) -> &OwnedFd {
        match self {
            Image::Memory(file) | Image::Installed(file, _) | Image::Preferred(file) => file,
        }
    }

    /// Returns another image after the kernel has refused to execute this one with `errno`.
    pub fn after_refusal(self, errno: i32, spec: &Spec) -> Result<Self> {
        match (self, errno) {
            (Image::Preferred(_), _) => Self::in_memory(spec),
            (Image::Memory(_), libc::EACCES | libc::EPERM) => Self::installed(spec, POLICY),
            (Image::Memory(_), errno) => Err(not_executed(errno)),
            (Image::Installed(_, path), errno) => {
                let hint = format!(
                    "the helper at {} may not be executed: it lacks permission, its file system is mounted \
                     noexec, or a security policy forbids it",
                    path.display()
                );
                Err(Error::new(Step::Prepare, errno, OBJECT).with_hint(hint))
            }
        }
    }

    /// Opens the installed helper. `why` says why the memfd is not used.
    fn installed(spec: &Spec, why: &str) -> Result<Self> {
        let refused = |hint: String| Error::new(Step::Prepare, libc::EACCES, OBJECT).with_hint(hint);
        // A process that is privileged in those namespaces could overwrite the file through
        // /proc/PID/exe, and the next spawn would execute it outside of them: CVE-2019-5736.
        if is_privileged() && (!spec.joins.is_empty() || spec.rootfs.root_at.is_some()) {
            return Err(refused(format!(
                "{why}; a privileged caller that joins namespaces never executes an installed helper, which \
                 programs in there could overwrite (CVE-2019-5736): allow programs in memory (sysctl \
                 vm.memfd_noexec=1), or join as an ordinary user"
            )));
        }
        let mut fault = None;
        for path in places() {
            match trusted(&path, Owner::RootOrCaller) {
                Ok(file) => return Ok(Image::Installed(file, path)),
                Err(None) => {}
                Err(Some(reason)) => {
                    fault.get_or_insert_with(|| format!("{} is not used: {reason}", path.display()));
                }
            }
        }
        let fault = fault.unwrap_or_else(|| {
            "no helper is installed: run make install, which puts it into PREFIX/libexec/nsiso, or install \
             the Python package's wheel, which has it inside"
                .into()
        });
        Err(refused(format!("{why}, and {fault}")))
    }
}

fn seal(file: &OwnedFd, seals: libc::c_int) -> nix::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: integer arguments only.
    Errno::result(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }).map(drop)
}

fn is_privileged() -> bool {
    nix::unistd::geteuid().is_root() || ambient_needed().is_some()
}

/// Where a helper may be installed, in the order of preference.
fn places() -> Vec<PathBuf> {
    let mut directories: Vec<PathBuf> = Vec::new();
    let own = own_file();
    let resolved = own.as_ref().and_then(|file| fs::canonicalize(file).ok());
    for file in [own, resolved, env::current_exe().ok()].into_iter().flatten() {
        match file.parent() {
            Some(directory) if !directories.iter().any(|known| known == directory) => {
                directories.push(directory.to_owned());
            }
            _ => {}
        }
    }
    let near = directories.iter().flat_map(|directory| NEAR_LIBRARY.map(|name| directory.join(name)));
    near.chain(INSTALLED.map(PathBuf::from)).collect()
}

/// The file that this code was loaded from: the library, or the program that links it.
fn own_file() -> Option<PathBuf> {
    let here: fn() -> Option<PathBuf> = own_file;
    let mut about = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: room for the struct; any address is allowed.
    let found = unsafe { libc::dladdr(here as *const libc::c_void, about.as_mut_ptr()) };
    // SAFETY: all zero is valid, and a non-NULL name stays as long as the code is loaded.
    let name = unsafe {
        let name = about.assume_init().dli_fname;
        (found != 0 && !name.is_null()).then(|| CStr::from_ptr(name))?
    };
    // The name of a program that was found in PATH has no directory.
    let path = Path::new(OsStr::from_bytes(name.to_bytes()));
    name.to_bytes().contains(&b'/').then(|| path.to_owned())
}

/// Who may own an installed helper.
#[derive(Clone, Copy, PartialEq)]
enum Owner {
    Root,
    RootOrCaller,
}

/// Opens the file if it is exactly this library's helper and only its owner can change it.
/// Otherwise returns why it is refused, or `None` if there is no such file.
fn trusted(path: &Path, owner: Owner) -> std::result::Result<OwnedFd, Option<String>> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => None,
        _ => Some(format!("it cannot be opened ({error})")),
    };
    let directory = path.parent().ok_or(None)?;
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
        .open(directory)
        .map_err(unreadable)?;
    // Without O_NONBLOCK, opening a FIFO or a device could block.
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let mut file = match openat(&opened, NAME, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(errno) => return Err(unreadable(errno.into())),
    };
    for (object, name) in [(&file, path), (&opened, directory)] {
        let about = object.metadata().map_err(|error| Some(error.to_string()))?;
        let name = name.display();
        let callers = owner == Owner::RootOrCaller && about.uid() == nix::unistd::geteuid().as_raw();
        if about.uid() != 0 && !callers {
            return Err(Some(format!("{name} belongs to uid {}, neither root nor the caller", about.uid())));
        }
        if about.mode() & 0o022 != 0 {
            return Err(Some(format!("others may write to {name}: chmod go-w {name}")));
        }
    }
    let about = file.metadata().map_err(|error| Some(error.to_string()))?;
    let mut bytes = Vec::new();
    if about.is_file() && about.len() == PROGRAM.len() as u64 {
        bytes.reserve_exact(PROGRAM.len());
        file.read_to_end(&mut bytes).map_err(|error| Some(error.to_string()))?;
    }
    match bytes == PROGRAM {
        true => Ok(file.into()),
        false => Err(Some("it is not the helper of this library: install it again (make install)".into())),
    }
}

/// The error of a child that could not execute the helper.
pub(super) fn not_executed(errno: i32) -> Error {
    let hint = match errno {
        libc::EACCES | libc::EPERM => POLICY,
        libc::ENOMEM => "the kernel has no memory for another process",
        libc::ENOEXEC => {
            "an emulator runs the caller: register it with binfmt_misc, so that it runs the helper and \
             programs, too"
        }
        libc::ENOSYS => "a seccomp filter refuses execveat(2)",
        _ => "",
    };
    Error::new(Step::Prepare, errno, OBJECT).with_hint(hint)
}
