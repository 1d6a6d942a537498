//! The resource limits of the program's process, `getrlimit(2)`.

use super::Spec;
use crate::{Error, Result};

/// The resources of `getrlimit(2)` by name.
const LIMITS: [(&str, u32); 16] = [
    ("as", libc::RLIMIT_AS),
    ("core", libc::RLIMIT_CORE),
    ("cpu", libc::RLIMIT_CPU),
    ("data", libc::RLIMIT_DATA),
    ("fsize", libc::RLIMIT_FSIZE),
    ("locks", libc::RLIMIT_LOCKS),
    ("memlock", libc::RLIMIT_MEMLOCK),
    ("msgqueue", libc::RLIMIT_MSGQUEUE),
    ("nice", libc::RLIMIT_NICE),
    ("nofile", libc::RLIMIT_NOFILE),
    ("nproc", libc::RLIMIT_NPROC),
    ("rss", libc::RLIMIT_RSS),
    ("rtprio", libc::RLIMIT_RTPRIO),
    ("rttime", libc::RLIMIT_RTTIME),
    ("sigpending", libc::RLIMIT_SIGPENDING),
    ("stack", libc::RLIMIT_STACK),
];

/// No limit, as a value of [`Spec::rlimit`].
pub const UNLIMITED: u64 = libc::RLIM_INFINITY;

impl Spec<'_> {
    /// Sets a resource limit of the program by its name: `"nofile"`, `"cpu"`, `"as"` and so on.
    ///
    /// The values are in the unit that `getrlimit(2)` gives for the resource; [`UNLIMITED`] means
    /// no limit. A name may also be written `"RLIMIT_NOFILE"`. By default the program has the
    /// caller's limits. An init process keeps the caller's, unless the hard limit is raised.
    /// EINVAL: the name is not a resource, or `soft` is above `hard`. EPERM at the spawn: raising
    /// the hard limit needs CAP_SYS_RESOURCE in the initial user namespace.
    pub fn rlimit(&mut self, name: &str, soft: u64, hard: u64) -> Result<&mut Self> {
        let plain = name.to_ascii_lowercase();
        let plain = plain.trim_start_matches("rlimit_");
        let Some((_, resource)) = LIMITS.iter().find(|(known, _)| *known == plain) else {
            return Err(Error::argument(format!("{name:?} is no resource limit, getrlimit(2)")));
        };
        if soft > hard {
            return Err(Error::argument(format!("the limit {plain}: {soft} is above the hard limit {hard}")));
        }
        let limit = libc::rlimit64 { rlim_cur: soft, rlim_max: hard };
        match self.resources.rlimits.iter_mut().find(|(other, _)| other == resource) {
            Some((_, earlier)) => *earlier = limit,
            None => self.resources.rlimits.push((*resource, limit)),
        }
        Ok(self)
    }
}

pub(crate) fn limit_name(resource: u32) -> &'static str {
    LIMITS.iter().find(|(_, number)| *number == resource).map_or("a limit", |(name, _)| name)
}
