//! What is executed: the places where the program may be, its arguments and its environment.

use std::ffi::{CStr, CString};
use std::ptr;

use libc::c_char;

use super::{Action, Arena, Plan, environment};
use crate::Spec;
use crate::error::Step;

/// Where `execvp(3)` looks when there is no PATH.
const DEFAULT_PATH: &CStr = c"/bin:/usr/bin";

impl Plan {
    pub(super) fn program(&mut self, spec: &Spec) {
        let mut envp = environment::entries(&spec.environment, &mut self.arena);
        let mut candidates: Vec<_> =
            places_in(spec, &envp).iter().map(|place| self.arena.text(place)).collect();
        let mut argv: Vec<_> = spec.argv.iter().map(|arg| self.arena.text(arg)).collect();
        for table in [&mut candidates, &mut argv, &mut envp] {
            table.push(ptr::null());
        }
        let action = Action::Execute {
            candidates: self.arena.copy(&candidates),
            argv: self.arena.copy(&argv),
            envp: self.arena.copy(&envp),
        };
        self.push(Step::Exec, action);
    }
}

/// Where the program of `spec` may be, in the order of looking.
pub(crate) fn places(spec: &Spec) -> Vec<CString> {
    let mut arena = Arena::default();
    let envp = environment::entries(&spec.environment, &mut arena);
    places_in(spec, &envp)
}

fn places_in(spec: &Spec, envp: &[*const c_char]) -> Vec<CString> {
    if spec.program.to_bytes().contains(&b'/') {
        return vec![spec.program.clone()];
    }
    let path = environment::lookup(envp, "PATH");
    search(path.as_deref().unwrap_or(DEFAULT_PATH), &spec.program)
}

/// Every place a name without a slash stands for; an empty part of PATH is the working directory.
fn search(path: &CStr, name: &CStr) -> Vec<CString> {
    let places = path.to_bytes().split(|byte| *byte == b':').map(|directory| {
        let mut place = match directory {
            b"" => b".".to_vec(),
            directory => directory.to_vec(),
        };
        place.push(b'/');
        place.extend(name.to_bytes());
        place
    });
    places.filter_map(|place| CString::new(place).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_goes_through_path_in_order() {
        let found = search(c"/usr/bin::/bin/", c"id");
        assert_eq!(found, [c"/usr/bin/id".to_owned(), c"./id".to_owned(), c"/bin//id".to_owned()]);
    }
}
