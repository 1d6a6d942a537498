//! Plans the exec: the paths at which the program is searched, its arguments and its environment.
//! The helper tries the paths in order.

use std::ffi::{CStr, CString};

use super::format::{Action, Text};
use super::{Plan, environment};
use crate::Spec;
use crate::error::Step;

/// The search path of `execvp(3)` if PATH is not set.
const DEFAULT_PATH: &CStr = c"/bin:/usr/bin";

impl Plan {
    pub(super) fn program(&mut self, spec: &Spec) {
        let environment = environment::entries(&spec.program.environment);
        let places = places_in(spec, &environment);
        let candidates: Vec<Text> = places.iter().map(|place| self.arena.text(place)).collect();
        let argv: Vec<Text> = spec.program.argv.iter().map(|arg| self.arena.text(arg)).collect();
        let envp: Vec<Text> = environment.iter().map(|entry| self.arena.text(entry)).collect();
        let action = Action::Execute {
            program: self.arena.text(&spec.program.path),
            candidates: self.arena.table(&candidates),
            argv: self.arena.strings(&argv),
            envp: self.arena.strings(&envp),
        };
        self.push(Step::Exec, action);
    }
}

/// The paths at which the program of `spec` is searched, in order.
pub(crate) fn places(spec: &Spec) -> Vec<CString> {
    places_in(spec, &environment::entries(&spec.program.environment))
}

fn places_in(spec: &Spec, environment: &[&CStr]) -> Vec<CString> {
    if spec.program.path.to_bytes().contains(&b'/') {
        return vec![spec.program.path.clone()];
    }
    let path = environment::lookup(environment, "PATH");
    search(path.as_deref().unwrap_or(DEFAULT_PATH), &spec.program.path)
}

/// The path of `name` in each directory of PATH. An empty directory name is the working directory.
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
