//! The changes a spec makes to the program's environment. `plan` applies them to the caller's
//! environment when the program is spawned.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::text;
use crate::{Error, Result};

/// One change of a variable; a later change of the same variable replaces an earlier one.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// `NAME=`, which is compared with the start of an entry.
    pub prefix: Vec<u8>,
    /// `NAME=value`; none removes the variable.
    pub entry: Option<CString>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub cleared: bool,
    pub changes: Vec<Change>,
}

impl Environment {
    pub fn clear(&mut self) {
        self.cleared = true;
        self.changes.clear();
    }

    pub fn set(&mut self, name: &OsStr, value: &OsStr) -> Result<()> {
        let mut entry = name.to_os_string();
        entry.push("=");
        entry.push(value);
        let entry = text("environment variable", &entry)?;
        self.change(name, Some(entry))
    }

    pub fn unset(&mut self, name: &OsStr) -> Result<()> {
        self.change(name, None)
    }

    fn change(&mut self, name: &OsStr, entry: Option<CString>) -> Result<()> {
        if name.is_empty() || name.as_bytes().contains(&b'=') || name.as_bytes().contains(&0) {
            return Err(Error::argument(format!(
                "environment variable name {name:?} is empty or has '=' or NUL in it"
            )));
        }
        let mut prefix = OsString::from(name);
        prefix.push("=");
        let prefix = prefix.as_bytes().to_vec();
        self.changes.retain(|change| change.prefix != prefix);
        self.changes.push(Change { prefix, entry });
        Ok(())
    }
}
