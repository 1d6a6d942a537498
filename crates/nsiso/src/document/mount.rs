//! The mounts of a spec document.

use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;

#[cfg(feature = "schema")]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::descriptors::descriptor;
use super::units::Size;
use super::value::flag;
use super::{At, ByteString, OneOrMany};
use crate::spec::{Tree, What};
use crate::{Error, Mount, Propagation, Result};

/// What a mount entry does.
///
/// ```
/// use nsiso::document::{Document, MountType};
///
/// let text = r#"{"mounts": [{"type": "read_only", "target": "/etc"}]}"#;
/// let mounts = Document::from_json(text)?.mounts.unwrap();
/// assert_eq!(mounts[0].kind, MountType::ReadOnly);
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MountType {
    /// Shows `source`, a file or directory of the caller's, at `target`, with all that is mounted
    /// below it.
    #[default]
    Bind,
    /// An empty file system in memory. tmpfs(5).
    Tmpfs,
    /// A fresh proc of the program's pid namespace. proc(5).
    Procfs,
    /// A fresh sysfs of the program's network namespace, read-only. sysfs(5).
    Sysfs,
    /// The POSIX message queues of the program's IPC namespace. mq_overview(7).
    Mqueue,
    /// A small /dev: null, zero, full, random, urandom, tty, pts, shm, links to descriptors.
    Dev,
    /// A writable layer over the trees `lower`. Without `upper` and `work` changes are thrown away.
    Overlay,
    /// A directory with `mode`. An existing one stays as it is.
    Dir,
    /// A symbolic link to `to`.
    Symlink,
    /// A file with `content` and `mode`.
    File,
    /// Hides `target`: a directory becomes empty, a file reads as /dev/null.
    Mask,
    /// Makes `target` read-only, with all that is mounted below it.
    ReadOnly,
    /// Sets the permissions of `target` to `mode`.
    Chmod,
    /// Sets the propagation of the mount at `target`.
    Propagation,
}

/// One operation on the program's file system view: a mount, or a file, directory or symbolic link
/// that is made.
///
/// ```
/// use nsiso::document::{Document, MountEntry, MountType, Size};
///
/// let (kind, size) = (MountType::Tmpfs, Some(Size(1 << 20)));
/// let entry = MountEntry { kind, target: "/tmp".into(), size, ..MountEntry::default() };
/// let text = r#"{"mounts": [{"type": "tmpfs", "target": "/tmp", "size": "1M"}]}"#;
/// assert_eq!(Document::from_json(text)?.mounts, Some(vec![entry]));
/// # Ok::<(), nsiso::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(JsonSchema))]
#[serde(deny_unknown_fields, expecting = "an object")]
pub struct MountEntry {
    /// What is done.
    #[serde(rename = "type")]
    pub kind: MountType,
    /// The absolute path as the program sees it. What is mounted or made there needs no mount
    /// point: it is created. mask, read_only, chmod and propagation take what is there.
    pub target: ByteString,
    /// bind: the path as the caller sees it.
    pub source: Option<ByteString>,
    /// overlay: the trees below, the uppermost first.
    pub lower: Option<OneOrMany<ByteString>>,
    /// overlay: the directory that keeps changes.
    pub upper: Option<ByteString>,
    /// overlay: an empty directory on the file system of `upper`, for the kernel's use.
    pub work: Option<ByteString>,
    /// symlink: where it leads.
    pub to: Option<ByteString>,
    /// bind: the source as a descriptor, in place of `source`.
    pub fd: Option<RawFd>,
    /// bind: a descriptor of a user namespace, whose id map gives the files other owners.
    /// Linux 5.12.
    pub id_map: Option<RawFd>,
    /// file: what it contains.
    pub content: Option<ByteString>,
    /// dir, file, chmod, tmpfs: permissions as a number; 493 is 0755.
    pub mode: Option<u32>,
    /// tmpfs: the most bytes that it holds. Half of the memory by default.
    pub size: Option<Size>,
    /// procfs: which processes of other users are hidden: off, noaccess, invisible or ptraceable.
    pub hidepid: Option<String>,
    /// procfs: only processes, none of the machine's settings.
    pub subset_pid: Option<bool>,
    /// propagation: what it becomes.
    pub propagation: Option<Propagation>,
    /// bind, tmpfs, procfs, overlay: nothing can be written through it.
    pub ro: Option<bool>,
    /// bind, tmpfs, overlay: programs in it cannot be executed.
    pub noexec: Option<bool>,
    /// bind, tmpfs, overlay: set-user-ID bits and file capabilities take effect.
    pub suid: Option<bool>,
    /// bind, tmpfs, overlay: device files work.
    pub dev: Option<bool>,
    /// bind: skip it if the source does not exist. read_only: skip it if the target does not
    /// exist. file: leave it out if a later item has the same target.
    pub if_exists: Option<bool>,
    /// bind, read_only: without what is mounted below it. mount(8).
    pub non_recursive: Option<bool>,
}

/// Directories and files that are made without a mode.
const DIR_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

impl MountEntry {
    /// The entry that gives this mount.
    pub(super) fn of(mount: &Mount) -> Self {
        let mut entry = MountEntry { target: mount.at.as_c_str().into(), ..MountEntry::default() };
        let options = match &mount.what {
            What::Filesystem { options, .. } => options.as_slice(),
            _ => &[],
        };
        let option = |name: &str| {
            options.iter().find(|(known, _)| *known == name).and_then(|(_, value)| value.clone())
        };
        match &mount.what {
            What::Bind { tree, recursive, id_map } => {
                entry.kind = MountType::Bind;
                match tree {
                    Tree::Path(path) => entry.source = Some(path.as_c_str().into()),
                    Tree::Fd(fd) => entry.fd = Some(fd.as_raw_fd()),
                }
                entry.non_recursive = flag(!recursive);
                entry.id_map = id_map.map(|fd| fd.as_raw_fd());
            }
            What::Filesystem { kind, .. } => {
                entry.kind = match *kind {
                    "proc" => MountType::Procfs,
                    "sysfs" => MountType::Sysfs,
                    "mqueue" => MountType::Mqueue,
                    _ => MountType::Tmpfs,
                };
                entry.size = option("size").and_then(|size| size.parse().ok()).map(Size);
                entry.mode = option("mode").and_then(|mode| u32::from_str_radix(&mode, 8).ok());
                entry.hidepid = option("hidepid");
                entry.subset_pid = flag(option("subset").is_some());
            }
            What::Dev => entry.kind = MountType::Dev,
            What::Overlay { lower, changes } => {
                entry.kind = MountType::Overlay;
                entry.lower =
                    Some(OneOrMany::Many(lower.iter().map(|tree| tree.as_c_str().into()).collect()));
                if let Some((upper, work)) = changes {
                    (entry.upper, entry.work) = (Some(upper.as_c_str().into()), Some(work.as_c_str().into()));
                }
            }
            What::Dir { mode } => (entry.kind, entry.mode) = (MountType::Dir, Some(*mode)),
            What::Symlink { to } => (entry.kind, entry.to) = (MountType::Symlink, Some(to.as_c_str().into())),
            What::File { content, mode } => {
                (entry.kind, entry.mode) = (MountType::File, Some(*mode));
                entry.content = Some(content.as_slice().into());
            }
            What::Mask => entry.kind = MountType::Mask,
            What::ReadOnly { recursive } => {
                (entry.kind, entry.non_recursive) = (MountType::ReadOnly, flag(!recursive));
            }
            What::Chmod { mode } => (entry.kind, entry.mode) = (MountType::Chmod, Some(*mode)),
            What::Propagation(propagation) => {
                entry.kind = MountType::Propagation;
                entry.propagation = Some(*propagation);
            }
        }
        entry.if_exists = flag(mount.optional);
        let set = |attribute: u64| mount.attributes & attribute != 0;
        if matches!(entry.kind, MountType::Bind | MountType::Tmpfs | MountType::Overlay) {
            entry.ro = flag(set(libc::MOUNT_ATTR_RDONLY));
            entry.noexec = flag(set(libc::MOUNT_ATTR_NOEXEC));
            entry.suid = flag(!set(libc::MOUNT_ATTR_NOSUID));
            entry.dev = flag(!set(libc::MOUNT_ATTR_NODEV));
        } else if entry.kind == MountType::Procfs {
            entry.ro = flag(set(libc::MOUNT_ATTR_RDONLY));
        }
        entry
    }

    pub(super) fn mount(&self) -> Result<Mount<'static>> {
        self.check_fields()?;
        let at = &self.target;
        let made = match self.kind {
            MountType::Bind => self.bind()?,
            MountType::Tmpfs => {
                let mut tmpfs = Mount::tmpfs(at)?;
                if let Some(mode) = self.mode {
                    tmpfs = tmpfs.mode(mode).at("mode")?;
                }
                match self.size {
                    Some(size) => tmpfs.size(size.0).at("size")?,
                    None => tmpfs,
                }
            }
            MountType::Procfs => {
                let proc = Mount::procfs(at)?;
                let proc = if self.subset_pid == Some(true) { proc.subset_pid() } else { proc };
                match &self.hidepid {
                    Some(hidepid) => proc.hidepid(hidepid)?,
                    None => proc,
                }
            }
            MountType::Sysfs => Mount::sysfs(at)?,
            MountType::Mqueue => Mount::mqueue(at)?,
            MountType::Dev => Mount::dev(at)?,
            MountType::Overlay => self.overlay()?,
            MountType::Dir => Mount::dir(at, self.mode.unwrap_or(DIR_MODE))?,
            MountType::Symlink => Mount::symlink(needed(&self.to, "to")?, at)?,
            MountType::File => {
                let content = needed(&self.content, "content")?;
                Mount::file(content.0.as_bytes(), at, self.mode.unwrap_or(FILE_MODE))?
            }
            MountType::Mask => Mount::mask(at)?,
            MountType::ReadOnly => Mount::read_only_path(at)?,
            MountType::Chmod => Mount::chmod(at, *needed(&self.mode, "mode")?)?,
            MountType::Propagation => Mount::propagation(at, *needed(&self.propagation, "propagation")?)?,
        };
        Ok(self.flagged(made))
    }

    fn bind(&self) -> Result<Mount<'static>> {
        let bind = match (&self.source, self.fd) {
            (Some(_), Some(_)) => return Err(Error::argument("a bind has either source or fd").at("fd")),
            (None, Some(fd)) => Mount::bind_fd(descriptor(fd).at("fd")?, &self.target)?,
            (source, None) => Mount::bind(needed(source, "source")?, &self.target)?,
        };
        match self.id_map {
            Some(fd) => Ok(bind.id_map(descriptor(fd).at("id_map")?)),
            None => Ok(bind),
        }
    }

    fn overlay(&self) -> Result<Mount<'static>> {
        let lower = needed(&self.lower, "lower")?.items();
        let [first, others @ ..] = lower else {
            return Err(Error::argument("an overlay has one tree below it at least").at("lower"));
        };
        let made = match (&self.upper, &self.work) {
            (None, None) => Mount::overlay(first, &self.target)?,
            (Some(upper), Some(work)) => Mount::overlay_kept(first, upper, work, &self.target)?,
            (Some(_), None) => return Err(Error::argument("it is missing, and upper needs it").at("work")),
            (None, Some(_)) => return Err(Error::argument("it is missing, and work needs it").at("upper")),
        };
        others.iter().try_fold(made, Mount::lower)
    }

    fn flagged(&self, mut mount: Mount<'static>) -> Mount<'static> {
        type Flag = (Option<bool>, fn(Mount<'static>) -> Mount<'static>);
        let flags: [Flag; 6] = [
            (self.ro, Mount::read_only),
            (self.noexec, Mount::noexec),
            (self.suid, Mount::suid),
            (self.dev, Mount::devices),
            (self.if_exists, Mount::if_exists),
            (self.non_recursive, Mount::non_recursive),
        ];
        for (_, set) in flags.into_iter().filter(|(flag, _)| *flag == Some(true)) {
            mount = set(mount);
        }
        mount
    }

    /// A field that means nothing for the type is an error.
    fn check_fields(&self) -> Result<()> {
        use MountType::{Bind, Chmod, Dir, File, Overlay, Procfs, Propagation, ReadOnly, Symlink, Tmpfs};
        let has_flags = [Bind, Tmpfs, Overlay].as_slice();
        let fields: [(&str, bool, &[MountType]); 19] = [
            ("source", self.source.is_some(), &[Bind]),
            ("fd", self.fd.is_some(), &[Bind]),
            ("id_map", self.id_map.is_some(), &[Bind]),
            ("lower", self.lower.is_some(), &[Overlay]),
            ("upper", self.upper.is_some(), &[Overlay]),
            ("work", self.work.is_some(), &[Overlay]),
            ("to", self.to.is_some(), &[Symlink]),
            ("content", self.content.is_some(), &[File]),
            ("mode", self.mode.is_some(), &[Dir, File, Chmod, Tmpfs]),
            ("size", self.size.is_some(), &[Tmpfs]),
            ("hidepid", self.hidepid.is_some(), &[Procfs]),
            ("subset_pid", self.subset_pid.is_some(), &[Procfs]),
            ("propagation", self.propagation.is_some(), &[Propagation]),
            ("ro", self.ro.is_some(), &[Bind, Tmpfs, Procfs, Overlay]),
            ("noexec", self.noexec.is_some(), has_flags),
            ("suid", self.suid.is_some(), has_flags),
            ("dev", self.dev.is_some(), has_flags),
            ("if_exists", self.if_exists.is_some(), &[Bind, ReadOnly, File]),
            ("non_recursive", self.non_recursive.is_some(), &[Bind, ReadOnly]),
        ];
        match fields.into_iter().find(|(_, given, types)| *given && !types.contains(&self.kind)) {
            None => Ok(()),
            Some((field, _, types)) => {
                let kind = serde_json::to_string(&self.kind).unwrap_or_default();
                let types: Vec<_> =
                    types.iter().filter_map(|kind| serde_json::to_string(kind).ok()).collect();
                Err(Error::argument(format!(
                    "a mount of type {kind} has none; it is for {}",
                    types.join(", ")
                ))
                .at(field))
            }
        }
    }
}

fn needed<'a, T>(field: &'a Option<T>, name: &str) -> Result<&'a T> {
    field.as_ref().ok_or_else(|| Error::argument("it is missing").at(name))
}
