//! The bytes of a plan while it is made: pieces are added at the end and known by their offset.

use std::ffi::CStr;

use super::format::{Header, Ref, Strings, Table, Text};

const WORD: usize = size_of::<u64>();

/// Words, so that every piece is aligned to one. They begin with room for the header.
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
    /// A copy of bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> Table<u8> {
        self.table(bytes)
    }

    /// A copy of a string.
    pub fn text(&mut self, text: &CStr) -> Text {
        self.table(text.to_bytes_with_nul()).first
    }

    /// A copy of bytes, as a string. A NUL among them ends it.
    pub fn string(&mut self, bytes: &[u8]) -> Text {
        let mut text = Vec::with_capacity(bytes.len() + 1);
        text.extend(bytes);
        text.push(0);
        self.table(&text).first
    }

    /// A copy of a value.
    pub fn value<T: Copy>(&mut self, value: T) -> Ref<T> {
        self.table(&[value]).first
    }

    /// A copy of values.
    pub fn table<T: Copy>(&mut self, values: &[T]) -> Table<T> {
        const { assert!(align_of::<T>() <= WORD) };
        let start = self.words.len();
        self.words.resize(start + size_of_val(values).div_ceil(WORD), 0);
        let place = self.words[start..].as_mut_ptr().cast();
        // SAFETY: there are enough words, aligned for T, that nobody else uses.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), place, values.len()) };
        Table { first: Ref::at((start * WORD) as u32), len: values.len() as u32 }
    }

    /// Strings as `execve(2)` takes them, once the helper has made pointers of their offsets.
    pub fn strings(&mut self, texts: &[Text]) -> Strings {
        let offsets: Vec<u64> = texts.iter().map(|text| text.offset() as u64).chain([0]).collect();
        self.table(&offsets).first
    }

    /// The string at a reference that was made here.
    pub fn read(&self, text: Text) -> &CStr {
        let bytes = self.as_bytes().get(text.offset()..).unwrap_or_default();
        CStr::from_bytes_until_nul(bytes).unwrap_or_default()
    }

    /// The bytes of a table that was made here.
    pub fn read_bytes(&self, table: Table<u8>) -> &[u8] {
        let start = table.first.offset();
        self.as_bytes().get(start..start + table.len as usize).unwrap_or_default()
    }

    /// The numbers of a table that was made here.
    pub fn read_ids(&self, table: Table<u32>) -> Vec<u32> {
        let bytes = Table { first: Ref::at(table.first.offset() as u32), len: table.len * 4 };
        self.read_bytes(bytes)
            .chunks_exact(4)
            .map(|id| u32::from_ne_bytes([id[0], id[1], id[2], id[3]]))
            .collect()
    }

    /// The whole plan, with its header.
    pub fn finish(&mut self, header: Header) -> &[u8] {
        // SAFETY: there is room for it at the beginning, aligned to a word.
        unsafe { self.words.as_mut_ptr().cast::<Header>().write(header) };
        self.as_bytes()
    }

    fn as_bytes(&self) -> &[u8] {
        // SAFETY: words have no other bytes than those that were written.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), size_of_val(self.words.as_slice())) }
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
