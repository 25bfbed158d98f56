//! Restores: a copy becomes the store, and what was there is moved aside.

use std::path::PathBuf;

use rusqlite::Connection;

use crate::support::program::{Ended, run};
use crate::support::{Relay, Setup, payment, start, stripe};

const AT: i64 = 1_700_000_000;

async fn command(relay: &Relay, name: &str, file: &str) -> Ended {
    let config = relay.file("relay.toml");
    run(&[name, file, "--config", config.to_str().unwrap()], &relay.setup.environment()).await
}

/// The file names in the relay's folder that have this beginning.
fn named(relay: &Relay, beginning: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(relay.file("relay.db").parent().unwrap()).unwrap();
    let mut found: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(beginning))
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn a_copy_takes_the_place_of_the_store_and_the_former_store_is_kept() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    for n in 0..2 {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
    }
    relay.stripe(&stripe::paid("pi_0", AT, 1000)).await;
    let copy = relay.file("copy.db");
    let copy = copy.to_str().unwrap();
    assert_eq!(command(&relay, "backup", copy).await.code, Some(0));
    let after = jiff::Timestamp::now();
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;

    let running = command(&relay, "restore", copy).await;
    assert_eq!((running.code, running.stdout.as_str()), (Some(74), ""), "{running:?}");
    assert!(running.stderr.contains("a relay runs on "), "{running:?}");
    assert_eq!(relay.record("payment", "tx-1").await["status"], "Succeeded", "nothing has changed");

    // After a kill the latest commits are in the WAL alone.
    relay.kill().await;
    assert!(std::fs::metadata(relay.file("relay.db-wal")).unwrap().len() > 0);
    let restored = command(&relay, "restore", copy).await;
    assert_eq!(restored.code, Some(0), "{restored:?}");
    let since = restored.stdout.split("sent since ").nth(1).unwrap().trim().parse::<jiff::Timestamp>().unwrap();
    assert!(since <= after && after.duration_since(since).as_secs() < 600, "{restored:?}");
    assert!(!relay.file("relay.db-wal").exists() && !relay.file("relay.db-shm").exists());
    assert!(restored.stdout.contains("your payment stack register again"), "{restored:?}");
    let aside = named(&relay, "relay.db.before-");
    let [database, wal] = aside.as_slice() else { panic!("{aside:?}") };
    assert!(wal.to_str().unwrap().ends_with("-wal") && restored.stdout.contains(wal.to_str().unwrap()), "{restored:?}");
    let outcomes = |path: &PathBuf| -> i64 {
        let connection = Connection::open(path).unwrap();
        connection.query_row("SELECT count(*) FROM notifications", [], |row| row.get(0)).unwrap()
    };
    assert_eq!((outcomes(database), outcomes(&relay.file("relay.db"))), (2, 1));

    relay.restart().await;
    assert_eq!(relay.record("payment", "tx-0").await["status"], "Succeeded");
    assert_eq!(relay.record("payment", "tx-1").await["status"], "Initiated", "it came after the copy");
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    assert_eq!(relay.record("payment", "tx-1").await["status"], "Succeeded");
}

#[tokio::test]
async fn what_is_no_sound_copy_is_refused_and_nothing_is_moved() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let path = |name: &str| relay.file(name).to_str().unwrap().to_owned();
    assert_eq!(command(&relay, "backup", &path("copy.db")).await.code, Some(0));
    relay.terminate().await;
    let before = std::fs::read(relay.file("relay.db")).unwrap();
    let other = Connection::open(relay.file("other.db")).unwrap();
    other.execute_batch("CREATE TABLE bookmarks (x)").unwrap();
    drop(other);
    std::fs::write(relay.file("empty.db"), "").unwrap();
    let mut damaged = std::fs::read(relay.file("copy.db")).unwrap();
    damaged.iter_mut().skip(8192).take(60_000).for_each(|byte| *byte = 0x5a);
    std::fs::write(relay.file("damaged.db"), damaged).unwrap();
    let later = path("later.db");
    std::fs::copy(relay.file("copy.db"), &later).unwrap();
    Connection::open(&later).unwrap().pragma_update(None, "user_version", 1000).unwrap();
    std::fs::copy(relay.file("copy.db"), relay.file("split.db")).unwrap();
    std::fs::write(relay.file("split.db-wal"), "x").unwrap();
    for (name, reason) in [
        ("nowhere.db", "No such file"),
        ("other.db", "it is no store of a relay"),
        ("empty.db", "it is no store of a relay"),
        ("damaged.db", "damaged.db cannot be restored: "),
        ("later.db", "it has schema version 1000, and this relay knows up to "),
        ("split.db", "split.db-wal has changes that are not in it"),
        ("relay.db", "it is the store itself"),
    ] {
        let refused = command(&relay, "restore", &path(name)).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(74), ""), "{name}: {refused:?}");
        assert!(
            refused.stderr.contains(reason) && refused.stderr.contains("nothing was restored"),
            "{name}: {refused:?}"
        );
        assert_eq!(std::fs::read(relay.file("relay.db")).unwrap(), before, "{name}");
    }
    assert!(named(&relay, "relay.db.before-").is_empty());
    assert!(named(&relay, "relay.db.unfinished-").is_empty());

    // The store's place has another program's database.
    std::fs::copy(relay.file("other.db"), relay.file("relay.db")).unwrap();
    let refused = command(&relay, "restore", &path("copy.db")).await;
    assert!(refused.code == Some(74) && refused.stderr.contains("it is another program's database"), "{refused:?}");
    std::fs::remove_file(relay.file("relay.db")).unwrap();
    let restored = command(&relay, "restore", &path("copy.db")).await;
    assert!(restored.code == Some(0) && !restored.stdout.contains("earlier store"), "{restored:?}");
}
