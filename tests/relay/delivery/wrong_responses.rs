//! Wrong responses of Transform, or of an impostor: an attempt ends, the status alone decides, and no other record is
//! affected.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::Instant;

use crate::support::integrator::with;
use crate::support::tls::Certificate;
use crate::support::{Answer, Relay, Setup, Transform, payment, start, stripe};

const AT: i64 = 1_700_000_000;

/// A relay with quick retries.
fn quick() -> Setup {
    Setup { retry_first: "1ms", retry_max: "10ms", ..Setup::default() }
}

/// The same for endless responses. The timeout is long enough for a proper response on any machine.
fn hasty() -> Setup {
    Setup { timeout: "4s", ..quick() }
}

/// Registers and pays a record.
async fn pay(relay: &Relay, n: usize) {
    relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
    assert_eq!(relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await, "applied");
}

/// Payment tx-1 is told until Transform takes it; returns the number of attempts.
async fn attempts(setup: Setup, answers: Vec<Answer>) -> (Transform, Relay, usize) {
    let (transform, relay) = start(setup).await;
    transform.script(answers);
    pay(&relay, 1).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
    relay.caught_up(&transform).await;
    let attempts = transform.count("payment", "tx-1");
    (transform, relay, attempts)
}

#[tokio::test]
async fn what_is_no_http_is_a_failure() {
    let nonsense = [
        "",
        "\r\n\r\n",
        "\0\0\0\0\0\0\0\0",
        "HTTP/1.1",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/9.9 200 OK\r\ncontent-length: 0\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
        "200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n",
        "\u{16}\u{3}\u{1}",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    let answers: Vec<_> = nonsense.iter().map(|text| Answer::Broken(text.as_bytes().to_vec())).collect();
    let (_transform, _relay, attempts) = attempts(quick(), answers).await;
    assert_eq!(attempts, nonsense.len() + 1, "one of them was taken for an answer");
}

/// Only the status counts: Transform has been told as soon as it comes.
#[tokio::test]
async fn what_follows_a_status_does_not_matter() {
    for rest in [
        "content-length: 10\r\n\r\nabc",
        "transfer-encoding: chunked\r\n\r\nZZZ\r\n",
        "transfer-encoding: chunked\r\n\r\n5\r\nab",
        "content-encoding: gzip\r\ncontent-length: 3\r\n\r\nabc",
        "\r\n",
    ] {
        let answer = |status: &str| Answer::Broken(format!("HTTP/1.1 {status} Word\r\n{rest}").into_bytes());
        let (_transform, _relay, attempts) = attempts(quick(), vec![answer("500"), answer("200")]).await;
        assert_eq!(attempts, 2, "{rest:?}");
    }
}

#[tokio::test]
async fn an_answer_that_stops_half_way_ends_with_the_timeout() {
    let part = |text: &str| Answer::Part(text.as_bytes().to_vec());
    let answers = vec![
        part("HTTP/1.1 20"),
        part("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nhalf-a-hea"),
        part("HTTP/1.1 500 Word\r\ncontent-length: 10\r\n\r\nabc"),
        part("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"),
    ];
    let (transform, _relay, attempts) = attempts(hasty(), answers).await;
    assert_eq!(attempts, 4);
    transform.hung_up(4).await;
}

/// The peak memory of the process, if the machine tells it.
fn peak_memory_kb(relay: &Relay) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", relay.program.pid)).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let block = |text: &str| text.repeat(64 * 1024 / text.len()).into_bytes();
    let endless = |first: &str, again: &str| Answer::Endless(first.as_bytes().to_vec(), block(again));
    // The statuses decide: each is a failure, until one attempt is taken.
    let answers = vec![
        endless("HTTP/1.1 500 Word\r\ncontent-length: 99999999999\r\n\r\n", "x"),
        endless("HTTP/1.1 500 Word\r\n\r\n", "x"),
        endless("HTTP/1.1 500 Word\r\ntransfer-encoding: chunked\r\n\r\n", "8\r\nabcdefgh\r\n"),
        endless("", "x"),
        endless("", "HTTP/1.1 100 Continue\r\n\r\n"),
        endless("", "HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n"),
        endless("HTTP/1.1 200 OK\r\n", "many: headers\r\n"),
        endless("HTTP/1.1 200 OK\r\nlong: ", "x"),
        endless("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8;", "x"),
    ];
    let wrong = answers.len();
    let (transform, relay) = start(hasty()).await;
    pay(&relay, 2).await;
    transform.told("payment", "tx-2", 1).await;
    relay.program.logged(&["told Transform", "record=payment/tx-2 "]).await;
    let before = peak_memory_kb(&relay);
    transform.script(answers);
    pay(&relay, 1).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
    transform.hung_up(wrong).await;
    let told = transform.count("payment", "tx-1");
    // The last response is a 200, and its body need not be understood.
    assert_eq!(told, wrong, "{}", relay.program.log());
    relay.caught_up(&transform).await;
    if let (Some(before), Some(after)) = (before, peak_memory_kb(&relay)) {
        assert!(after - before < 32 * 1024, "from {before} kB to {after} kB");
    }
}

#[tokio::test]
async fn an_interim_answer_is_none() {
    let early = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
    let answer = |status: u16| Answer::Broken(format!("{early}HTTP/1.1 {status} Word\r\n\r\n").into_bytes());
    let (_transform, _relay, attempts) = attempts(quick(), vec![answer(500), answer(204)]).await;
    assert_eq!(attempts, 2);
    // A connection that is switched to another protocol has told nothing.
    let switch = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    let (_transform, _relay, attempts) = self::attempts(hasty(), vec![Answer::Part(switch.into())]).await;
    assert_eq!(attempts, 2);
}

/// Connections are used again; surplus bytes on one are not the response to the next webhook.
#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_not_taken_for_the_next_one() {
    let (transform, relay) = start(quick()).await;
    let taken = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    transform.script([Answer::Part(taken.repeat(3).into_bytes()), Answer::status(500)]);
    pay(&relay, 1).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
    pay(&relay, 2).await;
    transform.told("payment", "tx-2", 2).await;
    relay.program.logged(&["told Transform", "record=payment/tx-2 "]).await;
    assert_eq!(transform.count("payment", "tx-1"), 1);
}

/// The response to an old version comes when a newer version is known: the newer one is told once, afterwards.
#[tokio::test]
async fn a_late_answer_settles_only_what_it_was_asked_for() {
    for status in [200, 500] {
        let (transform, relay) = start(quick()).await;
        let (late, gate) = Answer::held(status);
        transform.script([late]);
        transform.fetch_from(&relay.url);
        relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
        relay.stripe(&stripe::paid("pi_1", AT, 400)).await;
        transform.told("payment", "tx-1", 1).await;
        for (n, cents) in [(1, 600), (2, 800), (3, 1000)] {
            assert_eq!(relay.stripe(&stripe::paid("pi_1", AT + n, cents)).await, "applied");
        }
        gate.open();
        let told = transform.told("payment", "tx-1", 2).await;
        assert!(told.iter().all(|hook| !hook.overlaps));
        assert_eq!(told[1].read.clone().unwrap().unwrap()["status"], "Succeeded");
        relay.program.logged(&["told Transform", "record=payment/tx-1 ", "version=5"]).await;
        relay.caught_up(&transform).await;
        assert_eq!(transform.count("payment", "tx-1"), 2);
    }
}

/// Seconds or a date: no attempt comes earlier, and none waits for more than the longest wait.
#[tokio::test]
async fn retry_after_is_a_bound_from_below() {
    for (status, by_date) in [(429, false), (429, true), (503, true)] {
        let (transform, relay) = start(patient()).await;
        // The instant is taken first: however much time passes in between, it is not later than the date.
        let now = Instant::now();
        let date = Timestamp::now().as_second() + 3;
        let left = Timestamp::from_second(date).unwrap().duration_since(Timestamp::now());
        let at_date = now + Duration::try_from(left).unwrap_or_default();
        let asked = if by_date { http_date(date) } else { "2".to_owned() };
        transform.script([Answer::header(status, "Retry-After", asked)]);
        pay(&relay, 1).await;
        let told = transform.told("payment", "tx-1", 2).await;
        let earliest = if by_date { at_date } else { transform.answered(0) + Duration::from_secs(2) };
        // Clocks agree to the millisecond.
        let came = told[1].at + Duration::from_millis(5);
        assert!(came >= earliest, "{status}, by date {by_date}: {:?} too early", earliest - came);
    }
}

/// Attempts are put off for as long as Transform likes.
fn patient() -> Setup {
    Setup { retry_max: "1h", ..quick() }
}

fn http_date(second: i64) -> String {
    let at = Timestamp::from_second(second).unwrap().to_zoned(TimeZone::UTC);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[tokio::test]
async fn retry_after_is_kept_up_to_the_longest_wait() {
    const HOUR_S: i64 = 3600;
    let tomorrow = Timestamp::now().as_second() + 24 * HOUR_S;
    let old = Timestamp::from_second(tomorrow).unwrap().to_zoned(TimeZone::UTC);
    let dates = [
        http_date(tomorrow),
        old.strftime("%A, %d-%b-%y %H:%M:%S GMT").to_string(),
        old.strftime("%a %b %e %H:%M:%S %Y").to_string(),
        "Fri, 31 Dec 9999 23:59:59 GMT".to_owned(),
    ];
    for asked in ["86400".to_owned(), "99999999999999999999".to_owned()].into_iter().chain(dates) {
        let (transform, relay) = start(patient()).await;
        transform.script([Answer::header(429, "Retry-After", asked.clone())]);
        pay(&relay, 1).await;
        relay.program.logged(&["could not tell Transform", "record=payment/tx-1 ", "HTTP 429"]).await;
        relay.terminate().await;
        let owed = relay.outbox().remove(0);
        for waits in [owed.due.unwrap(), owed.not_before.unwrap()] {
            assert_eq!(waits / 1_000_000, HOUR_S, "{asked}: {owed:?}");
        }
    }
    // A Retry-After that cannot be understood asks for nothing.
    for asked in ["soon", "-5", "", "Sun, 06 Nov 1994 08:49:37 GMT"] {
        let (_transform, _relay, attempts) = attempts(quick(), vec![Answer::header(429, "Retry-After", asked)]).await;
        assert_eq!(attempts, 2, "{asked}");
    }
}

/// A record that is told by https at `localhost`.
async fn pay_by_https(relay: &Relay, port: u16, n: usize) {
    let target = format!("https://localhost:{port}/hook");
    relay
        .register("payment", &format!("tx-{n}"), &with(payment(&format!("pi_{n}"), "10"), "webhookTarget", target))
        .await;
    assert_eq!(relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await, "applied");
}

/// A relay that may tell `localhost`, and trusts this certificate.
fn trusting(certificate: &Certificate, folder: &tempfile::TempDir) -> Setup {
    let file = folder.path().join("trusted.pem");
    std::fs::write(&file, &certificate.pem).unwrap();
    let environment =
        [("RELAY_TRANSFORM__ALLOWED_HOSTS", "localhost,127.0.0.1"), ("SSL_CERT_FILE", file.to_str().unwrap())];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Setup { environment, ..quick() }
}

#[tokio::test]
async fn only_a_host_with_a_trusted_certificate_of_its_name_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (good, stranger, other_name) =
        (Certificate::of("localhost"), Certificate::of("localhost"), Certificate::of("elsewhere.example"));
    for (server, trusted, told) in [(&good, &good, true), (&stranger, &good, false), (&other_name, &other_name, false)]
    {
        let https = Transform::start_tls(server);
        let (transform, relay) = start(trusting(trusted, &folder)).await;
        pay_by_https(&relay, https.address.port(), 1).await;
        if told {
            https.told("payment", "tx-1", 1).await;
            relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
        } else {
            relay.program.logged(&["could not tell Transform", "record=payment/tx-1 ", "certificate"]).await;
        }
        relay.caught_up(&transform).await;
        assert_eq!(https.hooks().len(), usize::from(told));
    }
}

/// A server that speaks plain HTTP, or nonsense, where https is expected.
#[tokio::test]
async fn what_speaks_no_tls_is_told_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plain = Transform::start();
    let (transform, relay) = start(trusting(&Certificate::of("localhost"), &folder)).await;
    let nonsense = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nonsense.local_addr().unwrap().port();
    let (heard, hears) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in nonsense.incoming().map_while(Result::ok) {
            let mut said = [0; 512];
            let length = stream.read(&mut said).unwrap_or_default();
            drop(heard.send(said[..length].to_vec()));
            drop(stream.write_all(&[0x15, 0xFF, 0x42].repeat(1000)));
        }
    });
    pay_by_https(&relay, plain.address.port(), 1).await;
    pay_by_https(&relay, port, 2).await;
    for n in 1..=2 {
        relay.program.logged(&["could not tell Transform", &format!("record=payment/tx-{n} ")]).await;
    }
    let said = hears.recv().unwrap();
    assert!(!String::from_utf8_lossy(&said).contains("tx-2"), "told in the open");
    assert!(plain.hooks().is_empty());
    relay.caught_up(&transform).await;
}
