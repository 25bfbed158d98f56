//! The search for damage in the database file.

use rusqlite::{Connection, ErrorCode};

/// Steps of the engine between two questions whether the search is to end.
const STEPS: i32 = 10_000;

/// The result of a search.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Searched {
    /// All of the file was read, and no damage was found.
    Sound,
    /// The first damage that was found.
    Damaged(String),
    /// The search was to end before all was read. No damage was found so far.
    BrokenOff,
}

/// Searches the database file until `ends`.
pub(super) fn search(
    connection: &mut Connection,
    ends: impl FnMut() -> bool + Send + 'static,
) -> rusqlite::Result<Searched> {
    connection.progress_handler(STEPS, Some(ends))?;
    let found = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    connection.progress_handler(0, None::<fn() -> bool>)?;
    match found {
        Ok(sound) if sound == "ok" => Ok(Searched::Sound),
        Ok(damage) => Ok(Searched::Damaged(damage)),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::OperationInterrupted) => Ok(Searched::BrokenOff),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::SystemIoFailure) => Ok(Searched::Damaged(error.to_string())),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_ends_when_it_is_to_end() {
        let mut connection = Connection::open_in_memory().unwrap();
        let rows = "CREATE TABLE t (x);
            INSERT INTO t WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 20000) SELECT n FROM n";
        connection.execute_batch(rows).unwrap();
        assert_eq!(search(&mut connection, || true), Ok(Searched::BrokenOff));
        assert_eq!(search(&mut connection, || false), Ok(Searched::Sound));
    }
}
