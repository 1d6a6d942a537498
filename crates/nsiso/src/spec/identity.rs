//! Who the program is: id maps, uid, gid and groups, and whether it keeps capabilities.

use super::id_map::id;
use super::{IdMap, IdRange, Spec};
use crate::{Kinds, Result};

#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    /// The id that the id maps take as the caller's, in place of its own.
    pub stand_in: Option<u32>,
    pub uid_map: IdMap,
    pub gid_map: IdMap,
    pub setgroups: Option<bool>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub groups: Option<Vec<u32>>,
    pub keep_caps: bool,
    pub keep_credentials: bool,
}

impl Spec<'_> {
    /// The caller is root inside: its effective uid and gid are mapped to 0.
    /// Asks for a new user namespace.
    pub fn map_root(&mut self) -> &mut Self {
        self.identity.uid_map.add_caller(Some(0));
        self.identity.gid_map.add_caller(Some(0));
        self.unshare(Kinds::USER)
    }

    /// The caller keeps its effective uid and gid inside. Asks for a new user namespace.
    pub fn map_current(&mut self) -> &mut Self {
        self.identity.uid_map.add_caller(None);
        self.identity.gid_map.add_caller(None);
        self.unshare(Kinds::USER)
    }

    /// The caller's first block of ids in `/etc/subuid` and `/etc/subgid` is laid out from 0
    /// inside, leaving out the ids that are mapped otherwise. Asks for a new user namespace;
    /// an ordinary caller needs `newuidmap(1)`.
    pub fn map_auto(&mut self) -> &mut Self {
        self.identity.uid_map.add_subordinate();
        self.identity.gid_map.add_subordinate();
        self.unshare(Kinds::USER)
    }

    /// Maps one more range of uids. Asks for a new user namespace.
    pub fn uid_map(&mut self, range: IdRange) -> Result<&mut Self> {
        self.identity.uid_map.add_range("uid", range)?;
        Ok(self.unshare(Kinds::USER))
    }

    /// Maps one more range of gids. Asks for a new user namespace.
    pub fn gid_map(&mut self, range: IdRange) -> Result<&mut Self> {
        self.identity.gid_map.add_range("gid", range)?;
        Ok(self.unshare(Kinds::USER))
    }

    /// Whether `setgroups(2)` stays allowed in the new user namespace, `user_namespaces(7)`. By
    /// default it is denied when the caller's own gid alone is mapped, as the kernel demands of an
    /// ordinary caller.
    pub fn setgroups(&mut self, allow: bool) -> &mut Self {
        self.identity.setgroups = Some(allow);
        self.unshare(Kinds::USER)
    }

    /// The uid to run as, as seen inside. By default the caller's; where a new user namespace does
    /// not map that, 0, or the lowest uid that is mapped. Supplementary groups are dropped with
    /// the caller's identity, unless given.
    pub fn uid(&mut self, uid: u32) -> Result<&mut Self> {
        self.identity.uid = Some(id("uid", uid)?);
        Ok(self)
    }

    /// The gid to run as, as seen inside; the default is as for [`Spec::uid`].
    pub fn gid(&mut self, gid: u32) -> Result<&mut Self> {
        self.identity.gid = Some(id("gid", gid)?);
        Ok(self)
    }

    /// The supplementary groups, as seen inside; `&[]` for none.
    pub fn groups(&mut self, groups: &[u32]) -> Result<&mut Self> {
        for gid in groups {
            id("supplementary gid", *gid)?;
        }
        self.identity.groups = Some(groups.to_vec());
        Ok(self)
    }

    /// Keeps the capabilities of the new user namespace over exec, as ambient capabilities
    /// (`capabilities(7)`), also for a program that is not root inside.
    pub fn keep_caps(&mut self) -> &mut Self {
        self.identity.keep_caps = true;
        self
    }

    /// In a joined user namespace the program keeps the caller's uid, gid and groups, mapped or not.
    pub fn keep_credentials(&mut self) -> &mut Self {
        self.identity.keep_credentials = true;
        self
    }
}
