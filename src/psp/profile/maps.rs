//! Named maps of words: their words are put where rules name them, before the rules are read.

use std::collections::BTreeSet;

use serde::de::value::{Error, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::dialect::Profile;
use super::error::Wrong;
use super::words::no_map;
use crate::domain::event::Booking;
use crate::domain::status::{ChargebackReason, ErrorCode, Status};

/// Puts the words of `[maps]` where rules name them, and returns the names of the used maps. Values of a wrong shape are left
/// alone: the reading of the profile refuses them.
pub(super) fn fill_in(document: &mut DeTable<'_>) -> Result<BTreeSet<String>, Wrong> {
    let maps = document.get("maps").and_then(|maps| maps.as_ref().as_table()).cloned().unwrap_or_default();
    let mut filling = Filling { maps: &maps, used: BTreeSet::new() };
    for form in listed(document, "notification") {
        let DeValue::Table(form) = form.as_mut() else { continue };
        for rule in listed(form, "event") {
            let at = rule.span().start;
            filling.fill("event", rule.as_mut()).map_err(|reason| (Some(at), reason))?;
        }
    }
    Ok(filling.used)
}

/// Checks that each map is named by a rule.
pub(super) fn check_used(profile: &Profile, used: &BTreeSet<String>) -> Result<(), Wrong> {
    match profile.maps.keys().find(|name| !used.contains(*name)) {
        Some(unused) => Err((None, format!("maps.{unused}: no rule uses it"))),
        None => Ok(()),
    }
}

fn listed<'d, 't>(table: &'d mut DeTable<'t>, key: &str) -> &'d mut [Spanned<DeValue<'t>>] {
    match table.get_mut(key).map(Spanned::as_mut) {
        Some(DeValue::Array(list)) => list,
        _ => &mut [],
    }
}

struct Filling<'m, 't> {
    maps: &'m DeTable<'t>,
    used: BTreeSet<String>,
}

impl<'t> Filling<'_, 't> {
    /// Fills in the maps of a value under this key, and of all that is inside it.
    fn fill(&mut self, key: &str, value: &mut DeValue<'t>) -> Result<(), String> {
        match (value, check_of(key)) {
            (DeValue::Table(mapped), Some(check)) => self.fill_map(mapped, check),
            (DeValue::Table(table), None) => {
                table.iter_mut().try_for_each(|(key, value)| self.fill(key.as_ref(), value.as_mut()))
            }
            (DeValue::Array(list), _) => list.iter_mut().try_for_each(|value| self.fill(key, value.as_mut())),
            _ => Ok(()),
        }
    }

    fn fill_map(&mut self, mapped: &mut DeTable<'t>, check: Check) -> Result<(), String> {
        let Some(map) = mapped.get_mut("map") else { return Ok(()) };
        let Some(name) = map.as_ref().as_str().map(str::to_owned) else { return Ok(()) };
        let words = self.maps.get(name.as_str()).ok_or_else(|| no_map(&name))?;
        for (theirs, ours) in words.as_ref().as_table().into_iter().flatten() {
            let checked = ours.as_ref().as_str().map_or(Ok(()), check);
            checked.map_err(|error| format!("maps.{name}.{theirs}: {error}"))?;
        }
        *map = words.clone();
        self.used.insert(name);
        Ok(())
    }
}

/// A check that a word is one of ours.
type Check = fn(&str) -> Result<(), Error>;

/// The check of the words under a key that takes a map; none under another key.
fn check_of(key: &str) -> Option<Check> {
    match key {
        "status" => Some(is::<Status>),
        "booking" => Some(is::<Booking>),
        "code" => Some(is::<ErrorCode>),
        "reason" => Some(is::<ChargebackReason>),
        _ => None,
    }
}

fn is<T: DeserializeOwned>(word: &str) -> Result<(), Error> {
    let word: StrDeserializer<'_, Error> = word.into_deserializer();
    T::deserialize(word).map(drop)
}

#[cfg(test)]
mod tests {
    use crate::domain::status::Status;
    use crate::psp::profile::{Fixed, Profile};

    fn read(maps: &str, status: &str) -> Result<Profile, String> {
        let text = format!(
            "name = \"it\"\ntitle = \"It\"\namounts = \"minor\"\n{maps}\n[[notification]]\nname = \"it\"\ntype = [\"/type\"]\n\
             signature = [{{ algorithm = \"hmac-sha256\", signed = [\"body\"], encoding = \"hex\", found = {{ header = \"s\" }} }}]\n\
             [[notification.event]]\ntype = \"paid\"\nkind = \"payment\"\nids = [\"/id\"]\n{status}\n"
        );
        Profile::read(&text).map_err(|error| error.to_string())
    }

    const NAMED: &str = "status = { from = [\"/state\"], map = \"states\" }";

    #[test]
    fn the_words_of_a_named_map_stand_in_the_rule() {
        // Even words that are keys of a profile elsewhere.
        let profile =
            read("[maps.states]\ndone = \"Succeeded\"\nmap = \"Pending\"\nstatus = \"Failed\"", NAMED).unwrap();
        let Some(Fixed::Mapped(status)) = &profile.forms[0].rules[0].status else { panic!("{profile:?}") };
        let words: Vec<_> = ["done", "map", "status", "states"].map(|word| status.map.get(word).copied()).into();
        assert_eq!(words, [Some(Status::Succeeded), Some(Status::Pending), Some(Status::Failed), None]);
        let inline = "status = { from = [\"/state\"], map = { from = \"Pending\", map = \"Failed\" } }";
        assert!(read("", inline).is_ok());
    }

    #[test]
    fn a_map_that_is_wrong_is_named() {
        for (maps, status, reason) in [
            ("", NAMED, "line 9: map: there is no [maps.states]"),
            ("[maps.states]\ndone = \"Paid\"", NAMED, "line 10: maps.states.done: unknown variant `Paid`"),
            ("[maps.states]\ndone = \"Failed\"", "status = \"Failed\"", "maps.states: no rule uses it"),
        ] {
            let wrong = read(maps, status).unwrap_err();
            assert!(wrong.starts_with(reason), "{wrong}");
        }
    }
}
