//! Hostile headers, signatures among them: without the right signature nothing is taken.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::HeaderValue;

use crate::support::setup::{INTEGRATOR_TOKEN, TRANSFORM_TOKEN};
use crate::support::{Relay, Setup, adyen, payment, psp, start, stripe};

const GENERIC: &str = "whsec_c2VjcmV0IG9mIHRoZSBnZW5lcmljIHNlbmRlcg==";

/// A source with its signature in a header: its profile, its secret, and the header's name.
const SCHEMES: [(&str, &str, &str, &str); 4] = [
    ("stripe-main", "stripe", crate::support::setup::STRIPE_SECRET, "stripe-signature"),
    ("plenigo", "frisbii-media", "plenigo-secret", "plenigo-signature"),
    ("river", "digital-river", crate::support::setup::DIGITAL_RIVER_SECRET, "digitalriver-signature"),
    ("generic", "standard-webhooks", GENERIC, "webhook-signature"),
];

async fn relay_of_all_schemes() -> (crate::support::Transform, Relay) {
    let more = format!(
        "[sources.generic]\nprofile = \"standard-webhooks\"\nsecrets = [\"{GENERIC}\"]\n\
         [sources.plenigo]\nprofile = \"frisbii-media\"\nsecrets = [\"plenigo-secret\"]\n"
    );
    start(Setup { more, ..Setup::silent() }).await
}

/// Wrong signatures, and other spellings of a right one.
fn variants(good: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    let mut bounds: Vec<usize> = (0..good.len()).step_by(5).collect();
    bounds.push(good.len());
    for at in bounds {
        let (start, end) = good.split_at(at);
        all.extend([start.to_owned(), end.to_owned(), format!("{end}{start}")]);
        for sign in
            [",", "=", ";", ":", ".", " ", "\t", "0", "z", "Z", "+", "-", "%00", "\"", "v1=", ",v1=", "t=", "\u{7f}"]
        {
            all.insert(format!("{start}{sign}{end}"));
            all.insert(format!("{start}{sign}{}", end.get(1..).unwrap_or_default()));
        }
    }
    for n in [2, 17, 100] {
        all.extend([",", " ", ";", ""].map(|between| vec![good; n].join(between)));
        all.extend([",", " ", "="].map(|sign| sign.repeat(n)));
    }
    all.extend([
        good.to_uppercase(),
        good.to_lowercase(),
        format!("\"{good}\""),
        format!("{good},{}", "v1=00,".repeat(40)),
    ]);
    all.extend(
        ["t=,v1=", "v1=", "t=1", "t=-1,v1=00", "t=99999999999999999999,v1=00", "null", "undefined"].map(str::to_owned),
    );
    all
}

/// Whether the text still holds a part that only the PSP can have made.
fn holds_mac(variant: &str, good: &str) -> bool {
    let mac = good.rsplit([',', '=', ' ']).find(|part| part.len() >= 40).unwrap();
    variant.to_lowercase().contains(&mac.to_lowercase())
}

#[tokio::test]
async fn a_signature_that_is_not_the_psps_is_refused_however_it_is_written() {
    let (_transform, relay) = relay_of_all_schemes().await;
    let body = br#"{"id":"evt_1","type":"customer.created","data":{"object":{}}}"#;
    for (source, profile, secret, header) in SCHEMES {
        let sealed = psp::seal_with(profile, secret, Timestamp::now().as_second(), body);
        let (others, own): (Vec<_>, Vec<_>) =
            sealed.headers.into_iter().partition(|(name, _)| !name.eq_ignore_ascii_case(header));
        let good = &own[0].1;
        let post = |value: &str| {
            let request = relay.request(Method::POST, &format!("/notifications/{source}")).body(body.to_vec());
            let request = others.iter().fold(request, |request, (name, value)| request.header(name, value));
            Some(request.header(header, HeaderValue::from_str(value).ok()?))
        };
        let (mac_inside, forged): (Vec<_>, Vec<_>) =
            variants(good).into_iter().partition(|variant| holds_mac(variant, good));
        assert!(mac_inside.len() > 50 && forged.len() > 100, "{source}: {} and {}", mac_inside.len(), forged.len());
        let before = relay.all_stored();
        for reply in relay.send_all(forged.iter().filter_map(|value| post(value))).await {
            // A header with a control character is no header at all.
            assert!(reply.status == 400 || reply.problem(401) == "no or wrong credentials", "{source}: {reply:?}");
        }
        assert_eq!(relay.all_stored(), before, "{source}");
        for reply in relay.send_all(mac_inside.iter().filter_map(|value| post(value))).await {
            assert!([200, 202, 400, 401].contains(&reply.status), "{source}: {reply:?}");
        }
        let reply = relay.send(post(good).unwrap()).await;
        assert!([200, 202].contains(&reply.status), "{source}: {reply:?}");
    }
    relay.still_serves().await;
}

#[tokio::test]
async fn a_signature_inside_an_item_is_refused_however_it_is_written() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("PSP1", "10")).await;
    let item = adyen::item("AUTHORISATION", "PSP1", "", 0, 1000).to_string();
    let signed: serde_json::Value = serde_json::from_slice(&psp::seal("adyen-main", item.as_bytes()).body).unwrap();
    let at = "/notificationItems/0/NotificationRequestItem/additionalData/hmacSignature";
    let good = signed.pointer(at).unwrap().as_str().unwrap().to_owned();
    let post = |value: serde_json::Value| {
        let mut body = signed.clone();
        *body.pointer_mut(at).unwrap() = value;
        relay.request(Method::POST, "/notifications/adyen-main").body(body.to_string())
    };
    let forged = variants(&good).into_iter().filter(|variant| !variant.contains(good.trim_end_matches('=')));
    let mut forged: Vec<_> = forged.map(|variant| post(variant.into())).collect();
    assert!(forged.len() > 100);
    forged.push(post(serde_json::json!([good])));
    forged.push(post(serde_json::json!({"0": good})));
    forged.push(post("ä".repeat(10_000).into()));
    forged.push(post(true.into()));
    let before = relay.all_stored();
    for reply in relay.send_all(forged).await {
        reply.problem(401);
    }
    assert_eq!(relay.all_stored(), before);
    relay.send(post(good.into())).await.expect(200);
    relay.still_serves().await;
}

/// Repeated, huge, non-text and too many headers: nothing beside a wrong signature makes it right.
#[tokio::test]
async fn strange_headers_do_not_make_a_signature_right() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let before = relay.all_stored();
    let sealed = psp::seal("stripe-main", stripe::paid("pi_1", 1_700_000_000, 1000).to_string().as_bytes());
    let good = sealed.headers[0].1.clone();
    let wrong = psp::seal("stripe-main", b"{}").headers[0].1.clone();
    let length = sealed.body.len();
    let head = format!("POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\ncontent-length: {length}\r\n");
    let post = |values: &[Vec<u8>]| {
        let lines: Vec<_> = values.iter().map(|value| [b"Stripe-Signature: ", &value[..], b"\r\n"].concat()).collect();
        relay.exchange(&[head.as_bytes(), &lines.concat(), b"connection: close\r\n\r\n", &sealed.body].concat())
    };
    let long = |length: usize| vec![format!("{wrong},v1={}", "0".repeat(length)).into_bytes()];
    let (good, wrong) = (good.into_bytes(), wrong.clone().into_bytes());
    let refused = [
        ("none", vec![]),
        ("empty", vec![Vec::new()]),
        ("wrong twice", vec![wrong.clone(); 2]),
        ("8 kB", long(9_000)),
        ("64 kB", long(70_000)),
        ("120 kB", long(120_000)),
        ("1 MB", long(1_000_000)),
        ("1500 signatures", vec![[&wrong[..], ",v1=00".repeat(1500).as_bytes()].concat()]),
        ("90 headers", vec![wrong.clone(); 90]),
        ("5000 headers", vec![wrong.clone(); 5000]),
        ("no ASCII", vec![b"t=1,v1=\xff\xfe".to_vec(), "t=1,v1=ä".into()]),
    ];
    for (what, values) in refused {
        let (statuses, answer) = post(&values);
        // A client that is hung up on while it still writes may miss the answer.
        let missed = statuses.is_empty() && values.concat().len() > 100_000;
        assert!(missed || [[400], [401], [413], [431]].iter().any(|known| statuses == known), "{what}: {answer:?}");
    }
    assert_eq!(relay.all_stored(), before);
    // Of a good header and a wrong one, either may be read. The body is the PSP's in any case.
    for values in [[good.clone(), wrong.clone()], [wrong, good.clone()], [b"\xff".to_vec(), good.clone()]] {
        let (statuses, answer) = post(&values);
        assert!(statuses == [200] || statuses == [401], "{answer:?}");
    }
    assert_eq!(post(&[good]).0, [200]);
    relay.still_serves().await;
}

#[tokio::test]
async fn strange_credentials_open_no_route() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let before = relay.all_stored();
    for (path, token) in [("/records/payment/tx-1", INTEGRATOR_TOKEN), ("/api/Payment/tx-1", TRANSFORM_TOKEN)] {
        let short = &token[..token.len() - 1];
        let values = [
            String::new(),
            "Bearer".to_owned(),
            format!("Bearer {short}"),
            format!("Bearer {token}x"),
            format!("Bearer {token},{token}"),
            format!("Bearer \"{token}\""),
            format!("Bearer {}", token.to_uppercase()),
            format!("Bearer{token}"),
            format!("Token {token}"),
            format!("Basic {token}"),
            format!("Bearer {}", "x".repeat(20_000)),
            "Basic ====".to_owned(),
            "Basic Og==".to_owned(),
            format!("Basic {}", "A".repeat(20_000)),
            format!("Bearer Bearer {token}"),
            format!("Bearer x {token}"),
        ];
        let get = |value: &HeaderValue| relay.request(Method::GET, path).header("authorization", value);
        let values = values.iter().map(|value| HeaderValue::from_str(value).unwrap());
        let no_text = [b"Bearer \xff\xff".as_slice(), "Bearer ünïcode".as_bytes()];
        let values: Vec<_> = values.chain(no_text.map(|value| HeaderValue::from_bytes(value).unwrap())).collect();
        for reply in relay.send_all(values.iter().map(get)).await {
            reply.problem(401);
        }
        for wrong in ["authorization: Bearer x", "AUTHORIZATION: Bearer", "proxy-authorization: Bearer x"] {
            let request = format!("GET {path} HTTP/1.1\r\nhost: r\r\n{wrong}\r\nx-authorization: Bearer {token}\r\n");
            let (statuses, answer) = relay.exchange(format!("{request}connection: close\r\n\r\n").as_bytes());
            assert_eq!(statuses, [401], "{answer}");
        }
    }
    assert_eq!(relay.all_stored(), before);
    relay.still_serves().await;
}
