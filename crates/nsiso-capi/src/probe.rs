//! `ns_probe`: what this host allows; and `ns_unshare`.

use std::ffi::{CString, c_char, c_int};

use nsiso::{Error, Finding, Step, Verdict};

use crate::argument::{kinds, reference, reference_mut, store};
use crate::error::{boundary, free, ns_error, quiet_boundary};

/// ns_finding: it can be had.
pub const NS_YES: c_int = 1;
/// ns_finding: it can be had with a new user namespace beside it.
pub const NS_IN_USER_NAMESPACE: c_int = 2;
/// ns_finding: it cannot be had.
pub const NS_NO: c_int = 0;

/// What a probe has found. Opaque; only read, by many threads if need be.
pub struct ns_findings(Vec<(Verdict, [CString; 3])>);

/// One thing that was tried. The texts are UTF-8 and live as long as the findings.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ns_finding {
    /// A kind of namespace ("user", "pid", "mnt", "net", "ipc", "uts", "time", "cgroup"), "nested_user", "proc", "overlay", "idmapped_mounts",
    /// "links", "link_rate", "link_delay", "clone3", "listns", "pidfd_info_exit", "landlock", "cgroup_v2" or "cgroup_v1".
    pub name: *const c_char,
    /// NS_YES, NS_IN_USER_NAMESPACE or NS_NO.
    pub verdict: i64,
    /// Why not, or what there is; may be empty.
    pub detail: *const c_char,
    /// What to do about it; may be empty.
    pub hint: *const c_char,
}

/// Tries what this kernel, this user and this host allow, in children that are thrown away, and stores what was found in `*out`. Nothing is
/// kept from one call to the next. Takes some milliseconds. Free it with ns_findings_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_probe(out: *mut *mut ns_findings, err: *mut ns_error) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let out = unsafe { reference_mut(out, "out") }?;
        let text = |text: String| CString::new(text).unwrap_or_default();
        let texts =
            |found: Finding| (found.verdict, [text(found.name.into()), text(found.detail), text(found.hint)]);
        *out = Box::into_raw(Box::new(ns_findings(nsiso::probe().into_iter().map(texts).collect())));
        Ok(0)
    })
}

/// How many there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_findings_len(findings: *const ns_findings) -> usize {
    // SAFETY: NULL or valid, says the header.
    quiet_boundary(0, || unsafe { findings.as_ref() }.map_or(0, |findings| findings.0.len()))
}

/// Number `index`, counted from 0. `out` has `size` bytes: pass sizeof(ns_finding). -ERANGE past the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_findings_get(
    findings: *const ns_findings,
    index: usize,
    out: *mut ns_finding,
    size: usize,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or valid, says the header.
        let findings = &unsafe { reference(findings, "findings") }?.0;
        let (verdict, [name, detail, hint]) = findings.get(index).ok_or_else(|| {
            let count = findings.len();
            Error::new(
                Step::Argument,
                libc::ERANGE,
                format!("finding number {index} of {count}, counted from 0"),
            )
        })?;
        let verdict = match verdict {
            Verdict::Yes => NS_YES,
            Verdict::InUserNamespace => NS_IN_USER_NAMESPACE,
            Verdict::No => NS_NO,
        };
        let (name, detail, hint) = (name.as_ptr(), detail.as_ptr(), hint.as_ptr());
        // SAFETY: `size` bytes, says the header.
        unsafe { store(out, size, &ns_finding { name, verdict: verdict.into(), detail, hint }) }?;
        Ok(0)
    })
}

/// Frees them; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_findings_free(findings: *mut ns_findings) {
    // SAFETY: NULL, or made by ns_probe and not freed before, says the header.
    unsafe { free(findings) }
}

/// Moves the calling program itself into new namespaces, unshare(2); with `map_root` (not 0) it is root in a new user
/// namespace. There is no way back. New pid and time namespaces are for children to come. -EINVAL in a program with threads, which may
/// have net, uts and ipc alone, for the calling thread: it starts a program with ns_spawn.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_unshare(wanted: u64, map_root: c_int, err: *mut ns_error) -> c_int {
    boundary(err, || nsiso::unshare(kinds(wanted)?, map_root != 0).map(|()| 0))
}
