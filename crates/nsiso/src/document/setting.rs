//! How the options of a document are set in a spec.

use super::{At, Document, Time, check_shared};
use crate::{ClockOffset, Error, IdRange, Kinds, Result, Spec};

impl Document {
    /// Adds these options to a spec.
    ///
    /// Lists and maps of mounts, links, devices, joins, pins, filters, id ranges, limits of the
    /// process, descriptors and variables add to those of the spec. Every other option replaces
    /// the earlier value. `false` has an effect only for options that are on by default or that
    /// the sandbox sets. EINVAL for a value that is not possible: the message begins with the path
    /// of the option, and the spec may have some of the options.
    pub fn apply(&self, spec: &mut Spec<'static>) -> Result<()> {
        self.check(spec.sandbox)?;
        self.set_each(spec)
    }

    /// Refuses options that contradict each other.
    fn check(&self, sandboxed: bool) -> Result<()> {
        let on = |option: Option<bool>| option == Some(true);
        if sandboxed && self.sandbox == Some(false) {
            return Err(Error::argument("the spec is one already").at("sandbox"));
        }
        if let Some(share) = &self.share {
            if !sandboxed && !on(self.sandbox) {
                return Err(Error::argument("it loosens a sandbox, and this spec is none").at("share"));
            }
            let shared: Kinds = share.items().iter().map(|kind| Kinds::from(*kind)).collect();
            check_shared(shared).at("share")?;
            let both = shared & self.new_kinds();
            if !both.is_empty() {
                let text = format!("a {both} namespace cannot be both shared and new");
                return Err(Error::argument(text).at("share"));
            }
        }
        if on(self.map_root) && on(self.map_current) {
            return Err(Error::argument("it excludes map_current").at("map_root"));
        }
        let needs_init = on(self.wait_for_all) || on(self.die_with_parent) || self.deadline.is_some();
        if self.init == Some(false) && needs_init {
            return Err(Error::argument("wait_for_all, die_with_parent and deadline need it").at("init"));
        }
        Ok(())
    }

    fn new_kinds(&self) -> Kinds {
        let kinds = [
            (self.net, Kinds::NET),
            (self.ipc, Kinds::IPC),
            (self.uts, Kinds::UTS),
            (self.time, Kinds::TIME),
            (self.cgroup, Kinds::CGROUP),
        ];
        kinds.into_iter().filter(|(option, _)| *option == Some(true)).map(|(_, kind)| kind).collect()
    }
}

/// What a setter returns: whether the value was possible, or nothing.
pub(super) trait Done {
    fn done(self) -> Result<()>;
}

impl Done for () {
    fn done(self) -> Result<()> {
        Ok(())
    }
}

impl Done for &mut Spec<'static> {
    fn done(self) -> Result<()> {
        Ok(())
    }
}

impl<T> Done for Result<T> {
    fn done(self) -> Result<()> {
        self.map(drop)
    }
}

type Setter = for<'s> fn(&'s mut Spec<'static>) -> &'s mut Spec<'static>;

/// Calls a setter that turns something on.
pub(super) fn when(spec: &mut Spec<'static>, on: bool, set: Setter) {
    if on {
        set(spec);
    }
}

/// Sets each item of a list. An error begins with its index.
pub(super) fn each<T>(items: &[T], mut set: impl FnMut(&T) -> Result<()>) -> Result<()> {
    items.iter().enumerate().try_for_each(|(index, item)| set(item).at(&format!("[{index}]")))
}

pub(super) fn each_range(
    ranges: &[(u32, u32, u32)],
    mut set: impl FnMut(IdRange) -> Result<()>,
) -> Result<()> {
    each(ranges, |(inside, outside, count)| set(IdRange::new(*inside, *outside, *count)?))
}

pub(super) fn sandbox(spec: &mut Spec<'static>, on: bool) -> Result<()> {
    if on && !spec.sandbox {
        spec.sandbox()?;
    }
    Ok(())
}

pub(super) fn unshare(spec: &mut Spec<'static>, on: bool, kind: Kinds) {
    if on {
        spec.unshare(kind);
    }
}

pub(super) fn offset(time: Time) -> Result<ClockOffset> {
    const NANOS: i64 = 1_000_000_000;
    ClockOffset::new(time.0.div_euclid(NANOS), time.0.rem_euclid(NANOS) as u32)
}
