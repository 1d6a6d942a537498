//! Reads the kernel's own list of namespaces by 64-bit id, `listns(2)`, Linux 6.19. It includes
//! namespaces whose holders the caller cannot see. What holds a namespace can only be read from
//! `/proc`.

use std::collections::HashSet;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use libc::{c_int, c_long};
use nix::errno::Errno;

use super::Scan;
use crate::{Kinds, nsfs};

/// The number is the same on every architecture that Rust's standard library supports.
const SYS_LISTNS: c_long = 470;
/// Given in place of a directory: the root of nsfs, the file system of namespaces. Linux 6.18.
const FD_NSFS_ROOT: c_int = -10003;
const FILEID_NSFS: c_int = 0xF1;
const BATCH: usize = 512;

type Outcome<T> = Result<T, Errno>;

/// `struct ns_id_req`.
#[repr(C)]
#[derive(Default)]
struct Request {
    size: u32,
    spare: u32,
    /// The list continues after this id.
    after: u64,
    kinds: u32,
    spare2: u32,
    owner: u64,
}

/// `struct file_handle` with a `struct nsfs_file_handle` in it. A kernel that has `listns(2)` also
/// accepts a handle with kind and inode 0.
#[repr(C)]
struct Handle {
    len: u32,
    handle_type: c_int,
    id: u64,
    kind: u32,
    inode: u32,
}

/// Lists ids of namespaces and opens namespaces by id. The tests replace the kernel by one of their
/// own.
trait Source {
    fn list(&self, request: &Request, ids: &mut [u64]) -> Outcome<usize>;
    fn open(&self, id: u64) -> Outcome<OwnedFd>;
}

struct Kernel;

impl Handle {
    fn of(id: u64) -> Self {
        Handle { len: 16, handle_type: FILEID_NSFS, id, kind: 0, inode: 0 }
    }

    fn open(mut self) -> Outcome<OwnedFd> {
        let flags = libc::O_RDONLY | libc::O_CLOEXEC;
        // SAFETY: the handle states its length; the returned file descriptor is new and owned by
        // us.
        unsafe {
            let fd = libc::syscall(libc::SYS_open_by_handle_at, FD_NSFS_ROOT, &raw mut self, flags);
            Errno::result(fd).map(|fd| OwnedFd::from_raw_fd(fd as i32))
        }
    }
}

impl Source for Kernel {
    fn list(&self, request: &Request, ids: &mut [u64]) -> Outcome<usize> {
        let request = &raw const *request;
        // SAFETY: the request states its size, and `ids` has room for `ids.len()` ids.
        let count = unsafe { libc::syscall(SYS_LISTNS, request, ids.as_mut_ptr(), ids.len(), 0) };
        Errno::result(count).map(|count| count as usize)
    }

    fn open(&self, id: u64) -> Outcome<OwnedFd> {
        Handle::of(id).open()
    }
}

impl Scan {
    /// Adds the namespaces that only the kernel's list contains.
    pub(super) fn listed_by_the_kernel(&mut self) {
        self.listed_by(&Kernel);
    }

    fn listed_by(&mut self, source: &impl Source) {
        let known: HashSet<u64> = self.table.records.iter().map(|record| record.id).collect();
        for id in ids(source, self.query.kinds).into_iter().filter(|id| !known.contains(id)) {
            match source.open(id) {
                Ok(fd) => {
                    if let Some((kind, inode)) = nsfs::identify(fd.as_fd()) {
                        let index = self.table.find_or_add(kind, inode);
                        self.describe(index, fd.as_fd());
                    }
                }
                // The namespace has ended in the meantime.
                Err(Errno::ESTALE | Errno::ENOENT) => {}
                Err(_) => self.gaps.undescribed += 1,
            }
        }
    }
}

/// Returns all ids of these kinds, or none if the kernel has no `listns(2)`.
fn ids(source: &impl Source, kinds: Kinds) -> Vec<u64> {
    let mut all: Vec<u64> = Vec::new();
    let mut batch = [0; BATCH];
    loop {
        let after = all.last().copied().unwrap_or(0);
        let size = size_of::<Request>() as u32;
        let request = Request { size, after, kinds: kinds.bits() as u32, ..Request::default() };
        let count = source.list(&request, &mut batch).unwrap_or(0).min(BATCH);
        all.extend(&batch[..count]);
        // The second condition ends the loop if the list does not advance.
        if count < BATCH || batch[count - 1] == after {
            return all;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Query;

    /// A kernel that lists these ids. Opening an odd id fails with ESTALE, as for an ended
    /// namespace. Opening an even id returns the test's own network namespace, but 1000 fails with
    /// EPERM.
    struct Fake(Vec<u64>);

    impl Source for Fake {
        fn list(&self, request: &Request, ids: &mut [u64]) -> Outcome<usize> {
            assert_eq!((request.size, request.kinds), (32, Kinds::NET.bits() as u32));
            let next = self.0.iter().filter(|id| **id > request.after);
            Ok(ids.iter_mut().zip(next).map(|(slot, id)| *slot = *id).count())
        }

        fn open(&self, id: u64) -> Outcome<OwnedFd> {
            match id {
                1000 => Err(Errno::EPERM),
                id if id % 2 == 1 => Err(Errno::ESTALE),
                _ => Ok(std::fs::File::open("/proc/self/ns/net").unwrap().into()),
            }
        }
    }

    struct Old;

    impl Source for Old {
        fn list(&self, _: &Request, _: &mut [u64]) -> Outcome<usize> {
            Err(Errno::ENOSYS)
        }

        fn open(&self, _: u64) -> Outcome<OwnedFd> {
            Err(Errno::EBADF)
        }
    }

    fn scan(source: &impl Source) -> Scan {
        let mut scan = Scan::new(Query::new().kinds(Kinds::NET)).unwrap();
        scan.listed_by(source);
        scan
    }

    #[test]
    fn a_long_list_is_read_to_its_end() {
        for len in [0, 1, BATCH as u64, 2 * BATCH as u64 + 3] {
            let wanted: Vec<u64> = (1..=len).collect();
            assert_eq!(ids(&Fake(wanted.clone()), Kinds::NET), wanted);
        }
    }

    #[test]
    fn what_the_kernel_lists_is_found_without_a_process() {
        let scan = scan(&Fake(vec![7, 8, 10, 1000]));
        let inode = scan.proc.inode(c"self/ns/net").unwrap();
        let nets: Vec<_> = scan.table.records.iter().filter(|record| record.kind == 3).collect();
        assert_eq!(nets.len(), 1);
        assert_eq!((nets[0].inode, nets[0].described, nets[0].processes), (inode, true, 0));
        assert_eq!(scan.gaps.undescribed, 1);
    }

    #[test]
    fn a_kernel_without_a_list_adds_nothing() {
        let scan = scan(&Old);
        assert!(scan.table.records.is_empty());
        assert_eq!(scan.gaps.undescribed, 0);
    }

    #[test]
    fn a_namespace_is_opened_by_its_handle() {
        let own = std::fs::File::open("/proc/self/ns/net").unwrap();
        let (id, inode) = (nsfs::id(own.as_fd()), nsfs::inode(own.as_fd()).unwrap());
        if id == 0 {
            eprintln!("skipped: the kernel has no ids of network namespaces (Linux 6.18 has)");
            return;
        }
        let whole = Handle { kind: Kinds::NET.bits() as u32, inode: inode as u32, ..Handle::of(id) };
        assert_eq!(nsfs::inode(whole.open().unwrap().as_fd()), Some(inode));
        assert_eq!(Kernel.open(u64::MAX - 1).unwrap_err(), Errno::ESTALE);
        match Kernel.open(id) {
            Err(Errno::ESTALE) => eprintln!("skipped: a handle of the id alone takes Linux 6.19"),
            opened => assert_eq!(nsfs::inode(opened.unwrap().as_fd()), Some(inode)),
        }
    }
}
