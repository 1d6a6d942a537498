//! Reads the output of a program.

use std::fs::File;
use std::io::Read;

use nsiso::{Spec, Status, Stdio};

/// Runs the program until it ends. Returns its standard output and its status.
pub fn printed(spec: &mut Spec) -> (String, Status) {
    let mut process = spec.stdio(1, Stdio::Pipe).unwrap().spawn().unwrap();
    let mut text = String::new();
    File::from(process.take_pipe(1).unwrap()).read_to_string(&mut text).unwrap();
    (text, process.wait().unwrap())
}
