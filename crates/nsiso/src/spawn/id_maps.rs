//! Writes the id maps that the parent has to write: itself if it may, else through `newuidmap(1)`
//! and `newgidmap(1)`, which may map the ranges in `/etc/subuid` and `/etc/subgid`.

use std::fs;
use std::io::{self, Read};

use super::Child;
use crate::plan::{Map, Maps, missing_line};
use crate::{Error, IdRange, Result, Spec, Stdio};

pub(super) fn write(child: &Child, maps: &Maps) -> Result<()> {
    maps.for_parent().into_iter().try_for_each(|map| write_one(child, map))
}

fn write_one(child: &Child, map: &Map) -> Result<()> {
    // The child is ours and not reaped, so its pid is not reused.
    let path = format!("/proc/{}/{}", child.pid, map.kind.file());
    match fs::write(&path, map.text()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => through_helper(child, map, &path),
        Err(error) => {
            let hint = match error.raw_os_error() {
                Some(libc::EINVAL) => {
                    "ranges overlap, inside or outside, or an id is not mapped in your own user namespace"
                }
                _ => "",
            };
            Err(Error::from_io(map.kind.step(), describe(map), &error).with_hint(hint))
        }
    }
}

fn describe(map: &Map) -> String {
    let text = match map.ranges.len() {
        0..=4 => format!("{:?}", map.text()),
        many => format!("{many} ranges"),
    };
    format!("{text} to {} of the child", map.kind.file())
}

fn through_helper(child: &Child, map: &Map, path: &str) -> Result<()> {
    let (_, helper) = map.kind.lent_by();
    let mut spec = Spec::new(helper)?;
    spec.arg(child.pid.to_string())?.args(map.text().split_whitespace())?;
    spec.stdio(0, Stdio::Null)?.stdio(1, Stdio::Null)?.stdio(2, Stdio::Pipe)?;
    let refused = || Error::new(map.kind.step(), libc::EPERM, describe(map));
    let mut process = spec.spawn().map_err(|error| {
        refused().with_hint(format!(
            "mapping other ids than your own takes {helper} (Debian: apt install uidmap) or root: {error}"
        ))
    })?;
    let mut said = String::new();
    if let Some(pipe) = process.take_pipe(2) {
        let _ = fs::File::from(pipe).read_to_string(&mut said);
    }
    let _ = process.wait();
    // Only the map shows for sure whether it worked: the caller may have reaped the tool itself.
    if fs::read_to_string(path).is_ok_and(|map| !map.trim().is_empty()) {
        return Ok(());
    }
    Err(refused().with_hint(format!("{}{helper} said: {}", missing_lines(map), said.trim())))
}

/// The lines of /etc/subuid or /etc/subgid that would permit the whole map.
fn missing_lines(map: &Map) -> String {
    let own = map.kind.of_caller();
    let others = || map.ranges.iter().filter(|range| (range.outside(), range.count()) != (own, 1));
    if others().any(|range| range.outside() < FIRST_LENT) {
        return format!(
            "ids below {FIRST_LENT} belong to the host's own users and should not be lent: to be root inside, map your own \
             id to 0 (map_root), and others from {FIRST_LENT} on; "
        );
    }
    let line = |range: &IdRange| missing_line(map.kind, range.outside(), range.count());
    others().map(|range| format!("add this line to {}; ", line(range))).collect()
}

/// Lower ids belong to system accounts, people and nobody, `login.defs(5)`.
const FIRST_LENT: u32 = 65_536;
