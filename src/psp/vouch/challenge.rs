//! The answer to a PSP's endpoint check (challenge): a GET to the source's route.

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use subtle::ConstantTimeEq;

use super::crypto::{self, Key};
use super::needs::signatures;
use crate::psp::document::place::{Configured, Place, Scope};
use crate::psp::document::received::Received;
use crate::psp::profile::{Algorithm, Challenge, ChallengeSignature, Profile};

/// The answer to an endpoint check; none if the request is not one. `header` and `query` look up a header and a parameter.
#[must_use]
pub fn answer(
    challenge: &Challenge,
    configured: Configured<'_>,
    secret: Option<&SecretString>,
    header: impl Fn(&str) -> Option<String>,
    query: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let given = challenge.header.as_deref().and_then(header).or_else(|| challenge.query.as_deref().and_then(query))?;
    if !challenge.takes(given.as_bytes()) {
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

fn signed(sign: &ChallengeSignature, secret: &SecretString, given: &str) -> Option<String> {
    let key = crypto::decoded_key(sign.key, secret.expose_secret()).ok()?;
    let bytes = crypto::signature(sign.algorithm, Key::Secret(&key), given.as_bytes())?;
    crypto::encode(sign.encoding, &bytes)
}

/// Whether a challenge that signs with one secret would sign for a profile with another secret: both are the same text, or
/// the same key in any spelling. The bytes of keys are not compared, but the HMACs that they make: HMAC treats some
/// different bytes as the same key.
#[must_use]
pub fn signs_for(sign: &ChallengeSignature, secret: &SecretString, profile: &Profile, other: &SecretString) -> bool {
    let (secret, other) = (secret.expose_secret(), other.expose_secret());
    let made_by = |key: &SecretSlice<u8>| crypto::signature(sign.algorithm, Key::Secret(key), &[]);
    let own = crypto::decoded_key(sign.key, secret).ok().and_then(|key| made_by(&key));
    let takes_one = signatures(profile).filter(|signature| signature.algorithm != Algorithm::RsaSha256);
    let keys = takes_one.filter_map(|signature| crypto::key(signature, other).ok());
    let same_key = own.is_some_and(|own| {
        let shared = |key| made_by(&key).is_some_and(|others| own.ct_eq(&others).into());
        keys.fold(false, |found, key| found | shared(key))
    });
    same_key | bool::from(secret.as_bytes().ct_eq(other.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use serde_json::{Map, Value};
    use url::Url;

    use super::*;
    use crate::guide::explain;
    use crate::psp::document::content::Format;
    use crate::psp::profile::catalogue::Catalogue;
    use crate::psp::profile::{Algorithm, Characters, Encoding, Form, KeyEncoding, Profile, Signature};
    use crate::psp::vouch::sign::sign;
    use crate::psp::vouch::verify::{Means, Unverified, verify};

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
        // The HMAC-SHA1 by the SHA-1 of the key, computed by another program.
        let expected = "integration_public_key|d9b899556c966b3f06945ec21311865d35df3ce4";
        assert_eq!(ask("20f9f8ed05f77439fe955c977e4c8a53").as_deref(), Some(expected));
        for bad in ["20f9", "20f9f8ed05f77439fe955c977e4c8a5320f9f8ed05f77439", "20f9f8ed05f77439fe955c977e4c8aZZ"] {
            assert_eq!(ask(bad), None, "{bad}");
        }
    }

    /// A challenge that would give anybody such a signature.
    fn oracle(signature: &Signature, characters: Characters) -> Challenge {
        Challenge {
            header: None,
            query: Some("challenge".to_owned()),
            characters,
            length: (1, 64),
            answer: vec![Place::Signature],
            sign: Some(ChallengeSignature {
                algorithm: signature.algorithm,
                key: signature.key,
                encoding: signature.encoding,
            }),
        }
    }

    /// A body with this text in the signed part of the form.
    fn body(form: &Form, signature: &Signature, text: &str) -> Vec<u8> {
        let mut fields = Value::Object(Map::new());
        for place in &signature.signed {
            if let Place::Message(pointer) = place {
                pointer.put(&mut fields, text.into()).unwrap();
            }
        }
        match form.content.format {
            _ if signature.found.pointer().is_none() => text.as_bytes().to_vec(),
            Format::Form => form.content.write_form(&fields),
            Format::Json | Format::Xml => fields.to_string().into_bytes(),
        }
    }

    const TEXTS: [&str; 6] = [
        "20f9f8ed05f77439fe955c977e4c8a53",
        "0",
        "abcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcdefabcd",
        "a_token-with.signs=",
        "{}",
        "20f9f8ed05f77439fe955c977e4c8a53\n",
    ];

    /// Each built-in profile with a challenge that signs in the same way as its notifications, the signature, and a genuine
    /// notification with the text.
    fn try_all(mut look: impl FnMut(&Profile, &Profile, &Means<'_>, Received<'_>)) {
        let secret: SecretString = "5a5b5c5d5e5f5051".to_owned().into();
        let url = Url::parse("https://relay.example.com/n").unwrap();
        for entry in Catalogue::built_in().unwrap().iter() {
            let settings: BTreeMap<_, _> =
                entry.profile.settings.keys().map(|name| (name.clone(), "set".to_owned())).collect();
            let means = Means { settings: Some(&settings), public_url: Some(&url), ..Means::secret(&secret) };
            let plain = Profile { challenge: None, ..Profile::clone(&entry.profile) };
            for form in &plain.forms {
                let Some(signature) = form.signature.first() else { continue };
                for characters in [Characters::Hex, Characters::Token] {
                    let own = Profile { challenge: Some(oracle(signature, characters)), ..plain.clone() };
                    for text in TEXTS {
                        let body = body(form, signature, text);
                        let Ok(signed) = sign(&plain, Some(&form.name), &means, 5, "id", &body) else { continue };
                        let at = Timestamp::from_second(5).unwrap();
                        look(&plain, &own, &means, Received { headers: &signed.headers, body: &signed.body, at });
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_that_a_challenge_may_have_signed_vouches_in_any_form_of_any_profile() {
        let (mut refused, mut taken) = (0, 0);
        try_all(|plain, own, means, received| {
            let believed = verify(plain, means, received).expect("it is signed");
            let explained = explain::verification(plain, means, received);
            let vouching = explained.signatures.iter().find(|seen| seen.verdict.is_ok()).unwrap();
            let challenge = own.challenge.as_ref().unwrap();
            let is_hmac = vouching.algorithm.is_hmac();
            let may_be = |covered: &str| is_hmac && challenge.may_have_signed(covered.as_bytes());
            let verdict = verify(own, means, received).map(|verified| verified.form().name.clone());
            if vouching.signed.iter().any(|seen| may_be(&seen.signed)) {
                assert_eq!(verdict, Err(Unverified::Challenge), "{} believes {received:?}", own.name);
                refused += 1;
            } else {
                assert_eq!(verdict.as_ref(), Ok(&believed.form().name), "{} believes no more {received:?}", own.name);
                taken += 1;
            }
        });
        assert!(refused > 50 && taken > 50, "{refused} refused, {taken} taken");
    }

    #[test]
    fn what_is_refused_is_what_the_challenge_answers_with() {
        let catalogue = Catalogue::built_in().unwrap();
        let braintree = &catalogue.get("braintree").unwrap().profile;
        let challenge = braintree.challenge.as_ref().unwrap();
        let settings = BTreeMap::from([("public-key".to_owned(), "pub1".to_owned())]);
        let secret: SecretString = "secret".to_owned().into();
        let means = Means { settings: Some(&settings), ..Means::secret(&secret) };
        let (given, shorter) = ("00112233445566778899aabbccddeeff", "00112233445566778");
        let answer =
            answer(challenge, means.configured(), Some(&secret), |_| None, |_| Some(given.to_owned())).unwrap();
        let verdict = |answer: &str, payload: &str| {
            let body = format!("bt_signature={}&bt_payload={payload}&pad=x", answer.replace('|', "%7C"));
            let received = Received { headers: &[], body: body.as_bytes(), at: Timestamp::UNIX_EPOCH };
            verify(braintree, &means, received).map(drop)
        };
        assert_eq!(verdict(&answer, given), Err(Unverified::Challenge));
        assert_eq!(verdict("pub1|00", given), Err(Unverified::Challenge), "right or wrong");
        assert_eq!(verdict(&answer, shorter), Err(Unverified::Wrong));
        assert_eq!(verdict(&answer, &format!("{given}%0A")), Err(Unverified::Wrong));
    }
}
