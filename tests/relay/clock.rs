//! Somebody sets the machine's clock. A library put before the C library does that to one relay only; it is compiled
//! with the C compiler that the build needs anyway.

#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;

use crate::support::{Answer, Relay, Setup, adyen, payment, start};

/// A relay whose clock is stepped by writing seconds into its file `step`.
fn stepping(setup: Setup, folder: &Path) -> Setup {
    let library = folder.join("clock_step.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/relay/support/clock_step.c");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let built = Command::new(compiler).args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).arg("-ldl").output();
    let built = built.unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let environment = [("LD_PRELOAD", path("clock_step.so")), ("CLOCK_STEP_FILE", path("step"))];
    Setup { environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec(), ..setup }
}

fn step(folder: &Path, seconds: i64) {
    // Renamed into place: the relay never reads half of it.
    std::fs::write(folder.join("step.new"), seconds.to_string()).unwrap();
    std::fs::rename(folder.join("step.new"), folder.join("step")).unwrap();
}

/// Adyen signs no time, so its notifications are good on any clock.
async fn authorised(relay: &Relay, psp: &str, minute: u8, value: i64) {
    relay.notify("adyen-main", &adyen::item("AUTHORISATION", psp, "", minute, value)).await.expect(200);
}

async fn charged_back(relay: &Relay) {
    relay.notify("adyen-main", &adyen::item("CHARGEBACK", "DISP1", "PSP1", 2, 900)).await.expect(200);
}

const HOUR: i64 = 3600;

#[tokio::test]
async fn due_times_and_last_updated_outlive_a_clock_that_steps_back() {
    let folder = tempfile::tempdir().unwrap();
    let setup = stepping(Setup { quiet: "2s", max_wait: "20s", ..Setup::default() }, folder.path());
    let (transform, relay) = start(setup).await;
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    authorised(&relay, "PSP1", 1, 1000).await;
    let before = relay.fetched("Payment", "tx-1").await["lastUpdated"].as_str().unwrap().to_owned();
    // The change is due in two seconds; on the machine's clock that would now be in an hour.
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
    // Another record is told; had the first been due, it would have come before.
    relay.register("payment", "tx-2", &payment("PSP2", "10")).await;
    authorised(&relay, "PSP2", 1, 1000).await;
    relay.program.logged(&["told Transform", "record=payment/tx-2 "]).await;
    assert_eq!(transform.count("payment", "tx-1"), 1);
}

/// The clock went back while the relay was down: what is stored as due lies further ahead than any wait is long.
#[tokio::test]
async fn due_times_are_brought_back_at_a_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut setup = stepping(Setup { retry_first: "1h", ..Setup::default() }, folder.path());
    setup.breaker_failures = 100;
    step(folder.path(), 1000 * HOUR);
    let (transform, mut relay) = start(setup).await;
    transform.script([Answer::status(500)]);
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    authorised(&relay, "PSP1", 1, 1000).await;
    relay.program.logged(&["could not tell Transform"]).await;
    let before = relay.fetched("Payment", "tx-1").await["lastUpdated"].as_str().unwrap().to_owned();
    relay.kill().await;
    step(folder.path(), 0);
    (relay.setup.retry_first, relay.setup.retry_max) = ("20ms", "20ms");
    relay.restart().await;
    relay.program.logged(&["due times lay further ahead"]).await;
    transform.told("payment", "tx-1", 2).await;
    charged_back(&relay).await;
    transform.told("payment", "tx-1", 3).await;
    let after = relay.fetched("Payment", "tx-1").await["lastUpdated"].as_str().unwrap().to_owned();
    assert!(after > before, "{after} after {before}");
}
