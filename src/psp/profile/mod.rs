//! A profile: a PSP's dialect as data. The structs here are the vocabulary of the TOML files.
//!
//! Reading is strict: an unknown key, a bad pointer, a state that a record cannot be in and a rule that can never
//! be reached are errors that name the line.

mod about;
pub mod catalogue;
mod challenge;
mod check;
mod check_challenge;
mod check_rule;
mod check_signed;
mod fetch;
mod maps;
mod rule;
mod schema;
mod signature;
mod signs;
mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub use about::About;
pub use challenge::{Challenge, ChallengeSignature, Characters};
pub use fetch::{Call, Fetch, FetchAuth, FetchMode, Template};
pub use rule::{
    Amounts, BookingFrom, ChargebackRule, Condition, ErrorRule, EventRule, Fixed, ItemRule, Mapped, Not, OneOrMore,
    Starts, StatusFrom, TimeFormat, When, Words,
};
pub use schema::schema;
pub use signature::{Algorithm, CertificateRule, Encoding, Found, KeyEncoding, KeyId, Locator, Signature, SignedTime};
pub use text::ProfileText;

use super::document::content::Content;
use super::document::place::Place;
use super::document::pointer::Each;

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

/// What the PSP is answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    /// A 2xx status.
    pub status: u16,
    /// The body, as `text/plain`; without one the answer is a receipt in JSON.
    pub body: Option<String>,
    /// The status for a notification that nobody vouches for: 401, where the PSP does not want another 4xx.
    pub unverified: u16,
}

impl Default for Answer {
    fn default() -> Self {
        Self { status: 200, body: None, unverified: 401 }
    }
}

/// One form of notification.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// What it is called in messages of `profile test`.
    pub name: String,
    /// How it is written.
    #[serde(default)]
    pub content: Content,
    /// The ways it may be signed; any one is enough. None: nobody signs it, and it can only be a hint to fetch, unless it
    /// trusts credentials.
    #[serde(default)]
    pub signature: Vec<Signature>,
    /// Whether nothing in it vouches for it, and what the source demands beside a signature is all that does: an address
    /// range, credentials or headers. A source without any of them does not take it.
    #[serde(default, alias = "trusts_door")]
    pub trusts_credentials: bool,
    /// Whether it is no more than a pointer: only the calls of `fetch` read it, the rules read what was fetched.
    #[serde(default)]
    pub pointer_only: bool,
    /// How its truth is fetched.
    pub fetch: Option<Fetch>,
    /// Where the messages of a batch stand; without it the body is the one message.
    pub batch: Option<Each>,
    /// What every message must say for the rules to hold, as the version of the PSP's API. One that says otherwise is
    /// not understood: a dead letter.
    #[serde(default)]
    pub requires: When,
    /// What makes the type of a message: the texts of these places, joined by a space. Where there is a list in place
    /// of a place, the first of the list that has a text.
    #[serde(rename = "type")]
    pub event_type: Vec<OneOrMore<Place>>,
    /// Where the thing stands that a message is about: the first of these places that is there, else the message
    /// itself. In a rule without `each`, `./` points into it.
    #[serde(default)]
    pub object: Vec<Place>,
    /// What makes the dedupe key: the texts of these places together. Empty: the hash of the body.
    #[serde(default)]
    pub dedupe: Vec<Place>,
    /// Whether what signs it covers the times that it is read with. If not, whoever has caught a notification can send
    /// it again with another time: so the time of the first notification with a dedupe key counts for all others with it.
    /// The same holds for what names no time.
    #[serde(default = "yes")]
    pub time_signed: bool,
    /// Whether what signs it covers its type, the conditions of its rules and the states that they look up. If not, whoever has
    /// caught a notification can send it again as other news: so it counts only for the records that it reached first.
    #[serde(default = "yes")]
    pub type_signed: bool,
    /// Whether what signs it covers the ids and references that lead to records. If not, whoever has caught a notification can
    /// lead it elsewhere: so it counts only for the records that it reached first, and what is signed leads before the rest.
    #[serde(default = "yes")]
    pub ids_signed: bool,
    /// What all rules share; each may say otherwise.
    #[serde(default)]
    pub defaults: Defaults,
    /// What the types mean; the first rule that fits a message is the one. A type without a rule is ignored.
    #[serde(rename = "event", default)]
    pub rules: Vec<EventRule>,
    /// The headers that it is read with and that not all of its signatures cover: anybody can send it with others. Reading the
    /// profile finds them.
    #[serde(skip)]
    pub unsigned_headers: Vec<String>,
}

const fn yes() -> bool {
    true
}

/// What all rules of a form share.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// The record's own PSP ids: every place that has a text.
    pub ids: Vec<Place>,
    /// PSP ids that the record has in common with others: every place that has a text.
    pub shared_ids: Vec<Place>,
    /// Where the Transform id may stand: every place that has a text.
    pub reference: Vec<Place>,
    /// When it happened: the first place that has a text.
    pub at: Vec<Place>,
    /// How instants are written.
    pub time_format: TimeFormat,
    /// The currency of the amounts: the first place that has a text.
    pub currency: Vec<Place>,
    /// The unit of amounts, where it is not the profile's.
    pub amounts: Option<Amounts>,
}

impl Profile {
    /// Reads and checks a profile.
    ///
    /// # Errors
    /// What is wrong and in which line.
    pub fn read(text: &str) -> Result<Self, ProfileError> {
        ProfileText::read(text).map(|(profile, _)| profile)
    }

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
    pub fn exponent(&self, currency: crate::domain::money::Currency) -> u32 {
        self.exponents.get(currency.code()).copied().unwrap_or_else(|| currency.exponent())
    }
}

/// What is wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", .line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct ProfileError {
    /// Counted from 1.
    pub line: Option<usize>,
    /// For the profile's author.
    pub reason: String,
}
