//! Messages of a rotation: the type of its failures, and the warning about a file whose folder could not be synced.

use crate::cli::output::say;
use crate::config::{Rotation, Written};

/// An exit code and the message for stderr.
pub(super) type Failure = (u8, String);

/// Warns that a power cut may undo the written file. Until then the file counts as written.
pub(super) fn say_unsynced(written: &Written, rotation: &Rotation) {
    if let Some(error) = &written.unsynced {
        let file = rotation.file.display();
        say(format_args!(
            "{file} is written, but its folder could not be synced: {error}; if the power fails now, check its content"
        ));
    }
}
