//! Named maps of words, put where rules name them.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use super::check::Wrong;
use super::rule::{EventRule, Fixed, Mapped, Words};
use super::{Profile, ProfileText};

type Maps = BTreeMap<String, BTreeMap<String, String>>;

/// Puts the words of `[maps]` where rules name them.
pub(super) fn fill_in(profile: &mut Profile, text: &ProfileText) -> Result<(), Wrong> {
    let mut used = BTreeSet::new();
    for (form, text) in profile.forms.iter_mut().zip(&text.forms) {
        for (index, rule) in form.rules.iter_mut().enumerate() {
            fill_rule(&profile.maps, rule, &mut used).map_err(|reason| (Some(text.rule_at(index)), reason))?;
        }
    }
    match profile.maps.keys().find(|name| !used.contains(*name)) {
        Some(unused) => Err((None, format!("maps.{unused}: no rule uses it"))),
        None => Ok(()),
    }
}

fn fill_rule(maps: &Maps, rule: &mut EventRule, used: &mut BTreeSet<String>) -> Result<(), String> {
    if let Some(Fixed::Mapped(status)) = &mut rule.status {
        fill(maps, status, used)?;
    }
    if let Some(code) = rule.error.as_mut().and_then(|error| error.code.as_mut()) {
        fill(maps, code, used)?;
    }
    for item in &mut rule.items {
        if let Some(Fixed::Mapped(booking)) = &mut item.booking {
            fill(maps, booking, used)?;
        }
    }
    if let Some(chargeback) = &mut rule.chargeback {
        if let Fixed::Mapped(booking) = &mut chargeback.booking {
            fill(maps, booking, used)?;
        }
        if let Some(reason) = &mut chargeback.reason {
            fill(maps, reason, used)?;
        }
    }
    Ok(())
}

fn fill<T: DeserializeOwned>(maps: &Maps, mapped: &mut Mapped<T>, used: &mut BTreeSet<String>) -> Result<(), String> {
    let Words::Named(name) = &mapped.map else { return Ok(()) };
    let words = maps.get(name).ok_or_else(|| format!("map: there is no [maps.{name}]"))?;
    let read = |(theirs, ours): (&String, &String)| {
        let ours: StrDeserializer<'_, Error> = ours.as_str().into_deserializer();
        let ours = T::deserialize(ours).map_err(|error| format!("maps.{name}.{theirs}: {error}"))?;
        Ok::<_, String>((theirs.clone(), ours))
    };
    let words = words.iter().map(read).collect::<Result<_, _>>()?;
    used.insert(name.clone());
    mapped.map = Words::Here(words);
    Ok(())
}
