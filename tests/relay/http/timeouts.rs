//! Timeouts of slow clients: each is cut off when its time is over, and no other client waits for it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tokio::time::Instant;

use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::siege::{statuses, until_hung_up};
use crate::support::{PATIENCE, Relay, Setup, Transform, psp, start, stripe};

/// Long enough for a client that does not dawdle, on a busy machine too.
const SHORT: &str = "2s";

/// A relay with short times for these settings, and everything that it stores.
async fn impatient(settings: &[&str]) -> (Transform, Relay, Vec<String>) {
    let mut setup = Setup::silent();
    setup.environment.extend(settings.iter().map(|name| (format!("RELAY_SERVER__{name}"), SHORT.to_owned())));
    let (transform, relay) = start(setup).await;
    let stored = relay.all_stored();
    (transform, relay, stored)
}

/// Writes a byte after each moment without an answer, until the relay answers or hangs up; returns the whole answer.
fn dripped(stream: &mut TcpStream, bytes: &[u8]) -> String {
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let began = Instant::now();
    for byte in bytes.iter().cycle() {
        assert!(began.elapsed() < PATIENCE, "the relay listens for ever");
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        match stream.read(&mut [0; 1]) {
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {}
            Ok(0) | Err(_) => return String::new(),
            Ok(_) => break,
        }
    }
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The first byte is read already.
    format!("H{}", until_hung_up(stream))
}

fn head(of: &[u8]) -> String {
    let sealed = psp::seal("stripe-main", of);
    let (name, value) = &sealed.headers[0];
    format!(
        "POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\n{name}: {value}\r\ncontent-length: {}\r\n",
        of.len()
    )
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let (_transform, relay, before) = impatient(&["HEADER_TIMEOUT"]).await;
    for beginning in ["", "GET /healthz HTTP/1.1\r\n", "GET /healthz HTTP/1.1\r\nhost: r\r\nx-slow: "] {
        let mut silent = relay.connect();
        silent.write_all(beginning.as_bytes()).unwrap();
        let answer = until_hung_up(&mut silent);
        assert!([&[][..], &[408]].contains(&&statuses(&answer)[..]), "{beginning:?} → {answer:?}");
    }
    let mut slow = relay.connect();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: r\r\n").unwrap();
    let answer = dripped(&mut slow, b"x-slow: loris\r\n");
    assert!(answer.is_empty() || statuses(&answer) == [408], "{answer:?}");
    assert_eq!(relay.all_stored(), before);
    relay.still_serves().await;
}

/// A connection on which one request was answered, and that answer.
fn after_an_answer(relay: &Relay, request: &str) -> TcpStream {
    let mut stream = relay.connect();
    stream.write_all(request.as_bytes()).unwrap();
    stream.peek(&mut [0]).unwrap();
    stream
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: r\r\n\r\n";

/// After an answer, the next head gets no more time than the first one.
#[tokio::test]
async fn a_later_head_that_never_ends_is_cut_off_and_told() {
    let (_transform, relay, _) = impatient(&["HEADER_TIMEOUT", "KEEP_ALIVE"]).await;
    for beginning in ["G", "GET /healthz HTTP/1.1\r\nhost: r\r\nx-slow: "] {
        let mut silent = after_an_answer(&relay, HEALTH);
        silent.write_all(beginning.as_bytes()).unwrap();
        assert_eq!(statuses(&until_hung_up(&mut silent)), [200, 408], "{beginning:?}");
    }
    relay.program.logged_times(&["connection cut off", "half a request", "127.0.0.1"], 2).await;
    let mut slow = after_an_answer(&relay, HEALTH);
    slow.read_exact(&mut [0; 15]).unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: r\r\n").unwrap();
    until_quiet(&mut slow);
    let answer = dripped(&mut slow, b"x-slow: loris\r\n");
    assert!(answer.is_empty() || statuses(&answer) == [408], "{answer:?}");
    relay.still_serves().await;
}

/// Bytes that came along with the request before are the beginning of a head as well.
#[tokio::test]
async fn a_head_that_began_behind_another_request_is_cut_off_in_its_time() {
    let mut setup = Setup::silent();
    for (name, value) in [("HEADER_TIMEOUT", SHORT), ("KEEP_ALIVE", "1h")] {
        setup.environment.push((format!("RELAY_SERVER__{name}"), value.to_owned()));
    }
    let (_transform, relay) = start(setup).await;
    let mut together = after_an_answer(&relay, &format!("{HEALTH}G"));
    assert_eq!(statuses(&until_hung_up(&mut together)), [200, 408]);
    relay.program.logged(&["connection cut off", "half a request", "127.0.0.1"]).await;
}

/// A connection without a request has only its idle time, without the time of a head on top of it.
#[tokio::test]
async fn a_connection_without_a_request_is_closed_in_its_time() {
    let mut setup = Setup::silent();
    for (name, value) in [("HEADER_TIMEOUT", "8s"), ("KEEP_ALIVE", "10s")] {
        setup.environment.push((format!("RELAY_SERVER__{name}"), value.to_owned()));
    }
    let (_transform, relay) = start(setup).await;
    let requests = [HEALTH, "GET /readyz HTTP/1.1\r\nhost: r\r\n\r\n"];
    for idle in &mut requests.map(|request| after_an_answer(&relay, request)) {
        // The time of the first head passes, and that does not start the idle time anew.
        idle.set_read_timeout(Some(Duration::from_secs(16))).unwrap();
        assert_eq!(statuses(&until_hung_up(idle)), [200]);
    }
    let ended = relay.terminate().await;
    assert!(!ended.stderr.contains("connection cut off"), "{}", ended.stderr);
}

/// Old clients end a body with an empty line that is no part of it (RFC 9112, 2.2). Many empty lines are a slow head.
#[tokio::test]
async fn an_empty_line_behind_a_body_begins_no_request() {
    let mut setup = Setup::silent();
    for (name, value) in [("HEADER_TIMEOUT", SHORT), ("KEEP_ALIVE", "10s")] {
        setup.environment.push((format!("RELAY_SERVER__{name}"), value.to_owned()));
    }
    let (_transform, relay) = start(setup).await;
    let body = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    let request = format!("{}\r\n{body}\r\n", head(body.as_bytes()));
    let [mut idle, mut goes_on, mut dawdles] = [0, 1, 2].map(|_| after_an_answer(&relay, &request));
    goes_on.write_all(b"\r\n").unwrap();
    dawdles.write_all("\r\n".repeat(20).as_bytes()).unwrap();
    // The time that cuts this one off would have cut the others off as well.
    assert_eq!(statuses(&until_hung_up(&mut dawdles)), [200, 408]);
    goes_on.write_all(HEALTH.replacen("host: r", "host: r\r\nconnection: close", 1).as_bytes()).unwrap();
    assert_eq!(statuses(&until_hung_up(&mut goes_on)), [200, 200]);
    assert_eq!(statuses(&until_hung_up(&mut idle)), [200]);
    let ended = relay.terminate().await;
    assert_eq!(ended.stderr.matches("connection cut off").count(), 1, "{}", ended.stderr);
}

/// While the relay stops, it waits less for a body that does not come than for work.
#[tokio::test]
async fn a_body_that_does_not_come_does_not_hold_up_a_stop() {
    let (_transform, relay) = start(Setup::silent()).await;
    let form = "content-type: application/x-www-form-urlencoded\r\ncontent-length: 10";
    let token = format!("POST /oauth/token HTTP/1.1\r\nhost: r\r\n{form}\r\n\r\na");
    let chunked = "PUT /records/payment/tx-1 HTTP/1.1\r\nhost: r\r\ntransfer-encoding: chunked";
    let chunked = format!("{chunked}\r\nauthorization: Bearer {INTEGRATOR_TOKEN}\r\n\r\n");
    let mut streams = [token, chunked, format!("{}\r\n", head(&[b' '; 100]))].map(|request| {
        let mut stream = relay.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    });
    relay.still_serves().await;
    let ended = relay.terminate().await;
    assert_eq!(ended.code, Some(0));
    assert!(!ended.stderr.contains("the grace period is over"), "{}", ended.stderr);
    for stream in &mut streams {
        let answer = until_hung_up(stream);
        assert_eq!(statuses(&answer), [503], "{answer}");
    }
}

/// Reads the available bytes, until nothing more comes for a moment.
fn until_quiet(stream: &mut TcpStream) {
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
}

/// Bytes that arrived in time are a request, however late the relay looks at them.
#[tokio::test]
async fn a_head_that_came_in_time_is_answered_though_the_relay_was_busy() {
    let (_transform, relay, _) = impatient(&["HEADER_TIMEOUT"]).await;
    let mut first = relay.connect();
    let mut later = after_an_answer(&relay, HEALTH);
    later.write_all(b"G").unwrap();
    relay.still_serves().await;
    relay.program.signal("STOP");
    first.write_all(HEALTH.as_bytes()).unwrap();
    later.write_all(&HEALTH.as_bytes()[1..]).unwrap();
    // Longer than a head may take.
    tokio::time::sleep(Duration::from_secs(3)).await;
    relay.program.signal("CONT");
    for (stream, expected) in [(&mut first, &[200, 200][..]), (&mut later, &[200, 200, 200])] {
        let last = HEALTH.replacen("host: r", "host: r\r\nconnection: close", 1);
        stream.write_all(last.as_bytes()).unwrap();
        assert_eq!(statuses(&until_hung_up(stream)), expected);
    }
}

/// A head costs memory until its end has come, so its size is limited.
#[tokio::test]
async fn a_head_that_is_too_large_is_answered_431_and_told() {
    let (_transform, relay, before) = impatient(&[]).await;
    let head = |length: usize| {
        format!("GET /healthz HTTP/1.1\r\nhost: r\r\nconnection: close\r\nx: {}\r\n\r\n", "x".repeat(length))
    };
    for first in ["", HEALTH] {
        let answered = usize::from(!first.is_empty());
        assert_eq!(relay.exchange(format!("{first}{}", head(25_000)).as_bytes()).0.last(), Some(&200));
        for length in [40_000, 400_000] {
            let (statuses, answer) = relay.exchange(format!("{first}{}", head(length)).as_bytes());
            assert_eq!(statuses, [&vec![200; answered][..], &[431]].concat(), "{length}: {answer:?}");
        }
    }
    relay.program.logged_times(&["connection cut off", "too large a head", "127.0.0.1"], 4).await;
    assert_eq!(relay.all_stored(), before);
    relay.still_serves().await;
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_408() {
    let (_transform, relay, before) = impatient(&["BODY_TIMEOUT"]).await;
    let body = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    for part in ["", &body[..1], &body[..body.len() - 1]] {
        let mut silent = relay.connect();
        silent.write_all(format!("{}\r\n{part}", head(body.as_bytes())).as_bytes()).unwrap();
        let answer = until_hung_up(&mut silent);
        assert_eq!(statuses(&answer), [408], "{answer:?}");
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    let mut slow = relay.connect();
    let head =
        head(body.as_bytes()).replacen(&format!("content-length: {}", body.len()), "transfer-encoding: chunked", 1);
    slow.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    let answer = dripped(&mut slow, b"1\r\n \r\n");
    assert!(answer.is_empty() || statuses(&answer) == [408], "{answer:?}");
    assert_eq!(relay.all_stored(), before);
    relay.still_serves().await;
}

#[tokio::test]
async fn a_connection_that_is_not_used_is_closed() {
    let (_transform, relay, _) = impatient(&["KEEP_ALIVE"]).await;
    let mut idle = relay.connect();
    for _ in 0..2 {
        idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: r\r\n\r\n").unwrap();
        idle.peek(&mut [0]).unwrap();
    }
    assert_eq!(statuses(&until_hung_up(&mut idle)), [200, 200]);
    // A client with half a request by then is cut off as well.
    let mut half = relay.connect();
    half.write_all(b"GET /healthz HTTP/1.1\r\nhost: r\r\n\r\nGET /healthz HTTP/1.1\r\nhost: r\r\n").unwrap();
    let answer = until_hung_up(&mut half);
    assert!([&[200][..], &[200, 408]].contains(&&statuses(&answer)[..]), "{answer:?}");
    relay.still_serves().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_answered_in_plain_words() {
    let (_transform, relay, before) = impatient(&[]).await;
    let body = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    let (statuses, answer) = relay.exchange(format!("{}\r\n{{", head(body.as_bytes())).as_bytes());
    assert_eq!(statuses, [400]);
    assert!(answer.contains("the body broke off before its end") && !answer.contains("None"), "{answer}");
    assert_eq!(relay.all_stored(), before);
}

/// A body that no route wants is not waited for, and a body that is read leaves the connection usable.
#[tokio::test]
async fn a_body_that_nobody_reads_ends_the_connection() {
    let (_transform, relay, before) = impatient(&[]).await;
    for route in ["POST /nowhere", "GET /healthz", "DELETE /records/payment/tx-1", "PUT /records/payment/tx-1"] {
        for length in ["transfer-encoding: chunked", "content-length: 1000000"] {
            let mut stream = relay.connect();
            stream.write_all(format!("{route} HTTP/1.1\r\nhost: r\r\n{length}\r\n\r\n").as_bytes()).unwrap();
            let answer = until_hung_up(&mut stream);
            assert!(matches!(statuses(&answer)[..], [200 | 401 | 404 | 405]), "{route} {length}: {answer:?}");
        }
    }
    assert_eq!(relay.all_stored(), before);
    let body = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    let head = head(body.as_bytes());
    let head = head.replacen(&format!("content-length: {}", body.len()), "transfer-encoding: chunked", 1);
    let (one, two) = body.split_at(100);
    let chunks = format!("{:x}\r\n{one}\r\n{:x};x=y\r\n{two}\r\n0\r\ntrailer: x\r\n\r\n", one.len(), two.len());
    let mut stream = relay.connect();
    stream.write_all(format!("{head}\r\n{chunks}").repeat(2).as_bytes()).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n").unwrap();
    let answer = until_hung_up(&mut stream);
    assert_eq!(statuses(&answer), [200, 200, 200], "{answer}");
    assert_eq!(answer.matches("\"parked\"").count(), 2, "{answer}");
}

/// A client that comes while the relay is busy waits to be accepted, and is not turned away.
#[tokio::test]
async fn a_crowd_that_comes_all_at_once_is_let_in() {
    let (_transform, relay, _) = impatient(&[]).await;
    let address = relay.url.strip_prefix("http://").unwrap().parse().unwrap();
    relay.program.signal("STOP");
    let mut crowd: Vec<_> = (0..400).map(|_| TcpStream::connect_timeout(&address, PATIENCE).unwrap()).collect();
    relay.program.signal("CONT");
    for stream in &mut crowd {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(HEALTH.replacen("host: r", "host: r\r\nconnection: close", 1).as_bytes()).unwrap();
        assert_eq!(statuses(&until_hung_up(stream)), [200]);
    }
}

/// A crowd of slow clients gets its due answers; a quick client in the middle of it does not notice.
#[tokio::test]
async fn slow_clients_are_in_nobodys_way() {
    let (_transform, relay, before) = impatient(&["HEADER_TIMEOUT", "BODY_TIMEOUT", "KEEP_ALIVE"]).await;
    let body = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    let mut crowd: Vec<_> = (0..100).map(|_| relay.connect()).collect();
    for (n, stream) in crowd.iter_mut().enumerate() {
        let said = if n % 2 == 0 { "GET /healthz".to_owned() } else { format!("{}\r\n{{", head(body.as_bytes())) };
        stream.write_all(said.as_bytes()).unwrap();
    }
    relay.still_serves().await;
    for mut stream in crowd {
        let answer = until_hung_up(&mut stream);
        assert!([&[][..], &[408]].contains(&&statuses(&answer)[..]), "{answer:?}");
    }
    let after = relay.all_stored();
    assert!(before.iter().all(|row| after.contains(row)));
    assert!(!after.iter().any(|row| row.contains("\"pi_1\"")), "{after:?}");
    relay.still_serves().await;
}
