//! Exit codes that several commands share. A command's own codes are in its file.

/// Exit code for a failure without a code of its own.
pub(super) const EXIT_FAILED: u8 = 1;
/// Exit code for a wrong configuration or wrong arguments (EX_USAGE).
pub(super) const EXIT_USAGE: u8 = 64;
/// Exit code for a relay that does not run or does not answer (EX_UNAVAILABLE).
pub(super) const EXIT_UNAVAILABLE: u8 = 69;
/// Exit code for a store, or another file, that cannot be used (EX_IOERR).
pub(super) const EXIT_IO: u8 = 74;
