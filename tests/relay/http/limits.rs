//! Limits of requests: the write queue, bodies that are received at once, the size of forms and chunks, connections.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use reqwest::Method;

use crate::support::siege::{statuses, until_hung_up};
use crate::support::{PATIENCE, Setup, psp, start, stripe};

const AT: i64 = 1_700_000_000;

fn with(more: &str) -> Setup {
    Setup { more: more.to_owned(), ..Setup::silent() }
}

/// One piece of work is in the writer's hands, and one waits; further requests are refused at once and leave nothing.
#[tokio::test]
async fn more_than_may_wait_is_sent_away() {
    let more = "[sources.spare]\nprofile = \"stripe\"\nsecrets = [\"whsec_spare\"]";
    let mut setup = with(more);
    setup.environment.push(("RELAY_STORE__MAX_WAITING".to_owned(), "1".to_owned()));
    let (_transform, relay) = start(setup).await;
    let held = relay.hold_store();
    let mut crowd = tokio::task::JoinSet::new();
    for n in 0..20 {
        let sealed = psp::seal("stripe-main", stripe::paid(&format!("pi_{n}"), AT, 1000).to_string().as_bytes());
        let (name, value) = sealed.headers[0].clone();
        let request = relay.request(Method::POST, "/notifications/stripe-main").header(name, value).body(sealed.body);
        crowd.spawn(async move {
            let answer = request.send().await.unwrap();
            let after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
            (n, answer.status().as_u16(), after)
        });
    }
    for _ in 0..18 {
        let (_, status, after) = crowd.join_next().await.unwrap().unwrap();
        assert_eq!((status, after.as_deref()), (503, Some("1")));
    }
    // The reason is the full queue, not a time-out at the lock.
    relay.program.logged(&["request not taken (503)", "the write queue is full"]).await;
    drop(held);
    let mut taken = 0;
    while let Some(answered) = crowd.join_next().await {
        taken += i64::from(answered.unwrap().1 == 200);
    }
    assert_eq!(relay.rows().notifications, taken);
    for n in 0..20 {
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
    }
    assert_eq!(relay.rows().notifications, 20);
}

/// A client that sends a large body without its end holds room for it; other large bodies are refused, not buffered. A
/// client that only announces a large body holds no room. A small body needs no room.
#[tokio::test]
async fn more_than_may_be_received_at_once_is_sent_away() {
    let mut setup = Setup { max_body: "64KiB", ..Setup::silent() };
    setup.environment.push(("RELAY_SERVER__MAX_BUFFERED".to_owned(), "64KiB".to_owned()));
    let (_transform, relay) = start(setup).await;
    let small = stripe::paid("pi_1", AT, 1000);
    let mut event = small.clone();
    event["padding"] = " ".repeat(40 * 1024).into();
    let mut greedy = TcpStream::connect(relay.url.strip_prefix("http://").unwrap()).unwrap();
    greedy.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "POST /notifications/stripe-main HTTP/1.1\r\nhost: relay\r\nexpect: 100-continue\r\n";
    greedy.write_all(format!("{head}content-length: 65536\r\n\r\n").as_bytes()).unwrap();
    // The relay says that it has begun to read.
    greedy.read_exact(&mut [0; 25]).unwrap();
    relay.notify("stripe-main", &event).await.expect(200);
    greedy.write_all(&[b' '; 65_535]).unwrap();
    let refused = async {
        loop {
            let reply = relay.notify("stripe-main", &event).await;
            if reply.status != 200 {
                return reply;
            }
        }
    };
    let reply = crate::support::within("the room to be taken", refused).await;
    reply.problem(503);
    assert_eq!(reply.header("retry-after"), "1");
    relay.program.logged(&["notification refused", "stripe-main", "server.max_buffered"]).await;
    relay.notify("stripe-main", &small).await.expect(200);
    drop(greedy);
    let taken = async { while relay.notify("stripe-main", &event).await.status != 200 {} };
    crate::support::within("room", taken).await;
}

/// A form is small: a larger one is refused as soon as it is too large, and not read up to the limit of a body.
#[tokio::test]
async fn a_form_that_is_too_large_is_refused_before_it_has_come() {
    let (_transform, relay) = start(Setup::silent()).await;
    let mut stream = relay.connect();
    let form = "content-type: application/x-www-form-urlencoded\r\ntransfer-encoding: chunked";
    let chunk = format!("4400\r\n{}\r\n", "a".repeat(0x4400));
    stream.write_all(format!("POST /oauth/token HTTP/1.1\r\nhost: r\r\n{form}\r\n\r\n{chunk}").as_bytes()).unwrap();
    let answer = until_hung_up(&mut stream);
    assert_eq!(statuses(&answer), [413], "{answer}");
    relay.program.logged(&["request refused", "/oauth/token", "413"]).await;
}

/// Chunk extensions and trailers are as cheap to send as data, so they have a limit as well.
#[tokio::test]
async fn chunk_extensions_and_trailers_that_are_too_large_are_refused() {
    let (_transform, relay) = start(Setup::silent()).await;
    let form = "content-type: application/x-www-form-urlencoded\r\ntransfer-encoding: chunked";
    let head = format!("POST /oauth/token HTTP/1.1\r\nhost: r\r\n{form}\r\n\r\n");
    let beside = |times: usize| {
        [
            format!("1\r\na\r\n0\r\n{}", "x\n\r\n".repeat(times)),
            format!("1\r\na\r\n0\r\n{}", "x: yyyyyyyyyy\r\n".repeat(times / 4)),
            format!("{}0\r\n", format!("1;{}\r\na\r\n", "x".repeat(1000)).repeat(times * 4 / 1000)),
            format!("1{}\r\na\r\n0\r\n", " ".repeat(times * 4)),
            format!("{}1\r\na\r\n0\r\n", "0".repeat(times * 4)),
        ]
    };
    for chunks in beside(5_000) {
        let (_, answer) = relay.exchange(format!("{head}{chunks}\r\n").as_bytes());
        assert_eq!(statuses(&answer), [400], "{answer}");
    }
    for chunks in beside(12_000) {
        // The relay waits neither for the end of the body nor for that of the connection.
        let mut stream = relay.connect();
        stream.write_all(format!("{head}{chunks}").as_bytes()).unwrap();
        let answer = until_hung_up(&mut stream);
        assert_eq!(statuses(&answer), [413], "{answer}");
        assert!(answer.contains("chunk extensions") && answer.contains("connection: close"), "{answer}");
    }
    relay.program.logged(&["request refused", "413", "chunk extensions"]).await;
    relay.still_serves().await;
}

/// `server.max_connections` connections are served at once, over all threads. The next one waits until one closes.
#[tokio::test]
async fn as_many_connections_are_served_at_once_as_may_be() {
    for most in [1, 3] {
        let mut setup = Setup::silent();
        setup.environment.push(("RELAY_SERVER__MAX_CONNECTIONS".to_owned(), most.to_string()));
        setup.environment.push(("RELAY_SERVER__KEEP_ALIVE".to_owned(), "1h".to_owned()));
        let (_transform, relay) = start(setup).await;
        let ask = |stream: &mut TcpStream| stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: r\r\n\r\n").unwrap();
        let mut served: Vec<_> = (0..most).map(|_| relay.connect()).collect();
        served.iter_mut().for_each(|stream| assert_eq!(answered(stream, ask), 200));
        let mut next: Vec<_> = (0..2).map(|_| relay.connect()).collect();
        next.iter_mut().for_each(ask);
        // Meanwhile the next ones would have been served, if they were served at all.
        for n in 0..200 {
            assert_eq!(answered(&mut served[n % most], ask), 200);
        }
        for stream in &mut next {
            stream.set_nonblocking(true).unwrap();
            assert_eq!(stream.peek(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock, "{most} are served");
            stream.set_nonblocking(false).unwrap();
        }
        let first = served.pop();
        drop(first);
        assert_eq!(answered(&mut next[0], |_| {}), 200, "the next one, when one has closed");
        drop(next.remove(0));
        assert_eq!(answered(&mut next[0], |_| {}), 200);
    }
}

/// Sends a request, and reads one answer; returns its status.
fn answered(stream: &mut TcpStream, ask: impl Fn(&mut TcpStream)) -> u16 {
    ask(stream);
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    statuses(&String::from_utf8(answer).unwrap())[0]
}
