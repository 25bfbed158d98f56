//! What a line of an import says of a record beside its registration, and whether it can be so.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contradiction::BOOKINGS_MAX;
use super::due::utc_date;
use super::event::Why;
use super::fields::{amount, day};
use super::ids::Kind;
use super::imported::{Imported, ImportedChargeback, ImportedItem, ImportedRefund};
use super::money::{Currency, stated};
use super::registration::{Refusal, Registration, check_id};
use super::status::{ChargebackReason, Status};
use super::text::shown_id;

/// How far a booking may lie ahead: banks book ahead over weekends and holidays.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(31 * 24);

/// The fields of a line of an import that a registration does not have: the contract's names (section 3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Moved {
    /// Payment: its bookings that stand.
    pub payments: Option<Vec<MovedItem>>,
    /// Payment: its chargebacks that stand.
    pub chargebacks: Option<Vec<MovedChargeback>>,
    /// Payment: its refunds that have succeeded and are no records of their own.
    pub refunds: Option<Vec<MovedItem>>,
    /// Refund: the amount that was given back; the requested amount if absent. Payment: all that was given back, refunds of their own
    /// included.
    #[serde(deserialize_with = "amount")]
    #[schemars(with = "Value", extend("type" = ["number", "string", "null"]))]
    pub refunded_amount: Option<Decimal>,
    /// Payment: it is read and not kept, since it follows from the others.
    #[serde(deserialize_with = "amount")]
    #[schemars(with = "Value", extend("type" = ["number", "string", "null"]))]
    pub refundable_amount: Option<Decimal>,
    /// Refund: the day on which it succeeded.
    #[serde(deserialize_with = "day")]
    #[schemars(with = "Option<String>")]
    pub booking_date: Option<Date>,
    /// Preauthorization: the reserved amount; the requested amount if absent.
    #[serde(deserialize_with = "amount")]
    #[schemars(with = "Value", extend("type" = ["number", "string", "null"]))]
    pub authorized_amount: Option<Decimal>,
}

/// A booking or a refund of a payment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MovedItem {
    /// The PSP's id of it, of 1 to 255 bytes. An id that is not the PSP's must be left out.
    #[schemars(length(min = 1, max = 255))]
    pub external_item_id: Option<String>,
    /// Major units, more than 0.
    #[serde(deserialize_with = "amount")]
    #[schemars(with = "Value", extend("type" = ["number", "string", "null"]))]
    pub amount: Option<Decimal>,
    /// The day of the booking: a day, or an instant (RFC 3339), of which the day in UTC counts.
    #[serde(deserialize_with = "day")]
    #[schemars(with = "Option<String>")]
    pub booking_date: Option<Date>,
    /// The PSP's description.
    pub description: Option<String>,
}

/// A chargeback of a payment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MovedChargeback {
    /// The PSP's id of the dispute, of 1 to 255 bytes. An id that is not the PSP's must be left out.
    #[schemars(length(min = 1, max = 255))]
    pub external_item_id: Option<String>,
    /// Major units, more than 0.
    #[serde(deserialize_with = "amount")]
    #[schemars(with = "Value", extend("type" = ["number", "string", "null"]))]
    pub amount: Option<Decimal>,
    /// The day on which the money went: a day, or an instant (RFC 3339), of which the day in UTC counts.
    #[serde(deserialize_with = "day")]
    #[schemars(with = "Option<String>")]
    pub booking_date: Option<Date>,
    /// The PSP's words for the reason, if `pspReasonMessage` is absent.
    pub description: Option<String>,
    /// The PSP's charge for the chargeback, major units.
    #[serde(deserialize_with = "amount")]
    #[schemars(with = "Value", extend("type" = ["number", "string", "null"]))]
    pub fee_amount: Option<Decimal>,
    /// The reason in the contract's words.
    pub reason: Option<ChargebackReason>,
    /// The PSP's code for the reason.
    pub psp_reason_code: Option<String>,
    /// The PSP's words for the reason.
    pub psp_reason_message: Option<String>,
}

/// The fields of [`Moved`] with the kinds of record that have them.
pub const MOVED_FIELDS: [(&str, &[Kind]); 7] = [
    ("authorizedAmount", &[Kind::Preauth]),
    ("bookingDate", &[Kind::Refund]),
    ("chargebacks", &[Kind::Payment]),
    ("payments", &[Kind::Payment]),
    ("refundableAmount", &[Kind::Payment]),
    ("refundedAmount", &[Kind::Payment, Kind::Refund]),
    ("refunds", &[Kind::Payment]),
];

/// The facts that a line states of a record of this kind and currency.
///
/// # Errors
/// A [`Refusal`] that names the field.
pub fn imported(
    kind: Kind,
    said: &Registration,
    moved: Moved,
    (requested, currency): (Option<Decimal>, Option<Currency>),
    now: Timestamp,
) -> Result<Imported, Refusal> {
    let check = Check { currency, now };
    check.is_of_kind(kind, &moved)?;
    is_complete(kind, said, &moved)?;
    let Moved { payments, chargebacks, refunds, refunded_amount, booking_date, authorized_amount, .. } = moved;
    let whole = |field, amount: Option<Decimal>| amount.map(|amount| check.amount(field, amount, false)).transpose();
    let amount = match kind {
        Kind::Preauth => whole("authorizedAmount", authorized_amount)?,
        Kind::Refund => whole("refundedAmount", refunded_amount)?,
        Kind::Payment | Kind::Agreement => None,
    };
    let booking_date = booking_date.map(|date| check.date("bookingDate", date)).transpose()?;
    let items = |item: &MovedItem| item.external_item_id.clone();
    let payments = check.list("payments", payments, items, |field, item| check.item(field, item))?;
    let mut refunds = check.list("refunds", refunds, items, |field, item| check.refund(field, item))?;
    let of_dispute = |one: &MovedChargeback| one.external_item_id.clone();
    let chargebacks = check.list("chargebacks", chargebacks, of_dispute, |field, one| check.chargeback(field, one))?;
    if let Some(all) = refunded_amount.filter(|_| kind == Kind::Payment) {
        refunds.extend(check.further_refund(all, &refunds)?);
    }
    if kind == Kind::Payment {
        agrees(said, requested, payments.iter().map(|item| item.amount).sum(), refunded_amount)?;
    }
    Ok(Imported { payments, chargebacks, refunds, amount, booking_date, stated: None })
}

/// Refuses a payment that contradicts itself: it has ended without success, or more was given back than has come.
fn agrees(
    said: &Registration,
    requested: Option<Decimal>,
    paid: Decimal,
    given_back: Option<Decimal>,
) -> Result<(), Refusal> {
    let status = said.status.or(said.error.as_ref().map(|_| Status::Failed)).filter(|status| status.has_ended());
    let is_paid = requested.is_some_and(|requested| paid > Decimal::ZERO && paid >= requested);
    if let Some(status) = status.filter(|_| is_paid) {
        let reason = format!(
            "is {}, but the payments reach the requested amount: say Succeeded, or leave out what has not come",
            status.name()
        );
        return Err(Refusal::invalid("status", reason));
    }
    // Without payments the requested amount is the most that can have come.
    let most = if paid > Decimal::ZERO { Some(paid) } else { requested };
    match given_back.zip(most).filter(|(given, most)| given > most) {
        Some((given, most)) if paid > Decimal::ZERO => {
            Err(Refusal::invalid("refundedAmount", format!("is {given}, but the payments are {most} together")))
        }
        Some((given, most)) => {
            Err(Refusal::invalid("refundedAmount", format!("is {given}, but the requested amount is {most}")))
        }
        None => Ok(()),
    }
}

/// Refuses what would show a time that is the import's: a transaction that exists has a state, and its money a day.
fn is_complete(kind: Kind, said: &Registration, moved: &Moved) -> Result<(), Refusal> {
    if said.status.is_none() && said.error.is_none() {
        return Err(Refusal::invalid("status", "is required: an import is of what exists, and that has a state"));
    }
    if said.tell.is_some() {
        return Err(Refusal::invalid("tell", "is not of an import: it tells Transform nothing. Leave it out"));
    }
    let is_dated = said.status_at.is_some();
    if said.error.is_some() && said.status_at.or(said.answered_at).is_none() {
        return Err(Refusal::invalid("statusAt", "is required beside an error: it is the time of the failure"));
    }
    if said.status != Some(Status::Succeeded) || is_dated {
        return Ok(());
    }
    match kind {
        Kind::Payment if moved.payments.as_ref().is_none_or(Vec::is_empty) => Err(Refusal::invalid(
            "payments",
            "is required for a payment that has Succeeded, or else statusAt: its booking needs a day",
        )),
        Kind::Refund if moved.booking_date.is_none() => Err(Refusal::invalid(
            "bookingDate",
            "is required for a refund that has Succeeded, or else statusAt: the refund needs a day",
        )),
        _ => Ok(()),
    }
}

/// The bounds of what a line states.
struct Check {
    currency: Option<Currency>,
    now: Timestamp,
}

impl Check {
    fn is_of_kind(&self, kind: Kind, moved: &Moved) -> Result<(), Refusal> {
        let Moved {
            payments,
            chargebacks,
            refunds,
            refunded_amount,
            refundable_amount,
            booking_date,
            authorized_amount,
        } = moved;
        let said = [
            authorized_amount.is_some(),
            booking_date.is_some(),
            chargebacks.is_some(),
            payments.is_some(),
            refundable_amount.is_some(),
            refunded_amount.is_some(),
            refunds.is_some(),
        ];
        match MOVED_FIELDS.iter().zip(said).find(|((_, kinds), is_said)| *is_said && !kinds.contains(&kind)) {
            Some(((field, _), _)) => Err(Refusal::invalid(field, format!("a record of kind {kind} has no such field"))),
            None => Ok(()),
        }
    }

    /// The facts of a list. A refusal names the place in the list, from 0.
    fn list<T, U>(
        &self,
        field: &'static str,
        said: Option<Vec<T>>,
        id: impl Fn(&T) -> Option<String>,
        fact: impl Fn(&Named, T) -> Result<U, Refusal>,
    ) -> Result<Vec<U>, Refusal> {
        let said = said.unwrap_or_default();
        if said.len() > BOOKINGS_MAX {
            return Err(Refusal::invalid(
                field,
                format!("has {} entries; {BOOKINGS_MAX} are kept of a record", said.len()),
            ));
        }
        let (mut facts, mut ids) = (Vec::new(), BTreeSet::new());
        for (place, one) in said.into_iter().enumerate() {
            let named = Named { field, place };
            if let Some(id) = id(&one) {
                check_id(&id).map_err(|reason| named.refusal("externalItemId", reason))?;
                let said = shown_id(&id);
                if !ids.insert(id) {
                    let reason = format!("{said} is there twice; one id is one booking");
                    return Err(named.refusal("externalItemId", reason));
                }
            }
            facts.push(fact(&named, one)?);
        }
        Ok(facts)
    }

    fn item(&self, named: &Named, item: MovedItem) -> Result<ImportedItem, Refusal> {
        let MovedItem { external_item_id, amount, booking_date, description } = item;
        let (amount, date) = self.booking(named, amount, booking_date)?;
        Ok(ImportedItem { id: external_item_id, amount, date, description })
    }

    fn refund(&self, named: &Named, item: MovedItem) -> Result<ImportedRefund, Refusal> {
        let MovedItem { external_item_id, amount, booking_date, .. } = item;
        let (amount, date) = self.booking(named, amount, booking_date)?;
        Ok(ImportedRefund { id: external_item_id, amount, date: Some(date), by: None })
    }

    fn chargeback(&self, named: &Named, one: MovedChargeback) -> Result<ImportedChargeback, Refusal> {
        let (amount, date) = self.booking(named, one.amount, one.booking_date)?;
        let fee = one.fee_amount.map(|fee| self.amount("", fee, false)).transpose();
        let fee = fee.map_err(|refusal| named.refusal("feeAmount", refusal.reason))?;
        let (psp_code, psp_message) = (one.psp_reason_code, one.psp_reason_message.or(one.description));
        let is_said = one.reason.is_some() || psp_code.is_some() || psp_message.is_some();
        let why = is_said.then(|| Why { reason: one.reason.unwrap_or_default(), psp_code, psp_message });
        Ok(ImportedChargeback { id: one.external_item_id, amount, date, fee, why })
    }

    fn booking(&self, named: &Named, amount: Option<Decimal>, date: Option<Date>) -> Result<(Decimal, Date), Refusal> {
        let amount = amount.ok_or_else(|| named.refusal("amount", "is required"))?;
        let amount = self.amount("", amount, true).map_err(|refusal| named.refusal("amount", refusal.reason))?;
        let date = date.ok_or_else(|| named.refusal("bookingDate", "is required"))?;
        let date = self.date("", date).map_err(|refusal| named.refusal("bookingDate", refusal.reason))?;
        Ok((amount, date))
    }

    /// What was given back beyond the listed refunds, as one more of them. Its day is not known.
    fn further_refund(&self, all: Decimal, listed: &[ImportedRefund]) -> Result<Option<ImportedRefund>, Refusal> {
        let all = self.amount("refundedAmount", all, false)?;
        let listed: Decimal = listed.iter().map(|refund| refund.amount).sum();
        if !listed.is_zero() && listed > all {
            return Err(Refusal::invalid("refundedAmount", format!("is {all}, but the refunds are {listed} together")));
        }
        let rest = all - listed;
        Ok((rest > Decimal::ZERO).then_some(ImportedRefund { id: None, amount: rest, date: None, by: None }))
    }

    fn amount(&self, field: &'static str, amount: Decimal, is_money: bool) -> Result<Decimal, Refusal> {
        let refused = |reason: String| Err(Refusal::invalid(field, reason));
        if let Err(reason) = stated(amount) {
            return refused(reason);
        }
        if is_money && amount.is_zero() {
            return refused("is 0: leave out what moved no money".to_owned());
        }
        match self.currency {
            Some(currency) if amount.normalize().scale() > currency.exponent() => {
                refused(format!("{amount} has more decimal places than {currency}, which has {}", currency.exponent()))
            }
            _ => Ok(amount.normalize()),
        }
    }

    fn date(&self, field: &'static str, date: Date) -> Result<Date, Refusal> {
        let latest = utc_date(self.now.saturating_add(AHEAD_MAX).unwrap_or(Timestamp::MAX));
        if date < utc_date(Timestamp::UNIX_EPOCH) || date > latest {
            return Err(Refusal::invalid(field, format!("is {date}, but must be from 1970 to {latest}")));
        }
        Ok(date)
    }
}

/// An entry of a list.
struct Named {
    field: &'static str,
    place: usize,
}

impl Named {
    fn refusal(&self, field: &str, reason: impl Into<String>) -> Refusal {
        Refusal::invalid(self.field, format!("[{}].{field}: {}", self.place, reason.into()))
    }
}
