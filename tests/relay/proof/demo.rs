//! The demo with the real program: its story fits a terminal, its counts agree, and `--keep` leaves a relay to look at.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use transform_relay::proof::stand_in::{TRANSFORM_TOKEN, get, listening};

use crate::support::program::{Ended, Program, run, run_after};

const COLUMNS: usize = 80;

/// Plays the demo with its temporary folder in this one.
async fn played(folder: &Path, more: &[&str]) -> Ended {
    let environment = [("TMPDIR".to_owned(), folder.to_str().unwrap().to_owned())];
    let ended = run(&[&["demo"], more].concat(), &environment).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

fn inside(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn the_demo_tells_a_story_whose_counts_agree() {
    let folder = tempfile::tempdir().unwrap();
    let told = played(folder.path(), &[]).await.stdout;
    let wide: Vec<_> = told.lines().filter(|line| line.chars().count() > COLUMNS).collect();
    assert!(wide.is_empty(), "wider than {COLUMNS} columns: {wide:#?}");
    let answered: Vec<_> = told.lines().filter(|line| line.contains("Stripe ") && line.contains(" → ")).collect();
    assert!(answered.first().unwrap().ends_with("→ 200 applied"), "{answered:#?}");
    for amount in ["120.00 EUR", "89.25 EUR", "19.25 EUR refunded", "5990 JPY"] {
        assert!(told.contains(amount), "{amount} in {told}");
    }
    // The burst has each notification four times, the same bytes each time. `repeated` is an outcome of other bytes.
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("24 notifications in a row → ") && words.contains(" 18 sent again"), "{words}");
    // What is said at the end is what was said before.
    let (story, end) = told.split_once(" notifications in, ").unwrap();
    let sent: usize = story.rsplit('\n').next().unwrap().parse().unwrap();
    let burst = story.split_once(" notifications in a row").unwrap().0.rsplit(' ').next().unwrap();
    let single = story.lines().filter(|line| [" → 200 ", " → 401 "].iter().any(|answer| line.contains(answer))).count();
    let webhooks = story.matches("is told of ").count();
    let records = story.matches(" registers ").count();
    let forged = story.matches("→ 401 refused").count();
    assert_eq!(forged, 2);
    assert_eq!(sent + forged, single + burst.parse::<usize>().unwrap(), "{told}");
    assert!(end.starts_with(&format!("{webhooks} webhooks out; {forged} forged ones refused.\n")), "{told}");
    assert!(end.contains(&format!("Transform agrees in {records} of {records} records.\n")), "{told}");
    let next = end.split_once("\nNext\n").unwrap().1;
    for file in ["README.md", "config.example.toml", "docs/psp/"] {
        assert!(next.contains(file) && Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{file} in {next}");
    }
    assert_eq!(inside(folder.path()), Vec::<PathBuf>::new());
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_kept_demo_can_be_served_and_read() {
    let folder = tempfile::tempdir().unwrap();
    // A folder's name may need quotes in a shell, and escapes in TOML.
    let folder = folder.path().join(r#"a "b' \c $d"#);
    fs::create_dir(&folder).unwrap();
    let told = played(&folder, &["--keep"]).await.stdout;
    let [kept] = &inside(&folder)[..] else { panic!("{told}") };
    for file in ["relay.toml", "relay.db", "relay.log"] {
        assert!(kept.join(file).exists() && told.contains(file), "{file} in {told}");
    }
    let config = kept.join("relay.toml");
    for (command, file) in [("transform-relay serve --config ", "relay.toml"), ("sqlite3 ", "relay.db")] {
        let line = told.lines().find_map(|line| line.strip_prefix(command)).unwrap();
        let script = format!("printf '%s\n' {}", line.trim_end_matches(" \\"));
        let read = Command::new("sh").args(["-c", &script]).output().unwrap().stdout;
        assert_eq!(String::from_utf8(read).unwrap(), format!("{}\n", kept.join(file).display()), "{line}");
    }
    assert_eq!(mode(kept), 0o700);
    for file in inside(kept) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    // The port was the demo's. Another program may have it by now, so the relay gets a new one.
    let text = fs::read_to_string(&config).unwrap();
    let listen = text.lines().find(|line| line.starts_with("listen = ")).unwrap();
    fs::write(&config, text.replace(listen, "listen = \"127.0.0.1:0\"")).unwrap();
    let relay = Program::start(&["serve", "--config", config.to_str().unwrap()], &[]);
    let address = listening(&relay.logged(&["listening address="]).await).unwrap();
    assert!(!relay.log().contains("not safe"), "{}", relay.log());
    let (id, _) = told.rsplit_once("/api/Payment/").unwrap().1.split_once('\n').unwrap();
    let read = get(address, TRANSFORM_TOKEN, &format!("/api/Payment/{id}")).unwrap();
    assert_eq!((read.status, read.json()["refundableAmount"].to_string()), (200, "70".to_owned()), "{read:?}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_demo_whose_text_nobody_gets_names_its_folder_on_stderr() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("TMPDIR".to_owned(), folder.path().to_str().unwrap().to_owned())];
    let ended = run_after("exec >/dev/full", &["demo", "--keep"], &environment).await;
    let [kept] = &inside(folder.path())[..] else { panic!("{ended:?}") };
    let at = format!("; the store, the configuration and the log are in {}", kept.display());
    assert_eq!(ended.code, Some(74), "{ended:?}");
    assert!(ended.stderr.starts_with("the end of the demo cannot be written to stdout: "), "{ended:?}");
    assert!(ended.stderr.ends_with(&at), "{ended:?}");
    fs::remove_dir_all(kept).unwrap();
    let ended = run_after("exec >/dev/full", &["demo"], &environment).await;
    assert_eq!((ended.code, inside(folder.path())), (Some(0), Vec::new()), "{ended:?}");
    assert!(ended.stderr.ends_with("; its folder is removed"), "{ended:?}");
}
