//! Mounts that only the relay sees.

use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Runs what follows where this is mounted on this; none, loudly, where the machine gives a test no mounts of its own.
pub(crate) fn mounted(what: &Path, on: &Path) -> Option<String> {
    let (what, on) = (what.display(), on.display());
    // As root without a name of its own for it, or as the root of a namespace that has one.
    let unshare = ["unshare -m", "unshare -rm"].into_iter().find(|unshare| {
        let trial = format!("{unshare} mount --bind {what} {on}");
        Command::new("sh").args(["-c", &trial]).output().is_ok_and(|ended| ended.status.success())
    });
    let Some(unshare) = unshare else {
        // Not by a macro: those print to nobody where a test succeeds.
        let said =
            format!("\n!!! NOT RUN: {what} cannot be mounted on {on} here (unshare -m), so a test was left out\n");
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return None;
    };
    // The program takes the place of all of them, so that its id is the one to send signals to.
    Some(format!("exec {unshare} sh -c 'mount --bind {what} {on} && exec \"$0\" \"$@\"' \"$0\" \"$@\""))
}
