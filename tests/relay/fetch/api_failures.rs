//! Failures of the PSP's API, in every form; a dead letter of a failed fetch can be replayed.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::api::{Api, Told};
use crate::support::pointing::{SOURCE, has_paid, object, path, setup};
use crate::support::setup::{API_TOKEN, INTEGRATOR_TOKEN};
use crate::support::{Relay, Reply, Setup, Transform, payment, start, stripe};

/// A relay with a payment tr_1 that the API has as paid; `more` is added to the source's [fetch].
async fn paid(api: &Api, more: &str) -> (Transform, Relay) {
    let (transform, relay) = start(setup(api, more)).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    has_paid(api, "tr_1", "10.00");
    (transform, relay)
}

async fn replay(relay: &Relay, id: &str) -> Reply {
    let request = relay.request(Method::POST, &format!("/dead-letters/notifications/{id}/replay"));
    relay.send(request.bearer_auth(INTEGRATOR_TOKEN)).await
}

fn id(answered: &Reply) -> String {
    answered.json()["notification"].as_str().unwrap().to_owned()
}

/// These responses come first, then the truth: all of them are failures that pass.
async fn passes(failures: Vec<Told>, more: &str) {
    let api = Api::start();
    let count = failures.len();
    api.script(failures);
    let (transform, relay) = paid(&api, more).await;
    let answered = relay.point(SOURCE, "tr_1", 1).await.expect(200);
    transform.told("payment", "tx-1", 1).await;
    relay.came_to(&answered, "applied").await;
    assert_eq!(relay.fetched("payment", "tx-1").await["status"], "Succeeded");
    assert_eq!(api.calls().len(), count + 1);
}

#[tokio::test]
async fn what_is_not_there_yet_may_come() {
    passes(vec![Told::status(404), Told::status(404)], "").await;
}

#[tokio::test]
async fn an_api_that_fails_is_asked_again() {
    passes(vec![Told::status(500), Told::status(503), Told::Close], "").await;
}

#[tokio::test]
async fn an_api_that_hangs_is_asked_again() {
    passes(vec![Told::Hang], "timeout = \"300ms\"").await;
}

#[tokio::test]
async fn what_is_no_json_is_nobodys_truth() {
    passes(vec![Told::body("<html>Down for maintenance</html>")], "").await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Api::start();
    let to = format!("{}{}", elsewhere.url(), path("tr_1"));
    has_paid(&elsewhere, "tr_1", "99.00");
    passes(vec![Told::header(302, "location", to)], "").await;
    assert!(elsewhere.calls().is_empty());
}

#[tokio::test]
async fn an_api_that_asks_for_quiet_has_it() {
    let api = Api::start();
    api.script([Told::header(429, "retry-after", "2")]);
    let (transform, relay) = paid(&api, "").await;
    relay.point(SOURCE, "tr_1", 1).await.expect(200);
    api.nth(1).await;
    relay.program.logged(&["could not fetch", "HTTP 429"]).await;
    // Another object of the same PSP waits as well.
    relay.register("payment", "tx-2", &payment("tr_2", "10")).await;
    has_paid(&api, "tr_2", "10.00");
    relay.point(SOURCE, "tr_2", 2).await.expect(200);
    transform.told("payment", "tx-1", 1).await;
    transform.told("payment", "tx-2", 1).await;
    let calls = api.calls();
    assert!(calls[1].at - calls[0].at >= Duration::from_secs(2), "{calls:?}");
}

#[tokio::test]
async fn credentials_that_were_wrong_are_put_right_by_a_restart() {
    let api = Api::start();
    let right = format!("{API_TOKEN}-new");
    api.demand(&format!("Bearer {right}"));
    let (transform, mut relay) = paid(&api, "").await;
    let answered = relay.point(SOURCE, "tr_1", 1).await.expect(200);
    relay.program.logged(&["could not fetch", "HTTP 401"]).await;
    assert_eq!(answered.json()["outcome"], "fetching");
    relay.terminate().await;
    relay.setup.more = relay.setup.more.replace(API_TOKEN, &right);
    relay.restart().await;
    transform.told("payment", "tx-1", 1).await;
}

#[tokio::test]
async fn credentials_that_were_wrong_are_put_right_by_a_reload() {
    let api = Api::start();
    let right = format!("{API_TOKEN}-new");
    api.demand(&format!("Bearer {right}"));
    let (transform, mut relay) = paid(&api, "").await;
    let answered = relay.point(SOURCE, "tr_1", 1).await.expect(200);
    relay.program.logged(&["could not fetch", "HTTP 401"]).await;
    relay.setup.more = relay.setup.more.replace(API_TOKEN, &right);
    assert_eq!(relay.reload().await.code, Some(0));
    transform.told("payment", "tx-1", 1).await;
    relay.came_to(&answered, "applied").await;
}

#[tokio::test]
async fn a_fetch_that_is_given_up_is_a_dead_letter_that_can_be_replayed() {
    let api = Api::start();
    api.script([Told::status(500), Told::status(500)]);
    let (transform, relay) = paid(&api, "give_up_after = \"0s\"").await;
    let answered = relay.point(SOURCE, "tr_1", 1).await.expect(200);
    let why = relay.died(&answered).await;
    assert!(why.contains("HTTP 500") && why.contains("/v2/payments/tr_1"), "{why}");
    let request = relay.request(Method::GET, "/dead-letters/notifications").bearer_auth(INTEGRATOR_TOKEN);
    let letters = relay.send(request).await.expect(200).json();
    assert_eq!(letters["notifications"][0]["notification"], id(&answered));
    let again = replay(&relay, &id(&answered)).await.expect(200).json();
    assert_eq!(again, json!({"notification": id(&answered), "outcome": "fetching", "reason": null}));
    transform.told("payment", "tx-1", 1).await;
    relay.came_to(&answered, "applied").await;
    assert_eq!(api.calls().len(), 3);
    replay(&relay, &id(&answered)).await.problem(409);
}

#[tokio::test]
async fn what_lies_in_the_object_is_final_at_once() {
    let odd = object("tr_1", "peculiar", "10.00").to_string();
    let gone = [
        (Told::status(410), "HTTP 410"),
        (Told::status(400), "HTTP 400"),
        (Told::endless(), "larger than"),
        (Told::body(odd), "peculiar"),
        (Told::body("[]"), "no type"),
    ];
    for (told, why) in gone {
        let api = Api::start();
        api.script([told]);
        let (transform, relay) = paid(&api, "").await;
        let answered = relay.point(SOURCE, "tr_1", 1).await.expect(200);
        let line = relay.died(&answered).await;
        assert!(line.contains(why), "{why}: {line}");
        assert_eq!(api.calls().len(), 1, "{why}");
        replay(&relay, &id(&answered)).await.expect(200);
        transform.told("payment", "tx-1", 1).await;
    }
}

#[tokio::test]
async fn news_that_came_again_during_a_fetch_that_was_given_up_is_no_dead_letter() {
    let api = Api::start();
    let (transform, relay) = start(setup(&api, "not_found_for = \"0s\"")).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    let (held, gate) = Told::held_back();
    api.script([held, Told::body(object("tr_1", "paid", "10.00").to_string())]);
    let answered = relay.point(SOURCE, "tr_1", 1).await.expect(200);
    api.nth(1).await;
    relay.point(SOURCE, "tr_1", 1).await.expect(200);
    gate.open();
    transform.told("payment", "tx-1", 1).await;
    relay.came_to(&answered, "applied").await;
    assert_eq!(relay.outcomes(), ["applied"]);
}

#[tokio::test]
async fn what_the_psp_does_not_know_for_long_it_does_not_have() {
    let api = Api::start();
    let (_transform, relay) = start(setup(&api, "not_found_for = \"0s\"")).await;
    let answered = relay.point(SOURCE, "tr_9", 1).await.expect(200);
    assert!(relay.died(&answered).await.contains("HTTP 404"));
    assert_eq!(api.calls().len(), 1);
}

#[tokio::test]
async fn a_dead_letter_that_needs_no_fetch_is_judged_by_what_is_known_now() {
    let more = "[store.parked]\nper_source = 1\n".to_owned();
    let (transform, relay) = start(Setup { more, ..Setup::default() }).await;
    let paid = stripe::paid("pi_1", 1_700_000_000, 1000);
    let answered = relay.notify("stripe-main", &paid).await.expect(200);
    assert_eq!(relay.stripe(&stripe::paid("pi_2", 1_700_000_000, 1000)).await, "parked");
    // The first event had made room for the second. Replayed, it is the newer one, and is parked again.
    let again = replay(&relay, &id(&answered)).await.expect(200).json();
    assert_eq!(again["outcome"], "parked");
    assert_eq!(relay.stripe(&stripe::paid("pi_3", 1_700_000_000, 1000)).await, "parked");
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let again = replay(&relay, &id(&answered)).await.expect(200).json();
    assert_eq!(again, json!({"notification": id(&answered), "outcome": "applied", "reason": null}));
    transform.told("payment", "tx-1", 1).await;
    replay(&relay, &id(&answered)).await.problem(409);
    replay(&relay, "019ca9c4-5a41-7c02-8b7f-0a1b2c3d4e5f").await.problem(404);
    replay(&relay, "no-id").await.problem(404);
    let stranger = relay.request(Method::POST, &format!("/dead-letters/notifications/{}/replay", id(&answered)));
    relay.send(stranger).await.problem(401);
}
