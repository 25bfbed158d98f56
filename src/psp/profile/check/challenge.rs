//! Check of a profile's endpoint check. Anybody chooses the text that it signs, so a signature of such a text vouches for
//! nothing (see [`Challenge::may_have_signed`]). If the signed text of a notification could be a challenge, the profile is
//! refused.

use crate::psp::document::content::{Format, Inner, InnerEncoding};
use crate::psp::document::place::{Place, UrlPart};
use crate::psp::profile::error::Wrong;
use crate::psp::profile::text::ProfileText;
use crate::psp::profile::{Algorithm, Challenge, Characters, Form, Profile, Signature};

/// The longest challenge that is answered, in bytes.
const CHALLENGE_MAX: usize = 256;
/// The longest challenge that is signed, in bytes: no notification is so short.
const SIGNED_CHALLENGE_MAX: usize = 64;

pub(super) fn check_challenge(profile: &Profile, text: &ProfileText, challenge: &Challenge) -> Result<(), Wrong> {
    check_itself(challenge).map_err(|reason| (None, reason))?;
    let Some(sign) = &challenge.sign else { return Ok(()) };
    check_signed(challenge, sign.algorithm).map_err(|reason| (None, reason))?;
    for (form, text) in profile.forms.iter().zip(&text.forms) {
        let signatures = form.signature.iter().enumerate();
        for (index, signature) in signatures.filter(|(_, signature)| signature.algorithm.is_hmac()) {
            let at = Some(text.signature_at(index));
            check_against(challenge, form, signature).map_err(|reason| (at, reason))?;
        }
    }
    Ok(())
}

fn check_itself(challenge: &Challenge) -> Result<(), String> {
    if challenge.header.is_some() == challenge.query.is_some() {
        return Err("header and query: exactly one of them is needed".to_owned());
    }
    let (least, greatest) = challenge.length;
    if least == 0 || least > greatest || greatest > CHALLENGE_MAX {
        return Err(format!(
            "length: [{least}, {greatest}]: the least length must not be above the greatest, and both must be from 1 to \
             {CHALLENGE_MAX}"
        ));
    }
    let known = |place: &Place| {
        matches!(place, Place::Text(_) | Place::Setting(_) | Place::Given)
            || (*place == Place::Signature && challenge.sign.is_some())
    };
    match challenge.answer.iter().find(|place| !known(place)) {
        Some(unknown) => Err(format!("answer: {unknown} is not known")),
        None if challenge.answer.is_empty() => Err("answer: needs at least one part".to_owned()),
        None => Ok(()),
    }
}

fn check_signed(challenge: &Challenge, algorithm: Algorithm) -> Result<(), String> {
    if !algorithm.is_hmac() {
        let name = algorithm.name();
        return Err(format!("sign.algorithm: {name:?} proves no secret; hmac-sha256, hmac-sha1 and hmac-sha512 do"));
    }
    let (least, greatest) = challenge.length;
    if greatest > SIGNED_CHALLENGE_MAX {
        return Err(format!(
            "length: [{least}, {greatest}] is too long for a challenge that is signed: at most {SIGNED_CHALLENGE_MAX}"
        ));
    }
    Ok(())
}

/// Checks that no text that a signature of a notification covers can be a challenge.
fn check_against(challenge: &Challenge, form: &Form, signature: &Signature) -> Result<(), String> {
    let covered = Shape::covered(form, signature, challenge.characters);
    let (least, greatest) = challenge.length;
    if !covered.fits || covered.least > greatest || covered.greatest < least {
        return Ok(());
    }
    let parts: Vec<_> = signature.signed.iter().map(ToString::to_string).collect();
    Err(format!(
        "length: [{least}, {greatest}] characters of {:?} may be all that a signature of form {:?} covers ({}); the signature \
         must cover more, such as the body or words of its own, or the challenge must have other characters or another length",
        challenge.characters.name(),
        form.name,
        parts.join(", "),
    ))
}

/// The shape that a text in a genuine notification can have.
#[derive(Debug, Clone, Copy)]
struct Shape {
    /// Whether it may consist of the challenge's characters alone.
    fits: bool,
    /// Its least length in bytes.
    least: usize,
    /// Its greatest length in bytes.
    greatest: usize,
}

impl Shape {
    /// The shape of the whole text that a signature covers.
    fn covered(form: &Form, signature: &Signature, characters: Characters) -> Self {
        let separator = Self::exactly(&signature.separator, characters);
        let parts = signature.signed.iter().map(|place| Self::of(place, form, characters));
        let joined = parts.reduce(|before, part| before.then(separator).then(part));
        joined.unwrap_or(Self { fits: true, least: 0, greatest: 0 })
    }

    /// The shape of the text at a place that can be signed.
    fn of(place: &Place, form: &Form, characters: Characters) -> Self {
        let any = |fits: bool| Self { fits, least: 1, greatest: usize::MAX };
        match place {
            Place::Text(words) => Self::exactly(words, characters),
            Place::Body => any(characters.include(sign_of(form.content.format))),
            Place::Message(pointer) => match form.content.inner.as_ref().filter(|inner| inner.pointer == *pointer) {
                Some(inner) => any(characters.include(sign_of_inner(inner))),
                None => Self { least: 0, ..any(true) },
            },
            // Base64 of 32 bytes ends with `=`.
            Place::BodySha256 => Self { fits: characters.include(b'='), least: 44, greatest: 44 },
            Place::BodyCrc32 => Self { greatest: 10, ..any(true) },
            Place::SignedAt => Self { greatest: 19, ..any(true) },
            Place::Url(UrlPart::Whole | UrlPart::Path) => any(characters.include(b'/')),
            Place::Header(_) | Place::Setting(_) | Place::Url(UrlPart::Host) => any(true),
            _ => Self { least: 0, ..any(true) },
        }
    }

    fn exactly(text: &str, characters: Characters) -> Self {
        let fits = text.bytes().all(|byte| characters.include(byte));
        Self { fits, least: text.len(), greatest: text.len() }
    }

    const fn then(self, next: Self) -> Self {
        Self {
            fits: self.fits && next.fits,
            least: self.least.saturating_add(next.least),
            greatest: self.greatest.saturating_add(next.greatest),
        }
    }
}

/// A character that every notification in this format has: the first of an object or an element, or the one before a value.
const fn sign_of(format: Format) -> u8 {
    match format {
        Format::Json => b'{',
        Format::Form => b'=',
        Format::Xml => b'<',
    }
}

/// The same for a message inside a field. Base64 has capital letters, for which `P` stands.
const fn sign_of_inner(inner: &Inner) -> u8 {
    match inner.encoding {
        InnerEncoding::Text => sign_of(inner.format),
        InnerEncoding::Base64 => b'P',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A profile whose endpoint check is answered with a signature, and whose notifications are signed so.
    fn read(challenge: &str, signature: &str) -> Result<Profile, String> {
        let text = format!(
            "name = \"own\"\ntitle = \"Own\"\namounts = \"minor\"\n[settings]\nword = \"A word\"\n\
             [challenge]\nquery = \"check\"\nanswer = [\"signature\", \"setting:word\"]\n{challenge}\n\
             [[notification]]\nname = \"it\"\ntype = [\"/type\"]\ntype_signed = false\n{signature}\n"
        );
        Profile::read(&text).map_err(|error| error.to_string())
    }

    fn challenge(characters: &str, least: usize, greatest: usize) -> String {
        let sign = "sign = { algorithm = \"hmac-sha256\", encoding = \"hex\" }";
        format!("characters = \"{characters}\"\nlength = [{least}, {greatest}]\n{sign}")
    }

    fn signed(content: &str, found: &str, signed: &str) -> String {
        // If only fields are signed, the dedupe key is made of them.
        let dedupe = if found == FIELD && content.is_empty() { "dedupe = [\"/id\"]" } else { "" };
        format!(
            "{content}\n{dedupe}\n[[notification.signature]]\nalgorithm = \"hmac-sha256\"\nencoding = \"hex\"\nsigned = [{signed}]\n\
             found = {{ {found} }}"
        )
    }

    const HEADER: &str = "header = \"sign\"";
    const FIELD: &str = "pointer = \"/sign\"";

    #[test]
    fn a_challenge_that_is_signed_is_short_and_proves_the_secret() {
        let body = signed("", HEADER, "\"body\"");
        assert!(read(&challenge("hex", 1, 64), &body).is_ok());
        let reason = read(&challenge("hex", 20, 65), &body).unwrap_err();
        assert!(reason.contains("challenge.length: [20, 65]") && reason.contains("at most 64"), "{reason}");
        let reason = read(&challenge("hex", 0, 64), &body).unwrap_err();
        assert!(
            reason.contains("challenge.length: [0, 64]: the least length") && reason.contains("from 1 to 256"),
            "{reason}"
        );
        for other in ["plain", "sha256", "md5", "ed25519", "rsa-sha256"] {
            let challenge = challenge("hex", 1, 64).replace("hmac-sha256", other);
            let reason = read(&challenge, &body).unwrap_err();
            assert!(reason.contains(&format!("challenge.sign.algorithm: {other:?}")), "{reason}");
        }
        let echoed = "characters = \"token\"\nlength = [1, 256]".to_owned();
        let text = read(&echoed, &body).unwrap_err();
        assert!(text.contains("answer: signature is not known"), "{text}");
    }

    #[test]
    fn what_may_itself_look_like_a_challenge_is_refused() {
        let form = "content = { format = \"form\" }";
        let inner =
            "content = { format = \"form\", inner = { pointer = \"/a\", encoding = \"base64\", format = \"xml\" } }";
        let timed = format!(
            "{}\ntime = {{ found = {{ header = \"at\" }}, tolerance_s = 300 }}",
            signed("", HEADER, "\"signed-at\", \"body-sha256\"")
        );
        for (characters, least, greatest, signature, refused) in [
            ("hex", 20, 32, signed("", HEADER, "\"body\""), false),
            ("token", 1, 64, signed("", HEADER, "\"body\""), false),
            // A form of one field may consist of letters and `=`, which a token may have.
            ("hex", 1, 64, signed(form, HEADER, "\"body\""), false),
            ("token", 1, 64, signed(form, HEADER, "\"body\""), true),
            // The digest of any body is a token of 44 characters, and no hexadecimal number.
            ("token", 1, 64, signed("", HEADER, "\"body-sha256\""), true),
            ("token", 1, 43, signed("", HEADER, "\"body-sha256\""), false),
            ("hex", 1, 64, signed("", HEADER, "\"body-sha256\""), false),
            ("token", 40, 64, timed.clone(), true),
            ("token", 64, 64, timed, false),
            ("hex", 8, 64, signed("", HEADER, "\"body-crc32\""), true),
            ("hex", 11, 64, signed("", HEADER, "\"body-crc32\""), false),
            ("hex", 20, 64, signed("", HEADER, "\"header:id\", \"body-crc32\""), true),
            ("hex", 20, 64, signed("", HEADER, "\"header:id\", \"text:\\n\", \"body-crc32\""), false),
            ("hex", 20, 64, signed("", HEADER, "\"setting:word\", \"body-crc32\""), true),
            // A field may have any text, except the field that holds the message.
            ("hex", 20, 32, signed("", FIELD, "\"/id\""), true),
            ("hex", 20, 32, signed("", FIELD, "\"text:id=\", \"/id\""), false),
            ("hex", 20, 32, signed(inner, FIELD, "\"/a\""), false),
            ("token", 20, 32, signed(inner, FIELD, "\"/a\""), true),
        ] {
            let verdict = read(&challenge(characters, least, greatest), &signature);
            assert_eq!(verdict.is_err(), refused, "{characters} {least} {greatest} {signature}: {verdict:?}");
            if let Err(reason) = verdict {
                assert!(reason.contains("may be all that a signature of form \"it\" covers"), "{reason}");
            }
        }
    }

    #[test]
    fn a_secret_that_is_sent_along_is_no_matter_of_the_challenge() {
        let along = "[[notification.signature]]\nalgorithm = \"plain\"\nencoding = \"text\"\nsigned = [\"secret\"]\n\
                     found = { header = \"key\" }";
        assert!(read(&challenge("hex", 1, 64), along).is_ok());
    }
}
