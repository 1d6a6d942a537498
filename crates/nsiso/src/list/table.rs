//! The namespaces found so far, each once.

use std::collections::HashMap;

use super::{Held, Holder, NONE};

/// A namespace, while the listing is being made and after.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// Its place in [`crate::kind::NAMES`].
    pub kind: u8,
    pub held: Held,
    pub inode: u64,
    /// The 64-bit id; 0 where unknown.
    pub id: u64,
    /// How many processes are in it, and where their pids begin in the list of members.
    pub processes: u32,
    pub members: u32,
    /// Indices of records, or NONE.
    pub parent: u32,
    pub owner: u32,
    /// The uid that made a user namespace.
    pub creator: Option<u32>,
    /// Of a network namespace, as seen from the caller's.
    pub nsid: Option<i32>,
    pub depth: u32,
    /// Index of the process with the lowest pid in the list of leaders, or NONE.
    pub leader: u32,
    /// The kernel has been asked about it.
    pub described: bool,
}

#[derive(Default)]
pub(super) struct Table {
    pub records: Vec<Record>,
    pub holders: Vec<(u32, Holder)>,
    by_inode: HashMap<u64, u32>,
}

impl Table {
    /// The record of a namespace, made if it is new.
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

    /// Remembers who holds a namespace otherwise than by being in it.
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
