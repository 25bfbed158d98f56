//! Disk faults while the relay runs: a 2xx means that the data is stored, and stored data can be read. When the trouble
//! ends, everything goes on.

use std::fs::{File, Permissions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use reqwest::Method;
use rusqlite::Connection;
use serde_json::Value;

use crate::support::program::{run, run_after};
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{
    Gate, PATIENCE, Relay, Reply, Setup, Transform, attempt_in_flight_of, payment, start, stripe, within,
};

const AT: i64 = 1_700_000_000;

/// No file gets longer than this many blocks of 512 bytes: a longer write fails as on a full disk. The WAL reaches that
/// limit. A checkpoint from outside shortens the WAL: that is how these tests make room.
const SMALL_DISK: &str = "ulimit -f 1024";

/// A record and the event that pays it.
fn event(n: usize) -> Value {
    stripe::paid(&format!("pi_{n}"), AT, 1000)
}

/// A relay whose disk is full.
struct Full {
    transform: Transform,
    relay: Relay,
    /// Releases the attempt for tx-1 in flight. It is the only attempt: a write that fits could fail together with
    /// another write.
    gate: Gate,
    /// Records tx-1 to tx-n are paid: that was answered 2xx.
    paid: usize,
    /// Whether the record after them is registered.
    registered: bool,
}

/// Registers and pays records until nothing more fits, not even one page.
async fn full() -> Full {
    let setup = Setup { before: SMALL_DISK.to_owned(), concurrency: 1, ..Setup::default() };
    let (transform, relay, gate) = attempt_in_flight_of(setup, 200).await;
    let mut full = Full { transform, relay, gate, paid: 1, registered: false };
    let relay = &full.relay;
    loop {
        let n = full.paid + 1;
        let put = relay.put("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
        full.registered = put.status == 201;
        if !full.registered || relay.notify("stripe-main", &event(n)).await.status != 200 {
            break;
        }
        full.paid = n;
    }
    assert!(full.paid > 2, "the disk was full before anything was on it");
    // Counting a repetition takes one page, as a readiness probe does.
    while relay.notify("stripe-main", &event(1)).await.status == 200 {}
    full
}

/// The operator makes room.
fn make_room(relay: &Relay) {
    let other = Connection::open(relay.file("relay.db")).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    let blocked: i64 = other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert_eq!(blocked, 0);
}

/// Both writing routes refuse, and the relay says that it is not ready, with the reason.
async fn refuses(relay: &Relay, why: &[&str]) {
    let put = relay.put("payment", "tx-more", &payment("pi_more", "10")).await;
    for reply in [relay.notify("stripe-main", &stripe::paid("pi_more", AT, 1000)).await, put] {
        reply.problem(503);
        assert_eq!(reply.header("retry-after"), "1", "{reply:?}");
    }
    let ready = ready_when(relay, |ready| ready.status == 503).await;
    let store = ready.json()["store"].as_str().unwrap().to_owned();
    assert!(why.iter().any(|why| store.contains(why)), "{store}");
    relay.get("/healthz").await.expect(200);
}

/// The relay answers nothing from a store that may no longer be right.
async fn cannot_be_read(relay: &Relay) {
    relay.fetch("Payment", "tx-1").await.problem(503);
    for path in ["/records/payment/tx-1", "/records/payment/tx-1/history", "/parked", "/dead-letters/notifications"] {
        let request = relay.request(Method::GET, path).bearer_auth(INTEGRATOR_TOKEN);
        relay.send(request).await.problem(503);
    }
}

/// Waits until /readyz says this. A result is kept for a moment, so several requests may be needed.
async fn ready_when(relay: &Relay, said: impl Fn(&Reply) -> bool) -> Reply {
    let asked = async {
        loop {
            let ready = relay.ready().await;
            if said(&ready) {
                return ready;
            }
        }
    };
    within("another answer of /readyz", asked).await
}

/// Everything that was answered 2xx is there and is told.
async fn all_there(transform: &Transform, relay: &Relay, paid: usize) {
    for n in 1..=paid {
        assert_eq!(relay.fetched("Payment", &format!("tx-{n}")).await["status"], "Succeeded");
        transform.told("payment", &format!("tx-{n}"), 1).await;
    }
}

#[tokio::test]
async fn what_does_not_fit_on_the_disk_is_503_and_taken_when_there_is_room() {
    let Full { transform, relay, gate, paid, registered } = full().await;
    refuses(&relay, &["disk I/O error", "full"]).await;
    // Stored records can be read; refused ones left nothing.
    for n in 1..=paid {
        assert_eq!(relay.fetched("Payment", &format!("tx-{n}")).await["status"], "Succeeded");
    }
    let next = paid + 1;
    let known = relay.fetch("Payment", &format!("tx-{next}")).await;
    assert_eq!(known.status, if registered { 200 } else { 404 });
    assert!(!registered || known.json()["status"] == "Initiated", "{known:?}");
    // The success of this webhook cannot be noted now.
    gate.open();
    relay.program.logged(&["the store is in trouble", "record=payment/tx-1 "]).await;

    make_room(&relay);
    // The same relay takes the refused records, and tells the change that it could not note, once.
    let put = relay.put("payment", &format!("tx-{next}"), &payment(&format!("pi_{next}"), "10")).await;
    assert_eq!(put.status, if registered { 200 } else { 201 });
    assert_eq!(relay.stripe(&event(next)).await, "applied");
    all_there(&transform, &relay, next).await;
    ready_when(&relay, |ready| ready.status == 200 && ready.json()["owed"] == 0).await;
    relay.terminate().await;
    assert_eq!(relay.rows().outbox, 0);
    assert!(relay.is_sound());
    for n in 1..=next {
        assert_eq!(transform.count("payment", &format!("tx-{n}")), 1, "told again because of the disk: tx-{n}");
    }
}

/// A probe needs as much room as a notification, so it fails as soon as notifications do.
#[tokio::test]
async fn the_first_probe_of_a_full_disk_says_so() {
    let setup = Setup { before: SMALL_DISK.to_owned(), ..Setup::silent() };
    let (_transform, relay) = start(setup).await;
    let mut n = 0;
    loop {
        n += 1;
        let put = relay.put("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
        if put.status != 201 || relay.notify("stripe-main", &event(n)).await.status != 200 {
            break;
        }
    }
    let ready = relay.get("/readyz").await;
    assert_eq!(ready.status, 503, "{ready:?}");
    make_room(&relay);
    ready_when(&relay, |ready| ready.status == 200).await;
}

#[tokio::test]
async fn a_kill_while_the_disk_is_full_loses_nothing() {
    let Full { transform, mut relay, paid, registered, gate: _gate } = full().await;
    relay.kill().await;
    relay.setup.before = String::new();
    relay.restart().await;
    all_there(&transform, &relay, paid).await;
    let put = relay.put("payment", &format!("tx-{}", paid + 1), &payment(&format!("pi_{}", paid + 1), "10")).await;
    assert_eq!(put.status, if registered { 200 } else { 201 });
    assert_eq!(relay.stripe(&event(paid + 1)).await, "applied", "it was refused");
}

#[tokio::test]
async fn on_a_full_disk_it_does_not_start() {
    let (transform, mut relay) = start(Setup::default()).await;
    relay.terminate().await;
    for file in ["relay.db", "relay.db-wal", "relay.db-shm"] {
        drop(std::fs::remove_file(relay.file(file)));
    }
    let config = relay.file("relay.toml");
    let arguments = ["serve", "--config", config.to_str().unwrap()];
    let no_disk = "ulimit -f 0";
    let ended = run_after(no_disk, &arguments, &relay.setup.environment()).await;
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(ended.stderr.contains("relay.db"), "{}", ended.stderr);
    // The leftover of the probe is no obstacle.
    relay.restart().await;
    relay.caught_up(&transform).await;
}

/// Puts garbage over these pages of a store.
fn overwrite(store: &Path, pages: impl IntoIterator<Item = u64>) {
    let file = File::options().write(true).open(store).unwrap();
    for page in pages {
        file.write_all_at(&[0xA5; 4096], (page - 1) * 4096).unwrap();
    }
}

/// All pages but the first, which has the header and the schema.
fn pages(store: &Path) -> impl Iterator<Item = u64> + use<> {
    2..=std::fs::metadata(store).unwrap().len() / 4096
}

/// Brings everything in a running relay's WAL into its file, and makes the relay forget the pages that it has read.
fn settle_file(relay: &Relay) {
    let other = Connection::open(relay.file("relay.db")).unwrap();
    other.busy_timeout(PATIENCE).unwrap();
    other.execute("UPDATE probe SET at = at + 1", []).unwrap();
    make_room(relay);
}

#[tokio::test]
async fn a_file_that_is_damaged_under_a_running_relay_takes_nothing() {
    let (transform, mut relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.stripe(&event(1)).await, "applied");
    relay.caught_up(&transform).await;
    settle_file(&relay);
    let file = relay.file("relay.db");
    let backup = std::fs::read(&file).unwrap();
    overwrite(&file, pages(&file));

    refuses(&relay, &["malformed"]).await;
    // An unreadable record is not a missing one.
    relay.fetch("Payment", "tx-1").await.problem(503);

    // The operator stops the relay, puts the backup back and starts it again.
    relay.kill().await;
    for name in ["relay.db-wal", "relay.db-shm"] {
        drop(std::fs::remove_file(relay.file(name)));
    }
    std::fs::write(&file, backup).unwrap();
    relay.restart().await;
    all_there(&transform, &relay, 1).await;
    assert_eq!(relay.stripe(&event(1)).await, "repeated");
    relay.caught_up(&transform).await;
}

/// The first page of each table and index of a store.
fn roots(store: &Path) -> Vec<(String, u64)> {
    let store = Connection::open(store).unwrap();
    let mut roots = store.prepare("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 1").unwrap();
    roots.query_map([], |row| Ok((row.get(0)?, row.get::<_, u32>(1)?.into()))).unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn with_a_damaged_file_it_does_not_start() {
    let (transform, mut relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.stripe(&event(1)).await, "applied");
    relay.caught_up(&transform).await;
    relay.terminate().await;
    let (file, config) = (relay.file("relay.db"), relay.file("relay.toml"));
    let backup = std::fs::read(&file).unwrap();
    for (name, page) in roots(&file) {
        overwrite(&file, [page]);
        let ended = run(&["serve", "--config", config.to_str().unwrap()], &relay.setup.environment()).await;
        assert_eq!(ended.code, Some(74), "{name}: {}", ended.stderr);
        assert!(ended.stderr.contains("relay.db"), "{name}: {}", ended.stderr);
        std::fs::write(&file, &backup).unwrap();
    }
    relay.restart().await;
    assert_eq!(relay.stripe(&event(1)).await, "repeated");
    relay.caught_up(&transform).await;
}

/// One table of several: the probe's own page is sound.
#[tokio::test]
async fn a_relay_that_cannot_take_notifications_says_so() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.caught_up(&transform).await;
    settle_file(&relay);
    let file = relay.file("relay.db");
    let (_, records) = roots(&file).into_iter().find(|(name, _)| name == "records").unwrap();
    overwrite(&file, [records]);
    relay.notify("stripe-main", &event(1)).await.problem(503);
    ready_when(&relay, |ready| ready.status == 503).await;
}

/// A large change succeeds where no temporary file can be made: its undo data is in memory.
#[tokio::test]
async fn without_a_folder_for_temporary_files_large_work_is_done() {
    // Not even root can make a file in /proc, the first folder that SQLite tries here.
    let nowhere = ("SQLITE_TMPDIR".to_owned(), "/proc".to_owned());
    let (transform, relay) = start(Setup { environment: vec![nowhere], ..Setup::default() }).await;
    for n in 0..120 {
        let failed = stripe::declined("pi_1", AT - 1 - n, 1000, "do_not_honor");
        assert_eq!(relay.stripe(&failed).await, "parked");
    }
    assert_eq!(relay.stripe(&event(1)).await, "parked");
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    all_there(&transform, &relay, 1).await;
    assert_eq!(relay.rows().parked, 0);
}

/// The store is deleted under the relay, or another is put in its place: everything that the relay wrote into its open
/// file would be lost with it.
#[tokio::test]
async fn a_store_that_was_removed_takes_nothing() {
    let (transform, mut relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.caught_up(&transform).await;
    for replaced in [false, true] {
        let aside = relay.file("aside.db");
        std::fs::rename(relay.file("relay.db"), &aside).unwrap();
        if replaced {
            std::fs::copy(&aside, relay.file("relay.db")).unwrap();
        }
        refuses(&relay, &[if replaced { "relay.db was replaced" } else { "relay.db is gone" }]).await;
        // The replacement may be newer: a read from the open file would be out of date.
        cannot_be_read(&relay).await;
        std::fs::rename(&aside, relay.file("relay.db")).unwrap();
        ready_when(&relay, |ready| ready.status == 200).await;
    }
    // Somebody may restore a backup without stopping the relay: the copy is written over the store.
    let (config, copy) = (relay.file("relay.toml"), relay.file("copy.db"));
    let arguments = ["backup", copy.to_str().unwrap(), "--config", config.to_str().unwrap()];
    assert_eq!(run(&arguments, &relay.setup.environment()).await.code, Some(0));
    let whole = std::fs::read(relay.file("relay.db")).unwrap();
    std::fs::write(relay.file("relay.db"), std::fs::read(&copy).unwrap()).unwrap();
    refuses(&relay, &["was written over"]).await;
    cannot_be_read(&relay).await;
    std::fs::write(relay.file("relay.db"), whole).unwrap();
    ready_when(&relay, |ready| ready.status == 200).await;
    // The last commits are in the WAL only, and other processes find them by its index.
    for name in ["relay.db-wal", "relay.db-shm"] {
        std::fs::rename(relay.file(name), relay.file("aside")).unwrap();
        refuses(&relay, &[&format!("{name} is gone")]).await;
        std::fs::copy(relay.file("aside"), relay.file(name)).unwrap();
        ready_when(&relay, |ready| ready.text.contains(&format!("{name} was replaced"))).await;
        std::fs::rename(relay.file("aside"), relay.file(name)).unwrap();
        ready_when(&relay, |ready| ready.status == 200).await;
    }
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Initiated");
    assert_eq!(relay.stripe(&event(1)).await, "applied");
    relay.kill().await;
    relay.restart().await;
    all_there(&transform, &relay, 1).await;
}

/// The WAL is cut under the relay. SQLite would go on behind the hole, and a restart would not find the commits there.
#[tokio::test]
async fn a_wal_that_was_cut_takes_nothing_more() {
    for left in [0, 2] {
        let (transform, mut relay) = start(Setup::default()).await;
        relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
        relay.caught_up(&transform).await;
        settle_file(&relay);
        assert_eq!(relay.stripe(&event(1)).await, "applied");
        relay.caught_up(&transform).await;
        let wal = File::options().write(true).open(relay.file("relay.db-wal")).unwrap();
        wal.set_len(wal.metadata().unwrap().len() * left / 3).unwrap();
        refuses(&relay, &["relay.db-wal was cut", "disk I/O error"]).await;
        // The cut-off commits are lost. New notifications get 503 until a restart, and are kept then.
        relay.notify("stripe-main", &event(1)).await.problem(503);
        relay.terminate().await;
        relay.restart().await;
        assert!(relay.is_sound());
        relay.put("payment", "tx-2", &payment("pi_2", "10")).await.expect(201);
        assert_eq!(relay.stripe(&event(2)).await, "applied");
        relay.kill().await;
        relay.restart().await;
        assert_eq!(relay.fetched("Payment", "tx-2").await["status"], "Succeeded");
    }
}

/// Makes a file or folder read-only, and restores its permissions at the end.
struct ReadOnly(PathBuf, Permissions);

impl ReadOnly {
    fn make(path: PathBuf) -> Self {
        let before = std::fs::metadata(&path).unwrap().permissions();
        let mut after = before.clone();
        after.set_readonly(true);
        std::fs::set_permissions(&path, after).unwrap();
        Self(path, before)
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        drop(std::fs::set_permissions(&self.0, self.1.clone()));
    }
}

/// A running relay has its files open and goes on; the next start names the mistake.
#[tokio::test]
async fn a_store_that_becomes_read_only_is_noticed_at_the_next_start() {
    let (transform, mut relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let read_only = [relay.folder.path().to_owned(), relay.file("relay.db")].map(ReadOnly::make);
    assert_eq!(relay.stripe(&event(1)).await, "applied");
    all_there(&transform, &relay, 1).await;
    relay.caught_up(&transform).await;
    relay.terminate().await;
    // Permissions do not bind root.
    if File::options().append(true).open(relay.file("relay.db")).is_err() {
        let config = relay.file("relay.toml");
        let ended = run(&["serve", "--config", config.to_str().unwrap()], &relay.setup.environment()).await;
        assert_eq!(ended.code, Some(74), "{}", ended.stderr);
        assert!(ended.stderr.contains("relay.db"), "{}", ended.stderr);
    }
    drop(read_only);
    relay.restart().await;
    assert_eq!(relay.stripe(&event(1)).await, "repeated");
    relay.caught_up(&transform).await;
}
