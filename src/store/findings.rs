//! Findings: what somebody should look at, because the relay cannot know what is right. They are kept in the store, listed,
//! and logged once a day.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::domain::ids::RecordKey;

/// Something that somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The cursor at which the next page of a list begins.
    pub cursor: i64,
    /// What is found.
    pub what: FindingKind,
    /// The source of the notifications; empty if the record is not bound to one.
    pub source: String,
    /// The PSP's name for what happened.
    pub event_type: String,
    /// The number of messages or events.
    pub count: u64,
    /// One of their notifications; none if nobody but a registration caused it.
    pub notification: Option<Uuid>,
    /// A registered record that the notification names; none if the messages cannot tell.
    pub record: Option<RecordKey>,
    /// What is missing, in words; none if nothing is.
    pub missing: Option<String>,
    /// The time of the first, UTC.
    pub first_at: Timestamp,
    /// The time of the latest, UTC.
    pub last_at: Timestamp,
}

/// The kinds of finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// No rule reads a message, and the message names a registered record.
    NoRule,
    /// A message only points to its truth, and its source fetches nothing.
    NotFetched,
    /// An event waits for its record for too long, and names a registered record.
    NoRecord,
    /// The refunds of a payment exceed what was paid.
    OverRefunded,
    /// What had been placed on the only capture of a preauthorization was taken back: another capture was registered, or this
    /// one with another id.
    TakenBack,
}

impl FindingKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::NoRule, Self::NotFetched, Self::NoRecord, Self::OverRefunded, Self::TakenBack];

    /// The word for it in lists.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoRule => "no_rule",
            Self::NotFetched => "not_fetched",
            Self::NoRecord => "no_record",
            Self::OverRefunded => "over_refunded",
            Self::TakenBack => "taken_back",
        }
    }

    /// Whether each record has a finding of its own. Otherwise a finding stands for all records of a type.
    #[must_use]
    pub const fn is_of_one_record(self) -> bool {
        matches!(self, Self::OverRefunded | Self::TakenBack)
    }
}

impl Finding {
    /// Logs it.
    pub fn log(&self) {
        let (source, event_type, count) = (self.source.as_str(), self.event_type.as_str(), self.count);
        let notification = self.notification.map(tracing::field::display);
        let record = self.record.as_ref().map(tracing::field::display);
        let missing = self.missing.as_deref();
        match self.what {
            FindingKind::NoRule => tracing::warn!(
                source,
                event_type,
                notification,
                record,
                missing,
                "no rule reads a type of event that names a registered record: it is ignored, and GET /findings counts it. Add a \
                 rule to the profile, or ignore the type there"
            ),
            FindingKind::NotFetched => tracing::warn!(
                source,
                event_type,
                notification,
                missing,
                "a type of event only points to its truth, and its source fetches nothing: all such notifications are dead \
                 letters. Let the source fetch, then replay them"
            ),
            FindingKind::NoRecord => tracing::warn!(
                source,
                event_type,
                notification,
                record,
                missing,
                "a parked event names a registered record, but waits for another one that is not registered. Register that, or \
                 look at the profile"
            ),
            FindingKind::OverRefunded => tracing::warn!(
                source,
                event_type,
                notification,
                record,
                "the refunds of a payment exceed what was paid: they are told as the PSP tells them, and the payment shows no more \
                 than was paid. Look at the payment in the PSP's own list"
            ),
            FindingKind::TakenBack => tracing::warn!(
                source,
                event_type,
                notification,
                record,
                events = count,
                "events of an authorization were taken back from its only capture, since any of several captures could be meant. An \
                 event that names no capture becomes a dead letter. Register each capture with its pspTransactionId"
            ),
        }
    }
}
