//! The options for the program's identity: id maps, uid, gid, supplementary groups, and
//! capabilities that stay over exec. `plan` decides which process writes the maps.

use super::id_map::id;
use super::{IdMap, IdRange, Spec};
use crate::{Kinds, Result};

#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    /// The id that is mapped in place of the caller's own.
    pub mapped_as: Option<u32>,
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
    /// Makes the caller root inside: maps its effective uid and gid to 0.
    ///
    /// Asks for a new user namespace. Needs no privilege. If no other gid is mapped, `setgroups(2)`
    /// is denied, see [`Spec::setgroups`]. See `user_namespaces(7)`.
    pub fn map_root(&mut self) -> &mut Self {
        self.identity.uid_map.add_caller(Some(0));
        self.identity.gid_map.add_caller(Some(0));
        self.unshare(Kinds::USER)
    }

    /// Maps the caller's effective uid and gid to themselves.
    ///
    /// Asks for a new user namespace. Needs no privilege. If no other gid is mapped, `setgroups(2)`
    /// is denied, see [`Spec::setgroups`]. See `user_namespaces(7)`.
    pub fn map_current(&mut self) -> &mut Self {
        self.identity.uid_map.add_caller(None);
        self.identity.gid_map.add_caller(None);
        self.unshare(Kinds::USER)
    }

    /// Maps the caller's first block of ids in `/etc/subuid` and `/etc/subgid` to ids from 0
    /// upwards.
    ///
    /// Asks for a new user namespace. Ids inside that another option maps are left out of the
    /// block. An ordinary caller needs `newuidmap(1)` and `newgidmap(1)`. [`Spec::spawn`] fails
    /// with EPERM if the files list no block for the caller. See `subuid(5)`.
    pub fn map_auto(&mut self) -> &mut Self {
        self.identity.uid_map.add_subordinate();
        self.identity.gid_map.add_subordinate();
        self.unshare(Kinds::USER)
    }

    /// Maps one more range of uids.
    ///
    /// Asks for a new user namespace. A caller that maps other ids than its own effective uid must
    /// be root, or use `newuidmap(1)` with ids that `/etc/subuid` lists for it; otherwise
    /// [`Spec::spawn`] fails with EPERM. EINVAL: the range overlaps another one, or the map has 340
    /// ranges already. See `user_namespaces(7)`.
    pub fn uid_map(&mut self, range: IdRange) -> Result<&mut Self> {
        self.identity.uid_map.add_range("uid", range)?;
        Ok(self.unshare(Kinds::USER))
    }

    /// Maps one more range of gids.
    ///
    /// Asks for a new user namespace. A caller that maps other ids than its own effective gid must
    /// be root, or use `newgidmap(1)` with ids that `/etc/subgid` lists for it; otherwise
    /// [`Spec::spawn`] fails with EPERM. EINVAL: the range overlaps another one, or the map has 340
    /// ranges already. See `user_namespaces(7)`.
    pub fn gid_map(&mut self, range: IdRange) -> Result<&mut Self> {
        self.identity.gid_map.add_range("gid", range)?;
        Ok(self.unshare(Kinds::USER))
    }

    /// Sets whether `setgroups(2)` is allowed in the new user namespace.
    ///
    /// Asks for a new user namespace. By default `setgroups(2)` is denied if the gid map contains
    /// only the caller's own gid: the kernel lets an ordinary caller write such a map only then.
    /// Allowing it in that case makes [`Spec::spawn`] of an ordinary caller fail with EPERM. See
    /// `user_namespaces(7)`.
    pub fn setgroups(&mut self, allow: bool) -> &mut Self {
        self.identity.setgroups = Some(allow);
        self.unshare(Kinds::USER)
    }

    /// Sets the uid of the program, as seen inside.
    ///
    /// By default the program has the caller's uid. If a new user namespace does not map that, the
    /// program gets the lowest mapped uid. Whenever the program gets another uid or gid, it loses
    /// the caller's supplementary groups, unless [`Spec::groups`] sets them.
    ///
    /// EINVAL: the uid is 4,294,967,295, or, at the spawn, it is not mapped. EPERM at the spawn:
    /// another uid takes CAP_SETUID or a new user namespace that maps it. See `setresuid(2)`.
    pub fn uid(&mut self, uid: u32) -> Result<&mut Self> {
        self.identity.uid = Some(id("uid", uid)?);
        Ok(self)
    }

    /// Sets the gid of the program, as seen inside.
    ///
    /// By default the program has the caller's gid. If a new user namespace does not map that, the
    /// program gets the lowest mapped gid. Whenever the program gets another uid or gid, it loses
    /// the caller's supplementary groups, unless [`Spec::groups`] sets them.
    ///
    /// EINVAL: the gid is 4,294,967,295, or, at the spawn, it is not mapped. EPERM at the spawn:
    /// another gid takes CAP_SETGID or a new user namespace that maps it. See `setresgid(2)`.
    pub fn gid(&mut self, gid: u32) -> Result<&mut Self> {
        self.identity.gid = Some(id("gid", gid)?);
        Ok(self)
    }

    /// Sets the supplementary groups of the program, as seen inside; `&[]` for none.
    ///
    /// EINVAL: a gid is 4,294,967,295, or, at the spawn, it is not mapped. EPERM at the spawn: the
    /// caller lacks CAP_SETGID, or `setgroups(2)` is denied in the user namespace, see
    /// [`Spec::setgroups`].
    pub fn groups(&mut self, groups: &[u32]) -> Result<&mut Self> {
        for gid in groups {
            id("supplementary gid", *gid)?;
        }
        self.identity.groups = Some(groups.to_vec());
        Ok(self)
    }

    /// Keeps the capabilities of the new user namespace over exec, also for a program that is not
    /// root.
    ///
    /// They become ambient capabilities, `capabilities(7)`. EPERM at the spawn: a securebit forbids
    /// ambient capabilities.
    pub fn keep_caps(&mut self) -> &mut Self {
        self.identity.keep_caps = true;
        self
    }

    /// Keeps the caller's uid, gid and groups in a joined user namespace, whether it maps them or
    /// not.
    ///
    /// By default the program becomes root there and has no supplementary groups, see
    /// [`Spec::join`].
    pub fn keep_credentials(&mut self) -> &mut Self {
        self.identity.keep_credentials = true;
        self
    }
}
