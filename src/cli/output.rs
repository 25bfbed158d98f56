//! What commands write to stdout and stderr, either of which may be closed or full.

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use super::exit::EXIT_IO;

/// Says something on stderr. A command goes on where nobody hears it.
pub(super) fn say(what: impl Display) {
    drop(writeln!(anstream::stderr(), "{what}"));
}

/// Says something on stdout. A command that is more than what it prints goes on where nobody reads it.
pub(super) fn tell(what: impl Display) {
    drop(print(what));
}

/// Prints the answer of a command that is nothing but this answer: without it the command has failed.
pub(super) fn answer(text: impl Display, code: ExitCode) -> ExitCode {
    match print(text) {
        Ok(()) => code,
        Err(error) => {
            say(format_args!("stdout takes no answer: {error}. Look whether its disk is full or its reader is gone"));
            ExitCode::from(EXIT_IO)
        }
    }
}

/// Puts a line on stdout, which may be closed, or a file on a full disk.
pub(super) fn print(line: impl Display) -> std::io::Result<()> {
    let mut out = anstream::stdout();
    writeln!(out, "{line}")?;
    out.flush()
}
