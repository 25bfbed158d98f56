//! The rig of the fault tests: a store whose engine fails at the point that a test names, by hooks of SQLite.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use rusqlite::hooks::{AuthAction, Authorization, TransactionOperation};
use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::super::connection;
use super::super::readers::Readers;
use super::super::store::Store;
use super::super::writer::Writer;
use super::work::Work;
use crate::domain::due::Debounce;
use crate::store::{Keep, ParkedLimits, StoreError, StoreOptions, Wake};

/// A point in a piece of work: an action of a statement on a table, or the end of the savepoint.
pub(super) type Point = (&'static str, String);

/// A fault in one piece of work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// No fault; only the points are noted.
    None,
    /// The engine refuses the first statement with this point.
    Deny(Point),
    /// The engine refuses the first statement with this point, and then refuses to roll back to the savepoint.
    DenyAndKeep(Point),
    /// The engine breaks off at the n-th of its own steps. Within a statement that writes, it rolls the whole
    /// transaction back, as on a full disk.
    Interrupt(u32),
}

/// A fault that happens once, to the group of a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupFault {
    /// BEGIN is refused.
    Begin,
    /// COMMIT is refused.
    Commit,
    /// COMMIT is refused, and so is the ROLLBACK after it.
    CommitAndRollback,
    /// The commit hook turns COMMIT into a rollback.
    Hook,
}

/// The statements that the hooks look at.
#[derive(Debug, Default, PartialEq, Eq)]
enum Phase {
    /// No statements.
    #[default]
    Idle,
    /// The statements of the next piece of work, from its savepoint on.
    Arming,
    /// The statements of this piece of work.
    Armed,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    fault: Option<Fault>,
    points: BTreeSet<Point>,
    steps: u32,
    group: Vec<&'static str>,
    commits: u32,
}

impl State {
    /// The authorizer. SQLite asks it about each action of a statement when it prepares the statement.
    fn allows(&mut self, action: AuthAction<'_>) -> bool {
        if let AuthAction::Transaction { operation } = action {
            return !self.refuses(match operation {
                TransactionOperation::Begin => "BEGIN",
                TransactionOperation::Rollback => "ROLLBACK",
                _ => "COMMIT",
            });
        }
        let Some(point) = point(action) else { return true };
        let (begins, savepoint) = (point.1 == "BEGIN", point.0 == "SAVEPOINT");
        if self.phase == Phase::Arming && savepoint && begins {
            self.phase = Phase::Armed;
        }
        if self.phase != Phase::Armed {
            return true;
        }
        let denied = match &self.fault {
            Some(Fault::Deny(denied)) => *denied == point,
            Some(Fault::DenyAndKeep(denied)) => *denied == point || savepoint && point.1 == "ROLLBACK",
            _ => false,
        };
        if savepoint && (denied || !begins) {
            self.phase = Phase::Idle;
        }
        self.points.insert(point);
        !denied
    }

    /// Whether this is the next action of a group to be refused.
    fn refuses(&mut self, what: &str) -> bool {
        let refuses = self.group.first().is_some_and(|next| *next == what);
        if refuses {
            self.group.remove(0);
        }
        refuses
    }

    /// The progress handler. SQLite asks it between its steps whether to break off.
    fn interrupts(&mut self) -> bool {
        if self.phase == Phase::Armed {
            self.steps += 1;
        }
        self.phase == Phase::Armed && self.fault == Some(Fault::Interrupt(self.steps))
    }
}

fn point(action: AuthAction<'_>) -> Option<Point> {
    Some(match action {
        AuthAction::Insert { table_name } => ("INSERT", table_name.to_owned()),
        AuthAction::Update { table_name, .. } => ("UPDATE", table_name.to_owned()),
        AuthAction::Delete { table_name } => ("DELETE", table_name.to_owned()),
        AuthAction::Read { table_name, .. } => ("READ", table_name.to_owned()),
        AuthAction::Savepoint { operation: TransactionOperation::Begin, .. } => ("SAVEPOINT", "BEGIN".to_owned()),
        AuthAction::Savepoint { operation: TransactionOperation::Release, .. } => ("SAVEPOINT", "RELEASE".to_owned()),
        AuthAction::Savepoint { .. } => ("SAVEPOINT", "ROLLBACK".to_owned()),
        _ => return None,
    })
}

/// Two events may be parked, and nothing is kept for longer than [`KEPT_S`].
fn options(path: PathBuf) -> StoreOptions {
    let kept = Duration::from_secs(KEPT_S);
    StoreOptions {
        path,
        must_exist: false,
        debounce: Debounce { quiet: Duration::from_millis(500), max_wait: Duration::from_secs(5) },
        max_waiting: 100,
        parked: ParkedLimits { per_source: 2, max_age: kept },
        keep: Keep {
            notifications: kept,
            dead_letters: kept,
            dead_letters_size: u64::MAX,
            attempts: kept,
            history: kept,
        },
    }
}

/// How long anything is kept, in seconds.
pub(super) const KEPT_S: u64 = 100_000;

/// A store, and a view of it from outside.
pub(super) struct Rig {
    store: Store,
    state: Arc<Mutex<State>>,
    woken: Arc<Mutex<Vec<String>>>,
    outside: Connection,
    _folder: TempDir,
}

impl Rig {
    /// A store with this history.
    pub(super) async fn new(history: &[Work]) -> Self {
        // The tests make some thousand stores. In a folder in memory, if there is one, they do not wait for a disk.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let path = folder.path().join("relay.db");
        let state = Arc::new(Mutex::new(State::default()));
        let mut opened = connection::open(&path, false).unwrap();
        // Power does not fail here, and the tests wait for many commits.
        opened.connection.pragma_update(None, "synchronous", "OFF").unwrap();
        hook(&mut opened.connection, &state);
        let files = Arc::new(opened.files);
        let (writer, thread) = Writer::start(opened.connection, Arc::clone(&files), None, None, 100).unwrap();
        // Each decision is written in a savepoint of its own, where a fault can hit it.
        writer.be_cautious(u32::MAX);
        let woken = Arc::<Mutex<Vec<String>>>::default();
        let wake = Arc::clone(&woken);
        let store = Store {
            writer,
            thread,
            readers: Readers::new(path.clone(), files, Arc::new(opened.lock)),
            options: std::sync::Arc::new(arc_swap::ArcSwap::from_pointee(options(path.clone()))),
            damage: Mutex::default(),
            standing: Mutex::default(),
            searched: true,
            wake: Wake::new(move |owed| lock(&wake).push(format!("{owed:?}"))),
        };
        let outside = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let rig = Self { store, state, woken, outside, _folder: folder };
        for work in history {
            rig.run(work).await.unwrap_or_else(|error| panic!("{error}: {work:?}"));
        }
        rig.woken();
        rig
    }

    /// Does a piece of work. Returns the result as text.
    pub(super) async fn run(&self, work: &Work) -> Result<String, String> {
        work.clone().run(&self.store).await
    }

    /// Does a piece of work with this fault.
    pub(super) async fn run_with(&self, fault: Fault, work: &Work) -> Result<String, String> {
        self.arm(fault).await;
        let told = self.run(work).await;
        lock(&self.state).phase = Phase::Idle;
        told
    }

    /// Does all three works in one group; the fault happens in the second one.
    pub(super) async fn group(&self, fault: Fault, works: [&Work; 3]) -> [Result<String, String>; 3] {
        let [before, work, after] = works;
        let (entered, inside) = oneshot::channel();
        let (open, gate) = mpsc::channel();
        // While this work keeps the writer busy, all other work queues up, and becomes one group.
        let busy = move |_: &Connection| -> Result<(), StoreError> {
            entered.send(()).unwrap();
            gate.recv().unwrap();
            Ok(())
        };
        let queued = async {
            inside.await.unwrap();
            let commits = lock(&self.state).commits;
            let told = tokio::join!(
                biased;
                self.run(before),
                self.arm(fault),
                self.run(work),
                self.run(after),
                async { open.send(()).unwrap() }
            );
            assert!(lock(&self.state).commits <= commits + 2, "it was one group");
            [told.0, told.2, told.3]
        };
        let (held, told) = tokio::join!(biased; self.store.writer.write(busy, |()| ()), queued);
        held.unwrap();
        lock(&self.state).phase = Phase::Idle;
        told
    }

    /// Makes this fault happen once, from here on.
    pub(super) fn break_group(&self, fault: GroupFault) {
        lock(&self.state).group = match fault {
            GroupFault::Begin => vec!["BEGIN"],
            GroupFault::Commit => vec!["COMMIT"],
            GroupFault::CommitAndRollback => vec!["COMMIT", "ROLLBACK"],
            GroupFault::Hook => vec!["hook"],
        };
    }

    /// Whether the fault of [`Self::break_group`] has happened.
    pub(super) fn broken(&self) -> bool {
        lock(&self.state).group.is_empty()
    }

    /// Makes this fault happen in the next piece of work.
    async fn arm(&self, fault: Fault) {
        let state = Arc::clone(&self.state);
        let armed = self.store.writer.write(
            move |connection| {
                // The authorizer is asked when a statement is prepared, so that no statement may be prepared already.
                connection.flush_prepared_statement_cache();
                let mut state = lock(&state);
                (state.phase, state.fault, state.steps) = (Phase::Arming, Some(fault), 0);
                state.points.clear();
                Ok::<(), StoreError>(())
            },
            |()| (),
        );
        // In a group that is rolled back, this work gets an error too.
        drop(armed.await);
    }

    /// The points of the last piece of work that was looked at.
    pub(super) fn points(&self) -> BTreeSet<Point> {
        lock(&self.state).points.clone()
    }

    /// The number of the engine's steps in the last piece of work that was looked at.
    pub(super) fn steps(&self) -> u32 {
        lock(&self.state).steps
    }

    /// The records that were woken since the last call.
    pub(super) fn woken(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.woken))
    }

    /// The names of all tables.
    pub(super) fn tables(&self) -> Vec<String> {
        let mut names = self
            .outside
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
            .unwrap();
        names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    /// The whole content of the store: every column of every row of every table.
    pub(super) fn dump(&self) -> String {
        let mut dump = String::new();
        for table in self.tables() {
            let mut rows = self.outside.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
            let columns = rows.column_count();
            let row = |row: &rusqlite::Row<'_>| (0..columns).map(|n| row.get(n)).collect::<Result<Vec<Value>, _>>();
            let mut lines: Vec<_> = rows.query_map([], row).unwrap().map(|row| format!("{:?}", row.unwrap())).collect();
            lines.sort();
            dump.extend(lines.into_iter().map(|line| format!("{table}: {line}\n")));
        }
        dump
    }
}

fn hook(connection: &mut Connection, state: &Arc<Mutex<State>>) {
    let shared = Arc::clone(state);
    let authorizer = move |asked: rusqlite::hooks::AuthContext<'_>| match lock(&shared).allows(asked.action) {
        true => Authorization::Allow,
        false => Authorization::Deny,
    };
    connection.authorizer(Some(authorizer)).unwrap();
    let shared = Arc::clone(state);
    connection.progress_handler(1, Some(move || lock(&shared).interrupts())).unwrap();
    let shared = Arc::clone(state);
    let refuse = move || {
        let mut state = lock(&shared);
        state.commits += 1;
        state.refuses("hook")
    };
    connection.commit_hook(Some(refuse)).unwrap();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
