//! The soundness of the store, for readiness: the store can be written, and no damage was met recently.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use tokio::time::Instant;

use super::columns::{self, Listed};
use super::damage::{Met, Standing};
use super::store::Store;
use super::writer::unavailable;
use crate::domain::due::Moment;
use crate::store::StoreError;

/// The time for which damage makes the store unfit after it was met. Other work that succeeds does not prove that the
/// damage is mended. Housekeeping meets damaged rows in its way once a minute, so that this is longer than a minute.
const DAMAGE_STAYS: Duration = Duration::from_secs(150);
/// The time between two log lines on the same damage, however often it is met.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The bytes that a readiness probe writes: 16 pages. A notification of the usual size changes about as many in tables and
/// indexes.
const PROBE_BYTES: i64 = 64 * 1024;

impl Store {
    /// Writes as much as a notification takes, and waits until that is on disk. Checks also that no damage was met
    /// recently.
    ///
    /// # Errors
    /// The reason why the store cannot be trusted to write now.
    pub async fn probe(&self, now: Moment) -> Result<(), StoreError> {
        let at = columns::micros(now.wall);
        let work = move |connection: &Connection| {
            // The bytes are random, since SQLite would not write unchanged bytes.
            let write = "INSERT OR REPLACE INTO probe (id, at, room) VALUES (1, ?1, randomblob(?2))";
            connection.execute(write, [at, PROBE_BYTES]).map(drop).map_err(unavailable)
        };
        self.writer.write(work, |()| ()).await.inspect_err(|error| self.met(error))?;
        if let Some(reason) = self.standing().any() {
            return Err(StoreError::Damaged(reason.clone()));
        }
        let damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        let of_late = damage.iter().filter(|(_, met)| met.last.elapsed() < DAMAGE_STAYS);
        match of_late.max_by_key(|(_, met)| met.last) {
            Some((reason, _)) => Err(StoreError::Damaged(reason.clone())),
            None => Ok(()),
        }
    }

    /// A page of a list: up to `most` rows after the cursor `after`. Damaged rows are left out, and later rows fill the
    /// page.
    pub(super) async fn list<T: Send + 'static>(
        &self,
        mut after: i64,
        most: u32,
        page: impl Fn(&Connection, i64, u32) -> rusqlite::Result<Listed<T>> + Clone + Send + 'static,
    ) -> Result<Vec<T>, StoreError> {
        let mut rows = Vec::new();
        loop {
            let missing = most.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
            let page = page.clone();
            let listed = self.read(move |connection| page(connection, after, missing)).await?;
            let last = listed.last.filter(|_| !listed.damaged.is_empty() && u32::try_from(listed.len()) == Ok(missing));
            rows.extend(self.sound(listed));
            match last {
                Some(last) => after = last,
                None => return Ok(rows),
            }
        }
    }

    /// The rows that could be read. Each damaged row is remembered, and named in the log.
    pub(super) fn sound<T>(&self, listed: Listed<T>) -> Vec<T> {
        for error in listed.damaged.into_iter().map(unavailable) {
            if self.is_news(&error) {
                tracing::error!(%error, "a damaged row is left out of a list; restore a backup, or mend the row");
            }
        }
        listed.rows
    }

    /// The damage that the last look over the rows found.
    pub(super) fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers and logs the rows that housekeeping could not read.
    pub(super) fn in_the_way(&self, damaged: Vec<rusqlite::Error>) {
        for error in damaged.into_iter().map(unavailable) {
            if self.is_news(&error) {
                tracing::error!(
                    %error,
                    "a damaged row keeps old rows of its kind from being deleted; restore a backup, or delete the row"
                );
            }
        }
    }

    /// Remembers damage.
    pub(super) fn met(&self, error: &StoreError) {
        self.is_news(error);
    }

    /// Forgets damage that was mended.
    pub(super) fn mended(&self, reason: &str) {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).remove(reason);
        self.standing().mended(reason);
    }

    /// Remembers damage. Returns whether it was logged: once a minute, however often it is met.
    fn is_news(&self, error: &StoreError) -> bool {
        let StoreError::Damaged(reason) = error else { return false };
        let now = Instant::now();
        let mut damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        damage.retain(|_, met| met.last.elapsed() < DAMAGE_STAYS);
        let told = damage.get(reason).map(|met| met.told).filter(|told| told.elapsed() < TELL_EVERY);
        damage.insert(reason.clone(), Met { last: now, told: told.unwrap_or(now) });
        drop(damage);
        if told.is_none() {
            tracing::error!(
                damage = reason,
                "the store is damaged: requests for the damaged part are answered 503, and the relay is not ready; \
                 `transform-relay repair` brings back a record; for other rows restore a backup, or mend the row"
            );
        }
        told.is_none()
    }
}
