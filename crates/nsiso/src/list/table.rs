//! The table of the namespaces found so far. Each is recorded once, by its inode.

use std::collections::HashMap;

use super::{Held, Holder, NONE};

/// A namespace, during the scan and in the finished listing.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// The index of its kind in [`crate::kind::NAMES`].
    pub kind: u8,
    pub held: Held,
    pub inode: u64,
    /// The 64-bit id, or 0 if unknown.
    pub id: u64,
    /// The number of processes in it, and the index of their first pid in the list of members.
    pub processes: u32,
    pub members: u32,
    /// Indices of records, or NONE.
    pub parent: u32,
    pub owner: u32,
    /// The uid that created it, for a user namespace.
    pub creator: Option<u32>,
    /// The id that the caller's network namespace has assigned to it.
    pub nsid: Option<i32>,
    pub depth: u32,
    /// The index of its process with the lowest pid in the list of leaders, or NONE.
    pub leader: u32,
    /// Whether the kernel has been asked about it.
    pub described: bool,
}

#[derive(Default)]
pub(super) struct Table {
    pub records: Vec<Record>,
    pub holders: Vec<(u32, Holder)>,
    by_inode: HashMap<u64, u32>,
}

impl Table {
    /// Returns the record of a namespace, and adds one if there is none.
    pub fn find_or_add(&mut self, kind: usize, inode: u64) -> u32 {
        let next = self.records.len() as u32;
        let index = *self.by_inode.entry(inode).or_insert(next);
        if index == next {
            self.records.push(Record {
                kind: kind as u8,
                held: Held::empty(),
                inode,
                id: 0,
                processes: 0,
                members: 0,
                parent: NONE,
                owner: NONE,
                creator: None,
                nsid: None,
                depth: 0,
                leader: NONE,
                described: false,
            });
        }
        index
    }

    /// Records a holder of a namespace other than a process in it.
    pub fn hold(&mut self, index: u32, holder: Holder) {
        self[index].held |= holder.how();
        self.holders.push((index, holder));
    }
}

impl std::ops::Index<u32> for Table {
    type Output = Record;

    fn index(&self, index: u32) -> &Record {
        &self.records[index as usize]
    }
}

impl std::ops::IndexMut<u32> for Table {
    fn index_mut(&mut self, index: u32) -> &mut Record {
        &mut self.records[index as usize]
    }
}
