//! The writer: the only thread that writes. It owns the write connection and commits in groups. All waiting work goes
//! into one transaction, each piece of work in a savepoint of its own. After the commit's fsync all callers get their
//! answers.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::columns;
use super::files::Files;
use super::lock::Lock;
use super::wal::Shortener;
use crate::store::StoreError;

/// The most pieces of work in one group.
const GROUP_MAX: usize = 512;

/// A piece of work. It runs in the group's transaction, or gets the error if there is none. It returns the function
/// that is called with the end of the group.
type Job = Box<dyn FnOnce(Result<&Group<'_>, StoreError>) -> Finish + Send>;
/// Answers the waiting caller, after the commit.
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// The transaction of a group.
struct Group<'a> {
    connection: &'a Connection,
    /// Whether the savepoint of a piece of work could not be ended: then nothing of the group may be committed.
    spoilt: Cell<bool>,
}

/// A handle to the writing thread.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: SyncSender<Job>,
}

impl Writer {
    /// Starts the thread. The thread ends when the handle is dropped and all accepted work is written. Up to `max_waiting`
    /// pieces of work wait for it; past that the error is [`StoreError::Busy`].
    pub(super) fn start(
        connection: Connection,
        files: Arc<Files>,
        lock: Option<Arc<Lock>>,
        max_waiting: usize,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, waiting) = sync_channel(max_waiting);
        let writes = move || {
            run(connection, &files, lock.as_deref(), &waiting);
            // The lock is released only after the connection is closed, even if it has no other owner any more.
            drop(lock);
        };
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(writes)?;
        Ok((Self { jobs }, thread))
    }

    /// Does a piece of work and waits until it is on disk. Then `after` is called with the result, even if the caller
    /// has gone.
    ///
    /// # Errors
    /// The work's own error, or an error of the store. In both cases nothing of the work was written.
    pub(super) async fn write<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        after: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |group| {
            let done = group.map_err(E::from).and_then(|group| in_savepoint(group, work));
            Box::new(move |committed: Result<(), StoreError>| {
                let done = committed.map_err(E::from).and(done);
                if let Ok(done) = &done {
                    after(done);
                }
                // If the client has hung up, nobody waits for the reply. The work stands all the same.
                drop(reply.send(done));
            })
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => StoreError::Unavailable("the writer has stopped".into()),
        })?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Unavailable("the writer has stopped".into()).into()))
    }
}

fn run(connection: Connection, files: &Files, lock: Option<&Lock>, waiting: &Receiver<Job>) {
    let mut shortener = Shortener::default();
    while let Ok(first) = waiting.recv() {
        let mut group: Vec<Job> = std::iter::once(first).chain(waiting.try_iter().take(GROUP_MAX - 1)).collect();
        let there = files.check().and_then(|()| lock.map_or(Ok(()), Lock::check));
        let begun = there.and_then(|()| begin(&connection, lock));
        if begun.is_err() {
            // BEGIN may have waited for the whole lock timeout. All waiting work fails with it, so that none waits
            // through another timeout.
            group.extend(waiting.try_iter());
        }
        let usable = begun.is_ok();
        commit_group(&connection, begun, group);
        if usable {
            shortener.look(&connection, files.wal_length(), Instant::now());
        }
    }
}

/// Begins the transaction of a group.
fn begin(connection: &Connection, lock: Option<&Lock>) -> Result<(), StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(unavailable)?;
    // No other process writes from here on.
    lock.map_or(Ok(()), Lock::check_wal).inspect_err(|_| {
        // Without this setting, SQLite would bring parts of the cut WAL into the database when the relay ends.
        let kept = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        if let Err(error) = kept.and_then(|_| connection.execute_batch("ROLLBACK")) {
            tracing::error!(
                %error,
                "a failed transaction cannot be rolled back; the next group of work fails and rolls it back"
            );
        }
    })
}

fn commit_group(connection: &Connection, begun: Result<(), StoreError>, group: Vec<Job>) {
    let transaction = Group { connection, spoilt: Cell::new(false) };
    let finishes: Vec<Finish> =
        group.into_iter().map(|job| job(begun.clone().and_then(|()| transaction.open()))).collect();
    let committed = begun
        .and_then(|()| transaction.open())
        .and_then(|transaction| transaction.connection.execute_batch("COMMIT").map_err(unavailable));
    if let Err(error) = &committed {
        tracing::error!(
            %error,
            waiting = finishes.len(),
            "a group of work could not be written; all its callers get this error"
        );
        // A failed COMMIT may leave the transaction open; the next group must not find it.
        if !connection.is_autocommit()
            && let Err(error) = connection.execute_batch("ROLLBACK")
        {
            tracing::error!(
                %error,
                "a failed transaction cannot be rolled back; the next group of work fails and rolls it back"
            );
        }
    }
    for finish in finishes {
        finish(committed.clone());
    }
}

impl Group<'_> {
    /// The group, if its transaction is still open. On a full disk SQLite rolls back the whole transaction. Without a
    /// transaction, each further statement would commit by itself.
    fn open(&self) -> Result<&Self, StoreError> {
        if self.spoilt.get() || self.connection.is_autocommit() {
            return Err(StoreError::Unavailable("the transaction was rolled back".into()));
        }
        Ok(self)
    }
}

fn in_savepoint<T, E: From<StoreError>>(
    group: &Group<'_>,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    let connection = group.connection;
    connection.prepare_cached("SAVEPOINT work").and_then(|mut begin| begin.execute([])).map_err(unavailable)?;
    let done = work(connection);
    let end = if done.is_ok() { "RELEASE work" } else { "ROLLBACK TO work; RELEASE work" };
    if !connection.is_autocommit() {
        connection.execute_batch(end).map_err(|error| {
            group.spoilt.set(true);
            unavailable(error)
        })?;
    }
    done
}

/// The engine's error as an error of the store.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn unavailable(error: rusqlite::Error) -> StoreError {
    match columns::damage(&error) {
        Some(damage) => StoreError::Damaged(damage),
        None => StoreError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(connection: &Connection) -> Result<i64, StoreError> {
        connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).map_err(unavailable)
    }

    /// Files that are always there, for a database in memory.
    fn here() -> Arc<Files> {
        Arc::new(Files::of(std::path::Path::new(".")).unwrap())
    }

    #[tokio::test]
    async fn work_that_fails_leaves_nothing_and_takes_nobody_with_it() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (x)").unwrap();
        let (writer, thread) = Writer::start(connection, here(), None, 10).unwrap();
        let good = writer.write(|c| c.execute("INSERT INTO t VALUES (1)", []).map_err(unavailable), |_| ());
        let bad = writer.write(
            |c| {
                c.execute("INSERT INTO t VALUES (2)", []).map_err(unavailable)?;
                Err::<(), StoreError>(StoreError::Unavailable("changed my mind".into()))
            },
            |()| panic!("it did not happen"),
        );
        let (good, bad) = tokio::join!(good, bad);
        assert!(good.is_ok() && bad.is_err());
        assert_eq!(writer.write(count, |_| ()).await, Ok(1));
        drop(writer);
        thread.join().unwrap();
    }

    #[tokio::test]
    async fn a_failed_commit_is_told_to_everyone_and_the_next_one_works() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE t (x)").unwrap();
        let refusals = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(1));
        let left = refusals.clone();
        let refuse = move || left.swap(0, std::sync::atomic::Ordering::SeqCst) == 1;
        connection.commit_hook(Some(refuse)).unwrap();
        let (writer, thread) = Writer::start(connection, here(), None, 10).unwrap();
        let insert = |c: &Connection| c.execute("INSERT INTO t VALUES (1)", []).map_err(unavailable);
        assert!(writer.write(insert, |_| ()).await.is_err());
        assert!(writer.write(insert, |_| ()).await.is_ok());
        assert_eq!(writer.write(count, |_| ()).await, Ok(1));
        drop(writer);
        thread.join().unwrap();
    }
}
