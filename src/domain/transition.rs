//! What one event does to one record: pure, idempotent, free of the order of arrival.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::event::{Booking, Event, Facts};
use super::ids::Kind;
use super::record::{Record, Seen};
use super::stamp::{self, Stamp, Stamped, Written};
use super::status::{Status, StatusFact};
use super::view::View;

/// What an event did to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// Transform can see a difference: it is to be told.
    Changed,
    /// Nothing new: this very event, or another with the same meaning, came before.
    Repeated,
    /// Everything that it says was overtaken by newer facts.
    Stale,
}

/// How many items, and how many chargebacks, are kept of one record: each event writes the whole record.
pub const BOOKINGS_MAX: usize = 1000;

/// Money that cannot be, or more of it than is kept: nothing is applied, the notification becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The event speaks of another currency than the record.
    #[error("the event is in {event}, the record in {record}")]
    Currency {
        /// Of the event.
        event: String,
        /// Of the record.
        record: String,
    },
    /// The record has as many bookings as are kept of one, and the event would add another.
    #[error("the record would have more than {BOOKINGS_MAX} {what}")]
    TooMany {
        /// Items, or chargebacks.
        what: &'static str,
    },
    /// A payment that is paid in full would have given back more than it received.
    #[error("refunds would reach {refunded}, but only {paid} was paid")]
    OverRefunded {
        /// The sum that the refunds would reach.
        refunded: rust_decimal::Decimal,
        /// What was paid.
        paid: rust_decimal::Decimal,
    },
}

/// Applies an event to a record.
///
/// # Errors
/// [`Contradiction::Currency`] or [`Contradiction::TooMany`]; the record stays as it was.
pub fn apply(record: &Record, event: &Event, now: Timestamp) -> Result<(Record, Transition), Contradiction> {
    check_currency(record, event)?;
    let mut next = record.clone();
    let written = write_facts(&mut next.seen, record.key.kind, event);
    check_bookings(&record.seen, &next.seen)?;
    let transition = if View::of(&next) != View::of(record) {
        next.bump(now);
        Transition::Changed
    } else if written.iter().any(|one| *one != Written::Older) {
        Transition::Repeated
    } else {
        Transition::Stale
    };
    Ok((next, transition))
}

fn check_currency(record: &Record, event: &Event) -> Result<(), Contradiction> {
    match (event.currency, record.registered.currency) {
        (Some(event), Some(own)) if event != own && record.key.kind != Kind::Agreement => {
            Err(Contradiction::Currency { event: event.to_string(), record: own.to_string() })
        }
        _ => Ok(()),
    }
}

/// News of a booking that is known is always taken.
fn check_bookings(before: &Seen, after: &Seen) -> Result<(), Contradiction> {
    let sizes = [
        ("items", before.items.len(), after.items.len()),
        ("chargebacks", before.chargebacks.len(), after.chargebacks.len()),
    ];
    match sizes.into_iter().find(|(_, before, after)| after > before && *after > BOOKINGS_MAX) {
        Some((what, ..)) => Err(Contradiction::TooMany { what }),
        None => Ok(()),
    }
}

fn write_facts(seen: &mut Seen, kind: Kind, event: &Event) -> Vec<Written> {
    let facts = &event.facts;
    let said = event.status_of(kind);
    let stamp = event_stamp(event, status_rank(said, kind));
    let mut written = Vec::new();
    if let Some(status) = said {
        let fact = StatusFact { status, error: facts.error.clone(), since: event.at };
        written.push(stamp::write(&mut seen.status, &stamp, fact));
        if let Some(id) = event.psp_ids.first() {
            write_name(&mut seen.psp_id, event, status, id);
        }
    }
    written.extend(facts.authorized.map(|amount| stamp::write(&mut seen.authorized, &stamp, amount)));
    written.extend(facts.expires_at.map(|at| stamp::write(&mut seen.expires_at, &stamp, at)));
    written.extend(facts.refunded.map(|amount| stamp::write(&mut seen.refunded, &stamp, amount)));
    if !facts.bearer.is_empty() {
        written.push(stamp::write(&mut seen.bearer, &stamp, facts.bearer.clone()));
    }
    write_bookings(seen, facts, event, kind, &mut written);
    written
}

fn write_bookings(seen: &mut Seen, facts: &Facts, event: &Event, kind: Kind, written: &mut Vec<Written>) {
    for item in &facts.items {
        let rank = facts.status.map_or(booking_rank(item.booking), |status| status.rank(kind));
        written.push(write_in(&mut seen.items, &item.id, &event_stamp(event, rank), item));
    }
    for chargeback in &facts.chargebacks {
        let stamp = event_stamp(event, booking_rank(chargeback.booking));
        written.push(write_in(&mut seen.chargebacks, &chargeback.id, &stamp, chargeback));
        if !chargeback.amount.is_zero() {
            written.push(write_in(&mut seen.chargeback_amounts, &chargeback.id, &stamp, &chargeback.amount));
        }
        if let Some(why) = &chargeback.why {
            written.push(write_in(&mut seen.chargeback_reasons, &chargeback.id, &stamp, why));
        }
    }
}

/// Writes a booking under its id.
fn write_in<T: Clone>(slots: &mut BTreeMap<String, Stamped<T>>, id: &str, stamp: &Stamp, value: &T) -> Written {
    let mut slot = slots.remove(id);
    let written = stamp::write(&mut slot, stamp, value.clone());
    if let Some(kept) = slot {
        slots.insert(id.to_owned(), kept);
    }
    written
}

/// Keeps the first name that a thing was given, that of an attempt which did not fail before all others.
fn write_name(slot: &mut Option<Stamped<String>>, event: &Event, status: Status, name: &str) {
    let stamp = Stamp { at: event.at, rank: u8::from(status.is_error()), tie: event.key.clone() };
    // The name itself is the last tie-break: the key has no trace of it.
    let order = |stamp: &Stamp, name: &str| (stamp.rank, stamp.at, stamp.tie.clone(), name.to_owned());
    if slot.as_ref().is_none_or(|old| order(&stamp, name) < order(&old.stamp, &old.value)) {
        *slot = Some(Stamped { stamp, value: name.to_owned() });
    }
}

fn event_stamp(event: &Event, rank: u8) -> Stamp {
    Stamp {
        at: if event.gives_way { Timestamp::MIN } else { event.at },
        rank: if event.late { rank + LATE } else { rank },
        tie: event.key.clone(),
    }
}

/// Added to the rank of a late truth: above every rank of [`Status::rank`].
const LATE: u8 = 100;

fn status_rank(status: Option<Status>, kind: Kind) -> u8 {
    status.map_or(0, |status| status.rank(kind))
}

const fn booking_rank(booking: Booking) -> u8 {
    match booking {
        Booking::Open => 1,
        Booking::Booked => 2,
        Booking::Reversed => 3,
    }
}

#[cfg(test)]
mod tests {
    use rust_decimal::Decimal;

    use super::*;
    use crate::domain::event::{Chargeback, Item};
    use crate::domain::ids::RecordKey;
    use crate::domain::record::Registered;

    fn payment() -> Record {
        Record {
            key: RecordKey::new(Kind::Payment, "tx-1".parse().unwrap()),
            source: None,
            registered_at: Timestamp::UNIX_EPOCH,
            registered: Registered::default(),
            seen: Seen::default(),
            refunds: BTreeMap::new(),
            version: 1,
            last_updated: Timestamp::UNIX_EPOCH,
        }
    }

    /// So many bookings from the n-th on, as items or as chargebacks.
    fn booked(n: usize, many: usize, as_items: bool) -> Event {
        let (amount, booking) = (Decimal::ONE, Booking::Booked);
        let date = jiff::civil::date(2026, 1, 1);
        let ids = (n..n + many).map(|n| format!("id {n}"));
        let mut facts = Facts::default();
        if as_items {
            facts.items.extend(ids.map(|id| Item { id, amount, booking, date, description: None }));
        } else {
            facts.chargebacks.extend(ids.map(|id| Chargeback { id, amount, fee: None, booking, date, why: None }));
        }
        Event {
            event_type: "booked".into(),
            kinds: vec![Kind::Payment],
            psp_ids: vec!["psp".into()],
            shared_ids: Vec::new(),
            references: Vec::new(),
            at: Timestamp::UNIX_EPOCH,
            key: format!("{n} {many}"),
            late: false,
            gives_way: false,
            currency: None,
            facts,
        }
    }

    #[test]
    fn a_record_keeps_so_many_bookings_and_takes_news_of_those() {
        for (as_items, what) in [(true, "items"), (false, "chargebacks")] {
            let told = |record: &Record, event: &Event| apply(record, event, Timestamp::UNIX_EPOCH);
            let (full, _) = told(&payment(), &booked(0, BOOKINGS_MAX, as_items)).unwrap();
            let too_many = told(&full, &booked(BOOKINGS_MAX, 1, as_items)).unwrap_err();
            assert_eq!(too_many, Contradiction::TooMany { what });
            assert_eq!(too_many.to_string(), format!("the record would have more than 1000 {what}"));
            assert!(told(&full, &booked(7, 3, as_items)).is_ok(), "news of what is known");
            assert!(told(&full, &booked(0, 1, !as_items)).is_ok(), "each has a limit of its own");
            assert!(told(&payment(), &booked(0, BOOKINGS_MAX + 1, as_items)).is_err(), "at once, too");
        }
    }
}
