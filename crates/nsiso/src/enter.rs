//! Runs code of the calling process in existing namespaces: [`enter`] moves the calling thread,
//! [`call`] runs a function on a new thread. Programs that join namespaces are started by
//! [`Spec`](crate::Spec).

use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::thread;

use nix::errno::Errno;

use crate::handle::identify;
use crate::kind::NAMES;
use crate::{Error, Handle, Kinds, Result, Step};

/// The kinds of namespace that a thread can enter and leave again.
const REVERSIBLE: Kinds = Kinds::NET.union(Kinds::UTS).union(Kinds::IPC).union(Kinds::CGROUP);

/// A guard that keeps the calling thread in the namespaces that [`enter`] moved it to.
///
/// The thread returns when the guard is dropped, or by [`Entered::leave`], which reports whether
/// the return worked. The guard cannot be sent to another thread. Guards may be nested; leave the
/// inner one first.
///
/// ```
/// use nsiso::{Kinds, Spec};
///
/// let net = Spec::new("none")?.map_root().hold(Kinds::NET)?;
/// match nsiso::enter(&net) {
///     Ok(entered) => entered.leave()?,
///     Err(error) => assert_eq!(error.errno(), libc::EPERM),
/// }
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "the thread returns at once when this is dropped"]
pub struct Entered {
    /// The namespaces that the thread came from, in the order of entering.
    before: Vec<Handle>,
    _bound_to_its_thread: PhantomData<*const ()>,
}

/// Moves the calling thread into existing namespaces of the kinds net, uts, ipc and cgroup, and
/// returns a guard that moves it back.
///
/// Other threads stay where they are. What the thread opens meanwhile belongs to the namespaces: a
/// socket stays in the network namespace in which it was made.
///
/// Needs CAP_SYS_ADMIN in the caller's own user namespace, in the user namespaces that own the
/// target namespaces, and in those that own the thread's present namespaces, without which the
/// thread could not return. If the call fails, the thread is back in its previous namespaces.
///
/// A thread cannot return from namespaces of the other kinds. Use [`call`] for mount namespaces,
/// and a [`Spec`](crate::Spec) that joins for user, pid and time namespaces. `setns(2)`.
///
/// Errors:
///
/// * EPERM ([`Step::Join`]): a privilege is missing. The hint says whether the thread could not
///   enter or could not return.
/// * EINVAL ([`Step::Join`]): a namespace is of another kind.
/// * EINVAL ([`Step::Argument`]): a descriptor is not a namespace.
/// * ENOENT ([`Step::Open`]): `/proc` is not mounted, or the kernel does not have the kind.
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
        // A thread that may not enter its present namespace again could not return later. On
        // failure the drop of `entered` leaves the namespaces entered so far.
        setns(before.as_fd(), before.kind()).map_err(|errno| no_return(&before, errno))?;
        join(fd, kind)?;
        entered.before.push(before);
    }
    Ok(entered)
}

impl Entered {
    /// Returns the thread to the namespaces that it came from.
    ///
    /// On failure ([`Step::Leave`]) the thread stays in a namespace that it entered. Do nothing
    /// else with it, and end it.
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

/// Runs `function` on a new thread inside existing namespaces of the kinds net, uts, ipc, cgroup
/// and mnt, and returns its result.
///
/// The call returns when the function has returned; a panic of the function continues in the
/// caller. The thread has its own root and working directory, which are those of the mount
/// namespace if one is given. What the function opens belongs to the namespaces.
///
/// Needs CAP_SYS_ADMIN in the caller's own user namespace and in the user namespaces that own the
/// target namespaces, and CAP_SYS_CHROOT for mount namespaces. The thread never returns, so no
/// privilege over the caller's present namespaces is needed. `setns(2)`, `unshare(2)`.
///
/// Errors:
///
/// * EPERM ([`Step::Join`]): a privilege is missing.
/// * EINVAL ([`Step::Join`]): a namespace is of kind user, pid or time.
/// * EINVAL ([`Step::Argument`]): a descriptor is not a namespace.
/// * EAGAIN ([`Step::Prepare`]): a new thread cannot be made.
///
/// ```no_run
/// use nsiso::{Handle, Kinds};
///
/// let mounts = Handle::of_pid(1234, Kinds::MNT)?;
/// let release = nsiso::call(&[mounts], || std::fs::read_to_string("/etc/os-release"))?;
/// # Ok::<(), nsiso::Error>(())
/// ```
pub fn call<F: AsFd + Sync, T: Send>(namespaces: &[F], function: impl FnOnce() -> T + Send) -> Result<T> {
    let targets = targets(namespaces, REVERSIBLE | Kinds::MNT)?;
    let inside = || {
        // SAFETY: the call takes numbers only. This thread is new and ends here, so it may stop
        // sharing its root and working directory with the others.
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

/// Pairs the namespaces with their kinds, all of which must be `allowed`.
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

/// The error for a kind that a thread cannot enter, with the rule of setns(2) that forbids it.
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
    // SAFETY: the call takes numbers only.
    Errno::result(unsafe { libc::setns(fd.as_raw_fd(), kind.bits() as i32) }).map(drop)
}
