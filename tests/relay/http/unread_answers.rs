//! Unread answers: clients that send requests and read no answer cost little, and are cut off.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::Method;
use tokio::time::Instant;

use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::siege::{statuses, until_hung_up};
use crate::support::{PATIENCE, Relay, Setup, Transform, payment, start, within};

/// Long enough for a client that reads, on a busy machine too.
const SHORT: &str = "2s";
/// Longer than any test.
const LONG: &str = "1h";

/// A relay with this wait for a client that does not read.
async fn waiting(write_timeout: &str) -> (Transform, Relay) {
    keeping(LONG, write_timeout).await
}

/// The same, with this time for a connection without a request.
async fn keeping(keep_alive: &str, write_timeout: &str) -> (Transform, Relay) {
    let mut setup = Setup::silent();
    for (name, value) in [("WRITE_TIMEOUT", write_timeout), ("KEEP_ALIVE", keep_alive), ("HEADER_TIMEOUT", LONG)] {
        setup.environment.push((format!("RELAY_SERVER__{name}"), value.to_owned()));
    }
    start(setup).await
}

/// The message in the log.
const NOT_READ: &str = "the client did not read its answers within server.write_timeout";

/// The kinds of request that the clients send without end, one kind at a time.
const KINDS: [&str; 4] = [
    "GET /nowhere HTTP/1.1\r\nhost: r\r\n\r\n",
    "HEAD /healthz HTTP/1.1\r\nhost: r\r\n\r\n",
    "POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\ncontent-length: 2\r\n\r\n{}",
    "POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
];

/// Writes requests until the relay takes no more (`until` is `WouldBlock`) or hangs up; returns the error at the end.
fn ask_and_ask(stream: &mut TcpStream, request: &str, until: ErrorKind) -> ErrorKind {
    let requests = request.repeat(64 * 1024 / request.len());
    loop {
        if let Err(error) = stream.write_all(requests.as_bytes()) {
            let kind = error.kind();
            let gone = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&kind);
            assert!(kind == until || gone, "{error}");
            return kind;
        }
    }
}

/// The CPU time of the relay, in ticks of a hundredth of a second.
fn ticks(relay: &Relay) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", relay.program.pid)).unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The memory of the relay, in KiB.
fn memory(relay: &Relay) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", relay.program.pid)).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Waits until the relay uses less than a tenth of a core.
async fn at_rest(relay: &Relay) {
    let rests = async {
        loop {
            let before = ticks(relay);
            tokio::time::sleep(Duration::from_secs(1)).await;
            if ticks(relay) - before < 10 {
                return;
            }
        }
    };
    within("the relay to rest while nobody reads its answers", rests).await;
}

#[tokio::test]
async fn a_client_that_reads_no_answer_is_cut_off() {
    let (_transform, relay) = waiting(SHORT).await;
    for request in KINDS {
        let mut stream = relay.connect();
        let ended = ask_and_ask(&mut stream, request, ErrorKind::ConnectionReset);
        assert!([ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&ended), "{request}: {ended:?}");
    }
    let told = ["connection cut off", "answers that are not read"];
    relay.program.logged_times(&told, KINDS.len()).await;
    // The log says so, whether the relay or the machine cut the client off.
    relay.program.logged_times(&[&told[..], &["127.0.0.1", NOT_READ]].concat(), KINDS.len()).await;
    let metrics = relay.request(Method::GET, "/metrics").bearer_auth(INTEGRATOR_TOKEN);
    let metrics = relay.send(metrics).await.expect(200).text;
    assert!(
        metrics.contains("refusals_total{route=\"connection\",source=\"\",reason=\"answers that are not read\"}"),
        "{metrics}"
    );
    relay.still_serves().await;
}

/// No more work is begun for such a client until it reads.
#[tokio::test]
async fn a_client_that_reads_no_answer_costs_no_time() {
    let (_transform, relay) = waiting(LONG).await;
    let streams: Vec<_> = KINDS.iter().map(|request| asking(&relay, request)).collect();
    at_rest(&relay).await;
    relay.still_serves().await;
    at_rest(&relay).await;
    drop(streams);
}

/// Bytes behind a slow request are not read before the request has its answer, and neither is an unread body.
#[tokio::test]
async fn a_client_that_does_not_wait_for_its_answer_costs_no_time() {
    let (_transform, relay) = waiting(LONG).await;
    let held = relay.hold_store();
    let body = payment("pi_1", "10").to_string();
    let head = format!("authorization: Bearer {INTEGRATOR_TOKEN}\r\ncontent-length: {}", body.len());
    let put = format!("PUT /records/payment/tx-1 HTTP/1.1\r\nhost: r\r\n{head}\r\n\r\n{body}");
    let ready = |rest: &str| format!("GET /readyz HTTP/1.1\r\nhost: r\r\n{rest}");
    let crowd = [
        format!("{put}{}", KINDS[0].repeat(8_000)),
        ready("content-length: 1\r\n\r\na").repeat(8_000),
        ready("content-length: 00\r\n\r\n").repeat(8_000),
        ready("transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n").repeat(8_000),
        ready(&format!("content-length: 400000\r\n\r\n{}", "a".repeat(400_000))),
    ];
    let (began, before) = (Instant::now(), ticks(&relay));
    let streams = crowd.map(|requests| {
        let mut stream = relay.connect();
        stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        // As many requests as are taken.
        drop(stream.write_all(requests.as_bytes()));
        stream
    });
    streams[0].peek(&mut [0]).unwrap();
    let (used, passed) = (ticks(&relay) - before, began.elapsed().as_millis() / 10);
    assert!(u128::from(used) < passed / 10, "{used} of {passed} hundredths of a second");
    drop(held);
}

/// A connection whose client sends requests until nothing more fits.
fn asking(relay: &Relay, request: &str) -> TcpStream {
    let mut stream = relay.connect();
    // Enough time for a busy relay to read its fill.
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    assert_eq!(ask_and_ask(&mut stream, request, ErrorKind::WouldBlock), ErrorKind::WouldBlock);
    stream
}

#[tokio::test]
async fn many_clients_that_read_no_answer_cost_little_memory_and_are_in_nobodys_way() {
    let (_transform, relay) = waiting(LONG).await;
    relay.still_serves().await;
    let before = memory(&relay);
    let mut crowd: Vec<_> = (0..20).map(|_| relay.connect()).collect();
    let requests = KINDS[0].repeat(64 * 1024 / KINDS[0].len());
    // Half a megabyte of requests on each connection: the machine cannot buffer all the answers.
    for _ in 0..8 {
        for stream in &mut crowd {
            stream.set_nonblocking(true).unwrap();
            drop(stream.write(requests.as_bytes()));
        }
    }
    relay.still_serves().await;
    at_rest(&relay).await;
    let after = memory(&relay);
    assert!(after < 2 * before, "{before} KiB before, {after} KiB with a crowd that does not read");
    relay.still_serves().await;
}

/// A stop does not wait as long for unread answers as for work.
#[tokio::test]
async fn a_client_that_reads_no_answer_does_not_hold_up_a_stop() {
    let (_transform, relay) = waiting(LONG).await;
    let stream = asking(&relay, KINDS[0]);
    at_rest(&relay).await;
    let ended = relay.terminate().await;
    assert_eq!(ended.code, Some(0));
    assert!(!ended.stderr.contains("the grace period is over"), "{}", ended.stderr);
    drop(stream);
}

/// A client that reads slowly, but reads, gets every answer.
#[tokio::test]
async fn a_client_that_reads_late_gets_all_its_answers() {
    let (_transform, relay) = waiting(LONG).await;
    reads_late(&relay, at_rest(&relay)).await;
}

/// A connection with unread answers is not idle, so its idle time does not run.
#[tokio::test]
async fn a_client_that_reads_later_than_connections_are_kept_gets_all_its_answers() {
    let (_transform, relay) = keeping(SHORT, LONG).await;
    let kept = async {
        at_rest(&relay).await;
        // Once a connection that is idle from now on is closed, the idle time of the other one would be over, too.
        let mut idle = relay.connect();
        idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: r\r\n\r\n").unwrap();
        let closed = std::thread::spawn(move || until_hung_up(&mut idle));
        assert_eq!(statuses(&closed.join().unwrap()), [200]);
    };
    reads_late(&relay, kept).await;
}

async fn reads_late(relay: &Relay, until: impl Future<Output = ()>) {
    let mut stream = relay.connect();
    let many = 20_000;
    let mut writing = stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        for _ in 0..many / 100 {
            // If a write fails, answers will be missing.
            drop(writing.write_all(KINDS[0].repeat(100).as_bytes()));
        }
        drop(writing.write_all(b"GET /healthz HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n"));
    });
    until.await;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let statuses = statuses(&until_hung_up(&mut stream));
    writer.join().unwrap();
    assert_eq!((statuses.len(), statuses.last()), (many + 1, Some(&200)));
}
