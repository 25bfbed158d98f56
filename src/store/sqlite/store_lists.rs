//! The `Store`'s lists for people.

use super::store::Store;
use super::{findings, given_up, history, inbox, parked, records};
use crate::domain::ids::RecordKey;
use crate::store::{DeadLetter, Finding, GivenUp, GivenUpSought, History, ListedRecord, ParkedEvent, StoreError};

impl Store {
    /// The latest `most` versions of a record, and the latest attempts to tell of them.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn history(&self, key: RecordKey, most: u32) -> Result<Option<History>, StoreError> {
        let found = self
            .read(move |connection| {
                let Some(stored) = records::by_key(connection, &key)? else { return Ok(None) };
                history::of_record(connection, stored.row, most).map(Some)
            })
            .await?;
        Ok(found.map(|(versions, attempts)| History { versions: self.sound(versions), attempts: self.sound(attempts) }))
    }

    /// The parked events after the cursor `after`, the oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn parked(&self, source: Option<String>, after: i64, most: u32) -> Result<Vec<ParkedEvent>, StoreError> {
        self.list(after, most, move |connection, after, most| parked::list(connection, source.as_deref(), after, most))
            .await
    }

    /// The findings after the cursor `after`, the oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn findings(&self, source: Option<String>, after: i64, most: u32) -> Result<Vec<Finding>, StoreError> {
        self.list(after, most, move |connection, after, most| {
            findings::list(connection, source.as_deref(), after, most)
        })
        .await
    }

    /// The records after the cursor `after`, in the order in which they were registered.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn records(&self, after: i64, most: u32) -> Result<Vec<ListedRecord>, StoreError> {
        self.list(after, most, records::list).await
    }

    /// The refunds whose payment is not registered, after the cursor `after`, in the order in which they were registered.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn refunds_without_payment(&self, after: i64, most: u32) -> Result<Vec<ListedRecord>, StoreError> {
        self.list(after, most, records::without_payment).await
    }

    /// The number of findings.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn findings_count(&self) -> Result<u64, StoreError> {
        self.read(findings::count).await
    }

    /// The notifications that are dead letters, after the cursor `after`, the oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn dead_letters(&self, after: i64, most: u32) -> Result<Vec<DeadLetter>, StoreError> {
        self.list(after, most, inbox::dead_letters).await
    }

    /// The deliveries that were given up, as far as they are sought, after the cursor `after`, in the order in which their records
    /// were registered.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn given_up(&self, sought: GivenUpSought, after: i64, most: u32) -> Result<Vec<GivenUp>, StoreError> {
        self.list(after, most, move |connection, after, most| given_up::list(connection, &sought, after, most)).await
    }

    /// The number of deliveries that were given up.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn given_up_count(&self) -> Result<u64, StoreError> {
        self.read(given_up::count).await
    }
}
