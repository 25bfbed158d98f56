//! `import` and POST /records/batch: transactions that existed before the relay come along with their money.

use std::fs::File;
use std::io::Write;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::program::{Ended, Program, run};
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Relay, Reply, Setup, payment, start, stripe};

const AT: i64 = 1_700_000_000;

/// A source that Transform knows by an id of its settings.
const PSP_SETTINGS: &str =
    "[sources.transforms]\nprofile = \"stripe\"\nsecrets = [\"whsec_t\"]\npsp_settings_ids = [\"5f1a\"]\n";

/// A payment of 100 that was paid on the day of the month.
fn paid(id: &str, psp_id: &str, day: u8, item: Option<&str>) -> Value {
    let mut booking = json!({"amount": 100, "bookingDate": format!("2026-03-{day:02}")});
    if let Some(item) = item {
        booking["externalItemId"] = item.into();
    }
    json!({
        "kind": "payment", "transactionId": id, "pspTransactionId": psp_id, "currency": "EUR", "requestedAmount": 100,
        "status": "Succeeded", "payments": [booking],
    })
}

fn with(mut line: Value, field: &str, value: Value) -> Value {
    line[field] = value;
    line
}

fn lines(all: &[Value]) -> String {
    all.iter().map(|line| format!("{line}\n")).collect()
}

/// The lines of so many payments.
fn many(from: usize, to: usize) -> String {
    lines(&(from..to).map(|n| paid(&format!("tx-{n}"), &format!("pi_{n}"), 2, None)).collect::<Vec<_>>())
}

async fn post(relay: &Relay, query: &str, body: String) -> Reply {
    let request = relay.request(Method::POST, &format!("/records/batch{query}")).bearer_auth(INTEGRATOR_TOKEN);
    relay.send(request.header("Content-Type", "application/x-ndjson").body(body)).await
}

/// What came of these lines: new, changed, unchanged, refused.
async fn batch(relay: &Relay, all: &[Value]) -> [i64; 4] {
    counts(&post(relay, "", lines(all)).await.expect(200).json())
}

fn counts(report: &Value) -> [i64; 4] {
    ["new", "changed", "unchanged", "refused"].map(|count| report[count].as_i64().unwrap())
}

async fn import(relay: &Relay, body: &str, more: &[&str]) -> Ended {
    let (file, config) = (relay.file("records.ndjson"), relay.file("relay.toml"));
    std::fs::write(&file, body).unwrap();
    let arguments = [&["import", file.to_str().unwrap(), "--config", config.to_str().unwrap()], more].concat();
    run(&arguments, &relay.setup.environment()).await
}

#[tokio::test]
async fn what_is_imported_is_read_and_transform_is_not_told_of_it() {
    let (transform, relay) = start(Setup::default()).await;
    let chargeback = json!({
        "externalItemId": "dp_1", "amount": 20, "bookingDate": "2026-03-09", "feeAmount": 15, "reason": "UserInitiated",
        "pspReasonCode": "fraudulent",
    });
    let all = [
        with(paid("tx-1", "pi_1", 2, Some("pi_1")), "chargebacks", json!([chargeback])),
        json!({
            "kind": "refund", "transactionId": "re-1", "paymentTransactionId": "tx-1", "pspTransactionId": "re_1", "currency": "EUR",
            "requestedAmount": 10, "status": "Succeeded", "refundedAmount": 10, "bookingDate": "2026-03-05",
        }),
        json!({
            "kind": "preauth", "transactionId": "pre-1", "currency": "EUR", "requestedAmount": 30, "status": "Succeeded",
            "authorizedAmount": 35,
        }),
        json!({"kind": "agreement", "agreementId": "ag-1", "pspAgreementId": "pm_1", "status": "Active"}),
    ];
    assert_eq!(batch(&relay, &all).await, [4, 0, 0, 0]);
    let payment = relay.fetched("payment", "tx-1").await;
    assert_eq!(payment["status"], "Succeeded");
    assert_eq!(payment["payments"], json!([{"externalItemId": "pi_1", "amount": 100, "bookingDate": "2026-03-02"}]));
    assert_eq!(payment["chargebacks"], json!([chargeback]));
    assert_eq!((&payment["refundedAmount"], &payment["refundableAmount"]), (&json!(10), &json!(70)));
    let refund = relay.fetched("refund", "re-1").await;
    assert_eq!((&refund["refundedAmount"], &refund["bookingDate"]), (&json!(10), &json!("2026-03-05")));
    assert_eq!(relay.fetched("preauth", "pre-1").await["authorizedAmount"], 35);
    assert_eq!(relay.fetched("agreement", "ag-1").await["status"], "Active");
    relay.program.logged(&["records are imported", "new=4"]).await;
    relay.caught_up(&transform).await;
    assert_eq!((relay.outbox().len(), transform.count("payment", "tx-1")), (0, 0));
    assert_eq!(batch(&relay, &all).await, [0, 0, 4, 0], "the same again changes nothing");
    assert_eq!(relay.fetched("payment", "tx-1").await, payment);
}

#[tokio::test]
async fn an_item_with_the_psps_id_is_that_of_an_event_in_any_order() {
    let (transform, relay) = start(Setup::default()).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 10_000)).await, "parked");
    assert_eq!(
        batch(&relay, &[paid("tx-1", "pi_1", 2, Some("pi_1")), paid("tx-2", "pi_2", 2, Some("pi_2"))]).await,
        [2, 0, 0, 0]
    );
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_2", AT, 10_000)).await, "applied");
    transform.told("payment", "tx-2", 1).await;
    for (id, psp_id) in [("tx-1", "pi_1"), ("tx-2", "pi_2")] {
        let payments = json!([{"externalItemId": psp_id, "amount": 100, "bookingDate": "2023-11-14"}]);
        assert_eq!(relay.fetched("payment", id).await["payments"], payments, "the event's word stands");
    }
}

#[tokio::test]
async fn an_item_without_an_id_stands_until_events_book_its_amount() {
    let (transform, relay) = start(Setup::default()).await;
    let anonymous = |id, psp_id| with(paid(id, psp_id, 2, None), "refundedAmount", json!(10));
    assert_eq!(batch(&relay, &[anonymous("tx-1", "pi_1")]).await, [1, 0, 0, 0]);
    let payment = relay.fetched("payment", "tx-1").await;
    assert_eq!(payment["payments"], json!([{"amount": 100, "bookingDate": "2026-03-02"}]));
    assert_eq!((&payment["refundedAmount"], &payment["refundableAmount"]), (&json!(10), &json!(90)));
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 10_000)).await, "applied");
    transform.told("payment", "tx-1", 1).await;
    let payment = relay.fetched("payment", "tx-1").await;
    assert_eq!(payment["payments"], json!([{"externalItemId": "pi_1", "amount": 100, "bookingDate": "2023-11-14"}]));
    assert_eq!(payment["refundedAmount"], 10);
}

#[tokio::test]
async fn a_record_with_another_target_leaves_a_dead_host() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut setup = Setup { breaker_failures: 1, retry_first: "1h", ..Setup::default() };
    setup.also_allowed = Some(gone.to_string());
    let (transform, relay) = start(setup).await;
    let there = |n: usize| with(payment(&format!("pi_{n}"), "10"), "webhookTarget", json!(format!("http://{gone}/")));
    for n in 0..2 {
        relay.register("payment", &format!("tx-{n}"), &there(n)).await;
    }
    relay.stripe(&stripe::paid("pi_0", AT, 1000)).await;
    relay.program.logged(&["does not respond"]).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    relay.caught_up(&transform).await;
    let here = with(with(payment("pi_1", "10"), "kind", json!("payment")), "transactionId", json!("tx-1"));
    let here = with(here, "webhookTarget", json!(format!("http://{}/", transform.address)));
    let here = lines(&[with(here, "status", json!("Pending"))]);
    let ended = import(&relay, &here, &[]).await;
    assert_eq!(ended.stdout, "0 new, 1 changed, 0 unchanged, 0 refused\n", "{ended:?}");
    transform.told("payment", "tx-1", 1).await;
}

#[tokio::test]
async fn a_corrected_line_replaces_what_the_one_before_said() {
    let (transform, relay) = start(Setup::default()).await;
    assert_eq!(batch(&relay, &[paid("tx-1", "pi_1", 2, None)]).await, [1, 0, 0, 0]);
    let failed = json!({
        "kind": "payment", "id": "tx-1", "status": "Failed", "statusAt": "2026-03-03T10:00:00Z",
        "error": {"errorCode": "InsufficientBalance"},
    });
    assert_eq!(batch(&relay, &[failed]).await, [0, 1, 0, 0]);
    let error = relay.fetch("payment", "tx-1").await.expect(422).json();
    assert_eq!(error["errorCode"], "InsufficientBalance");
    assert_eq!(batch(&relay, &[paid("tx-1", "pi_1", 3, None)]).await, [0, 1, 0, 0]);
    let payment = relay.fetched("payment", "tx-1").await;
    assert_eq!(
        (&payment["status"], &payment["payments"][0]["bookingDate"]),
        (&json!("Succeeded"), &json!("2026-03-03"))
    );
    let preauth = |status: &str| json!({"kind": "preauth", "id": "pre-1", "currency": "EUR", "requestedAmount": 30, "status": status});
    let cancelled = with(preauth("Cancelled"), "statusAt", json!("2026-03-03T10:00:00Z"));
    assert_eq!(batch(&relay, &[cancelled, preauth("Succeeded")]).await, [1, 1, 0, 0]);
    assert_eq!(relay.fetched("preauth", "pre-1").await["status"], "Succeeded");
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 0);
}

#[tokio::test]
async fn a_line_that_is_refused_is_named_and_stops_no_other() {
    let (_transform, relay) = start(Setup::default()).await;
    let long = format!("{{\"kind\": \"{}\"}}", "x".repeat(600_000));
    let body = [
        lines(&[
            with(paid("tx-1", "pi_1", 2, None), "currency", json!("EURO")),
            with(paid("tx-1", "pi_1", 2, None), "curency", json!("EUR")),
            with(paid("tx-1", "pi_1", 2, None), "payments", json!([{"amont": 1}])),
            with(paid("tx-1", "pi_1", 2, None), "payments", json!([{"amount": 1.001, "bookingDate": "2026-03-01"}])),
            with(paid("tx-1", "pi_1", 2, None), "payments", json!([])),
            with(paid("tx-1", "pi_1", 2, None), "source", json!("strip")),
            with(paid("tx-1", "pi_1", 2, None), "tell", json!(true)),
            with(paid("tx-1", "pi_1", 2, None), "kind", json!("paymnt")),
            with(paid("tx-1", "pi_1", 2, None), "requestedAmount", json!(-100)),
            with(paid("tx-1", "pi_1", 2, None), "payments", json!([{"amount": -1, "bookingDate": "2026-03-01"}])),
            with(paid("a b", "pi_1", 2, None), "payments", json!([])),
            paid("tx-1", "pi_1", 2, Some("")),
        ]),
        format!("nonsense\n\n{long}\n"),
        lines(&[paid("tx-9", "pi_9", 2, None)]),
    ];
    let report = post(&relay, "", body.concat()).await.expect(200).json();
    assert_eq!(counts(&report), [1, 0, 0, 14]);
    let said: Vec<_> = report["refusals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!("{} {} {}", one["line"], one["field"].as_str().unwrap_or("-"), one["reason"].as_str().unwrap())
        })
        .collect();
    for (at, part) in [
        "1 currency \"EURO\" is not an ISO 4217 currency code",
        "2 curency there is no such field; did you mean currency?",
        "3 payments[0].amont there is no such field; did you mean amount?",
        "4 payments[0].amount 1.001 has more decimal places than EUR",
        "5 payments is required for a payment that has Succeeded",
        "6 source \"strip\" is not configured; did you mean stripe",
        "7 tell is not of an import",
        "8 kind is \"paymnt\", but must be preauth, payment, refund or agreement",
        "9 requestedAmount -100 is negative, but must be more than 0",
        "10 payments[0].amount -1 is negative, but must be 0 or more",
        "11 transactionId \"a b\" is no Transform id: such an id has 1 to 128 visible ASCII characters",
        "12 payments[0].externalItemId \"\" has 0 bytes, but must have 1 to 255",
        "13 - is no JSON: ",
        "15 - is longer than ",
    ]
    .iter()
    .enumerate()
    {
        assert!(said[at].starts_with(part), "{part}: {}", said[at]);
    }
    relay.program.logged(&["lines of an import are refused", "refused=14", "line=1", "field=\"currency\""]).await;
}

/// Transform names a source by the id of its settings. All other fields are read as strictly as without it.
#[tokio::test]
async fn a_line_may_name_its_source_as_transform_does() {
    let setup = Setup { more: PSP_SETTINGS.to_owned(), ..Setup::silent() };
    let (_transform, relay) = start(setup).await;
    let line = |id: &str, field: &str, value: Value| {
        with(with(paid(id, id, 2, None), "pspSettingsId", json!("5f1a")), field, value)
    };
    let all = [
        line("tx-1", "status", json!("Succeeded")),
        line("tx-2", "source", json!("stripe-main")),
        line("tx-3", "pspSettingsId", json!("other")),
        line("tx-4", "payerData", json!({})),
    ];
    let report = post(&relay, "", lines(&all)).await.expect(200).json();
    let said: Vec<_> = report["refusals"].as_array().unwrap().iter().map(|one| (&one["line"], &one["field"])).collect();
    assert_eq!(
        said,
        [(&json!(2), &json!("source")), (&json!(3), &json!("pspSettingsId")), (&json!(4), &json!("payerData"))]
    );
    assert_eq!(relay.record("payment", "tx-1").await["source"], "transforms");
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let (_transform, relay) = start(Setup::default()).await;
    let body = lines(&[paid("tx-1", "pi_1", 2, None), json!({"kind": "payment"})]);
    let report = post(&relay, "?dryRun=true", body.clone()).await.expect(200).json();
    assert_eq!((counts(&report), &report["dryRun"]), ([1, 0, 0, 1], &json!(true)));
    let ended = import(&relay, &body, &["--dry-run"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "a dry run, nothing is changed: 1 new, 0 changed, 0 unchanged, 1 refused\n");
    assert!(ended.stderr.contains("line 2: transactionId: is required"), "{ended:?}");
    assert_eq!(relay.fetch("payment", "tx-1").await.status, 404);
    assert_eq!(
        post(&relay, "?dryRun=yes", body.clone()).await.problem(400),
        "dryRun: is \"yes\", but must be true or false"
    );
    assert_eq!(
        post(&relay, "?dryrun=true", body).await.problem(400),
        "\"dryrun\": this route takes dryRun alone; did you mean dryRun?"
    );
}

#[tokio::test]
async fn the_command_imports_by_the_running_relay_and_without_one_into_the_store() {
    let (transform, mut relay) = start(Setup::default()).await;
    let ended = import(&relay, &many(0, 450), &[]).await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "450 new, 0 changed, 0 unchanged, 0 refused\n"),
        "{ended:?}"
    );
    relay.program.logged(&["records are imported", "new=450"]).await;
    relay.kill().await;
    let ended = import(&relay, &many(440, 460), &[]).await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "10 new, 0 changed, 10 unchanged, 0 refused\n"),
        "{ended:?}"
    );
    relay.restart().await;
    assert_eq!(relay.fetched("payment", "tx-459").await["payments"][0]["amount"], 100);
    relay.caught_up(&transform).await;
    assert_eq!(relay.outbox().len(), 0);
}

/// A command that imports from a pipe, of which it has got the first two pieces.
async fn half_done(relay: &Relay) -> (Program, File) {
    let (pipe, config) = (relay.file("pipe"), relay.file("relay.toml"));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let arguments = ["import", pipe.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let command = Program::start(&arguments, &relay.setup.environment());
    // A pipe that is opened for both does not wait for its reader.
    let mut pipe = File::options().read(true).write(true).open(&pipe).unwrap();
    pipe.write_all(many(0, 400).as_bytes()).unwrap();
    while relay.fetch("payment", "tx-399").await.status != 200 {}
    (command, pipe)
}

#[tokio::test]
async fn an_import_whose_relay_is_killed_goes_on_in_the_store() {
    let (transform, mut relay) = start(Setup::default()).await;
    let (command, mut pipe) = half_done(&relay).await;
    // The relay answers one command after the other: so it has answered the import.
    assert_eq!(relay.reload().await.code, Some(0));
    relay.kill().await;
    pipe.write_all(many(400, 600).as_bytes()).unwrap();
    drop(pipe);
    let ended = command.ended().await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "600 new, 0 changed, 0 unchanged, 0 refused\n"),
        "{ended:?}"
    );
    relay.restart().await;
    let again = import(&relay, &many(0, 600), &[]).await;
    assert_eq!(again.stdout, "0 new, 0 changed, 600 unchanged, 0 refused\n", "{again:?}");
    relay.caught_up(&transform).await;
    assert_eq!(relay.outbox().len(), 0);
}

#[tokio::test]
async fn an_import_that_was_killed_is_done_by_the_next_one() {
    let (_transform, relay) = start(Setup::default()).await;
    let (command, _pipe) = half_done(&relay).await;
    command.signal("KILL");
    assert_eq!(command.ended().await.code, None);
    let again = import(&relay, &many(0, 600), &[]).await;
    assert_eq!(
        (again.code, again.stdout.as_str()),
        (Some(0), "200 new, 0 changed, 400 unchanged, 0 refused\n"),
        "{again:?}"
    );
}

#[tokio::test]
async fn an_import_that_is_broken_off_says_what_is_done() {
    for (signal, code) in [("TERM", 143), ("INT", 130)] {
        let (_transform, relay) = start(Setup::default()).await;
        let (command, _pipe) = half_done(&relay).await;
        // The relay answers one command after the other: so it has answered the import.
        assert_eq!(relay.reload().await.code, Some(0));
        command.signal(signal);
        let ended = command.ended().await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let said = ended.stderr.lines().find(|line| line.starts_with("broken off: ")).unwrap();
        assert!(
            said.ends_with(
                " 0 changed, 0 unchanged, 0 refused. Import the same file again: what is done changes nothing"
            )
        );
    }
}

#[tokio::test]
async fn imported_money_is_not_removed() {
    let (_transform, relay) = start(Setup::silent()).await;
    assert_eq!(batch(&relay, &[paid("tx-1", "pi_1", 2, None)]).await, [1, 0, 0, 0]);
    let remove = || relay.request(Method::DELETE, "/records/payment/tx-1").bearer_auth(INTEGRATOR_TOKEN);
    let refused = relay.send(remove()).await;
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("an import has stated"), "{}", refused.text);
    let preauth =
        json!({"kind": "preauth", "id": "tx-1", "currency": "EUR", "requestedAmount": 30, "status": "Succeeded"});
    assert_eq!(batch(&relay, &[preauth]).await, [0, 0, 0, 1]);
    let emptied = with(with(paid("tx-1", "pi_1", 2, None), "payments", json!([])), "status", json!("Pending"));
    assert_eq!(batch(&relay, &[emptied]).await, [0, 1, 0, 0], "a line without money gives it free");
}

/// Its payment may be said again at any time, until it is registered. That is no change.
#[tokio::test]
async fn a_refund_whose_payment_is_not_registered_is_unchanged_the_second_time() {
    let (_transform, relay) = start(Setup::silent()).await;
    let refund = json!({
        "kind": "refund", "id": "re-1", "paymentTransactionId": "nowhere", "currency": "EUR", "requestedAmount": 10,
        "status": "Pending",
    });
    assert_eq!(batch(&relay, std::slice::from_ref(&refund)).await, [1, 0, 0, 0]);
    assert_eq!(batch(&relay, &[refund]).await, [0, 0, 1, 0]);
}

#[tokio::test]
async fn what_cannot_be_read_or_asked_has_an_exit_code() {
    let (_transform, relay) = start(Setup::default()).await;
    let config = relay.file("relay.toml");
    let of =
        |file: &str| vec!["import".to_owned(), file.to_owned(), "--config".to_owned(), config.display().to_string()];
    for (arguments, code, says) in
        [(of("/nowhere.ndjson"), 74, "cannot read /nowhere.ndjson: "), (vec!["import".to_owned()], 64, "FILE")]
    {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let ended = run(&arguments, &relay.setup.environment()).await;
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(ended.stderr.contains(says) && !ended.stderr.contains("broken off"), "{ended:?}");
    }
}

/// A relay has never run there, or the command stands in another folder.
#[tokio::test]
async fn without_a_store_an_import_says_that_there_is_none() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.terminate().await;
    std::fs::remove_file(relay.file("relay.db")).unwrap();
    let ended = import(&relay, &lines(&[paid("tx-1", "pi_1", 2, None)]), &[]).await;
    assert_eq!(ended.code, Some(69), "{ended:?}");
    for part in [
        "there is no store at ",
        "relay.db; run this where the relay's store is, or start the relay first: `transform-relay serve`",
    ] {
        assert!(ended.stderr.contains(part), "{part} in {ended:?}");
    }
    assert!(!ended.stderr.contains("earlier version"), "{ended:?}");
    assert!(!ended.stderr.contains("broken off"), "nothing was sent: {ended:?}");
    assert!(!relay.file("relay.db").exists(), "none is made");
}

#[tokio::test]
async fn a_refund_that_is_a_record_counts_once_whatever_its_payment_says() {
    let (transform, relay) = start(Setup::default()).await;
    let refund = json!({
        "kind": "refund", "transactionId": "re-1", "paymentTransactionId": "tx-1", "pspTransactionId": "re_1", "currency": "EUR",
        "requestedAmount": 10, "status": "Succeeded", "bookingDate": "2026-03-05",
    });
    let refunds = json!([
        {"externalItemId": "re_1", "amount": 10, "bookingDate": "2026-03-05"},
        {"externalItemId": "re_2", "amount": 5, "bookingDate": "2026-03-06"},
    ]);
    let payment = with(paid("tx-1", "pi_1", 2, None), "refunds", refunds);
    for all in [[refund.clone(), payment.clone()], [payment, refund]] {
        batch(&relay, &all).await;
        assert_eq!(relay.fetched("payment", "tx-1").await["refundedAmount"], 15);
    }
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 0);
}

#[tokio::test]
async fn only_the_integrator_imports_and_only_lines() {
    let (_transform, relay) = start(Setup::default()).await;
    let request = relay.request(Method::POST, "/records/batch").body("{}\n");
    assert_eq!(relay.send(request).await.status, 401);
    let request = relay.request(Method::POST, "/records/batch").bearer_auth(INTEGRATOR_TOKEN);
    let refused = relay.send(request.header("Content-Type", "text/csv").body("a,b\n")).await;
    assert_eq!(refused.problem(415), "Content-Type: is \"text/csv\", but must be application/x-ndjson");
    assert_eq!(
        post(&relay, "", " ".repeat(1_100_000)).await.problem(413),
        "the body is larger than 1048576 bytes, which is server.max_body: send the lines in parts, or use the command import"
    );
    assert_eq!(counts(&post(&relay, "", String::new()).await.expect(200).json()), [0, 0, 0, 0]);
    relay.program.logged(&["an import has no line"]).await;
}
