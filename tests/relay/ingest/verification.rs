//! 401: a notification without a valid proof leaves nothing behind.

use jiff::Timestamp;
use serde_json::Value;
use transform_relay::psp::vouch::sign::Signed;

use crate::support::setup::{ADYEN_SECRET, MEDIA_SECRET, STRIPE_OLD_SECRET, STRIPE_SECRET, STRIPE_TWO_SECRET};
use crate::support::{Relay, Setup, adyen, payment, planted, psp, start, stripe};

/// Checks that a notification is refused, that the answer does not give the reason, and that the log does.
async fn refused(relay: &Relay, source: &str, sent: Signed, why: &str) {
    let reply = relay.post(source, &sent.headers, sent.body).await;
    assert_eq!(reply.problem(401), "no or wrong credentials", "{why}");
    relay.program.logged(&["notification refused", source, why]).await;
}

/// Checks that the refused notifications left no trace.
async fn nothing_was_stored(relay: &Relay, before: &Value) {
    assert_eq!(relay.record("payment", "tx-1").await, *before);
    let rows = relay.rows();
    assert_eq!((rows.notifications, rows.parked, rows.outbox), (0, 0, 0));
}

#[tokio::test]
async fn without_the_right_signature_nothing_is_taken() {
    let (_transform, relay) = start(Setup::silent()).await;
    let before = relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let body = stripe::paid("pi_1", 1_700_000_000, 1000).to_string().into_bytes();
    let now = Timestamp::now().as_second();
    let signed = |secret: &str, at: i64| psp::seal_with("stripe", secret, at, &body);
    let header = |text: &str| Signed { headers: vec![("Stripe-Signature".into(), text.into())], body: body.clone() };

    refused(&relay, "stripe-main", Signed { headers: Vec::new(), body: body.clone() }, "no signature").await;
    refused(&relay, "stripe-main", signed("whsec_somebody_else", now), "wrong signature").await;
    refused(&relay, "stripe-main", signed(STRIPE_TWO_SECRET, now), "wrong signature").await;
    let mut tampered = signed(STRIPE_SECRET, now);
    tampered.body = stripe::paid("pi_1", 1_700_000_000, 1).to_string().into_bytes();
    refused(&relay, "stripe-main", tampered, "wrong signature").await;
    let mut longer = signed(STRIPE_SECRET, now);
    longer.body.push(b'\n');
    refused(&relay, "stripe-main", longer, "wrong signature").await;
    for junk in ["", "t=,v1=", "v1=00", "t=1", "t=1,v1=zz", &format!("t={now},v1={}", "0".repeat(64)), "=,=,,", "v0=1"]
    {
        refused(&relay, "stripe-main", header(junk), " signature").await;
    }
    // A good signature with another time.
    let moved = signed(STRIPE_SECRET, now).headers[0].1.replacen(&format!("t={now}"), &format!("t={}", now + 1), 1);
    refused(&relay, "stripe-main", header(&moved), "wrong signature").await;
    nothing_was_stored(&relay, &before).await;
}

#[tokio::test]
async fn a_timestamp_outside_the_tolerance_is_refused() {
    let more = "[sources.patient]\nprofile = \"stripe\"\ntolerance = \"1h\"\nsecrets = [\"whsec_patient\"]\n";
    let (_transform, relay) = start(Setup { more: more.to_owned(), ..Setup::silent() }).await;
    let before = relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let body = stripe::paid("pi_1", 1_700_000_000, 1000).to_string().into_bytes();
    let now = Timestamp::now().as_second();
    // The profile's tolerance is 300 s; the machine may be slow between this line and the relay's look at its clock.
    for at in [now - 301, now - 3600, now + 900, now + 86_400, 0] {
        let off = if at < now { "seconds behind the relay's clock" } else { "seconds ahead of the relay's clock" };
        let late = psp::seal_with("stripe", STRIPE_SECRET, at, &body);
        refused(&relay, "stripe-main", late, off).await;
    }
    let late = psp::seal_with("stripe", "whsec_patient", now - 3601, &body);
    refused(&relay, "patient", late, "and the tolerance is 3600 seconds").await;
    nothing_was_stored(&relay, &before).await;
    let late = psp::seal_with("stripe", STRIPE_SECRET, now - 100, &body);
    relay.post("stripe-main", &late.headers, late.body).await.expect(200);
    let later = psp::seal_with("stripe", "whsec_patient", now - 1800, &body);
    relay.post("patient", &later.headers, later.body).await.expect(200);
}

#[tokio::test]
async fn any_of_several_secrets_vouches() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let now = Timestamp::now().as_second();
    for (n, secret) in [STRIPE_OLD_SECRET, STRIPE_SECRET].into_iter().enumerate() {
        let body = stripe::paid("pi_1", 1_700_000_000, 1000 * i64::try_from(n + 1).unwrap()).to_string();
        let sealed = psp::seal_with("stripe", secret, now, body.as_bytes());
        relay.post("stripe-main", &sealed.headers, sealed.body).await.expect(200);
    }
    // While a secret is rolled, Stripe signs with both: any signature is enough, in any order.
    let body = stripe::paid("pi_1", 1_700_000_009, 1000).to_string();
    let good = psp::seal_with("stripe", STRIPE_SECRET, now, body.as_bytes()).headers[0].1.clone();
    let both = good.replacen(",v1=", &format!(",v1={},v0=abc,v1=", "0".repeat(64)), 1);
    relay.post("stripe-main", &[("Stripe-Signature".into(), both)], body).await.expect(200);
}

#[tokio::test]
async fn adyens_signature_stands_in_every_item() {
    let (_transform, relay) = start(Setup::silent()).await;
    let before = relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    let item = adyen::item("AUTHORISATION", "PSP1", "", 0, 1000);
    let plain = |body: &Value| Signed { headers: Vec::new(), body: body.to_string().into_bytes() };
    refused(&relay, "adyen-main", plain(&item), "no signature").await;
    let mut other = ADYEN_SECRET.replace('4', "5");
    other.truncate(64);
    refused(&relay, "adyen-main", psp::seal_with("adyen", &other, 0, item.to_string().as_bytes()), "wrong signature")
        .await;

    let signed = psp::seal("adyen-main", item.to_string().as_bytes());
    let signed: Value = serde_json::from_slice(&signed.body).unwrap();
    for (pointer, value) in
        [("amount/value", 100_000.into()), ("success", "false".into()), ("pspReference", Value::from("PSP2"))]
    {
        let mut tampered = signed.clone();
        let at = format!("/notificationItems/0/NotificationRequestItem/{pointer}");
        *tampered.pointer_mut(&at).unwrap() = value;
        refused(&relay, "adyen-main", plain(&tampered), "wrong signature").await;
    }
    // One good item does not vouch for another.
    let mut batch = signed.clone();
    let unsigned = adyen::item("CAPTURE", "PSP9", "PSP1", 1, 1000)["notificationItems"][0].clone();
    batch["notificationItems"].as_array_mut().unwrap().push(unsigned);
    refused(&relay, "adyen-main", plain(&batch), " signature").await;
    for empty in [r#"{"notificationItems": []}"#, "{}", "[]", "null", "not json", ""] {
        refused(&relay, "adyen-main", Signed { headers: Vec::new(), body: empty.into() }, "no signature").await;
    }
    nothing_was_stored(&relay, &before).await;
    relay.post("adyen-main", &[], signed.to_string()).await.expect(200);
}

#[tokio::test]
async fn all_that_a_source_demands_must_be_there() {
    let (_transform, relay) = start(Setup::silent()).await;
    let before = relay.register("payment", "tx-1", &payment("700100", "12.9")).await;
    let callback = serde_json::json!({
        "entityType": "TRANSACTION", "callbackType": "CREATION", "entityId": "700100",
        "entity": {
            "transactionId": "700100", "changedDate": "2026-03-02T09:00:00Z", "currency": "EUR", "amount": 12.9,
            "paymentAction": "PAYPAL_PAYMENT", "paymentStatus": "SUCCESS",
        },
    });
    let body = callback.to_string().into_bytes();
    let sealed = psp::seal("media", &body);
    for left_out in sealed.headers.iter().map(|(name, _)| name) {
        let rest = sealed.headers.iter().filter(|(name, _)| name != left_out).cloned().collect();
        refused(&relay, "media", Signed { headers: rest, body: body.clone() }, "").await;
        let mut wrong = sealed.clone();
        wrong.headers.iter_mut().filter(|(name, _)| name == left_out).for_each(|(_, value)| value.push('x'));
        refused(&relay, "media", wrong, "").await;
    }
    let now = Timestamp::now().as_second();
    let mut forged = psp::seal_with("frisbii-media", "guessed", now, &body);
    forged.headers.extend(psp::media_extras());
    refused(&relay, "media", forged, "wrong signature").await;
    let bare = psp::seal_with("frisbii-media", MEDIA_SECRET, now, &body);
    refused(&relay, "media", bare, "no or wrong credentials in the Authorization header").await;
    nothing_was_stored(&relay, &before).await;

    assert_eq!(relay.post("media", &sealed.headers, body).await.expect(200).json()["outcome"], "applied");
    assert_eq!(relay.fetched("Payment", "tx-1").await["payments"][0]["amount"].to_string(), "12.9");
    let kept = relay.notifications().remove(0).headers;
    assert!(kept.contains("plenigo-signature"), "{kept}");
    assert_eq!(planted::found_in(&kept), [""; 0]);
    assert!(!kept.to_lowercase().contains("authorization"), "{kept}");
}
