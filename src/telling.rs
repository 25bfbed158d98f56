//! Telling again, the use case beside [`crate::registering`]: somebody has Transform told of records, or of what was given up.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::domain::ids::RecordKey;
use crate::domain::telling::ToTell;
use crate::store::{GivenUp, GivenUpSought, Store, StoreError, TellError};

/// The records that Transform is told of again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub records: Vec<RecordKey>,
}

/// The most records that are named in an answer.
pub const NAMED_MAX: usize = 100;
/// The number of deliveries that are owed again as one piece of work: other work waits behind it.
const PAGE: u32 = 400;

/// Has Transform told again. The webhooks are owed and due now when this returns. Of many deliveries that were given up, those
/// before an error are owed. The log names the `operator`, if it is one who asks.
///
/// # Errors
/// An id is not registered, and nothing was written; or the store cannot do it now.
pub async fn tell(store: &Store, clock: Clock, wish: ToTell, operator: Option<&str>) -> Result<Told, TellError> {
    let ToTell { host, since, ids, dry_run } = wish;
    let told = match ids {
        Some(mut ids) => {
            ids.sort();
            ids.dedup();
            let records = if dry_run { store.would_tell(ids).await? } else { store.tell(ids, clock.now()).await? };
            Told { dry_run, ..Told::default() }.and(records.len(), records)
        }
        None => given_up(store, clock, host.map(|host| host.to_ascii_lowercase()), since, dry_run).await?,
    };
    if !dry_run {
        tracing::info!(operator, records = told.count, "somebody has Transform told of these records again");
    }
    Ok(told)
}

async fn given_up(
    store: &Store,
    clock: Clock,
    host: Option<String>,
    since: Option<Timestamp>,
    dry_run: bool,
) -> Result<Told, StoreError> {
    let sought = GivenUpSought { host, since, until: Some(clock.now().steady) };
    let (mut told, mut after) = (Told { dry_run, ..Told::default() }, 0);
    loop {
        let page = store.given_up(sought.clone(), after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(told) };
        after = last.cursor;
        let cursors = page.iter().map(|one| one.cursor).collect();
        let count = if dry_run { page.len() } else { store.owe_again(cursors, clock.now()).await? };
        told = told.and(count, page.into_iter().map(|GivenUp { key, .. }| key));
    }
}

impl Told {
    /// The same with more records. Only the first are named.
    fn and(mut self, count: usize, records: impl IntoIterator<Item = RecordKey>) -> Self {
        self.count = self.count.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        let room = NAMED_MAX.saturating_sub(self.records.len());
        self.records.extend(records.into_iter().take(room));
        self
    }
}
