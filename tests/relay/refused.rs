//! Nobody is refused without a trace in the log, and no flood fills it.

use std::io::Write;

use reqwest::Method;

use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::siege::until_hung_up;
use crate::support::{Setup, psp, start, stripe};

const AT: i64 = 1_700_000_000;

#[tokio::test]
async fn whoever_is_refused_is_in_the_log() {
    let more = "[sources.guarded]\nprofile = \"stripe\"\nsecrets = [\"whsec_g\"]\nip_ranges = [\"192.0.2.0/24\"]\n\
                [sources.off]\nprofile = \"stripe\"\nsecrets = [\"whsec_o\"]\nenabled = false\ndisabled_answer = 503\n";
    let (_transform, relay) = start(Setup { max_body: "1KiB", more: more.to_owned(), ..Setup::silent() }).await;
    let post = |source: &str| relay.request(Method::POST, &format!("/notifications/{source}"));
    let large = || "x".repeat(2_000);
    for (request, status, logged) in [
        (post("stripe-main").body("{}"), 401, vec!["notification refused", "stripe-main"]),
        (post("stripe-main").body(large()), 413, vec!["notification refused", "stripe-main", "larger than 1024"]),
        (post("stripe-main").header("content-type", "image/png"), 415, vec!["notification refused", "Content-Type"]),
        (post("guarded").body("{}"), 403, vec!["notification refused", "guarded", "ip_ranges"]),
        (post("off").body("{}"), 503, vec!["notification refused", "off", "not enabled"]),
        (post("typo").body("{}"), 404, vec!["notification refused", "typo"]),
        (relay.request(Method::GET, "/notifications/river"), 405, vec!["notification refused", "river", "takes POST"]),
        (relay.request(Method::GET, "/nowhere"), 404, vec!["request refused", "no such door"]),
        (
            relay.request(Method::GET, "/api/Payment/tx-1"),
            401,
            vec!["request refused", "door=\"/api/{kind}/{id}\"", "no credentials"],
        ),
        (
            relay.request(Method::GET, "/records/payment/tx-1/history"),
            401,
            vec!["door=\"/records/{kind}/{id}/history\""],
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
    // No HTTP at all is a flood as well.
    for _ in 0..100 {
        relay.exchange(b"nonsense\r\n\r\n");
    }
    let ended = relay.terminate().await;
    let lines =
        |parts: &[&str]| ended.stderr.lines().filter(|line| parts.iter().all(|part| line.contains(part))).count();
    // A line and the sum of its kind are found by the same word.
    assert_eq!(lines(&["notification refused", "stripe-main", "status=401", "kind=\"unverified\""]), 20);
    assert_eq!(lines(&["280 more refusals", "stripe-main", "kind=\"unverified\""]), 1, "{}", ended.stderr);
    assert_eq!(lines(&["connection cut off", "kind=\"no HTTP\""]), 20);
    assert_eq!(lines(&["80 more refusals", "kind=\"no HTTP\""]), 1, "{}", ended.stderr);
    assert!(ended.stderr.lines().count() < 100, "{}", ended.stderr);
}

/// Whoever has caught one notification can send it again without end; what is told for the first time is never left out.
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
    // The first of all is one of them, and no repetition.
    assert_eq!(lines(&["kept as a dead letter", "stripe-main"]), 21, "{}", ended.stderr);
    assert_eq!(lines(&["179 more repetitions", "stripe-main", "outcome=\"dead_letter\""]), 1, "{}", ended.stderr);
}

/// A source may be called as a door is, and one thing has one name at all doors.
#[tokio::test]
async fn the_metrics_tell_doors_sources_and_reasons_apart() {
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
    let line = |(door, source, reason)| format!("{{door=\"{door}\",source=\"{source}\",reason=\"{reason}\"}} 1");
    assert_eq!(refusals, expected.map(line));
}
