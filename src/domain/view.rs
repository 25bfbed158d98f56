//! The view of a record: what Transform may read, derived from the record's claims. A change that the view does not show
//! does not count as a change.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use super::attempt::Attempt;
use super::bearer;
use super::dispute::{self, BookedChargeback};
use super::due::utc_date;
use super::event::{Booking, Item, message_key};
use super::ids::Kind;
use super::left::{self, is_only_stated};
use super::money::Currency;
use super::record::{Record, Seen};
use super::stamp::Stamped;
use super::standing::{self, Standing, reserved};
use super::status::{PspError, Status};
use super::unexplained;

/// The visible state of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The state, after the bookings were taken into account (see [`View::of`]).
    pub status: Status,
    /// The failure, if the PSP named one.
    pub error: Option<PspError>,
    /// The PSP's time of the error, if the record shows one: it is Failed, or the PSP named a failure. Without it, a second
    /// failure for the same reason would look like the first.
    pub error_since: Option<Timestamp>,
    /// The PSP's id.
    pub psp_id: Option<String>,
    /// The currency of all amounts.
    pub currency: Option<Currency>,
    /// Major units.
    pub requested_amount: Option<Decimal>,
    /// The customer's payment data: the integrator's values, overlaid with the PSP's.
    pub bearer: BTreeMap<String, String>,
    /// Agreement: the last amendment of the means of payment that it shows, by its time and the key of its message. Transform
    /// is told of an amendment, also where no field differs (contract, section 2).
    pub amended: Option<(Timestamp, String)>,
    /// The URL at which the customer finishes the transaction.
    pub redirect_url: Option<String>,
    /// What belongs to that URL.
    pub redirect_data: BTreeMap<String, String>,
    /// The payment stack's own id of the transaction.
    pub external_id: Option<String>,
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
        /// The day on which the refund succeeded.
        booking_date: Option<Date>,
        /// The description.
        description: Option<String>,
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
    pub chargebacks: Vec<BookedChargeback>,
    /// Confirmed refunds, never more than was paid (contract, section 3).
    pub refunded: Decimal,
    /// The amount that can still be refunded: paid, less refunds and chargebacks.
    pub refundable: Decimal,
    /// The due date of a direct debit.
    pub due_date: Option<Timestamp>,
}

impl View {
    /// Derives the visible state.
    ///
    /// For a payment the bookings decide, not the named state. It has Succeeded when the bookings reach the requested amount
    /// ("only when the full amount is confirmed", contract, section 3). It is Pending while only a part is booked. Without
    /// any booking the last named state stands.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let mut seen = record.claims();
        standing::forget_former(record, &mut seen);
        let standing = Standing::of(record, &seen);
        let named = &standing.named;
        let detail = detail(&standing);
        let status = match &detail {
            Detail::Payment(payment) => payment_status(&standing, payment),
            Detail::Preauth { .. } if is_captured(&standing) => Status::Succeeded,
            _ => named.status,
        };
        let error = named.error.clone().filter(|_| status == named.status);
        let registered = &record.registered;
        Self {
            status,
            error_since: (status == Status::Failed || error.is_some()).then_some(named.since),
            error,
            psp_id: standing.psp_id(),
            currency: registered.currency,
            requested_amount: registered.requested_amount,
            bearer: bearer::shown(&standing),
            amended: standing.amended().map(|last| (last.value, message_key(&last.stamp.tie).to_owned())),
            redirect_url: registered.redirect_url.clone(),
            redirect_data: registered.redirect_data.clone(),
            external_id: registered.external_id.clone(),
            detail,
        }
    }
}

fn detail(standing: &Standing<'_>) -> Detail {
    match standing.record.key.kind {
        Kind::Preauth => preauth_detail(standing),
        Kind::Payment => Detail::Payment(Box::new(payment_detail(standing))),
        Kind::Refund => refund_detail(standing),
        Kind::Agreement => Detail::Agreement,
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
    let seen = record.claims();
    booked_items(&Standing::of(record, &seen)).iter().map(|item| item.amount).sum()
}

/// The amount of its payment's money that a succeeded refund has given back; none in any other state.
#[must_use]
pub fn confirmed_refund(record: &Record) -> Option<Decimal> {
    let seen = record.claims();
    let standing = Standing::of(record, &seen);
    (standing.named.status == Status::Succeeded).then(|| standing.sum(taken))
}

/// Whether a registered refund has succeeded, and each attempt that stands was carried out as a cancellation of the payment.
#[must_use]
pub fn is_cancellation(refund: &Record) -> bool {
    let seen = refund.claims();
    let standing = Standing::of(refund, &seen);
    let mut successes = standing.successes().map(|(attempt, _)| attempt).peekable();
    successes.peek().is_some() && successes.all(|attempt| attempt.as_cancellation)
}

fn payment_status(standing: &Standing<'_>, detail: &PaymentDetail) -> Status {
    let named = standing.named.status;
    let paid: Decimal = detail.payments.iter().map(|item| item.amount).sum();
    let missing = standing.record.registered.requested_amount.map_or(Decimal::ZERO, |requested| requested - paid);
    if paid > Decimal::ZERO && (missing <= Decimal::ZERO || missing < standing.tolerance(&detail.payments)) {
        Status::Succeeded
    } else if paid > Decimal::ZERO || named == Status::Succeeded {
        Status::Pending
    } else if named.is_under_way() && is_cancelled(standing.record) {
        Status::Cancelled
    } else {
        named
    }
}

/// Whether a refund of a capture was carried out as a cancellation: its authorization has ended, and nothing was captured.
fn is_cancelled(payment: &Record) -> bool {
    payment.registered.preauth_id.is_some() && !payment.cancelled_by.is_empty()
}

fn payment_detail(standing: &Standing<'_>) -> PaymentDetail {
    let (record, seen) = (standing.record, standing.seen);
    let payments = booked_items(standing);
    let paid: Decimal = payments.iter().map(|item| item.amount).sum();
    let chargebacks = dispute::chargebacks(&seen.disputes, paid, |standing| {
        if let Some(imported) = &record.registered.imported {
            left::add_chargebacks(imported, &seen.disputes, paid, standing);
        }
    });
    let charged_back: Decimal = chargebacks.iter().map(|chargeback| chargeback.amount).sum();
    let refunded = given_back(record, seen, paid).min(paid);
    PaymentDetail {
        payments,
        chargebacks,
        refunded,
        refundable: (paid - refunded - charged_back).max(Decimal::ZERO),
        due_date: record.registered.due_date,
    }
}

/// The sum of all refunds, registered or not, and of what running totals have above them. A refund of unknown amount counts as
/// all that was paid, unless an account shows what was given back. It may show more than the refunds that are known.
fn given_back(record: &Record, seen: &Seen, paid: Decimal) -> Decimal {
    let unregistered = seen.refunds.iter().filter(|refund| refund.stands());
    let shown = record.given_back();
    let unknown = if shown.is_some() { Decimal::ZERO } else { paid };
    let amount = |refund: &Attempt| taken(refund).unwrap_or(unknown);
    let known = record.refunds.values().copied().sum::<Decimal>() + unregistered.map(amount).sum::<Decimal>();
    let known = (known + unexplained::further_refunds(record, seen, paid)).max(shown.unwrap_or_default());
    let imported = record.registered.imported.as_ref();
    known + imported.map_or(Decimal::ZERO, |imported| left::further_refunds(imported, record, seen, (known, paid)))
}

/// Whether the refunds of a payment that is paid in full exceed what was paid. They are told as they are, and the view caps.
#[must_use]
pub fn is_over_refunded(record: &Record) -> bool {
    if record.key.kind != Kind::Payment || !may_have_refunds(record) {
        return false;
    }
    let paid = paid(record);
    View::of(record).status == Status::Succeeded && given_back(record, &record.claims(), paid) > paid
}

/// Whether anything is known of refunds of a payment. Nearly always nothing is, and no sum has to be made.
fn may_have_refunds(record: &Record) -> bool {
    let tells = |seen: &Seen| !(seen.refunds.is_empty() && seen.totals.is_empty() && seen.statements.is_empty());
    !record.refunds.is_empty() || record.registered.imported.is_some() || tells(&record.seen) || tells(&record.placed)
}

/// The bookings that stand. A succeeded payment without a known booking was paid in full: that is the meaning of the state.
fn booked_items(standing: &Standing<'_>) -> Vec<Item> {
    let items = &standing.seen.items;
    let booked = items.values().filter(|item| item.value.booking == Booking::Booked).map(|item| item.value.clone());
    let mut booked: Vec<Item> = booked.collect();
    unexplained::add_items(standing.seen, &mut booked);
    let its = |id: &str| standing.leading.is_none_or(|attempt| attempt.ids.contains(id) || !is_anothers(standing, id));
    let is_stated = |id: &str| is_only_stated(standing.seen, id);
    let is_open = |(id, item): (&String, &Stamped<Item>)| item.value.booking == Booking::Open || is_stated(id);
    let undecided = || items.iter().filter(|(id, _)| its(id)).all(is_open);
    let is_implied = booked.iter().all(|item| is_stated(&item.id)) && standing.named.status == Status::Succeeded;
    if is_implied && undecided() && !is_imported(standing) {
        booked.extend(implied_item(standing));
    }
    if let Some(imported) = &standing.record.registered.imported {
        left::add_items(imported, standing.seen, standing.record.registered.requested_amount, &mut booked);
    }
    booked
}

/// Whether an import states the bookings of a payment that has succeeded without a known booking: they reach the requested amount,
/// or no event told of the success.
fn is_imported(standing: &Standing<'_>) -> bool {
    let by_event = standing.leading.is_some_and(Attempt::stands);
    let most = standing.record.registered.requested_amount.filter(|_| by_event).unwrap_or_default();
    standing.record.registered.imported.as_ref().is_some_and(|imported| imported.reaches(most))
}

/// Whether a booking belongs to another attempt than the leading one.
fn is_anothers(standing: &Standing<'_>, id: &str) -> bool {
    standing.seen.attempts.iter().any(|attempt| attempt.ids.contains(id))
}

fn implied_item(standing: &Standing<'_>) -> Option<Item> {
    let record = standing.record;
    Some(Item {
        id: record.registered.psp_id.clone().unwrap_or_else(|| record.key.id.to_string()),
        amount: record.registered.requested_amount?,
        booking: Booking::Booked,
        date: utc_date(standing.named.since),
        description: None,
    })
}

/// Whether a reservation has ended after captures: only its rest has ended, and what was captured stands.
fn is_captured(standing: &Standing<'_>) -> bool {
    standing.named.status.has_ended() && !standing.record.captures.is_empty()
}

fn preauth_detail(standing: &Standing<'_>) -> Detail {
    let registered = &standing.record.registered;
    let captured: Decimal = standing.record.captures.values().copied().sum();
    let authorized = match standing.named.status {
        Status::Succeeded => standing.sum(|attempt| reserved(attempt, standing.record.whole())),
        _ if is_captured(standing) => captured,
        _ => Decimal::ZERO,
    };
    let expires_at = standing.leading.and_then(|attempt| attempt.expires_at.as_ref());
    Detail::Preauth { authorized, expires_at: expires_at.map(|fact| fact.value).or(registered.expires_at) }
}

/// The amount that an attempt has given back, if it is known. The rest of a reservation gives nothing back.
fn given(refund: &Attempt) -> Option<Decimal> {
    if refund.remainder { Some(Decimal::ZERO) } else { refund.refunded.as_ref().map(|amount| amount.value) }
}

/// The amount of its payment's money that an attempt has given back, if it is known.
fn taken(refund: &Attempt) -> Option<Decimal> {
    if refund.gives_nothing_back() { Some(Decimal::ZERO) } else { given(refund) }
}

fn refund_detail(standing: &Standing<'_>) -> Detail {
    let confirmed = standing.named.status == Status::Succeeded;
    let refunded = || standing.sum(given);
    // The day of a success that an event tells of is that event's.
    let by_event = standing.successes().any(|(attempt, _)| attempt.stands());
    let stated = standing.record.registered.imported.as_ref().and_then(|imported| imported.booking_date);
    let stated = stated.filter(|_| !by_event);
    Detail::Refund {
        refunded: if confirmed { refunded() } else { Decimal::ZERO },
        booking_date: confirmed.then(|| stated.unwrap_or_else(|| utc_date(standing.named.since))),
        description: standing.record.registered.description.clone(),
    }
}
