//! `stand-in`: plays Transform for a relay.

use std::time::Duration;

use tokio::time::Instant;

use crate::support::integrator::with;
use crate::support::program::{Ended, Program, run};
use crate::support::setup::TRANSFORM_TOKEN;
use crate::support::{Relay, Setup, payment, start, stripe};

/// A relay, and a stand-in with these arguments and variables that reads from it and may be told.
async fn played(arguments: &[&str], environment: &[(String, String)]) -> (Relay, Program, String) {
    let (_transform, mut relay) = start(Setup::default()).await;
    let asked = ["stand-in", "--listen", "127.0.0.1:0", "--relay", &relay.url];
    let program = Program::start(&[&asked[..], arguments].concat(), environment);
    let address = listening(&program).await;
    relay.setup.also_allowed = Some(address.clone());
    assert_eq!(relay.reload().await.code, Some(0));
    (relay, program, format!("http://{address}/webhooks"))
}

fn token(token: &str) -> [(String, String); 1] {
    [("TRANSFORM_TOKEN".to_owned(), token.to_owned())]
}

/// Transform's answer to a webhook, and how long it took.
async fn tell(target: &str, body: &str) -> (u16, Duration) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let began = Instant::now();
    let status = client.post(target).body(body.to_owned()).send().await.unwrap().status().as_u16();
    (status, began.elapsed())
}

async fn listening(program: &Program) -> String {
    let line = program.logged(&["stand-in for Transform: webhooks to http://"]).await;
    line.split("http://").nth(1).unwrap().split(';').next().unwrap().to_owned()
}

async fn ended(program: &Program, signal: &str) -> Ended {
    program.signal(signal);
    program.ended().await
}

#[tokio::test]
async fn each_webhook_is_a_line_with_what_changed() {
    let (relay, stand_in, target) = played(&[], &token(TRANSFORM_TOKEN)).await;
    for (id, psp_id) in [("tx-1", "pi_1"), ("tx-2", "pi_2")] {
        relay.register("payment", id, &with(payment(psp_id, "10"), "webhookTarget", &*target)).await;
    }
    relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 1000)).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
    relay.stripe(&stripe::dispute("created", "dp_1", "pi_1", 1_700_000_100, 400)).await;
    relay.stripe(&stripe::dispute("funds_withdrawn", "dp_1", "pi_1", 1_700_000_200, 400)).await;
    relay.program.logged_times(&["told Transform", "record=payment/tx-1 "], 2).await;
    relay.stripe(&stripe::declined("pi_2", 1_700_000_000, 1000, "expired_card")).await;
    relay.program.logged(&["told Transform", "record=payment/tx-2 "]).await;
    let ended = ended(&stand_in, "TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<_> = ended.stdout.lines().collect();
    let has = |line: &str, parts: &[&str]| parts.iter().all(|part| line.contains(part));
    let first = ["payment tx-1, answered 200: read first: ", "status: Succeeded", "payments[0].amount: 10"];
    assert!(has(lines[0], &first), "{ended:?}");
    let charged = |line: &&str| has(line, &["payment tx-1, answered 200: ", "chargebacks[0].amount: none → 4", " → "]);
    assert!(lines.iter().any(charged), "{ended:?}");
    let declined =
        |line: &&str| has(line, &["payment tx-2, answered 200: an error, HTTP 422: errorCode: BearerExpired"]);
    assert!(lines.iter().any(declined), "{ended:?}");
    let told = lines.len() - 1;
    assert_eq!(*lines.last().unwrap(), format!("webhooks: {told}, reads: {told}, records: 2"), "{ended:?}");
}

#[tokio::test]
async fn credentials_come_from_the_configuration_of_the_relay() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("with-a-client.toml");
    let oauth = "[[transform.oauth]]\nclient_id = \"tf\"\nclient_secret = \"transform-client-secret\"\n";
    std::fs::write(&config, oauth).unwrap();
    let setup = Setup { more: oauth.to_owned(), ..Setup::default() };
    let (_transform, relay) = start(setup).await;
    let configured = relay.file("relay.toml");
    for config in [config.to_str().unwrap(), configured.to_str().unwrap()] {
        let asked = ["stand-in", "--listen", "127.0.0.1:0", "--relay", &relay.url, "--config", config];
        let stand_in = Program::start(&asked, &relay.setup.environment());
        let address = listening(&stand_in).await;
        let (status, _) = tell(&format!("http://{address}"), r#"{"TransactionId":"tx-9","Type":2}"#).await;
        assert_eq!(status, 200);
        let ended = ended(&stand_in, "INT").await;
        assert!(ended.stdout.contains("payment tx-9, answered 200: an error, HTTP 404: "), "{config}: {ended:?}");
        assert!(ended.stdout.ends_with("\nwebhooks: 1, reads: 1, records: 1\n"), "{ended:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_and_changes_no_answer() {
    let (_relay, stand_in, target) = played(&[], &token("wrong")).await;
    assert_eq!(tell(&target, r#"{"AgreementId":"a-1","Type":4}"#).await.0, 200);
    assert_eq!(tell(&target, r#"{"AgreementId":"a-1","Type":4}"#).await.0, 200);
    assert_eq!(tell(&target, "{\"Type\":\n2}").await.0, 400);
    let ended = ended(&stand_in, "TERM").await;
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert!(lines[0].starts_with("agreement a-1, answered 200: an error, HTTP 401: "), "{ended:?}");
    assert_eq!(lines[2], "a webhook, answered 400: it does not have the contract\\'s form: {\\\"Type\\\":\\n2}");
    assert_eq!(lines[3], "webhooks: 3, reads: 2, records: 1");
}

#[tokio::test]
async fn a_stand_in_fails_as_it_is_asked_to() {
    let (relay, stand_in, target) = played(&["--fail", "503"], &token(TRANSFORM_TOKEN)).await;
    relay.register("payment", "tx-1", &with(payment("pi_1", "10"), "webhookTarget", &*target)).await;
    relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 1000)).await;
    relay.program.logged(&["could not tell Transform", "record=payment/tx-1 ", "503"]).await;
    let ended = ended(&stand_in, "TERM").await;
    assert!(ended.stdout.starts_with("payment tx-1, answered 503: not read\n"), "{ended:?}");
}

#[tokio::test]
async fn a_slow_stand_in_that_never_reads_needs_no_relay() {
    let asked = ["stand-in", "--listen", "127.0.0.1:0", "--slow", "300ms", "--never-read", "--fail", "0%"];
    let stand_in = Program::start(&asked, &[]);
    let target = format!("http://{}", listening(&stand_in).await);
    let (status, took) = tell(&target, r#"{"TransactionId":"tx-1","Type":3}"#).await;
    assert!(status == 200 && took >= Duration::from_millis(300), "{status} {took:?}");
    let ended = ended(&stand_in, "TERM").await;
    assert_eq!(ended.stdout, "refund tx-1, answered 200: not read\nwebhooks: 1, reads: 0, records: 1\n");
}

#[tokio::test]
async fn a_stand_in_that_could_not_do_its_work_does_not_start() {
    for (arguments, part) in [
        (&["stand-in"][..], "Transform has no credentials to read with: --config"),
        (&["stand-in", "--relay", "127.0.0.1:80"], "--relay must be the URL of a relay"),
        (&["stand-in", "--fail", "200"], "must be a share of the webhooks"),
        (&["stand-in", "--slow", "2"], "must be a number and its unit"),
        (&["stand-in", "--config", "/nowhere.toml"], "/nowhere.toml: cannot be read"),
    ] {
        let ended = run(arguments, &[]).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(64), ""), "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(part), "{ended:?}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = run(&["stand-in", "--never-read", "--listen", &address], &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let said = format!("--listen: {address} is in use by another program; stop that one, or choose another port");
    assert!(ended.stderr.contains(&said), "{ended:?}");
}
