//! Leaks of secrets and of the payer's data into output and log. The output of every process of the suite is searched
//! for them (see `support::program`); here are the likeliest ways to leak.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::integrator::{amount, with};
use crate::support::planted::{self, CARD, CARD_GROUPED, E_MAIL, HOLDER, IBAN, IBAN_GROUPED};
use crate::support::setup::{ADYEN_SECRET, INTEGRATOR_PASSWORD, INTEGRATOR_TOKEN, SECRETS, TRANSFORM_PASSWORD};
use crate::support::{Answer, Relay, Setup, adyen, payment, psp, start, stripe};

const AT: i64 = 1_700_000_000;

/// The payer's data that is recognised anywhere in a text; a name is not.
const ANYWHERE: [&str; 5] = [CARD, CARD_GROUPED, IBAN, IBAN_GROUPED, E_MAIL];

/// A plenigo callback with the customer's data in this field.
fn callback(field: &str, value: Value) -> Value {
    let mut callback = json!({
        "entityType": "TRANSACTION", "callbackType": "CREATION", "entityId": "700100",
        "entity": {
            "transactionId": "700100", "changedDate": "2026-03-02T09:00:00Z", "currency": "EUR", "amount": 12.9,
            "paymentAction": "PAYPAL_PAYMENT", "paymentStatus": "SUCCESS",
            "customer": {"email": E_MAIL, "firstName": HOLDER, "lastName": HOLDER, "iban": IBAN, "card": CARD},
        },
    });
    if let Some(entity) = callback["entity"].as_object_mut() {
        entity.insert(field.to_owned(), value);
    }
    callback
}

/// The search finds the planted texts, also in capitals and encoded for an Authorization header.
#[test]
fn what_is_planted_is_found() {
    let text = format!("fine\nBearer {INTEGRATOR_TOKEN}\nfine\n{} of {HOLDER}", IBAN.to_lowercase());
    assert_eq!(planted::found_in(&text), ["line 2: INTEGRATOR_TOKEN", "line 4: the IBAN", "line 4: the holder's name"]);
    let basic = psp::media_extras().into_iter().find(|(name, _)| name == "Authorization").unwrap().1;
    assert_eq!(planted::found_in(&basic), ["line 1: the basic credentials of the source media"]);
}

/// Every logged failure, with the payer's data in it.
async fn everything_goes_wrong(relay: &Relay) {
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    for text in ANYWHERE {
        // Values that the relay does not understand, and quotes.
        for (field, value) in [("amount_received", json!(text)), ("currency", json!(text)), ("created", json!(text))] {
            let mut event = stripe::paid("pi_1", AT, 1000);
            let at = if field == "created" { &mut event } else { &mut event["data"]["object"] };
            at[field] = value;
            assert_eq!(relay.stripe(&event).await, "dead_letter", "{field}");
        }
        let refund = stripe::refund("re_1", AT, 100, text);
        relay.notify("stripe-main", &refund).await.expect(200);
        relay.notify("stripe-main", &stripe::event(text, AT, json!({"id": text}))).await.expect(200);
        relay.notify("stripe-main", &stripe::event(&format!("{text} ").repeat(20), AT, json!({}))).await.expect(200);
        for field in ["eventDate", "eventCode", "reason", "paymentMethod", "originalReference"] {
            let item = adyen::with(adyen::item("AUTHORISATION", "PSP1", "", 0, 1000), field, text);
            relay.notify("adyen-main", &item).await.expect(200);
        }
        for field in ["changedDate", "currency", "amount", "paymentStatus", "paymentAction", "transactionId"] {
            relay.notify("media", &callback(field, text.into())).await.expect(200);
        }
        // Texts of the integrator.
        let path = format!("/records/payment/{}", text.replace(' ', "%20"));
        relay.send(relay.request(Method::PUT, &path).basic_auth("payment-stack", Some(INTEGRATOR_PASSWORD))).await;
        let encoded = text.replace(' ', "%20").replace('@', "%40");
        relay.send(relay.request(Method::GET, &format!("/api/transactions/{encoded}?type=2"))).await;
        for field in ["source", "currency", "requestedAmount", "expiresAt", "webhookTarget", "colour", text] {
            relay.put("payment", "tx-1", &with(payment("pi_1", "10"), field, text)).await.problem(422);
        }
        relay.put("payment", "tx-1", &with(payment("pi_1", "10"), "bearer", json!({text: text}))).await.expect(200);
    }
    for digits in [CARD, "-4111111111111111", "4111111111111111.5", "4111111111111111e1"] {
        for at in ["amount", "amount_received"] {
            let mut event = stripe::paid("pi_1", AT, 1000);
            event["data"]["object"][at] = amount(digits);
            relay.notify("stripe-main", &event).await.expect(200);
        }
        relay.notify("media", &callback("amount", amount(digits))).await.expect(200);
        relay
            .put("payment", "tx-1", &with(payment("pi_1", "10"), "requestedAmount", amount(digits)))
            .await
            .problem(422);
    }
    let mut declined = stripe::declined("pi_1", AT + 1, 1000, HOLDER);
    declined["data"]["object"]["last_payment_error"]["message"] = format!("{HOLDER} {CARD} {IBAN} {E_MAIL}").into();
    relay.stripe(&declined).await;
    everybody_is_turned_away(relay).await;
    everybody_asks(relay).await;
}

/// Wrong credentials are secrets, too: they may be right ones with a slip, or belong elsewhere.
async fn everybody_is_turned_away(relay: &Relay) {
    for source in ["media", "stripe-main", "adyen-main", "river"] {
        // Adyen's other form takes any body.
        let sealed = match source {
            "adyen-main" => {
                psp::seal_form("adyen", Some("token"), ADYEN_SECRET, 0, planted::payer().to_string().as_bytes())
            }
            _ => psp::seal(source, planted::payer().to_string().as_bytes()),
        };
        relay.post(source, &sealed.headers, format!("[{}]", planted::payer())).await;
        relay.post(source, &[], planted::payer().to_string()).await;
        for (_, secret) in SECRETS {
            let headers = ["authorization", "stripe-signature", "plenigo-signature", "digitalriver-signature"];
            let headers = headers.map(|name| (name.to_owned(), format!("Bearer {secret},v1={secret},t={secret}")));
            relay.post(source, &headers, sealed.body.clone()).await;
            relay.post(&format!("{source}?key={secret}"), &[], sealed.body.clone()).await;
        }
    }
    for (_, secret) in SECRETS {
        relay.send(relay.request(Method::POST, &format!("/notification/stripe-main/{secret}"))).await;
        for path in ["/records/payment/tx-1", "/api/Payment/tx-1", "/nowhere", "/api/transactions/x?type=2"] {
            relay.send(relay.request(Method::GET, path).bearer_auth(format!("not-{secret}"))).await;
            relay
                .send(relay.request(Method::GET, &format!("{path}?token={secret}")).basic_auth(secret, Some(secret)))
                .await;
        }
    }
}

async fn everybody_asks(relay: &Relay) {
    relay.fetch("Payment", "tx-1").await;
    let basic = relay.request(Method::GET, "/api/Payment/tx-1").basic_auth("transform", Some(TRANSFORM_PASSWORD));
    relay.send(basic).await;
    relay.record("payment", "tx-1").await;
    relay.get("/readyz").await.expect(200);
}

#[tokio::test]
async fn nothing_that_the_relay_logs_is_a_secret_or_the_payers() {
    let (transform, relay) = start(Setup { retry_first: "1ms", give_up_after: "0s", ..Setup::default() }).await;
    transform.script([Answer::status(500), Answer::Close]);
    everything_goes_wrong(&relay).await;
    relay.program.logged(&["gave up telling Transform"]).await;
    relay.stripe(&stripe::paid("pi_1", AT + 10, 1200)).await;
    relay.program.logged(&["told Transform"]).await;
    let ended = relay.terminate().await;
    assert!(ended.stderr.contains("DEBUG") && ended.stderr.contains("[card number]"), "{}", ended.stderr);
    // The reason of a dead letter in the store is the text in the log.
    let reasons: Vec<_> = relay.notifications().into_iter().map(|kept| kept.reason).collect();
    assert_eq!(planted::found_in(&reasons.join("\n")), [""; 0]);
}

/// The operator looks for a mistake and turns every log on, the libraries' too.
#[tokio::test]
async fn nothing_that_the_libraries_log_is_a_secret_or_the_payers() {
    let mut setup = Setup { retry_first: "1ms", give_up_after: "0s", ..Setup::default() };
    setup.environment.push(("RUST_LOG".to_owned(), "trace".to_owned()));
    let (transform, relay) = start(setup).await;
    transform.script([Answer::status(500), Answer::Close]);
    let target = format!("http://{}/hooks?token=secret-of-transforms", transform.address);
    relay.register("payment", "tx-2", &with(payment("pi_2", "10"), "webhookTarget", target)).await;
    relay.stripe(&stripe::paid("pi_2", AT, 1000)).await;
    relay.program.logged(&["gave up telling Transform"]).await;
    everything_goes_wrong(&relay).await;
    relay.program.logged(&["told Transform"]).await;
    let ended = relay.terminate().await;
    assert!(ended.stderr.contains("TRACE"), "{}", ended.stderr);
    let line = ended.stderr.lines().position(|line| line.contains("secret-of-transforms"));
    assert_eq!(line, None, "the token in a webhook's target is printed");
}
