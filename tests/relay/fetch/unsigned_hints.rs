//! Hints: unsigned notifications, which only say where to look.

use serde_json::json;

use crate::support::api::{Api, Told};
use crate::support::pointing::{SOURCE, has_paid, object, path, setup};
use crate::support::{Reply, payment, start};

fn id(answered: &Reply) -> String {
    answered.json()["notification"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_hint_is_looked_up_and_nothing_of_it_is_believed() {
    let api = Api::start();
    let (transform, relay) = start(setup(&api, "")).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    has_paid(&api, "tr_1", "10.00");
    let mut lie = object("tr_1", "failed", "99.00");
    lie["hint"] = true.into();
    let answered = relay.post(SOURCE, &[], lie.to_string()).await.expect(200);
    assert_eq!(answered.json()["outcome"], "fetching");
    relay.came_to(&answered, "applied").await;
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("payment", "tx-1").await["status"], "Succeeded");
    let kept = relay.notifications().remove(0);
    assert!(kept.hint && kept.headers == "[]", "{kept:?}");
    assert_eq!(kept.body, path("tr_1").as_bytes(), "nothing is kept of it but where to look");
    // Pointers have no id: the same pointer again may be other news.
    api.put(&path("tr_1"), &object("tr_1", "failed", "10.00"));
    let again = relay.hint("tr_1").await.expect(200);
    assert_eq!((id(&again), again.header("idempotent-replayed")), (id(&answered), ""));
    transform.told("payment", "tx-1", 2).await;
    assert_eq!(relay.rows().notifications, 1);
}

#[tokio::test]
async fn hints_at_one_object_cost_two_fetches_however_many_they_are() {
    let api = Api::start();
    let (transform, relay) = start(setup(&api, "")).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    api.put(&path("tr_1"), &object("tr_1", "open", "10.00"));
    let (held, gate) = Told::held_back();
    api.script([held, Told::body(object("tr_1", "paid", "10.00").to_string())]);
    let first = relay.hint("tr_1").await.expect(200);
    api.nth(1).await;
    for _ in 0..20 {
        assert_eq!(relay.hint("tr_1").await.expect(200).text, first.text);
    }
    assert_eq!(relay.rows().notifications, 1);
    assert_eq!(relay.rows().waiting_for_fetches, 1);
    gate.open();
    transform.told("payment", "tx-1", 1).await;
    relay.came_to(&first, "applied").await;
    relay.caught_up(&transform).await;
    assert_eq!(api.calls().len(), 2);
    assert_eq!(relay.rows().waiting_for_fetches, 0);
}

/// A change that Transform can see is news. The same truth once more is no news, and neither is a missing object.
#[tokio::test]
async fn what_a_hint_brings_says_whether_it_was_in_vain() {
    let api = Api::start();
    let (transform, relay) = start(setup(&api, "not_found_for = \"0s\"")).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    let in_vain = || relay.fetches()[0].in_vain;
    let answered = relay.hint("tr_1").await.expect(200);
    relay.died(&answered).await;
    assert_eq!(in_vain(), 1);
    has_paid(&api, "tr_1", "10.00");
    relay.hint("tr_1").await.expect(200);
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(in_vain(), 0);
    relay.hint("tr_1").await.expect(200);
    relay.program.logged_times(&["the object of a notification was fetched", &id(&answered)], 2).await;
    assert_eq!(in_vain(), 1);
}

#[tokio::test]
async fn what_fails_verification_is_a_hint_only_where_the_source_says_so() {
    let body = json!({"id": "tr_1"}).to_string();
    let wrong = [("Pointer-Signature".to_owned(), "00".repeat(32))];
    let api = Api::start();
    let (_transform, relay) = start(setup(&api, "")).await;
    relay.post(SOURCE, &wrong, body.clone()).await.problem(401);
    relay.post(SOURCE, &[], body.clone()).await.problem(401);
    relay.post(SOURCE, &[], "no JSON").await.problem(401);
    assert!(api.calls().is_empty());

    let (transform, relay) = start(setup(&api, "mode = \"unverified\"")).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    has_paid(&api, "tr_1", "10.00");
    relay.post(SOURCE, &wrong, body).await.expect(200);
    transform.told("payment", "tx-1", 1).await;
    relay.post("stripe-main", &[], r#"{"id":"tr_1"}"#).await.problem(401);
}

#[tokio::test]
async fn a_source_that_never_fetches_takes_no_hints() {
    let api = Api::start();
    let (_transform, relay) = start(setup(&api, "mode = \"never\"")).await;
    relay.hint("tr_1").await.problem(401);
    let signed = relay.point(SOURCE, "tr_1", 1).await.expect(200);
    assert_eq!(signed.json()["outcome"], "dead_letter");
    assert!(api.calls().is_empty());
}

#[tokio::test]
async fn a_flood_of_made_up_objects_keeps_no_real_one_out() {
    let api = Api::start();
    let (transform, relay) = start(setup(&api, "max_hints = 3\nmax_hints_per_address = 3\nconcurrency = 1")).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    has_paid(&api, "tr_1", "10.00");
    let (held, gate) = Told::held_back();
    api.script([held]);
    relay.hint("tr_made_up_0").await.expect(200);
    api.nth(1).await;
    for n in 1..3 {
        relay.hint(&format!("tr_made_up_{n}")).await.expect(200);
    }
    let refused = relay.hint("tr_made_up_3").await;
    refused.problem(503);
    assert!(!refused.header("retry-after").is_empty());
    relay.hint("tr_made_up_1").await.expect(200);
    relay.hint("tr_1").await.expect(200);
    relay.point(SOURCE, "tr_2", 1).await.expect(200);
    gate.open();
    transform.told("payment", "tx-1", 1).await;
    let order: Vec<_> = api.nth(3).await.into_iter().map(|call| call.path).collect();
    assert_eq!(order[1..3], [path("tr_2"), path("tr_1")], "what is signed goes first, then what is registered");
    let refused = path("tr_made_up_3");
    assert!(!relay.notifications().iter().any(|kept| kept.body == refused.as_bytes()));
}

#[tokio::test]
async fn a_made_up_object_leaves_nothing_behind() {
    let api = Api::start();
    let (transform, relay) = start(setup(&api, "not_found_for = \"0s\"")).await;
    relay.hint("tr_made_up").await.expect(200);
    relay.program.logged(&["hints came to nothing", "dropped=1"]).await;
    let rows = relay.rows();
    assert_eq!((rows.notifications, rows.fetches, rows.waiting_for_fetches, rows.parked), (0, 0, 0, 0));
    assert_eq!((rows.read_with_responses, relay.responses().len()), (0, 0));
    // For an object with a registered record, news would be lost.
    relay.register("payment", "tx-9", &payment("tr_9", "10")).await;
    let answered = relay.hint("tr_9").await.expect(200);
    assert!(relay.died(&answered).await.contains("HTTP 404"));
    relay.caught_up(&transform).await;
}

#[tokio::test]
async fn what_is_registered_after_its_hint_has_missed_nothing() {
    let api = Api::start();
    let (transform, relay) = start(setup(&api, "")).await;
    has_paid(&api, "tr_1", "10.00");
    let answered = relay.hint("tr_1").await.expect(200);
    relay.came_to(&answered, "parked").await;
    relay.hint("tr_1").await.expect(200);
    relay.program.logged_times(&["the object of a notification was fetched", &id(&answered)], 2).await;
    assert_eq!(relay.parked().await.len(), 1, "the later truth takes the earlier one's place");
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("payment", "tx-1").await["status"], "Succeeded");
    assert_eq!(relay.outcomes(), ["applied"]);
}

#[tokio::test]
async fn hints_are_looked_up_after_a_restart_too() {
    let api = Api::start();
    let (transform, mut relay) = start(setup(&api, "")).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    has_paid(&api, "tr_1", "10.00");
    api.script([Told::Hang]);
    relay.hint("tr_1").await.expect(200);
    api.nth(1).await;
    relay.kill().await;
    relay.restart().await;
    transform.told("payment", "tx-1", 1).await;
}

/// Facts about an object from the PSP's API were not made up by a stranger. They stay, and so does the dead letter of
/// the fetch that failed afterwards.
#[tokio::test]
async fn what_is_parked_of_a_hint_outlives_a_later_fetch_that_fails() {
    let api = Api::start();
    let (transform, relay) = start(setup(&api, "")).await;
    has_paid(&api, "tr_1", "10.00");
    let answered = relay.hint("tr_1").await.expect(200);
    relay.came_to(&answered, "parked").await;
    api.script([Told::status(410)]);
    relay.hint("tr_1").await.expect(200);
    assert!(relay.died(&answered).await.contains("HTTP 410"));
    assert_eq!(relay.parked().await.len(), 1);
    // A further hint that fails does not remove the dead letter either.
    api.script([Told::status(410)]);
    relay.hint("tr_1").await.expect(200);
    relay.program.logged_times(&["notification kept as a dead letter", &id(&answered)], 2).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("payment", "tx-1").await["status"], "Succeeded");
    assert_eq!(relay.outcomes(), ["dead_letter"], "it can be replayed");
}
