//! Plans the last actions of a child that carries out a task in place of a program. `spec::task`
//! defines the tasks.

use std::ffi::CStr;

use super::Plan;
use super::format::{Action, WriteProc};
use crate::error::Step;
use crate::spec::Task;
use crate::{Kinds, Result, Spec};

impl Plan {
    pub(super) fn task(&mut self, task: &Task, spec: &Spec) -> Result<()> {
        match task {
            Task::Arrive => {}
            Task::NestUser => self.push(Step::Unshare, Action::Unshare(Kinds::USER.bits() as i32)),
            Task::MountOverlay => {
                let [source, target, data] =
                    [c"overlay", c"/", c"lowerdir=/etc:/usr"].map(|text: &CStr| self.arena.text(text));
                let mount = Action::Mount { source, target, fstype: source, flags: 0, data };
                self.push(Step::Mount, mount);
            }
            Task::Socket { domain, kind, protocol } => {
                let socket = self.socket(spec, Step::Socket)?;
                let (domain, kind, protocol) = (*domain, *kind, *protocol);
                self.push(Step::Socket, Action::SendSocket { domain, kind, protocol, socket });
            }
            Task::Write(files) => {
                for (path, text) in files {
                    let (path, data) = (self.arena.text(path), self.arena.bytes(text.to_bytes()));
                    let file = WriteProc { path, data, optional: true, dumpable: false };
                    self.push(Step::Setting, Action::WriteProc(file));
                }
            }
        }
        Ok(())
    }
}
