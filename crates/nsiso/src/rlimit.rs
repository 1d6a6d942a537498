//! The caller's resource limits, `getrlimit(2)`.

use std::io;

type Resource = libc::__rlimit_resource_t;

fn limit(resource: Resource) -> libc::rlimit {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writing.
    unsafe { libc::getrlimit(resource, &raw mut limit) };
    limit
}

/// The limit that is enforced.
pub(crate) fn soft(resource: Resource) -> u64 {
    limit(resource).rlim_cur
}

/// What it can be raised to without privileges.
pub(crate) fn hard(resource: Resource) -> u64 {
    limit(resource).rlim_max
}

pub(crate) fn in_words(resource: Resource) -> String {
    match soft(resource) {
        libc::RLIM_INFINITY => "unlimited".into(),
        limit => limit.to_string(),
    }
}

/// Why there is no descriptor to be had.
pub(crate) fn of_descriptors() -> String {
    format!("file descriptors are used up: the limit RLIMIT_NOFILE is {}", in_words(libc::RLIMIT_NOFILE))
}

/// For a descriptor that could not be had in the caller's own process.
pub(crate) fn descriptor_hint(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::EINVAL) => of_descriptors(),
        Some(libc::EBADF) => {
            "the descriptor is not open: it must stay open until the program has been spawned".into()
        }
        _ => String::new(),
    }
}
