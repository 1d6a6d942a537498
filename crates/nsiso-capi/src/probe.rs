//! `ns_probe`: what this host allows; and `ns_unshare`.

use std::ffi::{CString, c_char, c_int};

use nsiso::{Error, Feature, Step, Support};

use crate::argument::{kinds, reference, reference_mut, store};
use crate::error::{boundary, free, ns_error, quiet_boundary};

/// ns_feature: it can be had.
pub const NS_YES: c_int = 1;
/// ns_feature: it can be had with a new user namespace beside it.
pub const NS_IN_USER_NAMESPACE: c_int = 2;
/// ns_feature: it cannot be had.
pub const NS_NO: c_int = 0;

/// What a probe has found. Opaque; only read, by many threads if need be.
pub struct ns_features(Vec<(Support, [CString; 3])>);

/// One thing that was tried. The texts are UTF-8 and live as long as the features.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_feature {
    /// A kind of namespace ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup"), "nested_user", "proc", "overlay", "idmapped_mounts",
    /// "links", "link_rate", "link_delay", "clone3", "listns", "pidfd_info_exit", "landlock", "cgroup_v2" or "cgroup_v1".
    pub name: *const c_char,
    /// NS_YES, NS_IN_USER_NAMESPACE or NS_NO.
    pub support: i64,
    /// Why not, or what there is; may be empty.
    pub detail: *const c_char,
    /// What to do about it; may be empty.
    pub hint: *const c_char,
}

/// Tries what this kernel, this user and this host allow, in children that are thrown away, and stores what was found in `*out`. Nothing is
/// kept from one call to the next. Takes some milliseconds. Free it with ns_features_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_probe(out: *mut *mut ns_features, err: *mut ns_error) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let out = unsafe { reference_mut(out, "out") }?;
        let text = |text: String| CString::new(text).unwrap_or_default();
        let texts =
            |found: Feature| (found.support, [text(found.name.into()), text(found.detail), text(found.hint)]);
        *out = Box::into_raw(Box::new(ns_features(nsiso::probe().into_iter().map(texts).collect())));
        Ok(0)
    })
}

/// How many there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_features_len(features: *const ns_features) -> usize {
    // SAFETY: NULL or valid, says the header.
    quiet_boundary(0, || unsafe { features.as_ref() }.map_or(0, |features| features.0.len()))
}

/// Number `index`, counted from 0. `out` has `size` bytes: pass sizeof(ns_feature). -ERANGE past the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_features_get(
    features: *const ns_features,
    index: usize,
    out: *mut ns_feature,
    size: usize,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let features = &unsafe { reference(features, "features") }?.0;
        let (support, [name, detail, hint]) = features.get(index).ok_or_else(|| {
            let count = features.len();
            Error::new(
                Step::Argument,
                libc::ERANGE,
                format!("feature number {index} of {count}, counted from 0"),
            )
        })?;
        let support = match support {
            Support::Yes => NS_YES,
            Support::InUserNamespace => NS_IN_USER_NAMESPACE,
            Support::No => NS_NO,
        };
        let (name, detail, hint) = (name.as_ptr(), detail.as_ptr(), hint.as_ptr());
        // SAFETY: `size` bytes, says the header.
        unsafe { store(out, size, &ns_feature { name, support: support.into(), detail, hint }) }?;
        Ok(0)
    })
}

/// Frees them; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_features_free(features: *mut ns_features) {
    // SAFETY: NULL, or made by ns_probe and not freed before, says the header.
    unsafe { free(features) }
}

/// Moves the calling program itself into new namespaces, unshare(2); with `map_root` (not 0) it is root in a new user
/// namespace. There is no way back. New pid and time namespaces are for children to come. -EINVAL in a program with threads, which may
/// have net, uts and ipc alone, for the calling thread: it starts a program with ns_spawn.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_unshare(wanted: u64, map_root: c_int, err: *mut ns_error) -> c_int {
    boundary(err, || nsiso::unshare(kinds(wanted)?, map_root != 0).map(|()| 0))
}
