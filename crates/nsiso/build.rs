//! Builds the helper, a separate program that the library embeds.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=helper");
    println!("cargo::rustc-check-cfg=cfg(nsiso_helper)");
    let output = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("nsiso-helper");
    let mut rustc = Command::new(env::var_os("RUSTC").expect("cargo sets it"));
    rustc
        .args(["--edition=2024", "--crate-name=nsiso_helper", "--crate-type=bin", "helper/main.rs"])
        .args(["--cfg=nsiso_helper"])
        .args(["-Copt-level=z", "-Cpanic=abort", "-Coverflow-checks=off", "-Cdebug-assertions=off"])
        .args(["-Cstrip=symbols", "-Crelocation-model=static", "-Ccodegen-units=1", "-Clto=fat"])
        .arg("-Clink-args=-nostartfiles -nostdlib -static -Wl,--build-id=none -Wl,-T,helper/link.ld")
        .arg("--target")
        .arg(env::var_os("TARGET").expect("cargo sets it"))
        .arg("-o")
        .arg(&output);
    if env::var_os("CARGO_CFG_TARGET_ARCH").is_some_and(|arch| arch == "aarch64") {
        // Outlined atomics would ask the C library, which is missing, for the processor's features.
        rustc.arg("-Ctarget-feature=-outline-atomics");
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = OsString::from("-Clinker=");
        option.push(linker);
        rustc.arg(option);
    }
    let status = rustc.status().expect("rustc can be run");
    assert!(status.success(), "the helper could not be built");
    let mut image = fs::read(&output).expect("the linker has written it");
    cut_sections(&mut image);
    fs::write(&output, image).expect("it is ours");
}

/// Removes the section table after the last segment, which execution does not need.
fn cut_sections(image: &mut Vec<u8>) {
    const HEADER: usize = 56;
    let number = |at: usize, len: usize| -> usize {
        let bytes = image[at..at + len].iter().rev();
        bytes.fold(0, |value, byte| value << 8 | usize::from(*byte))
    };
    let (headers, count) = (number(32, 8), number(56, 2));
    // Where each segment ends in the file, `elf(5)`.
    let segments = (0..count).map(|n| headers + n * HEADER).map(|at| (number(at + 8, 8), number(at + 32, 8)));
    let ends = segments.filter(|(_, size)| *size > 0).map(|(start, size)| start + size);
    let end = ends.max().expect("it has segments");
    image.truncate(end);
    // e_shoff, and e_shentsize, e_shnum, e_shstrndx.
    image[40..48].fill(0);
    image[58..64].fill(0);
}
