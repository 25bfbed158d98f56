//! Given up: a webhook that Transform never takes is a dead letter, revived by the record's next change.

use crate::support::peek::Owed;
use crate::support::{Answer, Relay, Setup, Transform, payment, start, stripe};

const AT: i64 = 1_700_000_000;

/// A record whose delivery was given up. Transform refused it twice, and takes everything afterwards.
async fn given_up() -> (Transform, Relay) {
    let (transform, relay) = start(Setup { retry_first: "1ms", give_up_after: "0s", ..Setup::default() }).await;
    transform.script([Answer::status(500), Answer::status(503)]);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 400)).await;
    relay.program.logged(&["gave up telling Transform", "record=payment/tx-1 ", "HTTP 503"]).await;
    (transform, relay)
}

#[tokio::test]
async fn what_is_given_up_is_kept_with_its_reason() {
    let (transform, relay) = given_up().await;
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 2);
    // Transform can read the change all the same.
    assert_eq!(relay.fetched("Payment", "tx-1").await["payments"][0]["amount"].to_string(), "4");
    let given_up = relay.given_up().await;
    assert_eq!((given_up.len(), &given_up[0]["id"], &given_up[0]["attempts"]), (1, &"tx-1".into(), &2.into()));
    assert_eq!(given_up[0]["reason"], "HTTP 503");
    relay.terminate().await;
    assert!(matches!(relay.outbox()[..], [Owed { given_up: true, .. }]), "it outlives the relay");
}

#[tokio::test]
async fn the_next_change_revives_it() {
    let (transform, relay) = given_up().await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 400)).await, "repeated");
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 2, "a repetition is no change");
    // The record's failures are forgotten: it may fail once more before it is given up again.
    transform.script([Answer::status(500)]);
    relay.stripe(&stripe::paid("pi_1", AT + 10, 1000)).await;
    transform.told("payment", "tx-1", 4).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 ", "version=3"]).await;
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 4);
}

#[tokio::test]
async fn a_restart_does_not_revive_it() {
    let (transform, mut relay) = given_up().await;
    relay.terminate().await;
    relay.restart().await;
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 2);
    relay.stripe(&stripe::paid("pi_1", AT + 10, 1000)).await;
    transform.told("payment", "tx-1", 3).await;
}

#[tokio::test]
async fn a_change_while_it_is_given_up_is_told() {
    let (transform, relay) = start(Setup { retry_first: "1ms", give_up_after: "0s", ..Setup::default() }).await;
    let (last, gate) = Answer::held(500);
    transform.script([Answer::status(500), last]);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 400)).await;
    transform.told("payment", "tx-1", 2).await;
    // The last attempt is under way when the record changes.
    relay.stripe(&stripe::paid("pi_1", AT + 10, 1000)).await;
    gate.open();
    transform.told("payment", "tx-1", 3).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 ", "version=3"]).await;
}
