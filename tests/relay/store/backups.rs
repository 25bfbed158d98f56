//! Backups: copies of the store that are taken while the relay runs.

use std::os::unix::fs::PermissionsExt;

use rusqlite::Connection;

use crate::support::program::{Program, run};
use crate::support::{Setup, payment, start, stripe};

const AT: i64 = 1_700_000_000;

/// A copy is taken while notifications come in. A relay on the copy has everything that was answered before the copy
/// began, and tells the owed changes.
#[tokio::test]
async fn a_backup_is_taken_while_the_relay_runs_and_can_be_restored() {
    let (transform, mut relay) = start(Setup::silent()).await;
    for n in 0..30 {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
    }
    for n in 0..15 {
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
    }
    let (config, copy) = (relay.file("relay.toml"), relay.file("copy.db"));
    let arguments = ["backup", copy.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let environment = relay.setup.environment();
    let during = async {
        for n in 15..30 {
            relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
        }
    };
    let (ended, ()) = tokio::join!(run(&arguments, &environment), during);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    let again = run(&arguments, &environment).await;
    assert_eq!(again.code, Some(74), "{}", again.stderr);
    assert!(again.stderr.contains("copy.db is there already"), "{}", again.stderr);

    // The disk is lost; the copy takes its place, as the documents describe.
    relay.kill().await;
    for name in ["relay.db-wal", "relay.db-shm"] {
        drop(std::fs::remove_file(relay.file(name)));
    }
    std::fs::rename(&copy, relay.file("relay.db")).unwrap();
    (relay.setup.quiet, relay.setup.max_wait) = ("30ms", "1s");
    relay.restart().await;
    for n in 0..15 {
        assert_eq!(relay.fetched("Payment", &format!("tx-{n}")).await["status"], "Succeeded", "tx-{n}");
        transform.told("payment", &format!("tx-{n}"), 1).await;
    }
    // The PSP sends the notifications again that came after the copy.
    for n in 15..30 {
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
        transform.told("payment", &format!("tx-{n}"), 1).await;
    }
}

#[tokio::test]
async fn a_backup_of_nothing_says_so_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let store = ("RELAY_STORE__PATH".to_owned(), folder.path().join("none.db").to_str().unwrap().to_owned());
    let ended = run(&["backup", copy.to_str().unwrap()], &[store]).await;
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    assert!(ended.stderr.contains("none.db"), "{}", ended.stderr);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A killed backup leaves a file; a running backup has its file locked.
#[tokio::test]
async fn what_a_killed_backup_left_is_removed() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let unfinished = |copy: &str, digit: &str| relay.file(&format!("{copy}.unfinished-{}", digit.repeat(32)));
    let dead = [unfinished("copy.db", "4"), unfinished("copy.db", "a")];
    let (living, other) = (unfinished("copy.db", "5"), unfinished("other.db", "4"));
    // A file with so short a number is no backup.
    let accounts = relay.file("accounts.unfinished-1");
    let journal = relay.file(&format!("copy.db.unfinished-{}-journal", "4".repeat(32)));
    let half = b"SQLite format 3\0 and half of everything";
    for file in dead.iter().chain([&living, &other, &accounts, &journal]) {
        std::fs::write(file, half).unwrap();
    }
    let writes = std::fs::File::open(&living).unwrap();
    writes.lock().unwrap();
    let (config, copy) = (relay.file("relay.toml"), relay.file("copy.db"));
    let arguments = ["backup", copy.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let ended = run(&arguments, &relay.setup.environment()).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(copy.exists() && living.exists() && !other.exists() && !dead.iter().any(|file| file.exists()));
    assert!(!journal.exists());
    // The relay does the same in the folder of its store.
    std::fs::write(&other, half).unwrap();
    relay.terminate().await;
    relay.restart().await;
    relay.program.logged(&["a backup was killed", "other.db.unfinished-4444"]).await;
    assert!(copy.exists() && living.exists() && !other.exists());
    drop(writes);
    relay.terminate().await;
    relay.restart().await;
    assert!(copy.exists() && accounts.exists() && !living.exists());
}

/// A cancelled backup leaves no half of a copy: it would hold payer data.
#[tokio::test]
async fn a_backup_that_is_cancelled_leaves_nothing() {
    let (_transform, relay) = start(Setup::silent()).await;
    // So many rows that the backup is not over before the signal has come.
    let rows = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 50000)
         INSERT INTO attempts (record, version, at, millis, failure) SELECT 1, n, unixepoch() * 1000000, 1, hex(zeroblob(1000)) FROM n";
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    Connection::open(relay.file("relay.db")).unwrap().execute_batch(rows).unwrap();
    let (config, copy) = (relay.file("relay.toml"), relay.file("copy.db"));
    let arguments = ["backup", copy.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let unfinished = || {
        let names = std::fs::read_dir(relay.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.into_iter().any(|name| name.to_str().unwrap().contains("unfinished"))
    };
    let cancelled = async |signal: &str| {
        let backup = Program::start(&arguments, &relay.setup.environment());
        while backup.runs() && !unfinished() {
            tokio::task::yield_now().await;
        }
        backup.signal(signal);
        backup.ended().await
    };
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let mut ended = cancelled(signal).await;
        for _ in 0..5 {
            // On a busy machine the backup may be over before the signal arrives.
            if ended.code == Some(0) {
                std::fs::remove_file(&copy).unwrap();
                ended = cancelled(signal).await;
            }
        }
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.stderr.contains("cancelled") && ended.stderr.contains("copy.db"), "{ended:?}");
        assert!(!copy.exists() && !unfinished());
    }
    let ended = run(&arguments, &relay.setup.environment()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn of_two_backups_to_one_file_one_is_there_and_whole() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let (config, copy) = (relay.file("relay.toml"), relay.file("copy.db"));
    let arguments = ["backup", copy.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let environment = relay.setup.environment();
    let (one, other) = tokio::join!(run(&arguments, &environment), run(&arguments, &environment));
    let mut codes = [one.code, other.code];
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(74)], "{one:?} {other:?}");
    let loser = if one.code == Some(0) { other } else { one };
    assert!(loser.stderr.contains("copy.db is there already"), "{}", loser.stderr);
    let whole = Connection::open(&copy).unwrap();
    assert_eq!(whole.query_row("SELECT count(*) FROM records", [], |row| row.get::<_, i64>(0)), Ok(1));
    let names = std::fs::read_dir(relay.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_str().unwrap().contains("unfinished")));
}
