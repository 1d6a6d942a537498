//! Resource limits of the program's process, `getrlimit(2)`.

use super::Spec;
use crate::{Error, Result};

/// `getrlimit(2)`.
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

/// No limit, for [`Spec::rlimit`].
pub const UNLIMITED: u64 = libc::RLIM_INFINITY;

impl Spec<'_> {
    /// A resource limit by its name (`"nofile"`, `"cpu"`, `"as"`...), in its unit, `getrlimit(2)`; [`UNLIMITED`] for none.
    /// An init process has the caller's.
    pub fn rlimit(&mut self, name: &str, soft: u64, hard: u64) -> Result<&mut Self> {
        let plain = name.to_ascii_lowercase();
        let plain = plain.trim_start_matches("rlimit_");
        let Some((_, resource)) = LIMITS.iter().find(|(known, _)| *known == plain) else {
            return Err(Error::argument(format!("{name:?} is no resource limit, getrlimit(2)")));
        };
        if soft > hard {
            return Err(Error::argument(format!("the limit {plain}: {soft} is above the hard limit {hard}")));
        }
        self.resources.rlimits.retain(|(other, _)| other != resource);
        self.resources.rlimits.push((*resource, libc::rlimit64 { rlim_cur: soft, rlim_max: hard }));
        Ok(self)
    }
}

pub(crate) fn limit_name(resource: u32) -> &'static str {
    LIMITS.iter().find(|(_, number)| *number == resource).map_or("a limit", |(name, _)| name)
}
