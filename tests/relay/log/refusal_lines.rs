//! Refusals: each leaves a trace in the log, and no flood fills the log.

use std::io::Write;

use reqwest::Method;
use serde_json::json;

use crate::support::integrator::with;
use crate::support::setup::{INTEGRATOR_TOKEN, TRANSFORM_TOKEN};
use crate::support::siege::{statuses, until_hung_up};
use crate::support::{Setup, payment, psp, start, stripe};

const AT: i64 = 1_700_000_000;

#[tokio::test]
async fn whoever_is_refused_is_in_the_log() {
    let more = "[sources.guarded]\nprofile = \"stripe\"\nsecrets = [\"whsec_g\"]\nip_ranges = [\"192.0.2.0/24\"]\n\
                [sources.off]\nprofile = \"stripe\"\nsecrets = [\"whsec_o\"]\nenabled = false\ndisabled_answer = 503\n";
    let (_transform, relay) = start(Setup { max_body: "1KiB", more: more.to_owned(), ..Setup::silent() }).await;
    let post = |source: &str| relay.request(Method::POST, &format!("/notifications/{source}"));
    let large = || "x".repeat(2_000);
    for (request, status, logged) in [
        (post("stripe-main").body("{}"), 401, vec!["notification refused", "stripe-main", "method=\"POST\""]),
        (
            post("stripe-main").body(large()),
            413,
            vec!["notification refused", "stripe-main", "larger than 1024 bytes", "server.max_body"],
        ),
        (post("stripe-main").header("content-type", "image/png"), 415, vec!["notification refused", "Content-Type"]),
        (post("guarded").body("{}"), 403, vec!["notification refused", "guarded", "ip_ranges"]),
        (post("off").body("{}"), 503, vec!["notification refused", "off", "not enabled"]),
        (post("typo").body("{}"), 404, vec!["notification refused", "typo"]),
        (
            relay.request(Method::GET, "/notifications/river"),
            405,
            vec!["notification refused", "river", "method=\"GET\"", "takes POST"],
        ),
        (
            relay.request(Method::from_bytes(b"JO-DOE").unwrap(), "/sources"),
            405,
            vec!["request refused", "method=\"another\""],
        ),
        (relay.request(Method::GET, "/nowhere"), 404, vec!["request refused", "method=\"GET\"", "no such route"]),
        (
            relay.request(Method::GET, "/api/Payment/tx-1"),
            401,
            vec!["request refused", "route=\"/api/{kind}/{id}\"", "no credentials"],
        ),
        (
            relay.request(Method::GET, "/records/payment/tx-1/history"),
            401,
            vec!["route=\"/records/{kind}/{id}/history\""],
        ),
        (relay.request(Method::GET, "/sources").bearer_auth("x"), 401, vec!["request refused", "wrong credentials"]),
    ] {
        relay.send(request).await.problem(status);
        relay.program.logged(&[&logged[..], &["127.0.0.1", &status.to_string()]].concat()).await;
    }
    for (bytes, why) in [(&b"nonsense\r\n\r\n"[..], "no HTTP"), (&b"GET /healthz HT"[..], "half a request")] {
        let mut stream = relay.connect();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        until_hung_up(&mut stream);
        relay.program.logged(&["connection cut off", why, "127.0.0.1"]).await;
    }
}

/// The log names the setting or the limit for the operator.
#[tokio::test]
async fn what_ran_out_is_named_in_the_log() {
    let mut setup = Setup::silent();
    setup.environment.push(("RELAY_SERVER__BODY_TIMEOUT".to_owned(), "1s".to_owned()));
    let (_transform, relay) = start(setup).await;
    let mut slow = relay.connect();
    slow.write_all(b"POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\ncontent-length: 2\r\n\r\n{").unwrap();
    assert_eq!(statuses(&until_hung_up(&mut slow)), [408]);
    relay.program.logged(&["notification refused", "stripe-main", "status=408", "server.body_timeout"]).await;
    let fields = |times: usize| format!("GET /healthz HTTP/1.1\r\nhost: r\r\n{}\r\n", "a: b\r\n".repeat(times - 1));
    assert_eq!(relay.exchange(fields(96).as_bytes()).0, [200]);
    assert_eq!(relay.exchange(fields(97).as_bytes()).0, [431]);
    relay.program.logged(&["connection cut off", "too large a head", "96 fields", "127.0.0.1"]).await;
}

/// A body with malformed chunks has not broken off: the mistake is the client's, not the network's.
#[tokio::test]
async fn a_body_that_does_not_come_in_chunks_is_told_so() {
    let (_transform, relay) = start(Setup::silent()).await;
    let what = "does not come in chunks as RFC 9112 has them";
    let malformed =
        ["2\r\n{}XX0\r\n\r\n", "2;a=b\n{}\r\n0\r\n\r\n", "-1\r\n", "0x2\r\n{}\r\n", "10000000000000000\r\n{}"];
    for chunks in malformed {
        let head = "POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut stream = relay.connect();
        stream.write_all(format!("{head}{chunks}GET /healthz HTTP/1.1\r\nhost: r\r\n\r\n").as_bytes()).unwrap();
        let answer = until_hung_up(&mut stream);
        assert_eq!(statuses(&answer), [400], "{chunks:?}: {answer}");
        assert!(answer.contains(what), "{chunks:?}: {answer}");
    }
    relay.program.logged_times(&["notification refused", "stripe-main", "status=400", what], malformed.len()).await;
}

/// If the relay's own stop cuts off half a head, its client has done nothing wrong.
#[tokio::test]
async fn half_a_request_that_the_stop_cut_off_is_not_told() {
    let (_transform, relay) = start(Setup::silent()).await;
    let mut half = relay.connect();
    half.write_all(b"GET /healthz HTTP/1.1\r\nhost: r\r\n\r\nGET /healthz HT").unwrap();
    half.peek(&mut [0]).unwrap();
    relay.still_serves().await;
    let ended = relay.terminate().await;
    assert_eq!(statuses(&until_hung_up(&mut half)), [200]);
    assert!(!ended.stderr.contains("half a request"), "{}", ended.stderr);
}

/// Misplaced secrets stay out of the log, and so do payers' names.
#[tokio::test]
async fn a_name_that_a_client_chose_is_told_if_it_is_one() {
    let (_transform, relay) = start(Setup::silent()).await;
    let secrets = ["whsec_abcdefghijklmnopqrstuvwxyz012345", "0123456789abcdef0123", "Sk-Live-51", "m%C3%BCller"];
    for name in secrets {
        relay.post(name, &[], "{}").await.problem(404);
    }
    relay.post("typo-of-a-source", &[], "{}").await.problem(404);
    let put = |body: &str| {
        let request = relay.request(Method::PUT, "/records/payment/tx-1").bearer_auth(INTEGRATOR_TOKEN);
        request.header("content-type", "application/json").body(body.to_owned())
    };
    for body in [r#"{"Jo Doe, Main Street 1": 1}"#, r#"{"colour": 1}"#, r#"{"jo.doe": 1}"#] {
        relay.send(put(body)).await.problem(422);
    }
    relay.program.logged_times(&["request refused", "status=422"], 3).await;
    relay.program.logged(&["request refused", "status=422", "colour"]).await;
    relay.program.logged_times(&["notification refused", "status=404"], secrets.len() + 1).await;
    relay.program.logged(&["notification refused", "status=404", "typo-of-a-source"]).await;
    let log = relay.program.log();
    for told in ["whsec_abc", "0123456789abcdef", "Sk-Live", "ller", "Doe", "jo.doe"] {
        assert!(!log.contains(told), "{told} in {log}");
    }
}

/// The reason stands in the log, and no text of a field does: it may be the payer's name.
#[tokio::test]
async fn the_log_says_why_a_registration_is_refused() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.put("payment", "tx-2", &payment("pi_1", "10")).await.problem(409);
    relay.program.logged(&["request refused", "status=409", "belongs to another payment, tx-1"]).await;
    for (field, value, logged) in [
        ("requestedAmount", json!(-5), "requestedAmount: -5 is negative, but must be more than 0"),
        ("pspTransactionId", json!("Jo Doe ".repeat(50)), "has 350 bytes, but must have 1 to 255"),
        ("requestedAmount", json!("Jo Doe"), "is not a decimal number: digits, and one point between them"),
        ("currency", json!("Jo Doe"), "is not an ISO 4217 currency code"),
        ("statusAt", json!("Jo \\\" Doe"), "but must be a time such as"),
        ("status", json!("Jo must be Doe"), "but must be one of Initiated, Pending"),
        ("source", json!("Jo Doe"), "is not configured"),
        ("bearer", json!("Jo, expected Doe"), "but must be an object"),
        ("error", json!({"errorCode": "Jo, expected `\"Doe"}), "but must be one of \\\"UnmappedError"),
        ("webhookTarget", json!("https://evil.example/Doe"), "host evil.example is not in transform.allowed_hosts"),
    ] {
        relay.put("payment", "tx-3", &with(payment("pi_3", "10"), field, value)).await.problem(422);
        relay.program.logged(&["request refused", "path=\"/records/payment/tx-3\"", "status=422", logged]).await;
    }
    let log = relay.program.log();
    assert!(!log.contains("Doe"), "{log}");
}

/// Somebody has mixed up two tokens, or has misspelt a source: the log says so, and the answer does not.
#[tokio::test]
async fn the_log_says_what_was_mixed_up() {
    let (_transform, relay) = start(Setup::silent()).await;
    for (path, token, whose) in
        [("/records", TRANSFORM_TOKEN, "Transform's"), ("/api/Payment/tx-1", INTEGRATOR_TOKEN, "the payment stack's")]
    {
        let reply = relay.send(relay.request(Method::GET, path).bearer_auth(token)).await;
        assert!(!reply.problem(401).contains(whose), "{reply:?}");
        let logged = format!("they are {whose}, which this route does not take");
        relay.program.logged(&["request refused", "kind=\"wrong credentials\"", &logged]).await;
    }
    let reply = relay.post("stripe-mian", &[], "{}").await;
    assert!(!reply.problem(404).contains("stripe-main"), "{reply:?}");
    relay.program.logged(&["notification refused", "stripe-mian", "did you mean stripe-main?"]).await;
}

#[tokio::test]
async fn a_flood_of_refusals_is_summed_up() {
    let (_transform, relay) = start(Setup::silent()).await;
    let event = stripe::paid("pi_1", AT, 1000).to_string();
    let unsigned = (0..300).map(|_| relay.request(Method::POST, "/notifications/stripe-main").body(event.clone()));
    for reply in relay.send_all(unsigned).await {
        reply.problem(401);
    }
    // Another source and another reason have lines of their own.
    let sealed = psp::seal("stripe-main", event.as_bytes());
    relay.post("stripe-two", &sealed.headers, sealed.body).await.problem(401);
    relay.program.logged(&["notification refused", "stripe-two"]).await;
    let bad = relay.request(Method::POST, "/notifications/stripe-main").header("content-type", "image/png");
    relay.send(bad).await.problem(415);
    relay.program.logged(&["notification refused", "stripe-main", "415"]).await;
    // A flood of connections without HTTP is summed up as well.
    for _ in 0..100 {
        relay.exchange(b"nonsense\r\n\r\n");
    }
    let ended = relay.terminate().await;
    let lines =
        |parts: &[&str]| ended.stderr.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count();
    // The same `kind` finds the lines and their sum.
    assert_eq!(lines(&["notification refused", "stripe-main", "status=401", "kind=\"unverified\""]), 20);
    assert_eq!(lines(&["280 more refusals", "stripe-main", "kind=\"unverified\""]), 1, "{}", ended.stderr);
    assert_eq!(lines(&["connection cut off", "kind=\"no HTTP\""]), 20);
    assert_eq!(lines(&["80 more refusals", "kind=\"no HTTP\""]), 1, "{}", ended.stderr);
    assert!(ended.stderr.lines().count() < 100, "{}", ended.stderr);
}

/// A caught notification can be sent again without end; the first line of a notification is never left out.
#[tokio::test]
async fn a_flood_of_repetitions_is_summed_up() {
    let (_transform, relay) = start(Setup::silent()).await;
    let mut unread = stripe::paid("pi_2", AT, 1000);
    unread["data"]["object"]["amount_received"] = "x".into();
    for event in [stripe::paid("pi_1", AT, 1000), unread] {
        let sealed = psp::seal("stripe-main", event.to_string().as_bytes());
        let again = (0..200).map(|_| {
            let request = relay.request(Method::POST, "/notifications/stripe-main").body(sealed.body.clone());
            request.header(&sealed.headers[0].0, &sealed.headers[0].1)
        });
        for reply in relay.send_all(again).await {
            reply.expect(200);
        }
    }
    for n in 0..50 {
        relay.stripe(&stripe::paid(&format!("pi_new_{n}"), AT, 1000)).await;
    }
    let ended = relay.terminate().await;
    let lines =
        |parts: &[&str]| ended.stderr.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count();
    assert_eq!(lines(&["notification taken", "stripe-main"]), 51);
    assert_eq!(lines(&["notification repeated", "stripe-main"]), 20, "{}", ended.stderr);
    assert_eq!(lines(&["179 more repetitions", "stripe-main", "outcome=\"parked\""]), 1, "{}", ended.stderr);
    // The first line of all is one of these, and no repetition.
    assert_eq!(lines(&["kept as a dead letter", "stripe-main"]), 21, "{}", ended.stderr);
    assert_eq!(lines(&["179 more repetitions", "stripe-main", "outcome=\"dead_letter\""]), 1, "{}", ended.stderr);
}

/// A source may have the name of a route, and the same reason has the same name at all routes.
#[tokio::test]
async fn the_metrics_tell_routes_sources_and_reasons_apart() {
    let basic = "basic = { username = \"u\", password = \"p\" }";
    let more = format!("[sources.connection]\nprofile = \"stripe\"\nsecrets = [\"whsec_c\"]\n{basic}\n");
    let (_transform, relay) = start(Setup { more, ..Setup::silent() }).await;
    relay.exchange(b"nonsense\r\n\r\n");
    let event = stripe::paid("pi_1", AT, 1000).to_string();
    let sealed = psp::seal_with("stripe", "whsec_c", jiff::Timestamp::now().as_second(), event.as_bytes());
    let with = |authorization: &str| {
        let given = ("Authorization".to_owned(), authorization.to_owned());
        [sealed.headers.clone(), vec![given]].concat()
    };
    relay.post("connection", &sealed.headers, sealed.body.clone()).await.problem(401);
    relay.post("connection", &with("Basic eDp5"), sealed.body.clone()).await.problem(401);
    relay.post("connection", &with("Basic dTpw"), sealed.body.clone()).await.expect(200);
    relay.post("nobody", &[], "{}").await.problem(404);
    relay.send(relay.request(Method::GET, "/API/PAYMENT/tx-1").bearer_auth("x")).await.problem(401);
    relay.send(relay.request(Method::GET, "/api/transactions/tx-1?type=2")).await.problem(401);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let token =
        relay.request(Method::POST, "/oauth/token").header(form.0, form.1).body("grant_type=client_credentials");
    relay.send(token.basic_auth("nobody", Some("x"))).await.expect(401);
    let metrics = relay.send(relay.request(Method::GET, "/metrics").bearer_auth(INTEGRATOR_TOKEN)).await.expect(200);
    let counted = |line: &str| Some(line.strip_prefix("transform_relay_refusals_total")?.to_owned());
    let mut refusals: Vec<_> = metrics.text.lines().filter_map(counted).collect();
    refusals.sort();
    let expected = [
        ("/api/transactions/{id}", "", "no credentials"),
        ("/api/{kind}/{id}", "", "wrong credentials"),
        ("/notifications/{source}", "", "unknown source"),
        ("/notifications/{source}", "connection", "no credentials"),
        ("/notifications/{source}", "connection", "wrong credentials"),
        ("/oauth/token", "", "wrong credentials"),
        ("connection", "", "no HTTP"),
    ];
    let line = |(route, source, reason)| format!("{{route=\"{route}\",source=\"{source}\",reason=\"{reason}\"}} 1");
    assert_eq!(refusals, expected.map(line));
}

/// Somebody looks for one transaction in a log of thousands: by its own id, by the PSP's, or by the path of a refused request.
#[tokio::test]
async fn the_log_finds_a_transaction_by_each_of_its_ids() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    let names = ["payment_intent.succeeded", "ids=\"pi_1\"", "records=\"payment/tx-1\"", "changed=1"];
    relay.program.logged(&[&["notification taken"], &names[..]].concat()).await;
    relay.stripe(&stripe::paid("pi_2", AT, 1000)).await;
    relay.program.logged(&["notification taken", "outcome=\"parked\"", "ids=\"pi_2\"", "records=\"\""]).await;
    relay.stripe(&stripe::paid("pi_2", AT, 1000)).await;
    relay.program.logged(&["notification repeated", "payment_intent.succeeded", "ids=\"pi_2\""]).await;
    assert_eq!(relay.get("/records/payments/tx-1").await.status, 404);
    relay.program.logged(&["request refused", "path=\"/records\"", "status=404"]).await;
}
