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
    /// How a source names it: lower case, digits and dashes.
    pub name: String,
    /// How people name it.
    pub title: String,
    /// What the PSP wants to hear when its notification is on disk.
    #[serde(default)]
    pub answer: Answer,
    /// Whether amounts are in minor or major units.
    pub amounts: Amounts,
    /// Where the PSP's minor units differ from ISO 4217: currency code to digits.
    #[serde(default)]
    pub exponents: BTreeMap<String, u32>,
    /// Maps of words that several rules use, by name.
    #[serde(default)]
    pub maps: BTreeMap<String, BTreeMap<String, String>>,
    /// The settings that a source of this profile needs beside its secrets, by name, and what each is.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// How the PSP checks the endpoint.
    pub challenge: Option<Challenge>,
    /// For the PSP's page.
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

    /// Digits after the decimal point of an amount in minor units.
    #[must_use]
    pub fn exponent(&self, currency: Currency) -> u32 {
        self.exponents.get(currency.code()).copied().unwrap_or_else(|| currency.exponent())
    }
}
