//! The options for host name and NIS domain name, `uts_namespaces(7)`.

use std::ffi::{CString, OsStr};

use super::{Spec, text};
use crate::{Error, Kinds, Result};

#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    pub hostname: Option<CString>,
    pub domainname: Option<CString>,
}

impl Spec<'_> {
    /// Sets the host name in the new UTS namespace.
    ///
    /// Asks for a new UTS namespace. EINVAL: the name has more than 64 bytes or a NUL byte in it.
    /// See `sethostname(2)`.
    pub fn hostname(&mut self, name: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.names.hostname = Some(uts_name("host name", name.as_ref())?);
        Ok(self.unshare(Kinds::UTS))
    }

    /// Sets the NIS domain name in the new UTS namespace.
    ///
    /// Asks for a new UTS namespace. EINVAL: the name has more than 64 bytes or a NUL byte in it.
    /// See `setdomainname(2)`.
    pub fn domainname(&mut self, name: impl AsRef<OsStr>) -> Result<&mut Self> {
        self.names.domainname = Some(uts_name("domain name", name.as_ref())?);
        Ok(self.unshare(Kinds::UTS))
    }
}

/// The longest host or domain name: `__NEW_UTS_LEN`.
const UTS_NAME_MAX: usize = 64;

fn uts_name(what: &str, name: &OsStr) -> Result<CString> {
    if name.len() > UTS_NAME_MAX {
        return Err(Error::argument(format!(
            "the {what} has {} bytes; the kernel takes at most {UTS_NAME_MAX}",
            name.len()
        )));
    }
    text(what, name)
}
