//! Corrections: the changes that a reread asks of the store. Each names the state that it was made for, and is left out if
//! that state has changed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Outcome;
use super::rehearsal::{Learned, PlacedEvent};
use crate::domain::ids::RecordKey;
use crate::domain::message::Normalised;
use crate::domain::record::Record;

/// The correction of one record.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// The record.
    pub key: RecordKey,
    /// The digest of the record for which the correction was made.
    pub stands: [u8; 16],
    /// The record as it is to be. Its registration, version and time do not count.
    pub would: Record,
    /// PSP ids that are to lead to it.
    pub learns: Vec<Learned>,
    /// The events that are to be placed on it, in the order in which they came.
    pub placed: Vec<PlacedEvent>,
    /// The PSP ids that lead to it because of these.
    pub shown: Vec<Learned>,
}

/// A notification that is to be judged anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// The notification.
    pub notification: Uuid,
    /// The source that it came by.
    pub source: String,
    /// The outcome for which the judgement was made, and the reason if it is a dead letter.
    pub was: (String, Option<String>),
    /// The outcome on the stage of the rehearsal. If it is applied there, it counts as applied in the store, too: its record has
    /// the events by a correction.
    pub now: Outcome,
    /// Its messages as they are read now.
    pub normalised: Normalised,
}

/// Corrections that are made together, the records before the notifications.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corrections {
    /// Records by families. All records of a family are corrected, or none.
    pub families: Vec<Vec<Correction>>,
    /// Notifications.
    pub judgements: Vec<Judgement>,
}

/// What became of a correction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Made {
    /// It is made now.
    Now,
    /// The store was so before.
    Before,
    /// It is not made: its record or notification has changed since the rehearsal.
    Not,
}

/// The result of corrections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corrected {
    /// For each family.
    pub families: Vec<Made>,
    /// For each notification.
    pub judgements: Vec<Made>,
    /// The number of events, by source, that became dead letters because too many are parked.
    pub crowded_out: BTreeMap<String, u32>,
}
