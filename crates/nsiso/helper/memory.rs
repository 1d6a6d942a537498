//! Turns the plan's references into pointers, given the address at which the plan is mapped.

use core::slice;
use core::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use super::kernel::{c_char, c_int};
use super::plan::{Ref, Slot, Strings, Table, Text};

static BASE: AtomicUsize = AtomicUsize::new(0);

/// Sets the address from which references count.
///
/// # Safety
/// The plan is mapped at `base`, and stays mapped.
pub(super) unsafe fn set_base(base: usize) {
    BASE.store(base, Ordering::Relaxed);
}

impl<T> Ref<T> {
    /// NULL for [`Ref::NONE`].
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
            // SAFETY: the plan has that many values there, and nothing changes them.
            len => unsafe { slice::from_raw_parts(self.first.pointer(), len as usize) },
        }
    }
}

impl Slot {
    fn number(self) -> &'static AtomicI32 {
        // SAFETY: the value is in the plan, which is mapped writable.
        unsafe { &*self.pointer() }
    }

    pub fn set(self, fd: c_int) {
        self.number().store(fd, Ordering::Relaxed);
    }

    pub fn get(self) -> c_int {
        self.number().load(Ordering::Relaxed)
    }
}

/// Turns a table of offsets into pointers, in place. To be called once for each table.
///
/// # Safety
/// The table ends with 0, and nothing else uses it.
pub(super) unsafe fn as_pointers(strings: Strings) -> *const *const c_char {
    let base = BASE.load(Ordering::Relaxed) as u64;
    let mut entry = strings.pointer().cast_mut();
    // SAFETY: guaranteed by the caller; the plan is mapped writable.
    unsafe {
        while *entry != 0 {
            *entry = (*entry).wrapping_add(base);
            entry = entry.add(1);
        }
    }
    strings.pointer().cast()
}
