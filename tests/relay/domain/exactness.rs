//! Values of a registration that could be read in two ways: they are refused, and nothing of them is kept.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::integrator::with;
use crate::support::planted::{self, E_MAIL};
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Relay, Reply, Setup, payment, preauth, psp, start, stripe};

/// Registers a payment with a body as it is written.
async fn put(relay: &Relay, id: &str, body: &str) -> Reply {
    let request = relay.request(Method::PUT, &format!("/records/payment/{id}")).bearer_auth(INTEGRATOR_TOKEN);
    relay.send(request.header("Content-Type", "application/json").body(body.to_owned())).await
}

async fn refused(relay: &Relay, body: &Value, field: &str) -> String {
    let refusal = relay.put("payment", "tx-1", body).await;
    let detail = refusal.problem(422);
    assert_eq!(refusal.json()["field"], field, "{body}: {detail}");
    detail
}

/// A parser of URLs would skip these signs, and the record would show another text than its webhooks go to.
#[tokio::test]
async fn a_webhook_target_is_the_url_alone() {
    let (transform, relay) = start(Setup::silent()).await;
    let target = format!("http://{}/hooks/of?tenant=sesame", transform.address);
    for wrong in [
        format!(" {target}"),
        format!("{target} "),
        format!("{target}\n"),
        format!("\t{target}"),
        format!("{target}\u{a0}"),
        format!("\u{0}{target}"),
        target.replace("hooks", "ho\toks"),
        target.replace("hooks", "ho\r\noks"),
        target.replace("hooks", "ho\u{7f}oks"),
        target.replace("hooks", "ho\u{85}oks"),
    ] {
        let detail =
            refused(&relay, &with(payment("pi_1", "10"), "webhookTarget", wrong.as_str()), "webhookTarget").await;
        assert!(detail.contains("must be the URL alone") && !detail.contains("sesame"), "{detail}");
    }
    assert_eq!(relay.rows().records, 0);
    let stored =
        relay.register("payment", "tx-1", &with(payment("pi_1", "10"), "webhookTarget", target.as_str())).await;
    assert_eq!(stored["webhookTarget"], target);
}

/// An empty list was once taken for a failure of which nothing is known.
#[tokio::test]
async fn an_error_is_an_object() {
    let (_transform, relay) = start(Setup::silent()).await;
    for wrong in [json!([]), json!(["InvalidData", "no", "51"]), json!("InvalidData"), json!(7), json!(true)] {
        let detail = refused(&relay, &with(payment("pi_1", "10"), "error", wrong), "error").await;
        assert!(detail.contains("an object"), "{detail}");
    }
    let inside = json!({"errorCode": "InvalidData", "status": "Failed"});
    refused(&relay, &with(payment("pi_1", "10"), "error", inside), "error.status").await;
    assert_eq!(relay.rows().records, 0);
    let stored = relay.register("payment", "tx-1", &with(payment("pi_1", "10"), "error", json!({}))).await;
    assert_eq!(stored["status"], "Failed");
    let stored = relay.register("payment", "tx-2", &with(payment("pi_2", "10"), "error", Value::Null)).await;
    assert_eq!(stored["status"], "Initiated");
}

#[tokio::test]
async fn an_amount_that_is_a_text_has_digits_and_a_point_only() {
    let (_transform, relay) = start(Setup::silent()).await;
    for wrong in
        ["+5", "1e1", "1E1", "5e0", "5 ", " 5", "--5", "5-", "1.0.0", "", ".", ".5", "5.", "-", "0x5", "1_0", "\u{665}"]
    {
        let detail = refused(&relay, &with(payment("pi_1", "10"), "requestedAmount", wrong), "requestedAmount").await;
        assert!(detail.contains("is not a decimal number"), "{wrong:?}: {detail}");
    }
    let detail = refused(&relay, &with(payment("pi_1", "10"), "requestedAmount", "-5"), "requestedAmount").await;
    assert_eq!(detail, "requestedAmount: -5 is negative, but must be more than 0");
    assert_eq!(relay.rows().records, 0);
    for (id, text) in [("tx-1", "10"), ("tx-2", "10.00"), ("tx-3", "010")] {
        let body = json!({"requestedAmount": text, "currency": "EUR"});
        assert_eq!(relay.register("payment", id, &body).await["requestedAmount"].to_string(), "10");
    }
    // JSON has exponents.
    let stored = put(&relay, "tx-4", r#"{"requestedAmount": 1e1, "currency": "EUR"}"#).await.expect(201).json();
    assert_eq!(stored["requestedAmount"].to_string(), "10");
    let stored = relay.register("preauth", "tx-5", &with(preauth("pi_5", "1"), "requestedAmount", "0")).await;
    assert_eq!(stored["requestedAmount"].to_string(), "0");
}

/// Which of the two is meant cannot be known. A PSP's notification is read as ever.
#[tokio::test]
async fn a_name_stands_once_in_an_object() {
    let more = "[sources.shop]\nprofile = \"stripe\"\nsecrets = [\"x\"]\npsp_settings_ids = [\"5f1a\"]\n";
    let (_transform, relay) = start(Setup { more: more.to_owned(), ..Setup::silent() }).await;
    let start = r#""requestedAmount": 10, "currency": "EUR""#;
    for (fields, field) in [
        (r#""currency": "EUR""#, "currency"),
        (r#""c\u0075rrency": "USD""#, "currency"),
        (r#""bearer": {"last4": "1111", "bank": "x", "last4": "2222"}"#, "bearer.last4"),
        (r#""error": {"errorCode": "InvalidData", "errorCode": "Canceled"}"#, "error.errorCode"),
        (r#""source": "stripe-main", "source": "stripe-main""#, "source"),
        (r#""colour": 1, "colour": 2"#, "colour"),
        (r#""pspSettingsId": "5f1a", "tell": true, "tell": false"#, "tell"),
        (
            r#""pspSettingsId": "5f1a", "payerData": {"address": [{}, {"city": "A", "city": "B"}]}"#,
            "payerData.address.city",
        ),
    ] {
        let refusal = put(&relay, "tx-1", &format!("{{{start}, {fields}}}")).await;
        let detail = refusal.problem(422);
        assert_eq!(refusal.json()["field"], field, "{fields}");
        assert!(detail.contains("twice"), "{detail}");
    }
    // The name of a field may be the payer's.
    let refusal =
        put(&relay, "tx-1", &format!("{{{start}, \"bearer\": {{\"{E_MAIL}\": \"\", \"{E_MAIL}\": \"\"}}}}")).await;
    assert!(refusal.problem(422).contains("[e-mail]"), "{refusal:?}");
    assert_eq!(relay.rows().records, 0);
    put(&relay, "tx-1", "{\"currency\": 1, \"currency\":").await.problem(400);
    let same_inside = format!("{{{start}, \"pspTransactionId\": \"pi_1\", \"bearer\": {{\"currency\": \"EUR\"}}}}");
    put(&relay, "tx-1", &same_inside).await.expect(201);

    let event =
        stripe::paid("pi_1", 1_700_000_000, 1000).to_string().replacen('{', r#"{"object": "x", "object": "event","#, 1);
    let sealed = psp::seal("stripe-main", event.as_bytes());
    assert_eq!(relay.post("stripe-main", &sealed.headers, event).await.expect(200).json()["outcome"], "applied");
    let ended = relay.terminate().await;
    assert_eq!(planted::found_in(&ended.stderr), [""; 0]);
}
