//! The store's clock, kept in the store: a start goes on from it, and not from the machine's clock.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{micros, timestamp};
use super::counts;
use crate::domain::age;
use crate::domain::due::Moment;
use crate::store::Resumed;

/// The step of the schema that adds the clock.
pub(super) const STEP: &str = r"
-- The store's clock when it was kept last, and the machine's then.
CREATE TABLE clock (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    steady INTEGER NOT NULL,
    wall   INTEGER NOT NULL
) STRICT;

-- kept_since: from when on the store's clock counts how long a row is kept. Where it is missing (rows of earlier versions),
-- the time beside it counts, which people read.
ALTER TABLE notifications ADD COLUMN kept_since INTEGER;
ALTER TABLE parked ADD COLUMN kept_since INTEGER;
ALTER TABLE transitions ADD COLUMN kept_since INTEGER;
ALTER TABLE attempts ADD COLUMN kept_since INTEGER;
-- given_up_at: what the machine's clock said at dead_at, for people.
ALTER TABLE outbox ADD COLUMN given_up_at INTEGER;
UPDATE outbox SET given_up_at = dead_at;

DROP INDEX dead_letters;
DROP INDEX notifications_over;
DROP INDEX parked_by_age;
CREATE INDEX dead_letters ON notifications (ifnull(kept_since, received_at)) WHERE outcome = 'dead_letter';
CREATE INDEX notifications_over ON notifications (ifnull(kept_since, received_at))
    WHERE outcome NOT IN ('parked', 'dead_letter');
CREATE INDEX parked_by_age ON parked (ifnull(kept_since, parked_at)) WHERE reason IS NULL;
CREATE INDEX transitions_by_age ON transitions (ifnull(kept_since, at), record);
CREATE INDEX attempts_by_age ON attempts (ifnull(kept_since, at), record);
";

pub(super) fn resume(connection: &Connection, wall: Timestamp) -> rusqlite::Result<Resumed> {
    let kept = kept(connection)?;
    let (before, steady) = match kept {
        Kept::Whole(kept) => {
            let steady = age::resumed(kept, wall);
            forgive(connection, micros(steady) - micros(kept.steady), steady)?;
            (Some(kept), steady)
        }
        Kept::Nothing => begin(connection, |newest| age::begun(newest, wall))?,
        // A clock that is too early only keeps rows longer. A clock that is too late deletes them.
        Kept::Damaged => (None, begin(connection, |newest| age::begun_anew(newest, wall))?.1),
    };
    if matches!(kept, Kept::Damaged) {
        tracing::error!(
            %steady,
            "the store's clock was damaged while the relay was down; it goes on from the newest time in the store: no row \
             is deleted early, and some are deleted later than configured. Check the disk"
        );
    }
    let now = Moment { wall, steady };
    keep(connection, now)?;
    Ok(Resumed { before, now })
}

/// The clocks as they were kept last.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kept {
    /// Both times are as a relay writes them.
    Whole(Moment),
    /// No clocks are kept yet: the store is new, or of an earlier version.
    Nothing,
    /// No relay can have written these values.
    Damaged,
}

impl Kept {
    pub(super) fn whole(self) -> Option<Moment> {
        match self {
            Self::Whole(kept) => Some(kept),
            Self::Nothing | Self::Damaged => None,
        }
    }
}

pub(super) fn kept(connection: &Connection) -> rusqlite::Result<Kept> {
    let read = |row: &Row<'_>| {
        let read = |at: usize| counts::agreed(row.get(at).ok()?, row.get(at + 1).ok()?);
        let (steady, wall) = (timestamp(0, read(0)?).ok()?, timestamp(2, read(2)?).ok()?);
        Some(Moment { steady, wall }).filter(|kept| age::can_be(kept.steady))
    };
    let found = connection
        .prepare_cached("SELECT steady, steady_inverse, wall, wall_inverse FROM clock")?
        .query_row([], |row| Ok(read(row)))
        .optional()?;
    Ok(found.map_or(Kept::Nothing, |kept| kept.map_or(Kept::Damaged, Kept::Whole)))
}

pub(super) fn keep(connection: &Connection, now: Moment) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO clock (id, steady, wall, steady_inverse, wall_inverse) VALUES (1, ?1, ?2, ~?1, ~?2)",
        )?
        .execute([micros(now.steady), micros(now.wall)])
        .map(drop)
}

/// Moves the beginnings of failures on by the rest. Patience counts only the time while the relay runs; otherwise a
/// start would give up deliveries and fetches that were not tried.
fn forgive(connection: &Connection, rest: i64, now: Timestamp) -> rusqlite::Result<()> {
    let now = micros(now);
    connection.execute(
        "UPDATE outbox SET failing_since = min(failing_since + ?1, ?2) WHERE failing_since IS NOT NULL",
        [rest, now],
    )?;
    connection
        .execute(
            "UPDATE fetches SET failing_since = min(failing_since + ?1, ?2), missing_since = min(missing_since + ?1, ?2)
             WHERE failing_since IS NOT NULL OR missing_since IS NOT NULL",
            [rest, now],
        )
        .map(drop)
}

/// The tables whose rows grow old, each with its column of times that people read.
const AGEING: [(&str, &str); 4] =
    [("notifications", "received_at"), ("parked", "parked_at"), ("transitions", "at"), ("attempts", "at")];

/// Begins the clock by the newest time in the store. Rows that are dated later than its beginning grow old from now on.
/// Returns the time of the newest row on both clocks, as the best guess of when a relay ran last, and the beginning.
fn begin(
    connection: &Connection,
    by: impl FnOnce(Option<Timestamp>) -> Timestamp,
) -> rusqlite::Result<(Option<Moment>, Timestamp)> {
    let mut newest = None;
    for (table, at) in AGEING {
        let latest: Option<i64> =
            connection
                .query_row(&format!("SELECT max(ifnull(kept_since, {at})) FROM {table}"), [], |row| row.get(0))?;
        newest = newest.max(latest);
    }
    let given_up = "SELECT max(dead_at) FROM outbox";
    newest = newest.max(connection.query_row(given_up, [], |row| row.get(0))?);
    // A number that is no time becomes the latest time.
    let newest = newest.map(|at| Timestamp::from_microsecond(at).unwrap_or(Timestamp::MAX));
    let begun = by(newest);
    for (table, at) in AGEING {
        let update = format!("UPDATE {table} SET kept_since = ?1 WHERE ifnull(kept_since, {at}) > ?1");
        connection.execute(&update, params![micros(begun)])?;
    }
    connection.execute("UPDATE outbox SET dead_at = ?1 WHERE dead_at > ?1", [micros(begun)])?;
    // Nobody knows by which clock a failure was dated: patience begins anew.
    forgive(connection, micros(Timestamp::MAX), begun)?;
    Ok((newest.map(|at| Moment { wall: at, steady: at }), begun))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600 * 1_000_000;
    /// In the year 2027, in microseconds.
    const NEWEST: i64 = 1_800_000_000_000_000;

    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::migrate(&mut connection).unwrap();
        connection
    }

    /// A store of an earlier version, with one row of each kind from this time.
    fn old_store(at: i64) -> Connection {
        let connection = store();
        let rows = format!(
            "INSERT INTO notifications (id, source, received_at, dedupe_key, body_hash, outcome, headers, body)
                 VALUES (x'01', 's', {at}, x'', x'', 'applied', '[]', x'');
             INSERT INTO parked (notification, source, parked_at, event) VALUES (x'02', 's', {at}, '{{}}');
             INSERT INTO records (id, transform_id, kind, payment_id, record) VALUES (1, 'tx-1', 2, NULL, '{{}}');
             INSERT INTO outbox (record, version, due_at, dead_at) VALUES (1, 2, {at}, {at});
             INSERT INTO transitions (record, version, at, notification, event_type, status) VALUES (1, 1, {at}, x'', '', '');
             INSERT INTO attempts (record, version, at, millis) VALUES (1, 1, {at}, 1);"
        );
        connection.execute_batch(&rows).unwrap();
        connection
    }

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_microsecond(micros).unwrap()
    }

    /// The time from which the age of each kind of row counts.
    fn kept_since(connection: &Connection) -> Vec<i64> {
        let one = |question: &str| connection.query_row(question, [], |row| row.get::<_, i64>(0)).unwrap();
        let ages = AGEING.map(|(table, at)| one(&format!("SELECT ifnull(kept_since, {at}) FROM {table}")));
        ages.into_iter().chain([one("SELECT dead_at FROM outbox")]).collect()
    }

    #[test]
    fn it_goes_on_from_where_it_was_kept() {
        let connection = store();
        let first = resume(&connection, at(NEWEST)).unwrap();
        assert_eq!(first, Resumed { before: None, now: Moment { wall: at(NEWEST), steady: at(NEWEST) } });
        let kept = Moment { wall: at(NEWEST + 500), steady: at(NEWEST + 7) };
        keep(&connection, kept).unwrap();
        let (wall, steady) = (at(NEWEST + 200 * DAY), at(NEWEST + DAY + 7));
        let ahead = Resumed { before: Some(kept), now: Moment { wall, steady } };
        assert_eq!(resume(&connection, wall).unwrap(), ahead);
        // It crashes twice, and comes up in the end.
        for wall in [wall, wall, at(NEWEST + DAY)] {
            assert_eq!(resume(&connection, wall).unwrap().now.steady, steady);
        }
    }

    #[test]
    fn a_rest_is_no_failure() {
        let connection = old_store(NEWEST);
        connection.execute("UPDATE outbox SET failing_since = 1", []).unwrap();
        resume(&connection, at(NEWEST + 60)).unwrap();
        let begun: i64 = connection.query_row("SELECT failing_since FROM outbox", [], |row| row.get(0)).unwrap();
        assert_eq!(begun, NEWEST + 60, "patience begins with the clock");
        let failing = format!(
            "UPDATE outbox SET failing_since = {NEWEST};
             INSERT INTO fetches (source, path, trusted, missing_since) VALUES ('s', '/1', 1, {NEWEST}), ('s', '/2', 1, NULL);"
        );
        connection.execute_batch(&failing).unwrap();
        resume(&connection, at(NEWEST + 60 + 5000)).unwrap();
        let one = |question: &str| connection.query_row(question, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(one("SELECT failing_since FROM outbox"), NEWEST + 5000);
        assert_eq!(one("SELECT missing_since FROM fetches WHERE path = '/1'"), NEWEST + 5000);
        assert_eq!(one("SELECT count(*) FROM fetches WHERE missing_since IS NULL AND failing_since IS NULL"), 1);
    }

    #[test]
    fn a_store_of_an_earlier_version_is_no_older_than_its_rows_and_a_day() {
        for (rest, begins, ahead) in [(DAY / 2, DAY / 2, None), (200 * DAY, DAY, Some(199))] {
            let connection = old_store(NEWEST);
            let resumed = resume(&connection, at(NEWEST + rest)).unwrap();
            assert_eq!(resumed.now.steady, at(NEWEST + begins));
            let disagrees = resumed.before.and_then(|kept| age::disagreement(kept, resumed.now));
            assert_eq!(disagrees.map(|by| by.as_hours() / 24), ahead, "in days, for the log");
            assert_eq!(kept_since(&connection), [NEWEST; 5]);
        }
    }

    #[test]
    fn rows_of_the_future_grow_old_from_now_on() {
        let connection = old_store(NEWEST + 7000 * DAY);
        assert_eq!(resume(&connection, at(NEWEST)).unwrap().now.steady, at(NEWEST));
        assert_eq!(kept_since(&connection), [NEWEST; 5]);
        let read: i64 = connection.query_row("SELECT received_at FROM notifications", [], |row| row.get(0)).unwrap();
        assert_eq!(read, NEWEST + 7000 * DAY, "people read what was");
    }

    #[test]
    fn what_no_relay_can_have_kept_is_not_gone_by() {
        for (steady, wall) in [(i64::MAX, NEWEST), (NEWEST, i64::MIN), (-1, NEWEST), (micros(Timestamp::MAX), NEWEST)] {
            let connection = old_store(NEWEST);
            let row = "INSERT INTO clock VALUES (1, ?1, ?2, ~?1, ~?2)";
            connection.execute(row, [steady, wall]).unwrap();
            connection.execute("UPDATE parked SET kept_since = ?1", [steady.max(0)]).unwrap();
            let resumed = resume(&connection, at(NEWEST + DAY / 2)).unwrap();
            assert!(resumed.now.steady <= at(NEWEST + DAY / 2), "{steady} {wall}");
            assert_eq!(resumed.before, None);
            assert!(kept_since(&connection).into_iter().all(|since| since <= NEWEST + DAY / 2));
        }
    }

    /// Each bit of each value is flipped. The clock goes on no later than a relay kept it, whatever the machine says,
    /// and is kept whole again.
    #[test]
    fn a_flipped_bit_makes_nothing_old() {
        let connection = old_store(NEWEST);
        let kept = Moment { wall: at(NEWEST + 3 * DAY), steady: at(NEWEST + DAY) };
        for column in ["steady", "wall", "steady_inverse", "wall_inverse"] {
            for bit in 0..64 {
                keep(&connection, kept).unwrap();
                let flip = format!("UPDATE clock SET {column} = ({column} | 1 << {bit}) - ({column} & 1 << {bit})");
                connection.execute(&flip, []).unwrap();
                let resumed = resume(&connection, at(NEWEST + 200 * DAY)).unwrap();
                assert_eq!((resumed.before, resumed.now.steady), (None, at(NEWEST)), "{column}, {bit}");
                assert_eq!(kept_since(&connection), [NEWEST; 5]);
                assert!(matches!(super::kept(&connection), Ok(Kept::Whole(now)) if now == resumed.now));
            }
        }
    }

    #[test]
    fn a_damaged_clock_of_an_empty_store_begins_at_the_machines() {
        let connection = store();
        connection.execute("INSERT INTO clock VALUES (1, 5, 5, 5, 5)", []).unwrap();
        assert_eq!(resume(&connection, at(NEWEST)).unwrap().now.steady, at(NEWEST));
    }
}
