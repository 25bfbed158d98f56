//! Form of a notification: how it is written and signed, its rules, and what the rules share.

use schemars::JsonSchema;
use serde::Deserialize;

use super::fetch::Fetch;
use super::rule::{Amounts, EventRule, OneOrMore, TimeFormat, When, WithoutTime};
use super::signature::Signature;
use crate::psp::document::content::Content;
use crate::psp::document::place::Place;
use crate::psp::document::pointer::{Each, Pointer};

/// One form of notification.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// The name of the form, for messages of `profile test`.
    pub name: String,
    /// How the body is written.
    #[serde(default)]
    pub content: Content,
    /// The signatures that the form may have; any one is enough. A form without signatures can only be a hint to fetch,
    /// unless it has `trusts_credentials`.
    #[serde(default)]
    pub signature: Vec<Signature>,
    /// Whether only the credentials that the source demands vouch for the form: an Authorization header, other headers or an
    /// address range. A source must demand at least one of them.
    #[serde(default, alias = "trusts_door")]
    pub trusts_credentials: bool,
    /// Whether the form is only a pointer: the calls of `fetch` read it, and the rules read the fetched response.
    #[serde(default)]
    pub pointer_only: bool,
    /// How the truth behind its messages is fetched.
    pub fetch: Option<Fetch>,
    /// The place of the messages in a batch. Without it the body is the only message.
    pub batch: Option<Each>,
    /// A list in a message. Each of its elements makes a message of its own, in which the element stands in the list's place.
    pub split: Option<Pointer>,
    /// Conditions that every message must meet, such as a version of the PSP's API. A message that does not meet them is
    /// not understood: a dead letter.
    #[serde(default)]
    pub requires: When,
    /// The places that make the type of a message: their texts, joined by a space. A list inside the list counts as one
    /// place: the first of it that has a text.
    #[serde(rename = "type")]
    pub event_type: Vec<OneOrMore<Place>>,
    /// Whether the type is read in lower case, because the PSP writes it in any case. The rules name it in lower case then.
    #[serde(default)]
    pub any_case: bool,
    /// Whether the last place of the type is the state of the object that the places before it name. A state that no rule of
    /// that object has is not understood then, like an unknown word of a map: a dead letter.
    #[serde(default)]
    pub state_in_type: bool,
    /// What is done with a message that has a text at none of the places of its time (`at`). A profile should say it: a time
    /// of receipt can make late news look like the latest. Without this key the message counts as of its receipt.
    pub without_time: Option<WithoutTime>,
    /// The place of the object that a message is about: the first of these places that is there, else the message
    /// itself. In a rule without `each`, `./` points into the object.
    #[serde(default)]
    pub object: Vec<Place>,
    /// The places that make the dedupe key: their texts together. Without any, the key is the hash of the body.
    #[serde(default)]
    pub dedupe: Vec<Place>,
    /// The places that make the id of the object that a message is about. They are for objects whose states recur in messages
    /// that have neither a time nor an id: the same bytes count again once other bytes about the object came between. A form with a
    /// batch cannot have it.
    #[serde(default)]
    pub recurs: Vec<Place>,
    /// Whether the signatures cover the times that the rules read. If not, a stranger can send a caught notification again
    /// with another time. So the time of the first notification with a dedupe key counts for all others with that key. The
    /// same holds for a message without a time.
    #[serde(default = "yes")]
    pub time_signed: bool,
    /// Whether the signatures cover the type, the conditions of the rules and the places of states. If not, a stranger can
    /// send a caught notification again as other news. So it counts only for the records that its signed text reached first.
    #[serde(default = "yes")]
    pub type_signed: bool,
    /// Whether the signatures cover the ids and references that lead to records. If not, a stranger can lead a caught
    /// notification to another record. So it counts only for the records that its signed text reached first, and signed ids
    /// lead before unsigned ones.
    #[serde(default = "yes")]
    pub ids_signed: bool,
    /// Values that all rules share. A rule may have its own.
    #[serde(default)]
    pub defaults: Defaults,
    /// The rules. The first rule that fits a message reads it. A type without a rule is ignored; if it names a registered
    /// record, that is a finding.
    #[serde(rename = "event", default)]
    pub rules: Vec<EventRule>,
    /// The headers that the form is read with and that not all of its signatures cover. Anybody can send a caught notification
    /// with other values of them. No key of a profile: the reading of the profile finds them.
    #[serde(skip)]
    pub unsigned_headers: Vec<String>,
}

const fn yes() -> bool {
    true
}

/// Values that all rules of a form share.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Defaults {
    /// The record's own PSP ids: every place that has a text.
    pub ids: Vec<Place>,
    /// PSP ids that the record has in common with others: every place that has a text.
    pub shared_ids: Vec<Place>,
    /// PSP ids of the original that the event changes: every place that has a text.
    pub originals: Vec<Place>,
    /// PSP ids of the payment that the record belongs to: every place that has a text.
    pub payment_ids: Vec<Place>,
    /// Where the Transform id may stand: every place that has a text.
    pub reference: Vec<Place>,
    /// The time of the event: the first place that has a text.
    pub at: Vec<Place>,
    /// How times are written.
    pub time_format: TimeFormat,
    /// The currency of the amounts: the first place that has a text.
    pub currency: Vec<Place>,
    /// The unit of amounts, if it is not the profile's.
    pub amounts: Option<Amounts>,
}

impl Form {
    /// The places of the time of a rule's events.
    #[must_use]
    pub fn time_of<'f>(&'f self, rule: &'f EventRule) -> &'f [Place] {
        rule.at.as_deref().unwrap_or(&self.defaults.at)
    }
}
