//! Throttle: a client with too many wrong credentials is slowed down, and no other client is.

use reqwest::{Method, RequestBuilder};

use crate::support::fixtures;
use crate::support::psp::seal_with;
use crate::support::setup::{INTEGRATOR_TOKEN, TRANSFORM_PASSWORD, TRANSFORM_TOKEN};
use crate::support::{Relay, Setup, payment, planted, psp, start, stripe};

const SHORT: &str = "short-token";
const CLIENT: &str = "[[integrator.oauth]]\nclient_id = \"c\"\nclient_secret = \"client-secret\"\n";

/// Three failures are too many; this machine is a proxy that names the client.
async fn strict() -> (crate::support::Transform, Relay) {
    let environment = [
        ("RELAY_SERVER__TRUSTED_PROXIES", "127.0.0.1".to_owned()),
        ("RELAY_TRANSFORM__TOKENS", format!("{SHORT},{TRANSFORM_TOKEN}")),
        ("RELAY_THROTTLE__WINDOW", "1h".to_owned()),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
    let (transform, relay) =
        start(Setup { environment, throttle_failures: 3, more: CLIENT.to_owned(), ..Setup::silent() }).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    (transform, relay)
}

fn fetch(relay: &Relay, address: &str) -> RequestBuilder {
    relay.request(Method::GET, "/api/Payment/tx-1").header("x-forwarded-for", address)
}

async fn guess(relay: &Relay, address: &str, times: usize) {
    for n in 0..times {
        relay.send(fetch(relay, address).bearer_auth(format!("guess-{n}"))).await.problem(401);
    }
}

#[tokio::test]
async fn too_many_wrong_credentials_are_answered_429_and_a_right_guess_is_not_told() {
    let (_transform, relay) = strict().await;
    guess(&relay, "192.0.2.1", 3).await;
    relay
        .program
        .logged(&[
            "this address showed wrong credentials too often",
            "answered 429",
            "address=192.0.2.1",
            "route=\"/api/{kind}/{id}\"",
        ])
        .await;
    for guessed in ["guess", SHORT] {
        let reply = relay.send(fetch(&relay, "192.0.2.1").bearer_auth(guessed)).await;
        assert_eq!(reply.problem(429), "wrong credentials too often", "{guessed}");
        let wait: u64 = reply.header("retry-after").parse().unwrap();
        assert!((1..=3601).contains(&wait), "{wait}");
    }
    let password = fetch(&relay, "192.0.2.1").basic_auth("transform", Some("wrong"));
    relay.send(password).await.problem(429);
    // Credentials that cannot be guessed still count: neither Transform nor an unlisted proxy is locked out.
    relay.send(fetch(&relay, "192.0.2.1").bearer_auth(TRANSFORM_TOKEN)).await.expect(200);
    let password = fetch(&relay, "192.0.2.1").basic_auth("transform", Some(TRANSFORM_PASSWORD));
    relay.send(password).await.expect(200);
    // A request without credentials is no guess.
    relay.send(fetch(&relay, "192.0.2.1")).await.problem(401);
}

#[tokio::test]
async fn one_address_does_not_lock_out_another() {
    let (_transform, relay) = strict().await;
    guess(&relay, "192.0.2.1", 3).await;
    relay.send(fetch(&relay, "192.0.2.2").bearer_auth(SHORT)).await.expect(200);
    // The client's address is the nearest one that is no trusted proxy. Addresses that the guesser puts before it do not
    // count.
    let disguised = fetch(&relay, "203.0.113.9, 192.0.2.1").bearer_auth(SHORT);
    relay.send(disguised).await.problem(429);
    // For IPv6 the network counts.
    guess(&relay, "2001:db8::1", 2).await;
    guess(&relay, "2001:db8::2", 1).await;
    relay.send(fetch(&relay, "2001:db8::3").bearer_auth(SHORT)).await.problem(429);
}

#[tokio::test]
async fn every_route_that_takes_credentials_counts() {
    let (_transform, relay) = strict().await;
    let address = ("x-forwarded-for", "192.0.2.1");
    let records = || relay.request(Method::GET, "/records/payment/tx-1").header(address.0, address.1);
    relay.send(records().bearer_auth("guess")).await.problem(401);
    let ask = |secret: &str| {
        let request = relay.request(Method::POST, "/oauth/token").header(address.0, address.1);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.basic_auth("c", Some(secret)).body("grant_type=client_credentials")
    };
    assert_eq!(relay.send(ask("guess")).await.expect(401).json()["error"], "invalid_client");
    relay.send(fetch(&relay, address.1).bearer_auth("guess")).await.problem(401);
    for secret in ["guess", "client-secret"] {
        relay.send(ask(secret)).await.problem(429);
    }
    relay.send(records().bearer_auth(INTEGRATOR_TOKEN)).await.expect(200);
}

/// A client without the secret may forge as often as it likes. That says nothing about the PSP, which may share the
/// client's address; right notifications are taken in any case.
#[tokio::test]
async fn a_right_notification_is_taken_whatever_came_from_its_address() {
    let (_transform, relay) = strict().await;
    let body = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    let now = jiff::Timestamp::now().as_second();
    for _ in 0..5 {
        let forged = seal_with("stripe", "whsec_forged", now, body.as_bytes());
        relay.post("stripe-main", &forged.headers, forged.body).await.problem(401);
    }
    let from_here = || relay.request(Method::GET, "/api/Payment/tx-1").bearer_auth(SHORT);
    relay.send(from_here()).await.expect(200);

    // Wrong credentials behind a right signature are a mistake in the PSP's settings: they count.
    let sealed = psp::seal("media", fixture().as_bytes());
    let bare: Vec<_> = sealed.headers.iter().filter(|(name, _)| name != "Authorization").cloned().collect();
    for _ in 0..3 {
        relay.post("media", &bare, sealed.body.clone()).await.problem(401);
    }
    relay.post("media", &bare, sealed.body.clone()).await.problem(429);
    relay.send(from_here()).await.problem(429);
    relay.post("media", &sealed.headers, sealed.body.clone()).await.expect(200);
    assert_eq!(relay.stripe(&stripe::paid("pi_1", 1_700_000_000, 1000)).await, "applied");
    assert_eq!(planted::found_in(&relay.program.log()), [""; 0]);
}

/// A caught notification has a right signature, and a short password could be guessed behind it.
#[tokio::test]
async fn a_right_signature_does_not_make_a_short_password_count() {
    let source = format!(
        "[sources.guarded]\nprofile = \"stripe\"\nsecrets = [\"whsec_guarded\"]\n\
         tokens = [\"{SHORT}\", \"{TRANSFORM_TOKEN}-too\"]\n\
         [sources.headed]\nprofile = \"stripe\"\nsecrets = [\"whsec_headed\"]\nheaders = {{ X-Key = \"{SHORT}\" }}\n"
    );
    let environment = vec![("RELAY_SERVER__TRUSTED_PROXIES".to_owned(), "127.0.0.1".to_owned())];
    let setup = Setup { environment, throttle_failures: 3, more: source, ..Setup::silent() };
    let (_transform, relay) = start(setup).await;
    let body = stripe::event("customer.created", 1_700_000_000, serde_json::json!({"id": "cus_1"})).to_string();
    let now = jiff::Timestamp::now().as_second();
    let show = async |source: &str, address: &str, credentials: (&str, String)| {
        let secret = if source == "guarded" { "whsec_guarded" } else { "whsec_headed" };
        let mut headers = seal_with("stripe", secret, now, body.as_bytes()).headers;
        headers.push(("x-forwarded-for".to_owned(), address.to_owned()));
        headers.push((credentials.0.to_owned(), credentials.1));
        relay.post(source, &headers, body.clone()).await
    };
    let bearer = |token: &str| ("authorization", format!("Bearer {token}"));
    let key = |value: &str| ("x-key", value.to_owned());
    for n in 0..3 {
        show("guarded", "192.0.2.1", bearer(&format!("guess-{n}"))).await.problem(401);
        show("headed", "192.0.2.2", key(&format!("guess-{n}"))).await.problem(401);
    }
    show("guarded", "192.0.2.1", bearer(SHORT)).await.problem(429);
    show("headed", "192.0.2.2", key(SHORT)).await.problem(429);
    // The PSP was never wrong, and credentials that cannot be guessed count from anywhere.
    show("guarded", "192.0.2.9", bearer(SHORT)).await.expect(200);
    show("headed", "192.0.2.9", key(SHORT)).await.expect(200);
    show("guarded", "192.0.2.1", bearer(&format!("{TRANSFORM_TOKEN}-too"))).await.expect(200);
}

/// A notification of Frisbii Media's.
fn fixture() -> String {
    std::fs::read_to_string(fixtures::body("frisbii-media", "failed-payment.json")).unwrap()
}

/// A profile with unsigned notifications: the password is the only proof, so it is guarded as at any other route.
#[tokio::test]
async fn where_credentials_alone_vouch_it_is_suspicious_too() {
    let profiles = tempfile::tempdir().unwrap();
    let profile = "name = \"unsigned\"\ntitle = \"Unsigned\"\namounts = \"minor\"\n[[notification]]\nname = \"it\"\n\
                   trusts_credentials = true\ntype = [\"/type\"]\n[[notification.event]]\ntype = \"x\"\nignore = true\n";
    std::fs::write(profiles.path().join("unsigned.toml"), profile).unwrap();
    let more = |settings: &str| {
        let folder = profiles.path().display();
        format!("[profiles]\ndir = \"{folder}\"\n[sources.bare]\nprofile = \"unsigned\"\n{settings}\n")
    };
    let basic = "basic = { username = \"u\", password = \"short\" }";
    let setup = Setup { throttle_failures: 2, more: more(basic), ..Setup::silent() };
    let (_transform, mut relay) = start(setup).await;
    let notify = async |relay: &Relay, password: &str| {
        let request = relay.request(Method::POST, "/notifications/bare").basic_auth("u", Some(password));
        relay.send(request.body("{\"type\":\"x\"}")).await
    };
    notify(&relay, "short").await.expect(200);
    for guess in ["a", "b"] {
        notify(&relay, guess).await.problem(401);
    }
    for guess in ["c", "short"] {
        notify(&relay, guess).await.problem(429);
    }
    relay.setup.more = more("");
    let refused = relay.reload().await;
    assert!(refused.stderr.contains("sources.bare: nobody signs what this PSP sends"), "{refused:?}");
}
