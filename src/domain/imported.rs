//! What an import states of a record: the money that had moved before the relay knew the record.
//!
//! An event outranks it, whichever came first. What has a PSP id is the same booking as that of an event with this id. What has
//! none stands until bookings of events reach its amount, so that nothing is counted twice.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::attempt::{self, Attempt};
use super::dispute::{Dispute, Said};
use super::event::{Booking, Item, Why};
use super::ids::TransformId;
use super::money::Currency;
use super::stamp::{Stamp, Stamped};
use super::status::{Status, StatusFact};

/// The facts of the newest import of a record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Imported {
    /// Payment: its bookings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub payments: Vec<ImportedItem>,
    /// Payment: its chargebacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chargebacks: Vec<ImportedChargeback>,
    /// Payment: its refunds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<ImportedRefund>,
    /// Preauthorization: the reserved amount. Refund: the amount that was given back. Major units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Decimal>,
    /// Refund: its day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub booking_date: Option<Date>,
    /// The state that the import has stated with a time. Another import states another one in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated: Option<Stamped<StatusFact>>,
}

/// A booking of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedItem {
    /// The PSP's id of the booking, if the payment stack knows it.
    pub id: Option<String>,
    /// Major units.
    pub amount: Decimal,
    /// The day of the booking.
    pub date: Date,
    /// The PSP's description.
    pub description: Option<String>,
}

/// A chargeback of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedChargeback {
    /// The PSP's id of the dispute, if the payment stack knows it.
    pub id: Option<String>,
    /// Major units.
    pub amount: Decimal,
    /// The day on which the money went.
    pub date: Date,
    /// The PSP's charge for the chargeback, major units.
    pub fee: Option<Decimal>,
    /// The reason.
    pub why: Option<Why>,
}

/// A refund of a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportedRefund {
    /// The PSP's id of the refund, if the payment stack knows it.
    pub id: Option<String>,
    /// Major units.
    pub amount: Decimal,
    /// The day of the refund, if it is known.
    pub date: Option<Date>,
    /// The registered refund that has this id and counts in its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<TransformId>,
}

/// The claims of events that an import stands beside.
pub(super) struct Known<'a> {
    pub(super) items: &'a mut BTreeMap<String, Stamped<Item>>,
    pub(super) disputes: &'a mut BTreeMap<String, Dispute>,
    pub(super) refunds: &'a mut Vec<Attempt>,
}

/// The stamp of an imported fact: every event outranks it.
fn stamp() -> Stamp {
    Stamp { at: Timestamp::MIN, rank: 0, tie: String::new() }
}

impl Imported {
    /// Whether nothing is stated.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds to the claims of events what is stated under the PSP's ids. An event that says "under way" of a booking is older news.
    pub(super) fn join(&self, known: Known<'_>) {
        let Known { items, disputes, refunds } = known;
        for (id, item) in self.payments.iter().filter_map(|item| Some((item.id.as_ref()?, item))) {
            join_item(items, id, item);
        }
        for (id, chargeback) in self.chargebacks.iter().filter_map(|one| Some((one.id.as_ref()?, one))) {
            disputes.entry(id.clone()).or_default().join_imported(chargeback.dispute());
        }
        for (id, refund) in self.counted_refunds() {
            join_refund(refunds, id, refund.amount);
        }
    }

    /// The refunds with an id for which no registered refund counts.
    pub(super) fn counted_refunds(&self) -> impl Iterator<Item = (&String, &ImportedRefund)> {
        let named = self.refunds.iter().filter_map(|refund| Some((refund.id.as_ref()?, refund)));
        named.filter(|(_, refund)| refund.by.is_none())
    }

    /// The amount of the refunds in whose place this registered refund counts.
    pub(super) fn taken_over_by(&self, id: &TransformId) -> Decimal {
        self.refunds.iter().filter(|refund| refund.by.as_ref() == Some(id)).map(|refund| refund.amount).sum()
    }

    /// Notes whether the registered refund `id`, with these PSP ids, counts in the place of stated ones.
    pub fn note_refund(&mut self, id: &TransformId, psp_ids: &BTreeSet<&String>) {
        for refund in &mut self.refunds {
            if refund.id.as_ref().is_some_and(|own| psp_ids.contains(own)) {
                refund.by = Some(id.clone());
            } else if refund.by.as_ref() == Some(id) {
                refund.by = None;
            }
        }
    }

    /// Keeps what is known of stated refunds that are registered ones.
    pub(super) fn keep_notes(&mut self, before: &Self) {
        for refund in self.refunds.iter_mut().filter(|refund| refund.id.is_some()) {
            let known = before.refunds.iter().find(|known| known.id == refund.id);
            refund.by = known.and_then(|known| known.by.clone());
        }
    }

    /// The money that is stated, or the success that stands for it, in words; none if nothing has moved.
    pub(super) fn told(&self, currency: Option<Currency>) -> Option<String> {
        let Self { payments, chargebacks, refunds, amount, booking_date, stated } = self;
        let booked: Decimal = payments.iter().map(|item| item.amount).sum();
        let gone: Decimal = chargebacks.iter().map(|one| one.amount).sum();
        let given: Decimal = refunds.iter().map(|refund| refund.amount).sum();
        let sums = [(booked, "bookings"), (gone, "chargebacks"), (given, "refunds")]
            .map(|(sum, of)| (sum, format!(" of {of}")));
        let whole = amount.map(|amount| (amount, String::new()));
        let currency = currency.map(|currency| format!(" {currency}")).unwrap_or_default();
        let money = sums.into_iter().chain(whole).find(|(sum, _)| *sum > Decimal::ZERO);
        let money = money.map(|(sum, of)| format!("{}{currency}{of}", sum.normalize()));
        let is_success = booking_date.is_some() || stated.as_ref().is_some_and(|fact| fact.value.stands);
        money.or_else(|| is_success.then(|| "a success".to_owned()))
    }

    /// Whether bookings are stated, and reach this amount.
    pub(super) fn reaches(&self, amount: Decimal) -> bool {
        !self.payments.is_empty() && self.payments.iter().map(|item| item.amount).sum::<Decimal>() >= amount
    }
}

fn join_item(items: &mut BTreeMap<String, Stamped<Item>>, id: &str, stated: &ImportedItem) {
    let item = Item {
        id: id.to_owned(),
        amount: stated.amount,
        booking: Booking::Booked,
        date: stated.date,
        description: stated.description.clone(),
    };
    match items.get_mut(id) {
        Some(known) if known.value.booking == Booking::Open => *known = Stamped { stamp: stamp(), value: item },
        Some(known) => known.value.description = known.value.description.take().or(item.description),
        None => drop(items.insert(id.to_owned(), Stamped { stamp: stamp(), value: item })),
    }
}

/// Adds a refund that has succeeded. Of an attempt that has only begun at the PSP the import knows a state further on.
fn join_refund(refunds: &mut Vec<Attempt>, id: &str, amount: Decimal) {
    let status = StatusFact { status: Status::Succeeded, error: None, since: Timestamp::MIN, stands: true };
    let succeeded = Stamped { stamp: stamp(), value: status };
    let refunded = Some(Stamped { stamp: stamp(), value: amount });
    let mut stated = Attempt { ids: BTreeSet::from([id.to_owned()]), refunded, ..Attempt::default() };
    let known = refunds.iter_mut().find(|refund| refund.ids.contains(id));
    match known {
        Some(known) if known.state().is_none_or(|fact| fact.value.status.is_under_way()) => {
            (known.status, known.yielding, known.unreviving) = (Some(succeeded), None, None);
        }
        Some(_) => {}
        None => stated.status = Some(succeeded),
    }
    attempt::join(refunds, vec![stated]);
}

/// Whether a booking is only stated: no event has booked or reversed it.
pub(super) fn is_only_stated(item: &Stamped<Item>) -> bool {
    item.stamp == stamp()
}

impl ImportedChargeback {
    fn dispute(&self) -> Dispute {
        let said = Said { booking: Booking::Booked, fee: self.fee, date: self.date };
        Dispute {
            said: Some(Stamped { stamp: stamp(), value: said }),
            went: vec![Stamped { stamp: stamp(), value: self.date }],
            amount: Some(Stamped { stamp: stamp(), value: self.amount }),
            why: self.why.clone().map(|value| Stamped { stamp: stamp(), value }),
            ..Dispute::default()
        }
    }
}
