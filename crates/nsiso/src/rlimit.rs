//! Reads the caller's resource limits, `getrlimit(2)`, for checks and for hints in errors.

use std::io;

type Resource = libc::__rlimit_resource_t;

fn limit(resource: Resource) -> libc::rlimit {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writing.
    unsafe { libc::getrlimit(resource, &raw mut limit) };
    limit
}

/// The soft limit, which the kernel enforces.
pub(crate) fn soft(resource: Resource) -> u64 {
    limit(resource).rlim_cur
}

/// The hard limit, up to which the soft limit can be raised without privileges.
pub(crate) fn hard(resource: Resource) -> u64 {
    limit(resource).rlim_max
}

pub(crate) fn in_words(resource: Resource) -> String {
    match soft(resource) {
        libc::RLIM_INFINITY => "unlimited".into(),
        limit => limit.to_string(),
    }
}

/// The hint for an error because the caller has no file descriptors left.
pub(crate) fn of_descriptors() -> String {
    format!("file descriptors are used up: the limit RLIMIT_NOFILE is {}", in_words(libc::RLIMIT_NOFILE))
}

/// The hint for a file descriptor that the calling process could not open; empty if the error needs
/// none.
pub(crate) fn descriptor_hint(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::EINVAL) => of_descriptors(),
        Some(libc::EBADF) => {
            "the descriptor is not open: it must stay open until the program has been spawned".into()
        }
        _ => String::new(),
    }
}
