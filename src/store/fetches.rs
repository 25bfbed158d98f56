//! What is fetched from the PSPs, in the words of the store's face.

use jiff::Timestamp;
use uuid::Uuid;

use super::{HintSlots, Kept, LedElsewhere, Outcome, Owed};
use crate::domain::message::Message;

/// Which fetches of a source are sought.
#[derive(Debug, Clone)]
pub struct FetchesSought {
    /// The source.
    pub source: String,
    /// They are due by now.
    pub now: Timestamp,
    /// So many at most that the PSP asks for, and so many at most at which hints point.
    pub most: usize,
    /// So many at most of which nobody but strangers has spoken, and no more than of the others.
    pub strangers: usize,
    /// How many of those may wait.
    pub slots: HintSlots,
}

/// Who asks for an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskedBy {
    /// The PSP itself.
    Psp,
    /// A hint at an object of ours: nobody vouches for it.
    Hint,
    /// Nobody but strangers has spoken of it.
    Stranger,
}

/// A fetch that is due.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Its row.
    pub id: i64,
    /// Path and query of the call.
    pub path: String,
    /// How often it was asked for so far: those who asked by now are served.
    pub asked: i64,
    /// How often it failed in a row.
    pub attempts: u32,
    /// When the first of these failures was.
    pub failing_since: Option<Timestamp>,
    /// Since when the PSP knows nothing of the object.
    pub missing_since: Option<Timestamp>,
    /// The time that the object's last answer stands for.
    pub fetched_at: Option<Timestamp>,
    /// Who asks for it.
    pub by: AskedBy,
    /// Whether slots are [scarce](HintSlots::scarce) where its slot is.
    pub scarce: bool,
}

/// A message whose truth is fetched.
#[derive(Debug, Clone)]
pub struct Awaiting {
    /// The notification that holds it.
    pub notification: Kept,
    /// Which of its messages, from 0.
    pub message: usize,
}

/// An answer, and how it reads for those who waited for it.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The fetch.
    pub fetch: i64,
    /// Who had asked by then is served.
    pub asked: i64,
    /// When the call began, on the clock that only runs.
    pub began: Timestamp,
    /// The time that the answer stands for.
    pub fetched_at: Timestamp,
    /// Its bytes.
    pub body: Vec<u8>,
    /// How it reads: notification, message in it, and what that says now.
    pub read: Vec<(Uuid, usize, Message)>,
}

/// How a fetch failed.
#[derive(Debug, Clone)]
pub struct FetchFailed {
    /// The fetch.
    pub fetch: i64,
    /// Who had asked by then learns of it.
    pub asked: i64,
    /// When the call began, on the clock that only runs.
    pub began: Timestamp,
    /// Why.
    pub reason: String,
    /// Whether the PSP knows nothing of the object.
    pub missing: bool,
    /// When it is tried again; never if none.
    pub again: Option<Timestamp>,
}

/// What came of a fetch.
#[derive(Debug, Clone, Default)]
pub struct FetchSettled {
    /// What became of the notifications that waited for it.
    pub through: Vec<Through>,
    /// How many events of the source became dead letters because too many are parked.
    pub crowded_out: u32,
    /// What of those notifications, or of what they released, is without effect.
    pub led_elsewhere: Option<LedElsewhere>,
    /// The records that Transform is now owed a webhook for.
    pub owed: Vec<Owed>,
    /// Whether others are still to be served by the same answer.
    pub more: bool,
}

/// What a fetch made of a notification.
#[derive(Debug, Clone)]
pub struct Through {
    /// Its id.
    pub notification: Uuid,
    /// What became of it: `Fetching` while others of its messages wait. None: a hint that came to nothing is deleted.
    pub outcome: Option<Outcome>,
    /// Why it is a dead letter.
    pub reason: Option<String>,
}
