//! `ns_probe`: the features that the machine supports; and `ns_unshare`.

use std::ffi::{CString, c_char, c_int};

use nsiso::{Error, Feature, Step, Support};

use crate::argument::{kinds, reference, reference_mut, store};
use crate::document::store_json;
use crate::error::{boundary, free, ns_error, quiet_boundary};

/// ns_feature: it is supported.
pub const NS_YES: c_int = 1;
/// ns_feature: it is supported beside a new user namespace.
pub const NS_IN_USER_NAMESPACE: c_int = 2;
/// ns_feature: it is not supported.
pub const NS_NO: c_int = 0;

/// The features that ns_probe has found. Opaque and read-only: any number of threads may use it
/// at the same time.
pub struct ns_features(Vec<(Feature, [CString; 4])>);

/// A feature and its support. The texts are UTF-8 and exist as long as the features.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_feature {
    /// The name: a kind of namespace ("user", "pid", "mnt", "net", "ipc", "uts", "time",
    /// "cgroup"), "nested_user", "proc", "overlay", "idmapped_mounts", "links", "link_rate",
    /// "link_delay", "clone3", "listns", "pidfd_info_exit", "landlock", "cgroup_v2", "cgroup_v1",
    /// "limits" or "sandbox".
    pub name: *const c_char,
    /// What the feature is, in a few words.
    pub description: *const c_char,
    /// NS_YES, NS_IN_USER_NAMESPACE or NS_NO.
    pub support: i64,
    /// The cause if it is not supported, else details such as a version; may be empty.
    pub detail: *const c_char,
    /// What the caller can do about it; may be empty.
    pub hint: *const c_char,
}

/// Tests which features the kernel, the machine and the caller's privileges support, and stores
/// them in `*out`.
///
/// It tries each feature, most of them in a child that it waits for. Each call tests again; it
/// takes some milliseconds. Free the features with ns_features_free. A feature that is not
/// supported is no error.
///
/// Man page: namespaces(7).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_probe(out: *mut *mut ns_features, err: *mut ns_error) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let out = unsafe { reference_mut(out, "out") }?;
        let text = |text: &str| CString::new(text).unwrap_or_default();
        let texts = |found: Feature| {
            let texts = [found.name, found.description, &found.detail, &found.hint].map(text);
            (found, texts)
        };
        *out = Box::into_raw(Box::new(ns_features(nsiso::probe().into_iter().map(texts).collect())));
        Ok(0)
    })
}

/// Returns the number of features; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_features_len(features: *const ns_features) -> usize {
    // SAFETY: NULL or valid, says the header.
    quiet_boundary(0, || unsafe { features.as_ref() }.map_or(0, |features| features.0.len()))
}

/// Stores the feature of this index, from 0, in `*out`.
///
/// `out` has room for `size` bytes: pass sizeof(ns_feature).
///
/// Errors: -ERANGE if `index` is not below ns_features_len; -EINVAL if `out` is NULL or `size`
/// is 0.
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
        let (feature, texts) = features.get(index).ok_or_else(|| {
            let count = features.len();
            Error::new(
                Step::Argument,
                libc::ERANGE,
                format!("feature number {index} of {count}, counted from 0"),
            )
        })?;
        let support = match feature.support {
            Support::Yes => NS_YES,
            Support::InUserNamespace => NS_IN_USER_NAMESPACE,
            Support::No => NS_NO,
        };
        let [name, description, detail, hint] = texts.each_ref().map(|text| text.as_ptr());
        // SAFETY: `size` bytes, says the header.
        unsafe {
            store(out, size, &ns_feature { name, description, support: support.into(), detail, hint })
        }?;
        Ok(0)
    })
}

/// Writes the features as a JSON array. Stores the text in `*out`; free it with ns_string_free.
///
/// It has an object for each feature, in the order of ns_features_get, with the fields of
/// ns_feature as keys. `support` is "yes", "in_user_namespace" or "no". Later versions may add
/// keys. It needs no privilege.
///
/// Errors: -EINVAL if `features` or `out` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_features_to_json(
    features: *const ns_features,
    out: *mut *mut c_char,
    err: *mut ns_error,
) -> c_int {
    let features = || {
        // SAFETY: NULL or valid, says the header.
        let features = unsafe { reference(features, "features") }?;
        Ok(features.0.iter().map(|(feature, _)| feature).collect::<Vec<_>>())
    };
    // SAFETY: NULL or valid, says the header.
    boundary(err, || unsafe { store_json(out, features) })
}

/// Frees features and their texts; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_features_free(features: *mut ns_features) {
    // SAFETY: NULL, or made by ns_probe and not freed before, says the header.
    unsafe { free(features) }
}

/// Moves the calling process into new namespaces.
///
/// `wanted` is NS_USER, NS_NET, ... joined by |. If `map_root` is not 0, the caller's effective
/// uid and gid are mapped to 0 in the new user namespace, and setgroups(2) is denied there;
/// that takes NS_USER in `wanted` and a proc file system at /proc. The process cannot return.
/// New pid and time namespaces apply to its future children alone. In a process with several
/// threads only network, UTS and IPC namespaces are possible, and apply to the calling thread
/// alone; ns_spawn starts a program in the others.
///
/// Takes CAP_SYS_ADMIN, or NS_USER in `wanted`.
///
/// Errors:
/// - -EINVAL: `wanted` is 0 or has unknown bits, or `map_root` is set without NS_USER.
/// - -EINVAL at NS_STEP_UNSHARE: the process has several threads, or the kernel was built
///   without a kind.
/// - -EPERM at NS_STEP_UNSHARE: CAP_SYS_ADMIN is missing, or the machine does not let the
///   caller create user namespaces.
/// - -ENOSPC at NS_STEP_UNSHARE: a limit in /proc/sys/user is reached, or namespaces are nested
///   32 deep.
/// - Any error at NS_STEP_SETGROUPS, NS_STEP_GID_MAP or NS_STEP_UID_MAP: the process is in its
///   new namespaces, without an id map. End it.
///
/// Man page: unshare(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_unshare(wanted: u64, map_root: c_int, err: *mut ns_error) -> c_int {
    boundary(err, || nsiso::unshare(kinds(wanted)?, map_root != 0).map(|()| 0))
}
