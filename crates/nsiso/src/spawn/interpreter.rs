//! Finds what an existing program lacks: the interpreter of a script, or the loader of a binary.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::Spec;
use crate::plan::places;

/// Returns the interpreter that `spec`'s program names, if that does not exist.
pub(super) fn missing(spec: &Spec) -> Option<String> {
    // The caller's files say nothing about another file system view.
    if !spec.rootfs.mounts.is_empty() {
        return None;
    }
    let cwd =
        spec.program.cwd.as_ref().map_or(Path::new(""), |cwd| Path::new(OsStr::from_bytes(cwd.to_bytes())));
    let file = places(spec)
        .iter()
        .map(|place| cwd.join(OsStr::from_bytes(place.to_bytes())))
        .find(|place| place.is_file())?;
    let interpreter = named_by(&file)?;
    (!cwd.join(&interpreter).exists()).then(|| interpreter.display().to_string())
}

fn named_by(program: &Path) -> Option<PathBuf> {
    let mut file = File::open(program).ok()?;
    let mut start = Vec::new();
    file.by_ref().take(256).read_to_end(&mut start).ok()?;
    let name = match start.strip_prefix(b"#!") {
        Some(line) => {
            let line = line.split(|byte| *byte == b'\n').next()?;
            line.split(|byte| b" \t".contains(byte)).find(|word| !word.is_empty())?.to_vec()
        }
        None => elf_loader(&file, &start)?,
    };
    Some(Path::new(OsStr::from_bytes(&name)).to_owned())
}

/// The PT_INTERP segment of a 64-bit little-endian ELF file, `elf(5)`.
fn elf_loader(file: &File, header: &[u8]) -> Option<Vec<u8>> {
    const PT_INTERP: u64 = 3;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = number(header, 32, 8)?;
    let (size, count) = (number(header, 54, 2)?, number(header, 56, 2)?);
    for n in 0..count {
        let mut segment = [0; 56];
        file.read_exact_at(&mut segment, table.checked_add(n * size)?).ok()?;
        if number(&segment, 0, 4)? == PT_INTERP {
            let length = number(&segment, 32, 8)?.min(4096);
            let mut name = vec![0; length as usize];
            file.read_exact_at(&mut name, number(&segment, 8, 8)?).ok()?;
            name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
            return Some(name);
        }
    }
    None
}

fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + size)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_of_this_very_program_is_found() {
        let loader = named_by(&std::env::current_exe().unwrap()).unwrap();
        assert!(loader.to_str().unwrap().contains("ld"), "{loader:?}");
        assert!(loader.exists());
    }
}
