//! Import of records that existed before the relay: what a line says, and what came of it.

use crate::domain::ids::RecordKey;
use crate::domain::import::Moved;
use crate::domain::registration::{Refusal, Registration};

/// A line of an import.
#[derive(Debug, Clone)]
pub struct ToImport {
    /// The record.
    pub key: RecordKey,
    /// Its registration.
    pub said: Registration,
    /// The money that has moved.
    pub moved: Moved,
}

/// What came of a line of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Became {
    /// The record is new.
    New,
    /// The record was known and says something else now.
    Changed,
    /// The record says all that already.
    Unchanged,
    /// The line is refused, and has changed nothing.
    Refused(Refusal),
}
