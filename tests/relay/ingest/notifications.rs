//! POST /notifications/{source}: the answer to the PSP, and the stored notification.

use reqwest::Method;
use serde_json::json;

use crate::support::setup::ADYEN_SECRET;
use crate::support::{Setup, adyen, payment, psp, refund, start, stripe};

#[tokio::test]
async fn an_unknown_source_is_404_whatever_is_sent() {
    let (_transform, relay) = start(Setup::default()).await;
    let event = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    for source in ["nobody", "stripe", "STRIPE-MAIN", "stripe-main%2F"] {
        let sealed = psp::seal("stripe-main", event.as_bytes());
        relay.post(source, &sealed.headers, sealed.body).await.problem(404);
        relay.post(source, &[], "").await.problem(404);
    }
    assert_eq!(relay.rows().notifications, 0);
}

#[tokio::test]
async fn every_outcome_is_told_to_the_psp() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let paid = stripe::paid("pi_1", 1_700_000_100, 1000);
    let older = stripe::declined("pi_1", 1_700_000_000, 1000, "insufficient_funds");
    let unknown = stripe::paid("pi_nobody", 1_700_000_000, 1000);
    let customer = stripe::event("customer.created", 1_700_000_000, json!({"id": "cus_1"}));
    let mut ids = Vec::new();
    for (event, outcome) in
        [(&paid, "applied"), (&paid, "applied"), (&older, "stale"), (&unknown, "parked"), (&customer, "ignored")]
    {
        let reply = relay.notify("stripe-main", event).await.expect(200);
        assert_eq!(reply.header("content-type"), "application/json");
        let receipt = reply.json();
        assert_eq!(receipt["outcome"], outcome, "{event}");
        assert_eq!(receipt.as_object().unwrap().len(), 2, "{receipt}");
        ids.push(receipt["notification"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids[0], ids[1], "a repetition is the notification that came first");
    assert_eq!(relay.rows().notifications, 4);
    assert_eq!(relay.with_outcome("stale"), 1, "counted");
    let applied = relay.notifications().into_iter().find(|kept| kept.outcome == "applied").unwrap();
    assert_eq!(applied.repeats, 1);
    let state = relay.fetched("Payment", "tx-1").await;
    assert_eq!(
        (&state["status"], &state["payments"][0]["amount"].to_string()),
        (&json!("Succeeded"), &"10".to_owned())
    );
}

/// The answer is the same to the byte, whatever became of the first since. A PSP that missed the answer gets it again.
#[tokio::test]
async fn a_repetition_is_answered_as_the_first_was() {
    let (_transform, relay) = start(Setup::silent()).await;
    let event = stripe::paid("pi_1", 1_700_000_000, 1000);
    let first = relay.notify("stripe-main", &event).await.expect(200);
    assert_eq!((first.json()["outcome"].clone(), first.header("idempotent-replayed")), (json!("parked"), ""));
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
    for _ in 0..2 {
        let again = relay.notify("stripe-main", &event).await.expect(200);
        assert_eq!((again.text.as_str(), again.header("idempotent-replayed")), (first.text.as_str(), "true"));
    }
}

#[tokio::test]
async fn another_event_that_says_the_same_is_repeated() {
    let (_transform, relay) = start(Setup::silent()).await;
    let before = relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 1000)).await, "applied");
    assert_eq!(relay.stripe(&stripe::paid("pi_1", 1_700_000_005, 1000)).await, "repeated");
    let after = relay.record("payment", "tx-1").await;
    assert_eq!((before["version"].to_string(), after["version"].to_string()), ("1".into(), "2".into()));
}

#[tokio::test]
async fn adyen_is_answered_accepted() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "89.25")).await;
    let applied = adyen::item("AUTHORISATION", "PSP1", "", 0, 8925);
    let parked = adyen::item("AUTHORISATION", "PSP2", "", 0, 8925);
    let ignored = adyen::item("REPORT_AVAILABLE", "PSP3", "", 0, 0);
    let dead = adyen::with(adyen::item("AUTHORISATION", "PSP1", "", 1, 8925), "eventDate", "yesterday");
    for notification in [&applied, &applied, &parked, &ignored, &dead] {
        let reply = relay.notify("adyen-main", notification).await.expect(200);
        assert_eq!(reply.text, "[accepted]", "{notification}");
    }
    assert_eq!(relay.fetched("Payment", "tx-1").await["payments"][0]["amount"].to_string(), "89.25");
    assert_eq!(relay.outcome_counts(), ["applied 1", "dead_letter 1", "ignored 1", "parked 1"]);
}

#[tokio::test]
async fn all_items_of_a_batch_are_taken_together() {
    let (transform, relay) = start(Setup::default()).await;
    let mut batch = adyen::item("AUTHORISATION", "PSP1", "", 0, 1000);
    let more = adyen::item("AUTHORISATION", "PSP2", "", 0, 2000);
    batch["notificationItems"].as_array_mut().unwrap().push(more["notificationItems"][0].clone());
    for n in 1..=2 {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("PSP{n}"), &format!("{n}0"))).await;
    }
    relay.notify("adyen-main", &batch).await.expect(200);
    for n in 1..=2 {
        transform.told("payment", &format!("tx-{n}"), 1).await;
        assert_eq!(relay.fetched("Payment", &format!("tx-{n}")).await["status"], "Succeeded");
    }
}

/// One unreadable item of a batch does not affect the other items.
#[tokio::test]
async fn the_good_items_of_a_batch_are_applied() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    let mut batch = adyen::with(adyen::item("AUTHORISATION", "PSP2", "", 0, 1000), "eventDate", "yesterday");
    let good = adyen::item("AUTHORISATION", "PSP1", "", 0, 1000);
    batch["notificationItems"].as_array_mut().unwrap().push(good["notificationItems"][0].clone());
    relay.notify("adyen-main", &batch).await.expect(200);
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
    assert_eq!(relay.outcome_counts(), ["dead_letter 1"]);
}

/// The same event id does not prove that two notifications are the same: the content decides.
#[tokio::test]
async fn one_event_id_with_two_contents_is_two_events() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let mut first = stripe::paid("pi_1", 1_700_000_000, 400);
    let mut second = stripe::paid("pi_1", 1_700_000_001, 1000);
    (first["id"], second["id"]) = (json!("evt_same"), json!("evt_same"));
    let before = relay.notify("stripe-main", &first).await.expect(200).json();
    assert_eq!(before["outcome"], "applied");
    assert_eq!(relay.stripe(&second).await, "applied");
    assert_eq!(relay.stripe(&first).await, "repeated");
    assert_eq!(relay.fetched("Payment", "tx-1").await["payments"][0]["amount"].to_string(), "10");
    let before = format!("before={}", before["notification"].as_str().unwrap());
    relay.program.logged(&["WARN", "dedupe key", &before]).await;
}

#[tokio::test]
async fn an_ignored_type_is_logged_once() {
    let (_transform, relay) = start(Setup::silent()).await;
    for n in 0..3 {
        for kind in ["customer.created", "charge.updated"] {
            let event = stripe::event(kind, 1_700_000_000 + n, json!({"id": "x"}));
            assert_eq!(relay.stripe(&event).await, "ignored");
        }
    }
    let ended = relay.terminate().await;
    for kind in ["customer.created", "charge.updated"] {
        let told = |line: &&str| {
            line.contains("no rule reads this type of event") && line.contains(&format!("event_type=\"{kind}\""))
        };
        assert_eq!(ended.stderr.lines().filter(told).count(), 1, "{}", ended.stderr);
    }
}

#[tokio::test]
async fn digital_river_is_answered_202() {
    let (_transform, relay) = start(Setup::silent()).await;
    let notification = json!({"id": "e1", "type": "order.fulfilled", "data": {"object": {"id": "1"}}});
    let receipt = relay.notify("river", &notification).await.expect(202).json();
    assert_eq!(receipt["outcome"], "ignored");
}

#[tokio::test]
async fn what_cannot_be_understood_is_kept_and_answered_2xx() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("refund", "tx-r", &refund("re_1", "tx-1", "10")).await;
    let odd = stripe::refund("re_1", 1_700_000_000, 1000, "evaporated");
    assert_eq!(relay.stripe(&odd).await, "dead_letter");
    // The body is signed, but no JSON: its bytes are kept as they came.
    let garbled: &[u8] = b"{\"id\": \"evt_1\", \xff\x00 oops";
    let sealed = psp::seal("stripe-main", garbled);
    let reply = relay.post("stripe-main", &sealed.headers, garbled).await.expect(200);
    assert_eq!(reply.json()["outcome"], "dead_letter");
    let half = stripe::event("payment_intent.succeeded", 1_700_000_000, json!({"id": "pi_1", "amount_received": 10.5}));
    assert_eq!(relay.stripe(&half).await, "dead_letter");

    assert_eq!(relay.fetched("Refund", "tx-r").await["status"], "Initiated");
    assert_eq!(relay.outcome_counts(), ["dead_letter 3"]);
    let kept = relay.notifications();
    assert!(kept[0].reason.contains("evaporated") && kept[0].reason.contains("refund.updated"), "{:?}", kept[0]);
    assert_eq!(kept[1].body, garbled);
    relay.program.logged(&["dead letter", "evaporated"]).await;
}

/// The body's number of bytes decides, whether it is announced or not.
#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let (_transform, relay) = start(Setup { max_body: "2KiB", ..Setup::default() }).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let sized = |size: usize| {
        let event = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
        event.clone() + &" ".repeat(size - event.len())
    };
    let large = psp::seal("stripe-main", sized(2049).as_bytes());
    relay.post("stripe-main", &large.headers, large.body.clone()).await.names(413, "2048");
    let (name, value) = &large.headers[0];
    let head = format!("POST /notifications/stripe-main HTTP/1.1\r\nhost: relay\r\n{name}: {value}\r\n");
    let chunk = format!("801\r\n{}\r\n0\r\n\r\n", sized(2049));
    let answer = relay.raw(&format!("{head}transfer-encoding: chunked\r\nconnection: close\r\n\r\n{chunk}"));
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let fits = psp::seal("stripe-main", sized(2048).as_bytes());
    let reply = relay.post("stripe-main", &fits.headers, fits.body).await.expect(200);
    assert_eq!(reply.json()["outcome"], "applied");
    assert_eq!(relay.rows().notifications, 1);
    let long = json!({"bearer": {"holder": "x".repeat(3000)}});
    relay.put("payment", "tx-1", &long).await.problem(413);
}

#[tokio::test]
async fn a_body_that_is_no_json_by_its_type_is_415() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let event = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    let with_type = |text: &str| {
        let mut sealed = psp::seal("stripe-main", event.as_bytes());
        sealed.headers.push(("Content-Type".to_owned(), text.to_owned()));
        sealed
    };
    for bad in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json", ""] {
        let sealed = with_type(bad);
        relay.post("stripe-main", &sealed.headers, sealed.body).await.problem(415);
        let request = relay.request(Method::PUT, "/records/payment/tx-1").header("Content-Type", bad);
        let request = request.bearer_auth(crate::support::setup::INTEGRATOR_TOKEN).body("{}");
        relay.send(request).await.problem(415);
    }
    assert_eq!(relay.rows().notifications, 0);
    for good in ["application/json", "Application/JSON; charset=utf-8", "application/cloudevents+json"] {
        let sealed = with_type(good);
        relay.post("stripe-main", &sealed.headers, sealed.body).await.expect(200);
    }
    let bare = psp::seal("stripe-main", event.as_bytes());
    relay.post("stripe-main", &bare.headers, bare.body).await.expect(200);
}

/// A secret of one PSP account vouches for no other account.
#[tokio::test]
async fn a_source_hears_only_of_its_own_records() {
    let (_transform, relay) = start(Setup::silent()).await;
    let own = crate::support::integrator::with(payment("pi_1", "10"), "source", "stripe-two");
    relay.register("payment", "tx-1", &own).await;
    let paid = stripe::referring(stripe::paid("pi_1", 1_700_000_000, 1000), "transactionId", "tx-1");
    assert_eq!(relay.stripe(&paid).await, "parked", "it came by stripe-main");
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Initiated");
    let receipt = relay.notify("stripe-two", &paid).await.expect(200).json();
    assert_eq!(receipt["outcome"], "applied");
    let adyen = psp::seal_with("adyen", ADYEN_SECRET, 0, adyen::item("CAPTURE", "p", "", 0, 1).to_string().as_bytes());
    relay.post("stripe-two", &adyen.headers, adyen.body).await.problem(401);
}
