//! The owner of a database: a relay, another program, or nobody. The owner is checked before anything is changed in the
//! database.

use rusqlite::Connection;

/// The application id in the header of a relay's store: "TrRl". SQLite reserves this place for programs to mark their
/// files. Stores of earlier versions have 0.
pub(super) const APPLICATION_ID: i64 = 0x5472_526C;
/// The tables that every store has had since the first version.
const TABLES: &str = "'notifications', 'records', 'psp_ids', 'outbox', 'parked', 'probe'";
const TABLE_COUNT: i64 = 6;

/// The owner of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// There is nothing in it.
    Nobodys,
    /// A relay's, of this schema version.
    Ours(i64),
    /// Another program's.
    Others,
}

/// The owner of a database.
pub(super) fn whose(connection: &Connection) -> rusqlite::Result<Whose> {
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let count = |condition: &str| {
        let question = format!("SELECT count(*) FROM sqlite_schema WHERE {condition}");
        connection.query_row(&question, [], |row| row.get::<_, i64>(0))
    };
    let version = version(connection)?;
    let has_tables = count(&format!("type = 'table' AND name IN ({TABLES})"))? == TABLE_COUNT;
    Ok(match id {
        0 | APPLICATION_ID if version == 0 && count("true")? == 0 => Whose::Nobodys,
        APPLICATION_ID => Whose::Ours(version),
        0 if version > 0 && has_tables => Whose::Ours(version),
        _ => Whose::Others,
    })
}

/// The schema version of a database; 0 for a new one.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// The error text for another program's database.
pub(super) const OTHERS: &str = "it is another program's database; name a file of the relay's own in store.path";

/// The error text for a file that should be read and is no store.
pub(super) const NO_STORE: &str = "it is no store of a relay; name one that a relay has made";

#[cfg(test)]
mod tests {
    use super::super::migrations;
    use super::*;

    #[test]
    fn a_store_is_known_by_its_tables_and_by_its_mark() {
        let mut store = Connection::open_in_memory().unwrap();
        assert_eq!(whose(&store), Ok(Whose::Nobodys));
        migrations::migrate(&mut store).unwrap();
        assert_eq!(whose(&store), Ok(Whose::Ours(migrations::VERSION)));
        // The store as earlier versions left it.
        store.pragma_update(None, "application_id", 0).unwrap();
        assert_eq!(whose(&store), Ok(Whose::Ours(migrations::VERSION)));
        store.pragma_update(None, "application_id", 4711).unwrap();
        assert_eq!(whose(&store), Ok(Whose::Others));
        // Other programs number their schema versions as well.
        for made in ["CREATE TABLE bookmarks (x)", "PRAGMA user_version = 3", "PRAGMA application_id = 4711"] {
            let other = Connection::open_in_memory().unwrap();
            other.execute_batch(made).unwrap();
            assert_eq!(whose(&other), Ok(Whose::Others), "{made}");
        }
    }
}
