//! Error texts: each names the field or the part of the request, repeats the value, and says what is right. None has
//! data of a payer.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::integrator::with;
use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{Relay, Setup, agreement, payment, preauth, psp, refund, start, stripe};

/// The detail of the refusal of a registration.
async fn refused(relay: &Relay, kind: &str, body: &Value, status: u16) -> String {
    relay.put(kind, "tx-1", body).await.problem(status)
}

#[tokio::test]
async fn a_wrong_field_is_named_with_its_value_and_the_right_form() {
    let (_transform, relay) = start(Setup::silent()).await;
    let wrong = |field: &str, value: Value| with(payment("pi_1", "10"), field, value);
    for (value, seen) in [
        (json!("31.03.2026"), "\"31.03.2026\""),
        (json!("2026-02-30"), "\"2026-02-30\""),
        (json!(20_260_331), "20260331"),
        (json!(""), "\"\""),
    ] {
        let detail = refused(&relay, "payment", &wrong("dueDate", value), 422).await;
        assert_eq!(
            detail,
            format!(
                "dueDate: is {seen}, but must be a day such as \"2026-03-31\", or a time such as \"2026-03-31T09:30:00Z\""
            )
        );
    }
    let early = refused(&relay, "payment", &wrong("dueDate", json!("1969-12-31")), 422).await;
    assert_eq!(early, "dueDate: is 1969-12-31T00:00:00Z, but must not be before 1970");
    for (value, seen) in [
        (json!("tomorrow"), "\"tomorrow\""),
        (json!("2026-03-31"), "\"2026-03-31\""),
        // Milliseconds since 1970 that have the check digit of a card number.
        (json!(1_775_124_000_007_u64), "1775124000007"),
    ] {
        let detail = refused(&relay, "preauth", &with(preauth("pi_1", "10"), "expiresAt", value), 422).await;
        assert_eq!(detail, format!("expiresAt: is {seen}, but must be a time such as \"2026-03-31T09:30:00Z\""));
    }
    let amount = refused(&relay, "payment", &wrong("requestedAmount", json!(["10"])), 422).await;
    assert_eq!(amount, "requestedAmount: is [\"10\"], but must be a number or its decimal text");
}

/// The bounds of values, and what cannot be amended.
#[tokio::test]
async fn a_value_out_of_bounds_is_repeated_with_the_bounds() {
    let (_transform, relay) = start(Setup::silent()).await;
    let long = "x".repeat(300);
    for (field, value, said) in [
        ("requestedAmount", json!(-5), "-5 is negative, but must be more than 0".to_owned()),
        ("requestedAmount", json!(0), "is 0, but must be more than 0 for a payment".to_owned()),
        ("requestedAmount", json!(200_000_000_000_u64), "200000000000 is more than 100000000000".to_owned()),
        ("pspTransactionId", json!(""), "\"\" has 0 bytes, but must have 1 to 255".to_owned()),
        ("externalTransactionId", json!(long), format!("\"{}\"… has 300 bytes, but must have 1 to 255", &long[..100])),
        (
            "agreementId",
            json!("a b"),
            "\"a b\" is no Transform id: such an id has 1 to 128 visible ASCII characters".to_owned(),
        ),
        (
            "answeredAt",
            json!("1969-12-31T00:00:00Z"),
            "is 1969-12-31T00:00:00Z, but must not be before 1970".to_owned(),
        ),
    ] {
        let detail = refused(&relay, "payment", &with(payment("pi_1", "10"), field, value), 422).await;
        assert_eq!(detail, format!("{field}: {said}"));
    }
    let error = with(with(payment("pi_1", "10"), "error", json!({})), "status", "Succeeded");
    let detail = refused(&relay, "payment", &error, 422).await;
    assert_eq!(detail, "error: does not go with status Succeeded, which has not ended: leave one out");
    relay.register("payment", "tx-1", &with(payment("pi_1", "10"), "source", "stripe-main")).await;
    relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 1000)).await;
    for (field, value, said) in [
        (
            "preauthTransactionId",
            "pre-1",
            "is pre-1, but the payment captures no preauthorization, and events have been applied to it",
        ),
        (
            "source",
            "stripe-two",
            "is \"stripe-two\", but the record belongs to source stripe-main, and events have been applied to it",
        ),
        ("pspTransactionId", "pi_2", "is \"pi_2\", but the record has \"pi_1\", and 10 EUR are booked under it"),
    ] {
        let detail = refused(&relay, "payment", &json!({field: value}), 409).await;
        assert!(detail.starts_with(&format!("{field}: {said}")), "{detail}");
    }
    relay.register("refund", "re-1", &refund("re_1", "tx-1", "5")).await;
    relay.stripe(&stripe::refund("re_1", 1_700_000_000, 500, "succeeded")).await;
    let detail = relay.put("refund", "re-1", &json!({"paymentTransactionId": "tx-2"})).await.problem(409);
    assert_eq!(
        detail,
        "paymentTransactionId: is tx-2, but the refund is of payment tx-1, and events have been applied to it"
    );
}

#[tokio::test]
async fn no_kind_has_a_wrong_article() {
    let (_transform, relay) = start(Setup::silent()).await;
    let field = refused(&relay, "agreement", &with(agreement("pm_1"), "pspTransactionId", "x"), 422).await;
    assert_eq!(field, "pspTransactionId: a record of kind agreement has no such field");
    let status = refused(&relay, "agreement", &with(agreement("pm_1"), "status", "Failed"), 422).await;
    assert_eq!(status, "status: no agreement is ever Failed");
    relay.register("agreement", "tx-1", &agreement("pm_1")).await;
    relay.stripe(&stripe::event("payment_method.detached", 1_700_000_000, json!({"id": "pm_1"}))).await;
    let kind = refused(&relay, "payment", &payment("pi_1", "10"), 409).await;
    let why = "events have been applied to it";
    assert_eq!(kind, format!("kind: tx-1 is registered with kind agreement, and cannot get kind payment: {why}"));
}

#[tokio::test]
async fn no_error_repeats_the_data_of_a_payer() {
    let (_transform, relay) = start(Setup::silent()).await;
    let card = 4_111_111_111_111_111_u64;
    for (body, field) in [
        (json!({"bearer": card.to_string()}), "bearer"),
        (json!({"bearer": {"card": card}}), "bearer.card"),
        (json!({"dueDate": card}), "dueDate"),
        (json!({"status": card.to_string()}), "status"),
        (json!({"status": "jo.doe@example.org"}), "status"),
        (json!({"requestedAmount": [card]}), "requestedAmount"),
        (json!({card.to_string(): 1}), "[card number]"),
        (json!({"currency": "DE89370400440532013000"}), "currency"),
    ] {
        let reply = relay.put("payment", "tx-1", &body).await;
        reply.problem(422);
        assert_eq!(reply.json()["field"], field);
        for data in ["4111111111111111", "jo.doe", "DE8937"] {
            assert!(!reply.text.contains(data), "{}", reply.text);
        }
    }
}

#[tokio::test]
async fn a_wrong_type_of_a_body_is_repeated_and_the_right_ones_are_named() {
    let more = "[sources.pay]\nprofile = \"payone\"\nsecrets = [\"portal-key\"]\nip_ranges = [\"127.0.0.0/8\"]\n";
    let (_transform, relay) = start(Setup { more: more.to_owned(), ..Setup::silent() }).await;
    let put = relay.request(Method::PUT, "/records/payment/tx-1").bearer_auth(INTEGRATOR_TOKEN);
    let detail = relay.send(put.header("Content-Type", "text/plain").body("{}")).await.problem(415);
    assert_eq!(detail, "Content-Type: is \"text/plain\", but must be application/json");
    let detail = async |source: &str, media_type: &str| {
        let post = relay.request(Method::POST, &format!("/notifications/{source}"));
        relay.send(post.header("Content-Type", media_type).body("{}")).await.problem(415)
    };
    assert_eq!(
        detail("stripe-main", "text/plain").await,
        "Content-Type: is \"text/plain\", but must be application/json, as this source's PSP sends it"
    );
    assert_eq!(
        detail("pay", "application/json").await,
        "Content-Type: is \"application/json\", but must be application/x-www-form-urlencoded, as this source's PSP sends it"
    );
}

#[tokio::test]
async fn a_wrong_query_is_named_with_its_value() {
    let (_transform, relay) = start(Setup::silent()).await;
    for (query, detail) in [
        ("after=zz", "after: is \"zz\", but must be the number in \"next\" of the page before"),
        ("after=-1", "after: is \"-1\", but must be the number in \"next\" of the page before"),
        ("after=%2B1", "after: is \"+1\", but must be the number in \"next\" of the page before"),
        ("limit=%2B1", "limit: is \"+1\", but must be a number from 1 to 1000"),
        ("limit=many", "limit: is \"many\", but must be a number from 1 to 1000"),
        ("limit=0", "limit: is \"0\", but must be a number from 1 to 1000"),
        ("after=1&after=2", "after: must be there once"),
        ("page=2", "\"page\": this list takes source, after and limit"),
        ("sorce=x", "\"sorce\": this list takes source, after and limit; did you mean source?"),
    ] {
        for list in ["/parked", "/findings", "/dead-letters/notifications", "/dead-letters/deliveries"] {
            let asked = relay.request(Method::GET, &format!("{list}?{query}")).bearer_auth(INTEGRATOR_TOKEN);
            assert_eq!(relay.send(asked).await.problem(400), detail, "{list} {query}");
        }
    }
    for query in ["page=2", "source=stripe-main", "limit"] {
        let asked = relay.request(Method::GET, &format!("/sources?{query}")).bearer_auth(INTEGRATOR_TOKEN);
        let name = query.split('=').next().unwrap();
        assert_eq!(relay.send(asked).await.problem(400), format!("{name:?}: this list takes no parameters"), "{query}");
    }
    let asked = relay.request(Method::GET, "/sources?").bearer_auth(INTEGRATOR_TOKEN);
    relay.send(asked).await.expect(200);
    for (query, detail) in [
        (
            "payment=tx-1",
            "payment: is \"tx-1\", but must be unknown: it chooses refunds whose payment is not registered",
        ),
        ("payment=unknown&payment=unknown", "payment: must be there once"),
        ("source=stripe-main", "\"source\": this list takes payment, after and limit"),
    ] {
        let asked = relay.request(Method::GET, &format!("/records?{query}")).bearer_auth(INTEGRATOR_TOKEN);
        assert_eq!(relay.send(asked).await.problem(400), detail, "{query}");
    }
    let asked = relay.request(Method::GET, "/parked?after=0&limit=1000&source=stripe-main");
    relay.send(asked.bearer_auth(INTEGRATOR_TOKEN)).await.expect(200);
}

/// A wrong field or state is answered with what was probably meant, and with what the kind of the record has.
#[tokio::test]
async fn a_wrong_field_or_state_is_told_what_was_meant() {
    let (_transform, relay) = start(Setup::silent()).await;
    let states = "Initiated, Pending, Succeeded, Failed, Cancelled, Expired";
    for (body, detail) in [
        (json!({"curency": "EUR"}), "curency: there is no such field; did you mean currency?".to_owned()),
        (json!({"transactionId": "tx-1"}), "transactionId: is in the path, and not in the body".to_owned()),
        (
            json!({"colour": 1}),
            "colour: there is no such field; the fields of kind payment are agreementId, answeredAt, bearer, currency, dueDate, \
             error, externalTransactionId, preauthTransactionId, pspTransactionId, redirectUrl, requestedAmount, source, status, \
             statusAt, tell, webhookTarget"
                .to_owned(),
        ),
        (
            json!({"status": "succeeded"}),
            format!("status: is \"succeeded\", but must be one of {states}; did you mean Succeeded?"),
        ),
        (json!({"status": 3}), format!("status: is a number, but must be one of {states}")),
        (json!({"status": "Active"}), "status: no payment is ever Active".to_owned()),
        (json!({"source": "stripe-mian"}), "source: \"stripe-mian\" is not configured; did you mean stripe-main?".to_owned()),
        (json!({"source": 3}), "source: is a number, but must be a text".to_owned()),
        (json!({"tell": "yes"}), "tell: is \"yes\", but must be true or false".to_owned()),
        (
            json!({"error": {"errorcode": "Declined"}}),
            "error.errorcode: there is no such field; did you mean errorCode?".to_owned(),
        ),
        (
            json!({"webhookTarget": "/hooks"}),
            "webhookTarget: is no absolute URL; it must be like https://host/path".to_owned(),
        ),
    ] {
        let said = relay.put("payment", "tx-9", &body).await.problem(422);
        assert!(said.starts_with(&detail) && (said == detail || detail.ends_with(" of")), "{body}: {said}\n{detail}");
    }
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let taken = relay.put("payment", "tx-2", &payment("pi_1", "10")).await.problem(409);
    assert_eq!(taken, "pspTransactionId: \"pi_1\" belongs to another payment, tx-1");
}

/// A PSP that has not signed is not asked for credentials.
#[tokio::test]
async fn a_notification_without_a_signature_is_asked_for_one() {
    let (_transform, relay) = start(Setup::silent()).await;
    let post = relay.request(Method::POST, "/notifications/stripe-main").header("Content-Type", "application/json");
    let reply = relay.send(post.body("{}")).await;
    reply.problem(401);
    assert_eq!(reply.header("www-authenticate"), "Signature realm=\"transform-relay\"");
}

/// The paths that the relay describes.
async fn paths(relay: &Relay) -> Vec<String> {
    let document = relay.send(relay.request(Method::GET, "/openapi.json")).await.expect(200).json();
    document["paths"].as_object().unwrap().keys().cloned().collect()
}

/// A path that is no route, but resembles one, is answered with the routes that it resembles.
#[tokio::test]
async fn a_path_that_resembles_a_route_is_told_of_it() {
    let (_transform, relay) = start(Setup::silent()).await;
    let paths = paths(&relay).await;
    assert!(paths.len() > 15, "{paths:?}");
    for path in &paths {
        let first = path.split('/').nth(1).unwrap();
        let near = relay.send(relay.request(Method::GET, &format!("{}/or/so", path.replace(['{', '}'], "")))).await;
        let detail = near.problem(404);
        assert!(detail.starts_with("there is no such route; similar routes: "), "{path}: {detail}");
        assert!(detail.contains(&format!("/{first}")), "{path}: {detail}");
    }
    for (path, route) in [
        ("/records/payment", "/records/{preauth|payment|refund|agreement}/{id}"),
        ("/records/mandate/tx-1", "/records/{preauth|payment|refund|agreement}/{id}"),
        ("/record/payment/tx-1", "did you mean /records/payment/{id}?"),
        ("/Records/payment/tx-1", "did you mean /records/payment/{id}?"),
        ("/records/payments/tx-1", "did you mean /records/payment/{id}?"),
        ("/records/Refund/tx-1/histroy", "did you mean /records/refund/{id}/history?"),
        ("/api/payments/tx-1", "did you mean /api/Payment/{id}?"),
        ("/helth", "did you mean /healthz?"),
        ("/dead-letters", "/dead-letters/notifications, "),
        (
            "/api/Payment",
            "there is no such route: POST /api/Payment is the payment stack's; the relay answers GET /api/Payment/{id}",
        ),
        ("/api/Mandate/tx-1", "/api/{Preauth|Payment|Refund|Agreement}/{id}"),
        ("/notification/stripe-main", "/notifications/{source}"),
        ("/health", "/healthz"),
        ("/dead-letter/notifications", "/dead-letters/notifications"),
    ] {
        let detail = relay.send(relay.request(Method::GET, path)).await.problem(404);
        assert!(detail.contains(route), "{path}: {detail}");
    }
    for path in ["/", "/favicon.ico", "/wp-login.php", "//"] {
        let detail = relay.send(relay.request(Method::GET, path)).await.problem(404);
        assert_eq!(detail, "there is no such route", "{path}");
    }
}

/// The payment stack reads why a record failed, as Transform does.
#[tokio::test]
async fn a_record_shows_the_error_that_it_ended_in() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.record("payment", "tx-1").await.get("error"), None);
    let mut intent = stripe::intent("pi_1", 1000);
    intent["last_payment_error"] = json!({"code": "card_declined", "decline_code": "insufficient_funds"});
    let event = stripe::event("payment_intent.payment_failed", 1_700_000_000, intent).to_string();
    let sealed = psp::seal("stripe-main", event.as_bytes());
    relay.post("stripe-main", &sealed.headers, sealed.body).await.expect(200);
    let record = relay.record("payment", "tx-1").await;
    assert_eq!((&record["status"], &record["error"]["errorCode"]), (&json!("Failed"), &json!("InsufficientBalance")));
    assert_eq!(record["error"]["pspErrorCode"], "insufficient_funds");
    assert_eq!(record["error"].get("status"), None, "the record has it: {record}");
    let told = relay.request(Method::GET, "/api/Payment/tx-1").bearer_auth(crate::support::setup::TRANSFORM_TOKEN);
    assert_eq!(relay.send(told).await.json()["receivedAt"], record["error"]["receivedAt"]);
}
