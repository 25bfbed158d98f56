//! Breaker of a host: while a host does not respond, one record at a time asks it.

use std::collections::HashSet;

use crate::support::integrator::with;
use crate::support::{Answer, Setup, payment, start, stripe};

const AT: i64 = 1_700_000_000;
const RECORDS: usize = 60;

fn id(n: usize) -> String {
    format!("tx-{n:03}")
}

/// Sixty records are owed and Transform fails. Three attempts open the breaker; then one record at a time asks. After a
/// success all records are told, each once.
#[tokio::test]
async fn many_that_are_owed_are_one_probe_and_none_is_forgotten() {
    let setup = Setup { breaker_failures: 3, concurrency: 1, retry_max: "100ms", ..Setup::default() };
    let (transform, relay) = start(setup).await;
    const FAILURES: usize = 8;
    transform.script((0..FAILURES).map(|_| Answer::status(503)));
    for n in 0..RECORDS {
        relay.register("payment", &id(n), &payment(&format!("pi_{n}"), "10")).await;
    }
    for n in 0..RECORDS {
        assert_eq!(relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await, "applied");
    }
    relay.program.logged(&["does not respond", "one record at a time"]).await;
    relay.program.logged(&["responds again"]).await;
    for n in 0..RECORDS {
        transform.told("payment", &id(n), 1).await;
    }
    relay.caught_up(&transform).await;
    let hooks = transform.hooks();
    let failed: Vec<_> = hooks.iter().take(FAILURES).map(|hook| hook.body.clone()).collect();
    let told: Vec<_> = hooks.iter().skip(FAILURES).map(|hook| hook.body.clone()).collect();
    assert_eq!(told.len(), RECORDS + 1, "each is told once, and the one that was watched for");
    assert_eq!(told.iter().collect::<HashSet<_>>().len(), told.len());
    // Records that only waited are told in the order of their changes.
    let waited: Vec<_> = told.iter().filter(|body| body.contains("tx-") && !failed.contains(body)).collect();
    assert!(waited.is_sorted(), "{waited:?}");
}

/// A refusal of one webhook is no reason to hold back the others.
#[tokio::test]
async fn a_host_that_refuses_one_webhook_answers() {
    let setup = Setup { breaker_failures: 1, concurrency: 1, ..Setup::default() };
    let (transform, relay) = start(setup).await;
    transform.script((0..5).map(|_| Answer::status(404)));
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
    assert_eq!(transform.count("payment", "tx-1"), 6);
    assert!(!relay.program.log().contains("does not respond"), "{}", relay.program.log());
}

#[tokio::test]
async fn readyz_names_the_hosts_that_do_not_answer() {
    let setup = Setup { breaker_failures: 1, retry_first: "1h", ..Setup::default() };
    let (transform, relay) = start(setup).await;
    transform.script([Answer::status(500)]);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    relay.program.logged(&["could not tell Transform"]).await;
    let ready = relay.ready().await.expect(200).json();
    assert_eq!(ready["unanswering"], serde_json::json!([transform.address.to_string()]));
    assert_eq!(ready["owed"], 1);
}

/// Due times and the records that wait at a breaker are in memory only; a kill loses none of them.
#[tokio::test]
async fn what_waits_for_a_host_is_told_after_a_kill() {
    let setup = Setup { breaker_failures: 1, retry_first: "1h", ..Setup::default() };
    let (transform, mut relay) = start(setup).await;
    transform.script([Answer::status(500)]);
    for n in 0..5 {
        relay.register("payment", &id(n), &payment(&format!("pi_{n}"), "10")).await;
    }
    relay.stripe(&stripe::paid("pi_0", AT, 1000)).await;
    relay.program.logged(&["does not respond"]).await;
    for n in 1..5 {
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
    }
    relay.kill().await;
    relay.setup.retry_max = "50ms";
    relay.setup.retry_first = "50ms";
    relay.restart().await;
    for n in 1..5 {
        transform.told("payment", &id(n), 1).await;
    }
    transform.told("payment", &id(0), 2).await;
}

/// Transform responds 500 for some records and takes the others. One refusal after the other opens the breaker, but the
/// refused records do not ask for all the others in turn.
#[tokio::test]
async fn records_that_transform_chokes_on_do_not_stop_the_others() {
    let setup = Setup { breaker_failures: 3, retry_max: "100ms", ..Setup::default() };
    let (transform, relay) = start(setup).await;
    transform.choke_on("choking");
    for n in 0..3 {
        relay.register("payment", &format!("choking-{n}"), &payment(&format!("pi_bad_{n}"), "10")).await;
        relay.stripe(&stripe::paid(&format!("pi_bad_{n}"), AT, 1000)).await;
    }
    relay.program.logged(&["does not respond"]).await;
    for n in 0..20 {
        relay.register("payment", &id(n), &payment(&format!("pi_{n}"), "10")).await;
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
    }
    for n in 0..20 {
        relay.program.logged(&["told Transform", &format!("record=payment/{} ", id(n))]).await;
    }
}

/// The integrator has moved: a record that waits for the dead host is told at the new one.
#[tokio::test]
async fn a_record_with_another_target_leaves_a_dead_host() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut setup = Setup { breaker_failures: 1, retry_first: "1h", ..Setup::default() };
    setup.also_allowed = Some(gone.to_string());
    let (transform, relay) = start(setup).await;
    let there = format!("http://{gone}/");
    for n in 0..3 {
        relay.register("payment", &id(n), &with(payment(&format!("pi_{n}"), "10"), "webhookTarget", &*there)).await;
    }
    relay.stripe(&stripe::paid("pi_0", AT, 1000)).await;
    relay.program.logged(&["does not respond"]).await;
    for n in 1..3 {
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
    }
    // Both records are due and wait for the host now.
    relay.caught_up(&transform).await;
    let here = format!("http://{}/", transform.address);
    relay.put("payment", &id(2), &with(payment("pi_2", "10"), "webhookTarget", &*here)).await.expect(200);
    transform.told("payment", &id(2), 1).await;
}
