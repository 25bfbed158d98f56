//! Explanation of the verification: the signed bytes, the expected signatures and the given ones.

use secrecy::ExposeSecret;

use crate::domain::text::{masked, shown};
use crate::psp::document::place::{Place, Scope};
use crate::psp::document::received::Received;
use crate::psp::profile::{Algorithm, Form, Found, Locator, Profile, Signature, SignedTime};
use crate::psp::vouch::crypto::{self, Key};
use crate::psp::vouch::signed;
use crate::psp::vouch::verify::{self, Means, Secret, Unverified, Verified};

/// The reasons why a notification is verified or not.
#[derive(Debug)]
pub struct Verification<'a> {
    /// The result of [`verify::verify`].
    pub verdict: Result<Verified<'a>, Unverified>,
    /// Every signature of the profile, in the profile's order.
    pub signatures: Vec<SignatureSeen<'a>>,
}

/// The result of one signature.
#[derive(Debug)]
pub struct SignatureSeen<'a> {
    /// The form for which the signature would vouch.
    pub form: &'a str,
    /// The index of the signature among the signatures of its form.
    pub index: usize,
    /// The algorithm of the signature.
    pub algorithm: Algorithm,
    /// The location where the signature is expected.
    pub looked: String,
    /// The name of the secret that vouched, none if a certificate did; or the reason why the signature was not
    /// believed.
    pub verdict: Result<Option<String>, Unverified>,
    /// The time that is signed with it.
    pub time: Option<TimeSeen>,
    /// The signed text: of the body, or of each message if the signature is inside.
    pub signed: Vec<SignedSeen>,
}

/// The signed time.
#[derive(Debug)]
pub struct TimeSeen {
    /// The location where the time is expected.
    pub looked: String,
    /// The text of the time, if it is one.
    pub found: Option<String>,
    /// The distance from the time of receipt, in seconds; negative if the signed time is earlier.
    pub off_s: Option<i64>,
    /// The largest allowed distance.
    pub tolerance_s: u32,
    /// Whether the distance is small enough.
    pub near: bool,
}

/// One signed text.
#[derive(Debug)]
pub struct SignedSeen {
    /// The required parts that are missing.
    pub missing: Vec<String>,
    /// The empty parts, which are signed as empty.
    pub empty: Vec<String>,
    /// The signed text, with escapes; a body is cut in the middle, and the secret is not shown.
    pub signed: String,
    /// The given signatures, masked.
    pub given: Vec<String>,
    /// The result that each secret makes of the text, by the secret's name. A certificate makes none.
    pub expected: Vec<(String, Expected)>,
}

/// The expected result by one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// This signature, masked.
    Signature(String),
    /// The secret itself, which is not shown.
    Secret,
    /// The text cannot be a secret; the right form of one.
    Unfit(String),
    /// Only the owner of the private key can make the signature; the public key checked the given one.
    PublicKey,
}

/// Explains the result of [`verify::verify`].
#[must_use]
pub fn verification<'a>(profile: &'a Profile, means: &Means<'_>, received: Received<'a>) -> Verification<'a> {
    let forms = profile.forms.iter();
    let signatures = forms.flat_map(|form| form.signature.iter().enumerate().map(move |indexed| (form, indexed)));
    let seen = signatures.map(|(form, indexed)| seen(profile, form, indexed, means, received));
    Verification { signatures: seen.collect(), verdict: verify::verify(profile, means, received) }
}

fn seen<'a>(
    profile: &Profile,
    form: &'a Form,
    (index, signature): (usize, &'a Signature),
    means: &Means<'_>,
    received: Received<'a>,
) -> SignatureSeen<'a> {
    let verdict = verify::verify_as(profile.challenge.as_ref(), form, signature, means, received);
    let verdict = verdict.map(|verified| verified.secret().map(str::to_owned));
    let signed_at = signature.time.as_ref().and_then(|time| signed::signed_time(time, received));
    let messages = verify::messages(form, signature, received).unwrap_or_default();
    let signed = messages.iter().map(|message| {
        let scope = Scope { configured: means.configured(), signed_at, ..Scope::new(&received, message) };
        signed(signature, means, &scope)
    });
    SignatureSeen {
        form: &form.name,
        index,
        algorithm: signature.algorithm,
        looked: looked(&signature.found),
        verdict,
        time: signature.time.as_ref().map(|time| time_seen(time, signed_at, means, received)),
        signed: signed.collect(),
    }
}

fn time_seen(time: &SignedTime, found: Option<&str>, means: &Means<'_>, received: Received<'_>) -> TimeSeen {
    let tolerance_s = means.tolerance_s.unwrap_or(time.tolerance_s);
    let seconds = found.and_then(|text| text.parse::<i64>().ok());
    TimeSeen {
        looked: looked(&time.found),
        found: found.map(str::to_owned),
        off_s: seconds.map(|at| at.saturating_sub(received.at.as_second())),
        tolerance_s,
        near: found.is_some_and(|text| signed::outside(text, received.at, tolerance_s).is_none()),
    }
}

/// The location of a signature or its time, in words.
fn looked(locator: &Locator) -> String {
    let mut text = match &locator.at {
        Found::Header(header) => format!("header {header}"),
        Found::Message(pointer) => pointer.to_string(),
    };
    if let Some(split) = &locator.split {
        text.push_str(&format!(", split at {split:?}"));
    }
    if let Some(index) = locator.index {
        text.push_str(&format!(", part {index}"));
    }
    if !locator.prefix.is_empty() {
        text.push_str(&format!(", after {:?}", locator.prefix));
    }
    if let Some(after) = &locator.after {
        text.push_str(&format!(", after the last {after:?}"));
    }
    text
}

fn signed(signature: &Signature, means: &Means<'_>, scope: &Scope<'_>) -> SignedSeen {
    let missing: Vec<String> = signed::missing(signature, scope).map(ToString::to_string).collect();
    let is_text = |place: &&Place| !matches!(place, Place::Body | Place::Secret);
    let empty = signature.signed.iter().filter(is_text).filter(|place| scope.text(place).is_none());
    let empty = empty.map(ToString::to_string).filter(|place| !missing.contains(place)).collect();
    let located = signed::located(&signature.found, scope);
    let is_secret = signature.algorithm == Algorithm::Plain;
    SignedSeen {
        missing,
        empty,
        signed: readable(signature, scope),
        given: located
            .iter()
            .map(|found| {
                let count = found.text.chars().count();
                let text = if is_secret { format!("({count} characters)") } else { cut(&found.text) };
                let id = signed::key_id(signature, found, scope);
                text + &id.map(|id| format!(", by the key {}", shown(id))).unwrap_or_default()
            })
            .collect(),
        expected: expected(signature, means, scope),
    }
}

fn expected(signature: &Signature, means: &Means<'_>, scope: &Scope<'_>) -> Vec<(String, Expected)> {
    let made = |text: &str| {
        let key = match crypto::key(signature, text) {
            Ok(key) => key,
            Err(reason) => return Expected::Unfit(reason),
        };
        let key = Key::Secret(&key);
        crypto::signature(signature.algorithm, key, &signed::signed(signature, key, scope))
            .and_then(|bytes| crypto::encode(signature.encoding, &bytes))
            .map_or(Expected::PublicKey, |text| Expected::Signature(cut(&text)))
    };
    let by = |secret: &Secret<'_>| match signature.algorithm {
        Algorithm::Plain => Expected::Secret,
        _ => made(secret.text.expose_secret()),
    };
    let secrets = means.secrets.iter().filter(|_| signature.algorithm != Algorithm::RsaSha256);
    secrets.map(|secret| (secret.name.to_owned(), by(secret))).collect()
}

/// The signed text in readable form: the same parts in the same order as [`signed::signed`] joins.
fn readable(signature: &Signature, scope: &Scope<'_>) -> String {
    let parts = signature.signed.iter().map(|place| match place {
        Place::Body => body(scope.received.body),
        Place::Secret => "‹the secret›".to_owned(),
        other => masked(&scope.text(other).unwrap_or_default()).escape_debug().to_string(),
    });
    parts.collect::<Vec<_>>().join(&signature.separator.escape_debug().to_string())
}

/// The most characters of a body that are shown at its beginning and at its end.
const BODY_HEAD: usize = 80;
const BODY_TAIL: usize = 40;

fn body(bytes: &[u8]) -> String {
    let text = masked(&String::from_utf8_lossy(bytes));
    let count = text.chars().count();
    if count <= BODY_HEAD + BODY_TAIL {
        return text.escape_debug().to_string();
    }
    let head: String = text.chars().take(BODY_HEAD).collect();
    let tail: String = text.chars().skip(count - BODY_TAIL).collect();
    format!("{}‹… {} bytes in all …›{}", head.escape_debug(), bytes.len(), tail.escape_debug())
}

/// The most characters of a signature that are shown: enough to compare, too few to send.
const SIGNATURE_HEAD: usize = 6;

fn cut(signature: &str) -> String {
    let head: String = signature.chars().take(SIGNATURE_HEAD).collect();
    format!("{}… ({} characters)", head.escape_debug(), signature.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psp::profile::catalogue::Catalogue;
    use crate::psp::vouch::sign::sign;
    use jiff::Timestamp;
    use secrecy::SecretString;

    #[test]
    fn what_is_signed_is_shown_and_the_secret_is_not() {
        let catalogue = Catalogue::built_in().unwrap();
        let stripe = &catalogue.get("stripe").unwrap().profile;
        let secret: SecretString = "whsec_very_secret".to_owned().into();
        let other: SecretString = "whsec_other_secret".to_owned().into();
        let body = format!("{{\"type\":\"x\",\"who\":\"jo@example.org\",\"filler\":\"{}\"}}\n", "y".repeat(200));
        let now = 1_700_000_000;
        let made = sign(stripe, None, &Means::secret(&secret), now, "msg", body.as_bytes()).unwrap();
        let at = Timestamp::from_second(now + 10).unwrap();
        let received = Received { headers: &made.headers, body: body.as_bytes(), at };
        let named = |name, text| Secret { name, ..Secret::from(text) };
        let means = Means { secrets: vec![named("other", &other), named("own", &secret)], ..Means::default() };
        let explained = verification(stripe, &means, received);
        let text = format!("{explained:?}");
        assert!(!text.contains("very_secret") && !text.contains("jo@example"), "{text}");
        let seen = &explained.signatures[0];
        assert_eq!(seen.verdict, Ok(Some("own".to_owned())));
        assert_eq!(seen.looked, "header Stripe-Signature, split at \",\", after \"v1=\"");
        let signed = &seen.signed[0];
        assert!(signed.signed.starts_with("1700000000.{\\\"type\\\":\\\"x\\\",\\\"who\\\":\\\"[e-mail]"), "{signed:?}");
        assert!(signed.signed.contains(&format!("{} bytes in all", body.len())), "{signed:?}");
        assert!(signed.signed.ends_with("yyy\\\"}\\n"), "{signed:?}");
        assert_eq!(signed.given.len(), 1);
        let [(first, others), (second, own)] = &signed.expected[..] else { panic!("{signed:?}") };
        assert_eq!((first.as_str(), second.as_str()), ("other", "own"));
        assert_eq!(*own, Expected::Signature(signed.given[0].clone()));
        assert_ne!(others, own);
        assert!(signed.given[0].ends_with("… (64 characters)"), "{signed:?}");
        let time = seen.time.as_ref().unwrap();
        assert_eq!((time.off_s, time.near), (Some(-10), true));
    }

    #[test]
    fn a_secret_that_is_sent_along_is_not_shown() {
        let text = r#"
            name = "p"
            title = "P"
            amounts = "minor"
            [[notification]]
            name = "n"
            type = ["/type"]
            signature = [{ algorithm = "plain", signed = ["secret"], encoding = "text", found = { header = "x-key" } }]
        "#;
        let profile = Profile::read(text).unwrap();
        let secret: SecretString = "sent-along".to_owned().into();
        let headers = [("x-key".to_owned(), "sent-along".to_owned())];
        let received = Received { headers: &headers, body: b"{}", at: Timestamp::UNIX_EPOCH };
        let explained = verification(&profile, &Means::secret(&secret), received);
        assert_eq!(explained.signatures[0].verdict, Ok(Some(String::new())));
        assert_eq!(explained.signatures[0].signed[0].expected, [(String::new(), Expected::Secret)]);
        assert!(!format!("{:?}", explained.signatures).contains("sent-al"), "{explained:?}");
    }
}
