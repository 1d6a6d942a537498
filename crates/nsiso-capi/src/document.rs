//! The spec document: the options of an `ns_spec` as JSON. Also stores results as JSON.

use std::ffi::{CString, c_char, c_int};

use nsiso::{Document, Error, Result};
use serde::Serialize;

use crate::argument::{is_null, reference, reference_mut, text};
use crate::error::{boundary, ns_error, quiet_boundary};
use crate::spec::ns_spec;

/// Makes a spec from a spec document, a JSON object.
///
/// nsiso_spec(5) lists its keys. Its schema is in nsiso-spec.schema.json, and ns_spec_schema
/// returns it. Stores the spec in `*out`; free it with ns_spec_free. Setters may add to it.
///
/// Descriptors in a document are numbers of the caller's, which it keeps open until the spawn.
///
/// -EINVAL: `json` is no JSON, or it has an unknown key, a value of the wrong type or one that
/// cannot be, or a descriptor that is not open. The message begins with the path of the value, such
/// as mounts[2].size, and the hint names the nearest known key. The errors of the options' own
/// setters, such as -ERANGE for a clock offset, are returned with their path, too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_from_json(
    json: *const c_char,
    out: *mut *mut ns_spec,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        if out.is_null() {
            return Err(is_null("out"));
        }
        // SAFETY: NULL or a string, says the header.
        let spec = unsafe { document(json) }?.spec()?;
        // SAFETY: valid for writing, says the header.
        unsafe { out.write(Box::into_raw(Box::new(ns_spec(spec)))) };
        Ok(0)
    })
}

/// Adds the options of a spec document to a spec, as the setters of each would.
///
/// `env`, `env_unset`, `fds`, `pin`, `rlimits`, `join`, `mounts`, `links`, `devices`, `seccomp`,
/// `share`, `uid_map` and `gid_map` add to those of the spec. Every other option replaces the
/// earlier value. false has an effect only for options that are on by default or that the sandbox
/// sets. `json` is a JSON object as for ns_spec_from_json, with the same errors. After an error the
/// spec may have some of the options: free it with ns_spec_free.
///
/// Descriptors in the document are numbers of the caller's, which it keeps open until the spawn.
/// Not to be called while another thread uses the spec.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_add_json(
    spec: *mut ns_spec,
    json: *const c_char,
    err: *mut ns_error,
) -> c_int {
    boundary(err, || {
        // SAFETY: NULL or a spec that nothing else uses, says the header.
        let spec = unsafe { reference_mut(spec, "spec") }?;
        // SAFETY: NULL or a string, says the header.
        unsafe { document(json) }?.apply(&mut spec.0)?;
        Ok(0)
    })
}

/// # Safety
/// `json` is NULL or a string.
unsafe fn document(json: *const c_char) -> Result<Document> {
    // SAFETY: the caller's promise.
    let json = unsafe { text(json, "json") }?;
    let json = json.to_str().ok_or_else(|| Error::argument("spec document: it is not UTF-8"))?;
    Document::from_json(json)
}

/// Writes a spec as a spec document. Stores the text in `*out`; free it with ns_string_free.
///
/// ns_spec_from_json makes an equal spec of it. Options that are not set are left out. A spec that
/// ns_spec_sandbox was applied to is written as {"sandbox": true} with what differs from that.
/// Descriptors are written as their numbers, and strings that are not UTF-8 in base64.
///
/// -EINVAL: the name of an environment variable is not UTF-8; a sandbox shares its user, pid or
/// mount namespace; or the filter of the sandbox was removed and others were added, which a
/// document cannot say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_spec_to_json(
    spec: *const ns_spec,
    out: *mut *mut c_char,
    err: *mut ns_error,
) -> c_int {
    // SAFETY: NULL or valid, says the header.
    boundary(err, || unsafe { store_text(out, || Ok(Document::of(&reference(spec, "spec")?.0)?.to_json())) })
}

/// Stores a text in `*out`, for ns_string_free.
///
/// # Safety
/// `out` is NULL or valid for writing.
unsafe fn store_text(out: *mut *mut c_char, text: impl FnOnce() -> Result<String>) -> Result<c_int> {
    if out.is_null() {
        return Err(is_null("out"));
    }
    let text = string(text()?)?;
    // SAFETY: the caller's promise.
    unsafe { out.write(text.into_raw()) };
    Ok(0)
}

/// Stores a result as JSON in `*out`, for ns_string_free.
///
/// # Safety
/// `out` is NULL or valid for writing.
pub(crate) unsafe fn store_json<T: Serialize>(
    out: *mut *mut c_char,
    result: impl FnOnce() -> Result<T>,
) -> Result<c_int> {
    let json =
        || serde_json::to_string(&result()?).map_err(|error| Error::internal(format!("JSON: {error}")));
    // SAFETY: the caller's promise.
    unsafe { store_text(out, json) }
}

fn string(text: String) -> Result<CString> {
    CString::new(text).map_err(|_| Error::argument("the text has a NUL byte in it"))
}

/// Returns the JSON Schema of spec documents. Free it with ns_string_free.
#[unsafe(no_mangle)]
pub extern "C" fn ns_spec_schema() -> *mut c_char {
    quiet_boundary(std::ptr::null_mut(), || {
        let schema = include_str!("../../../include/nsiso-spec.schema.json");
        string(schema.into()).map_or(std::ptr::null_mut(), CString::into_raw)
    })
}

/// Frees a string that a function here has returned; NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ns_string_free(string: *mut c_char) {
    quiet_boundary((), || {
        if !string.is_null() {
            // SAFETY: made by CString::into_raw and not freed before, says the header.
            drop(unsafe { CString::from_raw(string) });
        }
    });
}
