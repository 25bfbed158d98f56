//! The search for damage goes on in a large file while the relay works: a start searches for a moment only, before anybody is served.

use std::time::Duration;

use tokio::time::Instant;

use super::engine::{self, Access};
use super::search::{Searched, search};
use super::store::Store;
use super::writer::unavailable;
use crate::store::StoreError;

/// Time limit of the search beside the relay's work.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of the WAL in use beside the search: while somebody reads, the WAL cannot be written from its beginning again.
const WAL_MAX: u64 = 256 * 1024 * 1024;
/// The name under which damage of the file stands beside the tables.
pub(super) const FILE: &str = "the file";

impl Store {
    /// Searches the file again if the start could not search all of it. `stops` ends the search. Damage makes the store unfit until
    /// the next start.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn search(&self, stops: impl Fn() -> bool + Clone + Send + 'static) -> Result<(), StoreError> {
        if self.searched {
            return Ok(());
        }
        let is_to_stop = stops.clone();
        // The readers hold the store's lock until the search has ended.
        let readers = self.readers.clone();
        let searched = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let mut connection = engine::open(readers.path(), Access::Read)?;
            search(&mut connection, move || stops() || began.elapsed() > TIMEOUT || readers.wal_in_use() > WAL_MAX)
        });
        match searched.await.map_err(|error| StoreError::Unavailable(error.to_string()))?.map_err(unavailable)? {
            Searched::BrokenOff if is_to_stop() => {}
            Searched::Sound => tracing::info!("the store was checked whole; no damage was seen"),
            Searched::BrokenOff => {
                tracing::info!("the store was not checked whole; no damage was seen so far");
            }
            Searched::Damaged(reason) => {
                self.met(&StoreError::Damaged(reason.clone()));
                self.standing().note(FILE, Some(reason), None);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use rusqlite::Connection;

    use super::*;
    use crate::domain::due::Moment;
    use crate::store::options::without_limits;
    use crate::store::{StoreOptions, Wake};

    /// A store whose start has not searched all of it.
    fn store(folder: &std::path::Path) -> Store {
        let options = StoreOptions { path: folder.join("relay.db"), max_waiting: 9, ..without_limits() };
        Store { searched: false, ..Store::open(options, Wake::new(|_| ())).unwrap() }
    }

    /// Overwrites the page in which a table begins, once all is in the file.
    fn damage(folder: &std::path::Path, table: &str) {
        let path = folder.join("relay.db");
        let other = Connection::open(&path).unwrap();
        other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        let find = "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = ?1";
        let (root, size): (u32, u32) = other.query_row(find, [table], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let mut file = std::fs::File::options().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(u64::from(root - 1) * u64::from(size))).unwrap();
        file.write_all(&[7; 512]).unwrap();
    }

    #[tokio::test]
    async fn damage_that_is_found_beside_the_work_makes_the_relay_unready_until_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        let at = jiff::Timestamp::from_second(1_800_000_000).unwrap();
        let now = Moment { wall: at, steady: at };
        store.search(|| false).await.unwrap();
        assert_eq!(store.probe(now).await, Ok(()));
        damage(folder.path(), "attempts");
        store.search(|| false).await.unwrap();
        // What is met is forgotten after a while; this is not.
        store.damage.lock().unwrap().clear();
        let said = store.probe(now).await.unwrap_err();
        assert!(matches!(said, StoreError::Damaged(_)), "{said}");
    }
}
