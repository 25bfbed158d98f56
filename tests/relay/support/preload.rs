//! Libraries that are loaded before the C library (LD_PRELOAD).

use std::path::Path;
use std::process::Command;

/// Builds a library from the C file of this name in this folder; returns the variable that preloads it.
pub(crate) fn preload(folder: &Path, name: &str) -> (String, String) {
    let library = folder.join(name).with_extension("so");
    let source = format!("{}/tests/relay/support/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let built = Command::new(compiler).args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").output();
    let built = built.unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    ("LD_PRELOAD".to_owned(), library.to_str().unwrap().to_owned())
}
