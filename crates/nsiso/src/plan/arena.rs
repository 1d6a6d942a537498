//! Memory for the child's strings and tables: given out piece by piece, never moved.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use libc::c_char;

const WORD: usize = size_of::<u64>();
const CHUNK: usize = 4096 / WORD;

/// Chunks of words; a piece is aligned to a word and stays where it is until the arena is dropped.
#[derive(Default)]
pub(super) struct Arena {
    chunks: Vec<Vec<MaybeUninit<u64>>>,
}

impl Arena {
    /// A copy of `bytes`.
    pub fn bytes(&mut self, bytes: &[u8]) -> *const u8 {
        self.copy(bytes)
    }

    /// A copy of a string with its NUL.
    pub fn text(&mut self, text: &CStr) -> *const c_char {
        self.copy(text.to_bytes_with_nul()).cast()
    }

    /// A copy of bytes, as a string. A NUL among them ends it.
    pub fn string(&mut self, bytes: &[u8]) -> *const c_char {
        let mut text = Vec::with_capacity(bytes.len() + 1);
        text.extend(bytes);
        text.push(0);
        self.copy(&text).cast()
    }

    /// A copy of a table.
    pub fn copy<T: Copy>(&mut self, table: &[T]) -> *const T {
        const { assert!(align_of::<T>() <= WORD) };
        let words = size_of_val(table).div_ceil(WORD);
        let room = self.room(words);
        // SAFETY: `room` has `words` words, aligned for T, that nobody else uses.
        unsafe { std::ptr::copy_nonoverlapping(table.as_ptr(), room.cast(), table.len()) };
        room.cast_const().cast()
    }

    fn room(&mut self, words: usize) -> *mut MaybeUninit<u64> {
        let fits = |chunk: &Vec<_>| chunk.capacity() - chunk.len() >= words;
        if !self.chunks.last().is_some_and(fits) {
            self.chunks.push(Vec::with_capacity(words.max(CHUNK)));
        }
        let chunk = &mut self.chunks.last_mut().expect("one was just made");
        let start = chunk.len();
        // Within the capacity: the chunk does not move.
        chunk.resize(start + words, MaybeUninit::uninit());
        chunk[start..].as_mut_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_keep_their_place_and_content() {
        let mut arena = Arena::default();
        let words: Vec<String> = (0..5000).map(|n| "x".repeat(n % 97) + &n.to_string()).collect();
        let pieces: Vec<_> = words.iter().map(|word| arena.bytes(word.as_bytes())).collect();
        let big = arena.copy(&[7u64; 10_000]);
        for (word, piece) in words.iter().zip(pieces) {
            // SAFETY: the arena lives, and the piece is as long as the word.
            assert_eq!(word.as_bytes(), unsafe { std::slice::from_raw_parts(piece, word.len()) });
        }
        // SAFETY: likewise.
        assert!(unsafe { std::slice::from_raw_parts(big, 10_000) }.iter().all(|n| *n == 7));
    }
}
