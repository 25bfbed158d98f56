//! `reload` and SIGHUP: the settings that change while the relay runs, and those that do not.

use std::io::{BufRead, BufReader, Read, Write};

use reqwest::Method;

use crate::support::program::Program;
use crate::support::psp::seal_with;
use crate::support::setup::{TRANSFORM_TOKEN, beside_the_warning};
use crate::support::{Relay, Setup, Transform, integrator, payment, psp, start, stripe, webhook};

const AT: i64 = 1_700_000_000;

fn source(name: &str) -> String {
    format!("[sources.{name}]\nprofile = \"stripe\"\nsecrets = [\"whsec_of_{name}\"]\n")
}

async fn notify(relay: &Relay, source: &str, id: &str) -> u16 {
    let body = stripe::paid(id, AT, 1000).to_string();
    let now = jiff::Timestamp::now().as_second();
    let sealed = seal_with("stripe", &format!("whsec_of_{source}"), now, body.as_bytes());
    relay.post(source, &sealed.headers, sealed.body).await.status
}

#[tokio::test]
async fn a_reload_changes_sources_tokens_and_settings_and_the_relay_goes_on() {
    let (_transform, mut relay) = start(Setup { more: source("one"), ..Setup::silent() }).await;
    let pid = relay.program.pid;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    assert_eq!(notify(&relay, "one", "pi_a").await, 200);
    assert_eq!(notify(&relay, "two", "pi_a").await, 404);

    relay.setup.more =
        source("two") + "[[transform.oauth]]\nclient_id = \"c\"\nclient_secret = \"a-client-secret-of-some-length\"\n";
    relay.setup.failed_as = "record";
    let reload = relay.reload().await;
    assert_eq!((reload.code, beside_the_warning(&reload.stdout).as_str()), (Some(0), "reloaded\n"), "{reload:?}");
    assert_eq!(notify(&relay, "one", "pi_b").await, 404, "it is not there any more");
    assert_eq!(notify(&relay, "two", "pi_b").await, 200);
    assert_eq!(relay.stripe(&stripe::declined("pi_1", AT, 1000, "do_not_honor")).await, "applied");
    assert_eq!(relay.fetched("Payment", "tx-1").await["status"], "Failed", "failed_as is another");
    let gone = integrator::with(payment("pi_2", "1"), "source", "one");
    relay.put("payment", "tx-2", &gone).await.names(422, "source");
    assert!(relay.program.runs() && relay.program.pid == pid);
}

#[tokio::test]
async fn a_token_that_is_taken_away_opens_nothing_any_more() {
    let (_transform, relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let status =
        async |token: &str| relay.send(relay.request(Method::GET, "/api/Payment/tx-1").bearer_auth(token)).await.status;
    let other = format!("another-{TRANSFORM_TOKEN}");
    assert_eq!((status(TRANSFORM_TOKEN).await, status(&other).await), (200, 200));
    let file = relay.file("relay.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace(&format!("\"{other}\", "), "");
    std::fs::write(&file, text).unwrap();
    relay.program.signal("HUP");
    relay.program.logged(&["reloaded: the configuration is in force"]).await;
    assert_eq!((status(TRANSFORM_TOKEN).await, status(&other).await), (200, 401));
}

#[tokio::test]
async fn what_needs_a_restart_is_named_and_all_else_is_in_force() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.setup.max_body = "1KiB";
    relay.setup.more = source("one");
    for _ in 0..2 {
        let reload = relay.reload().await;
        assert_eq!(reload.code, Some(0), "{reload:?}");
        let printed = beside_the_warning(&reload.stdout);
        assert_eq!(printed, "reloaded\nneeds a restart: server.max_body\n", "also the second time");
    }
    relay.program.logged(&["needs a restart", "key=\"server.max_body\""]).await;
    assert_eq!(notify(&relay, "one", "pi_1").await, 200);
    let mut large = stripe::paid("pi_2", AT, 1000);
    large["padding"] = "x".repeat(2000).into();
    assert_eq!(relay.stripe(&large).await, "parked", "server.max_body is the old one");
    relay.terminate().await;
    relay.restart().await;
    let printed = beside_the_warning(&relay.reload().await.stdout);
    assert_eq!(printed, "reloaded\n", "after the restart all of it is in force");
}

/// The setting concerns starts only, and a reload is no start.
#[tokio::test]
async fn that_a_store_must_exist_needs_a_restart() {
    let (_transform, relay) = start(Setup::silent()).await;
    let file = relay.file("relay.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("[store]\n", "[store]\nmust_exist = true\n");
    std::fs::write(&file, text).unwrap();
    let arguments = ["reload", "--config", file.to_str().unwrap()];
    let reload = crate::support::program::run(&arguments, &relay.setup.environment()).await;
    assert_eq!(beside_the_warning(&reload.stdout), "reloaded\nneeds a restart: store.must_exist\n", "{reload:?}");
}

#[tokio::test]
async fn a_wrong_configuration_is_refused_whole_with_every_reason() {
    let (_transform, mut relay) = start(Setup { more: source("one"), ..Setup::silent() }).await;
    relay.setup.more = source("two") + "tolerance = \"soon\"\n[sources.three]\nprofile = \"nope\"\nsecrets = [\"x\"]\n";
    let refused = relay.reload().await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(64), ""), "{refused:?}");
    for part in ["sources.two.tolerance: ", "sources.three.profile: ", "the old configuration stays in force"] {
        assert!(refused.stderr.contains(part), "{part} in {refused:?}");
    }
    relay.program.logged(&["wrong configuration", "sources.three.profile"]).await;
    relay.program.logged(&["not reloaded: the old configuration stays in force"]).await;
    assert_eq!(notify(&relay, "one", "pi_1").await, 200);
    assert_eq!(notify(&relay, "two", "pi_2").await, 404, "nothing of it is in force");

    let good = relay.file("relay.toml");
    std::fs::write(&good, "[server\n").unwrap();
    let arguments = ["reload", "--config", good.to_str().unwrap()];
    let unreadable = crate::support::program::run(&arguments, &[]).await;
    assert!(unreadable.code == Some(64) && unreadable.stderr.contains("relay.toml:1: is not TOML"), "{unreadable:?}");
    relay.program.signal("HUP");
    relay.program.logged(&["wrong configuration", "relay.toml:1"]).await;
    assert_eq!(notify(&relay, "one", "pi_3").await, 200);
}

/// A notification is taken even if its source is removed while its body is still on the way.
#[tokio::test]
async fn a_request_goes_by_what_was_in_force_when_it_began() {
    let (_transform, mut relay) = start(Setup { more: source("one"), ..Setup::silent() }).await;
    let body = stripe::paid("pi_1", AT, 1000).to_string();
    let sealed = seal_with("stripe", "whsec_of_one", jiff::Timestamp::now().as_second(), body.as_bytes());
    let headers: String = sealed.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut stream = relay.connect();
    let head =
        format!("POST /notifications/one HTTP/1.1\r\nhost: relay\r\n{headers}content-length: {}\r\n", body.len());
    stream.write_all(format!("{head}expect: 100-continue\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "HTTP/1.1 100 Continue\r\n", "its handler waits for the body");
    relay.setup.more = String::new();
    assert_eq!(relay.reload().await.code, Some(0));
    assert_eq!(notify(&relay, "one", "pi_2").await, 404);
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    reader.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(relay.rows().notifications, 1);
}

/// A pipe can be read only once. But a starting relay reads its configuration again as soon as a command can reach it.
#[tokio::test]
async fn a_configuration_that_comes_by_a_pipe_stays_in_force() {
    let (_transform, mut relay) = start(Setup { more: source("one"), ..Setup::silent() }).await;
    relay.terminate().await;
    let (file, pipe) = (relay.file("relay.toml"), relay.file("pipe"));
    let before = format!("mkfifo {pipe} && {{ cat {} >{pipe} & }}", file.display(), pipe = pipe.display());
    let arguments = ["serve", "--config", pipe.to_str().unwrap()];
    relay.program = Program::start_after(&before, &arguments, &relay.setup.environment());
    relay.started().await;
    assert_eq!(notify(&relay, "one", "pi_1").await, 200);
}

/// Any other file that the configuration names can be a pipe, too, and be read only once.
#[tokio::test]
async fn what_a_configuration_names_may_come_by_a_pipe() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    let pipe = relay.file("pipe").display().to_string();
    let written = relay.file("written");
    let roots = crate::support::certificates::Authority::new().pem();
    for (more, text) in [
        (format!("secrets = [{{ file = \"{pipe}\" }}]"), "whsec_of_one"),
        (format!("secrets_file = \"{pipe}\""), "[[secret]]\nname = \"a\"\nvalue = \"whsec_of_one\"\n"),
        (format!("secrets = [\"whsec_of_one\"]\n[certificates]\nroots = \"{pipe}\""), roots.as_str()),
    ] {
        relay.terminate().await;
        relay.setup.more = format!("[sources.one]\nprofile = \"stripe\"\n{more}\n");
        std::fs::write(&written, text).unwrap();
        let written = written.display();
        relay.setup.before = format!("rm -f {pipe} && mkfifo {pipe} && {{ cat {written} >{pipe} & }}");
        relay.restart().await;
        relay.program.logged(&["INFO", "read once only", &pipe, "needs a reload"]).await;
        assert_eq!(notify(&relay, "one", "pi_1").await, 200, "{more}");
    }
}

#[tokio::test]
async fn webhooks_go_where_the_reload_says() {
    let (old, mut relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    relay.stripe(&stripe::paid("pi_1", AT, 1000)).await;
    old.told("payment", "tx-1", 1).await;
    let new = Transform::start();
    relay.names(&new);
    assert_eq!(relay.reload().await.code, Some(0));
    relay.register("payment", "tx-2", &payment("pi_2", "10")).await;
    relay.stripe(&stripe::paid("pi_2", AT, 1000)).await;
    new.told("payment", "tx-2", 1).await;
    assert_eq!(new.hooks()[0].json(), webhook("payment", "tx-2"));
    assert_eq!(old.hooks().len(), 1);
}

/// Records wait for a host that does not respond; the new host is told of all of them.
#[tokio::test]
async fn records_that_wait_for_a_dead_host_are_told_to_the_new_one() {
    let setup = Setup { breaker_failures: 1, retry_first: "100ms", retry_max: "200ms", ..Setup::default() };
    let (old, mut relay) = start(setup).await;
    old.choke_on("tx-");
    for n in 1..=3 {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
        relay.stripe(&stripe::paid(&format!("pi_{n}"), AT, 1000)).await;
    }
    relay.program.logged(&["does not respond", "one record at a time"]).await;
    let new = Transform::start();
    relay.names(&new);
    assert_eq!(relay.reload().await.code, Some(0));
    for n in 1..=3 {
        new.told("payment", &format!("tx-{n}"), 1).await;
    }
}

#[tokio::test]
async fn the_socket_for_reloads_is_the_operators_alone_and_goes_with_the_relay() {
    use std::os::unix::fs::PermissionsExt;
    let (_transform, mut relay) = start(Setup::silent()).await;
    let socket = relay.file("relay.db.control");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    // A client that sends something else, or nothing, gets no answer, and does not stand in the way of commands.
    let mut stranger = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    drop(stranger.read_to_end(&mut answer));
    assert_eq!(answer, b"");
    assert_eq!(relay.reload().await.code, Some(0));
    relay.terminate().await;
    assert!(!socket.exists());
    relay.restart().await;
    assert_eq!(relay.reload().await.code, Some(0));
    let sealed = psp::seal("stripe-main", stripe::paid("pi_1", AT, 1000).to_string().as_bytes());
    assert_eq!(relay.post("stripe-main", &sealed.headers, sealed.body).await.status, 200);
}
