//! What a program prints.

use std::fs::File;
use std::io::Read;

use nsiso::{Spec, Status, Stdio};

/// Runs it to its end; returns its standard output, and how it ended.
pub fn printed(spec: &mut Spec) -> (String, Status) {
    let mut process = spec.stdio(1, Stdio::Pipe).unwrap().spawn().unwrap();
    let mut text = String::new();
    File::from(process.take_pipe(1).unwrap()).read_to_string(&mut text).unwrap();
    (text, process.wait().unwrap())
}
