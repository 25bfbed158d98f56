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

/// The environment variables of a process whose clock is stepped by [`step`] in this folder.
pub(crate) fn stepped(folder: &Path) -> Vec<(String, String)> {
    let steps = folder.join("step").to_str().unwrap().to_owned();
    vec![preload(folder, "clock_step"), ("CLOCK_STEP_FILE".to_owned(), steps)]
}

/// The process of [`stepped`] has a clock that is so many seconds ahead of the machine's.
pub(crate) fn step(folder: &Path, seconds: i64) {
    // Renamed into place, so that the relay never reads half of the file.
    std::fs::write(folder.join("step.new"), seconds.to_string()).unwrap();
    std::fs::rename(folder.join("step.new"), folder.join("step")).unwrap();
}
