//! Table of routes: audience, methods, and the answers to wrong requests.

use reqwest::Method;
use serde_json::json;

use crate::support::setup::{INTEGRATOR_TOKEN, TRANSFORM_PASSWORD, TRANSFORM_TOKEN};
use crate::support::{Relay, Reply, Setup, agreement, payment, preauth, refund, start};

/// The credentials of a monitor.
const MONITOR_TOKEN: &str = "monitor-token-that-nobody-guesses";

#[tokio::test]
async fn the_operators_routes_need_no_credentials() {
    let (_transform, relay) = start(Setup::default()).await;
    let health = relay.send(relay.request(Method::GET, "/healthz")).await.expect(200);
    assert_eq!(health.json(), json!({"status": "up"}));
    let ready = relay.send(relay.request(Method::GET, "/readyz")).await.expect(200);
    assert_eq!(ready.json(), json!({"ready": true}), "a stranger learns whether it is ready");
}

async fn as_monitor(relay: &Relay, path: &str) -> Reply {
    relay.send(relay.request(Method::GET, path).bearer_auth(MONITOR_TOKEN)).await
}

/// The payment stack and a monitor read what a stranger does not; a monitor does nothing else.
#[tokio::test]
async fn a_monitor_reads_the_metrics_and_the_details_of_readyz() {
    let more = format!("[monitor]\ntokens = [\"{MONITOR_TOKEN}\"]");
    let (_transform, relay) = start(Setup { more, ..Setup::default() }).await;
    let as_monitor = |path: &'static str| as_monitor(&relay, path);
    let details =
        json!({"ready": true, "store": "writable", "delivery": "running", "owed": 0, "givenUp": 0, "unanswering": []});
    assert_eq!(as_monitor("/readyz").await.expect(200).json(), details);
    assert_eq!(relay.ready().await.expect(200).json(), details);
    as_monitor("/metrics").await.expect(200);
    for path in
        ["/sources", "/parked", "/records", "/records/payment/tx-1", "/api/Payment/tx-1", "/dead-letters/deliveries"]
    {
        as_monitor(path).await.problem(401);
    }
    relay.send(relay.request(Method::PUT, "/records/payment/tx-1").bearer_auth(MONITOR_TOKEN)).await.problem(401);
    relay.send(relay.request(Method::GET, "/metrics").bearer_auth(TRANSFORM_TOKEN)).await.problem(401);
}

/// A probe with wrong credentials must not fail because of them. Guessing is slowed down all the same.
#[tokio::test]
async fn wrong_credentials_at_readyz_are_told_of_and_answered_as_a_stranger_is() {
    let short = "short".to_owned();
    let long = MONITOR_TOKEN;
    let environment = vec![("RELAY_MONITOR__TOKENS".to_owned(), format!("{short},{long}"))];
    let (_transform, relay) = start(Setup { throttle_failures: 3, environment, ..Setup::default() }).await;
    let as_somebody = |token: &str| relay.send(relay.request(Method::GET, "/readyz").bearer_auth(token));
    assert!(as_somebody(&short).await.expect(200).json()["owed"].is_u64());
    for _ in 0..3 {
        assert_eq!(as_somebody("guess").await.expect(200).json(), json!({"ready": true}));
    }
    relay
        .program
        .logged(&[
            "WARN",
            "credentials refused",
            "answered as a stranger's",
            "method=\"GET\" route=\"/readyz\"",
            "status=200",
        ])
        .await;
    let slowed = relay.program.logged(&["this address showed wrong credentials too often", "route=\"/readyz\""]).await;
    assert!(!slowed.contains("source="), "it is no source's route: {slowed}");
    assert_eq!(as_somebody(&short).await.expect(200).json(), json!({"ready": true}), "a right guess is not told");
    // This route asks for no credentials.
    relay.send(relay.request(Method::GET, "/readyz")).await.expect(200);
    let metrics = as_monitor(&relay, "/metrics").await.expect(200).text;
    let refusals: Vec<_> = metrics.lines().filter(|line| line.starts_with("transform_relay_refusals_total")).collect();
    let wrong = "transform_relay_refusals_total{route=\"/readyz\",source=\"\",reason=\"wrong credentials\"} 4";
    assert_eq!(refusals, [wrong]);
}

#[tokio::test]
async fn readyz_says_how_many_records_are_owed() {
    let (_transform, relay) = start(Setup::silent()).await;
    for n in 1..=3 {
        relay.register("payment", &format!("tx-{n}"), &payment(&format!("pi_{n}"), "10")).await;
        relay.stripe(&crate::support::stripe::paid(&format!("pi_{n}"), 1_700_000_000, 1000)).await;
    }
    assert_eq!(relay.ready().await.expect(200).json()["owed"], 3);
}

#[tokio::test]
async fn every_route_says_which_methods_it_takes() {
    let more =
        "[sources.braintree-main]\nprofile = \"braintree\"\nsecrets = [\"private-key\"]\nsettings = { public-key = \"public-key\" }".to_owned();
    let (_transform, relay) = start(Setup { more, ..Setup::default() }).await;
    let routes = [
        ("/notifications/stripe-main", vec![Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS], "POST"),
        ("/notifications/braintree-main", vec![Method::PUT, Method::HEAD, Method::OPTIONS], "GET, POST"),
        ("/api/Preauth/tx", vec![Method::POST, Method::PUT, Method::DELETE], "GET, HEAD"),
        ("/api/Payment/tx", vec![Method::POST, Method::PUT], "GET, HEAD"),
        ("/api/Refund/tx", vec![Method::POST], "GET, HEAD"),
        ("/api/Agreement/tx", vec![Method::PATCH, Method::OPTIONS], "GET, HEAD"),
        ("/api/transactions/tx?type=2", vec![Method::POST], "GET, HEAD"),
        ("/records/preauth/tx", vec![Method::POST], "DELETE, GET, PUT"),
        ("/records/payment/tx", vec![Method::POST, Method::HEAD, Method::PATCH], "DELETE, GET, PUT"),
        ("/records/refund/tx", vec![Method::PATCH], "DELETE, GET, PUT"),
        ("/records/agreement/tx", vec![Method::OPTIONS], "DELETE, GET, PUT"),
        ("/healthz", vec![Method::POST], "GET"),
        ("/readyz", vec![Method::POST], "GET"),
        ("/openapi.json", vec![Method::POST, Method::HEAD], "GET"),
    ];
    for (path, methods, allow) in routes {
        for method in methods {
            let reply = relay.send(relay.request(method.clone(), path)).await;
            if method != Method::HEAD {
                reply.problem(405);
            }
            assert_eq!(reply.status, 405);
            assert_eq!(reply.header("allow"), allow, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn there_are_no_other_routes() {
    let (_transform, relay) = start(Setup::default()).await;
    for path in [
        "/",
        "/api",
        "/api/Payment",
        "/api/Mandate/tx",
        "/api/Payment/tx/more",
        "/api/Payment/tx//",
        "/records/mandate/tx",
        "/records/payment",
        "/notifications",
    ] {
        for method in [Method::GET, Method::POST, Method::PUT] {
            relay.send(relay.request(method, path)).await.problem(404);
        }
    }
}

#[tokio::test]
async fn transform_must_say_who_it_is() {
    let (_transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let paths = ["/api/Payment/tx-1", "/api/transactions/tx-1?type=2", "/api/Payment/unknown", "/api/Preauth/tx-1"];
    for path in paths {
        for token in ["", "wrong", INTEGRATOR_TOKEN, "another", "Transform-token-5b1f"] {
            let reply = relay.send(relay.request(Method::GET, path).bearer_auth(token)).await;
            assert!(!reply.problem(401).contains("token"), "the reason is for the log: {reply:?}");
            assert!(reply.header("www-authenticate").contains("Bearer"), "{reply:?}");
        }
        relay.send(relay.request(Method::GET, path)).await.problem(401);
        let wrong = relay.request(Method::GET, path).basic_auth("transform", Some("wrong"));
        relay.send(wrong).await.problem(401);
        let other = relay.request(Method::GET, path).basic_auth("another", Some(TRANSFORM_PASSWORD));
        relay.send(other).await.problem(401);
    }
    for token in [TRANSFORM_TOKEN.to_owned(), format!("another-{TRANSFORM_TOKEN}")] {
        relay.send(relay.request(Method::GET, paths[0]).bearer_auth(token)).await.expect(200);
    }
    let basic = relay.request(Method::GET, paths[0]).basic_auth("transform", Some(TRANSFORM_PASSWORD));
    relay.send(basic).await.expect(200);
}

#[tokio::test]
async fn the_integrator_must_say_who_it_is() {
    let (_transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    for method in [Method::GET, Method::PUT] {
        for path in ["/records/payment/tx-1", "/records/payment/tx-2"] {
            relay.send(relay.request(method.clone(), path)).await.problem(401);
            for token in ["", "wrong", TRANSFORM_TOKEN] {
                let body = payment("pi_2", "20").to_string();
                let request = relay.request(method.clone(), path).bearer_auth(token).body(body);
                relay.send(request).await.problem(401);
            }
        }
    }
    assert_eq!(relay.record("payment", "tx-1").await["requestedAmount"].to_string(), "10");
    assert_eq!(relay.rows().records, 1);
}

#[tokio::test]
async fn records_are_fetched_by_kind_in_any_case_and_by_type_code() {
    let (_transform, relay) = start(Setup::default()).await;
    relay.register("preauth", "tx-1", &preauth("pi_1", "10")).await;
    relay.register("payment", "tx-2", &payment("pi_2", "10")).await;
    relay.register("refund", "tx-3", &refund("re_3", "tx-2", "10")).await;
    relay.register("agreement", "ag-4", &agreement("pm_4")).await;
    let records = [("Preauth", "tx-1", 1), ("Payment", "tx-2", 2), ("Refund", "tx-3", 3), ("Agreement", "ag-4", 4)];
    for (kind, id, code) in records {
        let body = relay.fetched(kind, id).await;
        let name = if kind == "Agreement" { "agreementId" } else { "transactionId" };
        assert_eq!(body[name], id);
        let same = [
            format!("/api/{}/{id}", kind.to_lowercase()),
            format!("/API/{}/{id}", kind.to_uppercase()),
            format!("/Api/{kind}/{id}"),
            format!("/api/transactions/{id}?type={code}"),
            format!("/API/Transactions/{id}?type={code}"),
            format!("/api/{kind}/{id}/"),
            format!("/api/transactions/{id}/?type={code}"),
        ];
        for path in same {
            let reply = relay.get(&path).await.expect(200);
            assert_eq!(reply.header("content-type"), "application/json");
            assert_eq!(reply.json(), body, "{path}");
            let head = relay.send(relay.request(Method::HEAD, &path).bearer_auth(TRANSFORM_TOKEN)).await.expect(200);
            let length = reply.text.len().to_string();
            assert_eq!((head.text.as_str(), head.header("content-length")), ("", length.as_str()), "{path}");
        }
        // A record is found by its own kind only.
        let other = if kind == "Payment" { ("Refund", 3) } else { ("Payment", 2) };
        relay.fetch(other.0, id).await.problem(404);
        relay.get(&format!("/api/transactions/{id}?type={}", other.1)).await.problem(404);
        // An id is matched exactly: no other case, no other spelling.
        relay.fetch(kind, &id.to_uppercase()).await.problem(404);
    }
}

#[tokio::test]
async fn an_unknown_record_is_404_and_an_id_that_cannot_be_is_400() {
    let (_transform, relay) = start(Setup::default()).await;
    let long = "x".repeat(129);
    for kind in ["Preauth", "Payment", "Refund", "Agreement"] {
        relay.fetch(kind, "tx-none").await.problem(404);
        relay.fetch(kind, &"x".repeat(128)).await.problem(404);
        for bad in [long.as_str(), "a%20b", "%C3%A4", "%FF"] {
            relay.fetch(kind, bad).await.problem(400);
        }
    }
    let integrator = |path: &str| relay.request(Method::GET, path).bearer_auth(INTEGRATOR_TOKEN);
    relay.send(integrator("/records/payment/tx-none")).await.problem(404);
    relay.send(integrator("/records/payment/a%20b")).await.problem(400);
    relay.put("payment", &long, &payment("pi_1", "10")).await.problem(400);
}

#[tokio::test]
async fn a_type_code_is_1_to_4() {
    let (_transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    for query in ["", "?type=", "?type=0", "?type=5", "?type=-1", "?type=2.0", "?type=Payment", "?kind=2", "?type=258"]
    {
        relay.get(&format!("/api/transactions/tx-1{query}")).await.names(400, "type");
    }
}

/// An oddly wrong request gets a problem like any other, and credentials are checked first here too.
#[tokio::test]
async fn a_type_code_said_twice_is_a_problem() {
    let (_transform, relay) = start(Setup::default()).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let path = "/api/transactions/tx-1?type=2&type=2";
    relay.get(path).await.problem(400);
    relay.send(relay.request(Method::GET, path)).await.problem(401);
}

#[tokio::test]
async fn any_visible_ascii_is_an_id() {
    let (_transform, relay) = start(Setup::default()).await;
    for (id, path) in [
        ("tx123456", "tx123456"),
        ("a:b~c!$'()*,;=@", "a:b~c!$'()*,;=@"),
        ("a%b+c", "a%25b+c"),
        ("a/b", "a%2Fb"),
        ("q?r", "q%3Fr"),
    ] {
        relay.register("payment", path, &payment(&format!("pi_{id}"), "10")).await;
        assert_eq!(relay.fetched("Payment", path).await["transactionId"], id);
    }
}
