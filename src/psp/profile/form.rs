//! The form of a notification: how it is written and signed, and what its rules share.

use schemars::JsonSchema;
use serde::Deserialize;

use super::fetch::Fetch;
use super::rule::{Amounts, EventRule, OneOrMore, TimeFormat, When};
use super::signature::Signature;
use crate::psp::document::content::Content;
use crate::psp::document::place::Place;
use crate::psp::document::pointer::Each;

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
