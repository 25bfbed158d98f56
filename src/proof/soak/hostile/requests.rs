//! Attack: malformed, smuggled and forged requests, and guesses at credentials.

use std::time::Duration;

use super::super::lives::Chance;
use super::stranger::Stranger;
use super::wire;

/// The request hidden in a body or behind it. It asks for the one path that strangers may read, so an answer to it is 200.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: relay\r\n\r\n";
/// The longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sends requests that a proxy and the relay might read differently, and bytes that are not HTTP. None of them may have an
/// effect, so none may be answered below 400.
pub(super) async fn smuggle(stranger: &Stranger, mut chance: Chance) {
    let Some(address) = stranger.address() else { return };
    let bytes = shape(&mut chance);
    let Some(answer) = wire::exchange(address, &bytes, PATIENCE).await else { return };
    if let Some(status) = wire::statuses(&answer).into_iter().find(|status| *status < 400) {
        let shown: String = String::from_utf8_lossy(&bytes).chars().take(300).collect();
        stranger.violated(format!("a malformed request is answered {status}: {shown:?}"));
    }
}

/// The fixed shapes: the headers that tell a body's length, and the body.
const SHAPES: [(&str, &str); 14] = [
    ("Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    ("Content-Length: 0\r\nContent-Length: 44", ""),
    ("Content-Length: 0, 44", ""),
    ("Content-Length: +0", ""),
    ("Content-Length: 0x10", ""),
    ("Content-Length: 18446744073709551616", ""),
    ("Content-Length: -1", ""),
    ("Transfer-Encoding: xchunked", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n"),
    ("Transfer-Encoding: chunked", "ffffffffffffffff1\r\n"),
    ("Transfer-Encoding: chunked", "-1\r\n"),
    ("Transfer-Encoding : chunked", "0\r\n\r\n"),
    ("X: a\r\n Content-Length: 0", ""),
];

fn shape(chance: &mut Chance) -> Vec<u8> {
    match chance.within(0, 9) {
        // The hidden request is the body itself: it must be read as a body.
        0 => format!("{}Content-Length: {}\r\n\r\n{HIDDEN}", head(), HIDDEN.len()).into_bytes(),
        1 => chance.hex(4_000).into_bytes(),
        2 => format!("GET /{} HTTP/1.1\r\nHost: relay\r\n\r\n", "a".repeat(200_000)).into_bytes(),
        3 => format!("GET /x HTTP/1.1\r\nHost: relay\r\n{}\r\n", "A: b\r\n".repeat(20_000)).into_bytes(),
        4 => format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{}", chance.hex(200)).into_bytes(),
        _ => {
            let place = usize::try_from(chance.within(0, 13)).unwrap_or_default();
            let (length, body) = SHAPES.get(place).copied().unwrap_or_default();
            format!("{}{length}\r\n\r\n{body}{}", head(), if body.is_empty() { "" } else { HIDDEN }).into_bytes()
        }
    }
}

fn head() -> &'static str {
    "POST /notifications/stripe-main HTTP/1.1\r\nHost: relay\r\nContent-Type: application/json\r\n"
}

const METHODS: [&str; 8] = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"];
const PATHS: [&str; 15] = [
    "/api/Payment/soak-1",
    "/API/transactions/soak-1?type=2",
    "/api//Payment/soak-1",
    "/api/Payment/..%2f..%2fhealthz",
    "/records/payment/soak-1",
    "/records/payment/soak-1/history",
    "/records/payment/%00",
    "/sources",
    "/metrics",
    "/parked",
    "/dead-letters/notifications",
    "/dead-letters/deliveries",
    "/notifications/stripe-main",
    "/notifications/adyen-eu?x=%ff",
    "/notifications/nobody",
];
const CREDENTIALS: [&str; 6] = [
    "Bearer guess",
    "Bearer ",
    "Basic Z3Vlc3M6Z3Vlc3M=",
    "Basic %%%",
    "Bearer stand-in-transform-tokem",
    "Bearer stand-in-stack-token2",
];

/// Sends any method at any path, with guessed credentials and a forged signature. No answer may be below 400.
pub(super) async fn guess(stranger: &Stranger, mut chance: Chance) {
    let (method, path) = (chance.pick(&METHODS), chance.pick(&PATHS));
    let Some(url) = stranger.url(path) else { return };
    let Ok(method) = reqwest::Method::from_bytes(method.as_bytes()) else { return };
    let signature = format!("t={},v1={}", jiff::Timestamp::now().as_second(), chance.hex(64));
    let request = stranger
        .client
        .request(method.clone(), url)
        .header("Authorization", chance.pick(&CREDENTIALS))
        .header("Stripe-Signature", signature)
        .header("Content-Type", "application/json")
        .body(format!("{{\"id\":\"evt_{}\"}}", chance.hex(8)));
    if let Ok(response) = request.send().await
        && response.status().as_u16() < 400
    {
        stranger.violated(format!("{method} {path} of a stranger is answered {}", response.status()));
    }
}
