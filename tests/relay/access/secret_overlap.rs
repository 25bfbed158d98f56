//! Overlap of old and new secrets after a rotation, and interference by other rotations, other users and the relay's
//! environment.

use std::fs::File;
use std::os::unix::fs::{chown, symlink};

use crate::support::program::{Ended, Program, run, run_after};
use crate::support::psp::seal_with;
use crate::support::{Relay, Reply, Setup, Transform, start, stripe};

/// The source's first secret.
const FIRST: &str = "whsec_first_of_the_rotated";
const SOURCE: &str = "[sources.turning]\nprofile = \"stripe\"\nsecrets_file = \"turning.toml\"\n";
/// The message of a command that waits for another rotation.
const LOCKED: &str = "another `secret rotate` has ";

/// A relay whose source `turning` has its secret in a file beside the configuration.
async fn with_file(environment: &[(&str, &str)]) -> (Relay, Transform) {
    let (transform, mut relay) = start(Setup::silent()).await;
    relay.terminate().await;
    relay.setup.more = SOURCE.to_owned();
    relay.setup.environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    std::fs::write(relay.file("turning.toml"), format!("[[secret]]\nname = \"first\"\nvalue = \"{FIRST}\"\n")).unwrap();
    relay.restart().await;
    (relay, transform)
}

async fn notify(relay: &Relay, secret: &str, id: &str) -> Reply {
    let event = stripe::paid(id, 1_700_000_000, 1000);
    let sealed = seal_with("stripe", secret, jiff::Timestamp::now().as_second(), event.to_string().as_bytes());
    relay.post("turning", &sealed.headers, sealed.body).await
}

/// A rotation that is begun.
fn rotation(relay: &Relay) -> Program {
    let file = relay.file("relay.toml");
    Program::start(
        &["secret", "rotate", "turning", "--made-here", "--overlap", "6h", "--config", file.to_str().unwrap()],
        &[],
    )
}

#[track_caller]
fn refused(ended: &Ended, code: i32, parts: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{ended:?}");
    for part in parts.iter().chain(&["nothing was changed"]) {
        assert!(ended.stderr.contains(part), "{part} in {ended:?}");
    }
}

#[track_caller]
fn printed(ended: &Ended) -> &str {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.trim_end()
}

/// Only the relay still knows the secret, and a file without it would end it at once. So a missing file does not mean
/// that this is the first rotation.
#[tokio::test]
async fn a_secret_that_no_file_has_any_more_does_not_end_unsaid() {
    let (relay, _transform) = with_file(&[]).await;
    let file = relay.file("turning.toml");
    std::fs::remove_file(&file).unwrap();
    let lost = relay.rotate(&["turning", "--overlap", "6h"]).await;
    refused(&lost, 64, &["verifies with [\"first\"]", file.to_str().unwrap(), "--overlap 0"]);
    assert!(!file.exists());
    std::fs::write(&file, "[[secret]]\nname = \"other\"\nvalue = \"whsec_other_of_the_rotated\"\n").unwrap();
    refused(&relay.rotate(&["turning", "--overlap", "6h"]).await, 64, &["verifies with [\"first\"]"]);
    notify(&relay, FIRST, "pi_1").await.expect(200);
    let at_once = relay.rotate(&["turning", "--overlap", "0"]).await;
    notify(&relay, printed(&at_once), "pi_2").await.expect(200);
    notify(&relay, FIRST, "pi_3").await.problem(401);
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_no_first_rotation() {
    let (relay, _transform) = with_file(&[]).await;
    let (file, gone) = (relay.file("turning.toml"), relay.file("gone.toml"));
    std::fs::rename(&file, &gone).unwrap();
    symlink(&gone, &file).unwrap();
    printed(&relay.rotate(&["turning", "--overlap", "6h", "--name", "second"]).await);
    std::fs::remove_file(&gone).unwrap();
    for overlap in ["0", "6h"] {
        let lost = relay.rotate(&["turning", "--overlap", overlap]).await;
        refused(&lost, 64, &["sources.turning.secrets_file: ", "is a link to ", gone.to_str().unwrap()]);
    }
    assert!(file.is_symlink() && !gone.exists());
    let reload = relay.reload().await;
    assert!(reload.code == Some(64) && reload.stderr.contains("is a link to "), "{reload:?}");
    assert!(!reload.stderr.contains("makes it"), "{reload:?}");
    notify(&relay, FIRST, "pi_1").await.expect(200);
}

/// The command has another environment than the relay, and so another configuration.
#[tokio::test]
async fn a_secret_of_the_relays_environment_is_said_to_go_on_verifying() {
    let own = "whsec_of_the_environment";
    let (relay, _transform) = with_file(&[("RELAY_SOURCES__TURNING__SECRETS", own)]).await;
    let at_once = relay.rotate(&["turning", "--overlap", "0"]).await;
    refused(&at_once, 64, &["[\"secret-1\"] would go on verifying", "say --keep-configured", "nothing was changed"]);
    notify(&relay, FIRST, "pi_0").await.expect(200);
    let rotated = relay.rotate(&["turning", "--overlap", "0", "--keep-configured"]).await;
    let said =
        "\"secret-1\" does not stand in the secrets_file and has no expires_at: remove it from sources.turning.secrets";
    assert!(rotated.stderr.contains(said), "{rotated:?}");
    notify(&relay, own, "pi_1").await.expect(200);
    notify(&relay, printed(&rotated), "pi_2").await.expect(200);
    notify(&relay, FIRST, "pi_3").await.problem(401);
}

/// The command and the log both tell the whole result of the reload.
#[tokio::test]
async fn a_rotation_says_what_a_reload_says() {
    let (mut relay, _transform) = with_file(&[]).await;
    relay.setup.max_body = "1KiB";
    relay.setup.more = format!("{SOURCE}tokens = [\"short\"]\n");
    let reload = relay.reload().await;
    let rotated = relay.rotate(&["turning", "--overlap", "6h"]).await;
    for line in ["needs a restart: server.max_body", "not safe: sources.turning.tokens"] {
        for said in [&reload.stdout, &rotated.stderr] {
            assert!(said.lines().any(|one| one.starts_with(line)), "{line} in {said}");
        }
    }
    printed(&rotated);
}

/// A waiting command says what it waits for.
#[tokio::test]
async fn a_rotation_that_waits_for_another_one_or_for_a_frozen_relay_says_so() {
    let (relay, _transform) = with_file(&[]).await;
    let other = tempfile::tempdir().unwrap();
    std::fs::rename(relay.file("turning.toml"), other.path().join("real.toml")).unwrap();
    symlink(other.path().join("real.toml"), relay.file("turning.toml")).unwrap();
    // A command that comes by another link waits, too: the lock is in the file's own folder.
    let lock = File::create(other.path().join(".real.toml.lock")).unwrap();
    lock.lock().unwrap();
    let waits = rotation(&relay);
    waits.logged(&[LOCKED, ".real.toml.lock", "for 300s at most"]).await;
    relay.program.signal("STOP");
    drop(lock);
    waits.logged(&["has not answered yet", "relay.db"]).await;
    relay.program.signal("CONT");
    notify(&relay, printed(&waits.ended().await), "pi_1").await.expect(200);
    let left: Vec<_> = std::fs::read_dir(other.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert_eq!(left, ["real.toml"], "nothing is left behind");
}

/// Anybody who can read a folder can lock it, so its lock must stop nobody.
#[tokio::test]
async fn a_locked_folder_holds_up_no_rotation() {
    let (relay, _transform) = with_file(&[]).await;
    let folder = File::open(relay.folder.path()).unwrap();
    folder.lock().unwrap();
    notify(&relay, printed(&rotation(&relay).ended().await), "pi_1").await.expect(200);
}

/// The master of a terminal pair is a terminal, too.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_secret_is_not_typed_where_it_can_be_seen() {
    let (relay, _transform) = with_file(&[]).await;
    let file = relay.file("relay.toml");
    let file = file.to_str().unwrap();
    let arguments = ["secret", "rotate", "--config", file, "turning", "--overlap", "1h", "--from-stdin"];
    let typed = run_after("exec </dev/ptmx", &arguments, &[]).await;
    refused(&typed, 64, &["stdin is a terminal", "read -rs"]);
}

/// If others may write the folder, anybody can put a socket there.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn somebody_elses_socket_is_not_believed() {
    const OWNER: u32 = 4242;
    const OTHER: u32 = 65534;
    let (mut relay, _transform) = with_file(&[]).await;
    if std::process::Command::new("setpriv").args(["--reuid", "65534", "true"]).status().is_ok_and(|ran| ran.success())
    {
        relay.terminate().await;
        for one in std::fs::read_dir(relay.folder.path()).unwrap() {
            chown(one.unwrap().path(), Some(OTHER), None).unwrap();
        }
        chown(relay.folder.path(), Some(OTHER), None).unwrap();
        relay.setup.before = format!("exec setpriv --reuid {OTHER} \"$0\" \"$@\"");
        relay.restart().await;
        printed(&rotation(&relay).ended().await);
        chown(relay.file("relay.db"), Some(OWNER), None).unwrap();
        let told = format!("user {OTHER} listens at ");
        refused(&rotation(&relay).ended().await, 69, &[&told, &format!("the store is user {OWNER}'s")]);
    } else {
        // Written without a macro: its output is swallowed where a test succeeds.
        use std::io::Write;
        std::io::stderr().write_all(b"\n!!! NOT RUN: only root can run a relay as somebody else\n").unwrap();
    }
}

/// The warning is the only sign of the mistake until the PSP's next notification fails.
#[tokio::test]
async fn a_source_of_whose_secrets_none_holds_is_warned_of() {
    let (mut relay, _transform) = with_file(&[]).await;
    let times = [
        ("expires_at = \"2020-01-01T00:00:00Z\"", "\"first\" ended at 2020-01-01T00:00:00Z", "secret rotate turning"),
        ("not_before = \"2099-01-01T00:00:00Z\"", "\"first\" begins at 2099-01-01T00:00:00Z", "correct the times"),
    ];
    for (time, said, remedy) in times {
        let secret = format!("[[secret]]\nname = \"first\"\nvalue = \"{FIRST}\"\n{time}\n");
        std::fs::write(relay.file("turning.toml"), secret).unwrap();
        let reload = relay.reload().await;
        let file = relay.file("relay.toml");
        let check = run(&["check", "--config", file.to_str().unwrap()], &relay.setup.environment()).await;
        for (ended, mark) in [(&reload, ""), (&check, "# ")] {
            let line = ended.stdout.lines().find(|line| line.contains("none holds now")).unwrap_or_default();
            assert!(line.starts_with(&format!("{mark}not safe: sources.turning.secrets: ")), "{ended:?}");
            assert!(line.contains(said) && line.contains(remedy), "{line}");
        }
        relay.program.logged(&["WARN", "not safe: sources.turning.secrets: none holds now", said]).await;
    }
    relay.terminate().await;
    relay.restart().await;
    relay.program.logged(&["WARN", "not safe: sources.turning.secrets: none holds now"]).await;
    std::fs::write(relay.file("turning.toml"), format!("[[secret]]\nname = \"first\"\nvalue = \"{FIRST}\"\n")).unwrap();
    assert!(!relay.reload().await.stdout.contains("none holds"));
}
