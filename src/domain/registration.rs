//! What the payment stack says of a record, and whether it can be so by itself.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::fields::{amount, instant_or_day, object, time};
use super::ids::{Kind, TransformId};
use super::money::{self, Currency};
use super::stated::{Said, StatedError};
use super::status::Status;
use super::text::shown_id;

/// The most bytes of an id of the PSP or of the payment stack, as of the ids that a message may name.
const ID_MAX: usize = 255;

/// The body of PUT /records/{kind}/{id}: camelCase, unknown fields refused, absent fields left as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Registration {
    /// The PSP's id, of 1 to 255 bytes in UTF-8. It may be replaced while nothing is booked and nothing has succeeded under it. An
    /// id that an event has named together with it may replace it as well. The `bearer` stays that of the id with which it was registered.
    #[schemars(length(min = 1, max = 255))]
    pub psp_transaction_id: Option<String>,
    /// The PSP's id, of 1 to 255 bytes in UTF-8. It may be replaced at any time.
    #[schemars(length(min = 1, max = 255))]
    pub psp_agreement_id: Option<String>,
    /// The source whose events concern the record. Without one the first event that finds the record decides. It cannot be
    /// amended once events have been applied or money was imported.
    pub source: Option<String>,
    /// The address of the record's webhooks: an https URL to one of `transform.allowed_hosts`. A new record needs it if
    /// `transform.webhook_target` is not configured.
    #[schemars(length(min = 1, max = 2048))]
    pub webhook_target: Option<String>,
    /// Major units, a number or its decimal text, at most 100000000000, with no more decimal places than the currency has. It
    /// is more than 0; a preauthorization may ask for 0.
    #[serde(deserialize_with = "amount")]
    #[schemars(with = "Value", extend("type" = ["number", "string", "null"]))]
    pub requested_amount: Option<Decimal>,
    /// ISO 4217, in any case. It cannot be amended once events have been applied or money was imported.
    #[schemars(with = "Option<String>", extend("pattern" = "^[A-Za-z]{3}$"))]
    pub currency: Option<Currency>,
    /// Transform's id of the agreement.
    pub agreement_id: Option<TransformId>,
    /// The preauthorization that a capture captures. It cannot be amended once events have been applied to the
    /// payment, or money was imported.
    pub preauth_transaction_id: Option<TransformId>,
    /// The payment that the refund gives back. It cannot be amended once events have been applied or money was imported.
    pub payment_transaction_id: Option<TransformId>,
    /// The customer's payment data. The PSP's word of it is laid over it afterwards.
    pub bearer: Option<BTreeMap<String, String>>,
    /// The end of the reservation: RFC 3339.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<Timestamp>")]
    pub expires_at: Option<Timestamp>,
    /// The due date of a direct debit: an instant (RFC 3339), or a day.
    #[serde(deserialize_with = "instant_or_day")]
    #[schemars(with = "Option<String>")]
    pub due_date: Option<Timestamp>,
    /// The URL at which the customer finishes the transaction or the agreement.
    pub redirect_url: Option<String>,
    /// The data that belongs to `redirectUrl`.
    pub redirect_data: Option<BTreeMap<String, String>>,
    /// The payment stack's own id of the transaction, of 1 to 255 bytes in UTF-8.
    #[schemars(length(min = 1, max = 255))]
    pub external_transaction_id: Option<String>,
    /// The description of the refund.
    pub description: Option<String>,
    /// The status that the payment stack answered Transform with; `Initiated` if absent. A PSP's event overrules it. The
    /// exception is an event that says "under way" of a step that the stack knows to be further on.
    #[schemars(with = "Value")]
    pub status: Option<Status>,
    /// The time of `status`. With it the status is merged like an event, and holds for all attempts at the record. A success is of
    /// the registered attempt, else of the newest. It needs a `status` or an `error`, and may lie an hour ahead of the relay's
    /// clock.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<Timestamp>")]
    pub status_at: Option<Timestamp>,
    /// A failure that the PSP's API has answered the payment stack with. Without a `status` the record is Failed, an agreement
    /// Inactive. Its time is `statusAt`, else `answeredAt`, else now. Once events have been applied or money was
    /// imported, one of the first two is required.
    #[serde(deserialize_with = "object")]
    #[schemars(with = "Option<StatedError>")]
    pub error: Option<StatedError>,
    /// The stamp (`lastUpdated`) of the answer that the payment stack gave Transform itself. All versions of the record are
    /// later. News that the answer may have hidden from Transform is told again. It is at most an hour ahead of the relay's clock.
    #[serde(deserialize_with = "time")]
    #[schemars(with = "Option<Timestamp>")]
    pub answered_at: Option<Timestamp>,
    /// Whether Transform is to be told of the record, although no event has changed it. Once for each registration.
    pub tell: Option<bool>,
}

impl Registration {
    /// The state that it states.
    pub(super) const fn stated(&self, kind: Kind) -> Said<'_> {
        Said { kind, status: self.status, error: self.error.as_ref(), at: self.status_at }
    }
}

/// The refusal of a registration: the field, and its fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Refusal {
    /// The field of the body.
    pub field: &'static str,
    /// The fault, in words for the integrator.
    pub reason: String,
    /// Whether the field contradicts stored values (409). Otherwise it is wrong by itself (422).
    pub conflict: bool,
}

impl Refusal {
    /// A field that is wrong by itself.
    pub fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into(), conflict: false }
    }

    /// A field that contradicts a stored value.
    pub fn conflict(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into(), conflict: true }
    }
}

/// A field that only some kinds of record have, and whether a registration says it.
type OfSome = (&'static str, fn(&Registration) -> bool, &'static [Kind]);

/// The fields that only some kinds of record have.
const OF_SOME: [OfSome; 12] = [
    ("pspTransactionId", |said| said.psp_transaction_id.is_some(), &[Kind::Preauth, Kind::Payment, Kind::Refund]),
    ("pspAgreementId", |said| said.psp_agreement_id.is_some(), &[Kind::Agreement]),
    ("requestedAmount", |said| said.requested_amount.is_some(), &[Kind::Preauth, Kind::Payment, Kind::Refund]),
    ("agreementId", |said| said.agreement_id.is_some(), &[Kind::Preauth, Kind::Payment, Kind::Refund]),
    ("preauthTransactionId", |said| said.preauth_transaction_id.is_some(), &[Kind::Payment]),
    ("paymentTransactionId", |said| said.payment_transaction_id.is_some(), &[Kind::Refund]),
    ("expiresAt", |said| said.expires_at.is_some(), &[Kind::Preauth]),
    ("dueDate", |said| said.due_date.is_some(), &[Kind::Payment]),
    ("redirectUrl", |said| said.redirect_url.is_some(), &[Kind::Preauth, Kind::Payment, Kind::Agreement]),
    ("redirectData", |said| said.redirect_data.is_some(), &[Kind::Preauth]),
    (
        "externalTransactionId",
        |said| said.external_transaction_id.is_some(),
        &[Kind::Preauth, Kind::Payment, Kind::Refund],
    ),
    ("description", |said| said.description.is_some(), &[Kind::Refund]),
];

/// Whether the registration of a record of that kind may have this field, if any may.
#[must_use]
pub fn has_field(kind: Kind, name: &str) -> bool {
    OF_SOME.iter().all(|(field, _, kinds)| *field != name || kinds.contains(&kind))
}

/// Checks that each given field belongs to the record's kind.
pub(super) fn check_fields(kind: Kind, said: &Registration) -> Result<(), Refusal> {
    for (field, is_said, _) in OF_SOME {
        if is_said(said) && !has_field(kind, field) {
            return Err(Refusal::invalid(field, format!("a record of kind {kind} has no such field")));
        }
    }
    for (field, id) in [
        ("pspTransactionId", &said.psp_transaction_id),
        ("pspAgreementId", &said.psp_agreement_id),
        ("externalTransactionId", &said.external_transaction_id),
    ] {
        id.as_deref().map_or(Ok(()), check_id).map_err(|reason| Refusal::invalid(field, reason))?;
    }
    // A parser of URLs skips these signs: the record would show another target than the one that is told. A target is not repeated:
    // its query may hold a secret.
    if said.webhook_target.iter().any(|target| target.trim() != target || target.contains(char::is_control)) {
        let reason = "has spaces around it or control characters, and must be the URL alone";
        return Err(Refusal::invalid("webhookTarget", reason));
    }
    // The contract's dates have four digits for the year, and no money is owed from before 1970.
    if let Some(at) = said.expires_at.filter(|at| *at < Timestamp::UNIX_EPOCH) {
        return Err(Refusal::invalid("expiresAt", format!("is {at}, but must not be before 1970")));
    }
    if let Some(at) = said.due_date.filter(|at| *at < Timestamp::UNIX_EPOCH) {
        return Err(Refusal::invalid("dueDate", format!("is {at}, but must not be before 1970")));
    }
    if let Some(status) = said.status.filter(|status| !status.fits(kind)) {
        return Err(Refusal::invalid("status", format!("no {kind} is ever {}", status.name())));
    }
    check_amount(kind, said.requested_amount)
}

/// Checks the length of an id of the PSP or the payment stack.
///
/// # Errors
/// The id, and the reason.
pub(super) fn check_id(id: &str) -> Result<(), String> {
    if (1..=ID_MAX).contains(&id.len()) {
        return Ok(());
    }
    Err(format!("{} has {} bytes, but must have 1 to {ID_MAX}", shown_id(id), id.len()))
}

/// Refuses an amount that is not positive. A preauthorization may ask for 0 (contract, section 3).
fn check_amount(kind: Kind, amount: Option<Decimal>) -> Result<(), Refusal> {
    match amount {
        Some(amount) if amount.is_zero() && kind != Kind::Preauth => {
            Err(Refusal::invalid("requestedAmount", format!("is 0, but must be more than 0 for a {kind}")))
        }
        Some(amount) => money::stated(amount).map(drop).map_err(|reason| {
            let least = if kind == Kind::Preauth { "must be 0 or more" } else { "must be more than 0" };
            Refusal::invalid("requestedAmount", reason.replace("must be 0 or more", least))
        }),
        None => Ok(()),
    }
}

/// Checks the fields that a record must have (contract, section 3).
pub(super) fn check_complete(kind: Kind, said: &Registration) -> Result<(), Refusal> {
    let missing = |field| Err(Refusal::invalid(field, format!("is required for a {kind}")));
    if kind == Kind::Agreement {
        return Ok(());
    }
    if said.requested_amount.is_none() {
        return missing("requestedAmount");
    }
    if said.currency.is_none() {
        return missing("currency");
    }
    if kind == Kind::Refund && said.payment_transaction_id.is_none() {
        return missing("paymentTransactionId");
    }
    Ok(())
}
