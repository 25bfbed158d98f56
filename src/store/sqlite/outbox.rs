//! The outbox: the records that Transform is owed a webhook for, and the due times.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{Listed, damage, in_row, key, micros, timestamp, unreadable};
use super::records;
use crate::domain::due::later;
use crate::domain::ids::{Kind, RecordKey, TransformId};
use crate::domain::record::Record;
use crate::store::{Delivery, Owed};

/// A page of the webhooks that are owed and not given up, by the rows of their records. Beside each payment are the refunds that go
/// before it. A damaged row, or a damaged page of the file, hides no other.
pub(super) fn owed(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<Vec<Owed>>> {
    let mut query = connection
        .prepare_cached("SELECT record FROM outbox WHERE dead_at IS NULL AND record > ?1 ORDER BY record LIMIT ?2")?;
    let numbers: Vec<i64> = query.query_map(params![after, most], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut page = Listed { rows: Vec::new(), damaged: Vec::new(), last: numbers.last().copied() };
    for number in numbers {
        match owed_of(connection, number) {
            Ok(owed) => page.rows.push(owed),
            Err(error) if damage(&error).is_some() => page.damaged.push(error),
            Err(error) => return Err(error),
        }
    }
    Ok(page)
}

/// The webhook that is owed of a record and not given up, if there is one, and those of the refunds that go before it.
pub(super) fn owed_of(connection: &Connection, number: i64) -> rusqlite::Result<Vec<Owed>> {
    let mut query = connection.prepare_cached(
        "SELECT r.kind, r.transform_id, o.due_at FROM outbox o LEFT JOIN records r ON r.id = o.record
         WHERE o.dead_at IS NULL AND o.record = ?1",
    )?;
    let found = query.query_row([number], one).map_err(in_row("outbox", number)).optional()?;
    let Some(mut own) = found else { return Ok(Vec::new()) };
    let mut all = match own.key.kind {
        Kind::Payment => refunds(connection, &own.key.id)?,
        Kind::Preauth | Kind::Refund | Kind::Agreement => Vec::new(),
    };
    own.after = all.iter().map(|refund| refund.key.clone()).collect();
    all.push(own);
    Ok(all)
}

fn one(row: &rusqlite::Row<'_>) -> rusqlite::Result<Owed> {
    Ok(Owed { key: key_of(row, 0)?, due: timestamp(2, row.get(2)?)?, after: Vec::new() })
}

/// The refunds of a payment that nobody has tried to tell of.
fn refunds(connection: &Connection, payment: &TransformId) -> rusqlite::Result<Vec<Owed>> {
    let mut query = connection.prepare_cached(
        "SELECT r.kind, r.transform_id, o.due_at FROM records r JOIN outbox o ON o.record = r.id
         WHERE r.payment_id = ?1 AND o.attempts = 0 AND o.dead_at IS NULL",
    )?;
    let mut refunds = Vec::new();
    for refund in query.query_map([payment.as_str()], one)? {
        match refund {
            Ok(refund) => refunds.push(refund),
            // It is named where its own row is read.
            Err(error) if damage(&error).is_some() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(refunds)
}

/// The number of webhooks that are owed and not given up.
pub(super) fn count(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("SELECT count(*) FROM outbox WHERE dead_at IS NULL", [], |row| row.get(0))
}

/// The key of a row's record: its kind is in `column`, its id in the next column.
pub(super) fn key_of(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<RecordKey> {
    match row.get::<_, Option<u8>>(column)? {
        Some(kind) => key(kind, row.get(column + 1)?),
        None => Err(unreadable(column, Type::Null, "its record is missing")),
    }
}

/// Reads a page of rows, to find damage in them.
pub(super) fn look(connection: &Connection, after: i64, most: u32) -> rusqlite::Result<Listed<()>> {
    let mut query = connection.prepare_cached(
        "SELECT o.record, r.kind, r.transform_id, o.version, o.attempts, o.due_at, o.owed_since, o.changed_at,
             o.first_untold_at, o.not_before, o.failing_since, o.dead_at, o.given_up_at, o.reason, o.host,
             o.awaits_host
         FROM outbox o LEFT JOIN records r ON r.id = o.record WHERE o.record > ?1 ORDER BY o.record LIMIT ?2",
    )?;
    Listed::read("outbox", query.query(params![after, most])?, |row| {
        key_of(row, 1)?;
        row.get::<_, i64>(3)?;
        row.get::<_, u32>(4)?;
        (5..=12).try_for_each(|column| {
            row.get::<_, Option<i64>>(column)?.map_or(Ok(()), |at| timestamp(column, at).map(drop))
        })?;
        row.get::<_, Option<String>>(13)?;
        row.get::<_, Option<String>>(14)?;
        row.get::<_, Option<bool>>(15).map(drop)
    })
}

/// The bounds of times in the outbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) now: Timestamp,
    pub(super) longest_debounce: Duration,
    pub(super) longest_retry: Duration,
    /// Times that were written after `now` was read may lie further ahead by this.
    pub(super) slack: Duration,
}

/// The rows with times that no wait has made.
const WRONG: &str = "WHERE typeof(due_at) <> 'integer' OR due_at < 0 OR due_at > ?4 + iif(attempts = 0, ?2, ?3)
    OR not_before < 0 OR not_before > ?4 + ?3 OR first_untold_at < 0 OR first_untold_at > ?4 + ?1
    OR changed_at < 0 OR changed_at > ?4 + ?1 OR owed_since < 0 OR owed_since > ?4 + ?1
    OR failing_since < owed_since OR failing_since > ?4 + ?1 OR attempts NOT BETWEEN 0 AND 4294967295";

impl Bounds {
    fn asked(&self) -> [i64; 4] {
        let Self { now, longest_debounce, longest_retry, slack } = *self;
        [
            micros(now),
            micros(later(now, longest_debounce)),
            micros(later(now, longest_retry)),
            i64::try_from(slack.as_micros()).unwrap_or(i64::MAX),
        ]
    }
}

/// Whether any time is to be brought back. A reader looks for that, so that the writer is not held up.
pub(super) fn is_any_wrong(connection: &Connection, bounds: &Bounds) -> rusqlite::Result<bool> {
    connection.prepare_cached(&format!("SELECT 1 FROM outbox {WRONG}"))?.exists(bounds.asked())
}

/// Brings back times that no wait has made. Returns the rows of their records.
///
/// A due time can lie further ahead than the longest wait, and a time of the past can lie ahead. Waits on the store's
/// clock do not make such times. But a wait may have been made shorter; the store may come from a version that went by
/// the machine's clock; a killed relay may have written for up to a minute since the clock was kept. Other times are
/// damaged: they are negative, are no times at all, or date a failure before there was anything to tell. A webhook with
/// such a time is due now, with all its patience.
pub(super) fn clamp(connection: &Connection, bounds: &Bounds) -> rusqlite::Result<HashSet<i64>> {
    connection
        .prepare_cached(&format!(
            "UPDATE outbox SET
                 due_at = iif(typeof(due_at) = 'integer' AND due_at >= 0, min(due_at, iif(attempts = 0, ?2, ?3)), ?1),
                 not_before = iif(not_before < 0, NULL, min(not_before, ?3)),
                 first_untold_at = min(max(first_untold_at, 0), ?1), changed_at = min(max(changed_at, 0), ?1),
                 owed_since = min(max(owed_since, 0), ?1), failing_since = min(max(failing_since, owed_since), ?1),
                 attempts = iif(attempts BETWEEN 0 AND 4294967295, attempts, 0)
             {WRONG}
             RETURNING record",
        ))?
        .query_map(bounds.asked(), |row| row.get(0))?
        .collect()
}

/// The delivery that an attempt for this record needs; none if nothing is owed.
pub(super) fn delivery_of(connection: &Connection, key: &RecordKey) -> rusqlite::Result<Option<Delivery>> {
    let Some(stored) = records::by_key(connection, key)? else { return Ok(None) };
    delivery(connection, stored.row, &stored.record)
}

/// The delivery that an attempt for this record needs; none if nothing is owed.
pub(super) fn delivery(connection: &Connection, number: i64, of: &Record) -> rusqlite::Result<Option<Delivery>> {
    connection
        .prepare_cached(
            "SELECT attempts, failing_since, due_at, owed_since FROM outbox WHERE record = ?1 AND dead_at IS NULL",
        )?
        .query_row([number], |row| {
            Ok(Delivery {
                version: of.version,
                webhook_target: of.registered.webhook_target.clone(),
                attempts: row.get(0)?,
                failing_since: row.get::<_, Option<i64>>(1)?.map(|at| timestamp(1, at)).transpose()?,
                due: timestamp(2, row.get(2)?)?,
                owed_since: timestamp(3, row.get(3)?)?,
            })
        })
        .map_err(in_row("outbox", number))
        .optional()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;
    use crate::store::GivenUpSought;

    const NOW: i64 = 1_800_000_000_000_000;
    const MINUTE: i64 = 60 * 1_000_000;

    /// A store with a record that has been owed for ten minutes, has failed for five, and is due in a minute.
    fn store() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::migrations::migrate(&mut connection).unwrap();
        let (ten, five, soon) = (NOW - 10 * MINUTE, NOW - 5 * MINUTE, NOW + MINUTE);
        let rows = format!(
            "INSERT INTO records (id, transform_id, kind, payment_id, record) VALUES (1, 'tx-1', 2, NULL, '{{}}');
             INSERT INTO outbox (record, version, due_at, attempts, failing_since, owed_since, changed_at, not_before)
                 VALUES (1, 2, {soon}, 3, {five}, {ten}, {ten}, {soon});"
        );
        connection.execute_batch(&rows).unwrap();
        connection
    }

    fn clamped(connection: &Connection) -> Vec<i64> {
        let now = Timestamp::from_microsecond(NOW).unwrap();
        let hour = Duration::from_secs(3600);
        let bounds = Bounds { now, longest_debounce: hour, longest_retry: hour, slack: Duration::from_secs(60) };
        clamp(connection, &bounds).unwrap().into_iter().collect()
    }

    /// Each bit of each time is flipped: the webhook is still owed, is due within the longest wait, and is not given
    /// up.
    #[test]
    fn what_is_owed_stays_owed_whatever_bit_of_its_times_is_wrong() {
        for column in
            ["due_at", "not_before", "failing_since", "owed_since", "changed_at", "first_untold_at", "attempts"]
        {
            for bit in 0..64 {
                let connection = store();
                let old = format!("ifnull({column}, 0)");
                let flip = format!("UPDATE outbox SET {column} = ({old} | 1 << {bit}) - ({old} & 1 << {bit})");
                connection.execute(&flip, []).unwrap();
                clamped(&connection);
                assert!(look(&connection, 0, 9).unwrap().damaged.is_empty(), "{column}, {bit}");
                let owed = owed(&connection, i64::MIN, 9).unwrap();
                assert_eq!((owed.rows.len(), owed.damaged.len()), (1, 0), "{column}, {bit}");
                assert!(
                    owed.rows[0][0].due <= Timestamp::from_microsecond(NOW + 61 * MINUTE).unwrap(),
                    "{column}, {bit}"
                );
                let failing: i64 =
                    connection.query_row("SELECT failing_since FROM outbox", [], |row| row.get(0)).unwrap();
                assert!(failing >= NOW - 11 * MINUTE, "{column}, {bit}");
            }
        }
        assert!(clamped(&store()).is_empty(), "what is well stays as it is");
    }

    /// After a start the outbox is read in pages.
    #[test]
    fn a_page_has_the_refunds_that_go_before_its_payments_wherever_they_stand() {
        let connection = store();
        let rows = format!(
            "INSERT INTO records (id, transform_id, kind, payment_id, record) VALUES
                 (2, 'fresh', 3, 'tx-1', '{{}}'), (3, 'tried', 3, 'tx-1', '{{}}'), (4, 'given-up', 3, 'tx-1', '{{}}'),
                 (5, 'of-another', 3, 'tx-2', '{{}}'), (6, 'told', 3, 'tx-1', '{{}}');
             INSERT INTO outbox (record, version, due_at, attempts, dead_at) VALUES
                 (2, 1, {NOW}, 0, NULL), (3, 1, {NOW}, 1, NULL), (4, 1, {NOW}, 0, {NOW}), (5, 1, {NOW}, 0, NULL);"
        );
        connection.execute_batch(&rows).unwrap();
        let said = |listed: &Listed<Vec<Owed>>| -> Vec<String> {
            let told = listed.rows.iter().flatten();
            let after = |one: &Owed| one.after.iter().map(|key| key.id.to_string()).collect::<Vec<_>>().join(" ");
            told.map(|one| format!("{} after [{}]", one.key, after(one))).collect()
        };
        let first = owed(&connection, i64::MIN, 1).unwrap();
        assert_eq!(said(&first), ["refund/fresh after []", "payment/tx-1 after [fresh]"]);
        let rest = owed(&connection, first.last.unwrap(), 9).unwrap();
        assert_eq!(said(&rest), ["refund/fresh after []", "refund/tried after []", "refund/of-another after []"]);
        assert_eq!(count(&connection), Ok(4));
        assert_eq!(owed_of(&connection, 4), Ok(Vec::new()), "it was given up");
    }

    /// A page of the file that cannot be read hides the records in it, and no others.
    #[test]
    fn a_damaged_page_of_the_file_hides_no_other_debt() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.db");
        let mut connection = Connection::open(&path).unwrap();
        super::super::migrations::migrate(&mut connection).unwrap();
        let rows = format!(
            "INSERT INTO records (id, transform_id, kind, record)
                 WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 40)
                 SELECT n, 'tx-' || n, 1, zeroblob(900) FROM n;
             INSERT INTO outbox (record, version, due_at) SELECT id, 1, {NOW} FROM records;"
        );
        connection.execute_batch(&rows).unwrap();
        let leaf = "SELECT pageno, pgsize, ncell FROM dbstat WHERE name = 'records' AND pagetype = 'leaf' ORDER BY path LIMIT 1";
        let (page, size, hidden): (u32, u32, u32) =
            connection.query_row(leaf, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        drop(connection);
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.write_all_at(&[7; 512], u64::from(page - 1) * u64::from(size)).unwrap();
        let listed = owed(&Connection::open(&path).unwrap(), i64::MIN, 99).unwrap();
        assert!(hidden > 1 && hidden < 20, "{hidden}");
        assert_eq!((listed.rows.len() + listed.damaged.len(), listed.damaged.len()), (40, hidden.try_into().unwrap()));
    }

    /// A STRICT table refuses a text as a time, but damage can make one.
    #[test]
    fn a_due_time_that_is_no_time_is_now() {
        let connection = store();
        connection
            .execute_batch(
                "PRAGMA writable_schema = 1;
                 UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = 'outbox';
                 PRAGMA writable_schema = RESET;
                 UPDATE outbox SET due_at = 'soon'",
            )
            .unwrap();
        assert_eq!(owed(&connection, i64::MIN, 9).unwrap().damaged.len(), 1);
        assert_eq!(clamped(&connection), [1]);
        let owed = owed(&connection, i64::MIN, 9).unwrap();
        assert_eq!(owed.rows[0][0].due, Timestamp::from_microsecond(NOW).unwrap());
    }

    /// Transform cannot be told of a missing record: that is damage wherever the row is read.
    #[test]
    fn what_is_owed_of_a_missing_record_is_damage() {
        let connection = store();
        connection.execute_batch("PRAGMA foreign_keys = OFF; DELETE FROM records").unwrap();
        let said = |error: &rusqlite::Error| super::super::columns::damage(error).unwrap();
        for damaged in [look(&connection, 0, 9).unwrap().damaged, owed(&connection, i64::MIN, 9).unwrap().damaged] {
            let said: Vec<_> = damaged.iter().map(said).collect();
            assert_eq!(said, ["table outbox, row 1: its record is missing"]);
        }
        connection.execute("UPDATE outbox SET dead_at = 5", []).unwrap();
        let given_up = super::super::given_up::list(&connection, &GivenUpSought::default(), 0, 9).unwrap();
        assert_eq!(given_up.damaged.len(), 1);
    }
}
