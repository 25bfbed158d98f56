//! Fetches from the PSPs' APIs: the query for due ones, and how a fetch ended, in the words of the store's face.

use jiff::Timestamp;
use uuid::Uuid;

use super::{HintSlots, Kept, LedElsewhere, Outcome, Owed};
use crate::domain::message::Message;

/// A query for the due fetches of one source.
#[derive(Debug, Clone)]
pub struct FetchesSought {
    /// The source.
    pub source: String,
    /// The time by which they are due.
    pub now: Timestamp,
    /// Limit of the fetches that the PSP asks for; those that hints at our objects ask for have the same limit of their own.
    pub most: usize,
    /// Limit of the fetches that only strangers ask for; never above `most`.
    pub strangers: usize,
    /// How many objects may wait that only strangers ask for.
    pub slots: HintSlots,
}

/// The origin of the request for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// The PSP itself.
    Psp,
    /// A hint at an object of ours: nobody vouches for it.
    Hint,
    /// Strangers only.
    Stranger,
}

/// A fetch that is due.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Its row.
    pub id: i64,
    /// Path and query of the call.
    pub path: String,
    /// How often the object was asked for so far. The fetch serves the messages that asked by now.
    pub asked: i64,
    /// How often it failed in a row.
    pub attempts: u32,
    /// The time of the first of these failures.
    pub failing_since: Option<Timestamp>,
    /// Since when the PSP knows nothing of the object.
    pub missing_since: Option<Timestamp>,
    /// The time that the object's last response stands for.
    pub fetched_at: Option<Timestamp>,
    /// The origin of the request for it.
    pub by: AskedBy,
    /// Whether slots are [scarce](HintSlots::scarce) for the address that holds its slot.
    pub scarce: bool,
}

/// A message that waits for a fetch to bring its truth.
#[derive(Debug, Clone)]
pub struct Awaiting {
    /// The notification that holds it.
    pub notification: Kept,
    /// Which of its messages, from 0.
    pub message: usize,
}

/// A response of a PSP's API, with the messages that waited for it as they read now.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The fetch.
    pub fetch: i64,
    /// Messages that asked up to this count are served.
    pub asked: i64,
    /// When the call began, on the clock that only runs.
    pub began: Timestamp,
    /// The time that the response stands for.
    pub fetched_at: Timestamp,
    /// Its bytes.
    pub body: Vec<u8>,
    /// The messages read with it: the notification, the message's index in it, and what the message says now.
    pub read: Vec<(Uuid, usize, Message)>,
}

/// How a fetch failed.
#[derive(Debug, Clone)]
pub struct FetchFailed {
    /// The fetch.
    pub fetch: i64,
    /// Messages that asked up to this count learn of the failure.
    pub asked: i64,
    /// When the call began, on the clock that only runs.
    pub began: Timestamp,
    /// Why.
    pub reason: String,
    /// Whether the PSP knows nothing of the object.
    pub missing: bool,
    /// The time of the next try; none: there is no other.
    pub again: Option<Timestamp>,
}

/// The result of a fetch that has ended.
#[derive(Debug, Clone, Default)]
pub struct FetchSettled {
    /// What became of the notifications that waited for it.
    pub through: Vec<Through>,
    /// How many events of the source became dead letters because too many are parked.
    pub crowded_out: u32,
    /// The events without effect, among those of these notifications and those that they released.
    pub led_elsewhere: Option<LedElsewhere>,
    /// The records that Transform is now owed a webhook for.
    pub owed: Vec<Owed>,
    /// Whether further messages are still to be served by the same result.
    pub more: bool,
}

/// The effect of a fetch on one notification.
#[derive(Debug, Clone)]
pub struct Through {
    /// Its id.
    pub notification: Uuid,
    /// What became of it: `Fetching` while others of its messages wait. None: a deleted hint, which came to nothing.
    pub outcome: Option<Outcome>,
    /// Why it is a dead letter.
    pub reason: Option<String>,
}
