//! Opening of the database: the lock, the checks of the files, the schema, and the settings that the promises rest on.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use tokio::time::Instant;

use super::engine::{self, Access};
use super::files::{self, Files};
use super::lock::{self, Lock, Locked};
use super::search::{self, Searched};
use super::whose::{self, Whose};
use super::{counts, migrations, unfinished, wal};
use crate::store::OpenError;

/// The write connection, with the lock that keeps a second relay out.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) files: Files,
    /// The lock is dropped after the connection and the files: see [`lock`].
    pub(super) lock: Lock,
    /// The path of the database file, without links.
    pub(super) path: PathBuf,
    /// Whether the whole file was searched for damage.
    pub(super) searched: bool,
}

/// Time limit of the search for damage before the relay listens. In a large file the search goes on beside the relay's work.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(1);
/// Time limit of the search before a store of an earlier version is rewritten.
const SEARCH_TIMEOUT_OF_EARLIER: Duration = Duration::from_secs(10);

pub(super) fn open(path: &Path, must_exist: bool) -> Result<Opened, OpenError> {
    let Locked { mut lock, path } = lock::take(path, must_exist)?;
    path.parent().into_iter().for_each(unfinished::remove_in);
    check_wal(&path, &lock)?;
    // With a journal of its own a file is read as it is without the work that was left half done.
    let access = if lock.check_journal(&path)? { Access::Write } else { files::access(&path) };
    check_whose(&path, must_exist, access)?;
    let failed = |error: rusqlite::Error| OpenError::failed(&path, files::cause(&path, &error));
    let mut connection = engine::open(&path, Access::Write).map_err(failed)?;
    prepare(&connection).map_err(failed)?;
    let is_ours = whose::version(&connection).map_err(failed)? == migrations::VERSION;
    let (began, limit) = (Instant::now(), if is_ours { SEARCH_TIMEOUT } else { SEARCH_TIMEOUT_OF_EARLIER });
    let searched = match search::search(&mut connection, move || began.elapsed() > limit).map_err(failed)? {
        Searched::Damaged(reason) => return Err(OpenError::Damaged { path, reason }),
        Searched::Sound => true,
        Searched::BrokenOff => false,
    };
    engine::with_room_beside(&mut connection, &path, |connection| {
        migrations::migrate(connection)?;
        counts::look_at_parked(connection)?;
        give_back_pages(connection)
    })
    .map_err(failed)?;
    let beside = |error: std::io::Error| OpenError::failed(&path, error);
    let files = Files::of(&path).map_err(beside)?;
    lock.watch_wal(&path).map_err(beside)?;
    Ok(Opened { connection, files, lock, path, searched })
}

/// Checks the owner of the database before anything is changed. The database of another program or of a later relay
/// stays untouched.
fn check_whose(path: &Path, must_exist: bool, access: Access) -> Result<(), OpenError> {
    let found = engine::open(path, access).and_then(|connection| whose::whose(&connection));
    match found {
        Ok(Whose::Nobodys) if must_exist => Err(OpenError::Missing(path.to_owned())),
        Ok(Whose::Nobodys) => {
            announce(path);
            Ok(())
        }
        Ok(Whose::Ours(found)) if found > migrations::VERSION => {
            Err(OpenError::TooNew { path: path.to_owned(), found, known: migrations::VERSION })
        }
        Ok(Whose::Ours(_)) => Ok(()),
        Ok(Whose::Others) => Err(OpenError::Place { path: path.to_owned(), reason: whose::OTHERS.to_owned() }),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            Err(OpenError::Damaged { path: path.to_owned(), reason: error.to_string() })
        }
        Err(error) => Err(OpenError::failed(path, files::cause(path, &error))),
    }
}

/// Warns of a new store. If there should be an old one, it is not found, and nothing else would report that.
fn announce(path: &Path) {
    tracing::warn!(
        path = %path.display(),
        "a new store is made; if there was one, stop the relay, mount its volume or restore a backup, and set \
         store.must_exist = true, which refuses such a start"
    );
}

/// Checks that a WAL beside the database is its own. SQLite deletes a WAL beside an empty database, although the last
/// acknowledged work may be in that WAL. SQLite also writes the WAL of another database into the file, which spoils the
/// file.
fn check_wal(path: &Path, lock: &Lock) -> Result<(), OpenError> {
    let wal = files::wal(path);
    if std::fs::metadata(&wal).map_or(0, |wal| wal.len()) == 0 {
        return Ok(());
    }
    let wal = wal.display();
    let reason = match lock.writes_a_wal().map_err(|error| OpenError::failed(path, error))? {
        Some(true) => return Ok(()),
        Some(false) => format!("{wal} is another database's, as when a backup was restored; remove {wal}"),
        None => format!("it is empty, but {wal} is not: put back the database of {wal}, or move {wal} away"),
    };
    Err(OpenError::Place { path: path.to_owned(), reason })
}

/// Enables the file to give back free pages. A file that was made without the book-keeping for that is rewritten once.
fn give_back_pages(connection: &Connection) -> rusqlite::Result<()> {
    let mode: i64 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    if mode != AUTO_VACUUM_INCREMENTAL {
        connection.pragma_update(None, "auto_vacuum", AUTO_VACUUM_INCREMENTAL)?;
        if let Err(error) = connection.execute_batch("VACUUM") {
            tracing::warn!(
                %error,
                "the store's file cannot be rewritten (VACUUM) and does not shrink; the next start tries again"
            );
        }
    }
    Ok(())
}

const AUTO_VACUUM_INCREMENTAL: i64 = 2;

/// The room for pages that the writer keeps in memory, in KiB; the minus is SQLite's sign for that unit. The index of dedupe keys and
/// the records that change are asked for each notification.
const CACHE_KIB: i64 = -8_192;

/// Sets the settings that the promises rest on. With synchronous=FULL a commit is on disk when it returns, also in WAL
/// mode.
fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    // auto_vacuum takes effect in a new file only, before anything is written.
    connection.pragma_update(None, "auto_vacuum", AUTO_VACUUM_INCREMENTAL)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "cache_size", CACHE_KIB)?;
    wal::limit(connection)?;
    // A plan is made once for a statement, and not anew for each value that is bound to it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // More than there are statements: none is parsed twice.
    connection.set_prepared_statement_cache_capacity(256);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What these settings promise after a power cut is tested by `power_cuts` in tests/relay/store.
    #[test]
    fn a_commit_is_on_disk_when_it_returns() {
        let folder = tempfile::tempdir().unwrap();
        let opened = open(&folder.path().join("relay.db"), false).unwrap();
        let setting = |name| {
            opened
                .connection
                .pragma_query_value(None, name, |row| {
                    row.get::<_, String>(0).or_else(|_| row.get::<_, i64>(0).map(|n| n.to_string()))
                })
                .unwrap()
        };
        assert_eq!((setting("journal_mode"), setting("synchronous")), ("wal".to_owned(), "2".to_owned()));
    }
}
