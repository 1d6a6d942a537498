//! Defines the buffer in which the bytes of a plan are built. Values are appended and addressed by
//! their offset. Other files decide what goes in.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use super::format::{Header, Ref, Strings, Table, Text};

const WORD: usize = size_of::<u64>();

/// The buffer consists of words, so that every value is aligned to one. It begins with room for the
/// header.
pub(super) struct Arena {
    words: Vec<u64>,
}

impl Default for Arena {
    fn default() -> Self {
        let mut words = Vec::with_capacity(1024);
        words.resize(size_of::<Header>().div_ceil(WORD), 0);
        Arena { words }
    }
}

impl Arena {
    /// Appends a copy of bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> Table<u8> {
        self.table(bytes)
    }

    /// Appends a copy of a string.
    pub fn text(&mut self, text: &CStr) -> Text {
        self.table(text.to_bytes_with_nul()).first
    }

    /// Appends bytes and a terminating NUL. A NUL among the bytes ends the string early.
    pub fn string(&mut self, bytes: &[u8]) -> Text {
        let mut text = Vec::with_capacity(bytes.len() + 1);
        text.extend(bytes);
        text.push(0);
        self.table(&text).first
    }

    /// Appends a copy of a value.
    pub fn value<T: Copy>(&mut self, value: T) -> Ref<T> {
        self.table(&[value]).first
    }

    /// Appends a copy of values in a row.
    pub fn table<T: Copy>(&mut self, values: &[T]) -> Table<T> {
        const { assert!(align_of::<T>() <= WORD) };
        let start = self.words.len();
        self.words.resize(start + size_of_val(values).div_ceil(WORD), 0);
        let place = self.words[start..].as_mut_ptr().cast();
        // SAFETY: the words from `start` on have room for all values, are aligned for T, and
        // nothing else refers to them.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), place, values.len()) };
        Table { first: Ref::at((start * WORD) as u32), len: values.len() as u32 }
    }

    /// Appends the table of strings for `execve(2)`. It holds offsets, which the helper turns into
    /// pointers.
    pub fn strings(&mut self, texts: &[Text]) -> Strings {
        let offsets: Vec<u64> = texts.iter().map(|text| text.offset() as u64).chain([0]).collect();
        self.table(&offsets).first
    }

    /// Reads the string at a reference into this buffer.
    pub fn read(&self, text: Text) -> &CStr {
        if text.offset() >= self.len() {
            return c"";
        }
        // SAFETY: `text` and `string` have appended it with its NUL.
        unsafe { CStr::from_ptr(self.start().add(text.offset()).cast()) }
    }

    /// Reads the bytes of a table in this buffer.
    pub fn read_bytes(&self, table: Table<u8>) -> &[u8] {
        let start = table.first.offset();
        if start + table.len as usize > self.len() {
            return &[];
        }
        // SAFETY: `table` has appended these values, which have no padding.
        unsafe { std::slice::from_raw_parts(self.start().add(start), table.len as usize) }
    }

    /// Reads the numbers of a table in this buffer.
    pub fn read_ids(&self, table: Table<u32>) -> Vec<u32> {
        let bytes = Table { first: Ref::at(table.first.offset() as u32), len: table.len * 4 };
        self.read_bytes(bytes)
            .chunks_exact(4)
            .map(|id| u32::from_ne_bytes([id[0], id[1], id[2], id[3]]))
            .collect()
    }

    /// Writes the header and returns the bytes of the whole plan. Those between the fields of
    /// values are not initialized.
    pub fn finish(&mut self, header: Header) -> &[MaybeUninit<u8>] {
        // SAFETY: `default` reserved room for the header at the beginning, aligned to a word.
        unsafe { self.words.as_mut_ptr().cast::<Header>().write(header) };
        // SAFETY: the bytes of the words.
        unsafe { std::slice::from_raw_parts(self.start().cast(), self.len()) }
    }

    fn start(&self) -> *const u8 {
        self.words.as_ptr().cast()
    }

    fn len(&self) -> usize {
        self.words.len() * WORD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_found_by_their_offsets() {
        let mut arena = Arena::default();
        let words: Vec<String> = (0..5000).map(|n| "x".repeat(n % 97) + &n.to_string()).collect();
        let pieces: Vec<_> = words.iter().map(|word| arena.bytes(word.as_bytes())).collect();
        let big = arena.table(&[7u64; 10_000]);
        let text = arena.text(c"the end");
        for (word, piece) in words.iter().zip(pieces) {
            assert_eq!(word.as_bytes(), arena.read_bytes(piece));
        }
        assert_eq!(arena.read(text), c"the end");
        let bytes = Table { first: Ref::at(big.first.offset() as u32), len: 80_000 };
        assert!(arena.read_bytes(bytes).chunks(8).all(|word| word == 7u64.to_ne_bytes()));
    }
}
