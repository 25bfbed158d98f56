//! Registration of a record by the payment stack when it starts a transaction: register, amend, refuse.

use std::borrow::Cow;

use jiff::Timestamp;

use super::anchor::anchor;
use super::answered;
use super::ids::{Kind, RecordKey};
use super::import::{Moved, imported};
use super::imported::Imported;
use super::record::{Record, Registered};
use super::registration::{Refusal, Registration, check_complete, check_fields};
use super::stamp::Stamped;
use super::status::{Status, StatusFact};
use super::text::{shown, shown_id};
use super::view::View;

/// The result of a registration.
#[derive(Debug)]
pub struct Registering {
    /// The record as it stands now.
    pub record: Record,
    /// Whether the record is new.
    pub created: bool,
    /// Whether Transform is owed a webhook: the stack asks for it, or its answer may have hidden news from Transform.
    pub tells: bool,
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
    registered(key, existing, (said, None), now)
}

/// Registers a record, or amends the existing one, by a line of an import. What a former import stated of the record beside its
/// registration ends with it. Repeating the line changes nothing.
///
/// # Errors
/// A [`Refusal`] that names the field; nothing changes.
pub fn import(
    key: &RecordKey,
    existing: Option<&Record>,
    (said, moved): (&Registration, &Moved),
    now: Timestamp,
) -> Result<Registering, Refusal> {
    let currency = said.currency.or_else(|| existing.and_then(|existing| existing.registered.currency));
    let requested =
        said.requested_amount.or_else(|| existing.and_then(|existing| existing.registered.requested_amount));
    let imported = imported(key.kind, said, moved.clone(), (requested, currency), now)?;
    registered(key, existing, (said, Some(imported)), now)
}

fn registered(
    key: &RecordKey,
    existing: Option<&Record>,
    (said, imported): (&Registration, Option<Imported>),
    now: Timestamp,
) -> Result<Registering, Refusal> {
    check_fields(key.kind, said)?;
    for (field, at) in [("answeredAt", said.answered_at), ("statusAt", said.status_at)] {
        at.map_or(Ok(()), |at| answered::check(at, now)).map_err(|reason| Refusal::invalid(field, reason))?;
    }
    let asks = said.tell == Some(true);
    let stated_at = said.status_at.or(said.error.as_ref().and(said.answered_at));
    let Some(existing) = existing else {
        check_complete(key.kind, said)?;
        let mut registered = amended(&Registered::default(), key.kind, said, now)?;
        state(&mut registered, imported, stated_at);
        check_decimals(&registered)?;
        let last_updated = said.answered_at.map_or(now, |at| now.max(answered::first_after(at)));
        let record = Record { last_updated, ..Record::new(key.clone(), said.source.clone(), now, registered) };
        return Ok(Registering { record, created: true, tells: asks });
    };
    check_amendment(&existing_beside(existing, imported.as_ref()), said)?;
    let mut record = existing.clone();
    record.source = said.source.clone().or(record.source);
    record.bound_by_placed &= said.source.is_none();
    let mut base = before_amendment(existing, said);
    if imported.is_some() {
        forget_stated(&mut base);
    }
    record.registered = amended(&base, key.kind, said, now)?;
    state(&mut record.registered, imported, stated_at);
    if record.registered.bearer != existing.registered.bearer {
        record.registered.bearer_at = Some(now);
    }
    if key.kind == Kind::Agreement && record.registered.psp_id != existing.registered.psp_id {
        leave_former_means(&mut record, existing, said);
        record.registered.former_until = Some(now);
    }
    check_decimals(&record.registered)?;
    if View::of(&record) != View::of(existing) {
        record.bump_in_silence(now);
    }
    let missed = said.answered_at.is_some_and(|at| answered::overtake(&mut record, existing, at));
    Ok(Registering { record, created: false, tells: asks || missed })
}

/// Forgets the state without a time, and the one that a former import has stated with one, if it still stands: an import names the
/// state.
fn forget_stated(base: &mut Registered) {
    base.status = None;
    let former = base.imported.as_ref().and_then(|imported| imported.stated.as_ref());
    if former.is_some() && former == base.stated.as_ref() {
        base.stated = None;
    }
}

/// Lets a record have what an import states of it, in the place of what a former one stated.
fn state(registered: &mut Registered, imported: Option<Imported>, stated_at: Option<Timestamp>) {
    let Some(mut imported) = imported else { return };
    if let Some(former) = &registered.imported {
        imported.keep_notes(former);
    }
    imported.stated = registered.stated.clone().filter(|fact| Some(fact.stamp.at) == stated_at);
    registered.imported = Some(imported).filter(|imported| !imported.is_empty()).map(Box::new);
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
        let is_stated = said.stated(Kind::Agreement).is_stated();
        record.registered.status = said.status.filter(|_| !is_stated);
        record.registered.bearer = said.bearer.clone().unwrap_or_default();
    }
}

/// The registered values that an amendment starts from. What was stated of another PSP transaction or means of payment ends with
/// it; a transaction that was cancelled stays so. The payment data stay those of the id with which
/// they were registered.
fn before_amendment(existing: &Record, said: &Registration) -> Registered {
    let mut base = existing.registered.clone();
    let new = said.psp_transaction_id.as_ref().or(said.psp_agreement_id.as_ref());
    let is_replaced = new.zip(base.psp_id.as_ref()).is_some_and(|(new, old)| new != old);
    let is_its_own = |fact: &Stamped<StatusFact>| {
        existing.key.kind == Kind::Agreement || fact.value.error.is_some() || fact.value.status == Status::Failed
    };
    base.stated = base.stated.filter(|fact| !(is_replaced && is_its_own(fact)));
    if is_replaced && existing.key.kind != Kind::Agreement {
        let old = base.psp_id.clone();
        base.replaced.extend(old.clone());
        base.replaced.retain(|id| Some(id) != new);
        base.bearer_of = base.bearer_of.take().or(old).filter(|of| !base.bearer.is_empty() && Some(of) != new);
    }
    base
}

fn amended(old: &Registered, kind: Kind, said: &Registration, now: Timestamp) -> Result<Registered, Refusal> {
    fn or<T: Clone>(new: Option<&T>, old: Option<&T>) -> Option<T> {
        new.or(old).cloned()
    }
    let psp_id = match kind {
        Kind::Agreement => &said.psp_agreement_id,
        _ => &said.psp_transaction_id,
    };
    let mut stated = said.stated(kind);
    if said.error.is_some() {
        stated.at = stated.at.or(said.answered_at);
    }
    let news = stated.is_stated().then(|| stated.fact(old.stated.as_ref(), now));
    let news = news.transpose().map_err(|(field, reason)| Refusal::invalid(field, reason))?;
    let is_answer = news.is_none();
    let newest = old.stated.iter().chain(&news).max_by_key(|fact| &fact.stamp).cloned();
    Ok(Registered {
        psp_id: or(psp_id.as_ref(), old.psp_id.as_ref()),
        webhook_target: or(said.webhook_target.as_ref(), old.webhook_target.as_ref()),
        requested_amount: said.requested_amount.or(old.requested_amount),
        currency: said.currency.or(old.currency),
        agreement_id: or(said.agreement_id.as_ref(), old.agreement_id.as_ref()),
        preauth_id: or(said.preauth_transaction_id.as_ref(), old.preauth_id.as_ref()),
        payment_id: or(said.payment_transaction_id.as_ref(), old.payment_id.as_ref()),
        replaced: old.replaced.clone(),
        former: old.former.clone(),
        former_until: old.former_until,
        bearer: said.bearer.clone().unwrap_or_else(|| old.bearer.clone()),
        bearer_of: old.bearer_of.clone().filter(|_| said.bearer.is_none()),
        bearer_at: old.bearer_at,
        expires_at: said.expires_at.or(old.expires_at),
        due_date: said.due_date.or(old.due_date),
        redirect_url: or(said.redirect_url.as_ref(), old.redirect_url.as_ref()),
        redirect_data: said.redirect_data.clone().unwrap_or_else(|| old.redirect_data.clone()),
        external_id: or(said.external_transaction_id.as_ref(), old.external_id.as_ref()),
        description: or(said.description.as_ref(), old.description.as_ref()),
        status: said.status.filter(|_| is_answer).or(old.status),
        stated: newest,
        silent_since: old.silent_since,
        imported: old.imported.clone(),
    })
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

/// The record without what a former import has stated of it, if another line states all of that anew.
fn existing_beside<'a>(existing: &'a Record, imported: Option<&Imported>) -> Cow<'a, Record> {
    if imported.is_none() || existing.registered.imported.is_none() {
        return Cow::Borrowed(existing);
    }
    let mut beside = existing.clone();
    forget_stated(&mut beside.registered);
    beside.registered.imported = None;
    Cow::Owned(beside)
}

/// Refuses changes to fields that cannot be amended once events have been applied, or money was imported.
fn check_amendment(existing: &Record, said: &Registration) -> Result<(), Refusal> {
    let Some(because) = existing.touched_by() else { return Ok(()) };
    let old = &existing.registered;
    if let (Some(new), Some(old)) = (said.currency, old.currency)
        && new != old
    {
        return Err(Refusal::conflict("currency", format!("is {new}, but the record is in {old}, and {because}")));
    }
    if let (Some(new), Some(old)) = (&said.payment_transaction_id, &old.payment_id)
        && new != old
    {
        return Err(Refusal::conflict(
            "paymentTransactionId",
            format!("is {new}, but the refund is of payment {old}, and {because}"),
        ));
    }
    // A payment that captures a preauthorization takes other events than a direct payment.
    if let Some(new) = said.preauth_transaction_id.as_ref().filter(|new| old.preauth_id.as_ref() != Some(new)) {
        let is_of = old.preauth_id.as_ref().map_or_else(|| "no preauthorization".to_owned(), ToString::to_string);
        return Err(Refusal::conflict(
            "preauthTransactionId",
            format!("is {new}, but the payment captures {is_of}, and {because}"),
        ));
    }
    if let (Some(new), Some(old)) = (&said.source, &existing.source)
        && new != old
    {
        return Err(Refusal::conflict(
            "source",
            format!("is {}, but the record belongs to source {old}, and {because}", shown(new)),
        ));
    }
    // Without a time, a late report of a decline would end what has succeeded since.
    if said.error.is_some() && said.status_at.or(said.answered_at).is_none() {
        return Err(Refusal::invalid("statusAt", format!("or answeredAt is required beside an error: {because}")));
    }
    check_psp_id(existing, said)
}

/// Refuses another PSP id for a transaction that has money under its id: the id would not lead to the record any more, and
/// the other one might bring the same money once more. An agreement may have another means of payment.
fn check_psp_id(existing: &Record, said: &Registration) -> Result<(), Refusal> {
    let (Some(new), Some(old)) = (&said.psp_transaction_id, &existing.registered.psp_id) else { return Ok(()) };
    let Some(has) = (new != old).then(|| anchor(existing, old, new)).flatten() else { return Ok(()) };
    let reason = format!(
        "is {}, but the record has {}, and {has}, which another id would leave behind. Keep this id, and register another transaction under a Transform \
         id of its own. Another id of the same transaction is taken once an event has named both ids",
        shown_id(new),
        shown_id(old)
    );
    Err(Refusal::conflict("pspTransactionId", reason))
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
        let negative = r#"{"requestedAmount":-1}"#;
        assert_eq!(refused(Kind::Payment, negative).reason, "-1 is negative, but must be more than 0");
        assert_eq!(refused(Kind::Preauth, negative).reason, "-1 is negative, but must be 0 or more");
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
    }

    /// A payment of 30.5 EUR that was imported as paid, by a line with this currency and PSP id.
    fn import_paid(old: Option<&Record>, currency: &str, psp_id: &str) -> Result<Record, Refusal> {
        let said = said(&format!(
            r#"{{"requestedAmount":30.5,"currency":"{currency}","pspTransactionId":"{psp_id}","source":"one","status":"Succeeded"}}"#
        ));
        let moved = r#"{"payments":[{"amount":30.5,"bookingDate":"2022-11-08"}]}"#;
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        import(&key(Kind::Payment), old, (&said, &serde_json::from_str(moved).unwrap()), now).map(|done| done.record)
    }

    #[test]
    fn imported_money_is_protected_as_that_of_events() {
        let paid = import_paid(None, "EUR", "pi_1").unwrap();
        assert!(!paid.is_untouched());
        for (field, json) in [
            ("currency", r#"{"currency":"JPY"}"#),
            ("source", r#"{"source":"two"}"#),
            ("preauthTransactionId", r#"{"preauthTransactionId":"pre-1"}"#),
            ("pspTransactionId", r#"{"pspTransactionId":"pi_2"}"#),
        ] {
            let refusal = register(&paid.key, Some(&paid), &said(json), Timestamp::UNIX_EPOCH).unwrap_err();
            assert_eq!((refusal.field, refusal.conflict), (field, true));
            assert!(
                refusal.reason.contains("an import has stated 30.5 EUR of bookings of it")
                    || field == "pspTransactionId"
            );
        }
        assert_eq!(
            register(&paid.key, Some(&paid), &said(r#"{"currency":"EUR"}"#), Timestamp::MAX).unwrap().record,
            paid
        );
        let mended = import_paid(Some(&paid), "USD", "pi_2").unwrap();
        assert_eq!(mended.registered.psp_id.as_deref(), Some("pi_2"), "another line states all of it anew");
        assert!(!answered::overtake(&mut paid.clone(), &paid, Timestamp::MAX), "no event has told anything");
    }

    #[test]
    fn currency_and_source_are_free_until_an_event_is_applied() {
        let first = said(r#"{"requestedAmount":10,"currency":"EUR","source":"one"}"#);
        let mut record = register(&key(Kind::Payment), None, &first, Timestamp::UNIX_EPOCH).unwrap().record;
        let other = [("currency", r#"{"currency":"USD"}"#), ("source", r#"{"source":"two"}"#)];
        for (_, json) in other {
            assert!(register(&key(Kind::Payment), Some(&record), &said(json), Timestamp::UNIX_EPOCH).is_ok());
        }
        record.seen.attempts.push(crate::domain::attempt::Attempt::default());
        for (field, json) in other {
            let refusal = register(&key(Kind::Payment), Some(&record), &said(json), Timestamp::UNIX_EPOCH).unwrap_err();
            assert_eq!((refusal.field, refusal.conflict), (field, true));
        }
    }
}
