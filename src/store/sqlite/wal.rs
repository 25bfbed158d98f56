//! The size of the WAL. It is brought into the database from time to time, and written from its beginning again. That is only
//! possible while nobody reads from it. It is kept small even beside many readers.

use std::time::Duration;

use rusqlite::Connection;
use tokio::time::Instant;

use super::checkpointer::Checkpointer;
use super::engine::wait_for_locks;

/// After so many bytes the WAL is brought into the database. With more at once, the writer's syncs wait longer behind it.
const CHECKPOINT_EVERY: u64 = 1024 * 1024;
/// At this length in bytes the WAL is written from the beginning again, if nobody reads from it. SQLite shortens it to this length
/// then. Its room stays: a sync of a file that does not grow is quicker.
pub(super) const KEPT: u64 = 24 * 1024 * 1024;
/// At this length in bytes the writer waits for the readers, so that it can shorten the WAL.
pub(super) const LARGE: u64 = 32 * 1024 * 1024;
/// The longest wait of the writer for the readers; nothing is written meanwhile.
const WAIT: Duration = Duration::from_millis(100);
/// The time between two such waits.
const WAIT_EVERY: Duration = Duration::from_secs(2);

/// SQLite's part: it shortens the WAL when nobody reads it, and makes no checkpoints by itself.
pub(super) fn limit(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    let kept = i64::try_from(KEPT).unwrap_or(i64::MAX);
    // The pragma returns the limit.
    connection.pragma_update_and_check(None, "journal_size_limit", kept, |_| Ok(()))
}

/// The writer's part: it looks at the WAL after each group.
#[derive(Debug, Default)]
pub(super) struct Shortener {
    /// The length in use at the last request for a checkpoint.
    asked_at: u64,
    tried: Option<Instant>,
    /// Whether it was logged that the WAL cannot be shortened.
    said: bool,
}

impl Shortener {
    /// Asks for a checkpoint of a WAL of which so many bytes are in use, and lets a long one begin anew. The writer does not wait for
    /// anybody.
    pub(super) fn checkpoint(&mut self, connection: &Connection, checkpointer: &Checkpointer, in_use: u64) {
        if in_use < self.asked_at {
            self.asked_at = 0; // it has begun anew
        }
        if in_use >= KEPT && checkpointer.has_ended() {
            // Few pages are left. Somebody who reads prevents it this time.
            if let Err(error) = begin_anew(connection) {
                tracing::debug!(%error, "the store's WAL cannot begin anew now");
            }
        }
        if in_use.saturating_sub(self.asked_at) >= CHECKPOINT_EVERY {
            self.asked_at = in_use;
            checkpointer.wake();
        }
    }

    /// Shortens a WAL of this length if it is too long. Readers that begin meanwhile do not prevent that; a reader that
    /// stays does.
    pub(super) fn look(&mut self, connection: &Connection, length: u64, now: Instant) {
        if length < LARGE || self.tried.is_some_and(|tried| now.duration_since(tried) < WAIT_EVERY) {
            return;
        }
        self.tried = Some(now);
        match shorten(connection) {
            Ok(Shortened::Done) => {
                tracing::info!(bytes = length, "the store's WAL had grown and was shortened");
                self.said = false;
            }
            Ok(Shortened::ReaderStays) if !self.said => {
                tracing::warn!(
                    bytes = length,
                    "the store's WAL grows: a program has been reading the store for long; the WAL is shortened when \
                     that read ends"
                );
                self.said = true;
            }
            Ok(Shortened::ReaderStays | Shortened::CheckpointStays) => {}
            Err(error) => tracing::warn!(%error, bytes = length, "the store's WAL cannot be shortened now"),
        }
    }
}

/// Brings the rest of the WAL into the database, and lets the next transaction write it from its beginning.
fn begin_anew(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let done = connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
    wait_for_locks(connection)?;
    done
}

/// The end of an attempt to empty the WAL.
#[derive(Debug, PartialEq, Eq)]
enum Shortened {
    Done,
    /// Somebody reads from it.
    ReaderStays,
    /// A checkpoint is under way, the thread's own or another program's.
    CheckpointStays,
}

/// Empties the WAL if nothing is in the way.
fn shorten(connection: &Connection) -> rusqlite::Result<Shortened> {
    connection.busy_timeout(WAIT)?;
    let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok((row.get(0)?, row.get(1)?)));
    wait_for_locks(connection)?;
    // SQLite counts no frames (-1) where it may not begin, since another checkpoint is under way.
    Ok(match done? {
        (0_i64, _) => Shortened::Done,
        (_, -1_i64) => Shortened::CheckpointStays,
        _ => Shortened::ReaderStays,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::{connection, files};
    use super::*;

    /// Short readers that come and go do not keep the WAL from being shortened; a reader that stays does.
    #[test]
    fn a_large_wal_is_shortened_as_soon_as_nobody_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.db");
        let opened = connection::open(&path, false).unwrap();
        let reader = Connection::open(&path).unwrap();
        let read = || reader.execute_batch("BEGIN; SELECT * FROM records;").unwrap();
        let length = || std::fs::metadata(files::wal(&path)).unwrap().len();
        let write = || {
            while length() <= LARGE {
                let write = "UPDATE probe SET room = randomblob(?1)";
                opened.connection.execute(write, [4 * 1024 * 1024]).unwrap();
            }
        };
        let (mut shortener, now) = (Shortener::default(), Instant::now());
        read();
        write();
        shortener.look(&opened.connection, length(), now);
        assert!(length() > LARGE, "somebody reads what is in it");
        reader.execute_batch("COMMIT").unwrap();
        shortener.look(&opened.connection, length(), now);
        assert!(length() > LARGE, "it was tried just now");
        shortener.look(&opened.connection, length(), now + WAIT_EVERY);
        assert_eq!(length(), 0);
        // The wait for locks is as it was before.
        let timeout: i64 = opened.connection.pragma_query_value(None, "busy_timeout", |row| row.get(0)).unwrap();
        assert!(timeout > 1000, "{timeout}");
    }

    /// A checkpoint that is under way is no reader: nobody is told to end a read.
    #[test]
    fn a_checkpoint_in_the_way_is_told_from_a_reader() {
        static WAITS: AtomicBool = AtomicBool::new(false);
        fn wait(_: i32) -> bool {
            WAITS.store(true, Ordering::Release);
            std::thread::yield_now();
            true
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("relay.db");
        let opened = connection::open(&path, false).unwrap();
        let (reader, mut other) = (Connection::open(&path).unwrap(), Connection::open(&path).unwrap());
        opened.connection.execute("UPDATE probe SET room = randomblob(20000)", []).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM records;").unwrap();
        assert_eq!(shorten(&opened.connection).unwrap(), Shortened::ReaderStays);
        std::thread::scope(|scope| {
            let checkpoint = scope.spawn(move || {
                other.busy_handler(Some(wait)).unwrap();
                other.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
            });
            while !WAITS.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            assert_eq!(shorten(&opened.connection).unwrap(), Shortened::CheckpointStays);
            reader.execute_batch("COMMIT").unwrap();
            checkpoint.join().unwrap();
        });
        assert_eq!(shorten(&opened.connection).unwrap(), Shortened::Done);
    }
}
