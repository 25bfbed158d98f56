//! Files beside the store, and files that are no store: the relay examines them before it changes anything.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rusqlite::Connection;

use crate::support::mounts::mounted;
use crate::support::program::{Ended, run, run_after};
use crate::support::{Relay, Setup, payment, start};

/// The arguments and variables for a command on a store at this path.
async fn on(relay: &Relay, command: &[&str], store: &Path) -> Ended {
    on_after("", relay, command, store).await
}

async fn on_after(before: &str, relay: &Relay, command: &[&str], store: &Path) -> Ended {
    let config = relay.file("relay.toml");
    let mut environment = relay.setup.environment();
    environment.push(("RELAY_STORE__PATH".to_owned(), store.to_str().unwrap().to_owned()));
    run_after(before, &[command, &["--config", config.to_str().unwrap()]].concat(), &environment).await
}

fn refused(ended: &Ended, said: &[&str]) {
    assert_eq!(ended.code, Some(74), "{}", ended.stderr);
    for said in said {
        assert!(ended.stderr.contains(said), "{said:?} in {}", ended.stderr);
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The journal that a killed first start leaves. Undoing that start leaves an empty file.
fn journal_of_nothing() -> Vec<u8> {
    let magic = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    let numbers: [u32; 5] = [0, 4711, 0, 512, 4096];
    let mut journal: Vec<u8> = magic.into_iter().chain(numbers.into_iter().flat_map(u32::to_be_bytes)).collect();
    journal.resize(512, 0);
    journal
}

/// With this journal SQLite would undo everything in the copy.
#[tokio::test]
async fn a_backup_is_not_undone_by_a_journal_that_was_left() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let (file, copy, journal) = (relay.file("relay.db"), relay.file("copy.db"), relay.file("relay.db-journal"));
    assert_eq!(on(&relay, &["backup", copy.to_str().unwrap()], &file).await.code, Some(0));
    relay.terminate().await;
    std::fs::copy(&copy, &file).unwrap();
    std::fs::write(&journal, journal_of_nothing()).unwrap();
    refused(&on(&relay, &["serve"], &file).await, &["relay.db-journal would change it", "remove", "quick_check"]);
    let again = relay.file("again.db");
    refused(&on(&relay, &["backup", again.to_str().unwrap()], &file).await, &["relay.db-journal is not empty"]);
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(&copy).unwrap());
    std::fs::remove_file(&journal).unwrap();
    relay.restart().await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Initiated");
    relay.terminate().await;
    // The relay's own journal, left by a killed first start, does no harm.
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&journal, journal_of_nothing()).unwrap();
    relay.restart().await;
}

/// All bytes and companions of another program's database stay as they were.
#[tokio::test]
async fn another_programs_database_is_not_changed() {
    let (_transform, relay) = start(Setup::silent()).await;
    let folder = relay.file("others");
    std::fs::create_dir(&folder).unwrap();
    let (file, copy) = (folder.join("bookmarks.db"), relay.file("copy.db"));
    for made in ["CREATE TABLE bookmarks (x)", "CREATE TABLE bookmarks (x); PRAGMA user_version = 3"] {
        drop(std::fs::remove_file(&file));
        Connection::open(&file).unwrap().execute_batch(made).unwrap();
        let before = std::fs::read(&file).unwrap();
        refused(&on(&relay, &["serve"], &file).await, &["bookmarks.db", "another program's database", "store.path"]);
        let backup = on(&relay, &["backup", copy.to_str().unwrap()], &file).await;
        refused(&backup, &["bookmarks.db", "no store of a relay"]);
        let names = ["profile", "replay", "stripe", "--store", file.to_str().unwrap()];
        let replay = run(&names, &[]).await;
        refused(&replay, &["bookmarks.db", "no store of a relay"]);
        assert_eq!(std::fs::read(&file).unwrap(), before, "{made}");
        let mut left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["bookmarks.db", "bookmarks.db.lock"]);
    }
    // A copy of an empty file is no copy.
    std::fs::write(&file, "").unwrap();
    refused(&on(&relay, &["backup", copy.to_str().unwrap()], &file).await, &["no store of a relay"]);
    assert!(!copy.exists());
}

/// SQLite takes a name that begins with `file:` for a URI.
#[tokio::test]
async fn a_name_that_begins_with_file_is_a_name() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let there = format!("cd {}", relay.folder.path().display());
    let file = relay.file("relay.db");
    assert_eq!(on_after(&there, &relay, &["backup", ":memory:"], &file).await.code, Some(0));
    assert!(relay.file(":memory:").exists());
    for name in ["file:copy.db", "file:copy.db?mode=memory"] {
        let backup = on_after(&there, &relay, &["backup", name], &file).await;
        assert_eq!(backup.code, Some(0), "{name}: {}", backup.stderr);
        // The name and the content are both read as a whole.
        let again = on_after(&there, &relay, &["backup", &format!("{name}.again")], Path::new(name)).await;
        assert_eq!(again.code, Some(0), "{name}: {}", again.stderr);
        let whole = Connection::open(relay.file(&format!("{name}.again"))).unwrap();
        assert_eq!(whole.query_row("SELECT count(*) FROM records", [], |row| row.get::<_, i64>(0)), Ok(1), "{name}");
    }
}

/// Anybody who can open the lock file can lock it, and keep every relay out.
#[tokio::test]
async fn the_lock_file_is_the_operators_alone() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    let (lock, file) = (relay.file("relay.db.lock"), relay.file("relay.db"));
    assert_eq!(mode(&lock), 0o600);
    relay.terminate().await;
    set_mode(&lock, 0o644);
    relay.restart().await;
    assert_eq!(mode(&lock), 0o600, "one that an earlier version made");
    relay.terminate().await;
    // The link's target is not the relay's file, so its mode stays.
    let other = relay.file("other");
    std::fs::write(&other, "").unwrap();
    set_mode(&other, 0o644);
    std::fs::remove_file(&lock).unwrap();
    std::os::unix::fs::symlink(&other, &lock).unwrap();
    relay.restart().await;
    assert_eq!(mode(&other), 0o644);
    // Anybody who can read the store itself can lock it.
    set_mode(&file, 0o604);
    let check = on(&relay, &["check"], &file).await;
    assert!(check.stdout.contains("not safe: store.path: everybody on this machine can read"), "{}", check.stdout);
    relay.terminate().await;
    relay.restart().await;
    relay.program.logged(&["WARN", "not safe: store.path", "relay.db"]).await;
}

#[tokio::test]
async fn a_backup_takes_no_name_of_the_stores_own_files() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.terminate().await;
    let file = relay.file("relay.db");
    for end in ["-journal", "-wal", "-shm", ".lock", ".control"] {
        let name = relay.file(&format!("relay.db{end}"));
        drop(std::fs::remove_file(&name));
        let backup = on(&relay, &["backup", name.to_str().unwrap()], &file).await;
        refused(&backup, &[&format!("relay.db{end}"), "belongs to the store itself; give the copy another"]);
        assert!(end == "-wal" || end == "-shm" || !name.exists(), "{end}");
    }
    relay.restart().await;
}

#[tokio::test]
async fn a_name_that_is_too_long_is_said_to_be() {
    let (_transform, relay) = start(Setup::silent()).await;
    let file = relay.file("relay.db");
    let name = |length: usize| relay.file(&"n".repeat(length));
    let backup = on(&relay, &["backup", name(204).to_str().unwrap()], &file).await;
    refused(&backup, &["nnn", "its name has 204 bytes and may have 203"]);
    assert_eq!(on(&relay, &["backup", name(203).to_str().unwrap()], &file).await.code, Some(0));
    refused(&on(&relay, &["serve"], &name(250)).await, &["nnn-journal: File name too long"]);
}

/// SQLite itself only says that something cannot be opened.
#[tokio::test]
async fn what_cannot_be_made_beside_a_new_store_is_named() {
    let (_transform, relay) = start(Setup::silent()).await;
    let folder = relay.file("full");
    std::fs::create_dir(&folder).unwrap();
    let Some(before) = mounted(&folder, &folder) else { return };
    let bound = format!("mount --bind {0} {0}", folder.display());
    // The folder, the store and its lock each have an inode.
    for (inodes, missing) in [(3, "relay.db-wal"), (4, "relay.db-shm")] {
        let small = format!("mount -t tmpfs -o nr_inodes={inodes} none {}", folder.display());
        let serve = on_after(&before.replace(&bound, &small), &relay, &["serve"], &folder.join("relay.db")).await;
        refused(&serve, &[&format!("{missing} cannot be made: No space left on device")]);
    }
}

#[tokio::test]
async fn a_store_on_a_read_only_mount_is_copied_or_the_right_file_named() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let (folder, out) = (relay.file("mounted"), tempfile::tempdir().unwrap());
    std::fs::create_dir(&folder).unwrap();
    let Some(before) = mounted(relay.folder.path(), &folder) else { return };
    let read_only = before.replace(" && exec", &format!(" && mount -o remount,bind,ro {} && exec", folder.display()));
    let through = folder.join("relay.db");
    relay.terminate().await;
    let copy = out.path().join("copy.db");
    let backup = on_after(&read_only, &relay, &["backup", copy.to_str().unwrap()], &through).await;
    assert_eq!(backup.code, Some(0), "{}", backup.stderr);
    let whole = Connection::open(&copy).unwrap();
    assert_eq!(whole.query_row("SELECT count(*) FROM records", [], |row| row.get::<_, i64>(0)), Ok(1));
    // A killed relay has left a WAL that only another relay can bring into the file.
    relay.restart().await;
    relay.register("payment", "tx-2", &payment("pi_2", "10")).await;
    relay.kill().await;
    std::fs::remove_file(relay.file("relay.db-shm")).unwrap();
    let copy = out.path().join("other.db");
    let backup = on_after(&read_only, &relay, &["backup", copy.to_str().unwrap()], &through).await;
    refused(&backup, &["cannot read the store", "mounted/relay.db-shm is missing and cannot be made"]);
}

/// The leftover may belong to root, beside the store of somebody else.
#[tokio::test]
async fn what_a_killed_backup_left_and_cannot_be_removed_is_told() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.terminate().await;
    let left = relay.file(&format!("copy.db.unfinished-{}", "4".repeat(32)));
    std::fs::write(&left, b"SQLite format 3\0 and half of everything").unwrap();
    // A mount point cannot be removed.
    let Some(before) = mounted(&left, &left) else { return };
    relay.setup.before = before;
    relay.restart().await;
    relay.program.logged(&["WARN", "cannot be removed", "copy.db.unfinished-4444", "remove it as its owner"]).await;
    assert!(left.exists() && !relay.program.log().contains("is removed"), "{}", relay.program.log());
}

/// A file that gets too long counts as a full disk; it does not end the program.
#[tokio::test]
async fn a_limit_of_files_is_a_full_disk() {
    let (_transform, relay) = start(Setup::silent()).await;
    let copy = relay.file("copy.db");
    let backup = on_after("ulimit -f 8", &relay, &["backup", copy.to_str().unwrap()], &relay.file("relay.db")).await;
    refused(&backup, &["cannot write", "copy.db"]);
    assert!(!copy.exists());
    let names = std::fs::read_dir(relay.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_str().unwrap().contains("unfinished")));
}
