//! The environment the program gets, as one table.

use std::ffi::{CStr, CString};

use libc::c_char;

use super::Arena;
use crate::spec::Environment;

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// The entries of the table, without the NULL at its end.
pub(super) fn entries(environment: &Environment, arena: &mut Arena) -> Vec<*const c_char> {
    let mut entries = Vec::with_capacity(64);
    if !environment.cleared {
        let kept = inherited().filter(|entry| !environment.changes.iter().any(|c| names(entry, &c.prefix)));
        entries.extend(kept.map(|entry| arena.text(entry)));
    }
    let set = environment.changes.iter().filter_map(|change| change.entry.as_deref());
    entries.extend(set.map(|entry| arena.text(entry)));
    entries
}

/// The value of `name` in a table made by [`entries`].
pub(super) fn lookup(entries: &[*const c_char], name: &str) -> Option<CString> {
    let prefix = format!("{name}=");
    entries.iter().find_map(|entry| {
        // SAFETY: the entries are strings in the arena.
        let entry = unsafe { CStr::from_ptr(*entry) };
        let value = entry.to_bytes().strip_prefix(prefix.as_bytes())?;
        CString::new(value).ok()
    })
}

fn names(entry: &CStr, prefix: &[u8]) -> bool {
    entry.to_bytes().starts_with(prefix)
}

/// The caller's environment. Like every reader of it, this must not run while another thread
/// changes it, `setenv(3)`.
fn inherited() -> impl Iterator<Item = &'static CStr> {
    // SAFETY: `environ` is null or a table of strings that ends with null.
    let mut next = unsafe { environ };
    std::iter::from_fn(move || {
        // SAFETY: as above; `next` never goes past the null.
        unsafe {
            if next.is_null() || (*next).is_null() {
                return None;
            }
            let entry = CStr::from_ptr(*next);
            next = next.add(1);
            Some(entry)
        }
    })
}
