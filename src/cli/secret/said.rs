//! What a rotation says of its failure, and of a file that could not be synced.

use crate::cli::output::say;
use crate::config::{Rotation, Written};

/// An exit code and what is to be said.
pub(super) type Failure = (u8, String);

/// What was written counts all the same: this says no more than that a power cut may undo it.
pub(super) fn say_unsynced(written: &Written, rotation: &Rotation) {
    if let Some(error) = &written.unsynced {
        let file = rotation.file.display();
        say(format_args!(
            "{file} is written, but its folder could not be synced: {error}; if the power fails now, look whether it is as it should be"
        ));
    }
}
