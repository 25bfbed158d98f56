//! Hostile bodies. Signed by a PSP, they are kept as dead letters and change no record. From anybody else, and in a
//! registration, they are refused and leave no trace. The relay goes on serving.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::integrator::{amount, with};
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Relay, Reply, Setup, adyen, payment, psp, start, stripe};

const AT: i64 = 1_700_000_000;

/// Posts any body with the PSP's signature.
async fn signed(relay: &Relay, source: &str, body: &[u8]) -> Reply {
    let sealed = psp::seal(source, body);
    relay.post(source, &sealed.headers, sealed.body).await
}

async fn registered(relay: &Relay, body: Vec<u8>) -> Reply {
    let request = relay.request(Method::PUT, "/records/payment/tx-1").bearer_auth(INTEGRATOR_TOKEN);
    relay.send(request.header("Content-Type", "application/json").body(body)).await
}

/// A relay with one payment, and everything that it stores.
async fn with_a_payment(setup: Setup) -> (crate::support::Transform, Relay, Vec<String>) {
    let (transform, relay) = start(setup).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let stored = relay.all_stored();
    (transform, relay, stored)
}

fn nested(levels: usize, open: &str, close: &str) -> Vec<u8> {
    format!("{}1{}", open.repeat(levels), close.repeat(levels)).into_bytes()
}

fn no_json() -> Vec<Vec<u8>> {
    let texts: [&[u8]; 18] = [
        b"",
        b" ",
        b"{",
        b"}",
        b"{]",
        b"nul",
        b"{} {}",
        b"{},",
        b"{\"a\":1,}",
        b"{'a':1}",
        b"NaN",
        b"[Infinity, -Infinity]",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\0}\0",
        b"{\"id\": \"\xc3\x28\"}",
        b"{\"id\": \"\\ud800\"}",
        b"{\"id\": \"a\nb\"}",
        b"\0\0\0\0",
    ];
    let mut all: Vec<_> = texts.map(<[u8]>::to_vec).into();
    all.push(nested(100_000, "[", "]"));
    all.push(nested(100_000, "[", ""));
    all.push(nested(100_000, "{\"a\":", "}"));
    all.push(nested(50_000, "[{\"data\":", "}]"));
    let event = stripe::paid("pi_1", AT, 1000).to_string();
    all.push(event.replacen("\"eur\"", &format!("{}{}", "[".repeat(5000), "]".repeat(5000)), 1).into_bytes());
    all.push(event.into_bytes().iter().flat_map(|byte| [*byte, 0]).collect());
    all
}

#[tokio::test]
async fn what_is_no_json_is_a_dead_letter_if_the_psp_signed_it_and_refused_otherwise() {
    let (_transform, relay, before) = with_a_payment(Setup::silent()).await;
    for body in no_json() {
        for source in ["stripe-main", "adyen-main", "media", "river", "nobody"] {
            let status = if source == "nobody" { 404 } else { 401 };
            relay.post(source, &[], body.clone()).await.problem(status);
        }
        registered(&relay, body).await.problem(400);
    }
    assert_eq!(relay.all_stored(), before);
    let before = relay.all_but_the_inbox();
    for body in no_json() {
        for (source, status) in [("stripe-main", 200), ("media", 200), ("river", 202)] {
            let reply = signed(&relay, source, &body).await.expect(status);
            assert_eq!(
                reply.json()["outcome"],
                "dead_letter",
                "{}",
                String::from_utf8_lossy(&body[..body.len().min(80)])
            );
        }
    }
    assert_eq!(relay.all_but_the_inbox(), before);
    relay.still_serves().await;
}

#[tokio::test]
async fn json_that_is_no_object_is_a_dead_letter() {
    let (_transform, relay, _) = with_a_payment(Setup::silent()).await;
    for body in ["null", "true", "0", "-1.5e3", "\"\"", "\"x\"", "[]", "[[]]", "[null]", "{}", "{\"\":{}}"] {
        for source in ["stripe-main", "media", "river"] {
            assert_eq!(signed(&relay, source, body.as_bytes()).await.json()["outcome"], "dead_letter", "{body}");
        }
        relay.post("adyen-main", &[], body).await.problem(401);
        if !body.starts_with('{') {
            registered(&relay, body.into()).await.problem(422);
        }
    }
    assert_eq!(relay.rows().records, 1);
    relay.still_serves().await;
}

/// serde_json keeps the digits of a number in an object with one key of a special name; no body can forge such a number.
#[tokio::test]
async fn a_number_cannot_be_forged_as_an_object() {
    let (_transform, relay, _) = with_a_payment(Setup::silent()).await;
    let before = relay.all_but_the_inbox();
    let texts = ["NaN", "1e400", "Infinity", "-1", "x", "", "4111111111111111", "1000"];
    let names = ["$serde_json::private::Number", r"\u0024serde_json::private::Number"];
    for (text, name) in texts.iter().flat_map(|text| names.map(|name| (text, name))) {
        let forged = format!(r#"{{"{name}":"{text}"}}"#);
        let mut event = stripe::paid("pi_1", AT, 1000);
        event["data"]["object"]["amount_received"] = "FORGED".into();
        let body = event.to_string().replace("\"FORGED\"", &forged);
        assert_eq!(signed(&relay, "stripe-main", body.as_bytes()).await.json()["outcome"], "dead_letter", "{text}");
        let body = format!(r#"{{"requestedAmount":{forged},"currency":"EUR"}}"#);
        let reply = registered(&relay, body.into_bytes()).await;
        assert!([400, 422].contains(&reply.status), "{reply:?}");
    }
    assert_eq!(relay.all_but_the_inbox(), before);
    relay.still_serves().await;
}

fn no_amounts() -> Vec<Value> {
    let mut digits = "1".repeat(100_000);
    let mut all: Vec<_> =
        ["1e400", "1e-400", "1e999999999", "-1", "-0.01", "1.5", "1e28", "0.1e-4294967295"].map(amount).into();
    all.extend(["9223372036854775808", "79228162514264337593543950336", "1E+4294967296"].map(amount));
    all.push(amount(&digits));
    all.push(digits.clone().into());
    digits.insert(1, '.');
    all.push(amount(&digits));
    all.extend(["NaN", "Infinity", "-inf", "1_000", "0x10", "ten", "1,5", "१०", "1 000", "\u{0}"].map(Value::from));
    all.push(true.into());
    all
}

#[tokio::test]
async fn an_amount_that_cannot_be_changes_nothing() {
    let (_transform, relay, _) = with_a_payment(Setup::silent()).await;
    let before = relay.all_but_the_inbox();
    for value in no_amounts() {
        let mut event = stripe::paid("pi_1", AT, 1000);
        event["data"]["object"]["amount_received"] = value.clone();
        let text: String = value.to_string().chars().take(80).collect();
        assert_eq!(relay.stripe(&event).await, "dead_letter", "{text}");
        let mut item = adyen::item("AUTHORISATION", "pi_1", "", 0, 1000);
        item["notificationItems"][0]["NotificationRequestItem"]["amount"]["value"] = value.clone();
        relay.notify("adyen-main", &item).await.expect(200);
        let body = with(payment("pi_1", "10"), "requestedAmount", value);
        // A registration is in major units: 1.50 is an amount there.
        if text != "1.5" {
            relay.put("payment", "tx-1", &body).await.names(422, "requestedAmount");
        }
    }
    assert_eq!(relay.all_but_the_inbox(), before);
    let outcomes = relay.outcomes();
    assert!(!outcomes.is_empty() && outcomes.iter().all(|outcome| outcome == "dead_letter"), "{outcomes:?}");
    relay.still_serves().await;
}

#[tokio::test]
async fn a_currency_or_a_time_that_cannot_be_changes_nothing() {
    let (_transform, relay, _) = with_a_payment(Setup::silent()).await;
    let before = relay.all_but_the_inbox();
    let long = "EUR".repeat(10_000);
    for currency in ["EURO", "EU", "ZZZ", "€", "e\u{0}r", "eur ", "978", "\u{202e}RUE", long.as_str()] {
        let mut event = stripe::paid("pi_1", AT, 1000);
        event["data"]["object"]["currency"] = currency.into();
        assert_eq!(relay.stripe(&event).await, "dead_letter", "{currency:?}");
        relay.put("payment", "tx-1", &with(payment("pi_1", "10"), "currency", currency)).await.names(422, "currency");
    }
    for time in [
        "9999999999999",
        "-1",
        "-377705116801",
        "253402207201",
        "1e9",
        "1.5",
        "99999999999999999999",
        "\"0000-01-01T00:00:00Z\"",
        "\"2026-03-02\"",
        "\"now\"",
        "true",
    ] {
        let mut event = stripe::paid("pi_1", AT, 1000);
        event["created"] = amount(time);
        assert_eq!(relay.stripe(&event).await, "dead_letter", "{time}");
        let text = time.trim_matches('"');
        let item = adyen::with(adyen::item("AUTHORISATION", "pi_1", "", 0, 1000), "eventDate", text);
        relay.notify("adyen-main", &item).await.expect(200);
        let body = with(payment("pi_1", "10"), "dueDate", if text == "2026-03-02" { "1969-12-31" } else { text });
        relay.put("payment", "tx-1", &body).await.problem(422);
    }
    for time in [
        "+010000-01-01T00:00:00Z",
        "-000001-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2026-13-01T00:00:00Z",
        "2026-03-02T25:00:00Z",
    ] {
        let item = adyen::with(adyen::item("AUTHORISATION", "pi_1", "", 0, 1000), "eventDate", time);
        relay.notify("adyen-main", &item).await.expect(200);
        relay.put("preauth", "tx-2", &with(payment("pi_2", "10"), "expiresAt", time)).await.problem(422);
    }
    assert_eq!(relay.all_but_the_inbox(), before);
    let outcomes = relay.outcomes();
    assert!(!outcomes.is_empty() && outcomes.iter().all(|outcome| outcome == "dead_letter"), "{outcomes:?}");
    relay.still_serves().await;
}

#[tokio::test]
async fn ids_of_any_signs_wait_and_ids_of_any_length_do_not() {
    let (_transform, relay, _) = with_a_payment(Setup::silent()).await;
    let before = relay.all_but_the_inbox();
    for id in ["x".repeat(256), "ä".repeat(10_000), "1".repeat(100_000)] {
        assert_eq!(relay.stripe(&stripe::paid(&id, AT, 1000)).await, "dead_letter", "an id of {} bytes", id.len());
        relay.put("payment", "tx-2", &payment(&id, "10")).await.names(422, "pspTransactionId");
        relay.put("payment", &id[..200], &payment("pi_2", "10")).await.problem(400);
    }
    assert_eq!(relay.all_but_the_inbox(), before);
    let odd = "pi_\u{0}\u{1b}[31m\r\nHTTP/1.1 200 OK\r\n\r\n\u{202e}'; DROP TABLE records; --";
    let paid = stripe::paid(odd, AT, 1000);
    assert_eq!(relay.stripe(&paid).await, "parked");
    let record = relay.register("payment", "tx-2", &payment(odd, "10")).await;
    assert_eq!((&record["pspTransactionId"], &record["status"]), (&odd.into(), &"Succeeded".into()));
    // A log line stays one line, and carries no control sequences for a terminal.
    let unknown = stripe::event(odd, AT, json!({"id": "x"}));
    assert_eq!(relay.stripe(&unknown).await, "ignored");
    let mut refused = stripe::paid("pi_1", AT, 1000);
    refused["data"]["object"]["currency"] = odd.into();
    assert_eq!(relay.stripe(&refused).await, "dead_letter");
    relay.still_serves().await;
    let log = relay.terminate().await.stderr;
    assert!(!log.contains(['\u{1b}', '\u{0}', '\u{202e}']) && !log.contains("\nHTTP"), "{log}");
}

/// If a name occurs twice in a notification, the last one counts, for the signature as for the rules. A registration is refused.
#[tokio::test]
async fn a_name_that_is_said_twice_means_the_last() {
    let (_transform, relay, _) = with_a_payment(Setup::silent()).await;
    relay.register("payment", "tx-2", &payment("PSP2", "10")).await;
    let event = stripe::paid("pi_1", AT, 1000).to_string();
    let twice = event.replacen("\"amount_received\"", "\"amount_received\":1,\"amount_received\"", 1);
    assert_eq!(signed(&relay, "stripe-main", twice.as_bytes()).await.json()["outcome"], "applied");
    assert_eq!(relay.fetched("Payment", "tx-1").await["payments"][0]["amount"].to_string(), "10");

    let item = adyen::item("AUTHORISATION", "PSP2", "", 0, 1000).to_string();
    let item = String::from_utf8(psp::seal("adyen-main", item.as_bytes()).body).unwrap();
    let before = relay.all_stored();
    let forged = item.replacen("\"success\":\"true\"", "\"success\":\"true\",\"success\":\"false\"", 1);
    relay.post("adyen-main", &[], forged).await.problem(401);
    assert_eq!(relay.all_stored(), before);
    let harmless = item.replacen("\"success\":\"true\"", "\"success\":\"false\",\"success\":\"true\"", 1);
    relay.post("adyen-main", &[], harmless).await.expect(200);
    assert_eq!(relay.fetched("Payment", "tx-2").await["status"], "Succeeded");

    let body = br#"{"requestedAmount":1,"requestedAmount":20,"currency":"EUR"}"#;
    registered(&relay, body.to_vec()).await.names(422, "requestedAmount");
    relay.still_serves().await;
}

fn keys(count: u32) -> String {
    let keys: Vec<_> = (0..count).map(|n| format!("\"k{n}\":{n}")).collect();
    format!("{{{}}}", keys.join(","))
}

#[tokio::test]
async fn a_million_keys_are_read() {
    let (_transform, relay, _) = with_a_payment(Setup { max_body: "64MiB", ..Setup::silent() }).await;
    let before = relay.all_but_the_inbox();
    let many = keys(1_000_000);
    relay.post("adyen-main", &[], many.clone()).await.problem(401);
    assert_eq!(signed(&relay, "stripe-main", many.as_bytes()).await.json()["outcome"], "dead_letter");
    registered(&relay, keys(100_000).into_bytes()).await.names(422, "k0");
    assert_eq!(relay.all_but_the_inbox(), before);

    let paid = stripe::paid("pi_1", AT, 1000).to_string();
    let paid = paid.replacen("\"object\":{", &format!("\"object\":{{\"metadata\":{},", keys(100_000)), 1);
    assert_eq!(signed(&relay, "stripe-main", paid.as_bytes()).await.json()["outcome"], "applied");
    relay.still_serves().await;
}

/// No PSP puts more than ten thousand messages or events into one notification.
#[tokio::test]
async fn a_batch_of_too_many_messages_ends() {
    let (_transform, relay, before) = with_a_payment(Setup { max_body: "128MiB", ..Setup::silent() }).await;
    let item = adyen::item("REPORT_AVAILABLE", "PSP1", "", 0, 0).to_string();
    let batch = |item: &Value, count| {
        let items = vec![item["notificationItems"][0].to_string(); count];
        format!("{{\"notificationItems\":[{}]}}", items.join(","))
    };
    let unsigned: Value = serde_json::from_str(&item).unwrap();
    let reply = relay.post("adyen-main", &[], batch(&unsigned, 100_000)).await;
    reply.problem(401);
    // One signed item, many times.
    let one: Value = serde_json::from_slice(&psp::seal("adyen-main", item.as_bytes()).body).unwrap();
    let reply = relay.post("adyen-main", &[], batch(&one, 12_000)).await;
    assert!(reply.problem(413).contains("12000"), "{reply:?}");
    // One message with that many events is as much work.
    let refunds: Vec<_> = (0..12_000)
        .map(|n| json!({"id": format!("re_{n}"), "amount": 1, "currency": "EUR", "state": "succeeded"}))
        .collect();
    let event = json!({"id": "evt_1", "type": "order.charge.refund.completed", "createdTime": "2026-03-01T12:00:00Z",
                       "data": {"object": {"id": "1", "currency": "EUR", "refunds": refunds}}});
    let reply = signed(&relay, "river", event.to_string().as_bytes()).await;
    assert!(reply.problem(413).contains("12000"), "{reply:?}");
    assert_eq!(relay.all_stored(), before);
    relay.still_serves().await;
}
