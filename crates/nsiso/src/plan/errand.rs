//! The end of a plan whose child runs no program.

use super::{Action, Plan, bytes};
use crate::error::Step;
use crate::spec::Errand;
use crate::{Kinds, Result, Spec};

impl Plan {
    pub(super) fn errand(&mut self, errand: &Errand, spec: &Spec) -> Result<()> {
        match errand {
            Errand::Arrive => {}
            Errand::NestUser => self.push(Step::Unshare, Action::Unshare(Kinds::USER)),
            Errand::MountOverlay => {
                let (source, target) = (bytes(c"overlay"), bytes(c"/"));
                let data = bytes(c"lowerdir=/etc:/usr");
                self.push(Step::Mount, Action::Mount { source, target, fstype: source, flags: 0, data });
            }
            Errand::Socket { domain, kind, protocol } => {
                let over = self.hand_over(spec, Step::Socket)?;
                let (domain, kind, protocol) = (*domain, *kind, *protocol);
                self.push(Step::Socket, Action::Socket { domain, kind, protocol, over });
            }
            Errand::Write(files) => {
                for (path, text) in files {
                    let data = self.arena.bytes(text.as_bytes());
                    let path = bytes(path);
                    self.push(Step::Setting, Action::WriteSetting { path, data, len: text.count_bytes() });
                }
            }
        }
        Ok(())
    }
}
