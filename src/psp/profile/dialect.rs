//! The profile: one PSP's dialect as a whole.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::about::About;
use super::answer::Answer;
use super::challenge::Challenge;
use super::form::Form;
use super::rule::Amounts;
use crate::domain::money::Currency;

/// One PSP's dialect.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The name of the profile for sources: lower case letters, digits and dashes.
    pub name: String,
    /// The name of the PSP for people.
    pub title: String,
    /// The answers to the PSP's notifications.
    #[serde(default)]
    pub answer: Answer,
    /// The unit of amounts: minor or major.
    pub amounts: Amounts,
    /// Whether the PSP makes the secret that it signs with. Then `secret rotate` makes none: it takes the PSP's by `--from-stdin`.
    #[serde(default)]
    pub psp_makes_secret: bool,
    /// The decimal digits of the PSP's minor units, by currency code, where they differ from ISO 4217.
    #[serde(default)]
    pub exponents: BTreeMap<String, u32>,
    /// Maps of words that several rules use, by name.
    #[serde(default)]
    pub maps: BTreeMap<String, BTreeMap<String, String>>,
    /// The settings that a source of this profile needs beside its secrets: name to explanation.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// How the PSP checks the endpoint.
    pub challenge: Option<Challenge>,
    /// Texts for the PSP's page.
    #[serde(default)]
    pub about: About,
    /// The forms of notification that the PSP sends, each with its own signatures and rules. A notification is
    /// read by the rules of the form that it verifies as, and by no others.
    #[serde(rename = "notification")]
    pub forms: Vec<Form>,
}

impl Profile {
    /// The form of that name.
    #[must_use]
    pub fn form(&self, name: &str) -> Option<&Form> {
        self.forms.iter().find(|form| form.name == name)
    }

    /// Whether a notification may come as this media type.
    #[must_use]
    pub fn takes(&self, media_type: &str) -> bool {
        self.forms.iter().any(|form| form.content.takes(media_type))
    }

    /// The media types by which the PSP's notifications are usually sent, each of them once.
    #[must_use]
    pub fn media_types(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for media_type in self.forms.iter().flat_map(|form| form.content.media_types()) {
            if !found.contains(&media_type) {
                found.push(media_type);
            }
        }
        found
    }

    /// The decimal digits that the minor units of a currency stand for.
    #[must_use]
    pub fn exponent(&self, currency: Currency) -> u32 {
        self.exponents.get(currency.code()).copied().unwrap_or_else(|| currency.exponent())
    }
}
