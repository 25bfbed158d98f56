//! Words of ours: fixed in a rule, or looked up by the PSP's words in a map.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::psp::document::place::Place;

/// A value that is fixed, or read and looked up in a map.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a word that is known here, or { from = […], map = … } with such words")]
pub enum Fixed<T> {
    /// `status = "Pending"`
    Fixed(T),
    /// `status = { from = ["/status"], map = { open = "Pending" } }`
    Mapped(Mapped<T>),
}

/// A value that is read and looked up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapped<T> {
    /// Where the PSP's word stands.
    pub from: Vec<Place>,
    /// The PSP's words and ours.
    pub map: Words<T>,
}

/// The PSP's words and ours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "WordsText<T>", bound(deserialize = "T: Deserialize<'de>"))]
#[schemars(with = "WordsText<T>")]
pub struct Words<T>(BTreeMap<String, T>);

impl<T> Words<T> {
    /// Our word for the PSP's.
    #[must_use]
    pub fn get(&self, word: &str) -> Option<&T> {
        self.0.get(word)
    }

    /// All pairs of words.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.0.iter()
    }
}

/// The PSP's words and ours, as a profile has them.
#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(untagged, expecting = "must be a table with words that are known here, or the name of one of [maps]")]
enum WordsText<T> {
    /// The words themselves.
    Here(BTreeMap<String, T>),
    /// The name of one of the profile's `[maps]`. Reading the profile puts its words in this place.
    Named(String),
}

/// The error of a name that no map has.
pub(super) fn no_map(name: &str) -> String {
    format!("map: there is no [maps.{name}]")
}

impl<T> TryFrom<WordsText<T>> for Words<T> {
    type Error = String;

    fn try_from(text: WordsText<T>) -> Result<Self, String> {
        match text {
            WordsText::Here(words) => Ok(Self(words)),
            WordsText::Named(name) => Err(no_map(&name)),
        }
    }
}
