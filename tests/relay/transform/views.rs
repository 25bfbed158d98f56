//! Records of each kind as Transform fetches them, after realistic events.

use serde_json::{Value, json};

use crate::support::integrator::with;
use crate::support::{Relay, Setup, adyen, agreement, payment, preauth, refund, start, stripe};

/// 2023-11-14T22:13:20Z
const AT: i64 = 1_700_000_000;

/// A fetched body without its time. Only the form of the time is checked.
fn timeless(mut body: Value) -> Value {
    let at = body.as_object_mut().unwrap().remove("lastUpdated").unwrap();
    let at = at.as_str().unwrap();
    let (date, fraction) = at.split_once('.').unwrap();
    assert!(date.len() == 19 && fraction.len() == 8 && fraction.ends_with('Z'), "{at}");
    body
}

async fn applied(relay: &Relay, event: Value) {
    assert_eq!(relay.stripe(&event).await, "applied", "{event}");
}

#[tokio::test]
async fn a_payment() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "89.25")).await;
    let initiated = json!({
        "transactionId": "tx-1", "externalTransactionId": "payment-tx-1", "pspTransactionId": "pi_1", "currency": "EUR",
        "requestedAmount": crate::support::integrator::amount("89.25"), "status": "Initiated", "payments": [],
        "chargebacks": [],
    });
    assert_eq!(timeless(relay.fetched("Payment", "tx-1").await), initiated);

    applied(&relay, stripe::event("payment_intent.processing", AT, stripe::intent("pi_1", 8925))).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Pending");
    applied(&relay, stripe::paid("pi_1", AT + 60, 8925)).await;
    let charge = json!({
        "id": "ch_1", "payment_intent": "pi_1", "amount": 8925, "amount_captured": 8925, "captured": true,
        "currency": "eur", "payment_method_details": {"card": {"brand": "visa", "last4": "4242", "exp_month": 8}},
    });
    applied(&relay, stripe::event("charge.succeeded", AT + 60, charge)).await;

    let reply = relay.fetch("Payment", "tx-1").await.expect(200);
    assert!(reply.text.contains(r#""amount":89.25"#), "{}", reply.text);
    let paid = json!({"externalItemId": "pi_1", "amount": crate::support::integrator::amount("89.25"), "bookingDate": "2023-11-14"});
    let mut expected = initiated;
    for (name, value) in [
        ("status", json!("Succeeded")),
        ("payments", json!([paid])),
        ("refundableAmount", paid["amount"].clone()),
        ("bearer", json!({"cardType": "visa", "last4": "4242", "expiryMonth": "8"})),
    ] {
        expected[name] = value;
    }
    assert_eq!(timeless(reply.json()), expected);
}

#[tokio::test]
async fn a_preauthorization_and_its_capture_share_one_psp_id() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("preauth", "tx-p", &preauth("pi_1", "100")).await;
    relay.register("payment", "tx-c", &with(payment("pi_1", "60"), "preauthTransactionId", "tx-p")).await;
    applied(&relay, stripe::event("payment_intent.amount_capturable_updated", AT, stripe::manual("pi_1", 10_000)))
        .await;
    transform.told("preauth", "tx-p", 1).await;
    let reserved = relay.fetched("Preauth", "tx-p").await;
    assert_eq!((&reserved["status"], reserved["authorizedAmount"].to_string()), (&json!("Succeeded"), "100".into()));
    assert_eq!(relay.fetched("Payment", "tx-c").await["status"], "Initiated");

    let mut captured = stripe::manual("pi_1", 10_000);
    captured["amount_received"] = 6000.into();
    applied(&relay, stripe::event("payment_intent.succeeded", AT + 60, captured)).await;
    transform.told("payment", "tx-c", 1).await;
    let capture = relay.fetched("Payment", "tx-c").await;
    assert_eq!((&capture["status"], capture["payments"][0]["amount"].to_string()), (&json!("Succeeded"), "60".into()));
    assert_eq!(relay.fetched("Preauth", "tx-p").await, reserved, "the capture is the payment's, not the preauth's");
    relay.caught_up(&transform).await;
    assert_eq!((transform.count("preauth", "tx-p"), transform.count("payment", "tx-c")), (1, 1));
}

#[tokio::test]
async fn a_refund_and_what_it_leaves_of_the_payment() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "100")).await;
    relay.register("refund", "tx-r", &refund("re_1", "tx-1", "33.34")).await;
    applied(&relay, stripe::paid("pi_1", AT, 10_000)).await;
    applied(&relay, stripe::refund("re_1", AT + 60, 3334, "pending")).await;
    let state = relay.fetched("Refund", "tx-r").await;
    assert_eq!(state["status"], "Pending");
    assert!(state.get("refundedAmount").is_none(), "{state}");
    // The contract has the day in every refund: until it has succeeded, that of the version.
    assert_eq!(state["bookingDate"].as_str().unwrap(), &state["lastUpdated"].as_str().unwrap()[..10]);
    applied(&relay, stripe::refund("re_1", AT + 86_400, 3334, "succeeded")).await;
    let expected = json!({
        "transactionId": "tx-r", "externalTransactionId": "refund-tx-r", "pspTransactionId": "re_1", "currency": "EUR",
        "requestedAmount": crate::support::integrator::amount("33.34"), "status": "Succeeded",
        "refundedAmount": crate::support::integrator::amount("33.34"), "bookingDate": "2023-11-15",
    });
    assert_eq!(timeless(relay.fetched("Refund", "tx-r").await), expected);
    let text = relay.fetch("Payment", "tx-1").await.expect(200).text;
    assert!(text.contains(r#""refundedAmount":33.34,"#) && text.contains(r#""refundableAmount":66.66}"#), "{text}");
}

#[tokio::test]
async fn a_chargeback_and_its_reversal() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "100")).await;
    applied(&relay, stripe::paid("pi_1", AT, 10_000)).await;
    transform.told("payment", "tx-1", 1).await;
    let opened = stripe::dispute("created", "du_1", "pi_1", AT + 100, 4000);
    assert_eq!(relay.stripe(&opened).await, "repeated", "an open dispute has moved no money");
    applied(&relay, stripe::dispute("funds_withdrawn", "du_1", "pi_1", AT + 200, 4000)).await;
    transform.told("payment", "tx-1", 2).await;
    let state = relay.fetched("Payment", "tx-1").await;
    let expected = json!([{
        "externalItemId": "du_1", "amount": 40, "bookingDate": "2023-11-14", "feeAmount": 20, "reason": "UserInitiated",
        "pspReasonCode": "fraudulent",
    }]);
    assert_eq!(state["chargebacks"], expected);
    assert_eq!((&state["status"], state["refundableAmount"].to_string()), (&json!("Succeeded"), "60".to_owned()));

    applied(&relay, stripe::dispute("funds_reinstated", "du_1", "pi_1", AT + 300, 4000)).await;
    transform.told("payment", "tx-1", 3).await;
    let state = relay.fetched("Payment", "tx-1").await;
    assert_eq!((&state["chargebacks"], state["refundableAmount"].to_string()), (&json!([]), "100".to_owned()));
}

#[tokio::test]
async fn an_agreement_is_made_amended_and_ended() {
    let (transform, relay) = start(Setup::default()).await;
    relay.register("agreement", "ag-1", &agreement("pm_1")).await;
    let setup = json!({"id": "seti_1", "payment_method": "pm_1", "mandate": "mandate_1"});
    applied(&relay, stripe::event("setup_intent.succeeded", AT, setup)).await;
    transform.told("agreement", "ag-1", 1).await;
    let expected = json!({"agreementId": "ag-1", "pspAgreementId": "pm_1", "currency": "EUR", "status": "Active"});
    assert_eq!(timeless(relay.fetched("Agreement", "ag-1").await), expected);

    // The mandate's event names only its own id, which the setup intent taught.
    let details = json!({"sepa_debit": {"reference": "RELAY0001"}});
    let mandate = |status: &str| json!({"id": "mandate_1", "status": status, "payment_method_details": details});
    applied(&relay, stripe::event("mandate.updated", AT + 60, mandate("active"))).await;
    transform.told("agreement", "ag-1", 2).await;
    let amended = with(expected, "bearer", json!({"mandateReference": "RELAY0001"}));
    assert_eq!(timeless(relay.fetched("Agreement", "ag-1").await), amended);
    applied(&relay, stripe::event("mandate.updated", AT + 120, mandate("inactive"))).await;
    transform.told("agreement", "ag-1", 3).await;
    let ended = with(amended, "status", "Inactive");
    assert_eq!(timeless(relay.fetched("Agreement", "ag-1").await), ended);
}

#[tokio::test]
async fn adyen_reserves_captures_and_gives_back() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("preauth", "tx-p", &preauth("AUTH1", "100")).await;
    relay.register("payment", "tx-c", &with(payment("CAPT1", "89.25"), "preauthTransactionId", "tx-p")).await;
    relay.register("refund", "tx-r", &refund("REFU1", "tx-c", "9.25")).await;
    let authorised = adyen::item("AUTHORISATION", "AUTH1", "", 0, 10_000);
    let more = json!({"expiryDate": "03/2030", "cardSummary": "1111"});
    let mut authorised = authorised;
    authorised["notificationItems"][0]["NotificationRequestItem"]["additionalData"] = more;
    for notification in [
        authorised,
        adyen::item("AUTHORISATION_ADJUSTMENT", "ADJU1", "AUTH1", 1, 9500),
        adyen::item("CAPTURE", "CAPT1", "AUTH1", 2, 8925),
        adyen::item("REFUND", "REFU1", "AUTH1", 3, 925),
        adyen::item("CHARGEBACK", "DISP1", "CAPT1", 4, 5000),
    ] {
        relay.notify("adyen-main", &notification).await.expect(200);
    }
    let preauth = relay.fetched("Preauth", "tx-p").await;
    assert_eq!((&preauth["status"], preauth["authorizedAmount"].to_string()), (&json!("Succeeded"), "95".to_owned()));
    assert_eq!(preauth["bearer"], json!({"cardType": "visa", "expiry": "03/2030", "last4": "1111"}));
    let payment = relay.fetched("Payment", "tx-c").await;
    assert_eq!(
        (&payment["status"], payment["payments"][0]["amount"].to_string()),
        (&json!("Succeeded"), "89.25".into())
    );
    assert_eq!(payment["payments"].as_array().unwrap().len(), 1, "the authorisation is no money: {payment}");
    assert_eq!(
        (payment["refundedAmount"].to_string(), payment["refundableAmount"].to_string()),
        ("9.25".into(), "30".into())
    );
    assert_eq!(payment["chargebacks"][0]["externalItemId"], "DISP1");
    assert_eq!(relay.fetched("Refund", "tx-r").await["refundedAmount"].to_string(), "9.25");

    relay.notify("adyen-main", &adyen::item("CHARGEBACK_REVERSED", "DISP1", "CAPT1", 5, 5000)).await.expect(200);
    let payment = relay.fetched("Payment", "tx-c").await;
    assert_eq!((&payment["chargebacks"], payment["refundableAmount"].to_string()), (&json!([]), "80".to_owned()));
}

#[tokio::test]
async fn amounts_are_exact_in_every_currency() {
    let (_transform, relay) = start(Setup::silent()).await;
    // Amounts in the PSP's minor units, and their values in major units. Stripe counts UGX in hundredths.
    let rows = [
        ("JPY", 5000_i64, "5000"),
        ("KWD", 5125, "5.125"),
        ("EUR", 10, "0.1"),
        ("EUR", 1, "0.01"),
        ("UGX", 500, "5"),
        ("CHF", 123_456_789, "1234567.89"),
    ];
    for (n, (currency, minor, major)) in rows.into_iter().enumerate() {
        let (id, psp_id) = (format!("tx-{n}"), format!("pi_{n}"));
        relay.register("payment", &id, &with(payment(&psp_id, major), "currency", currency)).await;
        let mut event = stripe::paid(&psp_id, AT, minor);
        event["data"]["object"]["currency"] = currency.to_lowercase().into();
        applied(&relay, event).await;
        let text = relay.fetch("Payment", &id).await.expect(200).text;
        for part in [format!(r#""amount":{major},"#), format!(r#""requestedAmount":{major},"#), r#""Succeeded""#.into()]
        {
            assert!(text.contains(&part), "{part} in {text}");
        }
    }
}

/// A payment can be as large as a registered amount: the limit is in major units, whatever their number of minor units.
#[tokio::test]
async fn what_can_be_registered_can_be_paid() {
    let (_transform, relay) = start(Setup::silent()).await;
    for (n, currency, minor, major) in
        [(1, "IDR", 150_000_000_000, "1500000000"), (2, "USD", 9_999_999_999_999, "99999999999.99")]
    {
        let (id, psp_id) = (format!("tx-{n}"), format!("pi_{n}"));
        relay.register("payment", &id, &with(payment(&psp_id, major), "currency", currency)).await;
        let mut event = stripe::paid(&psp_id, AT, minor);
        event["data"]["object"]["currency"] = currency.to_lowercase().into();
        applied(&relay, event).await;
        assert_eq!(relay.fetched("Payment", &id).await["payments"][0]["amount"].to_string(), major);
    }
}

#[tokio::test]
async fn amounts_in_major_units_lose_only_the_noise_of_floating_point() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("refund", "tx-r", &with(refund("re_1", "tx-1", "53.77"), "currency", "USD")).await;
    let text = r#"{"id": "e1", "type": "refund.complete", "createdTime": "2026-04-05T09:10:00.12Z",
        "data": {"object": {"id": "re_1", "currency": "USD", "refundedAmount": 53.769999999999996}}}"#;
    let sealed = crate::support::psp::seal("river", text.as_bytes());
    let receipt = relay.post("river", &sealed.headers, sealed.body).await.expect(202).json();
    assert_eq!(receipt["outcome"], "applied");
    assert_eq!(relay.fetched("Refund", "tx-r").await["refundedAmount"].to_string(), "53.77");
}

#[tokio::test]
async fn last_updated_rises_with_every_change_and_only_then() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "100")).await;
    let mut before = String::new();
    for n in 1..=20 {
        let event = stripe::paid("pi_1", AT + n, n * 100);
        applied(&relay, event.clone()).await;
        let body = relay.fetched("Payment", "tx-1").await;
        let at = body["lastUpdated"].as_str().unwrap().to_owned();
        assert!(at > before, "{at} after {before}");
        relay.stripe(&event).await;
        assert_eq!(relay.fetched("Payment", "tx-1").await, body);
        timeless(body);
        before = at;
    }
}
