//! Builds the helper, a program of its own, which the library carries.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=helper");
    let output = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join("nsiso-helper");
    let mut rustc = Command::new(env::var_os("RUSTC").expect("cargo sets it"));
    rustc
        .args(["--edition=2024", "--crate-name=nsiso_helper", "--crate-type=bin", "helper/main.rs"])
        .args(["-Copt-level=s", "-Cpanic=abort", "-Coverflow-checks=off", "-Cdebug-assertions=off"])
        .args(["-Cstrip=symbols", "-Crelocation-model=static", "-Ccodegen-units=1", "-Clto=fat"])
        .arg("-Clink-args=-nostartfiles -nostdlib -static -Wl,--build-id=none -Wl,-z,noseparate-code")
        .arg("--target")
        .arg(env::var_os("TARGET").expect("cargo sets it"))
        .arg("-o")
        .arg(output);
    if env::var_os("CARGO_CFG_TARGET_ARCH").is_some_and(|arch| arch == "aarch64") {
        // Calls for atomics would ask the C library, which is not there, what the processor can do.
        rustc.arg("-Ctarget-feature=-outline-atomics");
    }
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = OsString::from("-Clinker=");
        option.push(linker);
        rustc.arg(option);
    }
    let status = rustc.status().expect("rustc can be run");
    assert!(status.success(), "the helper could not be built");
}
