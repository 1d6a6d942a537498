//! [`IdRange`] and the id maps of a user namespace, checked as the kernel checks them,
//! `user_namespaces(7)`. `plan` adds the ids that are known only at the spawn.

use std::fmt;

use crate::{Error, Result};

/// The most ranges that the kernel takes in one map, since Linux 4.15.
const MAX_RANGES: usize = 340;

/// A range of ids that a user namespace maps: `count` ids that start at `inside` in the new user
/// namespace and at `outside` in the caller's.
///
/// ```
/// use nsiso::{IdRange, Spec};
///
/// let range = IdRange::new(0, 100_000, 65_536)?;
/// let mut spec = Spec::new("id")?;
/// spec.uid_map(range)?.gid_map(range)?;
/// assert_eq!(range.to_string(), "0 100000 65536");
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdRange {
    inside: u32,
    outside: u32,
    count: u32,
}

impl IdRange {
    /// Makes a range of at least one id.
    ///
    /// EINVAL: `count` is 0, or the range goes beyond 4,294,967,294. The id 4,294,967,295 stands
    /// for "no change" and cannot be mapped.
    pub fn new(inside: u32, outside: u32, count: u32) -> Result<Self> {
        let range = IdRange { inside, outside, count };
        if count == 0 {
            return Err(Error::argument(format!("id range {range} is empty")));
        }
        if inside.checked_add(count).is_none() || outside.checked_add(count).is_none() {
            return Err(Error::argument(format!("id range {range} goes beyond 4294967294")));
        }
        Ok(range)
    }

    /// Returns the first id in the new user namespace.
    pub fn inside(self) -> u32 {
        self.inside
    }

    /// Returns the first id in the caller's user namespace.
    pub fn outside(self) -> u32 {
        self.outside
    }

    /// Returns the number of ids.
    pub fn count(self) -> u32 {
        self.count
    }

    pub(crate) fn overlaps(self, other: IdRange) -> bool {
        let meet = |a: u32, b: u32| a < b + other.count && b < a + self.count;
        meet(self.inside, other.inside) || meet(self.outside, other.outside)
    }
}

impl fmt::Display for IdRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.inside, self.outside, self.count)
    }
}

/// The ids that a map contains. The caller's own id and the subordinate ids are looked up only when
/// the program is spawned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct IdMap {
    pub ranges: Vec<IdRange>,
    /// Maps the caller's effective id: to the id given, or to itself.
    pub caller: Option<Option<u32>>,
    pub subordinate: bool,
}

impl IdMap {
    pub(super) fn add_caller(&mut self, inside: Option<u32>) {
        self.caller = Some(inside);
    }

    pub(super) fn add_subordinate(&mut self) {
        self.subordinate = true;
    }

    pub(super) fn add_range(&mut self, what: &str, range: IdRange) -> Result<()> {
        if let Some(other) = self.ranges.iter().find(|other| range.overlaps(**other)) {
            return Err(Error::argument(format!(
                "{what} range {range} overlaps with {what} range {other} (each: inside outside count)"
            )));
        }
        if self.ranges.len() == MAX_RANGES {
            return Err(Error::argument(format!("a {what} map has at most {MAX_RANGES} ranges")));
        }
        self.ranges.push(range);
        Ok(())
    }
}

/// Checks that a process may have this id.
pub(super) fn id(what: &str, id: u32) -> Result<u32> {
    match id {
        u32::MAX => Err(Error::argument(format!("{what} {id} stands for \"no change\" and cannot be set"))),
        id => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked_when_made() {
        assert!(IdRange::new(0, 4_294_967_294, 1).is_ok());
        assert!(IdRange::new(0, 3_000_000_000, 65_536).is_ok());
        assert!(IdRange::new(0, 0, 0).is_err());
        assert!(IdRange::new(4_294_967_295, 0, 1).is_err());
        assert!(IdRange::new(1, 0, u32::MAX).is_err());
    }

    #[test]
    fn overlaps_are_found_on_both_sides() {
        let mut map = IdMap::default();
        map.add_range("uid", IdRange::new(0, 1000, 10).unwrap()).unwrap();
        map.add_range("uid", IdRange::new(10, 1010, 10).unwrap()).unwrap();
        let inside = map.add_range("uid", IdRange::new(9, 5000, 1).unwrap()).unwrap_err();
        assert!(inside.message().contains("overlaps with uid range 0 1000 10"), "{inside}");
        let outside = map.add_range("uid", IdRange::new(50, 1015, 1).unwrap()).unwrap_err();
        assert!(outside.message().contains("10 1010 10"), "{outside}");
    }
}
