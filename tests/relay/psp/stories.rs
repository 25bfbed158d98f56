//! Stories of the PSPs: the fixtures of their profiles through the running relay, and the resulting records.

use std::fs;

use serde_json::{Value, json};
use transform_relay::domain::ids::TransformId;
use transform_relay::psp::profile::catalogue::Catalogue;
use transform_relay::psp::vouch::sign::{Signed, sign};
use transform_relay::psp::vouch::verify::Means;
use url::Url;

use crate::support::fixtures;
use crate::support::integrator::amount;
use crate::support::{Relay, Reply, Setup, start};

const SECRET: &str = "psps-secret-4c1d";

/// A PSP that authorizes first and captures afterwards: its fixtures of both, and the resulting amounts.
struct Psp {
    profile: &'static str,
    authorized: &'static [&'static str],
    captured: &'static [&'static str],
    total: &'static str,
    currency: &'static str,
}

const PSPS: [Psp; 10] = [
    Psp {
        profile: "checkout-com",
        authorized: &["payment_approved.json"],
        captured: &["payment_capture_pending.json", "payment_captured.json"],
        total: "89.25",
        currency: "EUR",
    },
    Psp {
        profile: "nets-easy",
        authorized: &[
            "payment.created.json",
            "payment.reservation.created.json",
            "payment.reservation.created.v2-with-the-same-id.json",
            "payment.checkout.completed.json",
        ],
        captured: &["payment.charge.created.json", "payment.charge.created.v2.json"],
        total: "89.25",
        currency: "DKK",
    },
    Psp {
        profile: "payone",
        authorized: &["appointed-pending.form", "appointed-completed.form"],
        captured: &["capture.form", "paid.form"],
        total: "89.25",
        currency: "EUR",
    },
    Psp {
        profile: "quickpay",
        authorized: &["authorize-pending.json", "authorize-approved.json", "authorize-rejected-after-approved.json"],
        captured: &["capture-approved.json", "capture-rejected-after-approved.json"],
        total: "89.25",
        currency: "DKK",
    },
    Psp {
        profile: "razorpay",
        authorized: &["payment.authorized-captured-since.json", "payment.failed-insufficient-funds.json"],
        captured: &["payment.captured.json"],
        total: "8925",
        currency: "INR",
    },
    Psp {
        profile: "vipps-mobilepay",
        authorized: &["CREATED.json", "AUTHORIZED.json"],
        captured: &["CAPTURED.json"],
        total: "350",
        currency: "NOK",
    },
    Psp {
        profile: "square",
        authorized: &["payment.created-approved.json"],
        captured: &["payment.updated-completed.json", "payment.updated-completed-refunded-later.json"],
        total: "49.9",
        currency: "EUR",
    },
    Psp {
        profile: "stripe",
        authorized: &[
            "manual-1-created.json",
            "manual-2-requires-action.json",
            "manual-4-charge-authorised.json",
            "manual-5-amount-capturable.json",
        ],
        captured: &["manual-6-charge-captured.json", "manual-7-succeeded.json"],
        total: "100",
        currency: "EUR",
    },
    Psp {
        profile: "worldline",
        authorized: &["payment.created.json", "payment.pending_approval-authorized.json"],
        captured: &["payment.captured.json", "payment.paid.json"],
        total: "89.25",
        currency: "EUR",
    },
    Psp {
        profile: "worldpay",
        authorized: &["sentForAuthorization.json", "authorized.json"],
        captured: &["sentForSettlement.json"],
        total: "89.25",
        currency: "EUR",
    },
];

/// A source for each of these PSPs, by the profile's name.
fn setup() -> Setup {
    let sources = PSPS.map(|psp| {
        let name = psp.profile;
        let url = public_url(name);
        format!("[sources.{name}]\nprofile = \"{name}\"\nsecrets = [\"{SECRET}\"]\npublic_url = \"{url}\"\n")
    });
    Setup { more: sources.join("\n"), ..Setup::silent() }
}

fn public_url(source: &str) -> Url {
    Url::parse(&format!("https://relay.example.com/notifications/{source}")).unwrap()
}

/// A fixture as its PSP would send it, about one record: any Transform id in it becomes `tx-1`.
fn sealed(profile: &str, fixture: &str) -> Signed {
    let file = fixtures::body(profile, fixture);
    let text = fs::read_to_string(&file).unwrap();
    let of_an_id = |c: char| c.is_ascii_hexdigit() || c == '-';
    let words = text
        .split(|c| !of_an_id(c))
        .filter(|word| word.parse::<TransformId>().is_ok_and(|id| id.has_transforms_form()));
    let body = words.fold(text.clone(), |body, id| body.replace(id, "tx-1"));
    seal(profile, fixtures::headers(&file), &body)
}

fn seal(profile: &str, headers: Vec<(String, String)>, body: &str) -> Signed {
    let entry = Catalogue::built_in().unwrap().get(profile).unwrap().clone();
    let (secret, url) = (SECRET.to_owned().into(), public_url(profile));
    let means = Means { public_url: Some(&url), ..Means::secret(&secret) };
    let now = jiff::Timestamp::now().as_second();
    let mut signed = sign(&entry.profile, None, &means, now, "Mon, 02 Mar 2026 09:20:47 GMT", body.as_bytes()).unwrap();
    signed.headers.extend(headers);
    if profile == "payone" {
        signed.headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
    }
    signed
}

async fn post(relay: &Relay, profile: &str, fixture: &str) -> Reply {
    let sealed = sealed(profile, fixture);
    relay.post(profile, &sealed.headers, sealed.body).await.expect(200)
}

async fn tell(relay: &Relay, psp: &Psp, fixtures: &[&str]) {
    for fixture in fixtures {
        post(relay, psp.profile, fixture).await;
    }
}

fn registration(psp: &Psp) -> Value {
    json!({"requestedAmount": amount(psp.total), "currency": psp.currency})
}

fn paid(record: &Value) -> Vec<String> {
    record["payments"].as_array().into_iter().flatten().map(|item| item["amount"].to_string()).collect()
}

/// A payment that is only authorized has received nothing, whatever the PSP calls it. A captured payment has received
/// its money once.
#[tokio::test]
async fn an_authorization_is_no_money() {
    for psp in &PSPS {
        let (_transform, relay) = start(setup()).await;
        relay.register("payment", "tx-1", &registration(psp)).await;
        tell(&relay, psp, psp.authorized).await;
        let authorized = relay.fetched("Payment", "tx-1").await;
        assert_eq!((&authorized["status"], paid(&authorized)), (&json!("Pending"), vec![]), "{}", psp.profile);
        tell(&relay, psp, psp.captured).await;
        let captured = relay.fetched("Payment", "tx-1").await;
        let all = vec![psp.total.to_owned()];
        assert_eq!((&captured["status"], paid(&captured)), (&json!("Succeeded"), all), "{}", psp.profile);
    }
}

/// The same events in reverse order. An event without the merchant's reference waits until the payment's id is known.
#[tokio::test]
async fn money_that_is_told_before_its_authorization_stands() {
    for psp in PSPS.iter().filter(|psp| psp.profile != "payone") {
        let (_transform, relay) = start(setup()).await;
        relay.register("payment", "tx-1", &registration(psp)).await;
        let mut backwards = [psp.authorized, psp.captured].concat();
        backwards.reverse();
        tell(&relay, psp, &backwards).await;
        let record = relay.fetched("Payment", "tx-1").await;
        let all = vec![psp.total.to_owned()];
        assert_eq!((&record["status"], paid(&record)), (&json!("Succeeded"), all), "{}", psp.profile);
        assert_eq!(relay.rows().parked, 0, "{}", psp.profile);
    }
}

/// A preauthorization stands once it is authorized. A failed attempt beside it takes nothing back. (Stripe's fixtures
/// capture less than was authorized.)
#[tokio::test]
async fn an_authorization_stands() {
    for psp in PSPS.iter().filter(|psp| psp.profile != "stripe") {
        let (_transform, relay) = start(setup()).await;
        relay.register("preauth", "tx-1", &registration(psp)).await;
        tell(&relay, psp, psp.authorized).await;
        let record = relay.fetched("Preauth", "tx-1").await;
        let found = (&record["status"], record["authorizedAmount"].to_string());
        assert_eq!(found, (&json!("Succeeded"), psp.total.to_owned()), "{}", psp.profile);
    }
}

/// PAYONE waits for exactly these four characters, even for an unknown transaction.
#[tokio::test]
async fn payone_hears_tsok() {
    let (_transform, relay) = start(setup()).await;
    for fixture in ["paid.form", "paid.form", "failed-later-step-dead-letter.form", "ignored-unknown-type.form"] {
        assert_eq!(post(&relay, "payone", fixture).await.text, "TSOK", "{fixture}");
    }
    let stranger = fs::read(fixtures::body("payone", "paid.form")).unwrap();
    let form = [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    relay.post("payone", &form, stranger).await.expect(401);
}

/// PAYONE states the balance of an account: here a bank takes the money back, and the customer pays again.
#[tokio::test]
async fn payone_money_goes_back_and_comes_again() {
    let (_transform, relay) = start(setup()).await;
    relay.register("payment", "tx-1", &registration(&PSPS[2])).await;
    post(&relay, "payone", "paid.form").await;
    post(&relay, "payone", "cancelation.form").await;
    let record = relay.fetched("Payment", "tx-1").await;
    assert_eq!(record["chargebacks"][0]["amount"].to_string(), "89.25");
    let again = sealed("payone", "paid.form");
    let again = String::from_utf8(again.body).unwrap().replace("sequencenumber=1", "sequencenumber=3");
    let again = seal("payone", Vec::new(), &again);
    relay.post("payone", &again.headers, again.body).await.expect(200);
    let record = relay.fetched("Payment", "tx-1").await;
    assert_eq!((&record["chargebacks"], paid(&record)), (&json!([]), vec!["89.25".to_owned()]));
}

/// Klarna names the amount when a dispute is opened, and only the outcome when it is closed; the order may vary.
#[tokio::test]
async fn klarna_names_what_is_disputed_once() {
    for fixtures in [["dispute-initiated.json", "dispute-lost.json"], ["dispute-lost.json", "dispute-initiated.json"]] {
        let more = format!("[sources.klarna]\nprofile = \"klarna\"\nsecrets = [\"{SECRET}\"]\n");
        let (_transform, relay) = start(Setup { more, ..Setup::silent() }).await;
        let known = json!({"requestedAmount": amount("200"), "currency": "EUR", "status": "Succeeded"});
        relay.register("payment", "tx-1", &known).await;
        for fixture in fixtures {
            post(&relay, "klarna", fixture).await;
        }
        let record = relay.fetched("Payment", "tx-1").await;
        let chargeback = &record["chargebacks"][0];
        assert_eq!(
            (chargeback["amount"].to_string(), &chargeback["reason"]),
            ("125.5".to_owned(), &json!("UserInitiated"))
        );
        assert_eq!(record["refundableAmount"].to_string(), "74.5");
    }
}
