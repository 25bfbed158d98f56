//! Counts of the slots that strangers hold, in all and by address. Triggers of the table of fetches keep each count and
//! its inverse (see [`super::counts`]). A flood of hints is refused by these counts: they must be true and cheap.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::columns::micros;
use super::counts::agreed;
use crate::store::SlotsTaken;

/// The step of the schema that adds the inverses of the counts of hints, and marks notifications that told of a signed
/// text first.
pub(super) const STEP: &str = r"
-- held_inverse: held with all its bits turned over (~). Where the two do not agree, one is damaged.
ALTER TABLE hint_addresses ADD COLUMN held_inverse INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hint_counts ADD COLUMN held_inverse INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER hint_address_in;
DROP TRIGGER hint_address_held;
DROP TRIGGER hint_in;
DROP TRIGGER hint_out;
DROP TRIGGER hint_changed;
DELETE FROM hint_counts;
UPDATE hint_addresses SET held_inverse = ~held;
INSERT INTO hint_counts SELECT source, sum(held), ~sum(held) FROM hint_addresses GROUP BY source;

CREATE TRIGGER hint_address_in AFTER INSERT ON hint_addresses BEGIN
    INSERT INTO hint_counts VALUES (new.source, new.held, ~new.held)
        ON CONFLICT (source) DO UPDATE SET held = held + new.held, held_inverse = held_inverse - new.held;
END;
CREATE TRIGGER hint_address_held AFTER UPDATE OF held ON hint_addresses BEGIN
    UPDATE hint_counts SET held = held + new.held - old.held, held_inverse = held_inverse - new.held + old.held
        WHERE source = new.source;
END;
CREATE TRIGGER hint_in AFTER INSERT ON fetches WHEN new.trusted = 0 AND new.due_at IS NOT NULL BEGIN
    INSERT INTO hint_addresses (source, address, held, held_inverse, turn_at)
        VALUES (new.source, new.hinted_by, 1, ~1, new.due_at)
        ON CONFLICT (source, address) DO UPDATE SET held = held + 1, held_inverse = held_inverse - 1,
            turn_at = max(served_at, min(turn_at, excluded.turn_at));
END;
-- One that leaves its place, and one that keeps it but is due at another time.
CREATE TRIGGER hint_out AFTER DELETE ON fetches WHEN old.trusted = 0 AND old.due_at IS NOT NULL BEGIN
    UPDATE hint_addresses SET held = held - 1, held_inverse = held_inverse + 1, turn_at = max(served_at, ifnull((
            SELECT min(due_at) FROM fetches
            WHERE source = old.source AND hinted_by = old.hinted_by AND trusted = 0 AND due_at IS NOT NULL), 0))
        WHERE source = old.source AND address = old.hinted_by;
    DELETE FROM hint_addresses WHERE source = old.source AND address = old.hinted_by AND held <= 0;
END;
CREATE TRIGGER hint_changed AFTER UPDATE OF trusted, due_at, hinted_by, began_at ON fetches
    WHEN old.trusted = 0 AND old.due_at IS NOT NULL OR new.trusted = 0 AND new.due_at IS NOT NULL BEGIN
    INSERT INTO hint_addresses (source, address, held, held_inverse, turn_at)
        SELECT new.source, new.hinted_by, 1, ~1, new.due_at WHERE new.trusted = 0 AND new.due_at IS NOT NULL
        ON CONFLICT (source, address) DO UPDATE SET held = held + 1, held_inverse = held_inverse - 1;
    UPDATE hint_addresses SET held = held - 1, held_inverse = held_inverse + 1,
            served_at = max(served_at, ifnull(new.began_at, 0))
        WHERE source = old.source AND address = old.hinted_by AND old.trusted = 0 AND old.due_at IS NOT NULL;
    UPDATE hint_addresses SET turn_at = max(served_at, ifnull((
            SELECT min(due_at) FROM fetches
            WHERE source = new.source AND hinted_by = address AND trusted = 0 AND due_at IS NOT NULL), 0))
        WHERE source = new.source AND address IN (old.hinted_by, new.hinted_by);
    DELETE FROM hint_addresses WHERE source = old.source AND address = old.hinted_by AND held <= 0;
END;

-- tells_first: whether a signed text of it was told of by no notification before; only where messages are signed one by one, or
-- first times are kept. What nobody else tells of gives way to no other content of its dedupe key.
ALTER TABLE notifications ADD COLUMN tells_first INTEGER NOT NULL DEFAULT 0;
";

/// The slots of a source, as the counts say.
pub(super) struct Held {
    /// How many slots are taken.
    pub(super) taken: SlotsTaken,
    /// The address with most slots; empty if none has any.
    pub(super) largest: String,
    /// Whether each of these counts agrees with its inverse.
    pub(super) sound: bool,
}

/// The taken slots of a source: in all, of this address, and of the address with most.
pub(super) fn of(connection: &Connection, source: &str, address: &str) -> rusqlite::Result<Held> {
    let all = one(connection, "SELECT held, held_inverse, '' FROM hint_counts WHERE source = ?1", [source])?;
    let own = "SELECT held, held_inverse, address FROM hint_addresses WHERE source = ?1 AND address = ?2";
    let own = one(connection, own, [source, address])?;
    let most = one(
        connection,
        "SELECT held, held_inverse, address FROM hint_addresses WHERE source = ?1 ORDER BY held DESC LIMIT 1",
        [source],
    )?;
    let sound = all.sound && own.sound && most.sound;
    Ok(Held { taken: SlotsTaken { all: all.held, own: own.held, most: most.held }, largest: most.address, sound })
}

/// A count of slots, and its address.
struct One {
    held: u32,
    sound: bool,
    address: String,
}

fn one(connection: &Connection, question: &str, of: impl Params) -> rusqlite::Result<One> {
    let found = connection.prepare_cached(question)?.query_row(of, |row| {
        let sound = agreed(row.get(0)?, row.get(1)?).is_some();
        Ok(One { held: count(row, 0)?, sound, address: row.get(2)? })
    });
    Ok(found.optional()?.unwrap_or(One { held: 0, sound: true, address: String::new() }))
}

/// The number of taken slots of a source in all.
pub(super) fn by_all(connection: &Connection, source: &str) -> rusqlite::Result<u32> {
    let mut held = connection.prepare_cached("SELECT held FROM hint_counts WHERE source = ?1")?;
    Ok(held.query_row([source], |row| count(row, 0)).optional()?.unwrap_or_default())
}

/// Reads a count of slots. A number that cannot be a count is damage, and becomes the greatest count, so that nobody
/// gets a slot by it.
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u32> {
    Ok(u32::try_from(row.get::<_, i64>(column)?).unwrap_or(u32::MAX))
}

/// Counts the slots of a source anew, and corrects counts and turns that differ. Returns whether anything differed.
///
/// It takes longer the more addresses there are. So it is only for counts that do not agree with their inverses, and
/// for times that are brought back.
pub(super) fn recount(connection: &Connection, source: &str) -> rusqlite::Result<bool> {
    const WAITING: &str = "FROM fetches WHERE source = ?1 AND trusted = 0 AND due_at IS NOT NULL";
    const OWN: &str = "AND hinted_by = address";
    let wrong = connection
        .prepare_cached(&format!(
            "UPDATE hint_addresses SET held = (SELECT count(*) {WAITING} {OWN}),
                 held_inverse = ~(SELECT count(*) {WAITING} {OWN}),
                 turn_at = max(served_at, ifnull((SELECT min(due_at) {WAITING} {OWN}), 0))
             WHERE source = ?1 AND (held <> (SELECT count(*) {WAITING} {OWN}) OR held_inverse <> ~held
                 OR turn_at <> max(served_at, ifnull((SELECT min(due_at) {WAITING} {OWN}), 0)))"
        ))?
        .execute([source])?;
    let missing = connection
        .prepare_cached(&format!(
            "INSERT OR IGNORE INTO hint_addresses (source, address, held, held_inverse, turn_at)
                 SELECT source, hinted_by, count(*), ~count(*), min(due_at) {WAITING} GROUP BY hinted_by"
        ))?
        .execute([source])?;
    let empty =
        connection.prepare_cached("DELETE FROM hint_addresses WHERE source = ?1 AND held <= 0")?.execute([source])?;
    let all = connection
        .prepare_cached(&format!(
            "INSERT INTO hint_counts SELECT ?1, count(*), ~count(*) {WAITING}
             ON CONFLICT (source) DO UPDATE SET held = excluded.held, held_inverse = excluded.held_inverse
             WHERE held <> excluded.held OR held_inverse <> excluded.held_inverse"
        ))?
        .execute([source])?;
    Ok(wrong + missing + empty + all > 0)
}

/// Whether any turn lies ahead of `now`, or any count of slots differs from the waiting fetches or from its inverse.
pub(super) fn is_any_wrong(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    const WRONG: &str = "WITH waiting AS (
            SELECT source, hinted_by, count(*) AS held, min(due_at) AS due FROM fetches
            WHERE trusted = 0 AND due_at IS NOT NULL GROUP BY source, hinted_by)
        SELECT 1 FROM hint_addresses WHERE served_at > ?1
        UNION ALL SELECT 1 FROM hint_addresses a FULL JOIN waiting w ON w.source = a.source AND w.hinted_by = a.address
            WHERE a.held IS NOT w.held OR a.held_inverse IS NOT ~w.held OR a.turn_at IS NOT max(a.served_at, w.due)
        UNION ALL SELECT 1 FROM hint_counts c FULL JOIN (
                SELECT source, sum(held) AS held FROM waiting GROUP BY source) w ON w.source = c.source
            WHERE ifnull(c.held, 0) <> ifnull(w.held, 0) OR c.held_inverse <> ~c.held";
    connection.prepare_cached(WRONG)?.exists([micros(now)])
}

/// Counts the slots of all sources anew.
pub(super) fn recount_all(connection: &Connection) -> rusqlite::Result<()> {
    let sources: Vec<String> = connection
        .prepare(
            "SELECT source FROM hint_counts UNION SELECT source FROM hint_addresses
             UNION SELECT source FROM fetches WHERE trusted = 0 AND due_at IS NOT NULL",
        )?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for source in sources {
        if recount(connection, &source)? {
            tracing::warn!(
                source,
                "the counts of hint slots did not agree with the waiting fetches; they were made anew"
            );
        }
    }
    Ok(())
}
