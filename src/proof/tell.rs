//! Output of the demo and the soak on stdout. It may be closed, or a file on a full disk: the proof goes on.

use std::fmt::Display;
use std::io::Write;

/// Writes a line to stdout. A proof goes on if that fails.
pub(super) fn tell(what: impl Display) {
    drop(told(what));
}

/// Writes a line to stdout.
///
/// # Errors
/// Stdout is closed, or a file on a full disk.
pub(super) fn told(what: impl Display) -> std::io::Result<()> {
    let mut out = anstream::stdout();
    writeln!(out, "{what}")?;
    out.flush()
}
