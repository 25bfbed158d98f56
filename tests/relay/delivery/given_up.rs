//! Given up: a webhook that Transform never takes is a debt. Whoever speaks of its record revives it, and so does its host, once it
//! responds again.

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
    // The record's failures are forgotten: it may fail once more before it is given up again.
    transform.script([Answer::status(500)]);
    relay.stripe(&stripe::paid("pi_1", AT + 10, 1000)).await;
    transform.told("payment", "tx-1", 4).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 ", "version=3"]).await;
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 4);
}

/// The same bytes once more, the same news in another notification, and a registration that changes nothing.
#[tokio::test]
async fn whatever_speaks_of_the_record_revives_it() {
    let (transform, relay) = given_up().await;
    let mut told = 2;
    let mut first = stripe::paid("pi_1", AT, 400);
    first["id"] = "evt_again".into();
    for again in 0..3 {
        transform.script([Answer::status(404), Answer::status(404)]);
        if again == 2 {
            relay.put("payment", "tx-1", &payment("pi_1", "10")).await.expect(200);
        } else {
            assert_eq!(relay.notify("stripe-main", &first).await.expect(200).json()["outcome"], "stale");
        }
        told += 2;
        transform.told("payment", "tx-1", told).await;
        relay.program.logged_times(&["gave up telling Transform", "record=payment/tx-1 "], again + 2).await;
    }
    relay.caught_up(&transform).await;
    assert_eq!((transform.count("payment", "tx-1"), relay.given_up().await.len()), (told, 1));
}

#[tokio::test]
async fn whatever_speaks_of_a_record_that_was_told_tells_nothing() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let paid = stripe::paid("pi_1", AT, 400);
    relay.stripe(&paid).await;
    transform.told("payment", "tx-1", 1).await;
    relay.caught_up(&transform).await;
    relay.notify("stripe-main", &paid).await.expect(200);
    relay.put("payment", "tx-1", &payment("pi_1", "10")).await.expect(200);
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 1);
}

/// Of two that were given up before the relay ended, one was refused, and the host of the other failed.
#[tokio::test]
async fn a_restart_revives_what_was_given_up_because_of_the_host_and_nothing_else() {
    let (transform, mut relay) = given_up().await;
    transform.script([Answer::status(404), Answer::status(404)]);
    relay.register("payment", "tx-2", &payment("pi_2", "10")).await;
    relay.stripe(&stripe::paid("pi_2", AT, 400)).await;
    relay.program.logged(&["gave up telling Transform", "record=payment/tx-2 ", "HTTP 404"]).await;
    relay.kill().await;
    relay.restart().await;
    relay.program.logged(&["deliveries were given up", "given_up=2"]).await;
    transform.told("payment", "tx-1", 3).await;
    relay.caught_up(&transform).await;
    assert_eq!((transform.count("payment", "tx-1"), transform.count("payment", "tx-2")), (3, 2));
    assert_eq!(relay.given_up().await.len(), 1);
}

/// Many were given up behind a dead host, and some were refused by it before. The host comes back: nobody else speaks of the
/// records.
#[tokio::test]
async fn a_host_that_comes_back_is_told_of_all_that_was_given_up_because_of_it() {
    const MANY: usize = 40;
    let quick = Setup { retry_first: "1ms", retry_max: "20ms", give_up_after: "0s", ..Setup::default() };
    let (transform, relay) = start(Setup { breaker_failures: 1, concurrency: 3, ..quick }).await;
    transform.script([Answer::status(404), Answer::status(404)]);
    let change = async |n: usize| {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 400)).await;
    };
    change(0).await;
    relay.program.logged(&["gave up telling Transform", "record=payment/tx-0 ", "HTTP 404"]).await;
    transform.refuses(true).unwrap();
    for n in 1..=MANY {
        change(n).await;
    }
    for n in 1..=MANY {
        relay.program.logged(&["gave up telling Transform", &format!("record=payment/tx-{n} ")]).await;
    }
    // One at a time asks whether the host is back.
    let listed = relay.given_up().await.len();
    assert!((MANY..=MANY + 1).contains(&listed), "{listed}");
    transform.refuses(false).unwrap();
    for n in 1..=MANY {
        transform.told("payment", &format!("tx-{n}"), 1).await;
    }
    relay.program.logged(&["host responds again: what was given up because of it is told", "host="]).await;
    relay.caught_up(&transform).await;
    let left: Vec<_> = relay.given_up().await.into_iter().map(|one| one["id"].clone()).collect();
    assert_eq!(left, ["tx-0"]);
    assert_eq!(transform.count("payment", "tx-0"), 2, "what was refused is not told again");
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
