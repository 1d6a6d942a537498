//! Where the plan is mapped, and what its references lead to.

use core::slice;
use core::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use super::kernel::{c_char, c_int};
use super::plan::{Ref, Slot, Strings, Table, Text};

static BASE: AtomicUsize = AtomicUsize::new(0);

/// From now on references are counted from `base`.
///
/// # Safety
/// The plan of which references are used is mapped there, and stays.
pub(super) unsafe fn set_base(base: usize) {
    BASE.store(base, Ordering::Relaxed);
}

impl<T> Ref<T> {
    /// NULL if it is none.
    pub fn pointer(self) -> *const T {
        match self.is_none() {
            true => core::ptr::null(),
            false => (BASE.load(Ordering::Relaxed) + self.offset()) as *const T,
        }
    }
}

impl Text {
    pub fn string(self) -> *const c_char {
        self.pointer().cast()
    }
}

impl<T> Table<T> {
    pub fn slice(self) -> &'static [T] {
        match self.len {
            0 => &[],
            // SAFETY: the plan has as many values there, and nobody changes them.
            len => unsafe { slice::from_raw_parts(self.first.pointer(), len as usize) },
        }
    }
}

impl Slot {
    fn number(self) -> &'static AtomicI32 {
        // SAFETY: it is in the plan, which is mapped for writing.
        unsafe { &*self.pointer() }
    }

    pub fn set(self, fd: c_int) {
        self.number().store(fd, Ordering::Relaxed);
    }

    pub fn get(self) -> c_int {
        self.number().load(Ordering::Relaxed)
    }
}

/// Makes pointers of the offsets. To be called once for each table.
///
/// # Safety
/// The table ends with 0, and nobody else uses it.
pub(super) unsafe fn as_pointers(strings: Strings) -> *const *const c_char {
    let base = BASE.load(Ordering::Relaxed) as u64;
    let mut entry = strings.pointer().cast_mut();
    // SAFETY: the caller's promise; the plan is mapped for writing.
    unsafe {
        while *entry != 0 {
            *entry = (*entry).wrapping_add(base);
            entry = entry.add(1);
        }
    }
    strings.pointer().cast()
}
