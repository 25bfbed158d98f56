//! Fetches from the PSPs' APIs: the query for due fetches, waiting messages, and the end of a fetch.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Finding, HintSlots, Kept, LedElsewhere, Outcome, Owed};
use crate::domain::message::Message;

/// A query for the due fetches of one source.
#[derive(Debug, Clone)]
pub struct FetchesSought {
    /// The source.
    pub source: String,
    /// The time by which they are due.
    pub now: Timestamp,
    /// Limit of the fetches that the PSP asks for. Fetches for hints at our objects have a limit of their own, of the
    /// same number.
    pub most: usize,
    /// Limit of the fetches that only strangers ask for; never above `most`.
    pub strangers: usize,
    /// The slots for waiting objects that only strangers ask for.
    pub slots: HintSlots,
}

/// The origin of the request for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// The PSP itself.
    Psp,
    /// A hint at an object of ours; nobody vouches for a hint.
    Hint,
    /// Strangers only.
    Stranger,
}

/// A fetch that is due.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Its row in the table of fetches.
    pub id: i64,
    /// Path and query of the call.
    pub path: String,
    /// The number of requests for the object so far. The fetch serves the messages whose request is among these.
    pub asked: i64,
    /// The number of failures in a row.
    pub attempts: u32,
    /// The time of the first of these failures.
    pub failing_since: Option<Timestamp>,
    /// The time since which the PSP has answered that it does not know the object.
    pub missing_since: Option<Timestamp>,
    /// The time for which the object's last response stands.
    pub fetched_at: Option<Timestamp>,
    /// The origin of the request for it.
    pub by: AskedBy,
    /// Whether slots are [scarce](HintSlots::scarce) for the address with the object's slot.
    pub scarce: bool,
}

/// A message that waits for a fetch.
#[derive(Debug, Clone)]
pub struct Awaiting {
    /// The notification with the message.
    pub notification: Kept,
    /// The index of the message in it, from 0.
    pub message: usize,
}

/// A response of a PSP's API, with the messages that waited for it as they read now.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The fetch.
    pub fetch: i64,
    /// The number of requests at the start of the fetch: the messages with these requests are served.
    pub asked: i64,
    /// When the call began, on the clock that only runs.
    pub began: Timestamp,
    /// The time for which the response stands.
    pub fetched_at: Timestamp,
    /// The bytes of the response.
    pub body: Vec<u8>,
    /// The messages read with it: the notification, the message's index in it, and what the message says now.
    pub read: Vec<(Uuid, usize, Message)>,
}

/// The failure of a fetch.
#[derive(Debug, Clone)]
pub struct FetchFailed {
    /// The fetch.
    pub fetch: i64,
    /// The number of requests at the start of the fetch: the messages with these requests learn of the failure.
    pub asked: i64,
    /// When the call began, on the clock that only runs.
    pub began: Timestamp,
    /// The reason.
    pub reason: String,
    /// Whether the PSP knows nothing of the object.
    pub missing: bool,
    /// The time of the next try; none if the fetch is given up.
    pub again: Option<Timestamp>,
}

/// The result of a fetch that has ended.
#[derive(Debug, Clone, Default)]
pub struct FetchSettled {
    /// The effects on the notifications that waited for it.
    pub through: Vec<Through>,
    /// The number of events of the source that became dead letters because too many are parked.
    pub crowded_out: u32,
    /// The events without effect, among the events of these notifications and the events that they released.
    pub led_elsewhere: Option<LedElsewhere>,
    /// What somebody should look at.
    pub findings: Vec<Finding>,
    /// The records that Transform is now owed a webhook for.
    pub owed: Vec<Owed>,
    /// Whether further messages are still to be served by the same result.
    pub more: bool,
}

/// The effect of a fetch on one notification.
#[derive(Debug, Clone)]
pub struct Through {
    /// The id of the notification.
    pub notification: Uuid,
    /// Its outcome: `Fetching` while others of its messages wait; none for a hint that came to nothing and was deleted.
    pub outcome: Option<Outcome>,
    /// The reason, if the message makes it a dead letter.
    pub reason: Option<String>,
}
