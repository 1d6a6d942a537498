//! Overlays of the view: what they write to, and those that are thrown away, over whole trees of mounts.

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
        MountOp::Overlay { lower, options, thrown_away: matches!(layer, Layer::ThrownAway), attributes, at }
    }

    /// An overlay of `lower` whose layer is thrown away, with all that is mounted below it.
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

/// The most that is copied of a file, and of all files together.
const COPY_MAX: u64 = 1 << 20;
const COPIES_MAX: u64 = 16 << 20;

/// Layers over a directory and over each file system mounted below it, since an overlay shows one alone, and the kernel refuses
/// one that would bring to light what is mounted over.
struct Tree<'a, 's> {
    plan: &'a mut Plan,
    mounts: HostMounts,
    spec: &'a Spec<'s>,
    attributes: u64,
    index: Option<usize>,
    /// How much may still be copied.
    room: u64,
}

impl Tree<'_, '_> {
    /// `own`: its place in the view is not in a file system that was made for this.
    fn layer(&mut self, lower: &Path, at: &Path, own: bool) -> Result<()> {
        if self.mounts.is_no_store(lower) {
            self.as_it_is(lower, at, true);
            for point in self.mounts.plain_stores_below(lower) {
                let place = point.strip_prefix(lower).map_or(point.clone(), |below| at.join(below));
                self.overlay(&point, &place);
            }
            return Ok(());
        }
        if !self.mounts.any_below(lower) {
            self.overlay(lower, at);
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
            self.push(Step::Make, MountOp::Directory { mode, at: place });
        }
        for entry in fs::read_dir(lower).map_err(|error| failed(lower, &error))? {
            let entry = entry.map_err(|error| failed(lower, &error))?;
            let (from, to) = (entry.path(), at.join(entry.file_name()));
            match entry.metadata() {
                Ok(about) if about.is_dir() => self.layer(&from, &to, false)?,
                Ok(about) if about.is_symlink() => self.link(&from, &to),
                Ok(_) => self.file(&from, &to),
                // It is gone.
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn push(&mut self, step: Step, op: MountOp) {
        self.plan.push_mount(step, self.index, op);
    }

    fn overlay(&mut self, lower: &Path, at: &Path) {
        let place = self.plan.place(at);
        let change = self.plan.overlay(&[text(lower)], Layer::ThrownAway, self.spec, self.attributes, place);
        self.push(Step::Mount, change);
    }

    /// Read-only: what was written to it would stay.
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

    /// No overlay is of a file. The caller's own are copied, as long as they are small.
    fn file(&mut self, from: &Path, to: &Path) {
        let Some((content, mode)) = self.small_file(from) else { return self.as_it_is(from, to, false) };
        self.room = self.room.saturating_sub(content.len() as u64);
        let (data, at) = (self.plan.arena.bytes(&content), self.plan.place(to));
        self.push(Step::Make, MountOp::File { data, mode, at });
    }

    /// The content and the mode of a file. It is looked at and read through one descriptor, since
    /// the path may become another file's meanwhile.
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
