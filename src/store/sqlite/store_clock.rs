//! The `Store`'s methods for its clock: a start continues the clock, and the clock is kept for the next start.

use jiff::Timestamp;
use rusqlite::Connection;

use super::clock::{self, Kept};
use super::store::Store;
use super::writer::unavailable;
use crate::domain::due::Moment;
use crate::store::{Resumed, StoreError};

impl Store {
    /// Continues the store's clock at a start; `wall` is the machine's time. All other methods must get their steady
    /// times from the clock that begins here.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn start_clock(&self, wall: Timestamp) -> Result<Resumed, StoreError> {
        let work = move |connection: &Connection| clock::resume(connection, wall).map_err(unavailable);
        self.writer.write(work, |_: &Resumed| ()).await
    }

    /// Keeps both clocks for the next start. Returns the clocks as they were kept before.
    ///
    /// # Errors
    /// The store cannot take it now.
    pub async fn keep_clock(&self, now: Moment) -> Result<Option<Moment>, StoreError> {
        let work = move |connection: &Connection| {
            let before = clock::kept(connection).map_err(unavailable)?;
            if matches!(before, Kept::Damaged) {
                tracing::error!(
                    "the store's clock was damaged on disk; the running relay's clock replaces it. Check the disk"
                );
            }
            clock::keep(connection, now).map_err(unavailable)?;
            Ok(before.whole())
        };
        self.writer.write(work, |_: &Option<Moment>| ()).await.inspect_err(|error| self.met(error))
    }
}
