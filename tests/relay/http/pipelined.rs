//! Pipelined requests: a request that comes before the last answer is answered as if it had come alone.

use std::io::{Read, Write};

use reqwest::Method;

use crate::support::setup::TRANSFORM_TOKEN;
use crate::support::siege::{statuses, until_hung_up};
use crate::support::{Relay, Setup, Transform, payment, psp, start, stripe};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: r\r\n\r\n";
const LAST: &str = "GET /healthz HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n";
const HEALTHY: &str = r#"{"status":"up"}"#;

async fn with_a_payment() -> (Transform, Relay) {
    let (transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    (transform, relay)
}

/// A request whose answer takes time, since it comes from the store.
fn fetch() -> String {
    format!("GET /api/Payment/tx-1 HTTP/1.1\r\nhost: r\r\nauthorization: Bearer {TRANSFORM_TOKEN}\r\n\r\n")
}

/// The same, with a body in chunks.
fn notification(last_lines: &str) -> String {
    let body = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    let sealed = psp::seal("stripe-main", body.as_bytes());
    let (name, value) = &sealed.headers[0];
    let head = format!("POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\n{name}: {value}\r\n");
    let (one, two) = body.split_at(100);
    let chunks = format!("{:x}\r\n{one}\r\n{:x};x=y\r\n{two}\r\n0\r\n{last_lines}\r\n", one.len(), two.len());
    format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}")
}

/// Heads and bodies of successive answers, as a client reads them. `to_head` are the answers to HEAD, without a body.
fn answers(mut text: &str, to_head: &[usize]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    while let Some((head, rest)) = text.split_once("\r\n\r\n") {
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        let length = if to_head.contains(&all.len()) { 0 } else { length };
        assert!(rest.len() >= length, "an answer without its whole body: {text:?}");
        all.push((head.to_owned(), rest[..length].to_owned()));
        text = &rest[length..];
    }
    assert_eq!(text, "");
    all
}

/// The bytes behind a request do not change it: neither its method, nor its version, nor whether it is the last.
#[tokio::test]
async fn what_comes_behind_a_request_does_not_change_its_answer() {
    let (_transform, relay) = with_a_payment().await;
    let head = "HEAD /nowhere HTTP/1.1\r\nhost: r\r\n\r\n";
    let old = "GET /healthz HTTP/1.0\r\n\r\n";
    for first in [fetch(), notification(""), notification("x-trailer: y\r\n")] {
        let alone = relay.exchange(first.as_bytes()).1;
        let (alone_head, _) = alone.split_once("\r\n\r\n").unwrap();
        for second in [LAST, old, head] {
            let after = if second == head { LAST } else { "" };
            let (_, text) = relay.exchange(format!("{first}{second}{after}").as_bytes());
            let to_head = if second == head { &[1][..] } else { &[] };
            let all = answers(&text, to_head);
            assert_eq!(all.len(), if second == head { 3 } else { 2 }, "{first}{second} → {text}");
            assert!(all[0].0.starts_with("HTTP/1.1 200") && !all[0].0.contains("connection: close"), "{text}");
            let body = if first.starts_with("GET") { "\"tx-1\"" } else { "\"outcome\"" };
            assert!(all[0].1.contains(body), "{first}{second} → {text}");
            assert!(!alone_head.contains("connection: close"), "{alone}");
            let (last, body) = all.last().unwrap();
            assert_eq!((statuses(last), body.as_str()), (vec![200], HEALTHY), "{text}");
            assert!(last.contains("connection: close") == (second != old), "{text}");
        }
    }
    relay.still_serves().await;
}

/// The lines of a head may end without a carriage return, also in the first head of a connection.
#[tokio::test]
async fn a_head_with_line_feeds_alone_ends_where_it_ends() {
    let (_transform, relay) = with_a_payment().await;
    let first = fetch().replace("\r\n", "\n");
    for before in ["", HEALTH] {
        for second in
            ["GET /healthz HTTP/1.0\r\n\r\n", "HEAD /healthz HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n"]
        {
            let (_, text) = relay.exchange(format!("{before}{first}{second}").as_bytes());
            let earlier = usize::from(!before.is_empty());
            let to_head = if second.starts_with("HEAD") { &[earlier + 1][..] } else { &[] };
            let all = answers(&text, to_head);
            assert_eq!(all.len(), earlier + 2, "{text}");
            let (head, body) = &all[earlier];
            assert!(head.starts_with("HTTP/1.1 200") && !head.contains("connection: close"), "{text}");
            assert!(body.contains("\"tx-1\""), "{text}");
        }
    }
}

/// If a client says that a request is the last, the relay believes it.
#[tokio::test]
async fn nothing_is_answered_behind_the_last_request() {
    let (_transform, relay) = with_a_payment().await;
    let last = fetch().replacen("host: r", "host: r\r\nconnection: close", 1);
    for first in [last.as_str(), LAST, "GET /healthz HTTP/1.0\r\n\r\n"] {
        let (_, text) = relay.exchange(format!("{first}{HEALTH}").as_bytes());
        assert_eq!(answers(&text, &[]).len(), 1, "{first} → {text}");
    }
    // Bytes that are no request do not take the answer away from the request before.
    for first in [fetch(), notification("")] {
        let (statuses, text) = relay.exchange(format!("{first}nonsense\r\n\r\n{HEALTH}").as_bytes());
        assert_eq!(statuses, [200, 400], "{text}");
    }
    relay.still_serves().await;
}

/// All requests are answered, however the bytes are cut: by ones, by threes, and with a request larger than one read.
#[tokio::test]
async fn requests_are_told_apart_wherever_they_are_cut() {
    let (_transform, relay) = with_a_payment().await;
    let body = "x".repeat(5_000);
    let large = format!(
        "POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\nx-long: {}\r\ncontent-length: {}\r\n\r\n{body}",
        "y".repeat(5_000),
        body.len()
    );
    let empty = "POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\ncontent-length: 0\r\n\r\n";
    let all = format!("\r\n{HEALTH}{}{large}{}{empty}\r\n\n{}{LAST}", fetch(), notification("a: b\r\n"), fetch());
    for size in [1, 3, 1_000, 2_048, all.len()] {
        let mut stream = relay.connect();
        stream.set_nodelay(true).unwrap();
        for part in all.as_bytes().chunks(size) {
            stream.write_all(part).unwrap();
        }
        let text = until_hung_up(&mut stream);
        assert_eq!(statuses(&text), [200, 200, 401, 200, 401, 200, 200], "{size}: {text}");
    }
    relay.still_serves().await;
}

/// A body has the length in its head, even if its client wants to speak another protocol afterwards.
#[tokio::test]
async fn a_body_ends_where_its_head_says_whatever_its_client_would_speak_next() {
    let (_transform, relay) = with_a_payment().await;
    let body = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    let sealed = psp::seal("stripe-main", body.as_bytes());
    let (name, value) = &sealed.headers[0];
    let length = format!("content-length: {}\r\n", body.len());
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\n";
    let route = "POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\n";
    for (lines, body, status) in [(length.as_str(), body.as_str(), 200), ("", "", 401)] {
        let mut stream = relay.connect();
        // Shorter than the time limit of a body, so that a wait for more fails the test.
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        stream.write_all(format!("{route}{name}: {value}\r\n{upgrade}{lines}\r\n{body}{HEALTH}").as_bytes()).unwrap();
        let text = until_hung_up(&mut stream);
        assert_eq!(statuses(&text), [status], "{text}");
    }
    relay.send(relay.request(Method::GET, "/healthz").header("upgrade", "websocket")).await.expect(200);
    relay.still_serves().await;
}

/// A client that asks before it sends a body (`Expect`) may have sent another request just before.
#[tokio::test]
async fn who_asks_first_is_told_to_go_on_in_the_middle_of_others() {
    let (_transform, relay) = with_a_payment().await;
    let asks =
        "POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
    let mut stream = relay.connect();
    stream.write_all(format!("{}{asks}", fetch()).as_bytes()).unwrap();
    let mut so_far = Vec::new();
    while !String::from_utf8_lossy(&so_far).contains("100 Continue\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        so_far.push(byte[0]);
    }
    stream.write_all(format!("{{}}{LAST}").as_bytes()).unwrap();
    assert_eq!(statuses(&until_hung_up(&mut stream)), [401, 200]);
}
