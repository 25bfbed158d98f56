//! The demo with the real program: its story fits a terminal, its counts agree, and `--keep` leaves a relay to look at.

use std::fs;
use std::path::{Path, PathBuf};

use transform_relay::proof::stand_in::{TRANSFORM_TOKEN, get, listening};

use crate::support::program::{Ended, Program, run};

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

#[tokio::test]
async fn a_kept_demo_can_be_served_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let told = played(folder.path(), &["--keep"]).await.stdout;
    let [kept] = &inside(folder.path())[..] else { panic!("{told}") };
    for file in ["relay.toml", "relay.db", "relay.log"] {
        assert!(kept.join(file).exists() && told.contains(file), "{file} in {told}");
    }
    let config = kept.join("relay.toml");
    assert!(told.contains(&format!("transform-relay serve --config {}\n", config.display())), "{told}");
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
