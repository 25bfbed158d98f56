//! Check of a profile as a whole.

use std::collections::BTreeSet;

use super::challenge::check_challenge;
use super::form::check_form;
use crate::domain::money::Currency;
use crate::psp::document::place::Place;
use crate::psp::profile::Profile;
use crate::psp::profile::error::{Wrong, ensure};
use crate::psp::profile::text::ProfileText;

pub(in crate::psp::profile) fn check(profile: &Profile, text: &ProfileText) -> Result<(), Wrong> {
    ensure(is_name(&profile.name), None, "name: must consist of lower case letters, digits and dashes")?;
    ensure((200..300).contains(&profile.answer.status), None, "answer.status: must be 2xx")?;
    ensure((400..500).contains(&profile.answer.unverified), None, "answer.unverified: must be 4xx")?;
    for (code, digits) in &profile.exponents {
        ensure(code.parse::<Currency>().is_ok(), None, &format!("exponents: {code:?} is not a currency"))?;
        ensure(*digits <= 4, None, &format!("exponents.{code}: must not be above 4"))?;
    }
    ensure(!profile.forms.is_empty(), None, "[[notification]]: needs at least one")?;
    let mut names = BTreeSet::new();
    for (form, text) in profile.forms.iter().zip(&text.forms) {
        ensure(names.insert(&form.name), Some(text.at()), "name: another [[notification]] has it too")?;
        check_form(form, text)?;
    }
    if let Some(challenge) = &profile.challenge {
        check_challenge(profile, text, challenge).map_err(|(at, reason)| (at, format!("challenge.{reason}")))?;
    }
    check_settings(profile)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Checks that the signatures and the challenge use exactly the settings that the profile asks for.
fn check_settings(profile: &Profile) -> Result<(), Wrong> {
    let signatures = profile.forms.iter().flat_map(|form| &form.signature);
    let signed = signatures.flat_map(|signature| &signature.signed);
    let used: BTreeSet<&String> = signed
        .chain(profile.challenge.iter().flat_map(|challenge| &challenge.answer))
        .filter_map(|place| if let Place::Setting(name) = place { Some(name) } else { None })
        .collect();
    for name in &used {
        ensure(profile.settings.contains_key(*name), None, &format!("setting:{name}: is not in [settings]"))?;
    }
    for name in profile.settings.keys() {
        ensure(
            is_name(name),
            None,
            &format!("settings.{name}: the name must consist of lower case letters, digits and dashes"),
        )?;
        ensure(used.contains(name), None, &format!("settings.{name}: no signature and no challenge uses it"))?;
    }
    Ok(())
}
