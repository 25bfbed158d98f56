//! What is on disk: the inbox of notifications, the records, the outbox of changes that are yet to be told.
//!
//! This file is the store's face, free of any engine's words. One engine lives in each folder below.

mod caught;
mod fetches;
mod lists;
pub mod rehearsal;
mod slots;
pub mod sqlite;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::due::{Debounce, Moment};
use crate::domain::ids::RecordKey;
use crate::domain::message::Normalised;
use crate::domain::record::Record;
use crate::domain::registration::Refusal;

pub use caught::{GaveWay, LedElsewhere};
pub use fetches::{
    Answered, AskedBy, Awaiting, Fetch, FetchFailed, FetchSettled, FetchesSought, HintError, Hinted, Kept, Through,
};
pub use lists::{AttemptMade, DeadLetter, GivenUp, History, ParkedEvent, VersionMade};
pub use slots::{Admission, HintSlots, SlotsTaken};

/// How the store works.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The database file.
    pub path: PathBuf,
    /// Whether a file that is missing is an error, and not made.
    pub must_exist: bool,
    /// When changes are due; due times are stored with them.
    pub debounce: Debounce,
    /// How many pieces of work may wait to be written; past it the answer is [`StoreError::Busy`].
    pub max_waiting: usize,
    /// What may be parked.
    pub parked: ParkedLimits,
    /// How long what is over stays.
    pub keep: Keep,
}

/// What may be parked. What exceeds it becomes a dead letter, the oldest first.
#[derive(Debug, Clone, Copy)]
pub struct ParkedLimits {
    /// How many events of one source.
    pub per_source: u32,
    /// How long an event may wait for its record.
    pub max_age: Duration,
}

/// How long what is over stays. What is still owed or parked stays in any case.
#[derive(Debug, Clone, Copy)]
pub struct Keep {
    /// Notifications, as received.
    pub notifications: Duration,
    /// Dead letters: notifications that are, and deliveries that were given up.
    pub dead_letters: Duration,
    /// How many bytes the bodies and headers of all dead letters may have; past it the oldest go.
    pub dead_letters_size: u64,
    /// Attempts to tell Transform.
    pub attempts: Duration,
    /// Which notification made which version of a record.
    pub history: Duration,
}

/// Who is told of records that Transform is owed a webhook for and of sources that have something to be fetched, once that
/// is on disk. It carries no news of its own: what is owed is in the store.
#[derive(Clone)]
pub struct Wake {
    owed: Arc<dyn Fn(&Owed) + Send + Sync>,
    fetches: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Wake {
    /// Tells this listener of records, and nobody of fetches.
    pub fn new(owed: impl Fn(&Owed) + Send + Sync + 'static) -> Self {
        Self { owed: Arc::new(owed), fetches: Arc::new(|_| ()) }
    }

    /// Tells this listener of fetches: the source's name.
    #[must_use]
    pub fn and_fetches(self, fetches: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { fetches: Arc::new(fetches), ..self }
    }

    /// Tells of each record.
    pub fn each(&self, owed: &[Owed]) {
        owed.iter().for_each(|one| (self.owed)(one));
    }

    /// Tells of all that a notification of this source brought.
    pub fn taken(&self, source: &str, receipt: &Receipt) {
        self.each(&receipt.owed);
        if receipt.fetches {
            self.fetch(source);
        }
    }

    /// Tells of a source that has something to be fetched.
    pub fn fetch(&self, source: &str) {
        (self.fetches)(source);
    }
}

impl std::fmt::Debug for Wake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wake")
    }
}

/// The store cannot do it now. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// More is waiting to be written than is let to wait.
    #[error("the write queue is full (store.max_waiting)")]
    Busy,
    /// The disk, the file or the database refuses.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The database is damaged where this would have read or written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another relay has it.
    #[error("{0} is in use by another relay; stop that one, or give this one a store.path of its own")]
    InUse(PathBuf),
    /// A later relay wrote it.
    #[error("{path} has schema version {found}; this relay knows up to {known}")]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// What is in the file is no sound database any more.
    #[error("{path} is damaged: {reason}; restore a backup, or let PSPs send again to a new store")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it first.
        reason: String,
    },
    /// It is missing or empty, and must not be.
    #[error(
        "{0} is missing or empty, and store.must_exist = true makes no new store: mount its volume, restore a backup, or set \
         store.must_exist = false to begin anew"
    )]
    Missing(PathBuf),
    /// It cannot be used at this place.
    #[error("{path} cannot be used as the store: {reason}")]
    Place {
        /// The file.
        path: PathBuf,
        /// Why, and the remedy.
        reason: String,
    },
    /// The disk, the file or the database refuses.
    #[error("cannot open {path}: {reason}")]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl OpenError {
    fn failed(path: &Path, reason: impl ToString) -> Self {
        Self::Failed { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// How the store's clock goes on at a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resumed {
    /// Both clocks as they were kept last. Where the store's begins, they are the time of the newest row; none in a new store.
    pub before: Option<Moment>,
    /// Both clocks now.
    pub now: Moment,
}

/// The longest waits that there are: what is due later was not made due by one.
#[derive(Debug, Clone, Copy)]
pub struct LongestWaits {
    /// Between two attempts to tell Transform.
    pub retry: Duration,
    /// Between two fetches.
    pub fetch: Duration,
}

/// A verified notification, ready to be committed.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its id with us.
    pub id: Uuid,
    /// The source that it came by.
    pub source: String,
    /// When.
    pub received_at: Moment,
    /// Its headers as received, credentials left out.
    pub headers: Vec<(String, String)>,
    /// Its bytes as received.
    pub body: Vec<u8>,
    /// The form that it is read as.
    pub form: String,
    /// The time that was signed with it, as text.
    pub signed_at: Option<String>,
    /// Whether parts of it are signed only, so that whoever has caught one can make many.
    pub partly_signed: bool,
    /// Whether it is a mere pointer, and so can as well be taken as a hint.
    pub is_pointer: bool,
    /// What it says.
    pub normalised: Normalised,
}

/// What became of a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Nothing in it concerns a record.
    Ignored,
    /// It was here before.
    Repeated,
    /// Newer facts stand.
    Stale,
    /// Its record is not known yet; it is kept for it.
    Parked,
    /// A record changed.
    Applied,
    /// What it points to is being fetched.
    Fetching,
    /// It could not be understood or contradicts what is known; it is kept with the reason.
    DeadLetter,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Ignored, Self::Repeated, Self::Stale, Self::Parked, Self::Applied, Self::Fetching, Self::DeadLetter];

    /// The word for it in answers, logs and the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Repeated => "repeated",
            Self::Stale => "stale",
            Self::Parked => "parked",
            Self::Applied => "applied",
            Self::Fetching => "fetching",
            Self::DeadLetter => "dead_letter",
        }
    }
}

/// A notification is on disk, with all that it changed.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// Its id; that of the first, if it is a repetition.
    pub id: Uuid,
    /// What became of it; of the first, if it is a repetition, as it was answered.
    pub outcome: Outcome,
    /// Whether the very same notification came before, byte for byte.
    pub replayed: bool,
    /// Whether it is news: nobody can have made it by sending again what the store knows.
    pub is_news: bool,
    /// Why it is a dead letter.
    pub reason: Option<String>,
    /// The first of the notifications of the same dedupe key but different content that are kept, if there is one.
    pub key_reused: Option<Uuid>,
    /// Whether a message of it came before with another time, which nobody signs.
    pub redated: Option<Redated>,
    /// What of it, or of what it released, is without effect.
    pub led_elsewhere: Option<LedElsewhere>,
    /// The notifications of its dedupe key that had to give it their room.
    pub gave_way: Vec<GaveWay>,
    /// How many events of its source became dead letters because too many are parked.
    pub crowded_out: u32,
    /// How many hints from the address that has most of them gave way to it.
    pub displaced: u32,
    /// The records that Transform is now owed a webhook for.
    pub owed: Vec<Owed>,
    /// Whether something is to be fetched for it.
    pub fetches: bool,
}

/// A message came before with another time, which nobody signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redated {
    /// The time of the first, which counts.
    pub first: Timestamp,
    /// The other time.
    pub another: Timestamp,
}

/// A notification was not taken. Nothing was written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TakeError {
    /// It would change something, and as many others of its dedupe key are kept as may be, each with another content.
    #[error(
        "up to {most} other contents of its dedupe key are kept, and large ones while those after the first have less than \
         {bytes} bytes; there is no room for it"
    )]
    TooManyContents {
        /// How many there may be.
        most: u32,
        /// With how many bytes after the first there is no room for another large one.
        bytes: i64,
    },
    /// It is a mere pointer, and not all is signed that says where to. It counts as a hint only.
    #[error("what is signed of it came before and pointed elsewhere; it is no more than a hint where to look")]
    PointsElsewhere,
    /// The store cannot take it now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A record that Transform is owed a webhook for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// The record.
    pub key: RecordKey,
    /// When to tell.
    pub due: Timestamp,
    /// A record that is to be told before it: a payment waits for the refund that changed it.
    pub after: Vec<RecordKey>,
}

/// A record is registered or amended, on disk.
#[derive(Debug, Clone)]
pub struct RegistrationReceipt {
    /// The record as it stands, parked events applied.
    pub record: Record,
    /// Whether it is new.
    pub created: bool,
    /// The records that Transform is now owed a webhook for: those that parked events changed.
    pub owed: Vec<Owed>,
    /// What of the parked events is without effect.
    pub led_elsewhere: Option<LedElsewhere>,
}

/// A registration fails because it is refused or because the store cannot take it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RegisterError {
    /// The integrator has to say something else.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The integrator may say it again later.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What an attempt needs to know.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The record's version; the attempt tells of it.
    pub version: u64,
    /// When it is due.
    pub due: Timestamp,
    /// The record's own target.
    pub webhook_target: Option<String>,
    /// Attempts that failed since the last success.
    pub attempts: u32,
    /// When the first of them failed.
    pub failing_since: Option<Timestamp>,
    /// The first change that Transform has not heard of.
    pub owed_since: Timestamp,
}

/// What one step of housekeeping did.
#[derive(Debug, Clone, Default)]
pub struct Pruned {
    /// Events that had been parked for too long and are dead letters now: their notifications.
    pub waited_in_vain: Vec<Uuid>,
    /// Dead letters that were kept long enough.
    pub dead_letters: Vec<DeadLetterGone>,
    /// Dead letters for which there was no more room.
    pub dead_letters_beyond: Vec<DeadLetterGone>,
    /// Deliveries that had been given up and were kept long enough.
    pub given_up: Vec<RecordKey>,
    /// Notifications, attempts and history that were kept long enough.
    pub rows: usize,
    /// Whether pages of the file were given back.
    pub shrunk: bool,
}

/// A dead letter that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterGone {
    /// The notification.
    pub notification: Uuid,
    /// The source that it came by.
    pub source: String,
    /// Why it was a dead letter.
    pub reason: String,
}

impl Pruned {
    /// Whether there was nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.waited_in_vain.is_empty()
            && self.dead_letters.is_empty()
            && self.dead_letters_beyond.is_empty()
            && self.given_up.is_empty()
            && self.rows == 0
            && !self.shrunk
    }
}

/// One attempt, as it is settled.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The record.
    pub key: RecordKey,
    /// The version that it told of.
    pub version: u64,
    /// When it began.
    pub began: Moment,
    /// When it ended.
    pub ended: Moment,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub enum Settlement {
    /// Transform has taken the version that was sent.
    Told,
    /// It has not; the next attempt is due then.
    Retry {
        /// When.
        at: Timestamp,
        /// No earlier than this, whatever changes meanwhile: Transform asked for it.
        not_before: Option<Timestamp>,
        /// Why it failed.
        reason: String,
    },
    /// It has not, and has not for so long that it is given up: a dead letter, until the next change.
    GiveUp {
        /// Why it failed.
        reason: String,
    },
}
