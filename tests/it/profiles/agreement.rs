//! Agreement of the explanations with the deciding functions: `profile test` tells the same as the relay does.

use transform_relay::domain::message::{Meaning, Message, Normalised};
use transform_relay::guide::explain::{self, Expected, MessageSeen, Verdict, Verification};
use transform_relay::psp::meaning::in_form::InForm;
use transform_relay::psp::profile::{Algorithm, Profile};
use transform_relay::psp::vouch::verify::{Unverified, Verified};

/// `profile test` tells the same as the relay does.
pub(super) fn the_explanation_agrees(explained: &Verification<'_>, verified: &Result<Verified<'_>, Unverified>) {
    let said = |verdict: &Result<Verified<'_>, Unverified>| match verdict {
        Ok(verified) => Ok((verified.form().name.clone(), verified.secret().map(str::to_owned))),
        Err(reason) => Err(reason.clone()),
    };
    assert_eq!(said(&explained.verdict), said(verified));
    if matches!(verified, Ok(verified) if verified.form().trusts_credentials) {
        assert!(explained.signatures.iter().all(|seen| seen.verdict == Err(Unverified::Missing)));
        return;
    }
    let first = explained.signatures.iter().find_map(|seen| Some((seen.form.to_owned(), seen.verdict.clone().ok()?)));
    assert_eq!(first.as_ref(), said(verified).as_ref().ok(), "the first that is right is the one");
    for seen in explained.signatures.iter().filter(|seen| seen.verdict.is_ok()) {
        for signed in seen.signed.iter().filter(|_| !matches!(seen.algorithm, Algorithm::RsaSha256)) {
            let Ok(Some(secret)) = &seen.verdict else { panic!("a secret vouched: {seen:?}") };
            assert!(signed.missing.is_empty(), "{signed:?}");
            let by = signed.expected.iter().find(|(name, _)| name == secret);
            match by.map(|(_, expected)| expected).unwrap_or_else(|| panic!("no secret is called {secret}: {signed:?}"))
            {
                Expected::Signature(expected) => {
                    assert!(
                        signed
                            .given
                            .iter()
                            .any(|given| given.to_ascii_lowercase().starts_with(&expected.to_ascii_lowercase())),
                        "{signed:?}"
                    )
                }
                Expected::Secret | Expected::PublicKey => {}
                Expected::Unfit(reason) => panic!("{reason}"),
            }
        }
    }
}

/// `profile test` tells the same of the rules as the rules do.
pub(super) fn the_reading_agrees(
    profile: &Profile,
    notification: &InForm<'_>,
    normalised: &Normalised,
    fetching: bool,
) {
    let reading = explain::reading(profile, notification, fetching);
    assert_eq!(&reading.normalised, normalised);
    if reading.messages.is_empty() {
        assert!(matches!(normalised.messages[..], [Message { meaning: Meaning::NotUnderstood(_), .. }]));
        return;
    }
    assert_eq!(reading.messages.len(), normalised.messages.len());
    for (seen, message) in reading.messages.iter().zip(&normalised.messages) {
        assert_eq!(&seen.message, message);
        the_rules_agree(seen);
    }
}

pub(super) fn the_rules_agree(seen: &MessageSeen<'_>) {
    let fits = seen.rules.iter().filter(|rule| rule.verdict == Verdict::Fits);
    let reads = fits.filter(|rule| !rule.rule.ignore).count();
    let made = seen.calls.iter().filter(|call| call.verdict == Verdict::Fits).count();
    match &seen.message.meaning {
        Meaning::Events(_) => assert!(reads > 0 && made == 0, "{seen:?}"),
        Meaning::Fetch(_) => assert_eq!((reads, made), (0, 1), "{seen:?}"),
        Meaning::Ignored | Meaning::NotUnderstood(_) => {}
    }
}
