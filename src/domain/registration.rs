//! Registration of a record by the integrator when it starts a transaction: register, amend, refuse.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};

use super::ids::{Kind, RecordKey, TransformId};
use super::money::{Currency, believed, parse_decimal};
use super::record::{Record, Registered, Seen};
use super::status::Status;
use super::view::View;

/// The most bytes of a PSP's id, as of the ids that a message may name.
const PSP_ID_MAX: usize = 255;

/// The body of PUT /records/{kind}/{id}: camelCase, unknown fields refused, absent fields left as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Registration {
    /// See [`Registered::psp_id`]; not for agreements.
    pub psp_transaction_id: Option<String>,
    /// See [`Registered::psp_id`]; agreements only.
    pub psp_agreement_id: Option<String>,
    /// See [`Record::source`].
    pub source: Option<String>,
    /// See [`Registered::webhook_target`].
    pub webhook_target: Option<String>,
    /// See [`Registered::requested_amount`]: a JSON number or its decimal text.
    #[serde(deserialize_with = "amount")]
    pub requested_amount: Option<Decimal>,
    /// See [`Registered::currency`].
    pub currency: Option<Currency>,
    /// See [`Registered::agreement_id`].
    pub agreement_id: Option<TransformId>,
    /// See [`Registered::preauth_id`].
    pub preauth_transaction_id: Option<TransformId>,
    /// See [`Registered::payment_id`].
    pub payment_transaction_id: Option<TransformId>,
    /// See [`Registered::bearer`].
    pub bearer: Option<BTreeMap<String, String>>,
    /// See [`Registered::expires_at`]: RFC 3339.
    pub expires_at: Option<Timestamp>,
    /// See [`Registered::due_date`]: yyyy-MM-dd.
    pub due_date: Option<Date>,
    /// See [`Registered::redirect_url`].
    pub redirect_url: Option<String>,
    /// See [`Registered::status`].
    pub status: Option<Status>,
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

/// The result of a registration.
#[derive(Debug)]
pub struct Registering {
    /// The record as it stands now.
    pub record: Record,
    /// Whether the record is new.
    pub created: bool,
}

/// Registers a record, or amends the existing one. Repeating a registration changes nothing.
///
/// # Errors
/// A [`Refusal`] that names the field; nothing changes.
pub fn register(
    key: &RecordKey,
    existing: Option<&Record>,
    said: &Registration,
    now: Timestamp,
) -> Result<Registering, Refusal> {
    check_fields(key.kind, said)?;
    let Some(existing) = existing else {
        check_complete(key.kind, said)?;
        let registered = amended(&Registered::default(), key.kind, said);
        check_decimals(&registered)?;
        let record = Record {
            key: key.clone(),
            source: said.source.clone(),
            registered_at: now,
            registered,
            seen: Seen::default(),
            placed: Seen::default(),
            refunds: BTreeMap::new(),
            unconfirmed: BTreeMap::new(),
            captures: BTreeMap::new(),
            version: 1,
            last_updated: now,
        };
        return Ok(Registering { record, created: true });
    };
    check_amendment(existing, said)?;
    let mut record = existing.clone();
    record.source = said.source.clone().or(record.source);
    record.registered = amended(&existing.registered, key.kind, said);
    if record.registered.bearer != existing.registered.bearer {
        record.registered.bearer_at = Some(now);
    }
    if key.kind == Kind::Agreement && record.registered.psp_id != existing.registered.psp_id {
        leave_former_means(&mut record, existing, said);
        record.registered.former_until = Some(now);
    }
    check_decimals(&record.registered)?;
    if View::of(&record) != View::of(existing) {
        record.bump(now);
    }
    Ok(Registering { record, created: false })
}

/// Makes the ids that an agreement went by former ones, learned ids included. If it was registered with another id, the
/// registered data were those of the former means of payment.
fn leave_former_means(record: &mut Record, existing: &Record, said: &Registration) {
    let Registered { psp_id: Some(new), former, .. } = &mut record.registered else { return };
    let replaced = existing.registered.psp_id.clone();
    let is_replaced = replaced.is_some();
    former.extend(replaced);
    let left = existing.seen.attempts.iter().filter(|attempt| !attempt.ids.contains(new));
    former.extend(left.flat_map(|attempt| attempt.ids.iter().filter(|id| !id.is_empty()).cloned()));
    former.remove(new);
    if is_replaced {
        record.registered.status = said.status;
        record.registered.bearer = said.bearer.clone().unwrap_or_default();
    }
}

fn amended(old: &Registered, kind: Kind, said: &Registration) -> Registered {
    fn or<T: Clone>(new: Option<&T>, old: Option<&T>) -> Option<T> {
        new.or(old).cloned()
    }
    let psp_id = match kind {
        Kind::Agreement => &said.psp_agreement_id,
        _ => &said.psp_transaction_id,
    };
    Registered {
        psp_id: or(psp_id.as_ref(), old.psp_id.as_ref()),
        webhook_target: or(said.webhook_target.as_ref(), old.webhook_target.as_ref()),
        requested_amount: said.requested_amount.or(old.requested_amount),
        currency: said.currency.or(old.currency),
        agreement_id: or(said.agreement_id.as_ref(), old.agreement_id.as_ref()),
        preauth_id: or(said.preauth_transaction_id.as_ref(), old.preauth_id.as_ref()),
        payment_id: or(said.payment_transaction_id.as_ref(), old.payment_id.as_ref()),
        former: old.former.clone(),
        former_until: old.former_until,
        bearer: said.bearer.clone().unwrap_or_else(|| old.bearer.clone()),
        bearer_at: old.bearer_at,
        expires_at: said.expires_at.or(old.expires_at),
        due_date: said.due_date.or(old.due_date),
        redirect_url: or(said.redirect_url.as_ref(), old.redirect_url.as_ref()),
        status: said.status.or(old.status),
    }
}

/// Checks that each given field belongs to the record's kind.
fn check_fields(kind: Kind, said: &Registration) -> Result<(), Refusal> {
    use Kind::{Agreement, Payment, Preauth, Refund};
    let rules: [(&'static str, bool, &[Kind]); 9] = [
        ("pspTransactionId", said.psp_transaction_id.is_some(), &[Preauth, Payment, Refund]),
        ("pspAgreementId", said.psp_agreement_id.is_some(), &[Agreement]),
        ("requestedAmount", said.requested_amount.is_some(), &[Preauth, Payment, Refund]),
        ("agreementId", said.agreement_id.is_some(), &[Preauth, Payment, Refund]),
        ("preauthTransactionId", said.preauth_transaction_id.is_some(), &[Payment]),
        ("paymentTransactionId", said.payment_transaction_id.is_some(), &[Refund]),
        ("expiresAt", said.expires_at.is_some(), &[Preauth]),
        ("dueDate", said.due_date.is_some(), &[Payment]),
        ("redirectUrl", said.redirect_url.is_some(), &[Preauth, Payment, Agreement]),
    ];
    for (field, said, kinds) in rules {
        if said && !kinds.contains(&kind) {
            return Err(Refusal::invalid(field, format!("a {kind} has no such field")));
        }
    }
    for (field, id) in [("pspTransactionId", &said.psp_transaction_id), ("pspAgreementId", &said.psp_agreement_id)] {
        if let Some(bytes) = id.as_ref().map(String::len).filter(|bytes| !(1..=PSP_ID_MAX).contains(bytes)) {
            return Err(Refusal::invalid(field, format!("has {bytes} bytes and must have 1 to {PSP_ID_MAX}")));
        }
    }
    // The contract's dates have four digits for the year, and no money is owed from before 1970.
    if said.expires_at.is_some_and(|at| at < Timestamp::UNIX_EPOCH) {
        return Err(Refusal::invalid("expiresAt", "must not be before 1970"));
    }
    if said.due_date.is_some_and(|date| date.year() < 1970) {
        return Err(Refusal::invalid("dueDate", "must not be before 1970"));
    }
    if let Some(status) = said.status.filter(|status| !status.fits(kind)) {
        return Err(Refusal::invalid("status", format!("a {kind} is never {}", status.name())));
    }
    check_amount(kind, said.requested_amount)
}

/// Refuses an amount with more decimal places than its currency has: such an amount could never be paid exactly.
fn check_decimals(registered: &Registered) -> Result<(), Refusal> {
    match (registered.requested_amount, registered.currency) {
        (Some(amount), Some(currency)) if amount.normalize().scale() > currency.exponent() => Err(Refusal::invalid(
            "requestedAmount",
            format!("{amount} has more decimal places than {currency}, which has {}", currency.exponent()),
        )),
        _ => Ok(()),
    }
}

/// Refuses an amount that is not positive. A preauthorization may ask for 0 (contract, section 3).
fn check_amount(kind: Kind, amount: Option<Decimal>) -> Result<(), Refusal> {
    match amount {
        Some(amount) if amount.is_zero() && kind != Kind::Preauth => {
            Err(Refusal::invalid("requestedAmount", format!("must be more than 0 for a {kind}")))
        }
        Some(amount) => believed(amount).map(drop).map_err(|reason| Refusal::invalid("requestedAmount", reason)),
        None => Ok(()),
    }
}

/// Checks the fields that a record must have (contract, section 3).
fn check_complete(kind: Kind, said: &Registration) -> Result<(), Refusal> {
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

/// Refuses changes to fields that cannot be amended.
fn check_amendment(existing: &Record, said: &Registration) -> Result<(), Refusal> {
    let old = &existing.registered;
    if let (Some(new), Some(old)) = (said.currency, old.currency)
        && new != old
    {
        return Err(Refusal::conflict("currency", format!("the record is in {old}")));
    }
    if let (Some(new), Some(old)) = (&said.payment_transaction_id, &old.payment_id)
        && new != old
    {
        return Err(Refusal::conflict("paymentTransactionId", format!("the refund is of payment {old}")));
    }
    // A payment that captures a preauthorization takes other events than a direct payment.
    if said.preauth_transaction_id.as_ref().is_some_and(|new| old.preauth_id.as_ref() != Some(new))
        && !(existing.seen.is_empty() && existing.placed.is_empty())
    {
        return Err(Refusal::conflict(
            "preauthTransactionId",
            "cannot be set: events have been applied to the payment without it",
        ));
    }
    if let (Some(new), Some(old)) = (&said.source, &existing.source)
        && new != old
    {
        return Err(Refusal::conflict("source", format!("the record belongs to source {old}")));
    }
    Ok(())
}

fn amount<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Decimal>, D::Error> {
    use serde::de::Error;
    match Option::<serde_json::Value>::deserialize(from)? {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(serde_json::Value::Number(number)) => parse_decimal(&number.to_string()).map(Some),
        Some(serde_json::Value::String(text)) => parse_decimal(&text).map(Some),
        Some(_) => Err("expected a number or its decimal text".to_owned()),
    }
    .map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn key(kind: Kind) -> RecordKey {
        RecordKey::new(kind, "tx1".parse().unwrap())
    }

    fn said(json: &str) -> Registration {
        serde_json::from_str(json).unwrap()
    }

    fn refused(kind: Kind, json: &str) -> Refusal {
        register(&key(kind), None, &said(json), Timestamp::UNIX_EPOCH).unwrap_err()
    }

    #[test]
    fn a_record_needs_what_the_contract_calls_mandatory() {
        assert_eq!(refused(Kind::Payment, "{}").field, "requestedAmount");
        assert_eq!(refused(Kind::Payment, r#"{"requestedAmount":1}"#).field, "currency");
        assert_eq!(refused(Kind::Refund, r#"{"requestedAmount":1,"currency":"EUR"}"#).field, "paymentTransactionId");
        assert!(register(&key(Kind::Agreement), None, &said("{}"), Timestamp::UNIX_EPOCH).is_ok());
    }

    #[test]
    fn a_field_of_another_kind_is_refused_by_name() {
        assert_eq!(refused(Kind::Agreement, r#"{"pspTransactionId":"x"}"#).field, "pspTransactionId");
        assert_eq!(refused(Kind::Payment, r#"{"status":"Active"}"#).field, "status");
        assert_eq!(refused(Kind::Payment, r#"{"requestedAmount":0}"#).field, "requestedAmount");
    }

    #[test]
    fn saying_the_same_again_changes_nothing() {
        let body = said(r#"{"requestedAmount":"89.25","currency":"eur","pspTransactionId":"pi_1"}"#);
        let first = register(&key(Kind::Payment), None, &body, Timestamp::UNIX_EPOCH).unwrap();
        let again = register(&key(Kind::Payment), Some(&first.record), &body, Timestamp::MAX).unwrap();
        assert!(first.created && !again.created);
        assert_eq!(first.record, again.record);
    }

    #[test]
    fn the_first_id_of_an_agreement_keeps_what_was_registered_and_another_does_not() {
        let register = |old: Option<&Record>, json: &str| {
            register(&key(Kind::Agreement), old, &said(json), Timestamp::UNIX_EPOCH).unwrap().record.registered
        };
        let mut record = super::register(
            &key(Kind::Agreement),
            None,
            &said(r#"{"status":"Active","bearer":{"last4":"1111"}}"#),
            Timestamp::UNIX_EPOCH,
        )
        .unwrap()
        .record;
        let first = register(Some(&record), r#"{"pspAgreementId":"token"}"#);
        assert_eq!((first.status, first.bearer.len(), first.former.len()), (Some(Status::Active), 1, 0));
        record.registered = first;
        let another = register(Some(&record), r#"{"pspAgreementId":"other"}"#);
        assert_eq!((another.status, another.bearer.len()), (None, 0));
        assert_eq!(another.former, BTreeSet::from(["token".to_owned()]));
    }

    #[test]
    fn an_amendment_adds_and_keeps() {
        let first = said(r#"{"requestedAmount":10,"currency":"EUR"}"#);
        let first = register(&key(Kind::Payment), None, &first, Timestamp::UNIX_EPOCH).unwrap().record;
        let now = Timestamp::from_second(60).unwrap();
        let second = register(&key(Kind::Payment), Some(&first), &said(r#"{"pspTransactionId":"pi_1"}"#), now);
        let second = second.unwrap().record;
        assert_eq!(second.registered.psp_id.as_deref(), Some("pi_1"));
        assert_eq!(second.registered.requested_amount, first.registered.requested_amount);
        assert_eq!((second.version, second.last_updated), (2, now));
        let other = register(&key(Kind::Payment), Some(&second), &said(r#"{"currency":"USD"}"#), now).unwrap_err();
        assert_eq!((other.field, other.conflict), ("currency", true));
    }
}
