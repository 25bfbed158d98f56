//! Pieces of work for tests: each is decided over a working set of its own, and written at once. What is refused is not written.

use rusqlite::Connection;

use super::decide::{at_once, decide};
use super::flush;
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::registration::{Refusal, Registration};
use crate::store::core::inbound::Inbound;
use crate::store::core::set::WorkingSet;
use crate::store::core::{parking, register, removal, taking};
use crate::store::{RegistrationReceipt, Removed, StoreOptions, Taken};

pub(super) fn take(connection: &Connection, options: &StoreOptions, taken: &Taken) -> rusqlite::Result<taking::Took> {
    let taken = Inbound::of(taken.clone());
    at_once(connection, |set| taking::take(set, options, &taken))
}

pub(super) fn register(
    connection: &Connection,
    options: &StoreOptions,
    key: &RecordKey,
    said: &Registration,
    now: Moment,
) -> rusqlite::Result<Result<RegistrationReceipt, Refusal>> {
    let set = WorkingSet::default();
    let done = decide(connection, &set, |set| register::register(set, options, key, said, now))?;
    if done.is_ok() {
        flush::flush(connection, &set)?;
    }
    Ok(done)
}

pub(super) fn remove(
    connection: &Connection,
    options: &StoreOptions,
    key: &RecordKey,
    now: Moment,
) -> rusqlite::Result<Result<Option<Removed>, Refusal>> {
    let set = WorkingSet::default();
    let done = decide(connection, &set, |set| removal::remove(set, options, key, now))?;
    if done.is_ok() {
        flush::flush(connection, &set)?;
    }
    Ok(done)
}

pub(super) fn crowd_out(connection: &Connection, source: &str, most: u32) -> rusqlite::Result<u32> {
    at_once(connection, |set| parking::crowd_out(set, source, most))
}
