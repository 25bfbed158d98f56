//! What can only be wrong with a profile as a whole.

use std::collections::BTreeSet;

use super::rule::{EventRule, Fixed};
use super::{Form, Locator, Profile, Signature};
use crate::domain::ids::Kind;
use crate::domain::money::Currency;
use crate::psp::place::Place;

/// Where (byte offset) and what.
type Wrong = (Option<usize>, String);

pub(super) fn check(profile: &Profile) -> Result<(), Wrong> {
    let named = !profile.name.is_empty()
        && profile.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    ensure(named, None, "name: lower case letters, digits and dashes")?;
    ensure((200..300).contains(&profile.answer.status), None, "answer.status: must be 2xx")?;
    for (code, digits) in &profile.exponents {
        ensure(code.parse::<Currency>().is_ok(), None, &format!("exponents: {code:?} is no currency"))?;
        ensure(*digits <= 4, None, &format!("exponents.{code}: at most 4"))?;
    }
    ensure(!profile.forms.is_empty(), None, "[[notification]]: at least one")?;
    profile.forms.iter().try_for_each(|form| check_form(form.get_ref(), form.span().start))
}

fn check_form(form: &Form, at: usize) -> Result<(), Wrong> {
    ensure(!form.signature.is_empty(), Some(at), "[[notification.signature]]: at least one")?;
    ensure(!form.event_type.is_empty(), Some(at), "type: at least one place")?;
    for signature in &form.signature {
        check_signature(signature.get_ref()).map_err(|reason| (Some(signature.span().start), reason))?;
    }
    let mut unconditional = BTreeSet::new();
    for rule in &form.rules {
        let at = Some(rule.span().start);
        let rule = rule.get_ref();
        check_rule(form, rule).map_err(|reason| (at, reason))?;
        for event_type in rule.event_type.as_slice() {
            let reached = !unconditional.contains(event_type);
            ensure(reached, at, &format!("{event_type:?} never reaches this rule: an earlier one takes it always"))?;
            if rule.when.is_empty() {
                unconditional.insert(event_type.clone());
            }
        }
    }
    Ok(())
}

fn check_signature(signature: &Signature) -> Result<(), String> {
    check_locator(&signature.found, "found")?;
    if let Some(time) = &signature.time {
        check_locator(&time.found, "time.found")?;
        if time.found.pointer.is_some() {
            return Err("time.found: stands in a header".to_owned());
        }
    }
    let in_message = signature.found.pointer.is_some();
    let covers_body = signature.signed.contains(&Place::Body);
    for place in &signature.signed {
        match place {
            Place::Message(_) if !in_message => {
                return Err(format!("signed: {place} can be signed only where the signature stands in the message"));
            }
            Place::SignedAt if signature.time.is_none() => return Err("signed: signed-at needs a time".to_owned()),
            Place::Element(_) | Place::Type => return Err(format!("signed: {place} cannot be signed")),
            _ => {}
        }
    }
    if signature.time.is_some() && !signature.signed.contains(&Place::SignedAt) {
        return Err("time: a time that is not signed proves nothing; add signed-at to signed".to_owned());
    }
    if !in_message && !covers_body {
        return Err("signed: must cover the body".to_owned());
    }
    if signature.signed.is_empty() {
        return Err("signed: at least one part".to_owned());
    }
    Ok(())
}

fn check_locator(locator: &Locator, key: &str) -> Result<(), String> {
    if locator.header.is_some() == locator.pointer.is_some() {
        return Err(format!("{key}: either header or pointer"));
    }
    if locator.index.is_some() && locator.split.is_none() {
        return Err(format!("{key}: index needs split"));
    }
    if locator.split.as_ref().is_some_and(String::is_empty) {
        return Err(format!("{key}: split cannot be empty"));
    }
    Ok(())
}

fn check_rule(form: &Form, rule: &EventRule) -> Result<(), String> {
    let kinds = rule.kind.as_slice();
    let contains = |kind: Kind| kinds.contains(&kind);
    if kinds.is_empty() || rule.event_type.as_slice().is_empty() {
        return Err("type and kind: at least one of each".to_owned());
    }
    let statuses: Vec<_> = match &rule.status {
        Some(Fixed::Fixed(status)) => vec![*status],
        Some(Fixed::Mapped(mapped)) => mapped.map.values().copied().collect(),
        None => Vec::new(),
    };
    for (status, kind) in statuses.iter().flat_map(|status| kinds.iter().map(move |kind| (status, kind))) {
        if !status.fits(*kind) {
            return Err(format!("status: a {kind} is never {}", status.name()));
        }
    }
    let fields = [
        ("authorized", rule.authorized.is_some(), Kind::Preauth),
        ("expires_at", rule.expires_at.is_some(), Kind::Preauth),
        ("refunded", rule.refunded.is_some(), Kind::Refund),
        ("item", !rule.items.is_empty(), Kind::Payment),
        ("chargeback", rule.chargeback.is_some(), Kind::Payment),
    ];
    for (field, said, kind) in fields {
        if said && !contains(kind) {
            return Err(format!("{field}: only a {kind} has it"));
        }
    }
    check_says_something(form, rule, &statuses)
}

fn check_says_something(
    form: &Form,
    rule: &EventRule,
    statuses: &[crate::domain::status::Status],
) -> Result<(), String> {
    let ids = [
        rule.ids.as_ref().unwrap_or(&form.defaults.ids),
        rule.shared_ids.as_ref().unwrap_or(&form.defaults.shared_ids),
        rule.reference.as_ref().unwrap_or(&form.defaults.reference),
    ];
    if ids.iter().all(|places| places.is_empty()) {
        return Err("ids: nothing leads from this event to a record".to_owned());
    }
    let facts = !statuses.is_empty()
        || rule.authorized.is_some()
        || rule.refunded.is_some()
        || !rule.items.is_empty()
        || rule.chargeback.is_some()
        || !rule.bearer.is_empty();
    if !facts {
        return Err("the rule says nothing of its record; a type without a rule is ignored".to_owned());
    }
    if rule.items.iter().any(|item| item.booking.is_none()) && rule.status.is_none() {
        return Err("item.booking: needed where the rule has no status".to_owned());
    }
    if rule.error.is_some() && !statuses.iter().any(|status| status.is_error() || status.name() == "Inactive") {
        return Err("error: the rule never ends in an error".to_owned());
    }
    Ok(())
}

fn ensure(good: bool, at: Option<usize>, reason: &str) -> Result<(), Wrong> {
    if good { Ok(()) } else { Err((at, reason.to_owned())) }
}
