//! Works out the environment of the program: the caller's own, with the changes of the spec.
//! `spec::environment` holds the changes.

use std::ffi::{CStr, CString};

use libc::c_char;

use crate::spec::Environment;

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// The entries of the program's environment, each as `NAME=VALUE`.
pub(super) fn entries(environment: &Environment) -> Vec<&CStr> {
    let changed = |entry: &&CStr| environment.changes.iter().any(|change| names(entry, &change.prefix));
    let mut entries = Vec::<&CStr>::with_capacity(64);
    if !environment.cleared {
        for entry in inherited() {
            if !changed(&entry) {
                entries.push(entry);
            }
        }
    }
    entries.extend(environment.changes.iter().filter_map(|change| change.entry.as_deref()));
    entries
}

/// The value of the variable `name` in the result of [`entries`].
pub(super) fn lookup(entries: &[&CStr], name: &str) -> Option<CString> {
    let prefix = format!("{name}=");
    let value = entries.iter().find_map(|entry| entry.to_bytes().strip_prefix(prefix.as_bytes()))?;
    CString::new(value).ok()
}

fn names(entry: &CStr, prefix: &[u8]) -> bool {
    entry.to_bytes().starts_with(prefix)
}

/// The caller's environment. Like all code that reads `environ`, this must not run while another
/// thread changes the environment, `setenv(3)`.
fn inherited() -> impl Iterator<Item = &'static CStr> {
    // SAFETY: `environ` is null, or a table of strings that ends with a null pointer.
    let mut next = unsafe { environ };
    std::iter::from_fn(move || {
        // SAFETY: as above; `next` never passes the null pointer at the end.
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
