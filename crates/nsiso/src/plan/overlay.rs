//! Overlays of the view: what they write to, and those that are thrown away, over whole trees of mounts.

use std::ffi::{CStr, CString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::host_mounts::Table;
use super::{Attributes, Change, Place, Plan};
use crate::error::Step;
use crate::{Error, Kinds, Result, Spec};

/// What an overlay writes to.
#[derive(Clone, Copy)]
pub(super) enum Layer<'a> {
    /// Nothing: it is read-only.
    Absent,
    /// These directories: upper and work.
    Kept(&'a CStr, &'a CStr),
    /// [`UPPER`] and [`WORK`] in a tmpfs beneath it.
    ThrownAway,
}

/// The longest value of an option in fsconfig(2).
const OPTION_MAX: usize = 255;

/// Directories of the layer of an overlay that is thrown away.
pub(crate) const UPPER: &CStr = c"upper";
pub(crate) const WORK: &CStr = c"work";

impl Plan {
    pub(super) fn overlay(
        &mut self,
        lower: &[CString],
        layer: Layer,
        spec: &Spec,
        attributes: u64,
        at: Place,
    ) -> Change {
        let joined = lower.iter().map(|tree| escaped(tree).into_bytes()).collect::<Vec<_>>().join(&b':');
        let written = match layer {
            Layer::Absent => None,
            Layer::Kept(upper, work) => Some((escaped(upper), escaped(work))),
            Layer::ThrownAway => Some((UPPER.to_owned(), WORK.to_owned())),
        };
        let mut others = Vec::new();
        if let Some((upper, work)) = &written {
            others.push(("upperdir", Some(upper.as_bytes())));
            others.push(("workdir", Some(work.as_bytes())));
        }
        if spec.kinds.contains(Kinds::USER) {
            // Nobody but the host's root may write the attributes that overlay uses otherwise.
            others.push(("userxattr", None));
        }
        let in_one = vec![("lowerdir", Some(joined.as_slice()))];
        let mut options = self.options("overlay", &[in_one, others.clone()].concat());
        if joined.len() > OPTION_MAX {
            // Since Linux 6.8 they may come one after the other.
            let each = lower.iter().map(|tree| ("lowerdir+", Some(tree.as_bytes()))).collect();
            options.each = self.options("overlay", &[each, others].concat()).each;
        }
        let lower = self.arena.text(&lower[0]);
        Change::Overlay { lower, options, thrown_away: matches!(layer, Layer::ThrownAway), attributes, at }
    }

    /// Layers over `lower` and over each file system mounted below it, since an overlay shows one alone, and the kernel refuses
    /// one that would bring to light what is mounted over.
    pub(super) fn layers(
        &mut self,
        lower: &Path,
        at: &Path,
        mounts: &Table,
        spec: &Spec,
        attributes: u64,
        index: Option<usize>,
    ) -> Result<()> {
        let place = self.place(at);
        let path = |path: &Path| CString::new(path.as_os_str().as_bytes()).unwrap_or_default();
        if mounts.is_no_store(lower) || !lower.is_dir() {
            // As it is: a file cannot be an overlay.
            let attributes = Attributes { set: attributes & !libc::MOUNT_ATTR_NODEV, id_map: -1 };
            self.bind(&path(lower), -1, true, attributes, true, place, index);
            return Ok(());
        }
        if !mounts.any_below(lower) {
            let change = self.overlay(&[path(lower)], Layer::ThrownAway, spec, attributes, place);
            self.push_change(Step::Mount, index, change);
            return Ok(());
        }
        let failed = |error: std::io::Error| {
            Error::from_io(Step::Mount, format!("an overlay of {}", lower.display()), &error)
        };
        let mode = fs::metadata(lower).map_err(failed)?.permissions().mode() & 0o7777;
        if at == Path::new("/") || mounts.is_mount_point(lower) {
            let mode = format!("{mode:o}");
            let change = self.filesystem("tmpfs", &[("mode", Some(mode.as_bytes()))], attributes, place);
            self.push_change(Step::Mount, index, change);
        } else {
            self.push_change(Step::Make, index, Change::Directory { mode, at: place });
        }
        for entry in fs::read_dir(lower).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (from, to) = (entry.path(), at.join(entry.file_name()));
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_symlink() {
                let Ok(link) = fs::read_link(&from) else { continue };
                let (link, at) = (self.arena.text(&path(&link)), self.place(&to));
                self.push_change(Step::Make, index, Change::Symlink { to: link, at });
            } else {
                self.layers(&from, &to, mounts, spec, attributes, index)?;
            }
        }
        Ok(())
    }
}

/// A path as an option of overlay, where colons, commas and backslashes mean something.
fn escaped(path: &CStr) -> CString {
    let mut text = Vec::with_capacity(path.count_bytes());
    for byte in path.to_bytes() {
        if matches!(byte, b'\\' | b':' | b',') {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    CString::new(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_overlay_is_escaped() {
        assert_eq!(escaped(c"/a:b\\c,d").as_c_str(), c"/a\\:b\\\\c\\,d");
    }
}
