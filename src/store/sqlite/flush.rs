//! Flushing: what has changed in the working set is written.

mod inbox;
mod records;
mod texts;

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::columns::{micros, version_column};
use super::fetches::{self, Asker};
use super::{history, registrations};
use crate::store::core::history::{sum_of_attempt, sum_of_version};
use crate::store::core::set::{Change, Order, Readable, Row, WorkingSet};
use crate::store::encoding;

/// A table that is written row by row.
trait Written: Row {
    /// Adds a row.
    fn insert(&self, connection: &Connection) -> rusqlite::Result<()>;
    /// Writes a row that was there before.
    fn update(&self, connection: &Connection) -> rusqlite::Result<()>;
    /// Deletes a row.
    fn delete(connection: &Connection, id: &Self::Id) -> rusqlite::Result<()>;
}

/// Writes what has changed since the last call. Rows that name a record are deleted before it, and written after it.
pub(super) fn flush(connection: &Connection, set: &WorkingSet) -> rusqlite::Result<()> {
    let orders = set.orders();
    let gone: HashSet<i64> = orders
        .iter()
        .filter_map(|order| match order {
            Order::ForgetRecord(record) => Some(*record),
            _ => None,
        })
        .collect();
    let (records, ways, outbox, placed) =
        (set.records.changes(), set.ways.changes(), set.outbox.changes(), set.placed.changes());
    let (reached, findings) = (set.reached.changes(), set.findings.changes());
    delete(connection, &ways)?;
    delete(connection, &outbox)?;
    delete(connection, &placed)?;
    delete(connection, &reached)?;
    delete(connection, &findings)?;
    gone.iter().try_for_each(|record| forget_record(connection, *record))?;
    // A finding of a record that is removed names it no more.
    findings.iter().try_for_each(|change| match change {
        Change::Update(row) if row.record.is_none() => row.update(connection),
        _ => Ok(()),
    })?;
    delete(connection, &records)?;
    write(connection, &records)?;
    write_all(connection, &set.notifications.changes())?;
    write_all(connection, &set.parked.changes())?;
    write(connection, &ways)?;
    write(connection, &outbox)?;
    write(connection, &placed)?;
    write(connection, &reached)?;
    write_all(connection, &set.owners.changes())?;
    write_all(connection, &set.first_times.changes())?;
    write(connection, &findings)?;
    // These are kept by the tables themselves, or by what follows.
    drop((set.contents.changes(), set.waiting.changes(), set.oldest.changes()));
    drop((set.histories.changes(), set.awaits.changes()));
    orders.iter().try_for_each(|order| carry_out(connection, order, &gone))
}

fn delete<R: Written>(connection: &Connection, changes: &[Change<R>]) -> rusqlite::Result<()> {
    changes.iter().try_for_each(|change| match change {
        Change::Delete(id) => R::delete(connection, id),
        _ => Ok(()),
    })
}

fn write<R: Written>(connection: &Connection, changes: &[Change<R>]) -> rusqlite::Result<()> {
    changes.iter().try_for_each(|change| match change {
        Change::Insert(row) => row.insert(connection),
        Change::Update(row) => row.update(connection),
        Change::Delete(_) => Ok(()),
    })
}

fn write_all<R: Written>(connection: &Connection, changes: &[Change<R>]) -> rusqlite::Result<()> {
    delete(connection, changes)?;
    write(connection, changes)
}

/// Does what a decision has ordered. What a removed record had is not added.
fn carry_out(connection: &Connection, order: &Order, gone: &HashSet<i64>) -> rusqlite::Result<()> {
    match order {
        Order::CountRepeat(id) => connection
            .prepare_cached("UPDATE notifications SET repeats = repeats + 1 WHERE id = ?1")?
            .execute([id.into_bytes()])
            .map(drop),
        Order::Ask { source, path, now, notification, message } => {
            let asked = fetches::ask(connection, source, path, Asker::Trusted, *now)?;
            fetches::wait(connection, asked, *notification, *message)
        }
        Order::ForgetFetches(notification) => fetches::forget(connection, *notification),
        Order::KeepRegistration { row: record, .. } | Order::Version { record, .. } | Order::Attempt { record, .. }
            if gone.contains(record) =>
        {
            Ok(())
        }
        Order::KeepRegistration { row, record } => registrations::keep(connection, *row, record),
        Order::Version { row, previous, record, version, notification, event_type, status, now } => {
            let (version, at) = (version_column(*version), micros(now.wall));
            let sum = sum_of_version((*record, version, at), *notification, event_type, status.name());
            connection
                .prepare_cached(
                    "INSERT INTO transitions (id, previous, record, version, at, notification, event_type, status, kept_since, sum)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                )?
                .execute(params![
                    row,
                    previous,
                    record,
                    version,
                    at,
                    notification.into_bytes(),
                    event_type,
                    status.name(),
                    micros(now.steady),
                    sum,
                ])
                .map(drop)
        }
        Order::Attempt { record, version, began, millis, failure } => {
            let (version, at) = (version_column(*version), micros(began.wall));
            let sum = sum_of_attempt((*record, version, at), *millis, failure.as_deref());
            connection
                .prepare_cached(
                    "INSERT INTO attempts (record, version, at, millis, failure, kept_since, sum)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![record, version, at, millis, failure, micros(began.steady), sum])
                .map(drop)
        }
        Order::ForgetRecord(_) => Ok(()),
    }
}

/// Deletes what only a record that is removed has.
fn forget_record(connection: &Connection, record: i64) -> rusqlite::Result<()> {
    history::forget(connection, record)?;
    registrations::forget(connection, record)?;
    connection.prepare_cached("DELETE FROM attempts WHERE record = ?1")?.execute([record]).map(drop)
}

/// A record or an event, as it is written into its row.
fn fact_of<T: serde::Serialize>(value: &Readable<Arc<T>>) -> rusqlite::Result<Vec<u8>> {
    encoding::write(sound(value)?.as_ref()).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// What cannot be read is never written: only rows that were decided anew are.
fn sound<T>(value: &Readable<T>) -> rusqlite::Result<&T> {
    let damaged = || rusqlite::Error::ToSqlConversionFailure("a damaged value cannot be written".into());
    value.sound().ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use jiff::Timestamp;
    use rust_decimal::Decimal;
    use uuid::Uuid;

    use super::super::decide::decide;
    use super::super::one_by_one::register;
    use super::super::{migrations, records, rehearse};
    use super::*;
    use crate::domain::due::Moment;
    use crate::domain::event::{Booking, Event, Facts, Item};
    use crate::domain::ids::{Kind, RecordKey};
    use crate::store::Outcome;
    use crate::store::core::work::Work;

    fn now() -> Moment {
        let at = Timestamp::from_second(1_700_000_000).unwrap();
        Moment { wall: at, steady: at }
    }

    fn key(n: usize) -> RecordKey {
        RecordKey::new(Kind::Payment, format!("tx-{n}").parse().unwrap())
    }

    /// A booking of a payment.
    fn booking(payment: usize, n: usize) -> Event {
        let (amount, date) = (Decimal::ONE, jiff::civil::date(2026, 1, 1));
        let item = Item { id: format!("item {n}"), amount, booking: Booking::Booked, date, description: None };
        Event {
            event_type: "booked".into(),
            kinds: vec![Kind::Payment],
            psp_ids: Vec::new(),
            shared_ids: vec![format!("psp {payment}")],
            at: now().wall,
            key: format!("k{n}#0"),
            facts: Facts { items: vec![item], ..Facts::default() },
            ..Event::default()
        }
    }

    fn registered(connection: &Connection, payment: usize) {
        let said =
            serde_json::json!({"pspTransactionId": format!("psp {payment}"), "requestedAmount": 50, "currency": "EUR"});
        let said = serde_json::from_value(said).unwrap();
        register(connection, &rehearse::without_limits(), &key(payment), &said, now()).unwrap().unwrap();
    }

    /// Does these pieces of work. Returns the number of times that they wrote a record.
    fn told(connection: &mut Connection, works: &[&[Event]]) -> u32 {
        let written = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&written);
        let hook = move |_, _: &str, table: &str, _| {
            count.fetch_add(u32::from(table == "records"), Ordering::SeqCst);
        };
        connection.update_hook(Some(hook)).unwrap();
        for events in works {
            let (options, set) = (rehearse::without_limits(), WorkingSet::default());
            let placed = decide(connection, &set, |set| {
                let mut work = Work::new(set, &options, now());
                let (outcome, _) = work.place_all(Uuid::nil(), "s", events)?;
                work.finish()?;
                Ok(outcome)
            });
            assert_ne!(placed.unwrap(), Outcome::DeadLetter);
            flush(connection, &set).unwrap();
        }
        connection.update_hook(None::<fn(_, &str, &str, _)>).unwrap();
        written.load(Ordering::SeqCst)
    }

    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::migrate(&mut connection).unwrap();
        connection
    }

    #[test]
    fn a_record_is_written_once_however_often_a_batch_changes_it() {
        let events: Vec<Event> = (0..50).map(|n| booking(1, n)).collect();
        let each: Vec<&[Event]> = events.chunks(1).collect();
        let (mut batch, mut one_by_one, mut late) = (store(), store(), store());
        [&batch, &one_by_one].into_iter().for_each(|store| registered(store, 1));
        assert_eq!(told(&mut batch, &[&events]), 1);
        assert_eq!(told(&mut one_by_one, &each), 50);
        assert_eq!(told(&mut late, &each), 0, "parked");
        registered(&late, 1);
        let [batch, one_by_one, late] =
            [batch, one_by_one, late].map(|store| records::by_key(&store, &key(1)).unwrap().unwrap().record);
        assert_eq!((batch.seen.items.len(), batch.version), (50, 51));
        assert_eq!(batch, one_by_one);
        assert_eq!(batch, late);
    }
}
