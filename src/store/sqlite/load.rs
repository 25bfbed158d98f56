//! Loading: the rows that a decision asks for are read into the working set.

mod events;
mod inbox;
mod read;
mod records;
mod texts;

#[cfg(test)]
pub(super) use inbox::{CONTENT, OF_KEY};

use rusqlite::Connection;

use super::{counts, fetches, given_up, history};
use crate::store::core::set::rows::state::{AwaitsRow, HistoryRow, WaitingRow};
use crate::store::core::set::{NextRows, Want, WorkingSet};

/// Loads what a decision asks for, and what it will ask for next.
pub(super) fn load(connection: &Connection, set: &WorkingSet, want: &Want) -> rusqlite::Result<()> {
    match want {
        Want::Records(key) => records::load(connection, set, key),
        Want::Ways(key) => records::ways(connection, set, key),
        Want::Outbox(record) => records::outbox(connection, set, *record),
        Want::Notifications(key) => inbox::load(connection, set, key),
        Want::Contents(key) => inbox::contents(connection, set, key).map(drop),
        Want::Parked(key) => events::parked(connection, set, key),
        Want::Oldest(source, after) => events::oldest(connection, set, source, *after),
        Want::Waiting(source) => {
            let count = counts::parked(connection, source)?;
            let row = (count != 0).then(|| WaitingRow { source: source.clone(), count });
            set.waiting.absorb(source.clone(), row);
            Ok(())
        }
        Want::Placed(key) => events::placed(connection, set, key),
        Want::Reached(key) => texts::reached(connection, set, key),
        Want::Owners(key) => texts::owners(connection, set, key),
        Want::FirstTimes(key) => texts::first_times(connection, set, key),
        Want::Findings(key) => texts::findings(connection, set, key),
        Want::HasHistory(record) => {
            let mut has = connection.prepare_cached(history::HAS_EARLIER)?;
            let row = has.exists([record])?.then_some(HistoryRow { record: *record });
            set.histories.absorb(*record, row);
            Ok(())
        }
        Want::AwaitsFetch(notification) => {
            let row = fetches::awaits(connection, *notification)?.then_some(AwaitsRow { notification: *notification });
            set.awaits.absorb(*notification, row);
            Ok(())
        }
        Want::State => {
            let next = |table: &str, row: &str| next_row(connection, table, row);
            let next = NextRows {
                notification: next("notifications", "rowid")?,
                record: next("records", "id")?,
                parked: next("parked", "id")?,
                placed: next("placed", "id")?,
                finding: next("findings", "id")?,
                transition: next("transitions", "id")?,
            };
            set.begin(next, given_up::is_any(connection)?);
            Ok(())
        }
    }
}

fn next_row(connection: &Connection, table: &str, row: &str) -> rusqlite::Result<i64> {
    let mut last = connection.prepare_cached(&format!("SELECT max({row}) FROM {table}"))?;
    let last: Option<i64> = last.query_row([], |row| row.get(0))?;
    Ok(last.unwrap_or(0).saturating_add(1))
}
