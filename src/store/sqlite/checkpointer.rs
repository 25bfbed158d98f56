//! Checkpoints: what the WAL holds is brought into the database by a thread and a connection of their own, while the writer goes on.
//! Only the end of it is the writer's: once nearly all of a long WAL is in the database, the WAL is written from its beginning again.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::lock::Lock;

/// The thread that makes checkpoints. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpointer {
    /// None once the thread has to end.
    wake: Option<SyncSender<()>>,
    /// Whether a checkpoint has ended since the writer looked last.
    has_ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread.
    pub(super) fn start(connection: Connection, lock: Arc<Lock>) -> io::Result<Self> {
        let (wake, woken) = sync_channel(1);
        let has_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&has_ended);
        let makes = move || {
            let mut said = false;
            while woken.recv() == Ok(()) {
                match checkpoint(&connection, &lock) {
                    Ok(()) => said = false,
                    Err(error) if !said => {
                        tracing::warn!(
                            %error,
                            "the store's WAL cannot be brought into the store's file; the WAL grows meanwhile, and this is tried again"
                        );
                        said = true;
                    }
                    Err(_) => {}
                }
                ended.store(true, Ordering::Release);
            }
        };
        let thread = std::thread::Builder::new().name("store-checkpoints".into()).spawn(makes)?;
        Ok(Self { wake: Some(wake), has_ended, thread: Some(thread) })
    }

    /// Asks for a checkpoint. One that is under way may end before what was written just now; then another one follows.
    pub(super) fn wake(&self) {
        // A full channel has a request that is not served yet.
        let _ = self.wake.as_ref().map(|wake| wake.try_send(()));
    }

    /// Whether a checkpoint has ended since the last call.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.swap(false, Ordering::Acquire)
    }
}

/// Brings what nobody reads from the WAL any more into the database, and to the disk. SQLite itself syncs the database only once the
/// whole WAL is in it: the writer would then wait until the pages of many checkpoints are on the disk.
fn checkpoint(connection: &Connection, lock: &Lock) -> Result<(), Box<dyn Error>> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    Ok(lock.sync_database()?)
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.wake = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the store's checkpoints has panicked; the WAL has grown since");
        }
    }
}
