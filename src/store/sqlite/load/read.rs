//! Reading of values that may be damaged.

use super::super::columns::damage;
use crate::store::core::set::Readable;

/// A value that may be damaged. Other errors end the work.
pub(super) fn readable<T>(read: rusqlite::Result<T>) -> rusqlite::Result<Readable<T>> {
    match read {
        Ok(value) => Ok(Readable::Sound(value)),
        Err(error) => match damage(&error) {
            Some(reason) => Ok(Readable::Damaged(reason)),
            None => Err(error),
        },
    }
}
