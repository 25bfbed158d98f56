//! Originals of the PSPs: the built-in profiles on bodies and signature vectors as the PSPs and their libraries publish
//! them. The originals are the work of others and no part of this project, which has fixtures of its own. This test runs
//! where a folder of originals lies beside the project, or where `ORIGINALS` names one.
//!
//! `fixtures/originals.txt` has the expected result of every original: the verdict on a vector, or what comes of a body.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};
use transform_relay::domain::message::Meaning;
use transform_relay::guide::render;
use transform_relay::psp::document::received::Received;
use transform_relay::psp::meaning::in_form::InForm;
use transform_relay::psp::meaning::normalise::normalise;
use transform_relay::psp::profile::Profile;
use transform_relay::psp::vouch::crypto::PublicKey;
use transform_relay::psp::vouch::verify::{Means, Secret, verify};
use url::Url;

use crate::fixtures;
use crate::support::contents;
use crate::support::golden::{ORIGINALS, must_be};

/// The profile that reads each folder of originals.
const PROFILES: &[(&str, &str)] = &[
    ("adyen", "adyen"),
    ("braintree", "braintree"),
    ("checkout", "checkout-com"),
    ("digitalriver", "digital-river"),
    ("gocardless", "gocardless"),
    ("klarna", "klarna"),
    ("mollie", "mollie"),
    ("nets_easy", "nets-easy"),
    ("payone", "payone"),
    ("paypal", "paypal"),
    ("plenigo", "frisbii-media"),
    ("quickpay", "quickpay"),
    ("razorpay", "razorpay"),
    ("reepay", "frisbii-pay"),
    ("square", "square"),
    ("standard-webhooks", "standard-webhooks"),
    ("stripe", "stripe"),
    ("unzer", "unzer"),
    ("vipps", "vipps-mobilepay"),
    ("worldline", "worldline"),
    ("worldpay", "worldpay"),
];

/// Objects and headers for reference, which are no notifications.
const NO_NOTIFICATIONS: [&str; 7] =
    ["/api_objects/", "/openapi/get-", "/sdk/capture.", "/sdk/payment.", "/sdk/refund.", ".headers.json", "/SOURCES"];

#[test]
fn every_original_gives_what_is_expected() {
    let Some(folder) = originals() else {
        // The test does not skip silently: the project's own fixtures prove the same, but not on the bodies of others.
        println!("no originals beside the project: nothing to see here");
        return;
    };
    let mut blocks = BTreeMap::new();
    for (name, profile) in PROFILES {
        for file in files(&folder.join(name)) {
            let path = file.strip_prefix(&folder).unwrap().display().to_string();
            if NO_NOTIFICATIONS.iter().any(|part| path.contains(part)) {
                continue;
            }
            let profile = if path.starts_with("worldpay/wpg") { "worldpay-wpg" } else { profile };
            let profile = contents::profile(profile);
            let said = if path.contains("/vectors/") { vector(profile, &file) } else { body(profile, &file) };
            blocks.insert(path, said);
        }
    }
    let blocks: Vec<_> = blocks.iter().map(|(path, said)| format!("{path}: {said}")).collect();
    must_be(&fixtures::root().join("originals.txt"), &blocks.join("\n"), ORIGINALS);
}

fn originals() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/psp/fixtures");
    Some(env::var_os("ORIGINALS").map_or(beside, PathBuf::from)).filter(|folder| folder.is_dir())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// The verdict on a signature vector, and whether it is the verdict that the vector expects.
fn vector(profile: &Profile, file: &Path) -> String {
    let vector: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let text = |key: &str| vector[key].as_str().map(str::to_owned);
    let secret = ["secret", "hmac_key_hex", "private_key", "portal_key"].iter().find_map(|key| text(key));
    let keys: BTreeMap<String, String> = ["signing_keys", "keys"]
        .iter()
        .find_map(|key| serde_json::from_value(vector[key].clone()).ok())
        .unwrap_or_default();
    let texts: Vec<(Option<String>, SecretString)> = secret
        .map(|secret| (None, secret.into()))
        .into_iter()
        .chain(keys.into_iter().map(|(id, key)| (Some(id), key.into())))
        .collect();
    let settings = BTreeMap::from([
        ("webhook-id".to_owned(), text("webhook_id").unwrap_or_default()),
        ("public-key".to_owned(), text("public_key").unwrap_or_default()),
    ]);
    let url = text("url").map(|url| Url::parse(&url).unwrap());
    let certificate = text("public_key_spki_pem").map(|pem| {
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        PublicKey(STANDARD.decode(base64).unwrap())
    });
    let body = text("body").unwrap_or_else(|| form(&vector));
    let headers: BTreeMap<String, String> = serde_json::from_value(vector["headers"].clone()).unwrap_or_default();
    let headers: Vec<(String, String)> =
        headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let at = Timestamp::from_second(vector["now_unix"].as_i64().unwrap_or_default()).unwrap();
    let means = Means {
        secrets: texts.iter().map(|(id, text)| Secret { key_id: id.as_deref(), ..text.into() }).collect(),
        settings: Some(&settings),
        public_url: url.as_ref(),
        certificate: certificate.as_ref(),
        tolerance_s: None,
        credentials: false,
    };
    let verdict = verify(profile, &means, Received { headers: &headers, body: body.as_bytes(), at });
    let expected = text("expect").unwrap();
    assert_eq!(verdict.is_ok(), expected == "valid", "{}: {verdict:?}", file.display());
    verdict.map_or_else(|reason| format!("{reason}\n"), |_| "verified\n".to_owned())
}

/// The body of a vector that gives the fields of a form.
fn form(vector: &Value) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    if let Some(key) = vector["form_key"].as_str() {
        pairs.append_pair("key", key).append_pair("txaction", "paid").append_pair("txid", "1");
    }
    for (name, value) in vector["form"].as_object().into_iter().flatten() {
        pairs.append_pair(name, value.as_str().unwrap());
    }
    pairs.finish()
}

/// The result of the first form of the profile that understands a body.
fn body(profile: &Profile, file: &Path) -> String {
    let (headers, body) = wrapped(profile, file);
    let received = Received { headers: &headers, body: &body, at: contents::RECEIPT };
    let mut first = None;
    for form in &profile.forms {
        if form.content.message(&body).is_err() {
            continue;
        }
        let read = normalise(profile, &InForm::new(form, received), false);
        let understood = !read.messages.iter().any(|message| matches!(message.meaning, Meaning::NotUnderstood(_)));
        let said = render::notification(&read);
        if understood {
            return said;
        }
        first.get_or_insert(said);
    }
    first.unwrap_or_else(|| "of no form\n".to_owned())
}

/// Some originals are only the content of a form, or a template.
fn wrapped(profile: &Profile, file: &Path) -> (Vec<(String, String)>, Vec<u8>) {
    let body = fs::read(file).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    if name.ends_with(".form.json") {
        let form_of = json!({"form": serde_json::from_slice::<Value>(&body).unwrap()});
        return (Vec::new(), form(&form_of).into_bytes());
    }
    if profile.name == "braintree" {
        let form_of = json!({"form": {"bt_signature": "", "bt_payload": STANDARD.encode(&body)}});
        return (Vec::new(), form(&form_of).into_bytes());
    }
    let headers = match profile.name.as_str() {
        "quickpay" => vec![("quickpay-resource-type".to_owned(), "Payment".to_owned())],
        _ => Vec::new(),
    };
    (headers, body)
}
