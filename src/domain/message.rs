//! Normalised notifications: the messages of a notification in the words of the domain, one for each piece of news.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::event::{Ahead, Event};

/// A notification in our words.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalised {
    /// The dedupe key: the same for every repetition of the notification.
    pub dedupe_key: String,
    /// A digest of the unsigned values that were read beside the body; empty if there are none. A repetition must have
    /// the same digest: anybody can send the same body with other values beside it.
    pub beside: String,
    /// The messages, in the order of the batch.
    pub messages: Vec<Message>,
}

impl fmt::Debug for Normalised {
    /// Shows the content, and the other fields only where they are out of the ordinary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Normalised");
        text.field("dedupe_key", &self.dedupe_key);
        if !self.beside.is_empty() {
            text.field("beside", &self.beside);
        }
        text.field("messages", &self.messages).finish()
    }
}

impl Normalised {
    /// The identity that binds the body, if the signed text belongs to the first body that comes with it.
    #[must_use]
    pub fn bound_by(&self) -> Option<&Identity> {
        self.messages.first().and_then(|message| message.identity.as_ref()).filter(|identity| identity.binds_body)
    }

    /// Whether the dedupe key was replaced by the key of the signed text, since another body came first with that text.
    #[must_use]
    pub fn is_made_up(&self) -> bool {
        self.bound_by().is_some_and(|identity| identity.key == self.dedupe_key)
    }

    /// Whether the states of its object recur: the same bytes count again after others of their dedupe key.
    #[must_use]
    pub fn recurs(&self) -> bool {
        self.messages.iter().any(|message| message.recurs)
    }

    /// Ignores all messages except those of these types. A message without a type remains not understood.
    pub fn keep_only(&mut self, types: &BTreeSet<String>) {
        self.messages.iter_mut().for_each(|message| message.keep_only(types));
    }

    /// The amount of work: the number of messages, where a message with several events counts once for each event.
    #[must_use]
    pub fn size(&self) -> usize {
        let events = |message: &Message| match &message.meaning {
            Meaning::Events(events) => events.len().max(1),
            Meaning::Ignored | Meaning::NotUnderstood(_) | Meaning::Fetch(_) => 1,
        };
        self.messages.iter().map(events).sum()
    }
}

/// One message of a notification.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// The PSP's name for the event; empty if only the fetched object can tell.
    pub event_type: String,
    /// The meaning of the message.
    pub meaning: Meaning,
    /// The times that lay ahead of the receipt and count as the receipt, for the log. At most `AHEAD_TOLD` are kept.
    #[serde(skip)]
    pub ahead: Vec<Ahead>,
    /// The identity of the message, if only parts of it are signed or one of its times has to be remembered.
    pub identity: Option<Identity>,
    /// Whether the states of its object recur: the same bytes count again after others of their dedupe key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recurs: bool,
    /// What is missing to read the message, if nobody wanted that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<Missing>,
}

/// What is missing to read a message that is not ignored on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Missing {
    /// The kind of what is missing.
    pub what: MissingKind,
    /// What is missing, in words.
    pub said: String,
    /// The texts of the message that may be PSP ids or references of a record.
    pub names: Vec<String>,
}

/// The kind of what is missing to read a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MissingKind {
    /// No rule of the profile reads the message.
    Rule,
    /// The message only points to its truth, and the source fetches nothing.
    Fetch,
}

/// The most times of one message that are reported.
pub(crate) const AHEAD_TOLD: usize = 3;

impl fmt::Debug for Message {
    /// Shows the content, and the other fields only where they are out of the ordinary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Message");
        text.field("event_type", &self.event_type).field("meaning", &self.meaning);
        if !self.ahead.is_empty() {
            text.field("ahead", &self.ahead);
        }
        if let Some(missing) = &self.missing {
            text.field("missing", missing);
        }
        text.finish()
    }
}

impl Message {
    /// A message of this type with this meaning and nothing out of the ordinary.
    #[must_use]
    pub const fn new(event_type: String, meaning: Meaning) -> Self {
        Self { event_type, meaning, ahead: Vec::new(), identity: None, recurs: false, missing: None }
    }

    /// Ignores the message unless it is of one of these types. A message without a type remains not understood.
    pub fn keep_only(&mut self, types: &BTreeSet<String>) {
        if !self.event_type.is_empty() && !types.contains(&self.event_type) {
            self.meaning = Meaning::Ignored;
            self.missing = None;
        }
    }

    /// The events of the message; none if its meaning is another.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        if let Meaning::Events(events) = &self.meaning { events } else { &[] }
    }

    /// The reason why the message is a dead letter, preceded by its type if it has one.
    #[must_use]
    pub fn because(&self, reason: &str) -> String {
        if self.event_type.is_empty() { reason.to_owned() } else { format!("{}: {reason}", self.event_type) }
    }
}

/// What a message means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Meaning {
    /// These events.
    Events(Vec<Event>),
    /// Nothing that concerns a record.
    Ignored,
    /// The profile knows the type, but the message lacks what the profile needs. The notification becomes a dead
    /// letter.
    NotUnderstood(String),
    /// The truth has to be fetched first, by a GET of this path below the base of the PSP's API. The path is the same for
    /// all messages about one object.
    Fetch(String),
}

/// The identity of a message: it stays the same, whatever a stranger changes in a captured copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The key: the same for everything that can be made of one message. It comes from the signed text, or from the dedupe
    /// key if all of the message is signed.
    pub key: String,
    /// A digest of the signed fields one by one. Somebody who moves the borders between the fields gets other fields
    /// with the same key. Where only a checksum of the body is signed, the body counts as well.
    pub fields: String,
    /// Whether the message has several signed fields, between which borders can be moved.
    pub has_borders: bool,
    /// Whether the signed text belongs to the first body that comes with it, since other bodies can be made for the text.
    pub binds_body: bool,
    /// Whether some of the fields that are read of the message are not signed.
    pub partly_signed: bool,
    /// Whether anything that is read of the message is unsigned, so that its signed text needs an owner.
    pub needs_owner: bool,
    /// Whether the message is signed by itself and stands behind the first message of its notification. Anybody can put
    /// two such messages together, with many variants of the first. The first time of the message in that notification
    /// is kept.
    pub is_behind: bool,
    /// The indexes of the events that are dated at the first time of the message.
    pub first_time: Vec<usize>,
}

impl Identity {
    /// Whether the identity and the first time of the message have to be remembered.
    #[must_use]
    pub fn is_remembered(&self) -> bool {
        self.has_borders || self.binds_body || self.is_behind || !self.first_time.is_empty()
    }
}
