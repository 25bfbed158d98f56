//! What a signature does not cover can be changed by whoever has caught a notification: neither a dedupe key nor, unless
//! the form says so, a time may stand there.

use super::check::Wrong;
use super::{EventRule, Form, Signature};
use crate::psp::place::{Piece, Place};

/// Checks the dedupe key and the times of a form.
///
/// A form that is vouched for as a whole, by a door or by a secret that comes along, protects nothing of itself: whoever has
/// caught one notification has all that it takes to make others. It is not checked.
pub(super) fn check_signed(form: &Form, at: usize) -> Result<(), Wrong> {
    if !form.is_protected() {
        return Ok(());
    }
    check_dedupe(form).map_err(|reason| (Some(at), reason))?;
    for rule in form.rules.iter().filter(|rule| !rule.get_ref().ignore) {
        check_times(form, rule.get_ref()).map_err(|reason| (Some(rule.span().start), reason))?;
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

/// The times that a rule reads are signed, or the form says that they are not.
fn check_times(form: &Form, rule: &EventRule) -> Result<(), String> {
    if !form.time_signed || form.pointer_only {
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

/// Whether it covers all of the body.
fn covers_all(signature: &Signature) -> bool {
    signature.signed.iter().any(|place| matches!(place, Place::Body | Place::BodySha256 | Place::BodyCrc32))
}

/// Whether it covers all of the body, or all that is read of it.
fn covers_body(form: &Form, signature: &Signature) -> bool {
    let inner = form.content.inner.as_ref().map(|inner| &inner.pointer);
    covers_all(signature)
        || signature.signed.iter().any(|place| matches!(place, Place::Message(pointer) if inner == Some(pointer)))
}

impl Form {
    /// Whether a signature covers anything of it, whichever of its signatures it has. If not, a door or a secret that comes
    /// along vouches for it as a whole, and whoever has caught one can make others.
    #[must_use]
    pub fn is_protected(&self) -> bool {
        !self.signature.is_empty() && self.signature.iter().all(|signature| protects(signature.get_ref()))
    }

    /// Whether it is protected, but not all of its body: whoever has caught one can make many of it that verify.
    #[must_use]
    pub fn is_partly_signed(&self) -> bool {
        self.is_protected() && self.signature.iter().any(|signature| !covers_all(signature.get_ref()))
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
