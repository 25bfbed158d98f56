//! What a PSP's check of the endpoint is answered: a GET to the source's address.

use secrecy::{ExposeSecret, SecretString};

use super::crypto::{self, Key};
use super::place::{Configured, Place, Scope};
use super::profile::{Challenge, ChallengeSignature, Characters};
use super::received::Received;

/// The answer to an endpoint check; none if this is none. `header` and `query` look a header and a parameter up.
#[must_use]
pub fn answer(
    challenge: &Challenge,
    configured: Configured<'_>,
    secret: Option<&SecretString>,
    header: impl Fn(&str) -> Option<String>,
    query: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let given = challenge.header.as_deref().and_then(header).or_else(|| challenge.query.as_deref().and_then(query))?;
    let (least, greatest) = challenge.length;
    let good = (least..=greatest).contains(&given.len()) && given.bytes().all(|b| is_one_of(challenge.characters, b));
    if !good {
        return None;
    }
    let received = Received { headers: &[], body: &[], at: jiff::Timestamp::UNIX_EPOCH };
    let scope = Scope { configured, ..Scope::new(&received, &serde_json::Value::Null) };
    challenge
        .answer
        .iter()
        .map(|place| match place {
            Place::Given => Some(given.clone()),
            Place::Signature => signed(challenge.sign.as_ref()?, secret?, &given),
            other => scope.text(other),
        })
        .collect()
}

const fn is_one_of(characters: Characters, byte: u8) -> bool {
    match characters {
        Characters::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        Characters::Token => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'='),
    }
}

fn signed(sign: &ChallengeSignature, secret: &SecretString, given: &str) -> Option<String> {
    let key = crypto::decoded_key(sign.key, secret.expose_secret()).ok()?;
    let bytes = crypto::signature(sign.algorithm, Key::Secret(&key), given.as_bytes())?;
    crypto::encode(sign.encoding, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::psp::profile::{Algorithm, Encoding, KeyEncoding};
    use std::collections::BTreeMap;

    #[test]
    fn a_challenge_is_signed_and_echoed_within_its_bounds() {
        let challenge = Challenge {
            header: None,
            query: Some("bt_challenge".to_owned()),
            characters: Characters::Hex,
            length: (20, 32),
            answer: vec![Place::Setting("public-key".to_owned()), Place::Text("|".to_owned()), Place::Signature],
            sign: Some(ChallengeSignature {
                algorithm: Algorithm::HmacSha1,
                key: KeyEncoding::Sha1,
                encoding: Encoding::Hex,
            }),
        };
        let settings = BTreeMap::from([("public-key".to_owned(), "integration_public_key".to_owned())]);
        let configured = Configured { settings: Some(&settings), public_url: None };
        let secret: SecretString = "integration_private_key".to_owned().into();
        let ask = |given: &str| {
            answer(
                &challenge,
                configured,
                Some(&secret),
                |_| None,
                |name| (name == "bt_challenge").then(|| given.to_owned()),
            )
        };
        // HMAC-SHA1 by the SHA-1 of the key, computed apart from this.
        let expected = "integration_public_key|d9b899556c966b3f06945ec21311865d35df3ce4";
        assert_eq!(ask("20f9f8ed05f77439fe955c977e4c8a53").as_deref(), Some(expected));
        for bad in ["20f9", "20f9f8ed05f77439fe955c977e4c8a5320f9f8ed05f77439", "20f9f8ed05f77439fe955c977e4c8aZZ"] {
            assert_eq!(ask(bad), None, "{bad}");
        }
    }
}
