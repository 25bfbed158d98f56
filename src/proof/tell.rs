//! Output of the demo and the soak on stdout. It may be closed, or a file on a full disk: the proof goes on.

use std::fmt::Display;
use std::io::Write;

/// Writes a line to stdout. A proof goes on if that fails.
pub(super) fn tell(what: impl Display) {
    let mut out = anstream::stdout();
    drop(writeln!(out, "{what}"));
    drop(out.flush());
}
