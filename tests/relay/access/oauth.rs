//! POST /oauth/token: short-lived tokens, each for one audience (RFC 6749).

use reqwest::Method;

use crate::support::psp::seal_with;
use crate::support::{Relay, Reply, Setup, payment, start, stripe};

const CLIENTS: &str = r#"
[[transform.oauth]]
client_id = "tc"
client_secret = "ts"

[[integrator.oauth]]
client_id = "ic"
client_secret = "is"

[sources.open]
profile = "stripe"
secrets = ["whsec_open"]
oauth = [{ client_id = "sc", client_secret = "ss", username = "psp", password = "pw" }]
"#;

fn setup(more: &str) -> Setup {
    Setup { more: more.to_owned(), ..Setup::silent() }
}

const FORM: &str = "application/x-www-form-urlencoded";

async fn ask(relay: &Relay, client: Option<(&str, &str)>, form: &str) -> Reply {
    let request = relay.request(Method::POST, "/oauth/token").header("content-type", FORM).body(form.to_owned());
    let request = match client {
        Some((id, secret)) => request.basic_auth(id, Some(secret)),
        None => request,
    };
    relay.send(request).await
}

async fn token(relay: &Relay, client: (&str, &str), form: &str) -> String {
    let reply = ask(relay, Some(client), form).await.expect(200);
    let answer = reply.json();
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&"Bearer".into(), &900.into()), "{answer}");
    assert_eq!((reply.header("cache-control"), reply.header("content-type")), ("no-store", "application/json"));
    answer["access_token"].as_str().unwrap().to_owned()
}

const PLAIN: &str = "grant_type=client_credentials";
const WITH_USER: &str = "grant_type=password&username=psp&password=pw";

/// The statuses of the routes of Transform, the integrator and the source for a token.
async fn routes(relay: &Relay, token: &str) -> [u16; 3] {
    let get = async |path| relay.send(relay.request(Method::GET, path).bearer_auth(token)).await.status;
    let body = stripe::paid("pi_1", 1_700_000_000, 1000).to_string();
    let sealed = seal_with("stripe", "whsec_open", jiff::Timestamp::now().as_second(), body.as_bytes());
    let mut headers = sealed.headers;
    headers.push(("authorization".to_owned(), format!("Bearer {token}")));
    let source = relay.post("open", &headers, sealed.body).await.status;
    [get("/api/Payment/tx-1").await, get("/records/payment/tx-1").await, source]
}

#[tokio::test]
async fn a_client_gets_a_token_for_its_own_audience() {
    let (_transform, relay) = start(setup(CLIENTS)).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let of_transform = token(&relay, ("tc", "ts"), PLAIN).await;
    assert_eq!(routes(&relay, &of_transform).await, [200, 401, 401]);
    let of_integrator = token(&relay, ("ic", "is"), PLAIN).await;
    assert_eq!(routes(&relay, &of_integrator).await, [401, 200, 401]);
    let of_psp = token(&relay, ("sc", "ss"), WITH_USER).await;
    assert_eq!(routes(&relay, &of_psp).await, [401, 401, 200]);
    let by_form = ask(&relay, None, &format!("{PLAIN}&client_id=tc&client_secret=ts")).await.expect(200).json();
    assert_eq!(routes(&relay, by_form["access_token"].as_str().unwrap()).await, [200, 401, 401]);
    assert_eq!(routes(&relay, "ts").await, [401; 3], "the client's secret is no token");
    relay.program.logged(&["token issued", "client=\"tc\"", "audience=\"transform\""]).await;
    for secret in [&of_transform, &of_integrator, &of_psp] {
        assert!(!relay.program.log().contains(secret), "no token in the log");
    }
}

#[tokio::test]
async fn what_is_wrong_is_answered_as_rfc_6749_says() {
    let (_transform, relay) = start(setup(CLIENTS)).await;
    let (tc, sc) = (Some(("tc", "ts")), Some(("sc", "ss")));
    for (client, form, status, error) in [
        (None, "", 400, "invalid_request"),
        (tc, "grant_type=", 400, "invalid_request"),
        (tc, "grant_type=client_credentials&grant_type=client_credentials", 400, "invalid_request"),
        (tc, "grant_type=client_credentials&client_secret=ts", 400, "invalid_request"),
        (None, PLAIN, 401, "invalid_client"),
        (Some(("tc", "is")), PLAIN, 401, "invalid_client"),
        (Some(("nobody", "ts")), PLAIN, 401, "invalid_client"),
        (tc, "grant_type=authorization_code&code=x", 400, "unsupported_grant_type"),
        (tc, WITH_USER, 400, "unauthorized_client"),
        (sc, PLAIN, 400, "unauthorized_client"),
        (sc, "grant_type=password&username=psp", 400, "invalid_request"),
        (sc, "grant_type=password&username=psp&password=no", 400, "invalid_grant"),
    ] {
        let reply = ask(&relay, client, form).await.expect(status);
        assert_eq!(reply.json()["error"], error, "{form}");
        assert_eq!((reply.header("cache-control"), reply.header("content-type")), ("no-store", "application/json"));
        assert_eq!(reply.header("www-authenticate").starts_with("Basic "), status == 401, "{form}");
    }
    let json = relay.request(Method::POST, "/oauth/token").header("content-type", "application/json");
    let reply = relay.send(json.basic_auth("tc", Some("ts")).body(PLAIN)).await.expect(400);
    assert_eq!(reply.json()["error"], "invalid_request");
    let get = relay.send(relay.request(Method::GET, "/oauth/token")).await;
    get.problem(405);
    ask(&relay, tc, &format!("{PLAIN}&scope={}", "x".repeat(20_000))).await.problem(413);
}

#[tokio::test]
async fn a_reload_keeps_tokens_but_those_of_clients_that_are_removed_or_changed() {
    let (_transform, mut relay) = start(setup(CLIENTS)).await;
    relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
    let kept = token(&relay, ("tc", "ts"), PLAIN).await;
    let removed = token(&relay, ("ic", "is"), PLAIN).await;
    let changed = token(&relay, ("sc", "ss"), WITH_USER).await;
    relay.setup.more = CLIENTS.replace("client_id = \"ic\"", "client_id = \"another\"").replace("\"pw\"", "\"px\"");
    assert_eq!(relay.reload().await.code, Some(0));
    assert_eq!(routes(&relay, &kept).await, [200, 401, 401]);
    assert_eq!(routes(&relay, &removed).await, [401; 3]);
    assert_eq!(routes(&relay, &changed).await, [401; 3]);
    relay.terminate().await;
    relay.restart().await;
    assert_eq!(routes(&relay, &kept).await, [401; 3], "a restart ends them all");
}
