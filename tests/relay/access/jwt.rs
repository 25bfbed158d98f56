//! JWTs as Transform's bearer token: the issuer's keys are fetched and kept.

use reqwest::Method;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::api::Told;
use crate::support::issuer::{AUDIENCE, Issuer, PrivateKey};
use crate::support::{Relay, Reply, Setup, Transform, payment, start};

const FETCHED: &str = "fetched the issuer's keys: they are believed";

/// A relay that believes this issuer, with payment tx-1.
async fn believing(issuer: &Issuer, setup: Setup) -> (Transform, Relay) {
    let more = format!("{}{}", issuer.section(AUDIENCE), setup.more);
    let (transform, relay) = start(Setup { more, ..setup }).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    (transform, relay)
}

/// The same, with an issuer whose key is known.
async fn with_key() -> (Issuer, PrivateKey, Transform, Relay) {
    let (issuer, key) = (Issuer::start(), PrivateKey::new("key-1"));
    issuer.publishes(&[&key]);
    let (transform, relay) = believing(&issuer, Setup::silent()).await;
    relay.program.logged(&[FETCHED, "key-1"]).await;
    (issuer, key, transform, relay)
}

async fn read(relay: &Relay, token: &str) -> Reply {
    relay.send(relay.request(Method::GET, "/api/Payment/tx-1").bearer_auth(token)).await
}

/// Checks that a token is refused, that the log says why, and that it does not have the token.
async fn refused(relay: &Relay, token: &str, why: &str) {
    assert_eq!(read(relay, token).await.problem(401), "no or wrong credentials", "{why}");
    relay.program.logged(&["request refused", "status=401", "kind=\"wrong credentials\"", why]).await;
    assert!(!relay.program.log().contains(token), "no token in the log");
}

#[tokio::test]
async fn transform_reads_records_with_a_jwt_and_nobody_does_anything_else_with_one() {
    let (_issuer, key, _transform, relay) = with_key().await;
    let token = key.token();
    let by_jwt = read(&relay, &token).await.expect(200);
    let by_id = relay.request(Method::GET, "/api/transactions/tx-1?type=2").bearer_auth(&token);
    assert_eq!(relay.send(by_id).await.expect(200).text, by_jwt.text);
    assert_eq!(relay.fetch("payment", "tx-1").await.expect(200).text, by_jwt.text, "tokens are accepted beside JWTs");
    for path in ["/records/payment/tx-1", "/sources", "/metrics", "/parked", "/dead-letters/notifications"] {
        relay.send(relay.request(Method::GET, path).bearer_auth(&token)).await.problem(401);
    }
    refused(&relay, &key.token_as("key-1", "another"), "the token's audience is").await;
    refused(&relay, &PrivateKey::new("key-1").token(), "the token's signature is wrong").await;
    let none = format!("eyJhbGciOiJub25lIn0.{}.", token.split('.').nth(1).unwrap());
    refused(&relay, &none, "the token's algorithm is").await;
    refused(&relay, "no-jwt", "wrong credentials").await;
}

/// Keys are fetched for an unknown key id. A withdrawn key is believed no longer.
#[tokio::test]
async fn a_new_key_is_fetched_and_a_withdrawn_one_is_forgotten() {
    let (issuer, old, _transform, relay) = with_key().await;
    let new = PrivateKey::new("key-2");
    read(&relay, &old.token()).await.expect(200);
    issuer.publishes(&[&new]);
    read(&relay, &new.token()).await.expect(200);
    refused(&relay, &old.token(), "the token's key id (kid) is").await;
    read(&relay, &new.token()).await.expect(200);
}

#[tokio::test]
async fn while_there_are_no_keys_yet_nobody_is_told_that_a_jwt_is_wrong() {
    let (issuer, key) = (Issuer::start(), PrivateKey::new("key-1"));
    issuer.api.script([Told::Close]);
    let (_transform, relay) = believing(&issuer, Setup::silent()).await;
    relay.program.logged(&["could not fetch the issuer's keys, and there are none yet"]).await;
    let reply = read(&relay, &key.token()).await;
    assert_eq!(reply.problem(503), "the token cannot be verified now");
    assert_eq!(reply.header("retry-after"), "1");
    relay.program.logged(&["request refused", "status=503", "kind=\"no keys\"", "transform.jwt.jwks_url"]).await;
    relay.fetch("payment", "tx-1").await.expect(200);
    // No key would make this one right.
    refused(&relay, &key.token_as("key-1", "another"), "the token's audience is").await;
    issuer.publishes(&[&key]);
    relay.program.logged(&[FETCHED]).await;
    read(&relay, &key.token()).await.expect(200);
}

#[tokio::test]
async fn the_kept_keys_go_on_being_used_while_the_issuer_is_away() {
    let (issuer, key, _transform, relay) = with_key().await;
    let bad = [Told::status(500), Told::body("<html>"), Told::endless(), Told::header(302, "Location", "/jwks.json")];
    for reply in bad {
        issuer.api.script([reply]);
        let before = issuer.api.count();
        assert_eq!(relay.reload().await.code, Some(0));
        issuer.api.nth(before + 1).await;
        read(&relay, &key.token()).await.expect(200);
    }
    let failed = "could not fetch the issuer's keys: the kept ones go on being used";
    for reason in ["HTTP 500", "no JWK set", "more than 262144 bytes", "HTTP 302"] {
        relay.program.logged(&[failed, reason]).await;
    }
    read(&relay, &key.token()).await.expect(200);
}

/// However many strangers make up keys, they cause one fetch in 30 seconds, and none of them waits for ever.
#[tokio::test]
async fn made_up_keys_cause_few_fetches() {
    let (issuer, key, _transform, relay) = with_key().await;
    let begun = Instant::now();
    let forger = PrivateKey::new("forged");
    let mut crowd = JoinSet::new();
    for n in 0..100 {
        let token = forger.token_as(&format!("made-up-{n}"), AUDIENCE);
        crowd.spawn(relay.request(Method::GET, "/api/Payment/tx-1").bearer_auth(token).send());
    }
    for answer in crowd.join_all().await {
        assert_eq!(answer.unwrap().status(), 401);
    }
    for n in 0..20 {
        read(&relay, &forger.token_as(&format!("one-by-one-{n}"), AUDIENCE)).await.problem(401);
    }
    // At a start the configuration is read twice, and each time the keys are fetched.
    let most = 2 + 1 + usize::try_from(begun.elapsed().as_secs() / 30).unwrap();
    assert!((2..=most).contains(&issuer.api.count()), "{} fetches, {most} allowed", issuer.api.count());
    read(&relay, &key.token()).await.expect(200);
}

#[tokio::test]
async fn wrong_jwts_count_as_wrong_credentials_and_right_ones_are_never_slowed_down() {
    let (issuer, key) = (Issuer::start(), PrivateKey::new("key-1"));
    issuer.publishes(&[&key]);
    let (_transform, relay) = believing(&issuer, Setup { throttle_failures: 2, ..Setup::silent() }).await;
    relay.program.logged(&[FETCHED]).await;
    let wrong = key.token_as("key-1", "another");
    for status in [401, 401, 429] {
        read(&relay, &wrong).await.problem(status);
    }
    read(&relay, &key.token()).await.expect(200);
}

#[tokio::test]
async fn a_reload_takes_another_issuer() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let (one, two) = (Issuer::start(), Issuer::start());
    let (key, other) = (PrivateKey::new("key-1"), PrivateKey::new("key-1"));
    one.publishes(&[&key]);
    two.publishes(&[&other]);
    refused(&relay, &key.token(), "wrong credentials").await;
    relay.setup.more = one.section(AUDIENCE);
    assert_eq!(relay.reload().await.code, Some(0));
    // Nobody has to wait for the keys: the first request does.
    read(&relay, &key.token()).await.expect(200);
    relay.setup.more = one.section("another");
    assert_eq!(relay.reload().await.code, Some(0));
    refused(&relay, &key.token(), "the token's audience is").await;
    read(&relay, &key.token_as("key-1", "another")).await.expect(200);
    relay.setup.more = two.section(AUDIENCE);
    assert_eq!(relay.reload().await.code, Some(0));
    refused(&relay, &key.token(), "the token's signature is wrong").await;
    read(&relay, &other.token()).await.expect(200);
    relay.setup.more = String::new();
    assert_eq!(relay.reload().await.code, Some(0));
    read(&relay, &other.token()).await.problem(401);
}
