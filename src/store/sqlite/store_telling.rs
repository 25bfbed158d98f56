//! The `Store`'s methods for telling again: by ids, of those that were given up, and of a host that responds again.

use rusqlite::Connection;

use super::given_up;
use super::records::{self, Stored};
use super::store::Store;
use crate::domain::due::Moment;
use crate::domain::ids::{RecordKey, TransformId};
use crate::store::core::set::WorkingSet;
use crate::store::core::{self, telling};
use crate::store::{Owed, StoreError, TellError};

impl Store {
    /// Makes Transform owed a webhook for each of these records, due now, whether or not it is owed one already.
    ///
    /// # Errors
    /// An id is not registered, or the store cannot take it now; nothing was written.
    pub async fn tell(&self, ids: Vec<TransformId>, now: Moment) -> Result<Vec<RecordKey>, TellError> {
        let wake = self.wake.clone();
        let decision = move |set: &WorkingSet| telling::tell(set, &ids, now);
        let owed = self.writer.decide(decision, move |owed: &Vec<Owed>| wake.each(owed)).await;
        let owed = owed.inspect_err(|error| {
            if let TellError::Store(error) = error {
                self.met(error);
            }
        })?;
        Ok(owed.into_iter().map(|one| one.key).collect())
    }

    /// The records that [`Self::tell`] would tell of.
    ///
    /// # Errors
    /// An id is not registered, or the store cannot be read.
    pub async fn would_tell(&self, ids: Vec<TransformId>) -> Result<Vec<RecordKey>, TellError> {
        let found = self.read(move |connection| registered(connection, &ids)).await?;
        Ok(found?.into_iter().map(|stored| stored.record.key.clone()).collect())
    }

    /// Makes deliveries that were given up owed again and due now: those with these cursors of
    /// [`Self::given_up`](Store::given_up). Returns how many there were.
    ///
    /// # Errors
    /// The store cannot take it now; nothing was written.
    pub async fn owe_again(&self, cursors: Vec<i64>, now: Moment) -> Result<usize, StoreError> {
        let wake = self.wake.clone();
        let decision =
            move |set: &WorkingSet| core::given_up::owe_again(set, &cursors, now.steady).map(Ok::<_, StoreError>);
        let owed = self.writer.decide(decision, move |owed: &Vec<Owed>| wake.each(owed)).await;
        owed.map(|owed| owed.len()).inspect_err(|error| self.met(error))
    }

    /// Makes up to `most` deliveries owed again that were given up by `until` because of this host. Returns how many there were.
    ///
    /// # Errors
    /// The store cannot do it now; nothing was written.
    pub async fn owe_again_of_host(
        &self,
        host: String,
        until: Moment,
        now: Moment,
        most: u32,
    ) -> Result<usize, StoreError> {
        let listed = self.read(move |connection| given_up::of_host(connection, &host, until.steady, most)).await?;
        let rows = self.sound(listed);
        if rows.is_empty() { Ok(0) } else { self.owe_again(rows, now).await }
    }

    /// The hosts that deliveries wait for, since they were given up because of them. Those of earlier versions wait for an unknown
    /// host, which is empty.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn awaited_hosts(&self) -> Result<Vec<String>, StoreError> {
        self.read(given_up::awaited).await
    }

    /// Whether a delivery that is owed had its last attempt at this host, so that another attempt shows whether it responds.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn is_asked(&self, host: String) -> Result<bool, StoreError> {
        self.read(move |connection| given_up::is_asked(connection, &host)).await
    }
}

fn registered(connection: &Connection, ids: &[TransformId]) -> rusqlite::Result<Result<Vec<Stored>, TellError>> {
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for id in ids {
        match records::by_id(connection, id)? {
            Some(stored) => found.push(stored),
            None => unknown.push(id.clone()),
        }
    }
    Ok(if unknown.is_empty() { Ok(found) } else { Err(TellError::Unknown(unknown)) })
}

#[cfg(test)]
mod tests;
