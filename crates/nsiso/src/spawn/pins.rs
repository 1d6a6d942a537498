//! New namespaces that are kept before the program runs.

use std::os::fd::AsFd;
use std::path::PathBuf;

use super::Child;
use crate::{Handle, Kinds, Result, Spec, pin, unpin};

/// All of them or none.
pub(super) fn make(child: &Child, spec: &Spec) -> Result<()> {
    for (done, (kind, path)) in spec.pins.iter().enumerate() {
        let pinned = namespace(child, *kind).and_then(|namespace| pin(namespace, path));
        if let Err(error) = pinned {
            undo(&spec.pins[..done]);
            return Err(error.with_index(Some(done)));
        }
    }
    Ok(())
}

/// The child will be in its time namespace only once it has executed the program.
fn namespace(child: &Child, kind: Kinds) -> Result<Handle> {
    match kind {
        Kinds::TIME => Handle::for_children(child.pidfd.as_fd(), kind),
        _ => Handle::of_process(child.pidfd.as_fd(), kind),
    }
}

pub(super) fn undo(pins: &[(Kinds, PathBuf)]) {
    for (_, path) in pins {
        let _ = unpin(path);
    }
}
