//! The `Store`'s methods for its clock: a start has it go on, and it is kept for the next one.

use jiff::Timestamp;
use rusqlite::Connection;

use super::clock::{self, Kept};
use super::store::Store;
use super::writer::unavailable;
use crate::domain::due::Moment;
use crate::store::{Resumed, StoreError};

impl Store {
    /// Has the store's clock go on, where the machine's says `wall`. All other times that the store is told are to be on it.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn start_clock(&self, wall: Timestamp) -> Result<Resumed, StoreError> {
        let work = move |connection: &Connection| clock::resume(connection, wall).map_err(unavailable);
        self.writer.write(work, |_: &Resumed| ()).await
    }

    /// Keeps both clocks for the next start. Says how they were kept before.
    ///
    /// # Errors
    /// The store cannot take it now.
    pub async fn keep_clock(&self, now: Moment) -> Result<Option<Moment>, StoreError> {
        let work = move |connection: &Connection| {
            let before = clock::kept(connection).map_err(unavailable)?;
            if matches!(before, Kept::Damaged) {
                tracing::error!(
                    "the store's clock was damaged on disk; the running relay's is kept in its place. Check the disk"
                );
            }
            clock::keep(connection, now).map_err(unavailable)?;
            Ok(before.whole())
        };
        self.writer.write(work, |_: &Option<Moment>| ()).await.inspect_err(|error| self.met(error))
    }
}
