//! Steps of the machine's clock while the relay runs. A preloaded library steps it for one relay only. The library is
//! compiled with the C compiler that the build needs anyway.

#![cfg(target_os = "linux")]

use std::path::Path;

use crate::support::api::Api;
use crate::support::preload::{step, stepped};
use crate::support::{Answer, Relay, Setup, adyen, payment, pointing, start};

/// A relay whose clock is stepped by writing seconds into its file `step`.
fn stepping(setup: Setup, folder: &Path) -> Setup {
    Setup { environment: stepped(folder), ..setup }
}

/// Adyen signs no time, so its notifications are good on any clock.
async fn authorised(relay: &Relay, psp: &str, minute: u8, value: i64) {
    relay.notify("adyen-main", &adyen::item("AUTHORISATION", psp, "", minute, value)).await.expect(200);
}

async fn charged_back(relay: &Relay) {
    relay.notify("adyen-main", &adyen::item("CHARGEBACK", "DISP1", "PSP1", 2, 900)).await.expect(200);
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

#[tokio::test]
async fn due_times_and_last_updated_outlive_a_clock_that_steps_back() {
    let folder = tempfile::tempdir().unwrap();
    let setup = stepping(Setup { quiet: "2s", max_wait: "20s", ..Setup::default() }, folder.path());
    let (transform, relay) = start(setup).await;
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    authorised(&relay, "PSP1", 1, 1000).await;
    let before = relay.fetched("Payment", "tx-1").await["lastUpdated"].as_str().unwrap().to_owned();
    // The change is due in two seconds. By the machine's clock that would now be in an hour.
    step(folder.path(), -HOUR);
    transform.told("payment", "tx-1", 1).await;
    charged_back(&relay).await;
    let after = relay.fetched("Payment", "tx-1").await["lastUpdated"].as_str().unwrap().to_owned();
    assert!(after > before, "{after} after {before}");
    transform.told("payment", "tx-1", 2).await;
}

#[tokio::test]
async fn transform_is_not_asked_earlier_because_the_clock_steps_forth() {
    let folder = tempfile::tempdir().unwrap();
    let setup = stepping(Setup::default(), folder.path());
    let (transform, relay) = start(setup).await;
    transform.script([Answer::header(429, "retry-after", "1800")]);
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    authorised(&relay, "PSP1", 1, 1000).await;
    relay.program.logged(&["could not tell Transform", "record=payment/tx-1 "]).await;
    step(folder.path(), 2 * HOUR);
    // Another record is told. If the first record had been due, its webhook would have come before.
    relay.register("payment", "tx-2", &payment("PSP2", "10")).await;
    authorised(&relay, "PSP2", 1, 1000).await;
    relay.program.logged(&["told Transform", "record=payment/tx-2 "]).await;
    assert_eq!(transform.count("payment", "tx-1"), 1);
}

/// Waits for a round of housekeeping that uses what the relay found at its start.
async fn housekept(relay: &Relay) {
    relay.program.logged(&["a round of housekeeping is over"]).await;
}

fn counted(relay: &Relay, table: &str) -> i64 {
    relay.stored(&format!("SELECT count(*) FROM {table}"))
}

/// A store of an earlier version has no clock of its own.
#[tokio::test]
async fn a_long_rest_before_an_upgrade_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let (_transform, mut relay) = start(stepping(Setup::silent(), folder.path())).await;
    authorised(&relay, "PSP1", 1, 1000).await;
    relay.terminate().await;
    let forget = |relay: &Relay| {
        rusqlite::Connection::open(relay.file("relay.db")).unwrap().execute("DELETE FROM clock", []).unwrap();
    };
    forget(&relay);
    relay.restart().await;
    relay.program.logged(&["listening address="]).await;
    assert!(!relay.program.log().contains("the machine's clock"), "a short rest:\n{}", relay.program.log());
    relay.terminate().await;
    forget(&relay);
    step(folder.path(), 200 * DAY);
    relay.restart().await;
    relay.program.logged(&["WARN", "the machine's clock is ahead of the store's", " was=", " by="]).await;
}

/// Acknowledged events outlive a machine that wakes up in another year.
#[tokio::test]
async fn a_start_with_the_clock_ahead_makes_nothing_old() {
    let folder = tempfile::tempdir().unwrap();
    let (_transform, mut relay) = start(stepping(Setup::default(), folder.path())).await;
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    authorised(&relay, "PSP1", 1, 1000).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
    authorised(&relay, "PSP2", 1, 1000).await;
    relay.terminate().await;
    relay.restart().await;
    housekept(&relay).await;
    assert!(!relay.program.log().contains("the machine's clock"), "an ordinary start:\n{}", relay.program.log());
    relay.terminate().await;

    step(folder.path(), 200 * DAY);
    relay.restart().await;
    relay.program.logged(&["WARN", "the machine's clock is ahead of the store's"]).await;
    housekept(&relay).await;
    relay.terminate().await;
    step(folder.path(), 0);
    relay.restart().await;
    relay.program.logged(&["WARN", "the machine's clock was set back"]).await;
    relay.register("payment", "tx-2", &payment("PSP2", "10")).await;
    for id in ["tx-1", "tx-2"] {
        assert_eq!(relay.fetched("Payment", id).await["payments"][0]["amount"].to_string(), "10", "{id}");
    }
    assert_eq!(["notifications", "transitions"].map(|table| counted(&relay, table)), [2, 2]);
    assert!(counted(&relay, "attempts") >= 1);
}

/// One bit of the store's clock is wrong: acknowledged events stay, and the log tells the consequence.
#[tokio::test]
async fn a_clock_that_is_damaged_makes_nothing_old() {
    let (_transform, mut relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    authorised(&relay, "PSP1", 1, 1000).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
    relay.terminate().await;
    let store = rusqlite::Connection::open(relay.file("relay.db")).unwrap();
    assert_eq!(store.execute("UPDATE clock SET steady = steady | 1 << 52", []).unwrap(), 1);
    drop(store);
    relay.restart().await;
    relay
        .program
        .logged(&["ERROR", "the store's clock was damaged", "goes on from the newest time in the store"])
        .await;
    housekept(&relay).await;
    assert_eq!(["notifications", "transitions"].map(|table| counted(&relay, table)), [1, 1]);
    assert!(counted(&relay, "attempts") >= 1);
    relay.terminate().await;
    relay.restart().await;
    housekept(&relay).await;
    assert!(!relay.program.log().contains("damaged"), "{}", relay.program.log());
}

/// An owed change is only as old as the failures that the relay observed.
#[tokio::test]
async fn a_start_with_the_clock_ahead_gives_no_debt_up() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup { breaker_failures: 100, give_up_after: "12h", ..Setup::default() };
    let mut setup = stepping(setup, folder.path());
    setup.retry_max = "100ms";
    let (transform, mut relay) = start(setup).await;
    transform.script((0..1000).map(|_| Answer::status(500)));
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    authorised(&relay, "PSP1", 1, 1000).await;
    relay.program.logged(&["could not tell Transform"]).await;
    relay.terminate().await;
    step(folder.path(), 200 * DAY);
    relay.restart().await;
    relay.program.logged(&["Transform", "record=payment/tx-1 ", "attempt="]).await;
    relay.terminate().await;
    assert_eq!(relay.stored::<i64>("SELECT count(*) FROM outbox WHERE dead_at IS NULL"), 1);
}

/// An object that its PSP does not know yet keeps its full time, whatever the machine's clock says.
#[tokio::test]
async fn a_start_with_the_clock_ahead_gives_no_fetch_up() {
    let (folder, api) = (tempfile::tempdir().unwrap(), Api::start());
    let (_transform, mut relay) = start(stepping(pointing::setup(&api, ""), folder.path())).await;
    relay.point(pointing::SOURCE, "tr_1", 1).await.expect(200);
    relay.program.logged(&["nothing there yet"]).await;
    relay.terminate().await;
    step(folder.path(), 200 * DAY);
    relay.restart().await;
    relay.program.logged(&["HTTP 404"]).await;
    relay.terminate().await;
    assert_eq!(relay.outcomes(), ["fetching"]);
    assert_eq!(counted(&relay, "fetch_waiting"), 1);
}

/// The age of a row with a date in the future is the relay's running time since it was written.
#[tokio::test]
async fn what_was_written_while_the_clock_was_ahead_goes_in_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let (_transform, mut relay) = start(stepping(Setup::default(), folder.path())).await;
    step(folder.path(), 200 * DAY);
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    authorised(&relay, "PSP1", 1, 1000).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
    let ended = relay.terminate().await;
    assert!(ended.stderr.contains("the machine's clock is ahead of the store's"), "set while it ran");
    step(folder.path(), 0);
    relay.setup.more = "[store.keep]\nnotifications = \"1ms\"\nattempts = \"1ms\"\nhistory = \"1ms\"".to_owned();
    relay.restart().await;
    housekept(&relay).await;
    assert_eq!(["notifications", "transitions", "attempts"].map(|table| counted(&relay, table)), [0, 0, 0]);
}

/// The clock goes back while the relay is down: due records stay due, and a record due in an hour is not due in a year.
#[tokio::test]
async fn due_times_outlive_a_clock_that_goes_back_while_the_relay_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = stepping(Setup { retry_first: "4s", retry_max: "4s", ..Setup::default() }, folder.path());
    setup.breaker_failures = 100;
    step(folder.path(), 1000 * HOUR);
    let (transform, mut relay) = start(setup).await;
    transform.script([Answer::status(500)]);
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    authorised(&relay, "PSP1", 1, 1000).await;
    relay.program.logged(&["could not tell Transform"]).await;
    let before = relay.fetched("Payment", "tx-1").await["lastUpdated"].as_str().unwrap().to_owned();
    relay.terminate().await;
    step(folder.path(), 0);
    relay.restart().await;
    transform.told("payment", "tx-1", 2).await;
    charged_back(&relay).await;
    transform.told("payment", "tx-1", 3).await;
    let after = relay.fetched("Payment", "tx-1").await["lastUpdated"].as_str().unwrap().to_owned();
    assert!(after > before, "{after} after {before}");
    assert!(!relay.program.log().contains("due times lay further ahead"), "{}", relay.program.log());
}

/// A shortened wait also holds for records that wait already.
#[tokio::test]
async fn due_times_are_brought_back_at_a_start() {
    let mut setup = Setup { retry_first: "1h", ..Setup::default() };
    setup.breaker_failures = 100;
    let (transform, mut relay) = start(setup).await;
    transform.script([Answer::status(500)]);
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    authorised(&relay, "PSP1", 1, 1000).await;
    relay.program.logged(&["could not tell Transform"]).await;
    relay.kill().await;
    (relay.setup.retry_first, relay.setup.retry_max) = ("20ms", "20ms");
    relay.restart().await;
    relay.program.logged(&["due times lay further ahead"]).await;
    transform.told("payment", "tx-1", 2).await;
}
