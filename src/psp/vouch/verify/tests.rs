//! Tests of verification: what is believed, and what is not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use secrecy::SecretString;

use super::*;
use crate::psp::vouch::crypto;
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

/// An operator's own profile with one signature, and the same profile with an endpoint check that signs in the same
/// way.
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

/// The secrets of a source by name, each with whether it holds.
fn secrets<'a>(known: &'a [(&'a str, SecretString, Holds)]) -> Means<'a> {
    let secrets = known.iter().map(|(name, text, holds)| Secret { name, holds: *holds, ..text.into() });
    Means { secrets: secrets.collect(), ..Means::default() }
}

#[test]
fn a_secret_out_of_its_time_vouches_for_the_refusals_text_alone() {
    let catalogue = crate::psp::profile::catalogue::Catalogue::built_in().unwrap();
    let stripe = &catalogue.get("stripe").unwrap().profile;
    let known = [("old", Holds::NoMore), ("held", Holds::Now), ("older", Holds::NoMore), ("next", Holds::NotYet)]
        .map(|(name, holds)| (name, format!("secret {name}").into(), holds));
    let means = secrets(&known);
    let verdict = |signers: &[&str], means: &Means<'_>, at: i64| {
        let headers = signers.iter().flat_map(|name| {
            let secret = format!("secret {name}").into();
            sign(stripe, None, &Means::secret(&secret), 5, "", b"{}").unwrap().headers
        });
        let headers: Vec<_> = headers.collect();
        let received = Received { headers: &headers, body: b"{}", at: Timestamp::from_second(at).unwrap() };
        verify(stripe, means, received).map(|verified| verified.secret().map(str::to_owned))
    };
    let late = |secret: &str, fate| Err(Unverified::OutOfTime { secret: secret.to_owned(), fate });
    assert_eq!(verdict(&["old"], &means, 5), late("old", "an expired"));
    assert_eq!(verdict(&["next"], &means, 5), late("next", "a not yet valid"));
    assert_eq!(verdict(&["older", "old"], &means, 5), late("old", "an expired"), "the first of the source's");
    assert_eq!(verdict(&["old", "held"], &means, 5), Ok(Some("held".to_owned())), "one that holds comes first");
    assert_eq!(verdict(&["old"], &means, 5_000), Err(Unverified::Wrong), "its time is off as well");
    assert_eq!(
        verdict(&["held", "old"], &means, 5_000),
        Err(Unverified::Time { skew: Skew::Behind(4_995), tolerance_s: 300 })
    );
    let others = secrets(&known[2..]);
    assert_eq!(verdict(&["older"], &others, 5), late("older", "an expired"));
    assert_eq!(verdict(&["unknown"], &others, 5), Err(Unverified::NoSecret), "none holds");
}

#[test]
fn a_signature_costs_one_hmac_for_each_secret_in_or_out_of_its_time() {
    let catalogue = crate::psp::profile::catalogue::Catalogue::built_in().unwrap();
    let stripe = &catalogue.get("stripe").unwrap().profile;
    let known = [("old", Holds::NoMore), ("held", Holds::Now), ("other", Holds::Now), ("next", Holds::NotYet)]
        .map(|(name, holds)| (name, format!("secret {name}").into(), holds));
    let means = secrets(&known);
    let cost = |secret: &str| {
        let secret = secret.to_owned().into();
        let headers = sign(stripe, None, &Means::secret(&secret), 5, "", b"{}").unwrap().headers;
        let received = Received { headers: &headers, body: b"{}", at: Timestamp::from_second(5).unwrap() };
        let before = crypto::MACS_MADE.get();
        let verdict = verify(stripe, &means, received).map(drop);
        (crypto::MACS_MADE.get() - before, verdict.is_ok())
    };
    assert_eq!(cost("secret held"), (1, true));
    assert_eq!(cost("secret other"), (2, true), "none out of its time is asked where one that holds vouches");
    assert_eq!(cost("secret old"), (3, false));
    assert_eq!(cost("unknown"), (4, false));
}
