//! Placed events: events that name only an authorization, and were placed on its only capture. They are kept, to be placed
//! anew: once another capture is known, the capture gets an id of the PSP, or an id turns out to be a payment's own. Events that
//! could then mean any of several captures become dead letters.

use rusqlite::Connection;
use uuid::Uuid;

use super::columns::{fact, in_row};
use crate::store::core::parked::Pending;

/// The step of the schema that leads from preauthorizations to their captures, lets agreements share a means of payment, and
/// remembers the notifications of placed events.
pub(super) const STEP: &str = r"
ALTER TABLE records ADD COLUMN preauth_id TEXT;
UPDATE records SET preauth_id = json_extract(record, '$.registered.preauth_id') WHERE kind = 2 AND json_valid(record);
CREATE INDEX captures_by_preauth ON records (preauth_id) WHERE preauth_id IS NOT NULL;

-- Agreements may share a means of payment. kind: the kind of the object that has the id; that of a refund may lead to its payment.
-- placed: only an event that was placed on the record has named the id.
CREATE TABLE leads (
    psp_id TEXT NOT NULL,
    kind   INTEGER NOT NULL,
    source TEXT NOT NULL,
    record INTEGER NOT NULL REFERENCES records (id),
    placed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (psp_id, kind, source, record)
) STRICT, WITHOUT ROWID;
INSERT INTO leads (psp_id, kind, source, record) SELECT psp_id, kind, source, record FROM psp_ids;
DROP TABLE psp_ids;
ALTER TABLE leads RENAME TO psp_ids;
CREATE INDEX psp_ids_by_record ON psp_ids (record);

-- The events that were placed on a payment, because it was the only capture of the authorization that they name.
CREATE TABLE placed (
    id           INTEGER PRIMARY KEY,
    record       INTEGER NOT NULL REFERENCES records (id),
    notification BLOB NOT NULL,
    source       TEXT NOT NULL,
    event        TEXT NOT NULL
) STRICT;
CREATE INDEX placed_by_record ON placed (record);

-- Refunds above what was paid are told now, and no longer wait for room: their notifications stay dead letters, to be replayed.
-- reason: a mark of events that wait in silence, since they came along with another event.
DELETE FROM parked_keys WHERE parked IN (SELECT id FROM parked WHERE reason IS NOT NULL);
DELETE FROM parked WHERE reason IS NOT NULL;
";

/// The step of the schema that finds the placed events of a notification by an index. From it on a record keeps what an import states
/// of it, and `psp_ids.placed` says how surely an id leads to its record: 0 as its own, 1 as that of the only capture, 2 as its
/// authorization's, 3 by an unsigned part, 4 as a capture's.
pub(super) const BY_NOTIFICATION: &str = "CREATE INDEX placed_by_notification ON placed (notification);";

/// The step of the schema from which on a record keeps whether only placed events have bound it to its source.
pub(super) const BOUND: &str = "-- Only the JSON of records has more.";

/// The schema version since which placed events are kept.
pub(super) const SINCE: i64 = 13;

/// The events that were placed on a record, in the order in which they came.
pub(super) fn list(connection: &Connection, row: i64) -> rusqlite::Result<Vec<Pending>> {
    connection
        .prepare_cached("SELECT notification, source, event FROM placed WHERE record = ?1 ORDER BY id")?
        .query_map([row], |columns| {
            Ok(Pending {
                notification: Uuid::from_bytes(columns.get(0)?),
                source: columns.get(1)?,
                event: fact(columns, 2)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()
        .map_err(in_row("placed", row))
}
