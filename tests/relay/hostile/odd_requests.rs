//! Hostile requests: odd paths, contradictory lengths, several requests in one, no HTTP at all. Each is answered or hung
//! up on, never with an error of ours, and none leaves a trace.

use std::io::{Read, Write};

use reqwest::Method;
use serde_json::json;

use crate::support::planted::payer;
use crate::support::setup::{INTEGRATOR_TOKEN, TRANSFORM_TOKEN};
use crate::support::siege::{statuses, until_hung_up};
use crate::support::{Relay, Setup, Transform, payment, psp, start, stripe};

/// A relay with one payment, and everything that it stores.
async fn with_a_payment() -> (Transform, Relay, Vec<String>) {
    let (transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let stored = relay.all_stored();
    (transform, relay, stored)
}

/// Checks that the answers to these bytes have one of these lists of statuses; an empty list is a hang-up.
#[track_caller]
fn answered(relay: &Relay, bytes: &[u8], expected: &[&[u16]]) {
    let (statuses, answer) = relay.exchange(bytes);
    let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
    assert!(expected.contains(&&statuses[..]), "{shown:?} → {answer:?}");
}

/// One request to a route of Transform's, with its path unchanged.
fn get(path: &str) -> Vec<u8> {
    let head = format!("GET {path} HTTP/1.1\r\nhost: r\r\nauthorization: Bearer {TRANSFORM_TOKEN}\r\n");
    format!("{head}connection: close\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn odd_paths_lead_nowhere() {
    let (_transform, relay, before) = with_a_payment().await;
    let nowhere = [
        "/api/Payment/../../etc/passwd",
        "/api/Payment/..",
        "/api/Payment/%2e%2e",
        "/api/Payment/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/api/Payment/..%5c..%5cetc",
        "/api/Payment/tx-1//",
        "/api/Payment//tx-1",
        "//api/Payment/tx-1",
        "/api/./Payment/tx-1",
        "/api/Payment/tx-1;jsessionid=1",
        "/api/Payment/tx-1%3Ftype=2",
        "/api/Payment/tx-1%23",
        "/api/Payment/'%20OR%201=1--",
        "/api/Payment/tx-2",
        "/records/payment/tx-1/../tx-1",
        "/healthz/",
        "/healthz/../readyz",
        "/.git/config",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/notifications/../healthz",
        "*",
        "/\\healthz",
    ];
    for path in nowhere {
        answered(&relay, &get(path), &[&[404], &[400]]);
    }
    for id in ["%00", "tx-1%00", "%0d%0aX:y", "%09", "%7f", "%ff%fe", "%c0%ae", "%E2%82%AC", "a%20b"] {
        answered(&relay, &get(&format!("/api/Payment/{id}")), &[&[400]]);
        answered(&relay, &get(&format!("/api/transactions/{id}?type=2")), &[&[400]]);
    }
    for bad in ["%", "%zz", "%2", "%u0041", "tx-1%"] {
        answered(&relay, &get(&format!("/api/Payment/{bad}")), &[&[400], &[404]]);
    }
    for length in [200, 8_000, 60_000, 70_000, 120_000] {
        let long: &[&[u16]] = if length > 30_000 { &[&[431]] } else { &[&[400], &[404], &[414]] };
        answered(&relay, &get(&format!("/api/Payment/{}", "x".repeat(length))), long);
        answered(&relay, &get(&format!("/{}", "x/".repeat(length / 2))), long);
        answered(&relay, &get(&format!("/api/transactions/tx-1?{}", "type=2&".repeat(length / 7))), long);
    }
    for query in ["?type=%32", "?type=2&&&", "?%74ype=2", "?type=2;type=3", "?type[]=2", "?type=2%00", "?=&=&type=2"] {
        answered(&relay, &get(&format!("/api/transactions/tx-1{query}")), &[&[200], &[400]]);
    }
    answered(
        &relay,
        &[&b"GET /api/Payment/\xff\xfe HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n"[..]].concat(),
        &[&[400], &[401]],
    );
    for source in
        ["..", "%2e%2e", "stripe-main%00", "stripe-main%2f..", "%73tripe-maim", "stripe-main;x", &"s".repeat(20_000)]
    {
        let path = format!("/notifications/{source}");
        let request = format!("POST {path} HTTP/1.1\r\nhost: r\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}");
        answered(&relay, request.as_bytes(), &[&[404], &[400]]);
    }
    let put = |path: &str| {
        let request = relay.request(Method::PUT, path).bearer_auth(INTEGRATOR_TOKEN);
        relay.send(request.body(payment("pi_2", "10").to_string()))
    };
    for id in ["%00", "%ff", "a%20b", "%0a", &"x".repeat(129)] {
        put(&format!("/records/payment/{id}")).await.problem(400);
    }
    assert_eq!(relay.all_stored(), before);
    // An id is any visible ASCII, so this is an id: it leads to no file and to no other record.
    put("/records/payment/..%2f..%2fetc%2fpasswd").await.expect(201);
    answered(&relay, &get("/api/Payment/..%2f..%2fetc%2fpasswd"), &[&[200]]);
    relay.still_serves().await;
}

#[tokio::test]
async fn a_request_that_is_no_http_is_refused() {
    let (_transform, relay, before) = with_a_payment().await;
    let refused: [&[u8]; 26] = [
        b"\r\n\r\n\r\n\r\n",
        b"GET",
        b"GET /healthz",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/0.9\r\n\r\n",
        b"GET /healthz HTTP/1.2\r\nhost: r\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nhost: r\r\n\r\n",
        b"GET /healthz HTTP/1.1x\r\nhost: r\r\n\r\n",
        b"GET  /healthz HTTP/1.1\r\nhost: r\r\n\r\n",
        b"GET /heal thz HTTP/1.1\r\nhost: r\r\n\r\n",
        b"GET\t/healthz\tHTTP/1.1\r\nhost: r\r\n\r\n",
        b"G\x00T /healthz HTTP/1.1\r\nhost: r\r\n\r\n",
        b"GET /heal\x00thz HTTP/1.1\r\nhost: r\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nhost: r\r\nhost: s\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nspace : x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\na b: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nx: a\x00b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nx: a\rb\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nx: a\r\n folded\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client hello of TLS \r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00\x01\x02\x03\xff\xfe\xfd\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ];
    for bytes in refused {
        answered(&relay, bytes, &[&[400], &[404], &[405], &[505], &[]]);
    }
    assert_eq!(relay.all_stored(), before);
    relay.still_serves().await;
}

#[tokio::test]
async fn old_and_unusual_http_is_answered() {
    let (_transform, relay, before) = with_a_payment().await;
    let url = relay.url.clone();
    let close = "connection: close\r\n\r\n";
    for (request, expected) in [
        ("GET /healthz HTTP/1.0\r\n\r\n".to_owned(), &[&[200][..]][..]),
        ("GET /healthz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n".to_owned(), &[&[200]]),
        (format!("GET /healthz HTTP/1.1\r\n{close}"), &[&[200], &[400]]),
        ("GET /healthz HTTP/1.1\nhost: r\nconnection: close\n\n".to_owned(), &[&[200], &[400]]),
        (format!("\r\n\r\nGET /healthz HTTP/1.1\r\nhost: r\r\n{close}"), &[&[200], &[400]]),
        (format!("GET {url}/healthz HTTP/1.1\r\nhost: r\r\n{close}"), &[&[200]]),
        (format!("GET http://elsewhere.example/healthz HTTP/1.1\r\nhost: r\r\n{close}"), &[&[200], &[400]]),
        (format!("GET https://user:pass@r/healthz?x#y HTTP/1.1\r\nhost: r\r\n{close}"), &[&[200], &[400]]),
        (format!("GET healthz HTTP/1.1\r\nhost: r\r\n{close}"), &[&[400], &[404]]),
        (format!("CONNECT elsewhere.example:443 HTTP/1.1\r\nhost: r\r\n{close}"), &[&[400], &[404], &[405]]),
        (format!("OPTIONS * HTTP/1.1\r\nhost: r\r\n{close}"), &[&[400], &[404], &[405]]),
        (format!("TRACE /healthz HTTP/1.1\r\nhost: r\r\n{close}"), &[&[405]]),
        (format!("get /healthz HTTP/1.1\r\nhost: r\r\n{close}"), &[&[400], &[405]]),
        (format!("{} /healthz HTTP/1.1\r\nhost: r\r\n{close}", "M".repeat(5000)), &[&[400], &[405]]),
        (format!("GET /healthz HTTP/1.1\r\nhost: r\r\nx-http-method-override: DELETE\r\n{close}"), &[&[200]]),
        (format!("GET /healthz HTTP/1.1\r\nhost: r\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n{close}"), &[&[200]]),
        (format!("GET /healthz HTTP/1.1\r\nhost: r\r\nupgrade: websocket\r\n{close}"), &[&[200], &[400]]),
        (format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n{close}", "h".repeat(30_000)), &[&[200], &[400]]),
        (format!("GET /healthz HTTP/1.1\r\nhost: r\r\ncontent-length: 5\r\n{close}hello"), &[&[200], &[400]]),
    ] {
        answered(&relay, request.as_bytes(), expected);
    }
    assert_eq!(relay.all_stored(), before);
    relay.still_serves().await;
}

/// A valid notification, except for the lines of its head about the body.
fn notification(length_lines: &str, body: &[u8]) -> Vec<u8> {
    let sealed = psp::seal("stripe-main", stripe::paid("pi_1", 1_700_000_000, 1000).to_string().as_bytes());
    let head = format!(
        "POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\nconnection: close\r\nStripe-Signature: {}\r\n{}\r\n",
        sealed.headers[0].1,
        length_lines.replace("LENGTH", &sealed.body.len().to_string()),
    );
    [head.as_bytes(), if body.is_empty() { &sealed.body } else { body }].concat()
}

#[tokio::test]
async fn a_body_of_no_clear_length_is_refused() {
    let (_transform, relay, before) = with_a_payment().await;
    for lines in [
        "content-length: LENGTH\r\ncontent-length: 3\r\n",
        "content-length: 3\r\ncontent-length: LENGTH\r\n",
        "content-length: LENGTH\r\ncontent-length: LENGTH\r\n",
        "content-length: LENGTH, LENGTH\r\n",
        "content-length: +LENGTH\r\n",
        "content-length: -LENGTH\r\n",
        "content-length: LENGTH 1\r\n",
        "content-length: LENGTH.0\r\n",
        "content-length: 0xff\r\n",
        "content-length: \r\n",
        "content-length: 99999999999999999999999\r\n",
        "content-length : LENGTH\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: \x0bchunked\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding:\r\n chunked\r\n",
    ] {
        answered(&relay, &notification(lines, b""), &[&[400], &[400, 400]]);
    }
    for chunks in [
        "zz\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "fffffffffffffffff\r\n{}",
        "ffffffffffffffff\r\n{}",
        "2\r\n{}0\r\n\r\n",
        "2\n{}\n0\n\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "2 2\r\n{}\r\n0\r\n\r\n",
        "\r\n{}\r\n0\r\n\r\n",
    ] {
        let (statuses, answer) = relay.exchange(&notification("transfer-encoding: chunked\r\n", chunks.as_bytes()));
        // The readable part of the body is not the body that the PSP signed.
        assert!([400, 401, 413].iter().any(|known| statuses.first() == Some(known)), "{chunks:?} → {answer:?}");
    }
    // The body breaks off: the relay does not wait for the rest.
    for lines in ["content-length: 100000\r\n", "transfer-encoding: chunked\r\n"] {
        answered(&relay, &notification(lines, b"5\r\n{\"a\":"), &[&[400], &[408], &[]]);
    }
    for lines in ["content-length: 1048577\r\n", "content-length: 18446744073709551615\r\n"] {
        answered(&relay, &notification(lines, b"{"), &[&[413], &[]]);
    }
    let endless = format!("{}\r\n", "f".repeat(15)).into_bytes();
    let endless = [&endless[..], &b" ".repeat(2 << 20)].concat();
    answered(&relay, &notification("transfer-encoding: chunked\r\n", &endless), &[&[413], &[400], &[]]);
    assert_eq!(relay.all_stored(), before);
    relay.still_serves().await;
}

/// Two lengths in one request. If a proxy believes one length and the relay the other, a stranger could put a request
/// into another client's connection.
#[tokio::test]
async fn no_request_is_smuggled_in_another() {
    let (_transform, relay, before) = with_a_payment().await;
    let hidden = "GET /api/Payment/tx-1 HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n";
    let chunk = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
    for lines in [
        "transfer-encoding: chunked\r\ncontent-length: 4\r\n",
        "content-length: 4\r\ntransfer-encoding: chunked\r\n",
        "content-length: 5\r\nTransfer-Encoding: CHUNKED\r\n",
        "content-length: 5\r\nTransfer-Encoding: identity\r\n",
    ] {
        for body in [chunk.clone(), format!("0\r\n\r\n{hidden}")] {
            let request = notification(lines, body.as_bytes());
            let open = String::from_utf8(request).unwrap().replacen("connection: close\r\n", "", 1);
            for request in [open.clone(), open.replacen("POST /notifications/stripe-main", "GET /healthz", 1)] {
                let (statuses, answer) = relay.exchange(request.as_bytes());
                assert!(statuses == [400], "{request:?} → {answer:?}");
                assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
            }
        }
    }
    // HTTP/1.0 has no chunks.
    let old =
        format!("POST /notifications/stripe-main HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}");
    let (statuses, answer) = relay.exchange(old.as_bytes());
    assert!(statuses.iter().all(|status| [400, 401].contains(status)), "{answer:?}");
    assert_eq!(relay.all_stored(), before);
    relay.still_serves().await;
}

#[tokio::test]
async fn several_requests_in_one_go_are_answered_in_order() {
    let (_transform, relay, _) = with_a_payment().await;
    let sealed = psp::seal("stripe-main", stripe::paid("pi_1", 1_700_000_000, 1000).to_string().as_bytes());
    let post = |body: &[u8]| {
        let head = format!("POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\ncontent-length: {}\r\n", body.len());
        [format!("{head}Stripe-Signature: {}\r\n\r\n", sealed.headers[0].1).as_bytes(), body].concat()
    };
    let health = &b"GET /healthz HTTP/1.1\r\nhost: r\r\n\r\n"[..];
    let nowhere = &b"GET /nowhere HTTP/1.1\r\nhost: r\r\n\r\n"[..];
    let last = &b"GET /healthz HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n"[..];
    let all = [health, &post(&sealed.body), nowhere, &post(b"{}"), &post(&sealed.body), last].concat();
    let (statuses, answer) = relay.exchange(&all);
    assert_eq!(statuses, [200, 200, 404, 401, 200, 200], "{answer}");
    let repeated = answer.find("idempotent-replayed: true").unwrap();
    assert!(answer.find("\"applied\"").unwrap() < repeated, "{answer}");
    // Bytes that are no request end the connection.
    let (statuses, answer) = relay.exchange(&[health, b"nonsense\r\n\r\n", health].concat());
    assert!(statuses == [200, 400], "{answer}");
    let many = relay.exchange(&[health.repeat(500), last.to_vec()].concat()).0;
    assert_eq!(many, vec![200; 501]);
    relay.still_serves().await;
}

/// A client that asks before it sends is told early, and need not send a body that would be refused.
#[tokio::test]
async fn who_asks_first_is_told() {
    let (_transform, relay, before) = with_a_payment().await;
    let head = |length: usize| {
        format!(
            "POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut stream = relay.connect();
    stream.write_all(head(2 << 20).as_bytes()).unwrap();
    let answer = until_hung_up(&mut stream);
    assert!(statuses(&answer).ends_with(&[413]), "{answer}");
    let mut stream = relay.connect();
    stream.write_all(head(2).as_bytes()).unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}GET /healthz HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n").unwrap();
    assert_eq!(statuses(&until_hung_up(&mut stream)), [401, 200]);
    assert_eq!(relay.all_stored(), before);
    relay.still_serves().await;
}

/// Silent connections, and connections with half a request, keep no other client from being served.
#[tokio::test]
async fn silent_connections_are_in_nobodys_way() {
    let (_transform, relay, before) = with_a_payment().await;
    let beginnings: [&[u8]; 4] = [
        b"",
        b"GET /heal",
        b"POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\ncontent-length: 100\r\n",
        b"POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\ncontent-length: 100\r\n\r\n{\"a\":",
    ];
    let mut open = Vec::new();
    for beginning in beginnings.iter().cycle().take(200) {
        let mut stream = relay.connect();
        stream.write_all(beginning).unwrap();
        open.push(stream);
    }
    relay.still_serves().await;
    let event = stripe::event("customer.created", 1_700_000_000, json!({"payer": payer()}));
    assert_eq!(relay.stripe(&event).await, "ignored");
    drop(open);
    assert!(before.iter().all(|row| relay.all_stored().contains(row)));
    relay.still_serves().await;
}
