//! Check of unsigned places: a stranger who has caught a notification can change them. No dedupe key and no money may stand
//! there, and a time, a type or an id only if the form says so.

use super::rule::{movements, places};
use crate::psp::document::place::{Piece, Place};
use crate::psp::profile::error::Wrong;
use crate::psp::profile::signs::{covers_body, is_signed};
use crate::psp::profile::text::FormText;
use crate::psp::profile::{EventRule, Fixed, Form, Signature};

/// Checks the unsigned places that a form reads.
///
/// A form is not checked if only credentials or a secret that is sent along vouch for it. No part of it is protected: a caught
/// notification is all that a stranger needs to make others.
pub(super) fn check_signed(form: &Form, text: &FormText) -> Result<(), Wrong> {
    if !form.is_protected() {
        return Ok(());
    }
    let at = Some(text.at());
    check_dedupe(form).map_err(|reason| (at, reason))?;
    check_checksum(form).map_err(|reason| (at, reason))?;
    check_alike(form).map_err(|(index, reason)| (Some(text.signature_at(index)), reason))?;
    if form.pointer_only {
        return Ok(());
    }
    check_type(form).map_err(|reason| (at, reason))?;
    for (index, rule) in form.rules.iter().enumerate().filter(|(_, rule)| !rule.ignore) {
        let at = Some(text.rule_at(index));
        let checks = [check_times, check_conditions, check_ids, check_money];
        checks.into_iter().try_for_each(|check| check(form, rule)).map_err(|reason| (at, reason))?;
    }
    Ok(())
}

/// The dedupe key is made of signed places.
fn check_dedupe(form: &Form) -> Result<(), String> {
    if form.dedupe.is_empty() && !form.signature.iter().all(|signature| covers_body(form, signature)) {
        return Err(
            "dedupe: is needed, since the signature covers parts of the body only; make it of those parts".into()
        );
    }
    match form.dedupe.iter().find(|place| !is_signed(form, place)) {
        Some(place) => {
            Err(format!("dedupe: {place} is not signed: one notification could be sent again under many keys"))
        }
        None => Ok(()),
    }
}

/// A body that is signed by its CRC-32 belongs to its signature as a whole: it holds one message.
fn check_checksum(form: &Form) -> Result<(), String> {
    if form.batch.is_some() && form.binds_body() {
        return Err(
            "batch: a body that is signed by its CRC-32 only cannot be a batch; sign body or body-sha256".into()
        );
    }
    Ok(())
}

/// If a form is signed in parts, all its signatures cover the same parts: a message has one identity, made of its signed
/// parts. An error has the index of the signature that differs.
fn check_alike(form: &Form) -> Result<(), (usize, String)> {
    let mut signatures = form.signature.iter().enumerate();
    let Some((_, first)) = signatures.next().filter(|_| form.is_partly_signed()) else { return Ok(()) };
    let is_constant = |place: &Place| matches!(place, Place::Text(_));
    let text = |one: &Signature| {
        let parts: Vec<_> = one.signed.iter().filter(|place| !is_constant(place)).cloned().collect();
        let separator = (parts.len() > 1).then(|| one.separator.clone());
        (parts, separator)
    };
    match signatures.find(|(_, one)| text(one) != text(first)) {
        Some((index, _)) => Err((
            index,
            "signed: the signatures of this [[notification]] cover different parts, so one message could come again as \
             another. Give each its own [[notification]], or have all sign the same places with the same separator"
                .into(),
        )),
        None => Ok(()),
    }
}

/// The type is signed, or the form says that it is not.
fn check_type(form: &Form) -> Result<(), String> {
    let parts = form.event_type.iter().flat_map(|part| part.as_slice());
    match parts.chain(form.requires.keys()).find(|place| form.type_signed && !is_signed(form, place)) {
        Some(place) => Err(format!("type: {place} is not signed. Read a signed place, or say {TYPE}")),
        None => Ok(()),
    }
}

/// The conditions and states that give a message its meaning are signed, or the form says that they are not.
fn check_conditions(form: &Form, rule: &EventRule) -> Result<(), String> {
    let state = match &rule.status {
        Some(Fixed::Mapped(mapped)) => mapped.from.as_slice(),
        _ => &[],
    };
    let parts = rule.items.iter().map(|item| &item.when).chain(movements(rule).map(|movement| &movement.when));
    let conditions = rule.when.keys().chain(parts.flat_map(|when| when.keys())).chain(state);
    match conditions.into_iter().find(|place| form.type_signed && !is_signed(form, place)) {
        Some(place) => Err(format!("when: {place} is not signed. Read a signed place, or say {TYPE}")),
        None => Ok(()),
    }
}

const TYPE: &str = "type_signed = false in this [[notification]]";

/// The ids and references that lead to a record are signed, or the form says that they are not.
fn check_ids(form: &Form, rule: &EventRule) -> Result<(), String> {
    match leads(form, rule).find(|place| form.ids_signed && !is_signed(form, place)) {
        Some(place) => Err(format!(
            "ids: {place} is not signed. Read a signed place, or say ids_signed = false in this [[notification]]"
        )),
        None => Ok(()),
    }
}

/// The places of the ids and references that lead from a rule to records.
fn leads<'f>(form: &'f Form, rule: &'f EventRule) -> impl Iterator<Item = &'f Place> {
    let (own, defaults) = (rule, &form.defaults);
    let lists = [
        own.ids.as_ref().unwrap_or(&defaults.ids),
        own.shared_ids.as_ref().unwrap_or(&defaults.shared_ids),
        own.originals.as_ref().unwrap_or(&defaults.originals),
        own.payment_ids.as_ref().unwrap_or(&defaults.payment_ids),
        own.reference.as_ref().unwrap_or(&defaults.reference),
    ];
    lists.into_iter().flatten().chain(&own.customers)
}

/// Money is signed: its amounts, its currency and the ids that it is booked under.
fn check_money(form: &Form, rule: &EventRule) -> Result<(), String> {
    let amounts = [&rule.authorized, &rule.refunded].into_iter().flatten().flatten();
    let items = rule.items.iter().flat_map(|item| item.id.iter().chain(&item.amount));
    let chargeback = rule.chargeback.iter().flat_map(|one| one.id.iter().chain(&one.amount).chain(&one.of));
    let moved = movements(rule).flat_map(|one| one.id.iter().chain(&one.amount).chain(&one.currency));
    let released = rule.release.iter().flat_map(|one| one.id.iter().chain(&one.amount));
    let currency = rule.currency.as_ref().unwrap_or(&form.defaults.currency);
    match amounts
        .chain(items)
        .chain(chargeback)
        .chain(moved)
        .chain(released)
        .chain(currency)
        .find(|place| !is_signed(form, place))
    {
        Some(place) => {
            Err(format!("amount: {place} is not signed: one notification could book any money. Read signed places"))
        }
        None => Ok(()),
    }
}

/// The headers that a form is read with and that not every signature of it covers.
pub(in crate::psp::profile) fn unsigned_headers(form: &Form) -> Vec<String> {
    let defaults = &form.defaults;
    let ids = [&defaults.ids, &defaults.shared_ids, &defaults.originals, &defaults.payment_ids, &defaults.reference];
    let lists = ids.into_iter().chain([&defaults.at, &defaults.currency]);
    let own = form.event_type.iter().flat_map(|part| part.as_slice()).chain(form.requires.keys());
    let calls = form.fetch.iter().flat_map(|fetch| &fetch.calls);
    let called = calls.flat_map(|call| call.when.keys().chain(call.path.0.iter().filter_map(place_of)));
    let rules = form.rules.iter().flat_map(places);
    let read = own.chain(&form.object).chain(&form.dedupe).chain(lists.flatten()).chain(called).chain(rules);
    let mut names: Vec<String> = read.flat_map(headers).filter(|place| !is_signed(form, place)).map(name).collect();
    names.sort();
    names.dedup();
    names
}

fn name(header: &Place) -> String {
    if let Place::Header(name) = header { name.clone() } else { String::new() }
}

const fn place_of(piece: &Piece) -> Option<&Place> {
    if let Piece::Place(place) = piece { Some(place) } else { None }
}

/// The headers that a place names.
fn headers(place: &Place) -> Vec<&Place> {
    match place {
        Place::Header(_) => vec![place],
        Place::Part(_, place) => headers(place),
        Place::Joined(pieces) => pieces.iter().filter_map(place_of).flat_map(headers).collect(),
        _ => Vec::new(),
    }
}

/// The times that a rule reads are signed, or the form says that they are not.
fn check_times(form: &Form, rule: &EventRule) -> Result<(), String> {
    if !form.time_signed {
        return Ok(());
    }
    let at = rule.at.as_ref().unwrap_or(&form.defaults.at);
    let booked = rule.items.iter().map(|item| &item.at).chain(rule.chargeback.iter().map(|one| &one.at));
    let moved = movements(rule).map(|movement| &movement.at);
    match booked.chain(moved).flatten().chain(at).find(|place| !is_signed(form, place)) {
        Some(place) => Err(format!("at: {place} is not signed. {REMEDY}")),
        None => Ok(()),
    }
}

const REMEDY: &str = "Read a signed time, or say time_signed = false in this [[notification]]";

#[cfg(test)]
mod tests {
    use crate::psp::profile::Profile;

    const BODY: &str = "signed = [\"body\"]\nencoding = \"hex\"\nfound = { header = \"sign\" }\n";
    const PARTS: &str = "signed = [\"/id\", \"/type\"]\nencoding = \"hex\"\nfound = { pointer = \"/sign\" }\n";
    const TIMED: &str = "signed = [\"signed-at\", \"body\"]\nencoding = \"hex\"\nfound = { header = \"sign\" }\n\
                         time = { found = { header = \"time\" }, tolerance_s = 300 }\n";
    const NEXT: &str = "[[notification.signature]]\nalgorithm = \"hmac-sha256\"\n";
    const PLAIN: &str = "signed = [\"secret\"]\nencoding = \"text\"\nfound = { header = \"authorization\" }\n";

    /// A form with these keys that is signed so, and reads the time there.
    fn read(keys: &str, signed: &str, at: &str) -> Result<(), String> {
        Profile::read(&text(keys, signed, at)).map(drop).map_err(|error| error.reason)
    }

    fn text(keys: &str, signed: &str, at: &str) -> String {
        let algorithm = if signed == PLAIN { "plain" } else { "hmac-sha256" };
        format!(
            "name = \"it\"\ntitle = \"It\"\namounts = \"minor\"\n[[notification]]\nname = \"it\"\n\
             type = [\"/type\"]\n{keys}\n[[notification.signature]]\nalgorithm = \"{algorithm}\"\n{signed}\n\
             [[notification.event]]\ntype = \"paid\"\nkind = \"payment\"\nids = [\"/id\"]\nstatus = \"Pending\"\n{at}\n"
        )
    }

    #[test]
    fn a_time_is_signed_or_said_not_to_be() {
        let at = "at = [\"/date\"]";
        for (signed, at) in
            [(BODY, at), (TIMED, "at = [\"signed-at\"]"), (PARTS, "at = [\"/id\"]"), (PLAIN, at), (BODY, "")]
        {
            assert_eq!(read("dedupe = [\"/id\"]", signed, at), Ok(()), "{signed}{at}");
        }
        for (signed, at) in [(PARTS, at), (PARTS, "at = [\"/id\", \"/date\"]"), (BODY, "at = [\"header:date\"]")] {
            let wrong = read("dedupe = [\"/id\"]", signed, at).unwrap_err();
            assert!(wrong.starts_with("at: ") && wrong.contains("time_signed = false"), "{signed}{at}: {wrong}");
            assert_eq!(read("dedupe = [\"/id\"]\ntime_signed = false", signed, at), Ok(()));
        }
        let text = text("dedupe = [\"/id\"]", PARTS, at);
        let rule = text.lines().position(|line| line == "[[notification.event]]").map(|before| before + 1);
        assert_eq!(Profile::read(&text).unwrap_err().line, rule, "the line is that of the rule");
        let item = "at = [\"/id\"]\n[[notification.event.item]]\nid = [\"/id\"]\nat = [\"/booked\"]";
        assert!(read("dedupe = [\"/id\"]", PARTS, item).unwrap_err().starts_with("at: /booked"));
    }

    #[test]
    fn a_dedupe_key_is_made_of_what_is_signed() {
        let at = "at = [\"/id\"]";
        for (keys, signed) in [
            ("dedupe = [\"header:x-event-id\"]", BODY),
            ("dedupe = [\"join:{/id}-{header:x-event-id}\"]", BODY),
            ("dedupe = [\"/id\", \"/date\"]", PARTS),
            ("", PARTS),
        ] {
            assert!(read(keys, signed, at).unwrap_err().starts_with("dedupe: "), "{keys}");
        }
        for (keys, signed) in [
            ("", BODY),
            ("dedupe = [\"/id\", \"type\"]", BODY),
            ("dedupe = [\"tail:/id\", \"type\"]", PARTS),
            ("dedupe = [\"header:x-event-id\"]", PLAIN),
        ] {
            assert_eq!(read(keys, signed, at), Ok(()), "{keys}");
        }
    }

    #[test]
    fn signatures_that_cover_parts_cover_the_same_parts() {
        let (dedupe, at) = ("dedupe = [\"/id\"]", "at = [\"/id\"]");
        assert_eq!(read(dedupe, &format!("{PARTS}{NEXT}{PARTS}"), at), Ok(()));
        let constant = PARTS.replace("\"/type\"", "\"/type\", \"text:\\n\"");
        assert_eq!(read(dedupe, &format!("{PARTS}{NEXT}{constant}"), at), Ok(()), "a constant tells nothing apart");
        for other in [PARTS.replace("\"/type\"", "\"/state\""), format!("{PARTS}separator = \":\"\n")] {
            let both = format!("{PARTS}{NEXT}{other}");
            let wrong = Profile::read(&text(dedupe, &both, at)).unwrap_err();
            assert!(
                wrong.reason.starts_with("signed: the signatures of this [[notification]] cover different"),
                "{wrong:?}"
            );
            assert_eq!(wrong.line, Some(13), "the line is that of the second signature");
        }
        let whole = format!("{BODY}{NEXT}{TIMED}");
        assert_eq!(read(dedupe, &whole, at), Ok(()), "each covers the whole body");
    }

    #[test]
    fn a_type_and_ids_are_signed_or_said_not_to_be() {
        let (dedupe, at) = ("dedupe = [\"/id\"]", "at = [\"/id\"]");
        for (at, key) in [
            (
                "at = [\"/id\"]\nwhen = { \"/state\" = \"x\" }",
                "when: /state is not signed. Read a signed place, or say type_signed",
            ),
            (
                "at = [\"/id\"]\nreference = [\"/order\"]",
                "ids: /order is not signed. Read a signed place, or say ids_signed",
            ),
            ("at = [\"/id\"]\nshared_ids = [\"tail:/link\"]", "ids: tail:/link is not signed"),
        ] {
            let wrong = read(dedupe, PARTS, at).unwrap_err();
            assert!(wrong.starts_with(key), "{wrong}");
            let said = "dedupe = [\"/id\"]\ntype_signed = false\nids_signed = false";
            assert_eq!(read(said, PARTS, at), Ok(()), "{at}");
            assert_eq!((read(dedupe, BODY, at), read(dedupe, PLAIN, at)), (Ok(()), Ok(())), "{at}");
        }
        let header = "at = [\"/id\"]\nreference = [\"header:x-order\"]";
        assert!(read(dedupe, BODY, header).unwrap_err().starts_with("ids: header:x-order"));
        let requires = "dedupe = [\"/id\"]\nrequires = { \"/version\" = \"2\" }";
        assert!(read(requires, PARTS, at).unwrap_err().starts_with("type: /version is not signed"));
    }

    #[test]
    fn money_is_signed_in_any_case() {
        let said = "dedupe = [\"/id\"]\ntype_signed = false\nids_signed = false\ntime_signed = false";
        let rule = |item: &str| format!("at = [\"/id\"]\n[[notification.event.item]]\n{item}");
        for item in ["id = [\"/charge\"]", "id = [\"/id\"]\namount = [\"/amount\"]"] {
            let wrong = read(said, PARTS, &rule(item)).unwrap_err();
            assert!(wrong.starts_with("amount: /") && wrong.contains("is not signed"), "{wrong}");
            assert_eq!(read(said, BODY, &rule(item)), Ok(()));
        }
    }

    #[test]
    fn a_body_that_is_signed_by_a_checksum_holds_one_message() {
        let checksum = BODY.replace("body", "body-crc32");
        let batch = "dedupe = [\"/id\"]\nbatch = \"/events/*\"";
        assert!(read(batch, &checksum, "at = [\"/id\"]").unwrap_err().starts_with("batch: "));
        assert_eq!(read(batch, BODY, "at = [\"/id\"]"), Ok(()));
        let profile = Profile::read(&text("dedupe = [\"/id\"]", &checksum, "at = [\"/id\"]")).unwrap();
        let form = &profile.forms[0];
        assert!(form.binds_body() && form.is_partly_signed() && !form.is_loose());
    }

    #[test]
    fn a_header_that_is_read_is_signed_or_known_not_to_be() {
        let keys = "dedupe = [\"/id\"]\ntype_signed = false\nids_signed = false\ntime_signed = false";
        let rule = "at = [\"join:{header:day}T{header:hour}\"]\nreference = [\"header:order\"]\nwhen = { \"header:kind\" = \"x\" }";
        let profile = Profile::read(&text(keys, BODY, rule)).unwrap();
        let form = &profile.forms[0];
        assert_eq!(form.unsigned_headers, ["day", "hour", "kind", "order"]);
        assert!(form.is_partly_signed() && form.is_loose());
        let signed =
            BODY.replace("\"body\"", "\"body\", \"header:day\", \"header:hour\", \"header:kind\", \"header:order\"");
        let profile = Profile::read(&text("dedupe = [\"/id\"]", &signed, rule)).unwrap();
        assert!(profile.forms[0].unsigned_headers.is_empty() && !profile.forms[0].is_partly_signed());
    }
}
