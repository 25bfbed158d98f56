//! The writer: the only thread that writes. It owns the write connection and commits in groups. All waiting work goes
//! into one transaction. Decisions are made over one working set, which is written before the commit. Other work is done in
//! a savepoint of its own, and so is each decision for a while after a group could not be written. After the commit's fsync all
//! callers get their answers.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::checkpointer::Checkpointer;
use super::columns;
use super::files::Files;
use super::lock::Lock;
use super::wal::Shortener;
use super::{decide, flush};
use crate::store::StoreError;
use crate::store::core::set::{Decided, WorkingSet};

/// The most pieces of work in one group.
const GROUP_MAX: usize = 512;

/// The groups after a failed one in which each decision is written by itself. Then what cannot be written, since a part of the
/// file is damaged, takes nothing else with it.
const CAUTIOUS_GROUPS: u32 = 1000;

/// The most rows and answers that the writer keeps in memory from group to group: those of some 3,000 records.
const KEPT: usize = 32_768;

/// A piece of work. It runs in the group's transaction, or gets the error if there is none. It returns the function
/// that is called with the end of the group.
type Job = Box<dyn FnOnce(Result<&Group<'_>, StoreError>) -> Finish + Send>;
/// Answers the waiting caller, after the commit.
type Finish = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// The transaction of a group.
struct Group<'a> {
    connection: &'a Connection,
    /// What the group's decisions have changed. It is not written yet.
    set: &'a WorkingSet,
    /// Whether each decision is written by itself.
    cautious: bool,
    /// Whether the savepoint of a piece of work could not be ended: then nothing of the group may be committed.
    spoilt: Cell<bool>,
}

/// A handle to the writing thread.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: SyncSender<Job>,
    /// The groups to come in which each decision is written by itself.
    #[cfg(test)]
    caution: Arc<AtomicU32>,
}

impl Writer {
    /// Starts the thread. The thread ends when the handle is dropped and all accepted work is written. Up to `max_waiting`
    /// pieces of work wait for it; past that the error is [`StoreError::Busy`].
    pub(super) fn start(
        connection: Connection,
        files: Arc<Files>,
        lock: Option<Arc<Lock>>,
        checkpointer: Option<Checkpointer>,
        max_waiting: usize,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (jobs, waiting) = sync_channel(max_waiting);
        let caution = Arc::new(AtomicU32::new(0));
        let cautious = Arc::clone(&caution);
        let writes = move || {
            run(&connection, (&files, lock.as_deref(), checkpointer.as_ref()), &waiting, &cautious);
            // The last connection empties the WAL: only the writer knows whether the WAL is whole.
            drop(checkpointer);
            drop(connection);
            // The lock is released only after the connection is closed, even if it has no other owner any more.
            drop(lock);
        };
        let thread = std::thread::Builder::new().name("store-writer".into()).spawn(writes)?;
        let writer = Self {
            jobs,
            #[cfg(test)]
            caution,
        };
        Ok((writer, thread))
    }

    /// Lets each decision be written by itself, in so many groups to come.
    #[cfg(test)]
    pub(super) fn be_cautious(&self, groups: u32) {
        self.caution.store(groups, Ordering::Relaxed);
    }

    /// Makes a decision and waits until it is on disk. It may be made several times, until all that it asks for is there. Then
    /// `after` is called with the result, even if the caller has gone.
    ///
    /// # Errors
    /// The decision's own error, or an error of the store. In both cases nothing of it was written.
    pub(super) async fn decide<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        decision: impl FnMut(&WorkingSet) -> Decided<Result<T, E>> + Send + 'static,
        after: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E> {
        self.run(|group| group.decide(decision), after).await
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
        self.run(|group| group.work(work), after).await
    }

    async fn run<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Group<'_>) -> Result<T, E> + Send + 'static,
        after: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |group| {
            let done = group.map_err(E::from).and_then(work);
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

fn run(
    connection: &Connection,
    (files, lock, checkpointer): (&Files, Option<&Lock>, Option<&Checkpointer>),
    waiting: &Receiver<Job>,
    caution: &AtomicU32,
) {
    let (mut shortener, mut kept) = (Shortener::default(), Known::default());
    while let Ok(first) = waiting.recv() {
        let mut group: Vec<Job> = std::iter::once(first).chain(waiting.try_iter().take(GROUP_MAX - 1)).collect();
        let there = files.check().and_then(|()| lock.map_or(Ok(()), Lock::check));
        let begun = there.and_then(|()| begin(connection, lock));
        if begun.is_err() {
            // BEGIN may have waited for the whole lock timeout. All waiting work fails with it, so that none waits
            // through another timeout.
            group.extend(waiting.try_iter());
        }
        let usable = begun.is_ok();
        let left = caution.load(Ordering::Relaxed);
        let begun = begun.and_then(|()| kept.look(connection));
        let is_written = commit_group(connection, &kept.set, begun, group, left > 0);
        caution.store(if is_written { left.saturating_sub(1) } else { left.max(CAUTIOUS_GROUPS) }, Ordering::Relaxed);
        if usable {
            if let Some((lock, checkpointer)) = lock.zip(checkpointer) {
                shortener.checkpoint(connection, checkpointer, lock.wal_length());
            }
            shortener.look(connection, files.wal_length(), Instant::now());
        }
    }
}

/// What the writer knows from group to group.
#[derive(Default)]
struct Known {
    set: WorkingSet,
    /// The engine's number of the state of the file, which rises if another connection writes.
    version: Option<i64>,
}

impl Known {
    /// Forgets all if another program has written to the file: somebody may have mended a row.
    fn look(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let version = connection.pragma_query_value(None, "data_version", |row| row.get(0)).map_err(unavailable)?;
        if self.version.replace(version) != Some(version) {
            self.set.forget();
        }
        Ok(())
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

/// Does the work of a group and commits it. Returns whether it is written.
fn commit_group(
    connection: &Connection,
    set: &WorkingSet,
    begun: Result<(), StoreError>,
    group: Vec<Job>,
    cautious: bool,
) -> bool {
    let transaction = Group { connection, set, cautious, spoilt: Cell::new(false) };
    let finishes: Vec<Finish> =
        group.into_iter().map(|job| job(begun.clone().and_then(|()| transaction.open()))).collect();
    let committed = begun.and_then(|()| transaction.open()).and_then(Group::commit);
    if let Err(error) = &committed {
        set.forget();
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
    } else {
        set.rest(KEPT);
    }
    for finish in finishes {
        finish(committed.clone());
    }
    committed.is_ok()
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

    /// Makes a decision over the group's working set.
    fn decide<T, E: From<StoreError>>(
        &self,
        decision: impl FnMut(&WorkingSet) -> Decided<Result<T, E>>,
    ) -> Result<T, E> {
        if self.cautious {
            let written = self.in_savepoint(|| self.decided(decision).and_then(|done| Ok((done, self.write()?))));
            return written.map(|(done, ())| done).inspect_err(|_| self.set.forget());
        }
        self.decided(decision)
    }

    fn decided<T, E: From<StoreError>>(
        &self,
        decision: impl FnMut(&WorkingSet) -> Decided<Result<T, E>>,
    ) -> Result<T, E> {
        let mark = self.set.mark();
        let decided = decide::decide(self.connection, self.set, decision).map_err(unavailable)?;
        decided.inspect_err(|_| self.set.roll_back(mark))
    }

    /// Does a piece of work with the connection. It finds all that was decided before written, and no working set knows what it
    /// writes.
    fn work<T, E: From<StoreError>>(&self, work: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T, E> {
        self.flush()?;
        self.set.forget();
        self.in_savepoint(|| work(self.connection))
    }

    fn in_savepoint<T, E: From<StoreError>>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let connection = self.connection;
        connection.prepare_cached("SAVEPOINT work").and_then(|mut begin| begin.execute([])).map_err(unavailable)?;
        let done = work();
        let end = if done.is_ok() { "RELEASE work" } else { "ROLLBACK TO work; RELEASE work" };
        if !connection.is_autocommit() {
            connection.execute_batch(end).map_err(|error| {
                self.spoilt.set(true);
                unavailable(error)
            })?;
        }
        done
    }

    fn write(&self) -> Result<(), StoreError> {
        flush::flush(self.connection, self.set).map_err(unavailable)
    }

    /// Writes what was decided. If that fails, nothing of the group may be committed.
    fn flush(&self) -> Result<(), StoreError> {
        self.write().inspect_err(|_| self.spoilt.set(true))
    }

    fn commit(&self) -> Result<(), StoreError> {
        self.flush()?;
        self.connection.execute_batch("COMMIT").map_err(unavailable)
    }
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
        let (writer, thread) = Writer::start(connection, here(), None, None, 10).unwrap();
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
        let (writer, thread) = Writer::start(connection, here(), None, None, 10).unwrap();
        let insert = |c: &Connection| c.execute("INSERT INTO t VALUES (1)", []).map_err(unavailable);
        assert!(writer.write(insert, |_| ()).await.is_err());
        assert!(writer.write(insert, |_| ()).await.is_ok());
        assert_eq!(writer.write(count, |_| ()).await, Ok(1));
        drop(writer);
        thread.join().unwrap();
    }
}
