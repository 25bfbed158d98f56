//! The money of a payment, as the ledger has it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::history::Told;
use super::ledger::{Place, attempts, life, life_of, place};
use super::state_ledger::StateLedger;
use crate::domain::event::{Booking, Chargeback, Event, Item, Movement};
use crate::domain::ids::Kind;
use crate::domain::record::Record;
use crate::domain::status::Status;

/// A chargeback: id, amount, fee and day.
pub(super) type Gone = (String, Decimal, Option<Decimal>, Date);

#[derive(Debug, PartialEq, Eq)]
pub(super) struct MoneyLedger {
    pub(super) paid: Decimal,
    pub(super) chargebacks: Vec<Gone>,
    pub(super) refunded: Decimal,
    pub(super) refundable: Decimal,
    pub(super) status: Status,
}

impl MoneyLedger {
    pub(super) fn of(record: &Record, told: &[Told], states: &StateLedger) -> Self {
        let events: Vec<&Event> =
            told.iter().map(|(event, _)| event).filter(|event| event.kinds != [Kind::Refund]).collect();
        let paid = paid(record, &events, states);
        let disputes: BTreeSet<&str> = chargebacks(&events).map(|(_, news)| news.id.as_str()).collect();
        let mut chargebacks: Vec<Gone> = disputes.iter().filter_map(|id| gone(&events, id, paid)).collect();
        disputes.iter().for_each(|id| give_back(&mut chargebacks, came_back(&events, id)));
        let lost: Decimal = chargebacks.iter().map(|gone| gone.1).sum();
        let refunded = (unregistered(told, paid) + record.refunds.values().sum::<Decimal>()).min(paid);
        let requested = record.registered.requested_amount.unwrap_or(paid);
        let status = match states.named.status {
            _ if paid > Decimal::ZERO && paid >= requested => Status::Succeeded,
            _ if paid > Decimal::ZERO => Status::Pending,
            Status::Succeeded => Status::Pending,
            named => named,
        };
        Self { paid, chargebacks, refunded, refundable: (paid - refunded - lost).max(Decimal::ZERO), status }
    }
}

/// The money that was booked. A payment that succeeded without any news of bookings was paid in full.
fn paid(record: &Record, events: &[&Event], states: &StateLedger) -> Decimal {
    let mut items: BTreeMap<&str, (Place, &Item)> = BTreeMap::new();
    for event in events {
        for item in &event.facts.items {
            let life = event.facts.status.map_or(life_of(item.booking), |status| life(status, record.key.kind));
            let news = (place(event, life), item);
            let known = items.entry(&item.id).or_insert_with(|| news.clone());
            if news.0 > known.0 {
                *known = news;
            }
        }
    }
    let mut booked = items.values().filter(|(_, item)| item.booking == Booking::Booked).peekable();
    if booked.peek().is_some() || states.named.status != Status::Succeeded {
        return booked.map(|(_, item)| item.amount).sum();
    }
    // Money that failed at another attempt says nothing of this one.
    let is_others = |id: &str| {
        let of = |at: usize| states.attempts[at].ids.contains(id);
        states.leading.is_some_and(|leading| !of(leading)) && (0..states.attempts.len()).any(of)
    };
    let failed = items.iter().any(|(id, (_, item))| item.booking == Booking::Reversed && !is_others(id));
    if failed { Decimal::ZERO } else { record.registered.requested_amount.unwrap_or_default() }
}

fn gives_nothing_back(event: &Event) -> bool {
    event.facts.remainder || event.facts.as_cancellation
}

/// The refunds that nobody registered. One of unknown amount gave back all that was paid.
fn unregistered(told: &[Told], paid: Decimal) -> Decimal {
    let refunds = attempts(told, Kind::Refund, |event| event.kinds == [Kind::Refund]);
    let refunds = refunds.iter().filter(|refund| !refund.events.iter().any(gives_nothing_back));
    let standing = refunds.filter(|refund| {
        let mut words = refund.events.iter().filter(|event| event.facts.status.is_some() && !event.yields_to_success);
        words.next_back().is_some_and(|event| event.facts.status == Some(Status::Succeeded))
    });
    standing.map(|refund| refund.events.iter().rev().find_map(|event| event.facts.refunded).unwrap_or(paid)).sum()
}

fn chargebacks<'a>(events: &'a [&'a Event]) -> impl Iterator<Item = (&'a Event, &'a Chargeback)> {
    events.iter().flat_map(|event| event.facts.chargebacks.iter().map(|news| (*event, news)))
}

/// The chargeback of one dispute.
fn gone(events: &[&Event], id: &str, paid: Decimal) -> Option<Gone> {
    let mut news: Vec<_> = chargebacks(events).filter(|(_, news)| news.id == id).collect();
    news.sort_by_key(|(event, news)| place(event, life_of(news.booking)));
    let disputed = news.iter().rev().find_map(|(_, news)| news.disputed);
    let (amount, fee, date) = if news.iter().any(|(_, news)| news.movements.is_some()) {
        let (taken, fee, date) = moved(&news, disputed.unwrap_or(paid))?;
        (disputed.map_or(taken, |disputed| disputed.min(taken)), fee, date)
    } else {
        let (_, last) = news.last().filter(|(_, last)| last.booking == Booking::Booked)?;
        let since = news.iter().rev().take_while(|(_, news)| news.booking != Booking::Reversed);
        let first =
            since.filter(|(_, news)| news.booking == Booking::Booked).last().map_or(last.date, |(_, news)| news.date);
        (disputed.unwrap_or(paid), last.fee, first)
    };
    (amount > Decimal::ZERO).then(|| (id.to_owned(), amount, fee, date))
}

/// The money that came back without naming its dispute.
fn came_back(events: &[&Event], id: &str) -> Decimal {
    let mut news: Vec<_> = chargebacks(events).filter(|(_, news)| news.id == id).collect();
    news.sort_by_key(|(event, news)| place(event, life_of(news.booking)));
    let mut last: BTreeMap<&str, &Movement> = BTreeMap::new();
    last.extend(news.iter().flat_map(|(_, news)| news.movements.iter().flatten()).map(|one| (one.id.as_str(), one)));
    let is_named = news.iter().any(|(_, news)| news.disputed.is_some());
    let only_back = last.values().all(|one| one.amount > Decimal::ZERO && one.currency.is_none());
    if is_named || !only_back { Decimal::ZERO } else { last.values().map(|one| one.amount).sum() }
}

fn give_back(chargebacks: &mut Vec<Gone>, mut amount: Decimal) {
    let mut at = chargebacks.iter().position(|gone| gone.1 == amount).unwrap_or(0);
    while amount > Decimal::ZERO && at < chargebacks.len() {
        let part = amount.min(chargebacks[at].1);
        chargebacks[at].1 -= part;
        amount -= part;
        at += 1;
    }
    chargebacks.retain(|gone| gone.1 > Decimal::ZERO);
}

/// The money that the movements of a dispute left taken, their fees, and the day of the first withdrawal. `base` is the worth
/// of the first withdrawal in another currency.
fn moved(news: &[(&Event, &Chargeback)], base: Decimal) -> Option<(Decimal, Option<Decimal>, Date)> {
    let mut known: BTreeMap<&str, (Timestamp, &Movement)> = BTreeMap::new();
    for movement in news.iter().flat_map(|(_, news)| news.movements.iter().flatten()) {
        let at = known.get(movement.id.as_str()).map_or(movement.at, |(at, _)| (*at).min(movement.at));
        known.insert(&movement.id, (at, movement));
    }
    let mut known: Vec<_> = known.into_values().collect();
    known.sort_by_key(|(at, movement)| (*at, &movement.id));
    let (first, _) = known.iter().find(|(_, movement)| movement.amount < Decimal::ZERO)?;
    let abroad: Vec<_> = known.iter().map(|(_, movement)| movement).filter(|one| one.currency.is_some()).collect();
    let mut taken: Decimal = known.iter().filter(|(_, one)| one.currency.is_none()).map(|(_, one)| -one.amount).sum();
    if let Some(unit) = abroad.iter().find(|movement| movement.amount < Decimal::ZERO) {
        taken += abroad.iter().map(|one| (one.amount * base / unit.amount).round_dp(2)).sum::<Decimal>();
    }
    let fees: Decimal = known.iter().filter(|(_, one)| one.currency.is_none()).filter_map(|(_, one)| one.fee).sum();
    let date = first.to_zoned(jiff::tz::TimeZone::UTC).date();
    Some((taken, Some(fees).filter(|fees| *fees > Decimal::ZERO), date))
}
