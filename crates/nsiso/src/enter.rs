//! Code of the host itself in existing namespaces: the calling thread for a while, or a function on a thread of
//! its own.

use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::thread;

use nix::errno::Errno;

use crate::handle::identify;
use crate::kind::NAMES;
use crate::{Error, Handle, Kinds, Result, Step};

/// What a thread may enter and leave again.
const REVERSIBLE: Kinds = Kinds::NET.union(Kinds::UTS).union(Kinds::IPC).union(Kinds::CGROUP);

/// The calling thread is in other namespaces. It returns when this is dropped, or with [`Entered::leave`], which
/// tells whether that worked. Bound to its thread.
#[derive(Debug)]
#[must_use = "the thread returns at once when this is dropped"]
pub struct Entered {
    /// Where the thread was, in the order of entering.
    before: Vec<Handle>,
    _bound_to_its_thread: PhantomData<*const ()>,
}

/// Takes the calling thread, no other, into existing namespaces of the kinds net, uts, ipc and cgroup, `setns(2)`.
///
/// What the thread opens meanwhile belongs to them: a socket stays in the network namespace it was made in.
/// Takes CAP_SYS_ADMIN in the user namespaces that own them, that own those the thread is in (it could not return otherwise,
/// and is not let go), and in the caller's own. For the other kinds a
/// thread cannot come back: use [`call`] for mount namespaces, and a [`Spec`](crate::Spec) that joins for user, pid and time.
///
/// ```no_run
/// use std::net::TcpListener;
///
/// let blue = nsiso::Handle::named("blue")?;
/// let entered = nsiso::enter(&[&blue])?;
/// let listener = TcpListener::bind("127.0.0.1:80");
/// entered.leave()?;
/// # Ok::<(), nsiso::Error>(())
/// ```
pub fn enter<F: AsFd>(namespaces: &[F]) -> Result<Entered> {
    let targets = targets(namespaces, REVERSIBLE)?;
    let mut entered =
        Entered { before: Vec::with_capacity(targets.len()), _bound_to_its_thread: PhantomData };
    for (fd, kind) in targets {
        let before = Handle::own(NAMES[kind].0)?;
        // Who may enter where it is may come back there; others would be lost. What was entered so far is left
        // again if this fails.
        setns(before.as_fd(), before.kind()).map_err(|errno| no_return(&before, errno))?;
        join(fd, kind)?;
        entered.before.push(before);
    }
    Ok(entered)
}

impl Entered {
    /// Goes back. On failure the thread is lost where it is: end it, or use it for nothing else.
    pub fn leave(mut self) -> Result<()> {
        self.go_back()
    }

    fn go_back(&mut self) -> Result<()> {
        let mut result = Ok(());
        while let Some(before) = self.before.pop() {
            if let Err(errno) = setns(before.as_fd(), before.kind()) {
                let error = Error::new(Step::Leave, errno as i32, format!("{before:?}"));
                result =
                    Err(error
                        .with_hint("this thread is not where it was: let it do nothing else, and end it"));
            }
        }
        result
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let _ = self.go_back();
    }
}

/// Runs `function` on a thread of its own inside existing namespaces of the kinds net, uts, ipc, cgroup and mnt, and
/// returns its result. The thread has a root and working directory of its own: those of the mount
/// namespace where one is given.
///
/// Takes what [`enter`] takes, and CAP_SYS_CHROOT for mount namespaces.
pub fn call<F: AsFd + Sync, T: Send>(namespaces: &[F], function: impl FnOnce() -> T + Send) -> Result<T> {
    let targets = targets(namespaces, REVERSIBLE | Kinds::MNT)?;
    let inside = || {
        // SAFETY: numbers only. The thread is new and will be gone, so nobody misses what it shared.
        Errno::result(unsafe { libc::unshare(libc::CLONE_FS) })
            .map_err(|errno| Error::new(Step::Join, errno as i32, "a thread of its own"))?;
        targets.iter().try_for_each(|(fd, kind)| join(*fd, *kind))?;
        Ok(function())
    };
    thread::scope(|scope| {
        let spawned = thread::Builder::new().name("nsiso-call".into()).spawn_scoped(scope, inside);
        let thread = spawned.map_err(|error| Error::from_io(Step::Prepare, "a thread", &error))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// The namespaces and their kinds, all of which must be `allowed`.
fn targets<F: AsFd>(namespaces: &[F], allowed: Kinds) -> Result<Vec<(BorrowedFd<'_>, usize)>> {
    let target = |(index, namespace): (usize, &'_ F)| {
        let checked =
            identify(namespace.as_fd()).and_then(|(kind, _)| match allowed.contains(NAMES[kind].0) {
                true => Ok(kind),
                false => Err(refused(NAMES[kind].0)),
            });
        checked.map_err(|error| error.with_index(Some(index)))
    };
    let kinds: Vec<usize> = namespaces.iter().enumerate().map(target).collect::<Result<_>>()?;
    Ok(namespaces.iter().map(F::as_fd).zip(kinds).collect())
}

fn no_return(before: &Handle, errno: Errno) -> Error {
    Error::new(Step::Join, errno as i32, format!("other namespaces from {before:?}")).with_hint(
        "the thread could not return: that takes CAP_SYS_ADMIN in the user namespace that owns it, too; use a call on a thread of its own",
    )
}

/// The rule that keeps a thread out, setns(2).
fn refused(kind: Kinds) -> Error {
    let rule = match kind {
        Kinds::USER => "the kernel lets no process with more than one thread enter a user namespace",
        Kinds::PID => {
            "entering a pid namespace moves the children alone, and the thread could start no other thread"
        }
        Kinds::TIME => "the kernel lets no process with more than one thread enter a time namespace",
        _ => "a thread that has entered a mount namespace cannot return: use a call on a thread of its own",
    };
    let hint = match kind {
        Kinds::MNT => "ns_call, nsiso::call, nsiso.call_in",
        _ => "start a program there instead: a spec that joins it",
    };
    Error::new(Step::Join, libc::EINVAL, format!("a {kind} namespace with a thread ({rule})")).with_hint(hint)
}

fn join(fd: BorrowedFd, kind: usize) -> Result<()> {
    let (kind, name) = NAMES[kind];
    setns(fd, kind).map_err(|errno| {
        let inode = identify(fd).map_or(0, |(_, inode)| inode);
        let hint = match errno {
            Errno::EPERM => "it takes CAP_SYS_ADMIN in the user namespace that owns it and in your own: start a program there \
                             instead, which may join the user namespace first",
            _ => "",
        };
        Error::new(Step::Join, errno as i32, format!("{name}:[{inode}]")).with_hint(hint)
    })
}

fn setns(fd: BorrowedFd, kind: Kinds) -> std::result::Result<(), Errno> {
    // SAFETY: numbers only.
    Errno::result(unsafe { libc::setns(fd.as_raw_fd(), kind.bits() as i32) }).map(drop)
}
