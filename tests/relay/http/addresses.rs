//! `server.admin_listen`: the second address, and which route is at which one.

use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::Method;
use serde_json::json;

use crate::support::program::run;
use crate::support::setup::{INTEGRATOR_TOKEN, OPERATOR_TOKENS, TRANSFORM_TOKEN, beside_the_warning};
use crate::support::{PATIENCE, Relay, Reply, Setup, Transform, payment, psp, start, stripe};

const CLIENTS: &str = "[[integrator.oauth]]\nclient_id = \"ic\"\nclient_secret = \"integrators-client-secret\"\n";

fn setup(admin: &str) -> Setup {
    let environment = vec![("RELAY_SERVER__ADMIN_LISTEN".to_owned(), admin.to_owned())];
    let operator = format!("[operators.lena]\nrole = \"look\"\ntokens = [\"{}\"]\n", OPERATOR_TOKENS[0]);
    Setup { environment, more: format!("{CLIENTS}{operator}"), ..Setup::silent() }
}

/// A relay with two addresses, as it is at the second one. The first one is the last value.
async fn two_addresses() -> (Transform, Relay, String) {
    let (transform, mut relay) = start(setup("127.0.0.1:0")).await;
    let line = relay.program.logged(&["listening address=", " admin_address="]).await;
    let admin = line.split(" admin_address=").nth(1).unwrap().split_whitespace().next().unwrap();
    let public = std::mem::replace(&mut relay.url, format!("http://{admin}"));
    assert_ne!(relay.url, public);
    (transform, relay, public)
}

/// The same relay at another address.
async fn at<T>(relay: &mut Relay, url: &str, asked: impl AsyncFnOnce(&Relay) -> T) -> T {
    let before = std::mem::replace(&mut relay.url, url.to_owned());
    let answered = asked(relay).await;
    relay.url = before;
    answered
}

async fn send(relay: &Relay, method: &Method, path: &str, token: &str) -> Reply {
    relay.send(relay.request(method.clone(), path).bearer_auth(token)).await
}

/// Each route at each address: PSPs and Transform have one, everybody else has the other, and probes have both.
#[tokio::test]
async fn each_route_is_at_its_own_address() {
    let (_transform, mut relay, public) = two_addresses().await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let admin = relay.url.clone();
    let replay = "/dead-letters/notifications/019ca9c4-5a41-7c02-8b7f-0a1b2c3d4e5f/replay";
    // The status at server.listen, and at server.admin_listen. 404 of a route that is there differs by its text.
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
    for (method, path, token, at_public, at_admin) in [
        (&get, "/healthz", "", 200, 200),
        (&get, "/readyz", "", 200, 200),
        (&get, "/api/Payment/tx-1", TRANSFORM_TOKEN, 200, 404),
        (&get, "/API/payment/tx-1/", TRANSFORM_TOKEN, 200, 404),
        (&get, "/api/transactions/tx-1?type=2", TRANSFORM_TOKEN, 200, 404),
        (&put, "/api/Payment/tx-1", TRANSFORM_TOKEN, 405, 404),
        (&post, "/notifications/stripe-main", "", 401, 404),
        (&put, "/notifications/stripe-main", "", 405, 404),
        (&post, "/oauth/token", "", 400, 404),
        (&get, "/records", INTEGRATOR_TOKEN, 404, 200),
        (&get, "/records/payment/tx-1", INTEGRATOR_TOKEN, 404, 200),
        (&get, "/records/payment/tx-1/history", INTEGRATOR_TOKEN, 404, 200),
        (&post, "/records/payment/tx-1/tell", INTEGRATOR_TOKEN, 404, 200),
        (&put, "/records/payment/tx-1", INTEGRATOR_TOKEN, 404, 400),
        (&post, "/records/payment/tx-1", INTEGRATOR_TOKEN, 404, 405),
        (&get, "/parked", OPERATOR_TOKENS[0], 404, 200),
        (&get, "/findings", OPERATOR_TOKENS[0], 404, 200),
        (&get, "/sources", OPERATOR_TOKENS[0], 404, 200),
        (&get, "/dead-letters/notifications", OPERATOR_TOKENS[0], 404, 200),
        (&get, "/dead-letters/deliveries", OPERATOR_TOKENS[0], 404, 200),
        (&post, replay, OPERATOR_TOKENS[0], 404, 403),
        (&post, "/deliveries/tell", OPERATOR_TOKENS[0], 404, 403),
        (&get, "/metrics", OPERATOR_TOKENS[0], 404, 200),
        (&get, "/openapi.json", "", 404, 200),
        (&get, "/nothing", "", 404, 404),
    ] {
        for (url, status) in [(&public, at_public), (&admin, at_admin)] {
            let reply = at(&mut relay, url, async |relay| send(relay, method, path, token).await).await;
            assert_eq!(reply.status, status, "{method} {url}{path}: {reply:?}");
            if status == 404 && path != "/nothing" {
                assert_eq!(reply.problem(404), "there is no such route at this address", "{method} {url}{path}");
            }
        }
    }
    // A typing error is mended by a route of this address.
    for (url, path, detail) in [
        (&public, "/parkd", "there is no such route"),
        (&admin, "/parkd", "there is no such route; did you mean /parked?"),
        (&public, "/notification/x", "there is no such route; did you mean /notifications/{source}?"),
        (&admin, "/notification/x", "there is no such route"),
    ] {
        let reply = at(&mut relay, url, async |relay| send(relay, &Method::GET, path, "").await).await;
        assert_eq!(reply.problem(404), detail, "{url}{path}");
    }
    for (path, route, here, there) in [
        ("/parked", "/parked", "server.listen", "server.admin_listen"),
        ("/records/payment/tx-1", "/records/{kind}/{id}", "server.listen", "server.admin_listen"),
        ("/api/Payment/tx-1", "/api/{kind}/{id}", "server.admin_listen", "server.listen"),
    ] {
        let remedy = format!("this route is not at {here}: send the request to {there}");
        let (path, route) = (format!("path={path:?}"), format!("route={route:?}"));
        relay
            .program
            .logged(&["request refused", &path, &route, "status=404", "kind=\"other address\"", &remedy])
            .await;
    }
    relay
        .program
        .logged(&["notification refused", "kind=\"other address\"", "send the request to server.listen"])
        .await;
}

/// At server.listen no credentials of the payment stack or of an operator are tried, so that nobody can guess them there.
#[tokio::test]
async fn readyz_has_details_at_the_second_address_only() {
    let (_transform, mut relay, public) = two_addresses().await;
    assert_eq!(send(&relay, &Method::GET, "/readyz", OPERATOR_TOKENS[0]).await.expect(200).json()["owed"], 0);
    for token in [OPERATOR_TOKENS[0], INTEGRATOR_TOKEN, "guess"] {
        let reply = at(&mut relay, &public, async |relay| send(relay, &Method::GET, "/readyz", token).await).await;
        assert_eq!(reply.expect(200).json(), json!({"ready": true}));
    }
    let metrics = send(&relay, &Method::GET, "/metrics", OPERATOR_TOKENS[0]).await.expect(200).text;
    assert!(!metrics.contains("transform_relay_refusals_total"), "nothing was refused: {metrics}");
}

/// A story that needs both addresses: one store, one issuer of tokens, and one debouncer are behind them.
#[tokio::test]
async fn both_addresses_are_one_relay() {
    let (_transform, mut relay, public) = two_addresses().await;
    let form = "grant_type=client_credentials&client_id=ic&client_secret=integrators-client-secret";
    let token = at(&mut relay, &public, async |relay| {
        let request = relay.request(Method::POST, "/oauth/token").body(form);
        relay.send(request.header("content-type", "application/x-www-form-urlencoded")).await.expect(200).json()
    });
    let token = token.await["access_token"].as_str().unwrap().to_owned();
    let body = payment("pi_1", "10").to_string();
    let request = relay.request(Method::PUT, "/records/payment/tx-1").bearer_auth(token);
    relay.send(request.header("content-type", "application/json").body(body)).await.expect(201);
    let paid = stripe::paid("pi_1", 1_700_000_000, 1000);
    assert_eq!(at(&mut relay, &public, async |relay| relay.stripe(&paid).await).await, "applied");
    let read = at(&mut relay, &public, async |relay| relay.fetched("Payment", "tx-1").await).await;
    assert_eq!(read["status"], "Succeeded");
    assert_eq!(send(&relay, &Method::GET, "/readyz", OPERATOR_TOKENS[0]).await.json()["owed"], 1);
}

/// The addresses stop together, and both let a request in flight finish.
#[tokio::test]
async fn a_stop_lets_requests_in_flight_finish_at_both_addresses() {
    let (_transform, relay, public) = two_addresses().await;
    let registration = payment("pi_1", "10").to_string().into_bytes();
    let sealed = psp::seal("stripe-main", stripe::paid("pi_1", 1_700_000_000, 1000).to_string().as_bytes());
    let (name, value) = &sealed.headers[0];
    let heads = [
        (&relay.url, format!("PUT /records/payment/tx-1 HTTP/1.1\r\nauthorization: Bearer {INTEGRATOR_TOKEN}\r\n")),
        (&public, format!("POST /notifications/stripe-main HTTP/1.1\r\n{name}: {value}\r\n")),
    ];
    let mut streams = Vec::new();
    for ((url, head), body) in heads.into_iter().zip([&registration, &sealed.body]) {
        let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = format!("expect: 100-continue\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all(format!("{head}host: relay\r\n{length}").as_bytes()).unwrap();
        // "Expect" makes the relay say that it has begun to read; then the request is certainly in flight.
        let mut go = [0; 25];
        stream.read_exact(&mut go).unwrap();
        streams.push((stream, body));
    }
    relay.program.signal("TERM");
    relay.program.logged(&["stopping"]).await;
    for ((mut stream, body), status) in streams.into_iter().zip(["201", "200"]) {
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    assert_eq!(relay.program.ended().await.code, Some(0));
}

/// A start fails whole if the second address is taken. A change of the address waits for a restart.
#[tokio::test]
async fn the_second_address_is_named_when_it_is_taken_or_changed() {
    let taken = Transform::start();
    let folder = tempfile::tempdir().unwrap();
    let setup_of_taken = setup(&taken.address.to_string());
    let file = setup_of_taken.write(folder.path(), "127.0.0.1:1234");
    let ended = run(&["serve", "--config", file.to_str().unwrap()], &setup_of_taken.environment()).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let named = format!("server.admin_listen: {} is in use by another program", taken.address);
    assert!(ended.stderr.contains(&named) && !ended.stderr.contains("listening"), "{}", ended.stderr);

    let (_transform, relay) = start(Setup::silent()).await;
    let text = std::fs::read_to_string(relay.file("relay.toml")).unwrap();
    let text = text.replacen("[server]\n", "[server]\nadmin_listen = \"127.0.0.1:0\"\n", 1);
    std::fs::write(relay.file("relay.toml"), text).unwrap();
    let reload = run(&["reload", "--config", relay.file("relay.toml").to_str().unwrap()], &[]).await;
    assert_eq!(beside_the_warning(&reload.stdout), "reloaded\nneeds a restart: server.admin_listen\n", "{reload:?}");
    send(&relay, &Method::GET, "/parked", INTEGRATOR_TOKEN).await.expect(200);
}
