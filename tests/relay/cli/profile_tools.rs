//! Tools for authors of profiles: explain, skeleton, page, schema, replay.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::api::Api;
use crate::support::fixtures;
use crate::support::program::{Ended, run};
use crate::support::setup::STRIPE_SECRET;
use crate::support::{Setup, payment, pointing, psp, start};

/// The path of a body of the project's own fixtures.
fn fixture(profile: &str, name: &str) -> String {
    fixtures::body(profile, name).to_str().unwrap().to_owned()
}

async fn profile(arguments: &[&str]) -> Ended {
    run(&[&["profile"], arguments].concat(), &[]).await
}

#[track_caller]
fn says(ended: &Ended, parts: &[&str]) {
    for part in parts {
        assert!(ended.stdout.contains(part), "{part:?} in {}{}", ended.stdout, ended.stderr);
    }
}

#[tokio::test]
async fn a_wrong_signature_is_explained_without_the_secret() {
    let body = fixture("stripe", "auto-4-succeeded.json");
    let bytes = fs::read(&body).unwrap();
    let signature = psp::seal_with("stripe", STRIPE_SECRET, 1_718_445_646, &bytes).headers[0].1.clone();
    let header = format!("Stripe-Signature: {signature}");
    let common = ["test", "stripe", "--body", &body, "--header", &header, "--at", "1718445650"];
    let wrong = profile(&[&common[..], &["--secret", "whsec_another_one"]].concat()).await;
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
    says(
        &wrong,
        &[
            "refused: wrong signature",
            "header Stripe-Signature",
            "4 s before receipt, near enough (300 s are allowed)",
            "1718445646.{\\n",
            "bytes in all",
            "(64 characters)",
        ],
    );
    assert!(!wrong.stdout.contains("another_one"), "{}", wrong.stdout);
    let given = signature.split("v1=").nth(1).unwrap();
    assert!(!wrong.stdout.contains(&given[..8]), "a signature is masked: {}", wrong.stdout);

    let both = profile(&[&common[..], &["--secret", "whsec_another_one", "--secret", STRIPE_SECRET]].concat()).await;
    assert_eq!(both.code, Some(0), "{both:?}");
    says(&both, &["verified as \"event\" by secret 2", "right, by secret 2", "booked     49.9 EUR"]);
}

#[tokio::test]
async fn each_rule_of_a_type_says_why_it_does_not_read() {
    let failed = profile(&["test", "adyen", "--body", &fixture("adyen", "capture-false.json")]).await;
    assert_eq!(failed.code, Some(0), "{failed:?}");
    says(
        &failed,
        &["does not fit: /success: \"true\" is wanted, \"false\" stands there", "reads it", "status     Failed"],
    );
    let text = profile(&["show", "adyen"]).await.stdout;
    let line = failed.stdout.lines().find_map(|line| line.trim().strip_prefix("rule       line ")).unwrap();
    let line: usize = line.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(text.lines().nth(line - 1), Some("[[notification.event]]"), "the line is that of a rule");
}

/// The relay does not believe such a time either, and its log says so.
#[tokio::test]
async fn a_time_ahead_of_the_receipt_is_told() {
    let body = fixture("stripe", "auto-4-succeeded.json");
    let early = profile(&["test", "stripe", "--body", &body, "--at", "1718444000"]).await;
    assert_eq!(early.code, Some(0), "{early:?}");
    let told = "ahead      the event at 2024-06-15T10:00:46Z: more than 15 minutes ahead of the receipt; it counts as the receipt";
    says(&early, &["at         2024-06-15T09:33:20Z", told]);
    let in_time = profile(&["test", "stripe", "--body", &body, "--at", "1718445640"]).await;
    assert!(!in_time.stdout.contains("ahead"), "{}", in_time.stdout);
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_named() {
    let body = fixture("stripe", "auto-4-succeeded.json");
    let test = ["test", "stripe", "--body", &body, "--secret", "x"];
    for (more, named) in [
        (["--setting", "colour=red"], "--setting \"colour\""),
        (["--setting", "colour"], "NAME=VALUE"),
        (["--header", "nothing"], "--header"),
        (["--fetched", "/nowhere.json"], "/nowhere.json"),
        (["--at", "99999999999999999"], "--at"),
        (["--url", "nowhere"], "--url"),
    ] {
        let ended = profile(&[&test[..], &more].concat()).await;
        assert_eq!(ended.code, Some(64), "{ended:?}");
        assert!(ended.stderr.contains(named), "{named} in {}", ended.stderr);
    }
}

/// Nobody signs classic notifications of Mollie's: each one only points to a payment.
#[tokio::test]
async fn a_pointer_that_nobody_signs_is_explained() {
    let body = fixture("mollie", "classic-payment.form");
    for more in [&[][..], &["--secret", "x"]] {
        let test = profile(&[&["test", "mollie", "--body", &body], more].concat()).await;
        assert_eq!(test.code, Some(0), "{test:?}");
        let read = "not verified: nobody signs it; read as \"classic\"\nmessage 1";
        says(&test, &[read, "call       1 is made", "to fetch   GET /v2/payments/tr_"]);
        assert!(!test.stdout.contains("signature"), "signatures of the other form say nothing here: {}", test.stdout);
    }
    let response = tempfile::NamedTempFile::new().unwrap();
    let fetched = fs::read_to_string(fixtures::file("mollie", "fetched/paid.json")).unwrap();
    let fetched: serde_json::Value = serde_json::from_str(&fetched).unwrap();
    fs::write(response.path(), fetched["answer"].to_string()).unwrap();
    let test = profile(&["test", "mollie", "--body", &body, "--fetched", response.path().to_str().unwrap()]).await;
    assert_eq!(test.code, Some(0), "{test:?}");
    says(&test, &["fetched    payment paid", "status     Succeeded"]);
}

/// PayPal signs with the key of a certificate that it gives out at a URL. This command fetches nothing.
#[tokio::test]
async fn a_signature_by_a_certificate_is_checked_if_that_is_given() {
    let issued = rcgen::generate_simple_self_signed(["messageverificationcerts.paypal.com".to_owned()]).unwrap();
    let pem = tempfile::NamedTempFile::new().unwrap();
    fs::write(pem.path(), issued.cert.pem()).unwrap();
    let body = fixture("paypal", "payment.capture.completed-v2.json");
    let common = ["test", "paypal", "--body", &body, "--setting", "webhook-id=WH-1"];
    let without = profile(&common).await;
    assert_eq!(without.code, Some(0), "{without:?}");
    let skipped = "not verified: the signature is not checked without the PSP's certificate (--certificate); read as";
    says(&without, &[skipped, "status     Succeeded", "verdict    no certificate of the PSP's"]);
    let with = profile(&[&common[..], &["--certificate", pem.path().to_str().unwrap()]].concat()).await;
    assert_eq!(with.code, Some(1), "{with:?}");
    says(&with, &["refused: no signature", "verdict    no signature"]);
    let none = profile(&[&common[..], &["--certificate", &body]].concat()).await;
    assert_eq!(none.code, Some(64), "{none:?}");
    assert!(none.stderr.contains("--certificate") && none.stderr.contains("holds no certificate in PEM"), "{none:?}");
}

/// One id in ten has the check digit of a card number.
#[tokio::test]
async fn an_id_is_shown_although_it_could_be_a_card_number() {
    let folder = tempfile::tempdir().unwrap();
    let body = folder.path().join("captured.json");
    let captured = json!({
        "msn": "200300", "reference": "8835511210681144", "pspReference": "7735500123400919", "name": "CAPTURED",
        "amount": {"currency": "NOK", "value": 100}, "timestamp": "2026-03-01T10:00:00Z", "success": true,
    });
    fs::write(&body, captured.to_string()).unwrap();
    let test = profile(&["test", "vipps-mobilepay", "--body", body.to_str().unwrap()]).await;
    assert_eq!(test.code, Some(0), "{test:?}");
    says(&test, &["id \"7735500123400919\"", "original id \"8835511210681144\"", "item \"7735500123400919\""]);
    assert!(!test.stdout.contains("[card number]"), "{}", test.stdout);
}

#[tokio::test]
async fn a_skeleton_is_a_profile_from_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("my-psp.toml");
    let (output, dir) = (output.to_str().unwrap(), folder.path().to_str().unwrap());
    let sample = fixture("stripe", "auto-4-succeeded.json");
    let new = ["new", "my-psp", "--from", &sample, "--header", "X-Sign: sha256=00", "--output", output];
    let written = profile(&new).await;
    assert_eq!(written.code, Some(0), "{written:?}");
    assert!(fs::read_to_string(output).unwrap().starts_with("#:schema "));
    let tested = profile(&["test", "my-psp", "--dir", dir, "--body", &sample]).await;
    assert_eq!(tested.code, Some(0), "{tested:?}");
    says(&tested, &["payment_intent.succeeded", "status     Pending"]);
    let again = profile(&new).await;
    assert_eq!(again.code, Some(64), "nothing is written over: {again:?}");
    let bad = profile(&["new", "My PSP", "--from", &sample]).await;
    assert_eq!(bad.code, Some(64));
    assert!(bad.stderr.contains("lower case"), "{bad:?}");
}

#[tokio::test]
async fn pages_and_the_schema_are_printed() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for (arguments, file) in [(&["page", "stripe"][..], "psp/stripe.md"), (&["schema"], "profile.schema.json")] {
        let printed = profile(arguments).await;
        assert_eq!(printed.code, Some(0), "{printed:?}");
        assert_eq!(printed.stdout.trim_end(), fs::read_to_string(docs.join(file)).unwrap().trim_end());
    }
}

/// All files of a folder, with their contents.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())).collect()
}

const PAYMENT: &str = "20240615-666d65e0000000000000a001";

#[tokio::test]
async fn a_changed_profile_says_which_records_would_differ() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", PAYMENT, &json!({"requestedAmount": 49.9, "currency": "EUR"})).await;
    relay.register("payment", "untouched", &json!({"requestedAmount": 1, "currency": "EUR"})).await;
    for name in ["auto-4-succeeded", "ignored-customer-created"] {
        let body = fs::read(fixture("stripe", &format!("{name}.json"))).unwrap();
        let sealed = psp::seal("stripe-main", &body);
        relay.post("stripe-main", &sealed.headers, sealed.body).await.expect(200);
    }
    let store = relay.file("relay.db");
    let store = store.to_str().unwrap();
    let same = ["replay", "stripe", "--store", store];

    // A replay while the relay runs.
    let equal = profile(&same).await;
    assert_eq!(equal.code, Some(0), "{equal:?}");
    says(
        &equal,
        &["2 notifications of stripe-main read again: 1 ignored, 0 not", "1 records compared: 0 would differ"],
    );

    // The changed profile reads amounts in another unit.
    let changed = tempfile::tempdir().unwrap();
    let text = profile(&["show", "stripe"]).await.stdout.replace("amounts = \"minor\"", "amounts = \"major\"");
    fs::write(changed.path().join("stripe.toml"), &text).unwrap();
    let differs = [&same[..], &["--dir", changed.path().to_str().unwrap()]].concat();
    let differing = profile(&differs).await;
    assert_eq!(differing.code, Some(1), "{differing:?}");
    says(
        &differing,
        &[PAYMENT, "payments[\"pi_RelayAuto\"].amount: 49.9 -> 4990", "1 records compared: 1 would differ"],
    );
    let later = profile(&[&differs[..], &["--since", "2100-01-01T00:00:00Z"]].concat()).await;
    assert_eq!(later.code, Some(0), "{later:?}");
    says(&later, &["0 notifications", "0 records compared: 0 would differ; 1 only partly covered"]);

    // While the relay is stopped nothing is written, not even beside the store.
    relay.terminate().await;
    let before = contents(relay.folder.path());
    assert_eq!(profile(&differs).await.code, Some(1));
    assert_eq!(contents(relay.folder.path()), before);

    // A deleted notification is no difference.
    let applied: Vec<_> = relay.notifications().into_iter().filter(|kept| kept.outcome == "applied").collect();
    relay.forget(&applied);
    let pruned = profile(&differs).await;
    assert_eq!(pruned.code, Some(0), "{pruned:?}");
    says(&pruned, &["0 records compared: 0 would differ; 1 only partly covered"]);
}

#[tokio::test]
async fn what_a_rule_no_longer_understands_is_told() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", PAYMENT, &json!({"requestedAmount": 49.9, "currency": "EUR"})).await;
    let body = fs::read(fixture("stripe", "auto-4-succeeded.json")).unwrap();
    for source in ["stripe-main", "stripe-two"] {
        let sealed = psp::seal(source, &body);
        relay.post(source, &sealed.headers, sealed.body).await.expect(200);
    }
    let folder = tempfile::tempdir().unwrap();
    let text =
        profile(&["show", "stripe"]).await.stdout.replace("/data/object/amount_received", "/data/object/nowhere");
    fs::write(folder.path().join("stripe.toml"), &text).unwrap();
    let (store, dir) = (relay.file("relay.db"), folder.path().to_str().unwrap());
    let replay = ["replay", "stripe", "--store", store.to_str().unwrap(), "--dir", dir];
    let which = profile(&replay).await;
    assert_eq!(which.code, Some(64), "{which:?}");
    assert!(which.stderr.contains("stripe-main, stripe-two"), "{which:?}");
    let told = profile(&[&replay[..], &["--source", "stripe-main"]].concat()).await;
    assert_eq!(told.code, Some(1), "{told:?}");
    says(
        &told,
        &[
            "applied -> dead_letter",
            "amount at /data/object/nowhere",
            "status: Succeeded -> Initiated",
            "1 with another",
        ],
    );
    let other = profile(&[&replay[..], &["--source", "nobody"]].concat()).await;
    assert_eq!(other.code, Some(64), "{other:?}");

    // The configuration names the sources of the profile.
    let config = relay.file("relay.toml");
    let arguments = ["profile", "replay", "stripe", "--config", config.to_str().unwrap()];
    let configured = run(&arguments, &relay.setup.environment()).await;
    assert_eq!(configured.code, Some(0), "{configured:?}");
    says(&configured, &["2 notifications of stripe-main, stripe-two"]);
}

/// The fetched object is kept with the notification, and read again with it.
#[tokio::test]
async fn what_was_fetched_is_read_again_too() {
    let api = Api::start();
    let (transform, relay) = start(pointing::setup(&api, "")).await;
    relay.register("payment", "tx-1", &payment("tr_1", "10")).await;
    pointing::has_paid(&api, "tr_1", "10.00");
    let answered = relay.point(pointing::SOURCE, "tr_1", 1).await.expect(200);
    relay.came_to(&answered, "applied").await;
    transform.told("payment", "tx-1", 1).await;
    let store = relay.file("relay.db");
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/relay/profiles");
    let replay = ["replay", "pointing", "--store", store.to_str().unwrap(), "--dir"];
    let equal = profile(&[&replay[..], &[built_in.to_str().unwrap()]].concat()).await;
    assert_eq!(equal.code, Some(0), "{equal:?}");
    says(&equal, &["1 notifications of pointing", "1 records compared: 0 would differ; 0 only partly"]);
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(built_in.join("pointing.toml")).unwrap();
    fs::write(folder.path().join("pointing.toml"), text.replace("paid = \"Succeeded\"", "paid = \"Pending\"")).unwrap();
    let differs = profile(&[&replay[..], &[folder.path().to_str().unwrap()]].concat()).await;
    assert_eq!(differs.code, Some(1), "{differs:?}");
    says(&differs, &["payment tx-1", "status: Succeeded -> Pending", "-> nothing"]);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.db");
    let ended = profile(&["replay", "stripe", "--store", missing.to_str().unwrap()]).await;
    assert_eq!(ended.code, Some(74), "{ended:?}");
    assert!(ended.stderr.contains("none.db"), "{ended:?}");
    assert!(!missing.exists());
    let since = profile(&["replay", "stripe", "--store", missing.to_str().unwrap(), "--since", "yesterday"]).await;
    assert!(since.code == Some(64) && since.stderr.contains("--since"), "{since:?}");
}
