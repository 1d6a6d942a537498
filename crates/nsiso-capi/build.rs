//! The name under which programs find the library at run time.

fn main() {
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libnsiso.so.0");
    println!("cargo:rerun-if-changed=build.rs");
}
