//! Operators: which route is whose, with operators and without; and who the log names.

use reqwest::Method;
use serde_json::json;

use crate::support::program::run;
use crate::support::setup::{INTEGRATOR_TOKEN, OPERATOR_TOKENS, TRANSFORM_TOKEN};
use crate::support::{Relay, Reply, Setup, payment, start, stripe};

const MONITOR_TOKEN: &str = "monitor-token-that-nobody-guesses";
const LOOK: &str = OPERATOR_TOKENS[0];
const ACT: &str = OPERATOR_TOKENS[1];
const MANAGE: &str = OPERATOR_TOKENS[2];

/// The credentials of the table below, in the order of its columns.
const CALLERS: [&str; 7] = ["", TRANSFORM_TOKEN, INTEGRATOR_TOKEN, MONITOR_TOKEN, LOOK, ACT, MANAGE];

fn monitor() -> String {
    format!("[monitor]\ntokens = [\"{MONITOR_TOKEN}\"]\n")
}

/// One operator for each role: lena looks, adam acts, mona manages.
fn operators() -> String {
    let operator = |name: &str, role: &str, token: &str| {
        format!("[operators.{name}]\nrole = \"{role}\"\ntokens = [\"former-{token}\", \"{token}\"]\n")
    };
    [operator("lena", "look", LOOK), operator("adam", "act", ACT), operator("mona", "manage", MANAGE)].concat()
}

async fn as_caller(relay: &Relay, token: &str, method: &Method, path: &str, body: &str) -> Reply {
    let mut request = relay.request(method.clone(), path);
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    if !body.is_empty() {
        request = request.header("content-type", "application/json").body(body.to_owned());
    }
    relay.send(request).await
}

/// Whose a route is. A cell has a letter for each of the callers: `y` is let in, `?` is not known (401), `n` is known and
/// lacks the role (403).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Everybody,
    Transforms,
    StackOrLook,
    StackOrAct,
    StackOrManage,
    Look,
    Act,
    Monitors,
}

/// The rows of one set-up.
fn expected(whose: Whose, has_monitor: bool, has_operators: bool) -> &'static str {
    use Whose::{Act, Everybody, Look, Monitors, StackOrAct, StackOrLook, StackOrManage, Transforms};
    match (whose, has_monitor, has_operators) {
        (Everybody, ..) => "yyyyyyy",
        (Transforms, ..) => "?y?????",
        (Monitors, true, false) => "??yy???",
        (_, _, false) => "??y????",
        (StackOrLook, false, true) => "??y?yyy",
        (StackOrLook, true, true) => "??ynyyy",
        (StackOrAct, false, true) => "??y?nyy",
        (StackOrAct, true, true) => "??ynnyy",
        (StackOrManage, false, true) => "??y?nny",
        (StackOrManage, true, true) => "??ynnny",
        (Look, false, true) => "??n?yyy",
        (Look, true, true) => "??nnyyy",
        (Act, false, true) => "??n?nyy",
        (Act, true, true) => "??nnnyy",
        (Monitors, false, true) => "??y?yyy",
        (Monitors, true, true) => "??nyyyy",
    }
}

/// Each route with a request that changes nothing that matters, and its status for a caller who is let in.
fn routes() -> Vec<(Method, &'static str, String, u16, Whose)> {
    use Whose::{Act, Everybody, Look, Monitors, StackOrAct, StackOrLook, StackOrManage, Transforms};
    let get = |path, status, whose| (Method::GET, path, String::new(), status, whose);
    let nobody = "/dead-letters/notifications/019ca9c4-5a41-7c02-8b7f-0a1b2c3d4e5f/replay";
    vec![
        get("/healthz", 200, Everybody),
        get("/openapi.json", 200, Everybody),
        get("/api/Payment/tx-1", 200, Transforms),
        get("/api/transactions/tx-1?type=2", 200, Transforms),
        get("/records", 200, StackOrLook),
        get("/records/payment/tx-1", 200, StackOrLook),
        get("/records/payment/tx-1/history", 200, StackOrLook),
        (Method::POST, "/records/payment/tx-1/tell", String::new(), 200, StackOrAct),
        (Method::PUT, "/records/payment/tx-1", payment("pi_1", "10").to_string(), 200, StackOrManage),
        (Method::DELETE, "/records/payment/none", String::new(), 404, StackOrManage),
        get("/parked", 200, Look),
        get("/findings", 200, Look),
        get("/sources", 200, Look),
        get("/dead-letters/notifications", 200, Look),
        get("/dead-letters/deliveries", 200, Look),
        (Method::POST, "/deliveries/tell", json!({"dryRun": true}).to_string(), 200, Act),
        (Method::POST, nobody, String::new(), 404, Act),
        get("/metrics", 200, Monitors),
    ]
}

/// Every cell of the table: each route, each caller, with and without a monitor and operators.
#[tokio::test]
async fn each_route_is_open_to_the_callers_that_it_is_for() {
    for (has_monitor, has_operators) in [(false, false), (true, false), (false, true), (true, true)] {
        let more = [(has_monitor, monitor()), (has_operators, operators())];
        let more = more.into_iter().filter_map(|(has, text)| has.then_some(text)).collect();
        let (_transform, relay) = start(Setup { more, ..Setup::silent() }).await;
        relay.register("payment", "tx-1", &payment("pi_1", "10")).await;
        for (method, path, body, status, whose) in routes() {
            let row = expected(whose, has_monitor, has_operators);
            for (token, cell) in CALLERS.into_iter().zip(row.chars()) {
                let reply = as_caller(&relay, token, &method, path, &body).await;
                let cell = match cell {
                    'y' => status,
                    'n' => 403,
                    _ => 401,
                };
                let at = format!("monitor {has_monitor}, operators {has_operators}: {method} {path} of {token:?}");
                assert_eq!(reply.status, cell, "{at}: {reply:?}");
                if cell == 403 {
                    let said = reply.problem(403);
                    assert!(
                        said.starts_with("this route is for ") && said.contains("an operator with the role "),
                        "{at}: {said}"
                    );
                }
            }
        }
        // The details of /readyz are for whoever reads the metrics. Everybody else learns whether the relay is ready.
        let row = expected(Whose::Monitors, has_monitor, has_operators);
        for (token, cell) in CALLERS.into_iter().zip(row.chars()) {
            let ready = as_caller(&relay, token, &Method::GET, "/readyz", "").await.expect(200).json();
            assert_eq!(ready["owed"].is_u64(), cell == 'y', "{has_monitor}, {has_operators}, {token:?}: {ready}");
        }
    }
}

/// Somebody who lacks a role is told which one, and stands in the log by name. That is no guess of credentials.
#[tokio::test]
async fn who_lacks_a_role_is_told_so_and_named_in_the_log() {
    let more = operators() + &monitor();
    let (_transform, relay) = start(Setup { more, throttle_failures: 3, ..Setup::silent() }).await;
    for _ in 0..5 {
        let reply = as_caller(&relay, LOOK, &Method::DELETE, "/records/payment/tx-1", "").await;
        let detail =
            "this route is for the payment stack or an operator with the role manage; operator lena has the role look";
        assert_eq!(reply.problem(403), detail);
    }
    relay
        .program
        .logged(&[
            "WARN",
            "request refused",
            "method=\"DELETE\"",
            "path=\"/records/payment/tx-1\"",
            "operator=\"lena\"",
            "status=403",
            "kind=\"lacks the role\"",
            "the role manage; operator lena has the role look",
        ])
        .await;
    let replay = "/dead-letters/notifications/019ca9c4-5a41-7c02-8b7f-0a1b2c3d4e5f/replay";
    for (token, role) in [
        (LOOK, "act or manage; operator lena has the role look"),
        (INTEGRATOR_TOKEN, "act or manage; the payment stack has no role"),
        (MONITOR_TOKEN, "act or manage; a monitor has no role"),
    ] {
        let detail = as_caller(&relay, token, &Method::POST, replay, "").await.problem(403);
        assert_eq!(detail, format!("this route is for an operator with the role {role}"));
    }
    let stack = relay.program.logged(&["request refused", "status=403", "the payment stack has no role"]).await;
    assert!(!stack.contains("operator="), "{stack}");
    // At /readyz, credentials that do not suffice are answered as none are, and do not count either.
    as_caller(&relay, INTEGRATOR_TOKEN, &Method::GET, "/readyz", "").await.expect(200);
    relay
        .program
        .logged(&["DEBUG", "readiness is answered without its details", "the payment stack has no role"])
        .await;
    let lines = relay.program.log();
    assert!(!lines.lines().any(|line| line.contains("refused") && line.contains("/readyz")), "nothing is: {lines}");
    as_caller(&relay, "guess", &Method::GET, "/parked", "").await.problem(401);
    // A wrong token counts. After three of them even a right one is refused if it could be guessed.
    for _ in 0..2 {
        as_caller(&relay, "guess", &Method::GET, "/parked", "").await.problem(401);
    }
    as_caller(&relay, "guess", &Method::GET, "/parked", "").await.problem(429);
    as_caller(&relay, LOOK, &Method::GET, "/parked", "").await.expect(200);
}

/// Each act has a line with the name of the operator; the payment stack has none.
#[tokio::test]
async fn the_log_names_the_operator_of_each_act() {
    let (_transform, relay) = start(Setup { more: operators(), ..Setup::silent() }).await;
    let body = payment("pi_1", "10").to_string();
    let acts = async |token: &str, method: Method, path: &str, body: &str, status: u16| {
        as_caller(&relay, token, &method, path, body).await.expect(status);
    };
    acts(MANAGE, Method::PUT, "/records/payment/tx-1", &body, 201).await;
    acts(MANAGE, Method::DELETE, "/records/payment/tx-1", "", 204).await;
    acts(INTEGRATOR_TOKEN, Method::PUT, "/records/payment/tx-2", &body, 201).await;
    acts(ACT, Method::POST, "/records/payment/tx-2/tell", "", 200).await;
    acts(MANAGE, Method::POST, "/deliveries/tell", &json!({"ids": ["tx-2"]}).to_string(), 200).await;
    let mut other_money = stripe::paid("pi_1", 1_700_000_000, 1000);
    other_money["data"]["object"]["currency"] = "usd".into();
    assert_eq!(relay.stripe(&other_money).await, "dead_letter");
    let letters = as_caller(&relay, LOOK, &Method::GET, "/dead-letters/notifications", "").await.json();
    let letter = letters["notifications"][0]["notification"].as_str().unwrap().to_owned();
    acts(ACT, Method::POST, &format!("/dead-letters/notifications/{letter}/replay"), "", 200).await;
    for parts in [
        ["INFO", "record registered", "record=payment/tx-1", "operator=\"mona\""],
        ["INFO", "record removed", "record=payment/tx-1", "operator=\"mona\""],
        ["INFO", "somebody has Transform told of these records again", "records=1", "operator=\"adam\""],
        ["INFO", "somebody has Transform told of these records again", "records=1", "operator=\"mona\""],
        ["INFO", "somebody has had this dead letter judged anew", letter.as_str(), "operator=\"adam\""],
    ] {
        relay.program.logged(&parts).await;
    }
    let stack = relay.program.logged(&["record registered", "record=payment/tx-2"]).await;
    assert!(!stack.contains("operator="), "{stack}");
}

/// A reload takes operators as it takes other credentials: they come, change their role and go.
#[tokio::test]
async fn a_reload_adds_changes_and_removes_an_operator() {
    let (_transform, mut relay) = start(Setup::silent()).await;
    let statuses = async |relay: &Relay| {
        let parked = async |token| as_caller(relay, token, &Method::GET, "/parked", "").await.status;
        let tell = as_caller(relay, LOOK, &Method::POST, "/deliveries/tell", r#"{"dryRun":true}"#).await.status;
        [parked(INTEGRATOR_TOKEN).await, parked(LOOK).await, tell]
    };
    assert_eq!(statuses(&relay).await, [200, 401, 401], "today's routes are the integrator's");
    for (role, expected) in [("look", [403, 200, 403]), ("act", [403, 200, 200])] {
        relay.setup.more = format!("[operators.lena]\nrole = \"{role}\"\ntokens = [\"{LOOK}\"]\n");
        assert_eq!(relay.reload().await.code, Some(0));
        assert_eq!(statuses(&relay).await, expected, "{role}");
    }
    relay.setup.more = String::new();
    assert_eq!(relay.reload().await.code, Some(0));
    assert_eq!(statuses(&relay).await, [200, 401, 401], "they are the integrator's again");
}

/// The environment gives an operator without a file, and reaches the name of one with a dash.
#[tokio::test]
async fn the_environment_gives_operators() {
    let environment = [
        ("RELAY_OPERATORS__LENA__ROLE", "look"),
        ("RELAY_OPERATORS__LENA__TOKENS", LOOK),
        ("RELAY_OPERATORS__NIGHT_SHIFT__ROLE", "act"),
        ("NIGHT_TOKEN", ACT),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let more = "[operators.night-shift]\nrole = \"look\"\ntokens = [{ env = \"NIGHT_TOKEN\" }]\n".to_owned();
    let setup = Setup { more, environment, ..Setup::silent() };
    let folder = tempfile::tempdir().unwrap();
    let file = setup.write(folder.path(), "127.0.0.1:1234");
    let printed = run(&["check", "--config", file.to_str().unwrap()], &setup.environment()).await;
    for line in ["[operators.lena]\ntokens = [\"***\"]\nrole = \"look\"\n", "[operators.night-shift]\n"] {
        assert!(printed.stdout.contains(line), "{printed:?}");
    }
    let (_transform, relay) = start(setup).await;
    as_caller(&relay, LOOK, &Method::GET, "/parked", "").await.expect(200);
    let dry = r#"{"dryRun":true}"#;
    as_caller(&relay, LOOK, &Method::POST, "/deliveries/tell", dry).await.problem(403);
    as_caller(&relay, ACT, &Method::POST, "/deliveries/tell", dry).await.expect(200);
}
