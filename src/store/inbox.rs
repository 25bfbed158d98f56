//! The inbox: notifications before and after they are taken, and their receipts.

use jiff::Timestamp;
use uuid::Uuid;

use super::{Finding, GaveWay, LedElsewhere, Outcome, Owed, StoreError};
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::message::Normalised;

/// A verified notification, ready to be committed.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The id that the relay gives it.
    pub id: Uuid,
    /// The source that it came by.
    pub source: String,
    /// The time of its receipt, on both clocks.
    pub received_at: Moment,
    /// Its headers as received, credentials left out.
    pub headers: Vec<(String, String)>,
    /// Its bytes as received.
    pub body: Vec<u8>,
    /// The form that it is read as.
    pub form: String,
    /// The time that was signed with it, as text.
    pub signed_at: Option<String>,
    /// Whether only parts of it are signed. A client that has captured one such notification can make many.
    pub partly_signed: bool,
    /// Whether the source's credentials vouch for all of it, also for its unsigned parts.
    pub vouched: bool,
    /// Whether it is only a pointer. If the store refuses it, it can still be taken as a hint.
    pub is_pointer: bool,
    /// Its messages, as the profile reads them.
    pub normalised: Normalised,
}

/// A notification as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The id of the notification.
    pub id: Uuid,
    /// The source that it came by.
    pub source: String,
    /// The time of its receipt.
    pub received_at: Timestamp,
    /// Its headers, credentials left out.
    pub headers: Vec<(String, String)>,
    /// Its bytes; for a hint, the call that it asks for.
    pub body: Vec<u8>,
    /// The form that it was read as; none if a relay of an early version took it.
    pub form: Option<String>,
    /// The time that was signed with it, as text.
    pub signed_at: Option<String>,
    /// Whether it is a hint, for which nobody vouches.
    pub hint: bool,
    /// Its outcome.
    pub outcome: Outcome,
}

/// The receipt of a notification: it is on disk, with all its changes.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// The id of the notification; for a repetition, the id of the first.
    pub id: Uuid,
    /// Its outcome. A repetition has the outcome that the first one was answered with.
    pub outcome: Outcome,
    /// Whether the very same notification came before, byte for byte.
    pub replayed: bool,
    /// Whether it is news: sending again what the store knows cannot have produced it.
    pub is_news: bool,
    /// The reason, if it is a dead letter.
    pub reason: Option<String>,
    /// The notification that owns the signed text of one of its messages. That message is without effect.
    pub owned_by: Option<Uuid>,
    /// The first kept notification with the same dedupe key and different content, if there is one.
    pub key_reused: Option<Uuid>,
    /// Set if one of its messages came before with another, unsigned time.
    pub redated: Option<Redated>,
    /// The events without effect, among its own events and the events that it released.
    pub led_elsewhere: Option<LedElsewhere>,
    /// The records that its own events, and the events that these released, were applied to; the first ten.
    pub records: Vec<RecordKey>,
    /// What somebody should look at.
    pub findings: Vec<Finding>,
    /// The notifications of its dedupe key that gave way to it.
    pub gave_way: Vec<GaveWay>,
    /// The number of events of its source that became dead letters because too many are parked.
    pub crowded_out: u32,
    /// The number of hints that lost their slot to it. They came from the address with most slots.
    pub displaced: u32,
    /// The records that Transform is now owed a webhook for.
    pub owed: Vec<Owed>,
    /// Whether something is to be fetched for it.
    pub fetches: bool,
}

impl Receipt {
    /// A receipt with this outcome and nothing else to report.
    pub(crate) const fn of(id: Uuid, outcome: Outcome) -> Self {
        Self {
            id,
            outcome,
            replayed: false,
            is_news: false,
            reason: None,
            owned_by: None,
            key_reused: None,
            redated: None,
            led_elsewhere: None,
            records: Vec::new(),
            findings: Vec::new(),
            gave_way: Vec::new(),
            crowded_out: 0,
            displaced: 0,
            owed: Vec::new(),
            fetches: false,
        }
    }
}

/// A message that came before with another, unsigned time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redated {
    /// The first time, which counts.
    pub first: Timestamp,
    /// The other time.
    pub another: Timestamp,
}

/// The reason why a notification was not taken. Nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TakeError {
    /// It would change something, but the limit of contents kept for its dedupe key is reached.
    #[error(
        "there is no room for it: at most {most} other contents of its dedupe key are kept, and a large one only while \
         those after the first have less than {bytes} bytes"
    )]
    TooManyContents {
        /// The number of contents that are kept of one dedupe key.
        most: u32,
        /// The limit for large contents, in bytes of all contents after the first.
        bytes: i64,
    },
    /// It is only a pointer, and its target is not fully signed. It counts as a hint only.
    #[error("its signed text came before and pointed elsewhere; it counts as a hint only")]
    PointsElsewhere,
    /// The store cannot take it now.
    #[error(transparent)]
    Store(#[from] StoreError),
}
