//! Unwritten records: the changed records of a piece of work, held back in memory. A batch may change one record a
//! thousand times. If the record has a thousand bookings, reading and writing it each time would cost a million of
//! them.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row};

use super::records::{self, Known, Stored};
use crate::domain::attempt::Attempt;
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::record::Record;

/// The number of records that are held back. A batch of different payments gains nothing from more.
const HELD_MAX: usize = 100;

/// Changed records by their rows. They must be written before the work ends.
#[derive(Default)]
pub(super) struct Unwritten(BTreeMap<i64, Record>);

impl Unwritten {
    /// The record with this Transform id, of any kind, as it stands by now.
    pub(super) fn by_id(&self, connection: &Connection, id: &TransformId) -> rusqlite::Result<Option<Stored>> {
        records::by_id_as(connection, id, |row| self.stored(row))
    }

    /// The record with this key, as it stands by now.
    pub(super) fn by_key(&self, connection: &Connection, key: &RecordKey) -> rusqlite::Result<Option<Stored>> {
        Ok(self.by_id(connection, &key.id)?.filter(|stored| stored.record.key.kind == key.kind))
    }

    /// The records that this PSP id leads to, as they stand by now.
    pub(super) fn by_psp_id(
        &self,
        connection: &Connection,
        kind: Kind,
        source: &str,
        psp_id: &str,
    ) -> rusqlite::Result<Vec<Known>> {
        records::by_psp_id(connection, kind, source, psp_id, |row| self.stored(row))
    }

    /// What other agreements than this one know of the means of payment with these PSP ids.
    pub(super) fn means_of_others(
        &self,
        connection: &Connection,
        source: &str,
        row: i64,
        psp_ids: &[String],
    ) -> rusqlite::Result<Vec<Attempt>> {
        let mut means = Vec::new();
        for psp_id in psp_ids {
            let known = self.by_psp_id(connection, Kind::Agreement, source, psp_id)?;
            let others = known.into_iter().map(|known| known.stored).filter(|other| other.row != row);
            let attempts = others.flat_map(|other| other.record.seen.attempts);
            means.extend(attempts.filter(|attempt| attempt.is_under(psp_id)));
        }
        Ok(means)
    }

    /// The payments that capture a preauthorization, as they stand by now.
    pub(super) fn captures_of(&self, connection: &Connection, preauth: &TransformId) -> rusqlite::Result<Vec<Stored>> {
        records::captures_of(connection, preauth, |row| self.stored(row))
    }

    /// The record of a row, as it stands by now.
    fn stored(&self, row: &Row<'_>) -> rusqlite::Result<Stored> {
        let number = row.get(0)?;
        match self.0.get(&number) {
            Some(record) => Ok(Stored { row: number, record: record.clone() }),
            None => records::stored(row),
        }
    }

    /// Holds a changed record back.
    pub(super) fn set(&mut self, connection: &Connection, stored: Stored) -> rusqlite::Result<()> {
        self.0.insert(stored.row, stored.record);
        if self.0.len() > HELD_MAX { self.write(connection) } else { Ok(()) }
    }

    /// Writes all records that are held back.
    pub(super) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        std::mem::take(&mut self.0).iter().try_for_each(|(row, record)| records::update(connection, *row, record))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use jiff::Timestamp;
    use rust_decimal::Decimal;
    use uuid::Uuid;

    use super::super::register::register;
    use super::super::work::Work;
    use super::super::{migrations, rehearse};
    use super::*;
    use crate::domain::due::Moment;
    use crate::domain::event::{Booking, Event, Facts, Item};
    use crate::store::Outcome;

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
            let options = rehearse::without_limits();
            let mut work = Work::new(connection, &options, now());
            let (outcome, _) = work.place_all(Uuid::nil(), "s", events).unwrap();
            assert_ne!(outcome, Outcome::DeadLetter);
            work.finish().unwrap();
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

    /// There are more records than are held back.
    #[test]
    fn every_record_of_a_large_batch_is_written() {
        let (mut store, many) = (store(), 2 * HELD_MAX + 10);
        (0..many).for_each(|n| registered(&store, n));
        let events: Vec<Event> = (0..2 * many).map(|n| booking(n % many, n)).collect();
        told(&mut store, &[&events]);
        for n in 0..many {
            let record = records::by_key(&store, &key(n)).unwrap().unwrap().record;
            assert_eq!((record.seen.items.len(), record.version), (2, 3), "{n}");
        }
    }
}
