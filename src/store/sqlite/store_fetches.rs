//! The `Store`'s methods for fetches from the PSPs, for hints and for replay.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::Connection;
use uuid::Uuid;

use super::damage::said;
use super::store::Store;
use super::writer::unavailable;
use super::{fetch_ends, fetches, fetches_care, hints, inbox, turns, waiting};
use crate::domain::due::Moment;
use crate::store::core::set::WorkingSet;
use crate::store::core::taking;
use crate::store::{
    Answered, Awaiting, Fetch, FetchFailed, FetchSettled, FetchesSought, HintError, Hinted, Kept, Receipt, StoreError,
    Taken,
};

impl Store {
    /// Checks, without the writer, whether a hint would be refused. Returns the hint if not. If the store cannot be
    /// read, returns it too: taking the hint then gives the error.
    ///
    /// # Errors
    /// Too many objects of strangers wait; see [`HintError`].
    pub async fn admit_hint(&self, hinted: Hinted) -> Result<Hinted, HintError> {
        let hinted = Arc::new(hinted);
        let asks = Arc::clone(&hinted);
        match self.readers.read(move |connection| hints::refused(connection, &asks)).await {
            Ok(Some(refused)) => Err(refused),
            _ => Ok(Arc::unwrap_or_clone(hinted)),
        }
    }

    /// Takes a hint: the objects that it points to are fetched.
    ///
    /// # Errors
    /// Too many objects of strangers wait, or the store cannot take it now; nothing was written.
    pub async fn take_hint(&self, hinted: Hinted) -> Result<Receipt, HintError> {
        let (wake, source) = (self.wake.clone(), hinted.source.clone());
        let work = move |connection: &Connection| hints::take(connection, &hinted).map_err(unavailable)?;
        let done = self.writer.write(work, move |_: &Receipt| wake.fetch(&source)).await;
        done.inspect_err(|error| {
            if let HintError::Store(error) = error {
                self.met(error);
            }
        })
    }

    /// Judges a dead letter anew, by the meaning that it has now. Returns none if there is no such dead letter.
    ///
    /// # Errors
    /// The store cannot take it now; nothing was written.
    pub async fn replay(&self, taken: Taken) -> Result<Option<Receipt>, StoreError> {
        let (options, wake) = (self.options.load_full(), self.wake.clone());
        let source = taken.source.clone();
        let decision = move |set: &WorkingSet| taking::replay(set, &options, &taken).map(Ok::<_, StoreError>);
        let done = self.writer.decide(decision, move |receipt: &Option<Receipt>| {
            receipt.iter().for_each(|receipt| wake.taken(&source, receipt));
        });
        done.await.inspect_err(|error| self.met(error))
    }

    /// A notification as it is kept.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn kept(&self, id: Uuid) -> Result<Option<Kept>, StoreError> {
        self.read(move |connection| inbox::kept(connection, id)).await
    }

    /// The fetches of a source that are due, the most urgent first, and the time when the next one is due. Damaged ones are
    /// left out.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn due_fetches(&self, sought: FetchesSought) -> Result<(Vec<Fetch>, Option<Timestamp>), StoreError> {
        let look = move |connection: &Connection| {
            let next = fetches::next_due(connection, &sought.source, sought.now)?;
            Ok((turns::due(connection, &sought)?, next))
        };
        let (due, next) = self.read(look).await?;
        Ok((self.sound(due), self.sound(next).into_iter().min()))
    }

    /// Up to `most` messages that wait for a fetch, and whose request is among the first `asked` requests.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn awaiting(&self, fetch: i64, asked: i64, most: usize) -> Result<Vec<Awaiting>, StoreError> {
        self.read(move |connection| waiting::awaiting(connection, fetch, asked, most)).await
    }

    /// Settles a fetch that got a response, for the messages that are read with the response.
    ///
    /// # Errors
    /// The store cannot take it now; nothing was written, and all wait as before.
    pub async fn fetched(&self, answered: Arc<Answered>, now: Moment) -> Result<FetchSettled, StoreError> {
        let (options, wake) = (self.options.load_full(), self.wake.clone());
        let work = move |connection: &Connection| {
            fetch_ends::answered(connection, &options, &answered, now).map_err(unavailable)
        };
        let done = self.writer.write(work, move |settled: &FetchSettled| wake.each(&settled.owed)).await;
        done.inspect_err(|error| self.met(error))
    }

    /// Settles a fetch that failed.
    ///
    /// # Errors
    /// The store cannot take it now; nothing was written, and all wait as before.
    pub async fn fetch_failed(&self, failed: FetchFailed) -> Result<FetchSettled, StoreError> {
        let work = move |connection: &Connection| fetch_ends::failed(connection, &failed).map_err(unavailable);
        self.writer.write(work, |_: &FetchSettled| ()).await.inspect_err(|error| self.met(error))
    }

    /// The number of waiting fetches, by source: a start of the relay begins with it. Before that, times that no wait
    /// has made are brought back.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn resume_fetches(&self, now: Moment, longest: Duration) -> Result<Vec<(String, u32)>, StoreError> {
        let work = move |connection: &Connection| {
            fetches_care::clamp(connection, now.steady, longest, Duration::ZERO).map_err(unavailable)
        };
        said(0, self.writer.write(work, |_: &usize| ()).await?);
        self.read(fetches::backlog).await
    }
}
