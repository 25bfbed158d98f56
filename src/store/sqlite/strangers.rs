//! Strangers' addresses: their slots, and their turns to have an object fetched.

use jiff::Timestamp;
use rusqlite::Connection;

use super::columns::micros;

/// The step of the schema that lets addresses take turns.
pub(super) const STEP: &str = r"
-- The addresses of strangers whose objects wait, kept by the table of fetches itself: counting the objects of all for each
-- look would take longer the more there are. held: how many slots an address has. served_at: when the last fetch for it
-- began. turn_at: since when it has waited for its turn, that is since then, or since its first object was due if that is
-- later. Who comes new, or was served, is behind all others.
CREATE TABLE hint_addresses (
    id        INTEGER PRIMARY KEY,
    source    TEXT NOT NULL,
    address   TEXT NOT NULL,
    held      INTEGER NOT NULL,
    served_at INTEGER NOT NULL DEFAULT 0,
    turn_at   INTEGER NOT NULL,
    UNIQUE (source, address)
) STRICT;
CREATE INDEX hint_addresses_by_turn ON hint_addresses (source, turn_at);
CREATE INDEX hint_addresses_by_places ON hint_addresses (source, held);
CREATE TABLE hint_counts (source TEXT NOT NULL PRIMARY KEY, held INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TRIGGER hint_address_in AFTER INSERT ON hint_addresses BEGIN
    INSERT INTO hint_counts VALUES (new.source, new.held) ON CONFLICT (source) DO UPDATE SET held = held + new.held;
END;
CREATE TRIGGER hint_address_held AFTER UPDATE OF held ON hint_addresses BEGIN
    UPDATE hint_counts SET held = held + new.held - old.held WHERE source = new.source;
END;

DROP INDEX fetches_of_strangers;
ALTER TABLE fetches DROP COLUMN turn;
CREATE INDEX fetches_of_strangers ON fetches (source, hinted_by, due_at) WHERE trusted = 0 AND due_at IS NOT NULL;
INSERT INTO hint_addresses (source, address, held, turn_at)
    SELECT source, hinted_by, count(*), min(due_at) FROM fetches WHERE trusted = 0 AND due_at IS NOT NULL
    GROUP BY source, hinted_by;

CREATE TRIGGER hint_in AFTER INSERT ON fetches WHEN new.trusted = 0 AND new.due_at IS NOT NULL BEGIN
    INSERT INTO hint_addresses (source, address, held, turn_at) VALUES (new.source, new.hinted_by, 1, new.due_at)
        ON CONFLICT (source, address)
        DO UPDATE SET held = held + 1, turn_at = max(served_at, min(turn_at, excluded.turn_at));
END;
-- One that leaves its slot, and one that keeps it but is due at another time.
CREATE TRIGGER hint_out AFTER DELETE ON fetches WHEN old.trusted = 0 AND old.due_at IS NOT NULL BEGIN
    UPDATE hint_addresses SET held = held - 1, turn_at = max(served_at, ifnull((
            SELECT min(due_at) FROM fetches
            WHERE source = old.source AND hinted_by = old.hinted_by AND trusted = 0 AND due_at IS NOT NULL), 0))
        WHERE source = old.source AND address = old.hinted_by;
    DELETE FROM hint_addresses WHERE source = old.source AND address = old.hinted_by AND held <= 0;
END;
CREATE TRIGGER hint_changed AFTER UPDATE OF trusted, due_at, hinted_by, began_at ON fetches
    WHEN old.trusted = 0 AND old.due_at IS NOT NULL OR new.trusted = 0 AND new.due_at IS NOT NULL BEGIN
    INSERT INTO hint_addresses (source, address, held, turn_at)
        SELECT new.source, new.hinted_by, 1, new.due_at WHERE new.trusted = 0 AND new.due_at IS NOT NULL
        ON CONFLICT (source, address) DO UPDATE SET held = held + 1;
    UPDATE hint_addresses SET held = held - 1, served_at = max(served_at, ifnull(new.began_at, 0))
        WHERE source = old.source AND address = old.hinted_by AND old.trusted = 0 AND old.due_at IS NOT NULL;
    UPDATE hint_addresses SET turn_at = max(served_at, ifnull((
            SELECT min(due_at) FROM fetches
            WHERE source = new.source AND hinted_by = address AND trusted = 0 AND due_at IS NOT NULL), 0))
        WHERE source = new.source AND address IN (old.hinted_by, new.hinted_by);
    DELETE FROM hint_addresses WHERE source = old.source AND address = old.hinted_by AND held <= 0;
END;
";

/// The addresses whose turn has come at a source, the longest wait first, and the number of slots that each has.
pub(super) const TURNS: &str =
    "SELECT id, held FROM hint_addresses WHERE source = ?1 AND turn_at <= ?2 ORDER BY turn_at";

/// Brings back turns with times in the future, as [`super::outbox::clamp`] does.
pub(super) fn clamp(connection: &Connection, now: Timestamp) -> rusqlite::Result<usize> {
    let since = "UPDATE hint_addresses SET served_at = ?1, turn_at = ?1 WHERE served_at > ?1";
    connection.execute(since, [micros(now)])
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use uuid::Uuid;

    use super::super::held::recount_all;
    use super::super::{fetch_ends, fetches, hints, migrations, turns};
    use super::*;
    use crate::domain::due::Moment;
    use crate::store::{Fetch, FetchFailed, FetchesSought, HintSlots, Hinted};

    const SLOTS: HintSlots = HintSlots { all: 1000, each: 250 };

    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::migrate(&mut connection).unwrap();
        connection
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap()
    }

    fn hint(connection: &Connection, address: &str, path: &str, now: Timestamp) {
        let hinted = Hinted {
            source: "s".to_owned(),
            received_at: Moment { wall: now, steady: now },
            form: "hint".to_owned(),
            calls: vec![(Uuid::now_v7(), path.to_owned())],
            address: address.to_owned(),
            slots: SLOTS,
        };
        hints::take(connection, &hinted).unwrap().unwrap();
    }

    fn due(connection: &Connection, most: usize, now: Timestamp) -> Vec<Fetch> {
        let sought = FetchesSought { source: "s".to_owned(), now, most, strangers: most, slots: SLOTS };
        turns::due(connection, &sought).unwrap().rows
    }

    /// The object is fetched in vain. It is fetched again at `again`, if at all.
    fn look_up(connection: &Connection, fetch: &Fetch, now: Timestamp, again: Option<Timestamp>) {
        let (fetch, asked, reason) = (fetch.id, fetch.asked, String::new());
        fetch_ends::failed(connection, &FetchFailed { fetch, asked, began: now, reason, missing: true, again })
            .unwrap();
    }

    /// Five fetches a second for a minute. The flooding addresses make up six objects a second; another address sends
    /// one genuine hint a second. Returns the number of genuine hints that are fetched. With `patience` each made-up
    /// object is fetched five times.
    fn genuine_beside(flooding: usize, patience: bool) -> usize {
        let connection = store();
        let (mut made_up, mut genuine) = (0, 0);
        for tick in 0_i64..300 {
            let now = at(tick * 200);
            while made_up * 5 < usize::try_from(tick).unwrap() * 6 {
                hint(&connection, &format!("10.0.0.{}", made_up % flooding), &format!("/made-up/{made_up}"), now);
                made_up += 1;
            }
            if tick % 5 == 0 {
                hint(&connection, "192.0.2.1", &format!("/genuine/{tick}"), now);
            }
            for fetch in due(&connection, 1, now) {
                let is_genuine = fetch.path.starts_with("/genuine");
                genuine += usize::from(is_genuine);
                let again = (patience && !is_genuine && fetch.attempts < 4).then(|| at(tick * 200 + 1000));
                look_up(&connection, &fetch, now, again);
            }
            if tick % 25 == 0 {
                assert_eq!(difference(&connection), 0, "the counts of addresses agree with the waiting fetches");
            }
        }
        genuine
    }

    /// The number of addresses whose slots or turn differ from what their objects give them.
    fn difference(connection: &Connection) -> u32 {
        let question = "SELECT (SELECT count(*) FROM hint_addresses a FULL JOIN (
                SELECT source, hinted_by, count(*) AS held, min(due_at) AS due FROM fetches
                WHERE trusted = 0 AND due_at IS NOT NULL GROUP BY source, hinted_by) f
                ON a.source = f.source AND a.address = f.hinted_by
            WHERE a.held IS NOT f.held OR a.turn_at IS NOT max(a.served_at, f.due))
            + abs((SELECT held FROM hint_counts)
                - (SELECT count(*) FROM fetches WHERE trusted = 0 AND due_at IS NOT NULL))";
        connection.query_row(question, [], |row| row.get(0)).unwrap()
    }

    /// The turns are found by indexes, whatever number of objects and addresses wait.
    #[test]
    fn whose_turn_it_is_is_found_without_looking_at_the_others() {
        let connection = store();
        for (question, index) in [
            (TURNS, "hint_addresses_by_turn (source=? AND turn_at<?)"),
            (fetches::NTH_OF_ADDRESS, "fetches_of_strangers (source=? AND hinted_by=? AND due_at<?)"),
        ] {
            let select = if question == TURNS { "" } else { "SELECT id FROM fetches " };
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {select}{question}")).unwrap();
            let all = plan.parameter_count();
            let rows = plan.query_map(rusqlite::params_from_iter(vec![1; all]), |row| row.get::<_, String>(3)).unwrap();
            let plan = rows.collect::<rusqlite::Result<Vec<_>>>().unwrap().join("\n");
            assert!(plan.contains(index) && !plan.contains("SCAN ") && !plan.contains("B-TREE"), "{plan}");
        }
    }

    /// The rows behind a damaged row are fetched as if it were not there.
    #[test]
    fn a_damaged_row_takes_no_slot_of_others() {
        let connection = store();
        for n in 0..3 {
            hint(&connection, "10.0.0.1", &format!("/{n}"), at(n));
        }
        hint(&connection, "10.0.0.2", "/3", at(3));
        let broken = "UPDATE fetches SET attempts = -1 WHERE path IN ('/0', '/3')";
        assert_eq!(connection.execute(broken, []).unwrap(), 2);
        let paths = |most| due(&connection, most, at(10)).into_iter().map(|fetch| fetch.path).collect::<Vec<_>>();
        assert_eq!(paths(1), ["/1"]);
        assert_eq!(paths(9), ["/1", "/2"]);
        connection.execute("UPDATE fetches SET trusted = 1", []).unwrap();
        assert_eq!(paths(1), ["/1"]);
        assert_eq!(difference(&connection), 0);
    }

    /// A count with a wrong bit keeps no address out, takes no slot away, and loses no turn.
    #[test]
    fn a_damaged_count_is_counted_anew_before_anything_goes_by_it() {
        const FEW: HintSlots = HintSlots { all: 8, each: 8 };
        for damage in [
            "UPDATE hint_counts SET held = held | 1 << 40",
            "UPDATE hint_counts SET held = 9",
            "UPDATE hint_counts SET held = 8",
            "UPDATE hint_counts SET held_inverse = 8",
            "UPDATE hint_addresses SET held = 8",
            "UPDATE hint_addresses SET held_inverse = 8",
            "UPDATE hint_addresses SET held = 1 << 40",
            "DELETE FROM hint_addresses",
            "UPDATE hint_addresses SET turn_at = 1 << 62",
        ] {
            let connection = store();
            (0..3).for_each(|n| hint(&connection, "10.0.0.1", &format!("/{n}"), at(n)));
            connection.execute(damage, []).unwrap();
            let hinted = Hinted {
                source: "s".to_owned(),
                received_at: Moment { wall: at(9), steady: at(9) },
                form: "hint".to_owned(),
                calls: vec![(Uuid::now_v7(), "/9".to_owned())],
                address: "10.0.0.1".to_owned(),
                slots: FEW,
            };
            assert_eq!(hints::take(&connection, &hinted).unwrap().unwrap().displaced, 0, "{damage}");
            recount_all(&connection).unwrap();
            assert_eq!((difference(&connection), due(&connection, 9, at(20)).len()), (0, 4), "{damage}");
        }
    }

    #[test]
    fn an_address_gets_its_share_whatever_others_send_and_however_much_it_has_waiting() {
        for (flooding, patience) in [(1, false), (4, true), (8, false), (8, true), (30, false), (30, true)] {
            let (genuine, share) = (genuine_beside(flooding, patience), (300 / (flooding + 1)).min(60));
            assert!(genuine + 2 >= share, "{flooding}, {patience}: {genuine} of {share}");
        }
    }
}
