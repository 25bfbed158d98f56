//! `tell`, and the routes beside it: Transform is told again, of records by their ids or of what was given up.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::program::{Ended, run};
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Answer, Relay, Reply, Setup, Transform, payment, start, stripe};

const AT: i64 = 1_700_000_000;

/// A relay that has given up telling of tx-1, tx-2 and so on. Transform refused them with 404, and takes everything afterwards.
async fn given_up(payments: usize) -> (Transform, Relay) {
    let setup = Setup { retry_first: "1ms", give_up_after: "0s", concurrency: 1, ..Setup::default() };
    let (transform, relay) = start(setup).await;
    for n in 1..=payments {
        transform.script([Answer::status(404), Answer::status(404)]);
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
        relay.program.logged(&["gave up telling Transform", &format!("record=payment/tx-{n} ")]).await;
    }
    (transform, relay)
}

async fn tell(relay: &Relay, more: &[&str]) -> Ended {
    let config = relay.file("relay.toml");
    let arguments = [&["tell", "--config", config.to_str().unwrap()], more].concat();
    run(&arguments, &relay.setup.environment()).await
}

async fn post(relay: &Relay, path: &str, body: &Value) -> Reply {
    let request = relay.request(Method::POST, path).bearer_auth(INTEGRATOR_TOKEN);
    relay.send(request.header("Content-Type", "application/json").body(body.to_string())).await
}

#[tokio::test]
async fn records_are_told_by_their_ids_whatever_is_owed_of_them() {
    let (transform, relay) = given_up(2).await;
    relay.register("payment", "tx-3", &payment("pi_3", "10")).await;
    let ended = tell(&relay, &["tx-1", "tx-3"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "payment tx-1\npayment tx-3\n2 records told again\n");
    transform.told("payment", "tx-1", 3).await;
    transform.told("payment", "tx-3", 1).await;
    relay.program.logged(&["somebody has Transform told of these records again", "records=2"]).await;
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-2"), 2);
    assert_eq!(relay.given_up().await.len(), 1);
}

#[tokio::test]
async fn an_unknown_id_is_named_and_nothing_is_told() {
    let (transform, relay) = given_up(1).await;
    let ended = tell(&relay, &["tx-1", "tx-9"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{ended:?}");
    assert!(ended.stderr.contains("not registered: tx-9; nothing is changed"), "{ended:?}");
    let refused = post(&relay, "/deliveries/tell", &json!({"ids": ["tx-1", "tx-9"]})).await;
    assert_eq!(refused.problem(422), "ids: not registered: tx-9");
    assert_eq!(refused.json()["field"], "ids");
    assert_eq!(
        post(&relay, "/records/refund/tx-1/tell", &json!({})).await.problem(404),
        "refund/tx-1 is not registered"
    );
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 2);
    assert_eq!(relay.given_up().await.len(), 1);
}

#[tokio::test]
async fn what_was_given_up_is_told_at_once_and_a_dry_run_only_lists_it() {
    let (transform, relay) = given_up(3).await;
    let stored = relay.outbox().len();
    let dry = tell(&relay, &["--given-up", "--since", "1h", "--host", "localhost", "--dry-run"]).await;
    assert_eq!((dry.code, dry.stdout.as_str()), (Some(0), "0 records would be told again\n"), "{dry:?}");
    let host = transform.address.to_string();
    let dry = tell(&relay, &["--given-up", "--since", "1h", "--host", &host, "--dry-run"]).await;
    let listed = "payment tx-1\npayment tx-2\npayment tx-3\n3 records would be told again\n";
    assert_eq!((dry.code, dry.stdout.as_str()), (Some(0), listed), "{dry:?}");
    let dry = post(&relay, "/deliveries/tell", &json!({"host": "127.0.0.1", "dryRun": true})).await.expect(200).json();
    assert_eq!((&dry["count"], &dry["dryRun"], &dry["records"][0]["id"]), (&json!(3), &json!(true), &json!("tx-1")));
    let later = json!({"since": "2099-01-01T00:00:00Z"});
    assert_eq!(post(&relay, "/deliveries/tell", &later).await.expect(200).json()["count"], 0);
    assert_eq!((relay.given_up().await.len(), relay.outbox().len()), (3, stored));
    assert_eq!(relay.ready().await.expect(200).json()["givenUp"], 3);
    assert_eq!(relay.given_up().await[0]["host"], host);
    let told = post(&relay, "/deliveries/tell", &json!({"host": host})).await.expect(200).json();
    assert_eq!((&told["count"], &told["dryRun"]), (&json!(3), &json!(false)));
    for n in 1..=3 {
        transform.told("payment", &format!("tx-{n}"), 3).await;
    }
    assert_eq!(relay.ready().await.expect(200).json()["givenUp"], 0);
}

#[tokio::test]
async fn one_record_is_told_by_its_own_route() {
    let (transform, relay) = given_up(1).await;
    let told = post(&relay, "/records/payment/tx-1/tell", &json!({})).await.expect(200).json();
    assert_eq!(told, json!({"dryRun": false, "count": 1, "records": [{"kind": "payment", "id": "tx-1"}]}));
    transform.told("payment", "tx-1", 3).await;
    let metrics =
        relay.send(relay.request(Method::GET, "/metrics").bearer_auth(INTEGRATOR_TOKEN)).await.expect(200).text;
    assert!(metrics.contains("\ntransform_relay_given_up 0\n"), "{metrics}");
}

#[tokio::test]
async fn a_wish_that_cannot_be_meant_is_refused() {
    let (_transform, relay) = start(Setup::silent()).await;
    for (body, status, detail) in [
        (json!({"host": "https://a/"}), 422, "host: is \"https://a/\", but must be a host such as"),
        (json!({"since": "yesterday"}), 422, "since: is \"yesterday\", but must be a time such as"),
        (json!({"ids": ["tx-1"], "host": "a"}), 422, "ids: stand beside host or since"),
        (json!({"id": "tx-1"}), 422, "id: there is no such field; did you mean ids?"),
        (json!([]), 422, "the body must be a JSON object"),
    ] {
        let refused = post(&relay, "/deliveries/tell", &body).await.problem(status);
        assert!(refused.starts_with(detail), "{body}: {refused}");
    }
    let stranger =
        relay.request(Method::POST, "/deliveries/tell").header("Content-Type", "application/json").body("{}");
    relay.send(stranger).await.problem(401);
    relay.send(relay.request(Method::POST, "/records/payment/tx-1/tell")).await.problem(401);
    for (arguments, said) in [
        (&["--given-up", "--since", "soon"][..], "--since \"soon\" must be a time"),
        (&["--given-up", "--host", "https://a/"], "--host: is \"https://a/\", but must be a host such as"),
        (&["tx 1"], "\"tx 1\" is no Transform id: such an id has 1 to 128 visible ASCII characters"),
        (&["tx-1", "--given-up"], "cannot be used with"),
        (&["--host", "a"], "--given-up"),
        (&[], "<ID|--given-up>"),
        (&["--dry-run"], "<ID|--given-up>"),
    ] {
        let ended = tell(&relay, arguments).await;
        assert_eq!(ended.code, Some(64), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(said), "{arguments:?}: {ended:?}");
    }
}

#[tokio::test]
async fn without_a_relay_nobody_is_told() {
    let (_transform, mut relay) = given_up(1).await;
    relay.terminate().await;
    let ended = tell(&relay, &["tx-1"]).await;
    assert_eq!(ended.code, Some(69), "{ended:?}");
    for part in ["no relay runs on ", "relay.db; start it: `transform-relay serve`"] {
        assert!(ended.stderr.contains(part), "{part} in {ended:?}");
    }
    assert!(!ended.stderr.contains("earlier version"), "{ended:?}");
    relay.restart().await;
    assert_eq!(relay.given_up().await.len(), 1);
    relay.program.logged(&["WARN", "deliveries were given up", "given_up=1"]).await;
}
