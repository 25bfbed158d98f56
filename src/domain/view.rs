//! The view of a record: what Transform may read, derived from the record's claims. A change that the view does not show
//! does not count as a change.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::due::utc_date;
use super::event::{Booking, Chargeback, Item};
use super::ids::Kind;
use super::money::Currency;
use super::record::Record;
use super::stamp::Stamped;
use super::status::{PspError, Status, StatusFact};

/// The visible state of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The state, after the bookings were taken into account (see [`View::of`]).
    pub status: Status,
    /// The failure, if the PSP named one.
    pub error: Option<PspError>,
    /// The time of the error (its `receivedAt`), if the record shows one: it is Failed, or the PSP named a failure.
    /// Without it, a second failure for the same reason would look like the first.
    pub error_since: Option<Timestamp>,
    /// The PSP's id.
    pub psp_id: Option<String>,
    /// The currency of all amounts.
    pub currency: Option<Currency>,
    /// Major units.
    pub requested_amount: Option<Decimal>,
    /// The customer's payment data: the integrator's values, overlaid with the PSP's.
    pub bearer: BTreeMap<String, String>,
    /// The URL at which the customer finishes the transaction.
    pub redirect_url: Option<String>,
    /// The part that only this kind has.
    pub detail: Detail,
}

/// The fields that only one kind of record has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// PreauthResponse.
    Preauth {
        /// Major units; zero unless the reservation stands.
        authorized: Decimal,
        /// The end of the reservation.
        expires_at: Option<Timestamp>,
    },
    /// PaymentResponse.
    Payment(Box<PaymentDetail>),
    /// RefundResponse.
    Refund {
        /// Major units; zero until the refund is confirmed.
        refunded: Decimal,
        /// The day of the refund.
        booking_date: Option<Date>,
    },
    /// AgreementResponse.
    Agreement,
}

/// The fields that only a payment has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentDetail {
    /// The bookings that stand.
    pub payments: Vec<Item>,
    /// The chargebacks that stand.
    pub chargebacks: Vec<Chargeback>,
    /// Confirmed refunds, never more than was paid (contract, section 3).
    pub refunded: Decimal,
    /// The amount that can still be refunded: paid, less refunds and chargebacks.
    pub refundable: Decimal,
    /// The due date of a direct debit.
    pub due_date: Option<Date>,
}

impl View {
    /// Derives the visible state.
    ///
    /// For a payment the bookings decide, not the named state. It has Succeeded when the bookings reach the requested amount
    /// ("only when the full amount is confirmed", contract, section 3). It is Pending while only a part is booked. Without
    /// any booking the last named state stands.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let named = named_status(record);
        let payment = (record.key.kind == Kind::Payment).then(|| payment_detail(record, &named));
        let status = match &payment {
            Some(detail) => payment_status(record, detail, named.status),
            None => named.status,
        };
        let error = named.error.clone().filter(|_| status == named.status);
        let registered = &record.registered;
        let mut bearer = registered.bearer.clone();
        if let Some(seen) = &record.seen.bearer {
            bearer.extend(seen.value.clone());
        }
        Self {
            status,
            error_since: (status == Status::Failed || error.is_some()).then_some(named.since),
            error,
            psp_id: registered.psp_id.clone().or_else(|| record.seen.psp_id.as_ref().map(|id| id.value.clone())),
            currency: registered.currency,
            requested_amount: registered.requested_amount,
            bearer,
            redirect_url: registered.redirect_url.clone(),
            detail: match record.key.kind {
                Kind::Preauth => preauth_detail(record, status),
                Kind::Payment => Detail::Payment(Box::new(payment.unwrap_or_default())),
                Kind::Refund => refund_detail(record, status),
                Kind::Agreement => Detail::Agreement,
            },
        }
    }
}

impl Default for PaymentDetail {
    fn default() -> Self {
        Self {
            payments: Vec::new(),
            chargebacks: Vec::new(),
            refunded: Decimal::ZERO,
            refundable: Decimal::ZERO,
            due_date: None,
        }
    }
}

/// The sum that a payment has received: the bookings that stand, major units.
#[must_use]
pub fn paid(record: &Record) -> Decimal {
    booked_items(record, &named_status(record)).iter().map(|item| item.amount).sum()
}

/// The amount that a succeeded refund has given back; none in any other state.
#[must_use]
pub fn confirmed_refund(record: &Record) -> Option<Decimal> {
    match View::of(record) {
        View { status: Status::Succeeded, detail: Detail::Refund { refunded, .. }, .. } => Some(refunded),
        _ => None,
    }
}

/// The last named state: that of an event, else that of the registration.
///
/// An event that only says "under way" does not overrule a registered state that is further on. The event is older news than
/// the payment stack's answer to Transform.
fn named_status(record: &Record) -> StatusFact {
    let registered = record.registered.status.unwrap_or(Status::Initiated);
    let kind = record.key.kind;
    // A registered end may belong to an earlier attempt.
    let older = |seen: Status| {
        matches!(seen, Status::Initiated | Status::Pending)
            && !registered.has_ended()
            && registered.rank(kind) > seen.rank(kind)
    };
    match &record.seen.status {
        Some(Stamped { value: seen, .. }) if !older(seen.status) => seen.clone(),
        _ => StatusFact { status: registered, error: None, since: record.registered_at },
    }
}

fn payment_status(record: &Record, detail: &PaymentDetail, named: Status) -> Status {
    let paid: Decimal = detail.payments.iter().map(|item| item.amount).sum();
    let requested = record.registered.requested_amount.unwrap_or(paid);
    if paid > Decimal::ZERO && paid >= requested {
        Status::Succeeded
    } else if paid > Decimal::ZERO || named == Status::Succeeded {
        Status::Pending
    } else {
        named
    }
}

fn payment_detail(record: &Record, named: &StatusFact) -> PaymentDetail {
    let payments = booked_items(record, named);
    let paid: Decimal = payments.iter().map(|item| item.amount).sum();
    let chargebacks = booked_chargebacks(record, paid);
    let charged_back: Decimal = chargebacks.iter().map(|chargeback| chargeback.amount).sum();
    let refunded = record.refunds.values().copied().sum::<Decimal>().min(paid);
    PaymentDetail {
        payments,
        chargebacks,
        refunded,
        refundable: (paid - refunded - charged_back).max(Decimal::ZERO),
        due_date: record.registered.due_date,
    }
}

/// The chargebacks that stand. A chargeback of unknown amount counts as all that was paid: that may be too much, but
/// never too little.
fn booked_chargebacks(record: &Record, paid: Decimal) -> Vec<Chargeback> {
    let seen = &record.seen;
    let chargebacks = seen.chargebacks.values().map(|chargeback| &chargeback.value);
    let complete = |chargeback: &Chargeback| {
        let why = seen.chargeback_reasons.get(&chargeback.id).map(|why| why.value.clone());
        let named = seen.chargeback_amounts.get(&chargeback.id).map(|amount| amount.value);
        let amount = if chargeback.amount.is_zero() { named.unwrap_or(paid) } else { chargeback.amount };
        Chargeback { amount, why, ..chargeback.clone() }
    };
    chargebacks.filter(|chargeback| chargeback.booking == Booking::Booked).map(complete).collect()
}

/// The bookings that stand. A succeeded payment without a known booking was paid in full: that is the meaning of the state.
fn booked_items(record: &Record, named: &StatusFact) -> Vec<Item> {
    let items = &record.seen.items;
    if named.status == Status::Succeeded && items.values().all(|item| item.value.booking == Booking::Open) {
        return implied_item(record, named).into_iter().collect();
    }
    items.values().filter(|item| item.value.booking == Booking::Booked).map(|item| item.value.clone()).collect()
}

fn implied_item(record: &Record, named: &StatusFact) -> Option<Item> {
    Some(Item {
        id: record.registered.psp_id.clone().unwrap_or_else(|| record.key.id.to_string()),
        amount: record.registered.requested_amount?,
        booking: Booking::Booked,
        date: utc_date(named.since),
        description: None,
    })
}

fn preauth_detail(record: &Record, status: Status) -> Detail {
    let authorized = record.seen.authorized.as_ref().map(|fact| fact.value).or(record.registered.requested_amount);
    Detail::Preauth {
        authorized: authorized.filter(|_| status == Status::Succeeded).unwrap_or_default(),
        expires_at: record.seen.expires_at.as_ref().map(|fact| fact.value).or(record.registered.expires_at),
    }
}

fn refund_detail(record: &Record, status: Status) -> Detail {
    let refunded = record.seen.refunded.as_ref().map(|fact| fact.value).or(record.registered.requested_amount);
    let confirmed = status == Status::Succeeded;
    Detail::Refund {
        refunded: refunded.filter(|_| confirmed).unwrap_or_default(),
        booking_date: confirmed.then(|| utc_date(named_status(record).since)),
    }
}
