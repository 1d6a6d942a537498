//! Reads the subordinate ids that `/etc/subuid` and `/etc/subgid` grant to the caller, `subuid(5)`,
//! and places them around other ranges of an id map.

use std::fs;

use super::id_kind::IdKind;
use crate::spec::IdRange;
use crate::{Error, Result};

/// The file and the line that would allow the caller to map `count` ids from `first` on.
pub(crate) fn missing_line(kind: IdKind, first: u32, count: u32) -> String {
    format!("{}: \"{}:{first}:{count}\"", kind.lent_by().0, caller_names().0)
}

/// The caller's first block of subordinate ids, as (first id, count).
pub(super) fn first_block(kind: IdKind) -> Result<(u32, u32)> {
    let file = kind.lent_by().0;
    let text = fs::read_to_string(file)
        .map_err(|error| Error::from_io(kind.step(), format!("the map: read {file}"), &error))?;
    let (name, uid) = caller_names();
    find_block(&text, &name, &uid).ok_or_else(|| {
        Error::new(kind.step(), libc::EPERM, format!("the map: no ids are lent to {name} in {file}"))
            .with_hint(format!("add this line to {}", missing_line(kind, 100_000, 65_536)))
    })
}

/// The caller's names in both files: its login name, or its uid if it has none, and its uid.
/// Subordinate gids are granted to users, too.
fn caller_names() -> (String, String) {
    let uid = nix::unistd::geteuid();
    let name = nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name);
    (name.unwrap_or_else(|| uid.to_string()), uid.to_string())
}

fn find_block(text: &str, name: &str, uid: &str) -> Option<(u32, u32)> {
    text.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        if owner != name && owner != uid {
            return None;
        }
        let (first, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        let count = possible(first, count);
        (count > 0).then_some((first, count))
    })
}

/// How many of `count` ids from `first` on can be mapped. The last valid id is 4,294,967,294, but a
/// line of the file may exceed it.
fn possible(first: u32, count: u64) -> u32 {
    (u32::MAX - first).min(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Maps the block to the inside ids from 0 on, except those that are mapped already.
pub(super) fn lay_around(taken: &[IdRange], (first, count): (u32, u32)) -> Vec<IdRange> {
    // This limit keeps the sums below within u32::MAX: `outside` grows by at most `count`.
    let count = possible(first, count.into());
    let mut ranges = taken.to_vec();
    let mut borders: Vec<_> = taken.iter().map(|r| (r.inside(), r.inside() + r.count())).collect();
    borders.push((count, count));
    borders.sort_unstable();
    let (mut inside, mut outside) = (0, first);
    for (start, end) in borders {
        let start = start.min(count);
        if start > inside {
            if let Ok(range) = IdRange::new(inside, outside, start - inside) {
                ranges.push(range);
            }
            outside += start - inside;
        }
        inside = inside.max(end);
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(taken: &[(u32, u32, u32)], block: (u32, u32)) -> Vec<String> {
        let taken: Vec<_> = taken.iter().map(|r| IdRange::new(r.0, r.1, r.2).unwrap()).collect();
        lay_around(&taken, block).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_block_is_laid_around_what_is_taken() {
        assert_eq!(laid(&[], (100_000, 65_536)), ["0 100000 65536"]);
        assert_eq!(laid(&[(0, 1000, 1)], (100_000, 65_536)), ["0 1000 1", "1 100000 65535"]);
        assert_eq!(
            laid(&[(1000, 1000, 1)], (100_000, 65_536)),
            ["1000 1000 1", "0 100000 1000", "1001 101000 64535"]
        );
        assert_eq!(laid(&[(70_000, 5, 1)], (100_000, 10)), ["70000 5 1", "0 100000 10"]);
    }

    #[test]
    fn a_block_ends_with_the_last_id_that_can_be_mapped() {
        let last = u32::MAX - 1;
        assert_eq!(laid(&[], (last, 65_536)), ["0 4294967294 1"]);
        assert_eq!(laid(&[], (1, u32::MAX)), ["0 1 4294967294"]);
        assert_eq!(laid(&[(0, 7, 1), (2, 9, 1)], (last - 1, 9)), ["0 7 1", "2 9 1", "1 4294967293 1"]);
        assert_eq!(laid(&[(last, 5, 1)], (0, u32::MAX)), ["4294967294 5 1", "0 0 4294967294"]);
        assert!(laid(&[], (u32::MAX, 1)).is_empty());
        let text = "ada:4294967295:65536\nada:4294967290:65536\nada:4294967296:1\neve:9:99999999999\n";
        assert_eq!(find_block(text, "ada", "1000"), Some((4_294_967_290, 5)));
        assert_eq!(find_block(text, "eve", "1001"), Some((9, u32::MAX - 9)));
        assert_eq!(find_block("ada:1:-1\nada:-1:1\nada:1\nada:1:\n", "ada", "1000"), None);
    }

    #[test]
    fn the_first_block_of_the_user_is_found_by_name_or_number() {
        let text = "# comment\nother:1:1\nada:100000:65536\nada:300000:1\n1001:500:7\n";
        assert_eq!(find_block(text, "ada", "1000"), Some((100_000, 65_536)));
        assert_eq!(find_block(text, "1001", "1001"), Some((500, 7)));
        assert_eq!(find_block(text, "eve", "1002"), None);
    }
}
