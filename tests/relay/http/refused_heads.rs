//! Refused heads: bytes that never become a request are answered like every other refusal. Below /api the body is the
//! contract's error object, elsewhere a problem detail.

use std::io::Write;
use std::net::Shutdown;

use serde_json::{Value, json};

use crate::support::setup::TRANSFORM_TOKEN;
use crate::support::siege::{statuses, until_hung_up};
use crate::support::{Relay, Setup, Transform, payment, psp, start, stripe};

const SECRET: &str = "4111111111111111";

/// The body that a refusal must have.
#[derive(Debug, Clone, Copy)]
enum Body {
    /// The contract's error object.
    Contract,
    /// A problem detail.
    Detail,
    /// Nothing: HEAD was asked.
    None,
}

use Body::{Contract, Detail};

/// Checks the last answer in the text of a connection: its status, and the body that goes with it.
#[track_caller]
fn refused(what: &str, text: &str, status: u16, body: Body) {
    let what = &what[..what.len().min(200)];
    let start = text.rfind("HTTP/1.1 ").unwrap_or_else(|| panic!("{what:?}: no answer"));
    let (head, rest) = text[start..].split_once("\r\n\r\n").unwrap();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    assert_eq!(statuses(head), [status], "{what:?} → {text}");
    assert_eq!(field("connection"), Some("close"), "{what:?} → {text}");
    assert!(field("date").is_some_and(|date| date.ends_with(" GMT")), "{what:?} → {text}");
    assert_eq!(head.matches("content-length").count(), 1, "{what:?} → {text}");
    let length: usize = field("content-length").unwrap().parse().unwrap();
    assert!((1..500).contains(&length), "{what:?} → {text}");
    assert!(!text.contains(SECRET), "{what:?} → {text}");
    assert_eq!(rest.len(), if matches!(body, Body::None) { 0 } else { length }, "{what:?} → {text}");
    let mut said: Value = serde_json::from_str(if rest.is_empty() { "{}" } else { rest }).unwrap();
    let (kind, text, expected) = match body {
        Body::None => return,
        Contract => {
            let epoch = "1970-01-01T00:00:00.0000000Z";
            let expected = json!({"errorCode": "InvalidData", "receivedAt": epoch, "status": "Initiated"});
            ("application/json", "errorMessage", expected)
        }
        Detail => {
            let title = head.lines().next().unwrap().split_once(&status.to_string()).unwrap().1.trim();
            let expected = json!({"type": "about:blank", "title": title, "status": status});
            ("application/problem+json", "detail", expected)
        }
    };
    assert_eq!(field("content-type"), Some(kind), "{what:?} → {said}");
    assert!(said[text].as_str().is_some_and(|text| text.starts_with("the head ")), "{what:?} → {said}");
    said.as_object_mut().unwrap().remove(text);
    assert_eq!(said, expected, "{what:?}");
}

async fn relay() -> (Transform, Relay) {
    let (transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    (transform, relay)
}

/// Heads that are refused for one fault each, with `TARGET` where the target belongs.
fn faults() -> Vec<(String, u16)> {
    let line = "GET TARGET HTTP/1.1\r\n";
    let long = "x".repeat(40_000);
    [
        (
            format!("{line}host: r\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
            400,
        ),
        (format!("{line}host: r\r\ncontent-length: 0\r\ncontent-length: 0\r\n\r\n"), 400),
        (format!("{line}host: r\r\ntransfer-encoding: gzip\r\n\r\n"), 400),
        (format!("{line}\r\n"), 400),
        (format!("{line}host: r\r\nhost: s\r\n\r\n"), 400),
        (format!("{line}host: r\r\nno colon {SECRET}\r\n\r\n"), 400),
        (format!("{line}host: r\r\n{SECRET} : x\r\n\r\n"), 400),
        (format!("{line}host: r\r\nx: {SECRET}\0\r\n\r\n"), 400),
        (format!("GET TARGET/{SECRET}/a b HTTP/1.1\r\nhost: r\r\n\r\n"), 400),
        ("GET TARGET/a\0 HTTP/1.1\r\nhost: r\r\n\r\n".to_owned(), 400),
        ("GET TARGET HTTP/1.2\r\nhost: r\r\n\r\n".to_owned(), 400),
        ("GET TARGET HTTP/2.0\r\n\r\n".to_owned(), 400),
        ("GET TARGET HTTP/1.1 x\r\nhost: r\r\n\r\n".to_owned(), 400),
        ("GET TARGET\r\n\r\n".to_owned(), 400),
        ("GET  TARGET HTTP/1.1\r\nhost: r\r\n\r\n".to_owned(), 400),
        ("POST TARGET HTTP/1.0\r\n\r\n".to_owned(), 400),
        (format!("{line}host: r\r\n{}\r\n", "a: b\r\n".repeat(100)), 431),
        (format!("{line}host: r\r\nx: {long}\r\n\r\n"), 431),
        (format!("GET TARGET/{long} HTTP/1.1\r\nhost: r\r\n\r\n"), 431),
    ]
    .map(|(head, status)| (head, status))
    .into()
}

/// The targets of Transform and of everybody else, also as whole URLs.
const TARGETS: [(&str, Body); 6] = [
    ("/api/Payment/tx-1", Contract),
    ("//API/nothing", Contract),
    ("http://r:8080/api/Payment/tx-1", Contract),
    ("/healthz", Detail),
    ("/apis", Detail),
    ("http://api/records/api", Detail),
];

#[tokio::test]
async fn a_head_that_is_refused_gets_the_body_of_its_path() {
    let (_transform, relay) = relay().await;
    for (fault, status) in faults() {
        for (target, body) in TARGETS {
            let head = fault.replace("TARGET", target);
            for head in [head.clone(), format!("\r\n{head}")] {
                let (all, text) = relay.exchange(head.as_bytes());
                assert_eq!(all, [status], "{head:?}");
                refused(&head, &text, status, body);
            }
            if let Some(head) = head.strip_prefix("GET").map(|rest| format!("HEAD{rest}")) {
                refused(&head, &relay.exchange(head.as_bytes()).1, status, Body::None);
            }
        }
    }
    relay.still_serves().await;
    assert!(!relay.program.log().contains(SECRET));
}

/// If the target cannot be read, the answer is everybody's, unless the bytes that came begin with a path of Transform's.
#[tokio::test]
async fn bytes_without_a_request_line_get_a_problem_detail() {
    let (_transform, relay) = relay().await;
    for (bytes, body) in [
        (&b"nonsense\r\n\r\n"[..], Detail),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", Detail),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client hello of TLS \r\n\r\n", Detail),
        (b"G\x00T /healthz HTTP/1.1\r\n\r\n", Detail),
        (b"G\x00T /api/Payment/tx-1 HTTP/1.1\r\n\r\n", Contract),
        (b"GET\t/api/Payment/tx-1\tHTTP/1.1\r\nhost: r\r\n\r\n", Contract),
        (b"GET /api/Payment/\x7f HTTP/1.1\r\nhost: r\r\n\r\n", Contract),
        (b"GET /heal\x00thz HTTP/1.1\r\nhost: r\r\n\r\n", Detail),
        (b"GET\r\n/api/Payment/tx-1 HTTP/1.1\r\nhost: r\r\n\r\n", Detail),
    ] {
        let (_, text) = relay.exchange(bytes);
        refused(&String::from_utf8_lossy(bytes), &text, 400, body);
    }
    relay.still_serves().await;
}

/// A head that does not end in time, wherever it breaks off; also after an answer, and one that came with the request.
#[tokio::test]
async fn a_head_that_does_not_end_gets_the_body_of_its_path() {
    let mut setup = Setup::silent();
    setup.environment.push(("RELAY_SERVER__HEADER_TIMEOUT".to_owned(), "2s".to_owned()));
    let (_transform, relay) = start(setup).await;
    let before = "GET /healthz HTTP/1.1\r\nhost: r\r\n\r\n";
    let mut all = Vec::new();
    for (head, body) in [
        ("GET /api/Payment/tx-1 HTTP/1.1\r\nhost: r\r\n", Contract),
        ("GET /api/", Contract),
        ("GET http://r/api/", Contract),
        ("HEAD /api/Payment", Body::None),
        ("GET /api", Detail),
        ("GET /healthz HTTP/1.1\r\nx: /api/", Detail),
        ("GE", Detail),
    ] {
        for first in ["", before] {
            let mut stream = relay.connect();
            stream.write_all(format!("{first}{head}").as_bytes()).unwrap();
            all.push((stream, first, head, body));
        }
    }
    for (mut stream, first, head, body) in all {
        let text = until_hung_up(&mut stream);
        assert_eq!(statuses(&text).len(), 1 + usize::from(!first.is_empty()), "{text}");
        refused(head, &text, 408, body);
    }
    relay.still_serves().await;
}

/// What a connection asked before says nothing of the head that is refused: neither its path, nor its method, nor its
/// version. The answers before it are whole.
#[tokio::test]
async fn a_refused_head_is_known_by_itself_behind_other_requests() {
    let (_transform, relay) = relay().await;
    let fetch = format!("/api/Payment/tx-1 HTTP/1.1\r\nhost: r\r\nauthorization: Bearer {TRANSFORM_TOKEN}\r\n");
    let notice = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    let sealed = psp::seal("stripe-main", notice.as_bytes());
    let (name, value) = &sealed.headers[0];
    let length = notice.len();
    let to_post = format!("POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\n{name}: {value}\r\n");
    let before = [
        format!("GET {fetch}\r\n"),
        format!("HEAD {fetch}\r\n"),
        "GET /healthz HTTP/1.1\r\nhost: r\r\n\r\n".to_owned(),
        "GET /nowhere HTTP/1.1\r\nhost: r\r\n\r\n".to_owned(),
        "GET /api/Payment/tx-1 HTTP/1.1\r\nhost: r\r\n\r\n".to_owned(),
        "GET /healthz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n".to_owned(),
        format!("{to_post}content-length: {length}\r\n\r\n{notice}"),
        format!("{to_post}transfer-encoding: chunked\r\n\r\n{length:x}\r\n{notice}\r\n0\r\n\r\n"),
    ];
    for first in &before {
        // What differs from one answer to the next is the date, the same for all of a second.
        let alone = statuses(&relay.exchange(first.as_bytes()).1);
        for (target, body) in TARGETS {
            for (fault, status) in [(" HTTP/1.1\r\n\r\n", 400), (" HTTP/1.1\r\nhost: r\r\nx: LONG\r\n\r\n", 431)] {
                let head = format!("GET {target}{}", fault.replace("LONG", &"x".repeat(40_000)));
                let mut stream = relay.connect();
                drop(stream.write_all(format!("{first}{head}GET /healthz HTTP/1.1\r\nhost: r\r\n\r\n").as_bytes()));
                drop(stream.shutdown(Shutdown::Write));
                let text = until_hung_up(&mut stream);
                assert_eq!(statuses(&text), [&alone[..], &[status]].concat(), "{first}{target}: {text}");
                refused(&format!("{first}{head}"), &text, status, body);
            }
        }
    }
    relay.still_serves().await;
}

/// An answer of the relay's own that is no success is no refusal of the next head, though that one has come.
#[tokio::test]
async fn a_refusal_before_another_request_stays_as_it_is() {
    let (_transform, relay) = relay().await;
    let bad = "GET /api/Payment/%00 HTTP/1.1\r\nhost: r\r\n\r\n";
    let health = "GET /healthz HTTP/1.1\r\nhost: r\r\n\r\n";
    let unknown =
        format!("GET /api/Payment/%00 HTTP/1.1\r\nhost: r\r\nauthorization: Bearer {TRANSFORM_TOKEN}\r\n\r\n");
    let (_, text) = relay.exchange(format!("{bad}{unknown}{health}").as_bytes());
    assert_eq!(statuses(&text), [401, 400, 200], "{text}");
    assert!(text.contains("visible ASCII") && !text.contains("\"the head"), "{text}");
}
