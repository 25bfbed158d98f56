//! What needs millions of rows: the memory of what is owed, a start with a million debts, and ingest and reads beside ten million
//! notifications.
//!
//! Records, their registrations and one notification of each come in through the relay's routes. The further notifications are copies
//! in SQL, made while the relay does not run: each has an id, a dedupe key and a hash of its own. Their histories are not copied.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use rusqlite::Connection;
use tokio::time::Instant;

use super::figure::{Figure, Goal, ratios};
use super::hooks::Hooks;
use super::ingest::RECORDS;
use super::process;
use super::relay::{Options, Relay};
use super::rounds::{Contestant, Feed, in_turns};
use super::stage::{Stage, saturated};
use super::wire::{Notifications, Requests, reads, registrations};
use crate::proof::stand_in::database;

/// The notifications of each record.
const EACH: usize = 10;
/// The disk in bytes that a record needs with its notifications.
const ROOM: u64 = 32_000;
/// The requests that are made at once.
const PIECE: usize = 50_000;
/// The longest time for such a piece, and for a first webhook.
const PATIENCE: Duration = Duration::from_secs(600);
/// The longest search. A relay that has searched all of a small file before it listens does not search again.
const SEARCH_MAX: Duration = Duration::from_secs(12);
/// The time between two looks at a log.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The debounce of the relay that is started with its debts, in milliseconds.
const QUICK: (u64, u64) = (100, 1_000);

/// Measures a store with this many records.
pub(super) async fn measure(stage: &mut Stage, records: usize) -> anyhow::Result<()> {
    has_room(&stage.folder, records)?;
    let hooks = Hooks::listen()?;
    let silent = Options::silent(hooks.address());
    let folder = stage.folder.join("full");
    let full = Relay::start(&stage.program, folder.clone(), silent, 0).await?;
    let mut notifications = Notifications::of(records)?;
    owed(stage, &full, &mut notifications, records).await?;
    started(stage, full, &hooks).await?;
    let copied = copies(&folder, records * EACH).context("the notifications cannot be copied")?;
    stage.figure(Figure::of("fullNotifications", "notifications in the full store", "", &[copied as f64]));
    let full = searched(&stage.program, folder, silent).await?;
    let empty = Relay::start(&stage.program, stage.folder.join("empty"), silent, RECORDS).await?;
    beside(stage, &full, &empty, notifications, records).await
}

fn has_room(folder: &Path, records: usize) -> anyhow::Result<()> {
    let room = rustix::fs::statvfs(folder).context("the disk cannot be asked for its room")?;
    let (free, needed) = (room.f_bavail.saturating_mul(room.f_frsize), ROOM.saturating_mul(records as u64));
    ensure!(free > needed, "--full needs {needed} bytes of disk in {}, and {free} are free", folder.display());
    Ok(())
}

/// Sends all of these requests.
async fn all(relay: &Relay, requests: Requests) -> anyhow::Result<()> {
    let many = requests.len();
    let window = saturated(relay.address, requests, PATIENCE).send().await?;
    ensure!(window.answered == many, "{} of {many} requests were answered with 2xx", window.answered);
    Ok(())
}

/// Registers the records and notifies of each. Nobody is told.
async fn owed(
    stage: &mut Stage,
    relay: &Relay,
    notifications: &mut Notifications,
    records: usize,
) -> anyhow::Result<()> {
    let pieces = (0..records).step_by(PIECE).map(|from| from..(from + PIECE).min(records));
    for piece in pieces.clone() {
        all(relay, registrations(piece)).await?;
    }
    let memory = || Ok::<_, anyhow::Error>(process::memory(relay.pid()?).map(|bytes| bytes as f64));
    let before = memory()?;
    for piece in pieces {
        all(relay, notifications.next(piece.len())?).await?;
    }
    let grown: Vec<_> =
        memory()?.zip(before).map(|(now, before)| (now - before) / records as f64).into_iter().collect();
    let debts = relay.counted("SELECT count(*) FROM outbox")?;
    stage.count("records that were notified of, and are owed", records, debts);
    stage.figure(
        Figure::of("memoryPerOwed", "memory of the relay for an owed record", "B", &grown).goal(Goal::AtMost(200.0)),
    );
    Ok(())
}

/// Starts the relay with its debts. Measures the time until Transform is told of the first one.
async fn started(stage: &mut Stage, relay: Relay, hooks: &Hooks) -> anyhow::Result<()> {
    relay.stop().await?;
    let (folder, seen) = (stage.folder.join("full"), hooks.count());
    let began = Instant::now();
    let options = Options { transform: hooks.address(), debounce: QUICK };
    let relay = Relay::again(&stage.program, folder, options).await?;
    let listens = began.elapsed();
    hooks.until(seen + 1, PATIENCE).await?;
    let (at, _) = hooks.after(seen).into_iter().next().ok_or_else(|| anyhow!("no webhook came"))?;
    let first = at.saturating_duration_since(began);
    let millis = |time: Duration| [time.as_secs_f64() * 1e3];
    stage.figure(Figure::of("owedStart", "a start with all records owed, until it listens", "ms", &millis(listens)));
    let name = "  until the first webhook";
    stage.figure(Figure::of("owedStartToWebhook", name, "ms", &millis(first)).goal(Goal::AtMost(5_000.0)));
    relay.stop().await
}

/// Starts the relay, and waits while it searches its file for damage: that takes a processor beside its work.
async fn searched(program: &Path, folder: PathBuf, options: Options) -> anyhow::Result<Relay> {
    let log = || std::fs::read_to_string(folder.join("relay.log")).unwrap_or_default();
    let before = log().len();
    let relay = Relay::again(program, folder.clone(), options).await?;
    let until = Instant::now() + SEARCH_MAX;
    while Instant::now() < until && !log().get(before..).unwrap_or_default().contains("no damage was seen") {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(relay)
}

/// Copies the notifications of a store until there are this many. Returns their number.
fn copies(folder: &Path, wanted: usize) -> anyhow::Result<i64> {
    let connection = Connection::open(database(folder))?;
    // Nobody else has the store now, and a copy that fails is thrown away.
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000")?;
    let mut columns = connection.prepare("SELECT name FROM pragma_table_info('notifications')")?;
    let columns: Vec<String> = columns.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let values = columns.iter().map(|column| match column.as_str() {
        // An id begins with its time.
        "id" => "CAST(substr(id, 1, 6) || randomblob(10) AS BLOB)".to_owned(),
        "dedupe_key" | "body_hash" => "randomblob(16)".to_owned(),
        // The checksum of the original is not the copy's.
        "sum" => "NULL".to_owned(),
        other => other.to_owned(),
    });
    let (names, values) = (columns.join(", "), values.collect::<Vec<_>>().join(", "));
    let copy =
        format!("INSERT INTO notifications ({names}) SELECT {values} FROM notifications WHERE rowid <= ?1 LIMIT ?2");
    let count = || connection.query_row("SELECT count(*) FROM notifications", [], |row| row.get::<_, i64>(0));
    let (originals, wanted) = (count()?, i64::try_from(wanted)?);
    let mut there = originals;
    while there < wanted {
        let copied = connection.execute(&copy, [originals, wanted - there])?;
        ensure!(copied > 0, "there is nothing to copy");
        there += i64::try_from(copied)?;
    }
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL")?;
    Ok(count()?)
}

/// Ingest and reads of the full relay beside an empty one.
async fn beside(
    stage: &mut Stage,
    full: &Relay,
    empty: &Relay,
    notifications: Notifications,
    records: usize,
) -> anyhow::Result<()> {
    let few = Feed::Notifications(Notifications::of(RECORDS)?);
    let (many_reads, few_reads) = (reads(spread(records)), reads(spread(RECORDS)));
    let mut all = [
        Contestant::begin("ingest into the full store", full.address, full.pid()?, Feed::Notifications(notifications))
            .await?,
        Contestant::begin("ingest into the empty store", empty.address, empty.pid()?, few).await?,
        Contestant::begin("reads of the full store", full.address, full.pid()?, Feed::Same(many_reads)).await?,
        Contestant::begin("reads of the empty store", empty.address, empty.pid()?, Feed::Same(few_reads)).await?,
    ];
    in_turns(stage, &mut all).await?;
    let rates: Vec<_> = all.iter().map(Contestant::rates).collect();
    if let [full_ingest, empty_ingest, full_read, empty_read] = rates.as_slice() {
        let figures = [
            (
                "fullIngestToEmpty",
                "ingest into the full store ÷ into an empty one",
                ratios(full_ingest, empty_ingest),
                0.8,
            ),
            ("fullReadToEmpty", "reads of the full store ÷ of an empty one", ratios(full_read, empty_read), 0.9),
        ];
        for (key, name, ratios, least) in figures {
            stage.figure(Figure::of(key, name, "", &ratios).goal(Goal::AtLeast(least)));
        }
    }
    Ok(())
}

/// Records from all over a store, at most ten thousand.
fn spread(records: usize) -> impl Iterator<Item = usize> {
    (0..records).step_by((records / 10_000).max(1))
}
