//! `include/nsiso.h` is what cbindgen makes of this crate. `UPDATE=1 cargo test --test header` writes it.

use std::path::Path;

#[test]
fn the_committed_header_is_up_to_date() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(crate_dir.join("cbindgen.toml")).unwrap();
    let mut fresh = Vec::new();
    cbindgen::generate_with_config(crate_dir, config).unwrap().write(&mut fresh);
    let fresh = String::from_utf8(fresh).unwrap();

    let path = crate_dir.join("../../include/nsiso.h");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == fresh, "include/nsiso.h is out of date: make header");
}
