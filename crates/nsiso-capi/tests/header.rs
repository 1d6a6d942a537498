//! The generated files in `include` are up to date. `make generate` writes them.

use std::path::Path;

/// Compares a committed file with a fresh one, or writes it.
fn check(name: &str, fresh: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, fresh).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == fresh, "include/{name} is out of date: make generate");
}

#[test]
fn the_header_is_what_cbindgen_makes_of_this_crate() {
    let crate_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(crate_dir.join("cbindgen.toml")).unwrap();
    let mut fresh = Vec::new();
    cbindgen::generate_with_config(crate_dir, config).unwrap().write(&mut fresh);
    check("nsiso.h", &String::from_utf8(fresh).unwrap());
}

#[test]
fn the_schema_is_that_of_the_spec_document() {
    check("nsiso-spec.schema.json", &nsiso::Document::schema());
}
