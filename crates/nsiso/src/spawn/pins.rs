//! Pins new namespaces before the program runs.

use std::path::PathBuf;

use crate::{Handle, Kinds, Result, Spec, pin, unpin};

/// Pins all of them or none.
#[inline(never)] // keeps the stack of other spawns small
pub(super) fn make(spec: &Spec, namespaces: &[Handle]) -> Result<()> {
    for (done, (kind, path)) in spec.pins.iter().enumerate() {
        let own = namespaces.iter().find(|namespace| namespace.kind() == *kind);
        if let Some(Err(error)) = own.map(|namespace| pin(namespace, path)) {
            undo(&spec.pins[..done]);
            return Err(error.with_index(Some(done)));
        }
    }
    Ok(())
}

pub(super) fn undo(pins: &[(Kinds, PathBuf)]) {
    for (_, path) in pins {
        let _ = unpin(path);
    }
}
