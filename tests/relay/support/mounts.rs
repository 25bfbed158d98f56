//! Mounts that only the relay sees.

use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Runs the rest of the shell line with this mounted on this. If a test may not mount on this machine, it says so and
/// returns none.
pub(crate) fn mounted(what: &Path, on: &Path) -> Option<String> {
    let (what, on) = (what.display(), on.display());
    // Root needs a mount namespace only; other users also need a user namespace, to be root in it.
    let unshare = ["unshare -m", "unshare -rm"].into_iter().find(|unshare| {
        let trial = format!("{unshare} mount --bind {what} {on}");
        Command::new("sh").args(["-c", &trial]).output().is_ok_and(|ended| ended.status.success())
    });
    let Some(unshare) = unshare else {
        // Written without a macro: `eprintln!` is swallowed where a test succeeds.
        let said =
            format!("\n!!! NOT RUN: {what} cannot be mounted on {on} here (unshare -m), so a test was left out\n");
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return None;
    };
    // The program replaces these shells, so that signals to their id reach it.
    Some(format!("exec {unshare} sh -c 'mount --bind {what} {on} && exec \"$0\" \"$@\"' \"$0\" \"$@\""))
}
