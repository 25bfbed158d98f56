//! Frozen relay (SIGSTOP, a machine that sleeps): it reads the requests that came meanwhile before it looks at the
//! clock.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::siege::{statuses, until_hung_up};
use crate::support::{Relay, Setup, Transform, psp, start, stripe};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: r\r\n\r\n";
const LAST: &str = "GET /healthz HTTP/1.1\r\nhost: r\r\nconnection: close\r\n\r\n";

/// A relay with this server setting at this many seconds.
async fn short(name: &str, seconds: u64) -> (Transform, Relay) {
    let mut setup = Setup::silent();
    setup.environment.push((format!("RELAY_SERVER__{name}"), format!("{seconds}s")));
    start(setup).await
}

/// Freezes the relay for longer than its short time, and runs `meanwhile` in between. The test has to sleep: a frozen
/// relay gives no signal.
async fn frozen(relay: &Relay, seconds: u64, meanwhile: impl FnOnce()) {
    relay.program.signal("STOP");
    meanwhile();
    tokio::time::sleep(Duration::from_secs(seconds + 1)).await;
    relay.program.signal("CONT");
}

/// A PSP sends another request on a connection that was kept open.
#[tokio::test]
async fn a_request_on_an_idle_connection_is_answered_though_the_relay_was_frozen() {
    let (_transform, relay) = short("KEEP_ALIVE", 2).await;
    let mut kept: Vec<_> = (0..4).map(|_| relay.connect()).collect();
    for stream in &mut kept {
        stream.write_all(HEALTH.as_bytes()).unwrap();
        stream.peek(&mut [0]).unwrap();
    }
    frozen(&relay, 2, || kept.iter_mut().for_each(|stream| stream.write_all(LAST.as_bytes()).unwrap())).await;
    for stream in &mut kept {
        assert_eq!(statuses(&until_hung_up(stream)), [200, 200]);
    }
}

/// A notification without its last byte, and that byte.
fn all_but_one_byte() -> (String, String) {
    let body = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    let sealed = psp::seal("stripe-main", body.as_bytes());
    let (name, value) = &sealed.headers[0];
    let lines = format!("{name}: {value}\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    let expects = "expect: 100-continue\r\n";
    let (begins, ends) = body.split_at(body.len() - 1);
    (format!("POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\n{lines}{expects}\r\n{begins}"), ends.to_owned())
}

#[tokio::test]
async fn a_body_that_came_in_time_is_taken_though_the_relay_was_frozen() {
    let (_transform, relay) = short("BODY_TIMEOUT", 2).await;
    let (begins, ends) = all_but_one_byte();
    let mut sending: Vec<_> = (0..4).map(|_| relay.connect()).collect();
    for stream in &mut sending {
        stream.write_all(begins.as_bytes()).unwrap();
        // The relay says that it has begun to read.
        stream.read_exact(&mut [0; 25]).unwrap();
    }
    frozen(&relay, 2, || sending.iter_mut().for_each(|stream| stream.write_all(ends.as_bytes()).unwrap())).await;
    for stream in &mut sending {
        let answer = until_hung_up(stream);
        assert_eq!(statuses(&answer), [200], "{answer}");
    }
}

/// Sends requests until the relay takes no more; returns how many whole requests were sent.
fn ask_until_full(stream: &mut TcpStream) -> usize {
    let (requests, mut sent) = (HEALTH.repeat(100), 0);
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    loop {
        match stream.write(&requests.as_bytes()[sent % HEALTH.len()..]) {
            Ok(written) => sent += written,
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {
                return sent / HEALTH.len();
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_client_that_read_its_answers_is_not_cut_off_though_the_relay_was_frozen() {
    let (_transform, relay) = short("WRITE_TIMEOUT", 5).await;
    let mut stream = relay.connect();
    let asked = ask_until_full(&mut stream);
    let (mut answers, mut part) = (Vec::new(), vec![0; 64 * 1024]);
    let mut reading = stream.try_clone().unwrap();
    frozen(&relay, 5, || {
        reading.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        while let Ok(read) = reading.read(&mut part) {
            answers.extend_from_slice(&part[..read]);
        }
    })
    .await;
    stream.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    let count = |answers: &[u8]| answers.windows(12).filter(|at| at == b"HTTP/1.1 200").count();
    let mut answered = count(&answers);
    assert!(answered < asked, "the relay was not waiting for its client: {answered} of {asked}");
    answers.drain(..answers.len() - 11);
    while answered < asked {
        let read = stream.read(&mut part).unwrap();
        assert!(read > 0, "hung up on after {answered} of {asked} answers");
        answers.extend_from_slice(&part[..read]);
        answered += count(&answers);
        answers.drain(..answers.len() - 11);
    }
}
