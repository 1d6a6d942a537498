//! Works out the id maps of a new user namespace, which process writes them, and the uid, gid and
//! supplementary groups of the program. `spec::identity` holds the options.

use std::fmt::Write;

use super::format::Action;
use super::id_kind::IdKind;
use super::{Joins, Plan, subid};
use crate::error::Step;
use crate::kind::USER;
use crate::spec::{IdMap, IdRange};
use crate::{Error, Kinds, Result, Spec};

/// The kernel accepts a map only in one write of less than a page.
const FILE_MAX: usize = 4096;

/// One id map, with all ranges known.
#[derive(Debug)]
pub(crate) struct Map {
    pub kind: IdKind,
    pub ranges: Vec<IdRange>,
    /// The child's id in the caller's user namespace: the caller's effective id, or 0 in a joined
    /// user namespace.
    caller: u32,
    /// The inside id that the spec's replacement for the caller's id maps to, if it has a
    /// replacement.
    mapped_as: Option<u32>,
}

impl Map {
    fn new(kind: IdKind, map: &IdMap, caller: u32, mapped_as: Option<u32>) -> Result<Self> {
        let mut ranges = map.ranges.clone();
        let outside = mapped_as.unwrap_or(caller);
        let mapped_as = mapped_as.and(map.caller).map(|inside| inside.unwrap_or(outside));
        if let Some(inside) = map.caller {
            let own = IdRange::new(inside.unwrap_or(outside), outside, 1)?;
            // The caller's own id may be among the ranges already: an equal range is not added
            // twice.
            if !ranges.contains(&own) {
                ranges.push(own);
            }
        }
        if map.subordinate {
            let block = subid::first_block(kind)?;
            ranges = subid::lay_around(&ranges, block);
        }
        let map = Map { kind, ranges, caller, mapped_as };
        match map.text().len() {
            ..FILE_MAX => Ok(map),
            len => Err(Error::argument(format!(
                "the {} has {len} bytes in {} lines; the kernel takes less than {FILE_MAX}: use fewer ranges",
                kind.file(),
                map.ranges.len()
            ))),
        }
    }

    /// Whether the map holds only the child's own id. A process may write such a map itself; any
    /// other map needs a privileged parent.
    fn own_id_alone(&self) -> bool {
        matches!(self.ranges[..], [range] if range.count() == 1 && range.outside() == self.caller)
    }

    fn maps_caller(&self) -> bool {
        let (first, last) = (IdRange::outside, |r: &IdRange| r.outside() + (r.count() - 1));
        self.ranges.iter().any(|r| (first(*r)..=last(r)).contains(&self.caller))
    }

    /// The id that the program gets if the spec sets none. None if the caller's id stays valid
    /// inside.
    fn fallback_id(&self) -> Option<u32> {
        if self.mapped_as.is_some() {
            return self.mapped_as;
        }
        if self.maps_caller() {
            return None;
        }
        self.ranges.iter().map(|range| range.inside()).min()
    }

    /// The text that is written to the kernel's map file.
    pub fn text(&self) -> String {
        self.ranges.iter().fold(String::new(), |mut text, range| {
            let _ = writeln!(text, "{range}");
            text
        })
    }
}

/// Both id maps, in the order in which they are written: the gid map first.
#[derive(Debug)]
pub(crate) struct Maps {
    group: Map,
    user: Map,
    /// Whether `setgroups(2)` is denied in the new user namespace.
    deny_setgroups: bool,
    /// Whether the child writes its gid map itself. An ordinary child may do so only while
    /// `setgroups(2)` is denied.
    group_by_child: bool,
}

impl Maps {
    pub fn new(spec: &Spec, joins: &Joins) -> Result<Self> {
        // The child becomes root in a joined user namespace.
        let caller = |kind: IdKind| if joins.has(USER) { 0 } else { kind.of_caller() };
        if spec.identity.mapped_as.is_some() && joins.has(USER) {
            return Err(Error::argument(
                "a root caller's sandbox runs its program as nobody, which a joined user namespace may not map",
            )
            .with_hint("spawn it as an ordinary user, or set the sandbox's options one by one"));
        }
        let group =
            Map::new(IdKind::Group, &spec.identity.gid_map, caller(IdKind::Group), spec.identity.mapped_as)?;
        let user =
            Map::new(IdKind::User, &spec.identity.uid_map, caller(IdKind::User), spec.identity.mapped_as)?;
        let deny_setgroups = match spec.identity.setgroups {
            Some(allow) => !allow,
            None => group.own_id_alone(),
        };
        let group_by_child = group.own_id_alone() && (deny_setgroups || !privileged());
        Ok(Maps { group, user, deny_setgroups, group_by_child })
    }

    /// The maps that only the parent may write.
    pub fn for_parent(&self) -> Vec<&Map> {
        let mut maps = Vec::new();
        if !self.group.ranges.is_empty() && !self.group_by_child {
            maps.push(&self.group);
        }
        if !self.user.ranges.is_empty() && !self.user.own_id_alone() {
            maps.push(&self.user);
        }
        maps
    }

    /// The maps that the child writes itself, without waiting for the parent.
    fn for_child(&self) -> Vec<(Step, String)> {
        let mut maps = Vec::new();
        if self.group_by_child {
            maps.push((self.group.kind.step(), self.group.text()));
        }
        if self.user.own_id_alone() {
            maps.push((self.user.kind.step(), self.user.text()));
        }
        maps
    }
}

const CAP_SETGID: u32 = 6;

/// Whether the caller may map ids other than its own. Root may lack the capabilities; then the
/// kernel refuses the write of the map.
fn privileged() -> bool {
    IdKind::User.of_caller() == 0
}

impl Plan {
    pub(super) fn id_maps(&mut self, spec: &Spec) -> Result<()> {
        let new_user = spec.kinds.contains(Kinds::USER);
        if new_user && self.maps.deny_setgroups {
            self.write_own(Step::Setgroups, c"self/setgroups", "deny");
        }
        for (step, text) in self.maps.for_child() {
            let path = match step {
                Step::GidMap => c"self/gid_map",
                _ => c"self/uid_map",
            };
            self.write_own(step, path, &text);
        }
        self.send_namespaces(spec)?;
        if self.awaits_parent {
            let parent = match self.exec {
                true => -1,
                false => self.keep(crate::pidfd::own()?),
            };
            let socket = self.socket(spec, Step::UidMap)?;
            let dumpable = !privileged() && (spec.sync_fds.is_some() || !self.maps.for_parent().is_empty());
            self.push(Step::UidMap, Action::AwaitParent { socket, parent, child: 0, dumpable });
        }
        Ok(())
    }

    /// Sets the pid of the child that answers in the parent's place. It is used when the caller
    /// itself becomes the program.
    pub fn set_answering_child(&mut self, pid: i32) {
        for op in &mut self.ops {
            if let Action::AwaitParent { child, .. } = &mut op.action {
                *child = pid;
            }
        }
    }

    /// Gives the process ids that are mapped in the new user namespace. Without them it could not
    /// make files.
    pub(super) fn mapped_caller(&mut self) {
        if let Some(gid) = self.maps.group.fallback_id() {
            self.push(Step::Gid, Action::SetGid(gid));
        }
        if let Some(uid) = self.maps.user.fallback_id() {
            self.push(Step::Uid, Action::SetUid(uid));
        }
    }

    pub(super) fn identity(&mut self, spec: &Spec) {
        let uid = spec.identity.uid.or_else(|| self.maps.user.fallback_id());
        let gid = spec.identity.gid.or_else(|| self.maps.group.fallback_id());
        // A new identity drops the caller's supplementary groups, unless setgroups(2) is denied
        // there or joining a user namespace has dropped them already.
        let dropped = self.joins.has(USER) && !spec.kinds.contains(Kinds::USER);
        let drop_groups = (uid.is_some() || gid.is_some()) && !self.maps.deny_setgroups && !dropped;
        let groups = match &spec.identity.groups {
            Some(groups) => Some(groups.as_slice()),
            None if drop_groups && self.may_set_groups(spec) => Some([].as_slice()),
            None => None,
        };
        let keeps = spec.identity.keep_caps || spec.privileges.capabilities.is_some();
        if keeps && uid.is_some() {
            self.push(Step::Capabilities, Action::KeepCapabilities);
        }
        if let Some(groups) = groups {
            let groups = self.arena.table(groups);
            self.push(Step::Groups, Action::SetGroups(groups));
        }
        if let Some(gid) = gid {
            self.push(Step::Gid, Action::SetGid(gid));
        }
        if let Some(uid) = uid {
            self.push(Step::Uid, Action::SetUid(uid));
        }
        if spec.identity.keep_caps {
            self.push(Step::Capabilities, Action::RaiseAmbient);
        }
    }

    /// Whether the child may call `setgroups(2)`: in a new user namespace if it has a gid map,
    /// otherwise if the caller has CAP_SETGID.
    fn may_set_groups(&self, spec: &Spec) -> bool {
        match spec.kinds.contains(Kinds::USER) {
            true => !self.maps.group.ranges.is_empty(),
            false => super::capabilities::caller_has(CAP_SETGID),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(caller: u32, ranges: &[(u32, u32, u32)]) -> Map {
        let ranges = ranges.iter().map(|r| IdRange::new(r.0, r.1, r.2).unwrap()).collect();
        Map { kind: IdKind::User, ranges, caller, mapped_as: None }
    }

    #[test]
    fn only_the_own_id_alone_needs_no_privilege() {
        assert!(map(1000, &[(0, 1000, 1)]).own_id_alone());
        assert!(!map(1000, &[(0, 1000, 2)]).own_id_alone());
        assert!(!map(1000, &[(0, 1001, 1)]).own_id_alone());
        assert!(!map(1000, &[(0, 1000, 1), (1, 100_000, 1)]).own_id_alone());
        assert!(!map(1000, &[]).own_id_alone());
    }

    #[test]
    fn an_unmapped_caller_becomes_the_lowest_mapped_id() {
        assert_eq!(map(1000, &[(0, 100_000, 65_536)]).fallback_id(), Some(0));
        assert_eq!(map(1000, &[(7, 100_000, 9), (5, 200_000, 1)]).fallback_id(), Some(5));
        assert_eq!(map(1000, &[(5, 990, 11)]).fallback_id(), None);
        assert_eq!(map(1000, &[(5, 990, 10)]).fallback_id(), Some(5));
        assert_eq!(map(1000, &[]).fallback_id(), None);
    }
}
