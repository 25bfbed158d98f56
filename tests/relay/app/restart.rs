//! Restart: the data on disk is told, however the relay ended.

use std::io::{Read, Write};
use std::net::TcpStream;
#[cfg(target_os = "linux")]
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use crate::support::setup::INTEGRATOR_TOKEN;
use crate::support::{
    Answer, PATIENCE, Setup, attempt_in_flight, payment, psp, refund, start, stripe, webhook, within,
};

const AT: i64 = 1_700_000_000;

#[tokio::test]
async fn a_change_before_a_kill_is_told_after_it() {
    let (transform, mut relay) = start(Setup { quiet: "2s", max_wait: "10s", ..Setup::default() }).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "applied");
    relay.kill().await;
    relay.restart().await;
    transform.told("payment", "tx-1", 1).await;
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Succeeded");
}

#[tokio::test]
async fn an_attempt_that_a_kill_cut_off_is_made_again() {
    let (transform, mut relay) = start(Setup::default()).await;
    transform.script([Answer::Hang]);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    transform.told("payment", "tx-1", 1).await;
    relay.kill().await;
    relay.restart().await;
    transform.told("payment", "tx-1", 2).await;
    relay.program.logged(&["told Transform", "record=payment/tx-1 "]).await;
}

/// Kills at every step of a stream of changes. Every change that was answered 2xx is there, and in the end all are told.
#[tokio::test]
async fn what_was_answered_2xx_survives_any_number_of_kills() {
    let (transform, mut relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let mut before = String::new();
    for n in 1..=8 {
        assert_eq!(relay.stripe(&stripe::paid("pi_1", AT + n, n * 100)).await, "applied");
        relay.kill().await;
        relay.restart().await;
        let body = relay.fetched("Payment", "tx-1").await;
        assert_eq!(body["payments"][0]["amount"].to_string(), n.to_string());
        let at = body["lastUpdated"].as_str().unwrap().to_owned();
        assert!(at > before, "{at} after {before}");
        before = at;
        assert_eq!(relay.stripe(&stripe::paid("pi_1", AT + n, n * 100)).await, "repeated");
    }
    relay.caught_up(&transform).await;
    relay.terminate().await;
    assert_eq!(relay.rows().outbox, 0);
}

/// A kill in the middle of many requests: the answered ones are there, whatever became of the others.
#[tokio::test]
async fn what_was_answered_in_a_crowd_is_there_after_a_kill() {
    let (transform, mut relay) = start(Setup::default()).await;
    for n in 0..60 {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
    }
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut crowd = tokio::task::JoinSet::new();
    for n in 0..60 {
        let sealed = psp::seal("stripe-main", stripe::paid(&format!("pi_{n}"), AT, 1000).to_string().as_bytes());
        let (name, value) = sealed.headers[0].clone();
        let url = format!("{}/notifications/stripe-main", relay.url);
        let request = client.post(url).header(name, value).body(sealed.body);
        crowd.spawn(async move { (n, request.send().await.is_ok_and(|answer| answer.status() == 200)) });
    }
    let mut answered = Vec::new();
    while let Some(Ok((n, taken))) = crowd.join_next().await {
        answered.extend(taken.then_some(n));
        if answered.len() == 20 {
            relay.program.signal("KILL");
        }
    }
    assert!(answered.len() >= 20, "{answered:?}");
    relay.program.ended().await;
    relay.restart().await;
    for n in answered {
        assert_eq!(relay.fetched("Payment", &format!("tx-{n}")).await["status"], "Succeeded");
        transform.told("payment", &format!("tx-{n}"), 1).await;
    }
}

#[tokio::test]
async fn many_records_are_told_after_a_kill_each_once() {
    let (transform, mut relay) = start(Setup { quiet: "1h", max_wait: "1h", ..Setup::default() }).await;
    for n in 0..25 {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
    }
    relay.kill().await;
    // Due times are stored. The test moves them to now, as if an hour had passed.
    assert_eq!(relay.make_all_due(), 25);
    relay.setup.quiet = "30ms";
    relay.restart().await;
    for n in 0..25 {
        transform.told("payment", &format!("tx-{n}"), 1).await;
    }
    relay.caught_up(&transform).await;
    assert_eq!(transform.hooks().len(), 26);
}

#[tokio::test]
async fn the_refund_is_told_first_after_a_restart_too() {
    let (transform, mut relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.register("refund", "tx-r", &refund("re_1", "tx-1", "4")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    transform.told("payment", "tx-1", 1).await;
    relay.program.logged(&["told Transform"]).await;
    relay.terminate().await;
    (relay.setup.quiet, relay.setup.max_wait) = ("2s", "10s");
    relay.restart().await;
    relay.stripe(&stripe::refund("re_1", AT + 5, 400, "succeeded")).await;
    relay.kill().await;
    relay.restart().await;
    let told = transform.nth(3).await;
    assert_eq!(told[1].json(), webhook("refund", "tx-r"));
    assert_eq!(told[2].json(), webhook("payment", "tx-1"));
}

#[tokio::test]
async fn sigterm_and_sigint_end_it_with_0() {
    for signal in ["TERM", "INT"] {
        let (transform, mut relay) = start(Setup { quiet: "1s", max_wait: "10s", ..Setup::default() }).await;
        relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
        relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
        relay.program.signal(signal);
        let ended = relay.program.ended().await;
        assert_eq!(ended.code, Some(0), "SIG{signal}: {}", ended.stderr);
        assert!(ended.stderr.contains("stopped"), "{}", ended.stderr);
        // The stop came before the record was due, or just after it on a machine that stalled.
        let before = transform.count("payment", "tx-1");
        relay.restart().await;
        transform.told("payment", "tx-1", 1).await;
        relay.caught_up(&transform).await;
        assert_eq!(transform.count("payment", "tx-1"), 1, "{before} of them before the restart");
    }
}

/// Nothing is acknowledged before a start is over, so a stop need not wait for the start's end.
#[tokio::test]
async fn sigterm_and_sigint_end_a_start_at_once() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.terminate().await;
    for signal in ["TERM", "INT"] {
        let busy = relay.begin_to_start().await;
        relay.program.signal(signal);
        let ended = relay.program.ended().await;
        assert_eq!(ended.code, Some(0), "SIG{signal}, and not that the store is busy: {}", ended.stderr);
        assert!(ended.stderr.contains("stopped before the start was over"), "{}", ended.stderr);
        drop(busy);
    }
    relay.restart().await;
    relay.record("payment", "tx-1").await;
}

#[cfg(target_os = "linux")]
const O_NONBLOCK: i32 = 0o4000;

/// Waits until a process reads the pipe; returns a writer that writes nothing.
#[cfg(target_os = "linux")]
async fn reader_of(pipe: &str) -> std::fs::File {
    let writer = std::fs::OpenOptions::new().write(true).custom_flags(O_NONBLOCK).to_owned();
    let reads = async {
        loop {
            match writer.open(pipe) {
                Ok(writer) => break writer,
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
    };
    within("a reading", reads).await
}

/// A pipe without a writer stands in for a disk that hangs.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn sigterm_and_sigint_end_a_relay_that_cannot_read_its_configuration() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.terminate().await;
    let pipe = relay.file("pipe").display().to_string();
    relay.setup.more = format!("[sources.one]\nprofile = \"stripe\"\nsecrets = [{{ file = \"{pipe}\" }}]\n");
    for signal in ["TERM", "INT"] {
        relay.setup.before = format!("rm -f {pipe} && mkfifo {pipe}");
        relay.begin();
        let writer = reader_of(&pipe).await;
        relay.program.signal(signal);
        let ended = relay.program.ended().await;
        assert_eq!(ended.code, Some(0), "SIG{signal}: {ended:?}");
        assert!(ended.stderr.contains("stopped before the start was over"), "{ended:?}");
        drop(writer);
    }
}

/// The pipe can be read once, so the second read of the configuration hangs.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn sigterm_ends_a_relay_that_cannot_read_its_configuration_again() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.terminate().await;
    let pipe = relay.file("pipe").display().to_string();
    relay.setup.more = format!("[sources.one]\nprofile = \"stripe\"\nsecrets = [{{ file = \"{pipe}\" }}]\n");
    relay.setup.before = format!("mkfifo {pipe} && {{ echo whsec_once >{pipe} & }}");
    relay.restart().await;
    relay.program.signal("HUP");
    let writes_again = reader_of(&pipe).await;
    relay.program.signal("TERM");
    assert_eq!(relay.program.ended().await.code, Some(0));
    drop(writes_again);
}

#[tokio::test]
async fn sigterm_lets_an_attempt_in_flight_finish() {
    let (transform, mut relay, gate) = attempt_in_flight(202).await;
    relay.program.signal("TERM");
    relay.program.logged(&["stopping"]).await;
    assert!(relay.program.runs());
    gate.open();
    let ended = relay.program.ended().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("told Transform"), "{}", ended.stderr);
    relay.restart().await;
    relay.caught_up(&transform).await;
    assert_eq!(transform.count("payment", "tx-1"), 1, "it was settled before the end");
}

#[tokio::test]
async fn an_attempt_that_outlasts_the_grace_period_is_made_again() {
    let (transform, mut relay) = start(Setup { grace: "1s", timeout: "300s", ..Setup::default() }).await;
    transform.script([Answer::Hang]);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    transform.told("payment", "tx-1", 1).await;
    let ended = relay.terminate().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    relay.restart().await;
    transform.told("payment", "tx-1", 2).await;
}

/// Half of a notification is there when the relay is told to stop. The other half is still taken, and answered.
#[tokio::test]
async fn sigterm_lets_a_request_in_flight_finish() {
    let (transform, mut relay) = start(Setup { quiet: "1s", ..Setup::default() }).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let sealed = psp::seal("stripe-main", stripe::paid("pi_1", AT, 1000).to_string().as_bytes());
    let (name, value) = &sealed.headers[0];
    let head = format!("POST /notifications/stripe-main HTTP/1.1\r\nhost: relay\r\n{name}: {value}\r\n");
    let length = sealed.body.len();
    let mut stream = TcpStream::connect(relay.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // "Expect" makes the relay say that it has begun to read; then the request is certainly in flight.
    let head = format!("{head}expect: 100-continue\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut go = [0; 25];
    stream.read_exact(&mut go).unwrap();
    assert_eq!(&go, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&sealed.body[..length / 2]).unwrap();
    relay.program.signal("TERM");
    relay.program.logged(&["stopping"]).await;
    stream.write_all(&sealed.body[length / 2..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"applied\""), "{answer}");
    assert_eq!(relay.program.ended().await.code, Some(0));
    relay.restart().await;
    transform.told("payment", "tx-1", 1).await;
}

#[tokio::test]
async fn a_relay_that_stops_takes_no_new_requests() {
    let (_transform, relay, gate) = attempt_in_flight(200).await;
    relay.program.signal("TERM");
    relay.program.logged(&["stopping"]).await;
    let refused = async { while relay.request(reqwest::Method::GET, "/healthz").send().await.is_ok() {} };
    within("the server to stop", refused).await;
    assert!(relay.program.runs(), "it waits for the attempt in flight");
    gate.open();
    assert_eq!(relay.program.ended().await.code, Some(0));
}

/// A client that keeps its connection open without a request does not keep the relay from stopping.
#[tokio::test]
async fn idle_connections_do_not_hold_it_up() {
    let (_transform, relay) = start(Setup { grace: "9000h", ..Setup::default() }).await;
    let mut idle = TcpStream::connect(relay.url.strip_prefix("http://").unwrap()).unwrap();
    let head = format!("authorization: Bearer {INTEGRATOR_TOKEN}\r\n\r\n");
    idle.write_all(format!("GET /records/payment/none HTTP/1.1\r\nhost: relay\r\n{head}").as_bytes()).unwrap();
    let mut some = [0; 12];
    idle.read_exact(&mut some).unwrap();
    assert_eq!(&some, b"HTTP/1.1 404");
    let silent = TcpStream::connect(relay.url.strip_prefix("http://").unwrap()).unwrap();
    assert_eq!(relay.terminate().await.code, Some(0));
    drop((idle, silent));
}
