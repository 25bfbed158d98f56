//! New secrets that are written to the file are not lost, even if `secret rotate` cannot end as usual.

#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::support::preload::preload;
use crate::support::program::{Ended, Program, run};
use crate::support::psp::seal_with;
use crate::support::{Relay, Reply, Setup, Transform, start, stripe, within};

const FIRST: &str = "whsec_first_of_the_rotated";

/// A relay whose source `turning` has its secret in a file beside the configuration.
async fn with_file() -> (Relay, Transform) {
    let (transform, mut relay) = start(Setup::silent()).await;
    relay.terminate().await;
    relay.setup.more = "[sources.turning]\nprofile = \"stripe\"\nsecrets_file = \"turning.toml\"\n".to_owned();
    std::fs::write(relay.file("turning.toml"), format!("[[secret]]\nname = \"first\"\nvalue = \"{FIRST}\"\n")).unwrap();
    relay.restart().await;
    (relay, transform)
}

async fn notify(relay: &Relay, secret: &str, id: &str) -> Reply {
    let event = stripe::paid(id, 1_700_000_000, 1000);
    let sealed = seal_with("stripe", secret, jiff::Timestamp::now().as_second(), event.to_string().as_bytes());
    relay.post("turning", &sealed.headers, sealed.body).await
}

/// A rotation to the secret `mine`, after the shell has run `before`.
fn rotation(relay: &Relay, before: &str, environment: &[(String, String)]) -> Program {
    let file = relay.file("relay.toml");
    let arguments = ["secret", "rotate", "turning", "--made-here", "--overlap", "1h", "--name", "mine", "--config"];
    Program::start_after(before, &[&arguments[..], &[file.to_str().unwrap()]].concat(), environment)
}

/// The secret `mine`, as it stands in the file.
fn written(relay: &Relay) -> String {
    let text = std::fs::read_to_string(relay.file("turning.toml")).unwrap();
    let all: toml::Table = toml::from_str(&text).unwrap();
    let mine = all["secret"].as_array().unwrap().iter().find(|one| one["name"].as_str() == Some("mine"));
    mine.unwrap()["value"].as_str().unwrap().to_owned()
}

#[track_caller]
fn is_printed(ended: &Ended, relay: &Relay) {
    assert_eq!((ended.code, ended.stdout.trim_end()), (Some(0), written(relay).as_str()), "{ended:?}");
}

/// Some file systems cannot sync a folder. The file has already changed by then.
#[tokio::test]
async fn a_folder_that_cannot_be_synced_is_a_warning() {
    let (relay, _transform) = with_file().await;
    let folder = tempfile::tempdir().unwrap();
    let ended = rotation(&relay, "", &[preload(folder.path(), "fsync_fails")]).ended().await;
    is_printed(&ended, &relay);
    for part in ["turning.toml is written", "could not be synced: Invalid argument", "taken it up"] {
        assert!(ended.stderr.contains(part), "{part} in {ended:?}");
    }
    notify(&relay, ended.stdout.trim_end(), "pi_1").await.expect(200);
}

#[tokio::test]
async fn a_secret_that_cannot_be_printed_is_said_to_stand_in_its_file() {
    let (relay, _transform) = with_file().await;
    let ended = rotation(&relay, "exec >/dev/full", &[]).ended().await;
    assert_eq!(ended.code, Some(74), "{ended:?}");
    let file = relay.file("turning.toml");
    let said = format!("it stands in {} as \"mine\"", file.display());
    assert!(ended.stderr.contains(&said) && ended.stderr.contains("No space left"), "{said} in {ended:?}");
    assert!(!ended.stderr.contains(&written(&relay)), "{ended:?}");
    notify(&relay, &written(&relay), "pi_1").await.expect(200);
}

/// The messages beside the secret cannot be printed.
#[tokio::test]
async fn a_secret_is_printed_though_nothing_can_be_said_of_it() {
    let (relay, _transform) = with_file().await;
    let ended = rotation(&relay, "exec 2>/dev/full", &[]).ended().await;
    is_printed(&ended, &relay);
}

/// Answers one client that asks for this, as a relay of an earlier version would.
fn answers(listener: &UnixListener, wish: &str, answer: impl FnOnce() -> Value) {
    let (mut stream, _): (UnixStream, _) = listener.accept().unwrap();
    let mut said = String::new();
    BufReader::new(&stream).read_line(&mut said).unwrap();
    assert_eq!(said.trim_end(), wish);
    stream.write_all(answer().to_string().as_bytes()).unwrap();
}

/// Between writing and printing the secret, the command waits for the relay. Here a stand-in answers after the signals:
/// a relay of an earlier version, which sends names and no fingerprints.
#[tokio::test]
async fn signals_after_the_write_do_not_keep_the_secret_from_being_printed() {
    let (relay, _transform) = with_file().await;
    relay.terminate().await;
    // The command asks only the holder of the store.
    let lock = std::fs::File::options().write(true).open(relay.file("relay.db.lock")).unwrap();
    lock.lock().unwrap();
    let listener = UnixListener::bind(relay.file("relay.db.control")).unwrap();
    let (asked, is_asked) = tokio::sync::oneshot::channel();
    let (open, opened) = mpsc::channel::<()>();
    let stand_in = std::thread::spawn(move || {
        answers(&listener, "time", || json!({ "now": jiff::Timestamp::now() }));
        answers(&listener, "reload", || {
            asked.send(()).unwrap();
            opened.recv().unwrap();
            json!({ "restart": [], "errors": [], "secrets": { "turning": ["first", "mine"] } })
        });
    });
    let rotation = rotation(&relay, "", &[]);
    within("the rotation to be written", is_asked).await.unwrap();
    for (n, signal) in ["TERM", "INT", "HUP", "QUIT"].into_iter().enumerate() {
        rotation.signal(signal);
        rotation.logged_times(&["the new secret is written already"], n + 1).await;
    }
    open.send(()).unwrap();
    let ended = rotation.ended().await;
    stand_in.join().unwrap();
    is_printed(&ended, &relay);
    assert!(ended.stderr.contains("taken it up"), "{ended:?}");
}

/// A copy of the configuration names the same store. By chance, or by the date, its secret has the same name as one of
/// the relay's.
#[tokio::test]
async fn another_secret_of_the_same_name_is_not_taken_for_the_new_one() {
    let (relay, _transform) = with_file().await;
    let copy = tempfile::tempdir().unwrap();
    for name in ["relay.toml", "turning.toml"] {
        std::fs::copy(relay.file(name), copy.path().join(name)).unwrap();
    }
    is_printed(&rotation(&relay, "", &[]).ended().await, &relay);
    let before = std::fs::read_to_string(relay.file("turning.toml")).unwrap();
    let file = copy.path().join("relay.toml");
    let file = file.to_str().unwrap();
    let elsewhere =
        ["secret", "rotate", "turning", "--made-here", "--overlap", "0", "--name", "mine", "--config", file];
    let elsewhere = run(&elsewhere, &[]).await;
    assert_eq!((elsewhere.code, elsewhere.stdout.as_str()), (Some(64), ""), "{elsewhere:?}");
    for part in ["another configuration", "there \"mine\" of turning is another secret", "nothing was changed"] {
        assert!(elsewhere.stderr.contains(part), "{part} in {elsewhere:?}");
    }
    let text = std::fs::read_to_string(copy.path().join("turning.toml")).unwrap();
    assert!(text.contains(FIRST) && !text.contains("mine"), "put back");
    assert_eq!(std::fs::read_to_string(relay.file("turning.toml")).unwrap(), before);
    notify(&relay, &written(&relay), "pi_1").await.expect(200);
}
