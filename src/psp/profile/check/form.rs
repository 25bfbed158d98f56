//! Check of a form of notification. The checks of its signatures, calls and rules stand in files of their own.

use std::collections::BTreeSet;

use super::call::{check_fetch, check_hints};
use super::place::check_read;
use super::rule::check_rule;
use super::signature::check_signature;
use super::signed::check_signed;
use crate::psp::document::place::Place;
use crate::psp::profile::error::{Wrong, ensure};
use crate::psp::profile::signs::is_signed;
use crate::psp::profile::text::FormText;
use crate::psp::profile::{Form, WithoutTime};

pub(super) fn check_form(form: &Form, text: &FormText) -> Result<(), Wrong> {
    let at = text.at();
    let said = !form.event_type.is_empty() && form.event_type.iter().all(|part| !part.as_slice().is_empty());
    ensure(said, Some(at), "type: needs at least one place, and no empty list")?;
    let is_thing = |place: &Place| matches!(place, Place::Message(_) | Place::Fetched(_));
    ensure(
        form.object.iter().all(is_thing),
        Some(at),
        "object: must be places in the message or in the fetched response",
    )?;
    if form.signature.is_empty() {
        let reason = "without a signature anybody can have sent it: pointer_only = true and a fetch, or trusts_credentials = \
                      true are needed";
        ensure(form.pointer_only || form.trusts_credentials, Some(at), reason)?;
    }
    let needs_no_credentials = form.pointer_only || !form.signature.is_empty();
    ensure(
        !(form.trusts_credentials && needs_no_credentials),
        Some(at),
        "trusts_credentials: only what nobody signs may have it; leave it out beside a signature or pointer_only",
    )?;
    ensure(!form.pointer_only || form.fetch.is_some(), Some(at), "pointer_only: needs a [notification.fetch]")?;
    ensure(
        form.recurs.is_empty() || (form.batch.is_none() && form.split.is_none() && form.fetch.is_none()),
        Some(at),
        "recurs: a form with a batch, a split or a fetch cannot have it",
    )?;
    let is_timed = !form.is_protected() || form.signature.iter().all(|signature| signature.time.is_some());
    ensure(
        form.recurs.is_empty() || (is_timed && !form.is_partly_signed()),
        Some(at),
        "recurs: a signature must cover all of the notification and a time, since anybody could send an old state again",
    )?;
    ensure(form.split.is_none() || form.fetch.is_none(), Some(at), "split: a form with a fetch cannot have it")?;
    let is_lower = |known: &String| !form.any_case || *known == known.to_lowercase();
    for (index, rule) in form.rules.iter().enumerate() {
        let types = rule.event_type.as_slice();
        let reason = "type: must be in lower case, since the form has any_case";
        ensure(types.iter().all(is_lower), Some(text.rule_at(index)), reason)?;
    }
    for (index, signature) in form.signature.iter().enumerate() {
        check_signature(signature).map_err(|reason| (Some(text.signature_at(index)), reason))?;
    }
    if let Some(fetch) = &form.fetch {
        let checked = check_fetch(fetch).and_then(|()| check_hints(form, fetch));
        checked.map_err(|reason| (Some(at), format!("fetch.{reason}")))?;
    }
    check_own_places(form).map_err(|reason| (Some(at), reason))?;
    check_signed(form, text)?;
    let mut unconditional = BTreeSet::new();
    for (index, rule) in form.rules.iter().enumerate() {
        let at = Some(text.rule_at(index));
        check_rule(form, rule).map_err(|reason| (at, reason))?;
        let has_time = rule.ignore || !form.time_of(rule).is_empty();
        ensure(
            has_time || form.without_time != Some(WithoutTime::DeadLetter),
            at,
            "at: without_time = \"dead-letter\" makes each message of this rule a dead letter, since it names no time; name one, \
             or say without_time = \"receipt\"",
        )?;
        for event_type in rule.event_type.as_slice() {
            let reached = !unconditional.contains(event_type);
            ensure(
                reached,
                at,
                &format!("type: {event_type:?} never reaches this rule: an earlier rule always reads it"),
            )?;
            if rule.when.is_empty() && !rule.goes_on {
                unconditional.insert(event_type.clone());
            }
        }
    }
    Ok(())
}

fn check_own_places(form: &Form) -> Result<(), String> {
    let defaults = &form.defaults;
    let parts = form.event_type.iter().flat_map(|part| part.as_slice()).map(|place| ("type", place));
    let lists = [
        ("object", &form.object),
        ("requires", &form.requires.keys().cloned().collect()),
        ("dedupe", &form.dedupe),
        ("recurs", &form.recurs),
        ("defaults.ids", &defaults.ids),
        ("defaults.shared_ids", &defaults.shared_ids),
        ("defaults.originals", &defaults.originals),
        ("defaults.payment_ids", &defaults.payment_ids),
        ("defaults.reference", &defaults.reference),
        ("defaults.at", &defaults.at),
        ("defaults.currency", &defaults.currency),
    ];
    lists
        .into_iter()
        .flat_map(|(key, places)| places.iter().map(move |place| (key, place)))
        .chain(parts)
        // The dedupe key of a pointer may be made of its signed places, although no rule can read them.
        .filter(|(key, place)| *key != "dedupe" || !(form.pointer_only && is_signed(form, place)))
        .try_for_each(|(key, place)| check_read(form, place).map_err(|reason| format!("{key}: {reason}")))
}

#[cfg(test)]
mod tests {
    use crate::psp::profile::Profile;

    /// Reads a profile with these keys of its form and of its signature, and this type of its rule.
    fn read(form: &str, signed: &str, event_type: &str) -> Result<Profile, String> {
        let text = format!(
            r#"
            name = "x"
            title = "X"
            amounts = "minor"
            [[notification]]
            name = "event"
            type = ["/type"]
            {form}
            [[notification.signature]]
            algorithm = "hmac-sha256"
            encoding = "hex"
            found = {{ header = "Signature" }}
            {signed}
            [[notification.event]]
            type = "{event_type}"
            kind = "payment"
            ids = ["/id"]
            status = "Pending"
            "#
        );
        Profile::read(&text).map_err(|error| error.reason)
    }

    const UNTIMED: &str = r#"signed = ["body"]"#;
    const TIMED: &str = r#"
            signed = ["signed-at", "body"]
            separator = "."
            time = { found = { header = "Signed-At" }, tolerance_s = 300 }"#;

    #[test]
    fn a_state_recurs_only_where_nobody_can_send_an_old_one_again() {
        assert_eq!(read(r#"recurs = ["/id"]"#, TIMED, "t").map(drop), Ok(()));
        for (form, signed, reason) in [
            (r#"recurs = ["/id"]"#, UNTIMED, "recurs: a signature must cover all of the notification and a time"),
            ("recurs = [\"/id\"]\nbatch = \"/all/*\"", TIMED, "recurs: a form with a batch, a split or a fetch"),
            ("recurs = [\"/id\"]\nsplit = \"/all\"", TIMED, "recurs: a form with a batch, a split or a fetch"),
            (r#"recurs = ["secret"]"#, TIMED, "recurs: secret cannot be read by a rule"),
        ] {
            let found = read(form, signed, "t").unwrap_err();
            assert!(found.starts_with(reason), "{form}: {found}");
        }
    }

    #[test]
    fn rules_name_a_type_of_any_case_in_lower_case() {
        assert_eq!(read("any_case = true", UNTIMED, "paid").map(drop), Ok(()));
        assert_eq!(read("", UNTIMED, "Paid").map(drop), Ok(()));
        let found = read("any_case = true", UNTIMED, "Paid").unwrap_err();
        assert_eq!(found, "type: must be in lower case, since the form has any_case");
    }
}
