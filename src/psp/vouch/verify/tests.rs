//! Tests of verification: what is believed, and what is not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::*;
use crate::psp::vouch::needs::{needs_credentials, needs_secrets};
use crate::psp::vouch::sign::sign;

const RULES: &str = "type = [\"/type\"]\n[[notification.event]]\ntype = \"x\"\nignore = true\n";
const SIGNED: &str = "[[notification.signature]]\nalgorithm = \"hmac-sha256\"\nsigned = [\"body\"]\n\
                      encoding = \"hex\"\nfound = { header = \"sign\" }\n";

fn profile(forms: &str) -> Result<Profile, String> {
    let head = "name = \"it\"\ntitle = \"It\"\namounts = \"minor\"\n";
    Profile::read(&format!("{head}{forms}")).map_err(|error| error.to_string())
}

#[test]
fn credentials_vouch_only_for_what_has_no_signature_at_all() {
    let both = format!(
        "[[notification]]\nname = \"signed\"\n{RULES}{SIGNED}\n[[notification]]\nname = \"bare\"\n\
         trusts_credentials = true\n{RULES}"
    );
    let both = profile(&both).unwrap();
    assert!(needs_credentials(&both) && !needs_secrets(&both));
    let secret: SecretString = "secret".to_owned().into();
    let wrong = [("sign".to_owned(), "00".repeat(32))];
    let taken = |headers: &[(String, String)], credentials: bool| {
        let means = Means { credentials, ..Means::secret(&secret) };
        let received = Received { headers, body: b"{}", at: Timestamp::UNIX_EPOCH };
        verify(&both, &means, received).map(|verified| verified.form().name.clone())
    };
    assert_eq!(taken(&[], true).as_deref(), Ok("bare"));
    assert_eq!(taken(&[], false), Err(Unverified::NoCredentials));
    assert_eq!(taken(&wrong, true), Err(Unverified::Wrong));
}

#[test]
fn a_form_is_signed_or_fetched_or_trusts_credentials() {
    let form = |more: &str| profile(&format!("[[notification]]\nname = \"it\"\n{more}{RULES}"));
    assert!(form("").unwrap_err().contains("trusts_credentials = true"));
    assert!(form("trusts_credentials = true\n").is_ok());
    let signed = profile(&format!("[[notification]]\nname = \"it\"\ntrusts_credentials = true\n{RULES}{SIGNED}"));
    assert!(signed.unwrap_err().contains("only what nobody signs"));
}

#[test]
fn any_line_of_a_header_may_hold_the_signature() {
    let profile = crate::psp::profile::catalogue::Catalogue::built_in().unwrap();
    let profile = &profile.get("stripe").unwrap().profile;
    let (old, new): (SecretString, SecretString) = ("old".to_owned().into(), "new".to_owned().into());
    let [mut headers, second] =
        [&old, &new].map(|secret| sign(profile, None, &Means::secret(secret), 5, "", b"{}").unwrap().headers);
    headers.extend(second);
    let received = Received { headers: &headers, body: b"{}", at: Timestamp::from_second(5).unwrap() };
    assert!(verify(profile, &Means::secret(&old), received).is_ok());
    assert!(verify(profile, &Means::secret(&new), received).is_ok());
    let other: SecretString = "other".to_owned().into();
    assert_eq!(verify(profile, &Means::secret(&other), received).err(), Some(Unverified::Wrong));
}

/// A profile of an operator's own with one signature, and the same with an endpoint check that signs in the same way.
fn with_oracle(form: &str) -> (Profile, Profile) {
    let plain = profile(&format!("[[notification]]\nname = \"it\"\n{form}")).unwrap();
    let oracle = "query = \"c\"\ncharacters = \"token\"\nlength = [1, 64]\nanswer = [\"signature\"]\n\
                  sign = { algorithm = \"hmac-sha256\", encoding = \"hex\" }";
    let challenge: Challenge = toml::from_str(oracle).unwrap();
    (plain.clone(), Profile { challenge: Some(challenge), ..plain })
}

/// The verdicts on a notification without and with the endpoint check.
fn verdicts(profiles: &(Profile, Profile), means: &Means<'_>, received: Received<'_>) -> [Result<(), Unverified>; 2] {
    [&profiles.0, &profiles.1].map(|profile| verify(profile, means, received).map(drop))
}

const BOTH: [Result<(), Unverified>; 2] = [Ok(()), Ok(())];
const ONLY_WITHOUT: [Result<(), Unverified>; 2] = [Ok(()), Err(Unverified::Challenge)];

#[test]
fn one_message_of_a_batch_that_may_have_been_signed_for_anybody_spoils_it() {
    let form = "type = [\"/type\"]\nbatch = \"/items/*\"\ndedupe = [\"/id\"]\n[[notification.signature]]\nalgorithm = \"hmac-sha256\"\n\
                signed = [\"/id\", \"/type\"]\nseparator = \".\"\nencoding = \"hex\"\nfound = { pointer = \"/sign\" }\n";
    let profiles = with_oracle(form);
    let secret: SecretString = "secret".to_owned().into();
    let means = Means::secret(&secret);
    let verdict = |ids: [&str; 2]| {
        let items = ids.map(|id| format!("{{\"id\":\"{id}\",\"type\":\"x\"}}")).join(",");
        let signed = sign(&profiles.0, None, &means, 5, "", format!("{{\"items\":[{items}]}}").as_bytes()).unwrap();
        verdicts(&profiles, &means, Received { headers: &[], body: &signed.body, at: Timestamp::UNIX_EPOCH })
    };
    assert_eq!(verdict(["a:1", "b:2"]), BOTH);
    for ids in [["a", "b:2"], ["a:1", "b"]] {
        assert_eq!(verdict(ids), ONLY_WITHOUT, "{ids:?}");
    }
}

#[test]
fn a_digest_that_may_have_been_signed_for_anybody_vouches_for_no_body() {
    let form = format!("{RULES}{}", SIGNED.replace("\"body\"", "\"body-sha256\""));
    let profiles = with_oracle(&form);
    let (secret, older): (SecretString, SecretString) = ("secret".to_owned().into(), "older".to_owned().into());
    let means = Means { secrets: vec![(&older).into(), (&secret).into()], ..Means::default() };
    let is_token = |body: &String| !STANDARD.encode(Sha256::digest(body)).contains(['+', '/']);
    let bodies: Vec<_> = (0..100).map(|n| format!("{{\"type\":\"x\",\"n\":{n}}}")).collect();
    let (tokens, others): (Vec<_>, Vec<_>) = bodies.into_iter().partition(is_token);
    let verdict = |body: &String, secret: &SecretString| {
        let signed = sign(&profiles.0, None, &Means::secret(secret), 5, "", body.as_bytes()).unwrap();
        let received = Received { headers: &signed.headers, body: &signed.body, at: Timestamp::UNIX_EPOCH };
        verdicts(&profiles, &means, received)
    };
    for secret in [&older, &secret] {
        assert!(tokens.iter().all(|body| verdict(body, secret) == ONLY_WITHOUT) && !tokens.is_empty());
        assert!(others.iter().all(|body| verdict(body, secret) == BOTH) && !others.is_empty());
    }
}

#[test]
fn credentials_do_not_vouch_for_what_may_have_been_signed_for_anybody() {
    let bare = format!("{RULES}{SIGNED}\n[[notification]]\nname = \"bare\"\ntrusts_credentials = true\n{RULES}");
    let profiles = with_oracle(&bare);
    let secret: SecretString = "secret".to_owned().into();
    let means = Means { credentials: true, ..Means::secret(&secret) };
    let signed = sign(&profiles.0, Some("it"), &means, 5, "", b"abc.def").unwrap();
    let received = Received { headers: &signed.headers, body: &signed.body, at: Timestamp::UNIX_EPOCH };
    assert_eq!(verdicts(&profiles, &means, received), ONLY_WITHOUT);
}

#[test]
fn what_a_key_expects_is_made_once_however_many_signatures_are_given() {
    let catalogue = crate::psp::profile::catalogue::Catalogue::built_in().unwrap();
    let stripe = &catalogue.get("stripe").unwrap().profile;
    let secrets: Vec<SecretString> = (0..5).map(|n| format!("secret {n}").into()).collect();
    let means = Means { secrets: secrets.iter().map(Into::into).collect(), ..Means::default() };
    let signatures = format!(",v1={}", "00".repeat(32)).repeat(16);
    let headers = [("stripe-signature".to_owned(), format!("t=5{signatures}"))];
    let received = Received { headers: &headers, body: b"{}", at: Timestamp::from_second(5).unwrap() };
    let before = crypto::MACS_MADE.get();
    assert_eq!(verify(stripe, &means, received).err(), Some(Unverified::Wrong));
    assert_eq!(crypto::MACS_MADE.get() - before, secrets.len());
}
