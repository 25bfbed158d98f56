//! Transform's own bodies: the payment stack passes on what Transform has posted to it, and the relay reads what concerns it.

use serde_json::{Map, Value, json};

use crate::support::integrator::{amount, with, without};
use crate::support::planted::{self, CARD, E_MAIL, HOLDER, IBAN};
use crate::support::{Relay, Setup, agreement, payment, preauth, refund, start, stripe};

const AT: i64 = 1_700_000_000;
const SETTINGS: &str = "5f1ad3f2c8b2a41d9c0e7b31";
const OTHER_SETTINGS: &str = "5f1ad3f2c8b2a41d9c0e7b32";
const PREAUTH: &str = "20261108-636a91f61c48d9fa186166f7";
const PAYMENT: &str = "20261108-636a91f61c48d9fa186166f8";
const CAPTURE: &str = "20261109-636a91f61c48d9fa186166fa";
const REFUND: &str = "20261110-636a91f61c48d9fa186166fb";
const AGREEMENT: &str = "636a918ca2500caaf0390a15";

/// Two sources with ids by which Transform names them.
fn setup(settings: Setup) -> Setup {
    let source = |name: &str, ids: &str| {
        format!("[sources.{name}]\nprofile = \"stripe\"\nsecrets = [\"whsec_of_{name}\"]\npsp_settings_ids = [{ids}]\n")
    };
    let more =
        source("shop", &format!("\"older\", \"{SETTINGS}\"")) + &source("books", &format!("\"{OTHER_SETTINGS}\""));
    Setup { more, ..settings }
}

/// The fields that all three requests have.
fn request(id: &str, requested: &str, target: &str) -> Value {
    json!({
        "pspSettingsId": SETTINGS, "transactionId": id, "requestedAmount": amount(requested), "currency": "EUR",
        "webhookTarget": target,
        "payerData": {
            "externalCustomerId": "customer-7", "companyName": "", "firstName": HOLDER, "lastName": HOLDER, "vatId": null,
            "address": {"street": HOLDER, "houseNumber": "1", "postalCode": "10115", "city": "Berlin", "country": "DE"},
            "emailAddress": E_MAIL, "language": "de", "phoneNumber": "",
        },
    })
}

/// What Transform says of an invoice or a credit note.
fn invoice() -> Value {
    json!({
        "invoiceNumber": "R-2026-0042", "dueDate": "2026-12-01", "totalGross": amount("89.25"), "currency": "EUR",
        "lineItems": [{"description": HOLDER, "quantity": 1, "totalNet": amount("75"), "taxCategory": "Standard"}],
    })
}

fn means() -> Value {
    json!({
        "role": "CreditCard", "initialBearer": {"cardNumber": CARD, "holder": HOLDER, "iban": IBAN},
        "successReturnUrl": "https://shop.example/ok", "errorReturnUrl": "https://shop.example/error",
        "abortReturnUrl": "https://shop.example/abort", "hostUrl": null,
    })
}

fn preauth_request(target: &str) -> Value {
    let mut body = request(PREAUTH, "89.25", target);
    let more = json!({
        "paymentMeansReference": means(), "transactionInvoiceReferenceText": "", "transactionReferenceText": HOLDER,
        "orderData": {"currency": "EUR", "periods": [{"amount": amount("89.25"), "timePeriod": "Month"}]},
        "agreementId": AGREEMENT, "migrationToken": null, "isInitial": true,
    });
    body.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
    body
}

fn payment_request(target: &str) -> Value {
    let mut body = request(PAYMENT, "89.25", target);
    let more = json!({
        "preauthTransactionId": "", "paymentMeansReference": means(), "transactionReferenceText": IBAN,
        "plannedExecutionDate": "2026-12-01", "invoiceData": invoice(), "agreementId": AGREEMENT,
    });
    body.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
    body
}

fn refund_request(target: &str) -> Value {
    let body = request(REFUND, "10.50", target);
    with(with(body, "paymentTransactionId", PAYMENT), "invoiceData", invoice())
}

/// The same with all names in Pascal case, the inner ones too.
fn pascal(body: &Value) -> Value {
    match body {
        Value::Object(fields) => {
            let recased = |(name, value): (&String, &Value)| (name[..1].to_uppercase() + &name[1..], pascal(value));
            Value::Object(fields.iter().map(recased).collect::<Map<_, _>>())
        }
        Value::Array(list) => list.iter().map(pascal).collect(),
        other => other.clone(),
    }
}

/// As the PSP behind the source `shop`.
async fn shop(relay: &Relay, event: &Value) {
    let now = jiff::Timestamp::now().as_second();
    let sealed = crate::support::psp::seal_with("stripe", "whsec_of_shop", now, event.to_string().as_bytes());
    let reply = relay.post("shop", &sealed.headers, sealed.body).await.expect(200).json();
    assert_eq!(reply["outcome"], "applied");
}

/// Looks for the payer's data in all that the relay has written into its folder, but for its configuration.
fn no_payer_in_files(relay: &Relay) {
    for entry in std::fs::read_dir(relay.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.file_name().unwrap().to_string_lossy().starts_with("relay.db") {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert_eq!(planted::found_in(&text), [""; 0], "{path:?}");
        }
    }
}

/// Each of the three bodies, as Transform writes it.
async fn registers(recase: fn(&Value) -> Value) {
    let (transform, relay) = start(setup(Setup { default_target: false, ..Setup::default() })).await;
    let target = format!("http://{}/PSPWebhooks/of-this-tenant", transform.address);
    let bodies = [
        ("preauth", PREAUTH, preauth_request(&target), json!({"source": "shop", "agreementId": AGREEMENT})),
        ("payment", PAYMENT, payment_request(&target), json!({"source": "shop", "agreementId": AGREEMENT})),
        ("refund", REFUND, refund_request(&target), json!({"source": "shop", "paymentTransactionId": PAYMENT})),
    ];
    for (kind, id, body, expected) in bodies {
        let body = recase(&body);
        let stored = relay.register(kind, id, &body).await;
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&stored[name], value, "{kind} {name}");
        }
        let requested = if kind == "refund" { "10.5" } else { "89.25" };
        assert_eq!((stored["requestedAmount"].to_string(), &stored["currency"]), (requested.to_owned(), &json!("EUR")));
        assert_eq!(stored["webhookTarget"], target);
        for absent in ["preauthTransactionId", "dueDate", "bearer", "ignored", "pspSettingsId"] {
            assert_eq!(stored.get(absent), None, "{kind} {absent}");
        }
        assert_eq!(planted::found_in(&stored.to_string()), [""; 0]);
        assert_eq!(relay.put(kind, id, &body).await.expect(200).json(), stored, "said twice");
    }
    let stored = relay.all_stored();
    assert!(!stored.iter().any(|row| row.contains("customer-7") || row.contains("plannedExecution")), "{stored:?}");
    no_payer_in_files(&relay);
    // The PSP's notification finds the record by the id in its metadata, and Transform is told where it has asked for it.
    shop(&relay, &stripe::referring(stripe::paid("pi_1", AT, 8925), "transactionId", PAYMENT)).await;
    let told = transform.told("payment", PAYMENT, 1).await;
    assert_eq!(told[0].path, "/PSPWebhooks/of-this-tenant");
    let read = relay.fetched("Payment", PAYMENT).await;
    assert_eq!((&read["status"], read["payments"][0]["amount"].to_string()), (&json!("Succeeded"), "89.25".to_owned()));
    let ended = relay.terminate().await;
    assert_eq!(planted::found_in(&ended.stderr), [""; 0]);
    assert!(ended.stderr.contains(&format!("record=payment/{PAYMENT}")) && !ended.stderr.contains("customer-7"));
}

#[tokio::test]
async fn transforms_requests_register_in_camel_case() {
    registers(Value::clone).await;
}

#[tokio::test]
async fn transforms_requests_register_in_pascal_case() {
    registers(pascal).await;
}

/// The stack sends one body: Transform's, with what it knows itself.
#[tokio::test]
async fn what_the_payment_stack_knows_stands_beside_it() {
    let (transform, relay) = start(setup(Setup::default())).await;
    let target = format!("http://{}/hooks", transform.address);
    relay.register("preauth", PREAUTH, &with(preauth_request(&target), "pspTransactionId", "pi_p")).await;
    let capture = with(with(payment_request(&target), "transactionId", CAPTURE), "preauthTransactionId", PREAUTH);
    let mut capture = pascal(&capture);
    for (name, value) in [("pspTransactionId", json!("pi_p")), ("ExternalTransactionId", json!("order-7"))] {
        capture[name] = value;
    }
    capture["dueDate"] = "2026-12-03".into();
    capture["Status"] = "Pending".into();
    let stored = relay.register("payment", CAPTURE, &capture).await;
    let expected = [
        ("preauthTransactionId", PREAUTH),
        ("pspTransactionId", "pi_p"),
        ("externalTransactionId", "order-7"),
        ("dueDate", "2026-12-03T00:00:00.0000000Z"),
        ("status", "Pending"),
        ("source", "shop"),
    ];
    for (name, value) in expected {
        assert_eq!(stored[name], value, "{name}");
    }
    let failure = json!({"ErrorCode": "InsufficientBalance", "PspErrorCode": "51"});
    let declined = with(with(pascal(&payment_request(&target)), "Error", failure), "Tell", true);
    let declined = relay.register("payment", PAYMENT, &declined).await;
    assert_eq!((&declined["status"], &declined["error"]["pspErrorCode"]), (&json!("Failed"), &json!("51")));
    transform.told("payment", PAYMENT, 1).await;

    // An agreement has no body of Transform's, but Transform names the PSP's settings there as well.
    let body = with(with(agreement("pm_1"), "PspSettingsId", OTHER_SETTINGS), "payerData", planted::payer());
    let stored = relay.register("agreement", AGREEMENT, &with(body, "transactionId", PREAUTH)).await;
    assert_eq!((&stored["source"], &stored["pspAgreementId"]), (&json!("books"), &json!("pm_1")));
}

#[tokio::test]
async fn what_is_wrong_in_it_is_refused_by_name() {
    let (transform, relay) = start(setup(Setup::silent())).await;
    let target = format!("http://{}/hooks", transform.address);
    let refused = async |kind: &str, id: &str, body: &Value, field: &str, said: &[&str]| {
        let refusal = relay.put(kind, id, body).await;
        let detail = refusal.problem(422);
        assert_eq!(refusal.json()["field"], field, "{detail}");
        said.iter().for_each(|said| assert!(detail.contains(said), "{said} in {detail}"));
        assert_eq!(planted::found_in(&refusal.text), [""; 0]);
    };
    let body = payment_request(&target);
    let pay = async |body: Value, field: &str, said: &[&str]| {
        refused("payment", PAYMENT, &body, field, said).await;
        refused("payment", PAYMENT, &pascal(&body), field, said).await;
    };
    let unknown = ["\"5f1a\"", "sources.NAME.psp_settings_ids"];
    pay(with(body.clone(), "pspSettingsId", "5f1a"), "pspSettingsId", &unknown).await;
    relay.program.logged(&["request refused", "status=422", "pspSettingsId"]).await;
    pay(with(body.clone(), "pspSettingsId", CARD), "pspSettingsId", &["[card number]"]).await;
    for (wrong, said) in [(json!(""), "\"\""), (Value::Null, "null"), (json!(7), "7"), (planted::payer(), "an object")]
    {
        pay(with(body.clone(), "pspSettingsId", wrong), "pspSettingsId", &[said]).await;
    }
    pay(with(body.clone(), "transactionId", CAPTURE), "transactionId", &[CAPTURE, PAYMENT]).await;
    pay(with(body.clone(), "source", "books"), "source", &["\"books\"", "\"shop\""]).await;
    pay(with(body.clone(), "source", "stripe-main"), "source", &["\"stripe-main\"", "\"shop\""]).await;
    // The values are read as strictly as ever.
    pay(with(body.clone(), "requestedAmount", "ten"), "requestedAmount", &["\"ten\""]).await;
    pay(with(body.clone(), "requestedAmount", 0), "requestedAmount", &["more than 0"]).await;
    pay(with(body.clone(), "currency", "EURO"), "currency", &["\"EURO\""]).await;
    pay(with(body.clone(), "webhookTarget", "https://evil.example/"), "webhookTarget", &["evil.example"]).await;
    pay(with(body.clone(), "agreementId", "a b"), "agreementId", &[]).await;
    pay(with(body.clone(), "pspTransactionId", ""), "pspTransactionId", &[]).await;
    let error = with(body.clone(), "Error", json!({"status": "Failed"}));
    refused("payment", PAYMENT, &error, "error.status", &[]).await;
    pay(without(body.clone(), "currency"), "currency", &["required"]).await;
    for field in ["pspSettingsId", "transactionId", "requestedAmount", "webhookTarget", "pspTransactionId"] {
        let both = with(with(body.clone(), field, "x"), &field.to_uppercase(), "x");
        pay(both, field, &["twice"]).await;
    }
    let of_a_payment = with(preauth_request(&target), "preauthTransactionId", "tx-0");
    refused("preauth", PREAUTH, &of_a_payment, "preauthTransactionId", &["preauth"]).await;
    let of_nothing = with(refund_request(&target), "paymentTransactionId", "");
    refused("refund", REFUND, &of_nothing, "paymentTransactionId", &["required"]).await;
    assert_eq!(relay.rows().records, 0);
}

/// What Transform's bodies may, the relay's own may not.
#[tokio::test]
async fn a_body_without_psp_settings_is_as_strict_as_ever() {
    let (transform, relay) = start(setup(Setup::silent())).await;
    let target = format!("http://{}/hooks", transform.address);
    let refused = async |kind: &str, id: &str, body: Value, field: &str| {
        let refusal = relay.put(kind, id, &body).await;
        refusal.names(422, field);
        assert_eq!(refusal.json()["field"], field);
    };
    let own = without(payment_request(&target), "pspSettingsId");
    let all = own.as_object().unwrap();
    for name in ["transactionId", "payerData", "paymentMeansReference", "plannedExecutionDate", "invoiceData"] {
        assert!(all.contains_key(name));
        refused("payment", PAYMENT, with(payment("pi_1", "10"), name, "x"), name).await;
    }
    for name in ["RequestedAmount", "Currency", "WebhookTarget", "psp_settings_id"] {
        refused("payment", PAYMENT, with(payment("pi_1", "10"), name, "x"), name).await;
    }
    refused("payment", PAYMENT, with(payment("pi_1", "10"), "agreementId", ""), "agreementId").await;
    refused("preauth", PREAUTH, with(preauth("pi_1", "10"), "isInitial", true), "isInitial").await;
    refused("refund", REFUND, with(refund("re_1", PAYMENT, "10"), "payerData", json!({})), "payerData").await;
    assert_eq!(relay.rows().records, 0);
}

#[tokio::test]
async fn a_reload_gives_an_id_of_psp_settings_to_a_source() {
    let (transform, mut relay) = start(setup(Setup::silent())).await;
    let target = format!("http://{}/hooks", transform.address);
    let body = with(payment_request(&target), "pspSettingsId", "a-new-one");
    relay.put("payment", PAYMENT, &body).await.names(422, "pspSettingsId");
    relay.setup.more = relay.setup.more.replace("\"older\"", "\"a-new-one\"");
    let reload = relay.reload().await;
    assert_eq!(reload.code, Some(0), "{reload:?}");
    assert_eq!(relay.register("payment", PAYMENT, &body).await["source"], "shop");
    let gone = with(with(body, "pspSettingsId", "older"), "transactionId", CAPTURE);
    relay.put("payment", CAPTURE, &gone).await.names(422, "pspSettingsId");
}
