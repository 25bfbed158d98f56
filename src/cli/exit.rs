//! Exit codes that several commands share. A command has its own ones in its file.

/// Exit code for what has none of its own.
pub(super) const EXIT_FAILED: u8 = 1;
/// Exit code for a wrong configuration or wrong arguments (EX_USAGE).
pub(super) const EXIT_USAGE: u8 = 64;
/// Exit code where the store, or another file, cannot be used: EX_IOERR.
pub(super) const EXIT_IO: u8 = 74;
