//! Power cuts. A preloaded library records every write and every sync of the store's files ([`recording`]). The test
//! makes of that what a disk may hold after a cut ([`disk`]), and the relay's own store opens it ([`judge`]): all that
//! was answered must be there.
//!
//! 1,000 cuts are made in all, or as many as POWER_CUTS says. The recordings differ from run to run, as the threads of the
//! relay do. POWER_CUT_SEED chooses other cuts of them.

#![cfg(target_os = "linux")]

mod cuts;
mod disk;
pub(in crate::store) mod earlier;
pub(in crate::store) mod judge;
mod recording;
mod scene;
mod trial;
mod way;

use std::collections::BTreeSet;

use self::judge::{Known, Promised, is_shown};
use self::recording::{Act, Recording};
use self::scene::{Scene, folder, paid};
use self::trial::{Trial, share};
use crate::support::program::run;
use crate::support::{Relay, Setup, Transform};

/// A relay is filled by three crowds of this size. It is killed in the second one, starts again, and is stopped in order.
async fn load(setup: Setup, crowd: u32) -> Trial {
    let mut scene = Scene::begin(folder(), setup, Known::default()).await;
    scene.crowd(0..crowd, None).await;
    scene.crowd(crowd..2 * crowd, usize::try_from(crowd / 3).ok()).await;
    scene.recorder.so_far();
    scene.relay.restart().await;
    scene.crowd(2 * crowd..3 * crowd, None).await;
    scene.relay.terminate().await;
    scene.trial()
}

/// A crowd whose notifications are brought from the WAL into the store several times.
const LARGE: u32 = 36;

/// How often SQLite has brought the WAL into the store.
fn checkpoints(recording: &Recording) -> usize {
    let store = recording.inodes("relay.db");
    let has_wal = |act: &Act| matches!(act, Act::Opened { name, .. } if name == "relay.db-wal");
    let acts = recording.acts.iter().skip_while(|one| !has_wal(&one.act));
    acts.filter(|one| matches!(&one.act, Act::Synced { file, .. } if store.contains(file))).count()
}

#[tokio::test]
async fn a_power_cut_takes_back_nothing_that_was_answered() {
    let trial = load(Setup::silent(), LARGE).await;
    assert!(checkpoints(&trial.recording) > 2, "the WAL is brought into the store at times");
    trial.survives(share(30));
}

/// What Transform has not heard of is still owed.
#[tokio::test]
async fn a_power_cut_takes_back_no_debt_while_transform_is_told() {
    let trial = load(Setup::default(), LARGE).await;
    assert!(trial.known.told.len() > 10, "Transform is told of some changes");
    trial.survives(share(20));
}

/// A relay that is killed by a cut starts on what is left, and is killed by the next one.
#[tokio::test]
async fn one_power_cut_after_the_other_takes_back_nothing() {
    let (mut at, mut known) = (folder(), Known::default());
    for life in 0..3 {
        let scene = Scene::begin(at, Setup::silent(), known).await;
        scene.crowd(life * 16..(life + 1) * 16, Some(8)).await;
        let trial = scene.trial();
        trial.survives(share(5));
        let cut = trial.last_cut(trial::seed() + u64::from(life));
        at = folder();
        trial.left(cut, at.path());
        known = trial.known_at(cut);
    }
}

/// There is nothing to lose yet, but the next start must not be refused.
#[tokio::test]
async fn a_power_cut_while_a_store_is_made_is_in_nobodys_way() {
    let scene = Scene::begin(folder(), Setup::silent(), Known::default()).await;
    scene.relay.terminate().await;
    scene.trial().survives(share(10));
}

#[tokio::test]
async fn a_power_cut_while_an_earlier_store_is_changed_takes_back_nothing() {
    let at = folder();
    let known = earlier::make(&at.path().join("relay.db"));
    let scene = Scene::begin(at, Setup::silent(), known).await;
    scene.relay.terminate().await;
    scene.relay.program.logged(&["the store is brought to this version", "to="]).await;
    scene.trial().survives(share(15));
}

/// Notifications come in while the store is copied, and while a source's secret is rotated.
async fn beside() -> Trial {
    let at = folder();
    let first = "[[secret]]\nname = \"first\"\nvalue = \"whsec_first_of_the_cut\"\n";
    std::fs::write(at.path().join("turning.toml"), first).unwrap();
    let more = "[sources.turning]\nprofile = \"stripe\"\nsecrets_file = \"turning.toml\"\n".to_owned();
    let scene = Scene::begin(at, Setup { more, ..Setup::silent() }, Known::default()).await;
    let secrets = || std::fs::read_to_string(scene.relay.file("turning.toml")).unwrap();
    let is_now = || Promised::Text { file: "turning.toml".to_owned(), text: secrets() };
    scene.note(is_now());
    scene.crowd(0..12, None).await;
    let (config, copy) = (scene.relay.file("relay.toml"), scene.relay.file("copy.db"));
    let (config, copy) = (config.to_str().unwrap(), copy.to_str().unwrap());
    let environment = scene.relay.setup.environment();
    let backs_up = async {
        let up_to = scene.length();
        let ended = run(&["backup", copy, "--config", config], &environment).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        scene.note(Promised::Copy { file: "copy.db".to_owned(), up_to });
    };
    let rotates = async {
        for _ in 0..3 {
            let rotate = ["secret", "rotate", "--config", config, "turning", "--overlap", "1h", "--made-here"];
            let ended = run(&rotate, &environment).await;
            assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            scene.note(is_now());
        }
    };
    tokio::join!(backs_up, rotates, scene.crowd(12..36, None));
    scene.relay.terminate().await;
    scene.trial()
}

#[tokio::test]
async fn a_power_cut_leaves_copies_and_secrets_whole() {
    beside().await.survives(share(15));
}

/// The judge sees what a disk without syncs loses, file by file.
#[tokio::test]
async fn a_disk_that_lies_about_its_syncs_is_found_out() {
    let trial = load(Setup::silent(), LARGE).await;
    let beside = beside().await;
    let is_found = |trial: &Trial, believed: fn(Option<&str>) -> bool, what: &str| {
        assert!(!trial.faults(30, believed).is_empty(), "{what}");
    };
    is_found(&trial, |_| false, "no sync is one");
    is_found(&trial, |name| name != Some("relay.db-wal"), "those of the WAL are none");
    is_found(&trial, |name| name != Some("relay.db"), "those of the store are none");
    is_found(&trial, |name| name.is_some(), "those of the names are none");
    is_found(&beside, |name| name.is_none_or(|name| !name.contains("unfinished")), "those of a copy are none");
    is_found(&beside, |name| name != Some(".turning.toml.new"), "those of the secrets are none");
}

/// The program itself starts on some of the disks. It has what was answered, knows notifications again, and tells Transform.
#[tokio::test]
async fn the_relay_starts_and_tells_after_a_power_cut() {
    const CROWD: u32 = 6;
    let trial = load(Setup::silent(), CROWD).await;
    for cut in trial.cuts(share(4).min(100)) {
        let at = folder();
        trial.left(cut, at.path());
        // A due time further ahead than these waits is brought back.
        let setup = Setup { max_wait: "100ms", retry_max: "100ms", ..Setup::default() };
        let transform = Transform::start();
        let relay = Relay::spawn_in(at, setup, &transform).await;
        let known = trial.known_at(cut);
        let mut paid_for = BTreeSet::new();
        for promised in known.up_to(0) {
            match promised {
                Promised::Shows { record, place, value } => {
                    let body = relay.fetched("Payment", id_of(record)).await;
                    assert!(is_shown(&body, place, value), "{cut:?}: {record} {place}");
                }
                Promised::Owed { record, .. } => {
                    transform.told("payment", id_of(record), 1).await;
                    paid_for.insert(record);
                }
                _ => {}
            }
        }
        for n in (0..3 * CROWD).filter(|n| paid_for.contains(&format!("payment/tx-{n}"))).take(5) {
            assert_eq!(relay.stripe(&paid(n)).await, "repeated", "{cut:?}");
        }
    }
}

fn id_of(record: &str) -> &str {
    record.strip_prefix("payment/").unwrap()
}
