//! Plans the program's file descriptors: which of the caller's becomes which number, and which
//! ranges the helper closes. The helper moves and closes them.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use libc::c_uint;

use super::action::descriptors;
use super::format::Action;
use super::{Op, Plan};
use crate::cgroup::Group;
use crate::error::Step;
use crate::spec::{Source, Stdio};
use crate::{Error, Handle, Result, Spec};

/// The file descriptors opened for a spawn. The child's ends are closed with the plan; the parent's
/// ends become part of the [`Process`](crate::Process).
#[derive(Debug, Default)]
pub(crate) struct Pipes {
    pub(super) child: Vec<OwnedFd>,
    pub parent: Ends,
}

impl Pipes {
    /// Closes the child's ends. To be called once the helper has its own copies.
    pub fn close_helpers(&mut self) {
        self.child.clear();
    }
}

/// The resources that become part of the [`Process`](crate::Process).
#[derive(Debug, Default)]
pub(crate) struct Ends {
    pub standard: [Option<OwnedFd>; 3],
    pub pty: Option<OwnedFd>,
    pub group: Option<Group>,
    /// The parent's end of the socket to the helper.
    pub socket: Option<OwnedFd>,
    /// The file descriptor that the helper sent: a seccomp notification descriptor or a socket.
    pub received: Option<OwnedFd>,
    /// The new namespaces that the spec keeps open.
    pub held: Vec<Handle>,
    /// The read end of the pipe to which the init process writes the program's status.
    pub report: Option<OwnedFd>,
}

impl Plan {
    pub(super) fn descriptors(&mut self, spec: &Spec) -> Result<()> {
        for (index, (to, source)) in spec.program.descriptors.iter().enumerate() {
            let nth = |error: Error| error.with_index(Some(index));
            let Some(from) = self.open(*to, *source).map_err(nth)? else { continue };
            let targets = spec.program.descriptors.iter().map(|(number, _)| *number);
            let from = self.out_of_the_way(from, *to, targets).map_err(nth)?;
            self.push_nth(Step::Descriptor, index, Action::Descriptor { from, to: *to });
        }
        // A standard one that is passed under another number is the program's, too, unless it is a
        // close-on-exec descriptor that has got the number of a closed one.
        let listed = &spec.program.descriptors;
        let is_source = |number: RawFd| {
            listed
                .iter()
                .any(|(_, source)| matches!(source, Source::Borrowed(fd) if fd.as_raw_fd() == number))
        };
        // SAFETY: the call takes numbers only.
        let inherits = |number| unsafe { libc::fcntl(number, libc::F_GETFD) } == 0;
        let unlisted = (0..=2).filter(|number| listed.iter().all(|(to, _)| to != number));
        for number in unlisted.filter(|number| is_source(*number) && inherits(*number)) {
            self.push(Step::Descriptor, Action::Descriptor { from: number, to: number });
        }
        if let Some((from, numbers)) = self.terminal_at(spec) {
            for to in numbers {
                self.push(Step::Descriptor, Action::Descriptor { from, to });
            }
        }
        Ok(())
    }

    /// The caller's file descriptors that the helper inherits. They stay close-on-exec in the
    /// caller, and the helper sets close-on-exec on its copies.
    pub fn inherited(&self) -> Vec<RawFd> {
        of_ops(&self.ops)
    }

    /// Closes every inherited file descriptor that neither the program nor the helper needs. Such
    /// descriptors exist where the caller, or another of its threads, opened them without
    /// close-on-exec.
    pub(super) fn close_others(&self) -> Vec<Op> {
        closing_all_but(&self.inherited())
    }

    /// Makes the helper close every file descriptor that the child does not need before it makes a
    /// child in a joined pid namespace, where other processes may trace the child.
    pub(super) fn close_before_child(&mut self) {
        let of_child = |op: &Op| matches!(op.action, Action::Clone { kinds: 0, cgroup: -1, .. });
        if let Some(at) = self.ops.iter().position(of_child) {
            let placed = self.ops[..at].iter().filter_map(|op| match op.action {
                Action::Descriptor { to, .. } => Some(to),
                _ => None,
            });
            let mut kept = of_ops(&self.ops[at..]);
            kept.extend(placed);
            let closing = closing_all_but(&kept);
            self.ops.splice(at..at, closing);
        }
    }

    /// Opens the source of one of the program's descriptors. None if the program inherits the
    /// descriptor.
    fn open(&mut self, to: RawFd, source: Source) -> Result<Option<RawFd>> {
        let stdio = match source {
            Source::Borrowed(fd) => return Ok(Some(fd.as_raw_fd())),
            Source::Stdio(stdio) => stdio,
        };
        let failed = |what| move |error: io::Error| Error::no_descriptor(Step::Prepare, what, &error);
        let (child, parent): (OwnedFd, Option<OwnedFd>) = match stdio {
            Stdio::Inherit => return Ok(None),
            Stdio::Null => {
                let null = File::options().read(true).write(true).open("/dev/null");
                (null.map_err(failed("/dev/null"))?.into(), None)
            }
            Stdio::Pipe => {
                let (read, write) = io::pipe().map_err(failed("a pipe"))?;
                match to {
                    0 => (read.into(), Some(write.into())),
                    _ => (write.into(), Some(read.into())),
                }
            }
        };
        let from = child.as_raw_fd();
        self.pipes.child.push(child);
        if let Some(parent) = parent {
            self.pipes.parent.standard[to as usize] = Some(parent);
        }
        Ok(Some(from))
    }

    /// Keeps `fd` for the helper, at a number above all numbers that the program uses.
    pub(super) fn above_targets(&mut self, fd: OwnedFd, spec: &Spec) -> Result<RawFd> {
        let targets = spec.program.descriptors.iter().map(|(number, _)| *number).chain(0..=2);
        let number = self.out_of_the_way(fd.as_raw_fd(), -1, targets)?;
        self.pipes.child.push(fd);
        Ok(number)
    }

    /// Duplicates `from` above all targets if its number is a target, too: placing another
    /// descriptor there would overwrite it before its turn. So any permutation of numbers works.
    pub(super) fn out_of_the_way(
        &mut self,
        from: RawFd,
        to: RawFd,
        targets: impl Iterator<Item = RawFd> + Clone,
    ) -> Result<RawFd> {
        if from == to || !targets.clone().any(|target| target == from) {
            return Ok(from);
        }
        let above = targets.max().unwrap_or(to) + 1;
        // SAFETY: fcntl(2) accepts any number. It returns a new file descriptor, which this
        // function owns.
        let copy = unsafe { libc::fcntl(from, libc::F_DUPFD_CLOEXEC, above) };
        if copy < 0 {
            let error = io::Error::last_os_error();
            return Err(Error::no_descriptor(Step::Descriptor, format!("descriptor {from} as {to}"), &error));
        }
        // SAFETY: `copy` is the new file descriptor from above, and nothing else owns it.
        self.pipes.child.push(unsafe { OwnedFd::from_raw_fd(copy) });
        Ok(copy)
    }
}

/// Checks that the caller's descriptors are open. This comes before anything is opened that could
/// take the number of a closed one.
pub(super) fn are_open(spec: &Spec) -> Result<()> {
    // SAFETY: the call takes numbers only.
    let is_open = |fd: RawFd| unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
    for (index, (to, source)) in spec.program.descriptors.iter().enumerate() {
        if let Source::Borrowed(fd) = source
            && !is_open(fd.as_raw_fd())
        {
            let object = format!("descriptor {} as {to}", fd.as_raw_fd());
            return Err(Error::new(Step::Descriptor, libc::EBADF, object)
                .with_index(Some(index))
                .with_hint(CLOSED));
        }
    }
    let directories = [(spec.rootfs.root_at, Step::Root), (spec.program.cwd_at, Step::Cwd)];
    for (fd, step) in directories.into_iter().filter_map(|(fd, step)| Some((fd?.as_raw_fd(), step))) {
        if !is_open(fd) {
            return Err(Error::new(step, libc::EBADF, format!("descriptor {fd}")).with_hint(CLOSED));
        }
    }
    Ok(())
}

const CLOSED: &str = "the descriptor is not open: it must stay open until the program has been spawned";

fn of_ops(ops: &[Op]) -> Vec<RawFd> {
    let mut numbers: Vec<RawFd> = ops.iter().flat_map(|op| descriptors(&op.action)).collect();
    numbers.retain(|number| *number >= 0);
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn closing_all_but(numbers: &[RawFd]) -> Vec<Op> {
    let mut kept: Vec<c_uint> = numbers.iter().map(|number| *number as c_uint).chain(0..=2).collect();
    kept.sort_unstable();
    kept.dedup();
    let close =
        |(first, last)| Op { action: Action::Close { first, last }, step: Step::Descriptor, index: None };
    gaps(&kept).into_iter().map(close).collect()
}

/// The ranges between the numbers in `kept`, and the range above the last one. `kept` is sorted and
/// has no duplicates.
fn gaps(kept: &[c_uint]) -> Vec<(c_uint, c_uint)> {
    let after = kept.iter().map(|number| number + 1);
    let before = kept.iter().skip(1).map(|number| number - 1).chain([c_uint::MAX]);
    after.zip(before).filter(|(first, last)| first <= last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_between_the_kept_ones_is_closed() {
        assert_eq!(gaps(&[0, 1, 2]), [(3, c_uint::MAX)]);
        assert_eq!(gaps(&[0, 1, 2, 3, 7]), [(4, 6), (8, c_uint::MAX)]);
    }
}
