//! `notify`: a notification is posted as the PSP of a source would post it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use crate::support::fixtures;
use crate::support::program::{Ended, Program, run, run_after};
use crate::support::setup::{MEDIA_PASSWORD, MEDIA_SECRET, STRIPE_OLD_SECRET};
use crate::support::{PATIENCE, Relay, Setup, start, within};

/// Sources that prove their notifications in further ways.
const MORE: &str = r#"
[sources.standard]
profile = "standard-webhooks"
secrets = [{ value = "whsec_5a5b5c5d5e5f5051", name = "to come", not_before = "2999-01-01T00:00:00Z" }, "whsec_aaaaaaaaaaaaaaaa"]

[sources.square]
profile = "square"
secrets = ["square-key-of-twenty-bytes"]
public_url = "https://relay.example.com/notifications/square"

[sources.worldpay]
profile = "worldpay"
secrets = [{ value = "worldpay-key-of-20-bytes", name = "seven", key_id = "7" }]

[sources.wpg]
profile = "worldpay-wpg"
basic = { username = "wpg", password = "wpg-password-of-20-bytes" }

[sources.fetches-a-token]
profile = "stripe"
secrets = ["whsec_of_a_source_with_oauth"]
oauth = [{ client_id = "it", client_secret = "client-secret-of-20-bytes", username = "psp", password = "a password & more" }]

[sources.paypal]
profile = "paypal"
settings = { webhook-id = "4JH86294D6297924G" }

[sources.public-key]
profile = "standard-webhooks"
secrets = ["whpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]

[sources.over]
profile = "stripe"
secrets = [{ value = "whsec_of_last_year", name = "last year", expires_at = "2001-01-01T00:00:00Z" }]
"#;

fn setup() -> Setup {
    Setup { more: MORE.to_owned(), ..Setup::silent() }
}

fn body(profile: &str, name: &str) -> String {
    fixtures::body(profile, name).to_str().unwrap().to_owned()
}

/// `notify` to this relay, with its configuration.
async fn notify(relay: &Relay, arguments: &[&str]) -> Ended {
    let config = relay.file("relay.toml");
    let common = ["notify", "--config", config.to_str().unwrap(), "--url", &relay.url];
    run(&[&common[..], arguments].concat(), &relay.setup.environment()).await
}

#[tokio::test]
async fn every_kind_of_proof_is_made() {
    let (_transform, relay) = start(setup()).await;
    for (source, body, outcome) in [
        ("stripe-main", body("stripe", "auto-4-succeeded.json"), "parked"),
        ("river", body("digital-river", "order.accepted.json"), ""),
        ("media", body("frisbii-media", "failed-payment.json"), ""),
        ("standard", body("standard-webhooks", "ignored-invoice.paid.json"), ""),
        ("square", body("square", "card.created.json"), ""),
        ("worldpay", body("worldpay", "authorized.json"), ""),
        ("wpg", body("worldpay-wpg", "AUTHORISED.xml"), ""),
        ("fetches-a-token", body("stripe", "auto-4-succeeded.json"), "parked"),
        ("adyen-main", body("adyen", "authorisation-true.json"), "[accepted]"),
        ("adyen-main", body("adyen", "token-created.json"), "[accepted]"),
    ] {
        let ended = notify(&relay, &[source, "--body", &body]).await;
        assert_eq!(ended.code, Some(0), "{source} {body}: {ended:?}\n{}", relay.program.log());
        assert!(ended.stdout.starts_with("HTTP 2") && ended.stdout.contains(outcome), "{source}: {ended:?}");
    }
}

/// A stranger sends the same bytes without the proof, or with a wrong one.
#[tokio::test]
async fn a_refusal_is_printed_and_is_a_failure() {
    let (_transform, relay) = start(setup()).await;
    let body = body("stripe", "auto-4-succeeded.json");
    for header in ["Stripe-Signature: t=1,v1=00", "stripe-signature:"] {
        let ended = notify(&relay, &["stripe-main", "--body", &body, "--header", header]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stdout.starts_with("HTTP 401\n{\"type\":"), "{ended:?}");
        assert!(ended.stderr.contains("the relay's log says which"), "{ended:?}");
    }
    let ended =
        notify(&relay, &["wpg", "--body", &body, "--header", "Authorization: Basic eA==", "--form", "order"]).await;
    assert_eq!((ended.code, &ended.stdout[..8]), (Some(1), "HTTP 401"), "{ended:?}");
    let ended = notify(&relay, &["stripe-main", "--body", &body, "--header", "Content-Type: text/html"]).await;
    assert_eq!((ended.code, &ended.stdout[..8]), (Some(1), "HTTP 415"), "{ended:?}");
}

#[tokio::test]
async fn a_body_comes_from_stdin_and_the_url_from_the_configuration() {
    let (_transform, relay) = start(setup()).await;
    let config = relay.file("relay.toml");
    let mut environment = relay.setup.environment();
    let port = relay.url.rsplit(':').next().unwrap();
    environment.push(("RELAY_SERVER__LISTEN".to_owned(), format!("0.0.0.0:{port}")));
    let before = format!("exec <{}", body("stripe", "auto-4-succeeded.json"));
    let asked = ["notify", "stripe-main", "--body", "-", "--config", config.to_str().unwrap()];
    let ended = run_after(&before, &asked, &environment).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("\"outcome\":\"parked\""), "{ended:?}");
}

/// What cannot be sent as the PSP would send it is not sent.
#[tokio::test]
async fn what_is_not_sent_says_why() {
    let (_transform, relay) = start(setup()).await;
    let body = body("stripe", "auto-4-succeeded.json");
    let (text, none) = (relay.file("text.json"), relay.file("none.json"));
    std::fs::write(&text, "no JSON").unwrap();
    let (text, none) = (text.to_str().unwrap(), none.to_str().unwrap());
    for (arguments, code, parts) in [
        (
            &["stripe-mian", "--body", &body][..],
            64,
            &["no source \"stripe-mian\"", "did you mean stripe-main?", "adyen-main"][..],
        ),
        (
            &["paypal", "--body", &body],
            64,
            &["sources.paypal: only the PSP can sign", "its certificate", "Nothing was sent"],
        ),
        (&["public-key", "--body", &body], 64, &["sources.public-key: only the PSP can sign", "public part"]),
        (
            &["over", "--body", &body],
            64,
            &["sources.over: there is no secret", "None of the source's secrets holds now"],
        ),
        (&["stripe-main", "--body", none], 64, &["--body: cannot read", "none.json"]),
        (&["stripe-main", "--body", text], 64, &["form \"event\": the body is not JSON"]),
        (&["stripe-main", "--body", &body, "--form", "x"], 64, &["no form \"x\"; its forms: event"]),
        (&["stripe-main", "--body", &body, "--header", "x"], 64, &["--header must be 'Name: value'"]),
        (&["stripe-main", "--body", &body, "--header", "a b: c"], 64, &["--header must be 'Name: value'"]),
    ] {
        let ended = notify(&relay, arguments).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(code), ""), "{arguments:?}: {ended:?}");
        for part in parts {
            assert!(ended.stderr.contains(part), "{part:?} in {ended:?}");
        }
    }
    assert!(!relay.program.log().contains("notification taken"), "{}", relay.program.log());
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_and_a_relay_that_is_not_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::default();
    let config = setup.write(folder.path(), "127.0.0.1:1234");
    let body = body("stripe", "auto-4-succeeded.json");
    let asked = ["notify", "stripe-main", "--body", &body, "--config", config.to_str().unwrap()];
    let unread = run(&asked, &[]).await;
    assert_eq!(unread.code, Some(64), "{unread:?}");
    for part in ["sources.stripe-main.secrets[1]: ", "STRIPE_WEBHOOK_SECRET", "nothing was sent"] {
        assert!(unread.stderr.contains(part), "{part} in {unread:?}");
    }
    let no_port = run(&asked, &setup.environment()).await;
    assert_eq!(no_port.code, Some(64), "{no_port:?}");
    assert!(no_port.stderr.contains("--url is needed: server.listen = \"127.0.0.1:0\""), "{no_port:?}");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{port}");
    let nobody = run(&[&asked[..], &["--url", &url]].concat(), &setup.environment()).await;
    assert_eq!(nobody.code, Some(69), "{nobody:?}");
    assert!(nobody.stderr.contains(&format!("no answer of the relay at {url}/")), "{nobody:?}");
    assert!(nobody.stderr.contains("if none runs, `transform-relay serve` starts it"), "{nobody:?}");
    let none = run(&["notify", "stripe-main", "--body", &body], &[]).await;
    assert!(none.stderr.contains("--config names the relay's configuration"), "{none:?}");
}

/// The arguments of a process are there for everybody on the machine to read.
#[tokio::test]
async fn the_process_shows_no_secret_and_the_request_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::default();
    let config: PathBuf = setup.write(folder.path(), "127.0.0.1:1234");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (came, head) = mpsc::channel();
    let (answer, answered) = mpsc::channel::<()>();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut got = Vec::new();
        while !got.ends_with(b"}") {
            let mut some = [0; 4096];
            let read = stream.read(&mut some).unwrap();
            got.extend_from_slice(&some[..read]);
        }
        came.send(String::from_utf8(got).unwrap()).unwrap();
        answered.recv().unwrap();
        stream.write_all(b"HTTP/1.1 204 Fine\r\n\r\n").unwrap();
    });
    std::fs::write(folder.path().join("body.json"), r#"{"a":1}"#).unwrap();
    let body = folder.path().join("body.json");
    let asked =
        ["notify", "media", "--body", body.to_str().unwrap(), "--config", config.to_str().unwrap(), "--url", &url];
    let program = Program::start(&asked, &setup.environment());
    let wait = tokio::task::spawn_blocking(move || head.recv().unwrap());
    let head = within("the request", wait).await.unwrap();
    #[cfg(target_os = "linux")]
    {
        let arguments = std::fs::read(format!("/proc/{}/cmdline", program.pid)).unwrap();
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        assert!(arguments.contains("notify media"), "{arguments}");
        for secret in [MEDIA_SECRET, MEDIA_PASSWORD, STRIPE_OLD_SECRET] {
            assert!(!arguments.contains(secret), "{arguments}");
        }
    }
    answer.send(()).unwrap();
    let ended = program.ended().await;
    assert_eq!((ended.code, ended.stdout.trim_end()), (Some(0), "HTTP 204"), "{ended:?}");
    assert!(head.starts_with("POST /notifications/media HTTP/1.1\r\n"), "{head}");
    for part in ["content-type: application/json\r\n", "authorization: Basic ", "x-tenant: tenant-value-b2-e5e5e5\r\n"]
    {
        assert!(head.contains(part), "{part} in {head}");
    }
    server.join().unwrap();
}
