//! Output of the commands on stdout and stderr. Either may be closed, or a file on a full disk.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use super::exit::EXIT_IO;

/// Writes a line to stderr. A command goes on if that fails.
pub(super) fn say(what: impl Display) {
    drop(writeln!(anstream::stderr(), "{what}"));
}

/// Writes a line to stdout, for a command that does more than print. It goes on if that fails.
pub(super) fn tell(what: impl Display) {
    drop(print(what));
}

/// Writes the answer of a command that does nothing else to stdout. Returns `code`, or [`EXIT_IO`] if that fails.
pub(super) fn answer(text: impl Display, code: ExitCode) -> ExitCode {
    match print(text) {
        Ok(()) => code,
        Err(error) => {
            say(format_args!(
                "the answer cannot be written to stdout: {error}. Look whether its disk is full or its reader is gone"
            ));
            ExitCode::from(EXIT_IO)
        }
    }
}

/// Writes a line to stdout.
///
/// # Errors
/// Stdout is closed, or a file on a full disk.
pub(super) fn print(line: impl Display) -> std::io::Result<()> {
    let mut out = anstream::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}
