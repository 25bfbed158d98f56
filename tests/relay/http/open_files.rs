//! Open files: the machine's limit for the relay, and the share that connections may take.

use std::io::Write;
use std::net::TcpStream;

use crate::support::program::run_after;
use crate::support::{Relay, Setup, payment, start, stripe};

const AT: i64 = 1_700_000_000;

/// A relay that starts after the shell has set its limits.
fn limited(before: &str) -> Setup {
    Setup { before: before.to_owned(), ..Setup::default() }
}

/// Strangers' connections that send only the beginning of a request, whether they are served or wait.
fn crowd(relay: &Relay, many: usize) -> Vec<TcpStream> {
    let mut crowd: Vec<_> = (0..many).map(|_| relay.connect()).collect();
    for stream in &mut crowd {
        stream.write_all(b"POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\ncontent-length: 9\r\n\r\n").unwrap();
    }
    crowd
}

fn limit(relay: &Relay) -> Vec<String> {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", relay.program.pid)).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    line.split_whitespace().skip(3).take(2).map(str::to_owned).collect()
}

/// A shell's limit is a default, which a program may raise up to the hard limit.
#[tokio::test]
async fn the_relay_may_have_as_many_open_files_as_the_machine_allows() {
    let (transform, relay) = start(limited("ulimit -Sn 128")).await;
    let limit = limit(&relay);
    assert_eq!(limit[0], limit[1]);
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let crowd = crowd(&relay, 300);
    assert_eq!(relay.stripe(&stripe::paid("pi_1", AT, 1000)).await, "applied");
    transform.told("payment", "tx-1", 1).await;
    assert!(!relay.program.log().contains("Error accepting connection"), "{}", relay.program.log());
    drop(crowd);
}

/// Connections leave enough files for the store and the webhooks.
#[tokio::test]
async fn connections_take_no_more_files_than_leave_the_relay_its_own() {
    let (transform, mut relay) = start(limited("ulimit -n 400")).await;
    let warning =
        relay.program.logged(&["server.max_connections", "4096", "400 open files", "LimitNOFILE", "ulimit -n"]).await;
    assert!(warning.contains("WARN"), "{warning}");
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    // The connection of a client that came before the crowd.
    let mut before = relay.connect();
    before.write_all(b"GET /readyz HTTP/1.1\r\nhost: r\r\n\r\n").unwrap();
    before.peek(&mut [0]).unwrap();
    let crowd = crowd(&relay, 600);
    let sealed = crate::support::psp::seal("stripe-main", stripe::paid("pi_1", AT, 1000).to_string().as_bytes());
    let (name, value) = &sealed.headers[0];
    let head =
        format!("POST /notifications/stripe-main HTTP/1.1\r\nhost: r\r\n{name}: {value}\r\nconnection: close\r\n");
    before.write_all(format!("{head}content-length: {}\r\n\r\n", sealed.body.len()).as_bytes()).unwrap();
    before.write_all(&sealed.body).unwrap();
    let answers = crate::support::siege::until_hung_up(&mut before);
    assert_eq!(crate::support::siege::statuses(&answers), [200, 200], "{answers}");
    // The webhook has a connection of its own.
    transform.nth(1).await;
    assert!(!relay.program.log().contains("Error accepting connection"), "{}", relay.program.log());
    drop(crowd);
    // The configuration has not changed, so a reload does not mention the limit.
    let reloaded = relay.reload().await;
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    assert!(!format!("{reloaded:?}").contains("max_connections"), "{reloaded:?}");
    // More calls at once need more files than the connections leave.
    relay.setup.concurrency = 20;
    let reloaded = relay.reload().await;
    let line = reloaded.stdout.lines().find(|line| line.starts_with("not safe: transform.concurrency")).unwrap();
    for part in ["open files", "400", "restart the relay", "LimitNOFILE"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    relay.program.logged(&["WARN", "transform.concurrency", "restart the relay"]).await;
    relay.terminate().await;
    // A setting that fits the open files brings no warning.
    relay.setup.environment.push(("RELAY_SERVER__MAX_CONNECTIONS".to_owned(), "64".to_owned()));
    relay.restart().await;
    assert!(!relay.program.log().contains("open files"), "{}", relay.program.log());
}

/// `check` warns as well, and a limit that leaves room for no connection is an error.
#[tokio::test]
async fn too_few_open_files_are_told_by_check_and_refused_at_a_start() {
    let (_transform, relay) = start(Setup::silent()).await;
    let needed = relay.setup.environment();
    let file = relay.file("relay.toml");
    let file = file.to_str().unwrap();
    let checked = run_after("ulimit -n 400", &["check", "--config", file], &needed).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stdout.contains("server.max_connections: 4096"), "{checked:?}");
    assert!(checked.stdout.contains("400 open files"), "{checked:?}");
    assert!(!run_after("", &["check", "--config", file], &needed).await.stdout.contains("open files"));
    relay.terminate().await;
    let started = run_after("ulimit -n 150", &["serve", "--config", file], &needed).await;
    assert_eq!(started.code, Some(1), "{started:?}");
    for part in ["150 open files", "LimitNOFILE"] {
        assert!(started.stderr.contains(part), "{started:?}");
    }
}
