//! Builds the init process, a program of its own, which the library carries.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=init/main.rs");
    let output = Path::new(&env::var_os("OUT_DIR").expect("cargo says where")).join("nsiso-init");
    let mut rustc = Command::new(env::var_os("RUSTC").expect("cargo says which"));
    rustc
        .args(["--edition=2024", "--crate-name=nsiso_init", "--crate-type=bin", "init/main.rs"])
        .args(["-Copt-level=s", "-Cpanic=abort", "-Coverflow-checks=off", "-Cdebug-assertions=off"])
        .args(["-Cstrip=symbols", "-Crelocation-model=static"])
        .args(["-Clink-args=-nostartfiles -nostdlib -static -Wl,--build-id=none -Wl,-z,noseparate-code"])
        .arg("--target")
        .arg(env::var_os("TARGET").expect("cargo says for what"))
        .arg("-o")
        .arg(output);
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut option = std::ffi::OsString::from("-Clinker=");
        option.push(linker);
        rustc.arg(option);
    }
    let status = rustc.status().expect("rustc can be run");
    assert!(status.success(), "the init process could not be built");
}
