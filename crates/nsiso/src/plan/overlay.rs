//! Plans overlay mounts: their layers and options, and temporary overlays over a directory with all
//! mounts below it. `host_mounts.rs` reads the mount table.

use std::ffi::{CStr, CString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::Plan;
use super::format::{Attributes, MountOp, Place, UPPER, WORK};
use super::host_mounts::HostMounts;
use crate::error::Step;
use crate::{Error, Kinds, Result, Spec};

/// The writable layer of an overlay.
#[derive(Clone, Copy)]
pub(super) enum Layer<'a> {
    /// No writable layer: the overlay is read-only.
    Absent,
    /// The upper and the work directory, which keep the changes.
    Kept(&'a CStr, &'a CStr),
    /// [`UPPER`] and [`WORK`] in a new tmpfs, discarded with the mount.
    ThrownAway,
}

/// The longest value of one option of fsconfig(2), in bytes.
const OPTION_MAX: usize = 255;

impl Plan {
    pub(super) fn overlay(
        &mut self,
        lower: &[CString],
        layer: Layer,
        spec: &Spec,
        attributes: u64,
        at: Place,
    ) -> MountOp {
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
            // Without this option overlayfs uses attributes that only the initial root may write.
            others.push(("userxattr", None));
        }
        let in_one = vec![("lowerdir", Some(joined.as_slice()))];
        let mut options = self.options("overlay", &[in_one, others.clone()].concat());
        if joined.len() > OPTION_MAX {
            // Since Linux 6.8 each lower directory may be an option of its own.
            let each = lower.iter().map(|tree| ("lowerdir+", Some(tree.as_bytes()))).collect();
            options.each = self.options("overlay", &[each, others].concat()).each;
        }
        let lower = self.arena.text(&lower[0]);
        let thrown_away = matches!(layer, Layer::ThrownAway);
        MountOp::Overlay { lower, options, thrown_away, optional: false, attributes, at }
    }

    /// Plans an overlay of `lower` with a temporary writable layer, and overlays of all mounts
    /// below it.
    pub(super) fn layers(
        &mut self,
        lower: &Path,
        at: &Path,
        spec: &Spec,
        attributes: u64,
        index: Option<usize>,
    ) -> Result<()> {
        let about = fs::metadata(lower).map_err(|error| failed(lower, &error))?;
        if !about.is_dir() {
            return Err(failed(lower, &io::Error::from_raw_os_error(libc::ENOTDIR))
                .with_hint("an overlay is of a directory: a file is shown by a bind, or brought along"));
        }
        let mut tree =
            Tree { plan: self, mounts: HostMounts::read(), spec, attributes, index, room: COPIES_MAX };
        tree.layer(lower, at, true)
    }
}

/// The most bytes copied from one file, and from all files together.
const COPY_MAX: u64 = 1 << 20;
const COPIES_MAX: u64 = 16 << 20;

/// Plans one overlay for a directory and one for each file system mounted below it. An overlay
/// shows a single file system, and the kernel refuses an overlay that would reveal what a mount
/// hides.
struct Tree<'a, 's> {
    plan: &'a mut Plan,
    mounts: HostMounts,
    spec: &'a Spec<'s>,
    attributes: u64,
    index: Option<usize>,
    /// The number of bytes that may still be copied.
    room: u64,
}

impl Tree<'_, '_> {
    /// `own`: `at` is not inside a tmpfs that this overlay has made, so `lower` needs a new one.
    fn layer(&mut self, lower: &Path, at: &Path, own: bool) -> Result<()> {
        if self.mounts.is_no_store(lower) {
            self.as_it_is(lower, at, true);
            for point in self.mounts.plain_stores_below(lower) {
                let place = point.strip_prefix(lower).map_or(point.clone(), |below| at.join(below));
                self.overlay(&point, &place, true);
            }
            return Ok(());
        }
        if !self.mounts.any_below(lower) {
            self.overlay(lower, at, !own);
            return Ok(());
        }
        let place = self.plan.place(at);
        let mode = fs::metadata(lower).map_err(|error| failed(lower, &error))?.permissions().mode() & 0o7777;
        if own || self.mounts.is_mount_point(lower) {
            let mode = format!("{mode:o}");
            let options = [("mode", Some(mode.as_bytes()))];
            let change = self.plan.filesystem("tmpfs", &options, self.attributes, place);
            self.push(Step::Mount, change);
        } else {
            self.push(Step::Make, MountOp::Dir { mode, at: place });
        }
        for entry in fs::read_dir(lower).map_err(|error| failed(lower, &error))? {
            let entry = entry.map_err(|error| failed(lower, &error))?;
            let (from, to) = (entry.path(), at.join(entry.file_name()));
            match entry.metadata() {
                Ok(about) if about.is_dir() => self.layer(&from, &to, false)?,
                Ok(about) if about.is_symlink() => self.link(&from, &to),
                Ok(_) => self.file(&from, &to),
                // The entry was removed meanwhile.
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn push(&mut self, step: Step, op: MountOp) {
        self.plan.push_mount(step, self.index, op);
    }

    /// `may_vanish`: other programs may remove `lower` before the overlay is mounted.
    fn overlay(&mut self, lower: &Path, at: &Path, may_vanish: bool) {
        let place = self.plan.place(at);
        let layer = Layer::ThrownAway;
        let mut change = self.plan.overlay(&[text(lower)], layer, self.spec, self.attributes, place);
        if let MountOp::Overlay { optional, .. } = &mut change {
            *optional = may_vanish;
        }
        self.push(Step::Mount, change);
    }

    /// Binds `source` read-only in place of an overlay: writes to the bind would be permanent.
    fn as_it_is(&mut self, source: &Path, at: &Path, recursive: bool) {
        let set = self.attributes & !libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_RDONLY;
        let (attributes, place) = (Attributes::of(set), self.plan.place(at));
        self.plan.bind(&text(source), -1, recursive, attributes, true, place, self.index);
    }

    fn link(&mut self, from: &Path, to: &Path) {
        if let Ok(target) = fs::read_link(from) {
            let (target, at) = (self.plan.arena.text(&text(&target)), self.plan.place(to));
            self.push(Step::Make, MountOp::Symlink { to: target, at });
        }
    }

    /// An overlay cannot cover a single file. The caller's own small files are copied, others are
    /// bound read-only.
    fn file(&mut self, from: &Path, to: &Path) {
        let Some((content, mode)) = self.small_file(from) else { return self.as_it_is(from, to, false) };
        self.room = self.room.saturating_sub(content.len() as u64);
        let (data, at) = (self.plan.arena.bytes(&content), self.plan.place(to));
        self.push(Step::Make, MountOp::File { data, mode, at });
    }

    /// Reads the content and mode of a file if it is small and belongs to the caller. The check and
    /// the read use one file descriptor, because the path may name another file meanwhile.
    fn small_file(&self, path: &Path) -> Option<(Vec<u8>, u32)> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
        let file = File::options().read(true).custom_flags(flags).open(path).ok()?;
        let about = file.metadata().ok()?;
        let own = about.is_file() && about.uid() == nix::unistd::geteuid().as_raw();
        let most = COPY_MAX.min(self.room);
        let mut content = Vec::new();
        if !own || about.len() > most || file.take(most + 1).read_to_end(&mut content).is_err() {
            return None;
        }
        (content.len() as u64 <= most).then(|| (content, about.permissions().mode() & 0o777))
    }
}

fn failed(lower: &Path, error: &io::Error) -> Error {
    Error::from_io(Step::Mount, format!("an overlay of {}", lower.display()), error)
}

fn text(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}

/// Escapes a path for an option of overlayfs, where colons, commas and backslashes are special.
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
