//! What a notification says, in our words: one message for each thing that it tells of.

use std::collections::BTreeSet;
use std::fmt;

use super::event::{Ahead, Event};

/// A notification in our words.
#[derive(Clone, PartialEq, Eq)]
pub struct Normalised {
    /// The same for every repetition of the notification.
    pub dedupe_key: String,
    /// What it was read with beside its body and is not signed, as a digest; empty where there is nothing of that kind. Part of
    /// what makes a repetition: anybody can send the same body with something else beside it.
    pub beside: String,
    /// Its messages, in the order of the batch.
    pub messages: Vec<Message>,
}

impl fmt::Debug for Normalised {
    /// What it says, and what is out of the ordinary.
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
    /// What binds its body, if what is signed belongs to the first body that comes with it.
    #[must_use]
    pub fn bound_by(&self) -> Option<&Identity> {
        self.messages.first().and_then(|message| message.identity.as_ref()).filter(|identity| identity.binds_body)
    }

    /// Whether it has no key of its own but that of what is signed: another body came first with that.
    #[must_use]
    pub fn is_made_up(&self) -> bool {
        self.bound_by().is_some_and(|identity| identity.key == self.dedupe_key)
    }

    /// Ignores all messages but those of these types. What has no type is still not understood.
    pub fn keep_only(&mut self, types: &BTreeSet<String>) {
        let others = |message: &&mut Message| !message.event_type.is_empty() && !types.contains(&message.event_type);
        self.messages.iter_mut().filter(others).for_each(|message| message.meaning = Meaning::Ignored);
    }

    /// How much work it is: its messages, and the events of those that have several.
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
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The PSP's name for what happened; empty where only what is fetched can tell.
    pub event_type: String,
    /// What it means.
    pub meaning: Meaning,
    /// Times that lay ahead of the receipt and count as the receipt, for the log. No more than `AHEAD_TOLD` of them.
    pub ahead: Vec<Ahead>,
    /// Which message it is, where parts of it are signed only or a time of it has to be remembered.
    pub identity: Option<Identity>,
}

/// More times of one message than these are not told of.
pub(crate) const AHEAD_TOLD: usize = 3;

impl fmt::Debug for Message {
    /// What it says, and what is out of the ordinary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Message");
        text.field("event_type", &self.event_type).field("meaning", &self.meaning);
        if !self.ahead.is_empty() {
            text.field("ahead", &self.ahead);
        }
        text.finish()
    }
}

impl Message {
    /// A message of this type with this meaning, of which nothing else is to be said.
    #[must_use]
    pub const fn new(event_type: String, meaning: Meaning) -> Self {
        Self { event_type, meaning, ahead: Vec::new(), identity: None }
    }

    /// Its events; none unless it means some.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        if let Meaning::Events(events) = &self.meaning { events } else { &[] }
    }

    /// Why it is a dead letter, behind its type where it has one.
    #[must_use]
    pub fn because(&self, reason: &str) -> String {
        if self.event_type.is_empty() { reason.to_owned() } else { format!("{}: {reason}", self.event_type) }
    }
}

/// What a message means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// These events.
    Events(Vec<Event>),
    /// Nothing that concerns a record.
    Ignored,
    /// The profile knows the type, but this message is not as it should be: a dead letter.
    NotUnderstood(String),
    /// Its truth has to be fetched first, by a GET of this path below the base of the PSP's API. The same for all
    /// messages about one object.
    Fetch(String),
}

/// Which message it is, whatever else has been made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The same for all that can be made of one message: by the text that is signed, or the dedupe key where all is.
    pub key: String,
    /// By the signed fields one by one: another one for the same key is made by moving the borders between them. Where the body
    /// is signed by a checksum only, by the body as well.
    pub fields: String,
    /// Whether it has several signed fields, so that borders can be moved.
    pub has_borders: bool,
    /// Whether the signed text belongs to the first body that comes with it, since others can be made for it.
    pub binds_body: bool,
    /// Whether not all that is read of it is signed.
    pub partly_signed: bool,
    /// Whether it is signed by itself and comes behind another message: anybody can put the two together, and make many of the
    /// first. What was told of first by that notification is kept.
    pub is_behind: bool,
    /// The events whose time is that of the message when it was told of first, by their index.
    pub first_time: Vec<usize>,
}

impl Identity {
    /// Whether it has to be remembered when the message was told of first, and how.
    #[must_use]
    pub fn is_remembered(&self) -> bool {
        self.has_borders || self.binds_body || self.is_behind || !self.first_time.is_empty()
    }
}
