//! The store as a file: one relay per file whatever its names, and clear errors for a wrong file.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use tokio::time::Instant;

use crate::support::letters::letters;
use crate::support::mounts::mounted;
use crate::support::program::{Ended, Program, run, run_after};
use crate::support::{Relay, Setup, payment, start, stripe};

const AT: i64 = 1_700_000_000;

/// The environment of this relay, but with another path of its store.
fn environment(relay: &Relay, store: &Path) -> Vec<(String, String)> {
    let mut environment = relay.setup.environment();
    environment.push(("RELAY_STORE__PATH".to_owned(), store.to_str().unwrap().to_owned()));
    environment
}

/// Starts another relay with the configuration of this one on a store at this path.
async fn another(relay: &Relay, store: &Path) -> Ended {
    let file = relay.file("relay.toml");
    run(&["serve", "--config", file.to_str().unwrap()], &environment(relay, store)).await
}

/// Checks that the relay did not start, and said this.
fn refused(ended: &Ended, said: &[&str]) {
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    for said in said {
        assert!(ended.stderr.contains(said), "{said:?} in {}", ended.stderr);
    }
}

#[tokio::test]
async fn a_second_relay_does_not_start_by_another_name_of_the_file() {
    let (transform, mut relay) = start(Setup::default()).await;
    let file = relay.file("relay.db");
    let folder = relay.file("other");
    std::fs::create_dir(&folder).unwrap();
    let (link, symlink) = (folder.join("relay.db"), folder.join("symlink.db"));
    std::fs::hard_link(&file, &link).unwrap();
    std::os::unix::fs::symlink(&file, &symlink).unwrap();
    for name in [&link, &symlink] {
        refused(&another(&relay, name).await, &["relay.db", "in use by another relay; stop that one"]);
    }
    // The first relay has noticed nothing.
    relay.caught_up(&transform).await;
    relay.terminate().await;

    // Each name would have a WAL of its own, so both names are refused.
    for name in [&link, &file] {
        refused(&another(&relay, name).await, &["relay.db", "2 names (hard links)", "remove the other names"]);
    }
    let copy = relay.file("copy.db");
    let backup = run(&["backup", copy.to_str().unwrap()], &environment(&relay, &link)).await;
    refused(&backup, &["2 names (hard links)"]);
    std::fs::remove_file(&link).unwrap();
    relay.restart().await;
    relay.caught_up(&transform).await;
}

/// Some tools keep the backups of several days as links to one file. None of these names has a WAL that could be missed.
#[tokio::test]
async fn a_backup_with_several_names_is_read_again_and_a_store_is_not() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 1000)).await;
    let folder = relay.file("other");
    std::fs::create_dir(&folder).unwrap();
    let (file, copy) = (relay.file("relay.db"), relay.file("monday.db"));
    let (tuesday, store) = (folder.join("tuesday.db"), folder.join("relay.db"));
    let made = run(&["backup", copy.to_str().unwrap()], &environment(&relay, &file)).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    std::fs::hard_link(&copy, &tuesday).unwrap();
    std::fs::hard_link(&file, &store).unwrap();
    let replay =
        async |path: &Path| run(&["profile", "replay", "stripe", "--store", path.to_str().unwrap()], &[]).await;
    for name in [&copy, &tuesday] {
        let read = replay(name).await;
        assert_eq!(read.code, Some(0), "{read:?}");
        assert!(read.stdout.contains("1 records compared: 0 would differ"), "{read:?}");
    }
    // The relay's last commits are in its WAL, and no other name leads to that WAL.
    for name in [&store, &file] {
        refused(&replay(name).await, &["2 names (hard links)", "remove the other names"]);
    }
    relay.terminate().await;
    refused(&replay(&store).await, &["2 names (hard links)"]);
    assert!(std::fs::read_dir(&folder).unwrap().count() == 2, "nothing is written beside them");
    std::fs::remove_file(&store).unwrap();
    assert_eq!(replay(&file).await.code, Some(0));
}

#[tokio::test]
async fn a_lock_file_that_was_deleted_lets_nobody_in() {
    let (transform, mut relay) = start(Setup::default()).await;
    std::fs::remove_file(relay.file("relay.db.lock")).unwrap();
    refused(&another(&relay, &relay.file("relay.db")).await, &["relay.db is in use by another relay"]);
    relay.caught_up(&transform).await;
    // A killed relay leaves nothing that keeps the next relay out.
    relay.kill().await;
    relay.restart().await;
    relay.caught_up(&transform).await;
}

/// An earlier version locks only the file beside the store.
#[tokio::test]
async fn a_relay_of_an_earlier_version_keeps_this_one_out() {
    let (_transform, mut relay) = start(Setup::default()).await;
    relay.terminate().await;
    let lock = std::fs::File::create(relay.file("relay.db.lock")).unwrap();
    lock.lock().unwrap();
    refused(&another(&relay, &relay.file("relay.db")).await, &["relay.db is in use by another relay"]);
    drop(lock);
    relay.restart().await;
}

#[tokio::test]
async fn a_store_is_mounted_with_its_folder_or_not_at_all() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let (file, alone) = (relay.file("relay.db"), relay.file("alone.db"));
    let folder = relay.file("folder");
    std::fs::write(&alone, "").unwrap();
    std::fs::create_dir(&folder).unwrap();
    let Some(single) = mounted(&file, &alone) else { return };
    let whole = mounted(relay.folder.path(), &folder).unwrap();
    let config = relay.file("relay.toml");
    let serve = ["serve", "--config", config.to_str().unwrap()];
    let through = folder.join("relay.db");

    // Another relay runs on it.
    let in_use = run_after(&single, &serve, &environment(&relay, &alone)).await;
    refused(&in_use, &["alone.db is in use by another relay"]);
    let in_use = run_after(&whole, &serve, &environment(&relay, &through)).await;
    refused(&in_use, &["folder/relay.db is in use by another relay"]);
    relay.terminate().await;

    let refusal = ["alone.db", "mounted without its folder", "mount the folder that it is in"];
    refused(&run_after(&single, &serve, &environment(&relay, &alone)).await, &refusal);
    let copy = relay.file("copy.db");
    let backup = ["backup", copy.to_str().unwrap()];
    refused(&run_after(&single, &backup, &environment(&relay, &alone)).await, &refusal);
    let program = Program::start_after(&whole, &serve, &environment(&relay, &through));
    program.logged(&["listening address="]).await;
}

#[tokio::test]
async fn a_new_store_is_announced_and_one_that_must_exist_is_not_made() {
    let must_exist = |relay: &Relay, store: &Path| {
        let mut environment = environment(relay, store);
        environment.push(("RELAY_STORE__MUST_EXIST".to_owned(), "true".to_owned()));
        environment
    };
    let (transform, mut relay) = start(Setup::default()).await;
    relay.program.logged(&["WARN", "a new store is made", "relay.db", "store.must_exist"]).await;
    relay.terminate().await;
    relay.setup.environment.push(("RELAY_STORE__MUST_EXIST".to_owned(), "true".to_owned()));
    relay.restart().await;
    relay.caught_up(&transform).await;
    assert!(!relay.program.log().contains("a new store is made"), "{}", relay.program.log());
    relay.terminate().await;

    let folder = relay.file("volume");
    std::fs::create_dir(&folder).unwrap();
    let (file, config) = (folder.join("relay.db"), relay.file("relay.toml"));
    let serve = ["serve", "--config", config.to_str().unwrap()];
    let missing = run(&serve, &must_exist(&relay, &file)).await;
    refused(&missing, &["volume/relay.db is missing", "mount its volume, restore a backup"]);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is made");
    // An operator may have made an empty file as a mount point.
    std::fs::write(&file, "").unwrap();
    refused(&run(&serve, &must_exist(&relay, &file)).await, &["volume/relay.db is missing or empty"]);
}

/// SQLite deletes a WAL without its database, but the last acknowledged commits may be in it.
#[tokio::test]
async fn a_wal_without_its_database_is_not_thrown_away() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.kill().await;
    let (file, wal, aside) = (relay.file("relay.db"), relay.file("relay.db-wal"), relay.file("aside"));
    let length = std::fs::metadata(&wal).unwrap().len();
    std::fs::rename(&file, &aside).unwrap();
    refused(&another(&relay, &file).await, &["relay.db-wal is not", "put back the database"]);
    assert_eq!(std::fs::metadata(&wal).unwrap().len(), length);
    std::fs::rename(&aside, &file).unwrap();
    relay.restart().await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Initiated");
}

/// SQLite would bring the WAL into the copy, and spoil the copy.
#[tokio::test]
async fn a_backup_is_not_spoilt_by_a_wal_that_was_left() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let (file, config, copy) = (relay.file("relay.db"), relay.file("relay.toml"), relay.file("copy.db"));
    let backup = ["backup", copy.to_str().unwrap(), "--config", config.to_str().unwrap()];
    assert_eq!(run(&backup, &relay.setup.environment()).await.code, Some(0));
    relay.register("payment", "tx-2", &payment("pi_2", "10")).await;
    relay.kill().await;
    std::fs::copy(&copy, &file).unwrap();
    refused(&another(&relay, &file).await, &["relay.db-wal is another database's", "remove"]);
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(&copy).unwrap());
    std::fs::remove_file(relay.file("relay.db-wal")).unwrap();
    relay.restart().await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Initiated");
}

/// A reader reads for long, again and again. The WAL cannot be shortened meanwhile; it is shortened afterwards.
#[tokio::test]
async fn the_wal_is_shortened_when_a_long_reader_has_gone() {
    const LARGE: u64 = 32 << 20;
    const KEPT: u64 = 24 << 20;
    let (_transform, relay) = start(Setup::silent()).await;
    let wal = || std::fs::metadata(relay.file("relay.db-wal")).unwrap().len();
    let mut event = stripe::event("customer.created", AT, serde_json::json!({"id": "cus_1"}));
    event["data"]["object"]["description"] = letters(900_000).into();
    let mut n = 0;
    for _ in 0..2 {
        let mut reader: Connection = relay.store();
        let reading = reader.transaction().unwrap();
        reading.query_row("SELECT count(*) FROM notifications", [], |row| row.get::<_, i64>(0)).unwrap();
        while wal() <= LARGE {
            n += 1;
            event["id"] = format!("evt_{n}").into();
            assert_eq!(relay.stripe(&event).await, "ignored");
        }
        drop(reading);
        // The first write after the checkpoint that is under way lets the WAL begin anew, and the next one shortens it.
        let patience = Instant::now() + Duration::from_secs(60);
        let mut m = 0;
        while wal() > KEPT {
            assert!(Instant::now() < patience, "{} bytes after {m} writes", wal());
            m += 1;
            relay.put("payment", &format!("tx-{n}-{m}"), &payment(&format!("pi_{n}_{m}"), "10")).await.expect(201);
        }
    }
    assert!(n < 100, "{n} bodies of a megabyte were written");
}
