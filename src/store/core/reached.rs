//! Reached records, by signed text, for messages whose way to a record is partly unsigned. Anybody with a captured
//! notification can write other ids and references into it. So a notification counts for the records that its signed
//! text reached first, and for no others. These rows are kept for ever, as records are.

use uuid::Uuid;

use super::digest::digest;
use super::set::rows::text::{Key, ReachedRow};
use super::set::{Decided, Row, WorkingSet};

/// The records that are open to an event of a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Open {
    /// All records: the signed text has reached none before, or only by this notification itself.
    All,
    /// Only these rows: the records that the signed text has reached, at least one of them by another notification.
    Only(Vec<i64>),
}

impl Open {
    /// Whether the record of this row is open.
    pub(super) fn holds(&self, row: i64) -> bool {
        match self {
            Self::All => true,
            Self::Only(rows) => rows.contains(&row),
        }
    }
}

/// The records that are open to an event with this signed text.
pub(in crate::store) fn open(set: &WorkingSet, source: &str, text: &str, notification: Uuid) -> Decided<Open> {
    let rows = set.reached.rows(&Key::Of(source.to_owned(), digest(text.as_bytes())))?;
    if rows.iter().all(|row| row.notification == notification) {
        return Ok(Open::All);
    }
    Ok(Open::Only(rows.iter().map(|row| row.record).collect()))
}

/// Remembers that a signed text has reached a record.
pub(in crate::store) fn note(
    set: &WorkingSet,
    source: &str,
    text: &str,
    record: i64,
    notification: Uuid,
) -> Decided<()> {
    let key = digest(text.as_bytes());
    let rows = set.reached.rows(&Key::Of(source.to_owned(), key))?;
    if rows.iter().all(|row| row.record != record) {
        set.reached.put(ReachedRow { source: source.to_owned(), key, record, notification });
    }
    Ok(())
}

/// Forgets the texts that have reached a record, which is removed.
pub(super) fn forget(set: &WorkingSet, record: i64) -> Decided<()> {
    set.reached.rows(&Key::To(record))?.iter().for_each(|row| set.reached.delete(&row.id()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_counts_for_the_records_that_its_first_notification_reached() {
        let set = WorkingSet::complete();
        let (first, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let open = |source: &str, by: Uuid| open(&set, source, "text", by).unwrap();
        assert_eq!(open("s", first), Open::All);
        note(&set, "s", "text", 1, first).unwrap();
        assert_eq!(open("s", first), Open::All, "one notification may speak of several records");
        note(&set, "s", "text", 2, first).unwrap();
        assert_eq!(open("s", other), Open::Only(vec![1, 2]));
        assert!(open("s", other).holds(2) && !open("s", other).holds(3));
        note(&set, "s", "text", 1, other).unwrap();
        assert_eq!(open("s", first), Open::All, "a repetition takes nothing away");
        assert_eq!(open("another", other), Open::All);
    }
}
