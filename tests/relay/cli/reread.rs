//! `reread`: records and outcomes of earlier rules are corrected by the rules of today.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::api::{Api, Told};
use crate::support::integrator::with;
use crate::support::program::{Ended, run, unread};
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Relay, Setup, Transform, adyen, payment, pointing, start, stripe, within};

const AT: i64 = 1_700_000_000;

/// The built-in profile of Stripe with another text in a place.
async fn stripe_with(place: &str, other: &str) -> String {
    let text = run(&["profile", "show", "stripe"], &[]).await.stdout;
    assert!(text.contains(place), "{place}");
    text.replace(place, other)
}

/// A relay whose Stripe is read by this profile.
async fn with_profile(setup: Setup, text: &str) -> (Transform, Relay, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("stripe.toml"), text).unwrap();
    let more = format!("[profiles]\ndir = \"{}\"\n", folder.path().display());
    let (transform, relay) = start(Setup { more, ..setup }).await;
    (transform, relay, folder)
}

/// From now on the configuration has the built-in profile, and so has the relay if it runs.
async fn mended(relay: &Relay, profiles: &Path) {
    fs::remove_file(profiles.join("stripe.toml")).unwrap();
    if relay.program.runs() {
        let config = relay.file("relay.toml");
        let reloaded = run(&["reload", "--config", config.to_str().unwrap()], &[]).await;
        assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    }
}

async fn reread(relay: &Relay, more: &[&str]) -> Ended {
    let config = relay.file("relay.toml");
    let arguments = [&["reread", "--config", config.to_str().unwrap()], more].concat();
    run(&arguments, &relay.setup.environment()).await
}

#[track_caller]
fn says(ended: &Ended, code: i32, parts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for part in parts {
        assert!(ended.stdout.contains(part), "{part:?} in {ended:?}");
    }
}

/// A relay with a payment of 10.00 that it has read as 1000.00, and has told of.
async fn misread() -> (Transform, Relay, tempfile::TempDir) {
    let major = stripe_with("amounts = \"minor\"", "amounts = \"major\"").await;
    let (transform, relay, folder) = with_profile(Setup::default(), &major).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "applied");
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(paid(&relay, "tx-1").await, json!(1000));
    relay.caught_up(&transform).await;
    (transform, relay, folder)
}

async fn paid(relay: &Relay, id: &str) -> Value {
    relay.fetched("Payment", id).await["payments"][0]["amount"].take()
}

const LINE: &str = "payment tx-1: payments[\"pi_1\"].amount: 1000 -> 10; refundableAmount: 1000 -> 10";

#[tokio::test]
async fn a_record_is_corrected_beside_the_running_relay_and_transform_is_told() {
    let (transform, relay, folder) = misread().await;
    mended(&relay, folder.path()).await;
    let (before, registered) = (relay.all_stored(), relay.record("payment", "tx-1").await);
    let dry = reread(&relay, &["--dry-run"]).await;
    // The record that the test watches was misread as well.
    says(&dry, 1, &[LINE, "2 notifications read again", "2 records would change; Transform is to be told of 2"]);
    assert_eq!(relay.all_stored(), before, "a dry run changes nothing");

    let done = reread(&relay, &[]).await;
    says(&done, 0, &[LINE, "2 records changed; Transform is told of 2", "0 notifications judged anew"]);
    assert!(!done.stdout.contains("left") && !done.stdout.contains("not read again"), "{done:?}");
    relay.program.logged(&["INFO", "corrected", "by a reread", "records=2", "notifications=0"]).await;
    transform.told("payment", "tx-1", 2).await;
    assert_eq!(paid(&relay, "tx-1").await, json!(10));
    let now = relay.record("payment", "tx-1").await;
    assert_eq!(now["version"], json!(registered["version"].as_i64().unwrap() + 1));
    assert!(now["lastUpdated"].as_str() > registered["lastUpdated"].as_str(), "{now}");
    assert_eq!(now["requestedAmount"], registered["requestedAmount"]);
    let made = relay.history("payment", "tx-1").await["versions"][0].take();
    assert_eq!(
        (&made["type"], &made["notification"], &made["version"]),
        (&json!("reread"), &Value::Null, &now["version"])
    );

    relay.caught_up(&transform).await;
    let before = relay.all_stored();
    for more in [&[][..], &["--dry-run"]] {
        let again = reread(&relay, more).await;
        says(&again, 0, &["3 notifications read again", "0 records", "0 notifications"]);
    }
    assert_eq!(relay.all_stored(), before, "a second run changes nothing");
}

/// Nothing is told before the next start. The claims of the record are older than the record itself: an earlier version
/// has not understood the second event.
#[tokio::test]
async fn without_a_relay_the_command_corrects_the_store_and_the_next_relay_tells() {
    let (transform, mut relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::declined("pi_1", AT, 1000, "do_not_honor")).await;
    let earlier = relay.stored_records().remove(0);
    relay.stripe(&stripe::paid("pi_1", AT + 1, 1000)).await;
    transform.told("payment", "tx-1", 1).await;
    relay.caught_up(&transform).await;
    let told = transform.count("payment", "tx-1");
    relay.terminate().await;
    relay.set_back(0, &earlier);
    let before = relay.all_stored();
    says(
        &reread(&relay, &["--dry-run"]).await,
        1,
        &["payment tx-1: ", "status: Failed -> Succeeded", "1 records would"],
    );
    assert_eq!(relay.all_stored(), before, "a dry run changes nothing");
    says(&reread(&relay, &[]).await, 0, &["status: Failed -> Succeeded", "1 records changed; Transform is told of 1"]);
    says(&reread(&relay, &[]).await, 0, &["0 records changed", "0 notifications judged anew"]);
    relay.restart().await;
    transform.told("payment", "tx-1", told + 1).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], json!("Succeeded"));
}

/// A dead letter is applied. So is an event that waited under an id that it does not have today. No payer data is printed:
/// the suite looks for it.
#[tokio::test]
async fn what_is_understood_today_is_applied_and_told() {
    let nowhere = stripe_with("/data/object/amount_received", "/data/object/nowhere").await;
    let (transform, relay, folder) = with_profile(Setup::default(), &nowhere).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "dead_letter");
    assert_eq!(relay.stripe(&stripe::paid("pi_2", AT, 1000)).await, "dead_letter");
    mended(&relay, folder.path()).await;
    let dry = reread(&relay, &["--dry-run"]).await;
    let parts =
        ["payment tx-1: ", "status: Initiated -> Succeeded", ": dead_letter -> applied", ": dead_letter -> parked"];
    says(&dry, 1, &parts);
    says(&dry, 1, &["1 records would change", "2 notifications would be judged anew, of them 2 dead letters"]);
    assert_eq!(relay.dead_letters().await.len(), 2);
    let done = reread(&relay, &[]).await;
    says(&done, 0, &parts);
    says(&done, 0, &["2 notifications judged anew, of them 2 dead letters"]);
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.outcomes(), ["applied", "parked"]);
    assert!(relay.dead_letters().await.is_empty());
    relay.register("payment", "tx-2", &payment("pi_2", "10")).await;
    transform.told("payment", "tx-2", 1).await;
    says(&reread(&relay, &[]).await, 0, &["0 records changed", "0 notifications judged anew"]);
}

/// What was understood once must not be lost by a profile that does not understand it. What is gone cannot be read.
#[tokio::test]
async fn a_record_is_kept_where_its_notifications_cannot_be_read() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    for n in 1..=2 {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let nowhere = stripe_with("/data/object/amount_received", "/data/object/nowhere").await;
    fs::write(folder.path().join("stripe.toml"), nowhere).unwrap();
    relay.setup.more = format!("[profiles]\ndir = \"{}\"\n", folder.path().display());
    relay.reload().await;
    let before = relay.all_stored();
    let lost = reread(&relay, &[]).await;
    says(
        &lost,
        1,
        &[
            "2 of them were understood when they came and are not understood now",
            "payment tx-1 is left as it is: one of its notifications cannot be read as it was",
            "payment tx-2 is left as it is",
        ],
    );
    assert_eq!(relay.all_stored(), before);
    mended(&relay, folder.path()).await;
    relay.forget(&relay.notifications()[..1]);
    let gone = reread(&relay, &[]).await;
    says(&gone, 0, &["1 notifications read again", "0 records changed", "1 records not read again"]);
    let notifications = |rows: &[String]| rows.iter().filter(|row| row.starts_with("notifications: ")).count();
    let after = relay.all_stored();
    assert_eq!((after.len(), notifications(&after)), (before.len() - 1, 1));
    assert!(after.iter().all(|row| before.contains(row)));
}

/// The command is killed after its first portion. Records are corrected whole or not at all, and the next run does the rest.
#[tokio::test]
async fn a_run_that_is_killed_is_completed_by_the_next_one() {
    const RECORDS: usize = 250;
    let nowhere = stripe_with("/data/object/amount_received", "/data/object/nowhere").await;
    let (_transform, relay, folder) = with_profile(Setup::silent(), &nowhere).await;
    for n in 0..RECORDS {
        let psp_id = format!("pi_{n}");
        relay.register("payment", &format!("tx-{n}"), &payment(&psp_id, "10")).await;
        assert_eq!(relay.stripe(&stripe::paid(&psp_id, AT, 1000)).await, "dead_letter");
    }
    mended(&relay, folder.path()).await;
    let corrected = || relay.stored_records().iter().filter(|record| record.contains("Succeeded")).count();
    let config = relay.file("relay.toml");
    let (mut command, _reader) = unread(&["reread", "--config", config.to_str().unwrap()], &relay.setup.environment());
    relay.program.logged(&["by a reread", "records=100 "]).await;
    command.kill().unwrap();
    command.wait().unwrap();
    assert_eq!(corrected(), 100, "the command waits for a reader of its lines");
    assert_eq!(relay.with_outcome("dead_letter"), RECORDS);

    let rest = reread(&relay, &[]).await;
    says(
        &rest,
        0,
        &["150 records changed; Transform is told of 150", "250 notifications judged anew, of them 250 dead"],
    );
    assert_eq!((corrected(), relay.with_outcome("applied"), relay.rows().outbox), (RECORDS, RECORDS, 250));
    let before = relay.all_stored();
    says(&reread(&relay, &[]).await, 0, &["0 records changed", "0 notifications judged anew"]);
    assert_eq!(relay.all_stored(), before);
}

/// Another process keeps the relay from writing. The command breaks off, and says that the next run does the rest.
#[tokio::test]
async fn a_relay_that_cannot_write_corrects_nothing() {
    let (_transform, relay, folder) = misread().await;
    mended(&relay, folder.path()).await;
    let held = relay.hold_store();
    let refused = within("the refusal", reread(&relay, &[])).await;
    assert_eq!(refused.code, Some(69), "{refused:?}");
    for part in ["broken off", "Run it again", "the relay refuses: the store is unavailable"] {
        assert!(refused.stderr.contains(part), "{part} in {refused:?}");
    }
    drop(held);
    says(&reread(&relay, &[]).await, 0, &[LINE]);
}

/// The relay would tell what its own rules do not say.
#[tokio::test]
async fn a_relay_with_other_rules_corrects_nothing() {
    let (_transform, relay, folder) = misread().await;
    fs::remove_file(folder.path().join("stripe.toml")).unwrap();
    let before = relay.all_stored();
    let refused = reread(&relay, &["--source", "stripe-main"]).await;
    assert_eq!(refused.code, Some(69), "{refused:?}");
    for part in ["the notifications of source stripe-main by other rules than the command", "reload the relay"] {
        assert!(refused.stderr.contains(part), "{part} in {refused:?}");
    }
    assert_eq!(relay.all_stored(), before);
    relay.reload().await;
    says(&reread(&relay, &["--source", "stripe-main"]).await, 0, &[LINE]);
}

#[tokio::test]
async fn one_source_and_one_span_are_read_alone() {
    let (_transform, relay, folder) = misread().await;
    mended(&relay, folder.path()).await;
    let nothing = "0 records would change";
    for more in [&["--source", "stripe-two"][..], &["--since", "2100-01-01T00:00:00Z"]] {
        says(&reread(&relay, &[&["--dry-run"], more].concat()).await, 0, &["0 notifications read again", nothing]);
    }
    says(&reread(&relay, &["--dry-run", "--source", "stripe-main", "--since", "1d"]).await, 1, &[LINE]);
    for (more, named) in [(["--source", "nobody"], "--source nobody"), (["--since", "yesterday"], "--since")] {
        let wrong = reread(&relay, &more).await;
        assert!(wrong.code == Some(64) && wrong.stderr.contains(named), "{wrong:?}");
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_named_and_not_made() {
    let (_transform, relay) = start(Setup::silent()).await;
    let environment =
        [relay.setup.environment(), vec![("RELAY_STORE__PATH".to_owned(), "/nowhere/none.db".to_owned())]];
    let config = relay.file("relay.toml");
    let missing = run(&["reread", "--config", config.to_str().unwrap()], &environment.concat()).await;
    assert!(missing.code == Some(74) && missing.stderr.contains("none.db"), "{missing:?}");
}

/// Objects are not fetched again: one that is kept is read, and a notification without its object stays as it is.
#[tokio::test]
async fn what_was_not_fetched_is_left_as_it_is() {
    let api = Api::start();
    let (transform, relay) = start(pointing::setup(&api, "not_found_for = \"0s\"")).await;
    for n in 1..=2 {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("tr_{n}"), "10")).await;
    }
    pointing::has_paid(&api, "tr_1", "10.00");
    relay.point(pointing::SOURCE, "tr_1", 1).await.expect(200);
    transform.told("payment", "tx-1", 1).await;
    let dead = relay.point(pointing::SOURCE, "tr_2", 2).await.expect(200);
    relay.died(&dead).await;
    api.script([Told::Hang]);
    relay.point(pointing::SOURCE, "tr_3", 3).await.expect(200);
    api.nth(3).await;
    let before = relay.all_stored();
    let done = reread(&relay, &["--source", pointing::SOURCE]).await;
    says(&done, 0, &["3 notifications read again", "0 records changed", "0 notifications judged anew"]);
    says(&done, 0, &["2 of them point to an object that was not fetched or is not kept, and were left out"]);
    assert_eq!((relay.all_stored(), api.calls().len()), (before, 3));
}

/// The dispute names only the authorization at first, and one of two captures later.
#[tokio::test]
async fn a_dead_letter_that_a_later_notification_released_is_no_difference() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("preauth", "tx-p", &payment("AUTH", "100")).await;
    for (id, psp_id) in [("tx-c", "CAP1"), ("tx-d", "CAP2")] {
        relay.register("payment", id, &with(payment(psp_id, "40"), "preauthTransactionId", "tx-p")).await;
    }
    for notification in [
        adyen::item("AUTHORISATION", "AUTH", "", 0, 10_000),
        adyen::item("CHARGEBACK", "DISP", "AUTH", 1, 1000),
        adyen::item("CHARGEBACK_REVERSED", "DISP", "CAP2", 2, 500),
    ] {
        relay.notify("adyen-main", &notification).await.expect(200);
    }
    assert!(relay.dead_letters().await.is_empty());
    says(&reread(&relay, &["--dry-run"]).await, 0, &["0 notifications would be judged anew"]);
}

#[tokio::test]
async fn what_was_imported_stays_when_a_record_is_corrected() {
    let major = stripe_with("amounts = \"minor\"", "amounts = \"major\"").await;
    let (transform, relay, folder) = with_profile(Setup::default(), &major).await;
    let line = json!({
        "kind": "payment", "transactionId": "tx-1", "pspTransactionId": "pi_1", "currency": "EUR", "requestedAmount": 12,
        "status": "Succeeded", "payments": [{"amount": 12, "bookingDate": "2026-03-01"}],
        "refunds": [{"externalItemId": "re_1", "amount": 2, "bookingDate": "2026-03-02"}],
    });
    let request = relay.request(reqwest::Method::POST, "/records/batch").bearer_auth(INTEGRATOR_TOKEN);
    relay.send(request.body(line.to_string())).await.expect(200);
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "applied");
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("payment", "tx-1").await["payments"][0]["amount"], 1000);
    mended(&relay, folder.path()).await;
    says(&reread(&relay, &[]).await, 0, &["1 records changed"]);
    let payment = relay.fetched("payment", "tx-1").await;
    let amounts: Vec<_> = payment["payments"].as_array().unwrap().iter().map(|item| item["amount"].clone()).collect();
    assert_eq!(amounts, [json!(10), json!(2)], "the event's, and what is left of the imported one");
    assert_eq!(payment["refundedAmount"], 2);
}
