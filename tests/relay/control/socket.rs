//! Socket of the relay, and the reach of `secret rotate` and `reload`: they find the relay while it starts or ends, from another folder, by long
//! paths.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use crate::support::program::{Ended, Program};
use crate::support::psp::seal_with;
use crate::support::setup::beside_the_warning;
use crate::support::{Relay, Reply, Setup, Transform, attempt_in_flight_of, start, stripe};

/// The source's first secret.
const FIRST: &str = "whsec_first_of_the_rotated";
/// The message of a command while it waits for a relay.
const WAITS: &str = "waiting until it can be asked";
/// A user other than root.
const NOBODY: u32 = 65534;

fn secrets(value: &str) -> String {
    format!("[[secret]]\nname = \"first\"\nvalue = \"{value}\"\n")
}

/// A relay whose source `turning` has its secret in a file beside the configuration; it runs in its folder.
async fn with_file(store: &str) -> (Relay, Transform) {
    let (transform, mut relay) = start(Setup::silent()).await;
    relay.terminate().await;
    relay.setup.more = "[sources.turning]\nprofile = \"stripe\"\nsecrets_file = \"turning.toml\"\n".to_owned();
    relay.setup.before = format!("cd {}", relay.folder.path().display());
    if !store.is_empty() {
        relay.setup.environment = at(store);
    }
    std::fs::write(relay.file("turning.toml"), secrets(FIRST)).unwrap();
    // A reload warns of secrets that everybody can read.
    std::fs::set_permissions(relay.file("turning.toml"), Permissions::from_mode(0o600)).unwrap();
    relay.restart().await;
    (relay, transform)
}

fn at(store: &str) -> Vec<(String, String)> {
    vec![("RELAY_STORE__PATH".to_owned(), store.to_owned())]
}

async fn notify(relay: &Relay, secret: &str, id: &str) -> Reply {
    let event = stripe::paid(id, 1_700_000_000, 1000);
    let sealed = seal_with("stripe", secret, jiff::Timestamp::now().as_second(), event.to_string().as_bytes());
    relay.post("turning", &sealed.headers, sealed.body).await
}

/// A command in a folder, with these variables.
fn command(relay: &Relay, folder: &Path, words: &[&str], environment: &[(String, String)]) -> Program {
    let file = relay.file("relay.toml");
    let arguments = [words, &["--config", file.to_str().unwrap()]].concat();
    Program::start_after(&format!("cd {}", folder.display()), &arguments, environment)
}

const ROTATE: [&str; 6] = ["secret", "rotate", "turning", "--made-here", "--overlap", "0"];

#[track_caller]
fn printed(ended: &Ended) -> &str {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.trim_end()
}

/// The starting relay has already read its configuration. If the command did not wait for it, it would go on with the
/// old secrets.
#[tokio::test]
async fn a_relay_that_starts_is_waited_for_and_takes_it_up() {
    let (mut relay, _transform) = with_file("").await;
    relay.terminate().await;
    let busy = relay.begin_to_start().await;
    // A frozen relay does not give up waiting for the store, however slow this machine is.
    relay.program.signal("STOP");
    let rotation = command(&relay, Path::new("/"), &ROTATE, &[]);
    let reload = command(&relay, Path::new("/"), &["reload"], &[]);
    for waiting in [&rotation, &reload] {
        waiting.logged(&[WAITS, relay.file("relay.db").to_str().unwrap()]).await;
    }
    assert_eq!(std::fs::read_to_string(relay.file("turning.toml")).unwrap(), secrets(FIRST), "nothing yet");
    drop(busy);
    relay.program.signal("CONT");
    relay.started().await;
    let rotated = rotation.ended().await;
    assert!(rotated.stderr.contains("taken it up"), "{rotated:?}");
    notify(&relay, printed(&rotated), "pi_1").await.expect(200);
    notify(&relay, FIRST, "pi_2").await.problem(401);
    assert_eq!(beside_the_warning(printed(&reload.ended().await)), "reloaded\n");
}

/// A command that finds no relay at the socket changes the files before the socket is open.
#[tokio::test]
async fn what_changes_while_a_relay_starts_is_in_force_when_it_listens() {
    let (mut relay, _transform) = with_file("").await;
    relay.terminate().await;
    let busy = relay.begin_to_start().await;
    std::fs::write(relay.file("turning.toml"), secrets("whsec_written_meanwhile")).unwrap();
    drop(busy);
    relay.started().await;
    notify(&relay, "whsec_written_meanwhile", "pi_1").await.expect(200);
    notify(&relay, FIRST, "pi_2").await.problem(401);
}

#[tokio::test]
async fn a_relay_that_ends_is_waited_for_and_the_next_one_takes_it_up() {
    let beside = tempfile::tempdir().unwrap();
    let file = beside.path().join("turning.toml");
    std::fs::write(&file, secrets(FIRST)).unwrap();
    let more = format!("[sources.turning]\nprofile = \"stripe\"\nsecrets_file = \"{}\"\n", file.display());
    let (_transform, mut relay, gate) = attempt_in_flight_of(Setup { more, ..Setup::default() }, 202).await;
    relay.program.signal("TERM");
    relay.program.logged(&["stopping"]).await;
    let rotation = command(&relay, Path::new("/"), &ROTATE, &[]);
    rotation.logged(&[WAITS]).await;
    gate.open();
    relay.program.ended().await;
    let rotated = rotation.ended().await;
    assert!(rotated.stderr.contains("no relay runs on ") && rotated.stderr.contains("the next one"), "{rotated:?}");
    relay.restart().await;
    notify(&relay, printed(&rotated), "pi_1").await.expect(200);
}

/// A relative store.path means another file in another folder, and so another relay or none.
#[tokio::test]
async fn a_command_in_another_folder_says_that_there_is_no_store_and_changes_nothing() {
    let (relay, _transform) = with_file("relay.db").await;
    let elsewhere = tempfile::tempdir().unwrap();
    let before = std::fs::read_to_string(relay.file("turning.toml")).unwrap();
    for words in [&ROTATE[..], &["reload"]] {
        let ended = command(&relay, elsewhere.path(), words, &at("relay.db")).ended().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(69), ""), "{ended:?}");
        let store = elsewhere.path().canonicalize().unwrap().join("relay.db");
        let said = format!("there is no store at {}", store.display());
        for part in [said.as_str(), "store.path = \"relay.db\" is relative"] {
            assert!(ended.stderr.contains(part), "{part} in {ended:?}");
        }
        assert!(!ended.stderr.contains("no relay runs"), "{ended:?}");
    }
    assert_eq!(std::fs::read_to_string(relay.file("turning.toml")).unwrap(), before);
    notify(&relay, FIRST, "pi_1").await.expect(200);
    let rotated = command(&relay, relay.folder.path(), &ROTATE, &at("relay.db")).ended().await;
    notify(&relay, printed(&rotated), "pi_2").await.expect(200);
}

/// No relay can start before the file exists, so the first rotation comes before the first start.
#[tokio::test]
async fn the_first_rotation_needs_no_store() {
    let (mut relay, _transform) = with_file("").await;
    relay.terminate().await;
    std::fs::remove_file(relay.file("turning.toml")).unwrap();
    let environment = at("new.db");
    let first = command(&relay, relay.folder.path(), &ROTATE, &environment).ended().await;
    let store = relay.folder.path().canonicalize().unwrap().join("new.db");
    let said = format!("there is no store at {} yet", store.display());
    assert!(first.stderr.contains(&said) && first.stderr.contains("starts next"), "{first:?}");
    let again = command(&relay, relay.folder.path(), &ROTATE, &environment).ended().await;
    assert!(again.code == Some(69) && again.stderr.contains("nothing was changed"), "{again:?}");
    relay.setup.environment = environment;
    relay.restart().await;
    notify(&relay, printed(&first), "pi_1").await.expect(200);
}

/// A path to a socket has 107 bytes at most.
#[tokio::test]
async fn a_relay_whose_store_has_a_long_path_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("l".repeat(90)).join("m".repeat(90));
    std::fs::create_dir_all(&long).unwrap();
    let store = long.join("relay.db");
    let (relay, _transform) = with_file(store.to_str().unwrap()).await;
    let environment = at(store.to_str().unwrap());
    let reload = command(&relay, Path::new("/"), &["reload"], &environment).ended().await;
    assert_eq!(beside_the_warning(printed(&reload)), "reloaded\n");
    let rotated = command(&relay, Path::new("/"), &ROTATE, &environment).ended().await;
    assert!(rotated.stderr.contains("taken it up"), "{rotated:?}");
    notify(&relay, printed(&rotated), "pi_1").await.expect(200);
    relay.terminate().await;
    let rotated = command(&relay, Path::new("/"), &ROTATE, &environment).ended().await;
    assert!(rotated.stderr.contains("no relay runs on "), "a socket is left behind: {rotated:?}");
}

/// If no socket can have the store's name, the relay runs without one, and no command claims to have reached it.
#[tokio::test]
async fn a_relay_that_cannot_be_asked_keeps_its_secrets() {
    let name = format!("{}.db", "n".repeat(120));
    let (relay, _transform) = with_file(&name).await;
    relay.program.logged(&["WARN", "store.path"]).await;
    let before = std::fs::read_to_string(relay.file("turning.toml")).unwrap();
    let rotation = command(&relay, relay.folder.path(), &ROTATE, &at(&name)).ended().await;
    assert_eq!((rotation.code, rotation.stdout.as_str()), (Some(69), ""), "{rotation:?}");
    assert!(rotation.stderr.contains("store.path") && rotation.stderr.contains("nothing was changed"), "{rotation:?}");
    assert_eq!(std::fs::read_to_string(relay.file("turning.toml")).unwrap(), before);
    notify(&relay, FIRST, "pi_1").await.expect(200);
}

/// The relay uses its own clock to judge the end of a secret.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_command_whose_clock_is_wrong_ends_no_secret_early() {
    use crate::support::preload::{step, stepped};
    const YEAR: i64 = 365 * 24 * 3600;
    let (relay, _transform) = with_file("").await;
    let folder = tempfile::tempdir().unwrap();
    let environment = stepped(folder.path());
    let rotate = ["secret", "rotate", "turning", "--made-here", "--overlap", "24h"];
    for (n, seconds) in [-YEAR, YEAR].into_iter().enumerate() {
        step(folder.path(), seconds);
        let rotated = command(&relay, Path::new("/"), &rotate, &environment).ended().await;
        notify(&relay, printed(&rotated), &format!("pi_new_{n}")).await.expect(200);
        notify(&relay, FIRST, &format!("pi_old_{n}")).await.expect(200);
        assert!(rotated.stderr.contains("the relay's clock counts"), "{rotated:?}");
        let end = rotated.stderr.split("\"first\" verifies until ").nth(1).unwrap().lines().next().unwrap();
        let end: jiff::Timestamp = end.parse().unwrap();
        assert!(end.duration_since(jiff::Timestamp::now()).as_hours() < 25, "{rotated:?}");
    }
    relay.terminate().await;
    step(folder.path(), -YEAR);
    let before = std::fs::read_to_string(relay.file("turning.toml")).unwrap();
    let refused = command(&relay, Path::new("/"), &rotate, &environment).ended().await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
    for part in ["clock", "relay.db", "nothing was changed"] {
        assert!(refused.stderr.contains(part), "{part} in {refused:?}");
    }
    assert_eq!(std::fs::read_to_string(relay.file("turning.toml")).unwrap(), before);
}

/// Root rotates first. The relay runs as another user, who has to read the file.
#[tokio::test]
async fn a_new_secrets_file_is_the_relays() {
    let (relay, _transform) = with_file("").await;
    relay.terminate().await;
    let file = relay.file("turning.toml");
    let uid = std::fs::metadata(&file).unwrap().uid();
    let is_root = uid == 0;
    if !is_root {
        // Written without a macro: its output is swallowed where a test succeeds.
        use std::io::Write;
        std::io::stderr().write_all(b"\n!!! NOT RUN in full: only root can give files to others\n").unwrap();
    }
    let owner = if is_root { NOBODY } else { uid };
    for (owned, store) in [("relay.db", ""), ("relay.toml", "new.db")] {
        std::fs::remove_file(&file).unwrap();
        if is_root {
            chown(relay.file("relay.db"), Some(0), Some(0)).unwrap();
            chown(relay.file(owned), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let environment = if store.is_empty() { Vec::new() } else { at(store) };
        let rotated = command(&relay, relay.folder.path(), &ROTATE, &environment).ended().await;
        printed(&rotated);
        let made = std::fs::metadata(&file).unwrap();
        assert_eq!((made.uid(), made.mode() & 0o777), (owner, 0o600), "as {owned}: {rotated:?}");
        let said = format!("only user {owner} can read {}", file.display());
        assert!(rotated.stderr.contains(&said), "{said} in {rotated:?}");
    }
}
