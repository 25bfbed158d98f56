//! What a signature does not cover can be changed by whoever has caught a notification: neither a dedupe key nor money may
//! stand there; a time, a type or an id only if the form says so.

use super::check::Wrong;
use super::check_rule::places;
use super::rule::Fixed;
use super::{EventRule, Form, Signature};
use crate::psp::place::{Piece, Place};

/// Checks what a form reads where it is not signed.
///
/// A form that is vouched for as a whole, by a door or by a secret that comes along, protects nothing of itself: whoever has
/// caught one notification has all that it takes to make others. It is not checked.
pub(super) fn check_signed(form: &Form, at: usize) -> Result<(), Wrong> {
    if !form.is_protected() {
        return Ok(());
    }
    check_dedupe(form).map_err(|reason| (Some(at), reason))?;
    check_checksum(form).map_err(|reason| (Some(at), reason))?;
    if form.pointer_only {
        return Ok(());
    }
    check_type(form).map_err(|reason| (Some(at), reason))?;
    for rule in form.rules.iter().filter(|rule| !rule.get_ref().ignore) {
        let (at, rule) = (Some(rule.span().start), rule.get_ref());
        let checks = [check_times, check_conditions, check_ids, check_money];
        checks.into_iter().try_for_each(|check| check(form, rule)).map_err(|reason| (at, reason))?;
    }
    Ok(())
}

/// The dedupe key is made of what is signed.
fn check_dedupe(form: &Form) -> Result<(), String> {
    let signatures = || form.signature.iter().map(toml::Spanned::get_ref);
    if form.dedupe.is_empty() && !signatures().all(|signature| covers_body(form, signature)) {
        return Err(
            "dedupe: is needed, since the signature covers parts of the body only; make it of these parts".into()
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
            "batch: a body that is signed by its CRC-32 only holds one message; sign body or body-sha256".into()
        );
    }
    Ok(())
}

/// The type is signed, or the form says that it is not.
fn check_type(form: &Form) -> Result<(), String> {
    let parts = form.event_type.iter().flat_map(|part| part.as_slice());
    match parts.chain(form.requires.keys()).find(|place| form.type_signed && !is_signed(form, place)) {
        Some(place) => Err(format!("type: {place} is not signed. Read a signed place, or say {TYPE}")),
        None => Ok(()),
    }
}

/// What decides what a message means is signed, or the form says that it is not.
fn check_conditions(form: &Form, rule: &EventRule) -> Result<(), String> {
    let state = match &rule.status {
        Some(Fixed::Mapped(mapped)) => mapped.from.as_slice(),
        _ => &[],
    };
    let conditions = rule.when.keys().chain(rule.items.iter().flat_map(|item| item.when.keys())).chain(state);
    match conditions.into_iter().find(|place| form.type_signed && !is_signed(form, place)) {
        Some(place) => Err(format!("when: {place} is not signed. Read a signed place, or say {TYPE}")),
        None => Ok(()),
    }
}

const TYPE: &str = "type_signed = false in this [[notification]]";

/// What leads to a record is signed, or the form says that it is not.
fn check_ids(form: &Form, rule: &EventRule) -> Result<(), String> {
    match leads(form, rule).find(|place| form.ids_signed && !is_signed(form, place)) {
        Some(place) => Err(format!(
            "ids: {place} is not signed. Read a signed place, or say ids_signed = false in this [[notification]]"
        )),
        None => Ok(()),
    }
}

/// Where that stands which leads from a rule to records.
fn leads<'f>(form: &'f Form, rule: &'f EventRule) -> impl Iterator<Item = &'f Place> {
    let (own, defaults) = (rule, &form.defaults);
    let lists = [
        own.ids.as_ref().unwrap_or(&defaults.ids),
        own.shared_ids.as_ref().unwrap_or(&defaults.shared_ids),
        own.reference.as_ref().unwrap_or(&defaults.reference),
    ];
    lists.into_iter().flatten()
}

/// Money is signed: its amounts, its currency and the ids that it is booked under.
fn check_money(form: &Form, rule: &EventRule) -> Result<(), String> {
    let amounts = [&rule.authorized, &rule.refunded].into_iter().flatten().flatten();
    let items = rule.items.iter().flat_map(|item| item.id.iter().chain(&item.amount));
    let chargeback = rule.chargeback.iter().flat_map(|one| one.id.iter().chain(&one.amount));
    let currency = rule.currency.as_ref().unwrap_or(&form.defaults.currency);
    match amounts.chain(items).chain(chargeback).chain(currency).find(|place| !is_signed(form, place)) {
        Some(place) => {
            Err(format!("amount: {place} is not signed: one notification could book any money. Read signed places"))
        }
        None => Ok(()),
    }
}

/// The headers that a form is read with and that not every signature of it covers.
pub(super) fn unsigned_headers(form: &Form) -> Vec<String> {
    let defaults = &form.defaults;
    let lists = [&defaults.ids, &defaults.shared_ids, &defaults.reference, &defaults.at, &defaults.currency];
    let own = form.event_type.iter().flat_map(|part| part.as_slice()).chain(form.requires.keys());
    let calls = form.fetch.iter().flat_map(|fetch| &fetch.calls);
    let called = calls.flat_map(|call| call.when.keys().chain(call.path.0.iter().filter_map(place_of)));
    let rules = form.rules.iter().flat_map(|rule| places(rule.get_ref()));
    let read =
        own.chain(&form.object).chain(&form.dedupe).chain(lists.into_iter().flatten()).chain(called).chain(rules);
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

/// The headers among the places that this one names.
fn headers(place: &Place) -> Vec<&Place> {
    match place {
        Place::Header(_) => vec![place],
        Place::Tail(place) => headers(place),
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
    match booked.flatten().chain(at).find(|place| !is_signed(form, place)) {
        Some(place) => Err(format!("at: {place} is not signed. {REMEDY}")),
        None => Ok(()),
    }
}

const REMEDY: &str = "Read a signed time, or say time_signed = false in this [[notification]]";

/// Whether every way in which the form may be signed covers a place. What is fetched, the relay has asked for itself.
pub(super) fn is_signed(form: &Form, place: &Place) -> bool {
    !form.signature.is_empty() && form.signature.iter().all(|signature| covers(form, signature.get_ref(), place))
}

fn covers(form: &Form, signature: &Signature, place: &Place) -> bool {
    match place {
        Place::Text(_) | Place::Fetched(_) => true,
        Place::Tail(place) => covers(form, signature, place),
        Place::Joined(pieces) => pieces.iter().all(|piece| match piece {
            Piece::Text(_) => true,
            Piece::Place(place) => covers(form, signature, place),
        }),
        Place::Type => {
            form.event_type.iter().flat_map(|part| part.as_slice()).all(|part| covers(form, signature, part))
        }
        Place::SignedAt => signature.time.is_some(),
        Place::Header(_) => signature.signed.contains(place),
        Place::Message(_) => covers_body(form, signature) || signature.signed.contains(place),
        _ => covers_body(form, signature),
    }
}

/// Whether it covers all of the body, so that no other body has the same signature.
fn covers_all(signature: &Signature) -> bool {
    signature.signed.iter().any(|place| matches!(place, Place::Body | Place::BodySha256))
}

/// Whether it covers the body by a checksum only. Anybody can make another body of the same checksum, so the signature belongs
/// to the first body that comes with it.
fn covers_checksum(signature: &Signature) -> bool {
    !covers_all(signature) && signature.signed.contains(&Place::BodyCrc32)
}

/// Whether it covers all of the body, or all that is read of it.
fn covers_body(form: &Form, signature: &Signature) -> bool {
    let inner = form.content.inner.as_ref().map(|inner| &inner.pointer);
    covers_all(signature)
        || covers_checksum(signature)
        || signature.signed.iter().any(|place| matches!(place, Place::Message(pointer) if inner == Some(pointer)))
}

impl Form {
    /// Whether a signature covers anything of it, whichever of its signatures it has. If not, a door or a secret that comes
    /// along vouches for it as a whole, and whoever has caught one can make others.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        !self.signature.is_empty() && self.signature.iter().all(|signature| protects(signature.get_ref()))
    }

    /// Whether it is protected, but not all of its body and of the headers that it is read with: whoever has caught one can make
    /// many of it that verify.
    #[must_use]
    pub fn is_partly_signed(&self) -> bool {
        let is_whole = self.signature.iter().all(|signature| covers_all(signature.get_ref()));
        self.is_protected() && !(is_whole && self.unsigned_headers.is_empty())
    }

    /// Whether a signature covers its body, but by a checksum only: what is signed belongs to the first body that comes with it.
    #[must_use]
    pub fn binds_body(&self) -> bool {
        self.is_protected() && self.signature.iter().any(|signature| covers_checksum(signature.get_ref()))
    }

    /// Whether the body as a whole is signed, by whatever its signatures are.
    #[must_use]
    pub fn is_signed_whole(&self) -> bool {
        self.is_protected()
            && self.signature.iter().map(toml::Spanned::get_ref).all(|one| covers_all(one) || covers_checksum(one))
    }

    /// Whether whoever has caught one can lead it to another record: what is signed counts for the records that it reached
    /// first. What a pointer leads to is read of the answer.
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.is_protected() && !self.pointer_only && !(self.type_signed && self.ids_signed)
    }

    /// Whether its signatures cover this place.
    #[must_use]
    pub fn signs(&self, place: &Place) -> bool {
        is_signed(self, place)
    }
}

/// Whether it covers anything of what it comes with.
fn protects(signature: &Signature) -> bool {
    let own = |place: &Place| {
        matches!(
            place,
            Place::Body | Place::BodySha256 | Place::BodyCrc32 | Place::Message(_) | Place::Header(_) | Place::SignedAt
        )
    };
    signature.signed.iter().any(own)
}

#[cfg(test)]
mod tests {
    use crate::psp::profile::Profile;

    const BODY: &str = "signed = [\"body\"]\nencoding = \"hex\"\nfound = { header = \"sign\" }\n";
    const PARTS: &str = "signed = [\"/id\", \"/type\"]\nencoding = \"hex\"\nfound = { pointer = \"/sign\" }\n";
    const TIMED: &str = "signed = [\"signed-at\", \"body\"]\nencoding = \"hex\"\nfound = { header = \"sign\" }\n\
                         time = { found = { header = \"time\" }, tolerance_s = 300 }\n";
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
}
