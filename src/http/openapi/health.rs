//! The routes of the operator's probes and monitor.

use serde_json::{Value, json, to_value};

use super::about::{HEALTH, RECORDS};
use super::answer::Answer;
use super::document::Document;
use super::operation::{Audience, Operation};
use crate::http::health::{Alive, Readiness};

const METRICS: &str = "\
The OpenMetrics text format, for the credentials of a monitor or an operator. The payment stack may read it too, unless both are configured.

`transform_relay_secret_verified_total` counts the new notifications that each secret of each source has verified since the start. \
`transform_relay_secret_verified_timestamp_seconds` is the time of the last one. Both go by the secret's name; repetitions do not \
count.

`transform_relay_refusals_total` counts the requests, connections and credentials that were refused since the start. It goes by the \
route, by the source and by the reason. The route is its path with its variables, `connection`, `no such route` or `others`. The \
source is empty where it is none's.

`transform_relay_findings` is the number of findings that `GET /findings` lists now. It is absent while the store cannot be read. So is \
`transform_relay_given_up`, the number of deliveries that were given up.";

const METRICS_EXAMPLE: &str = "\
# TYPE transform_relay_findings gauge
transform_relay_findings 2
# TYPE transform_relay_given_up gauge
transform_relay_given_up 0
# TYPE transform_relay_secret_verified counter
transform_relay_secret_verified_total{source=\"stripe-main\",secret=\"secret-1\"} 1203
# TYPE transform_relay_refusals counter
transform_relay_refusals_total{route=\"/notifications/{source}\",source=\"stripe-main\",reason=\"unverified\"} 7
transform_relay_refusals_total{route=\"/api/{kind}/{id}\",source=\"\",reason=\"wrong credentials\"} 2
# EOF
";

const READY: &str = "\
The store is probed by a write of 64 KiB, at most once a second. Requests in between get the last result. Everybody learns whether \
the relay is ready. The details are for the credentials that `/metrics` takes. All others get the same answer as none. Wrong \
credentials count for `[throttle]`, in the metrics and in the log. Beside `server.admin_listen` there are no details at \
`server.listen`, and credentials are not looked at there.";

pub(super) fn describe(document: &mut Document) {
    let text = Answer::new("All of them.").body("application/openmetrics-text", json!({"type": "string"}));
    let operation = Operation::new(RECORDS, "readMetrics", "Read the counters of a monitor")
        .describe(METRICS)
        .audience(Audience::Monitor)
        .answers(200, text.example(METRICS_EXAMPLE.into()));
    document.get("/metrics", operation);

    let up = Answer::new("It is.").json(document.schemas.of::<Alive>());
    let operation = Operation::new(HEALTH, "alive", "Is the process up?");
    document.get("/healthz", operation.answers(200, up.example(to_value(Alive::UP).unwrap_or_default())));

    let readiness = document.schemas.of::<Readiness>();
    let ready = Answer::new("Both hold.")
        .json(readiness.clone())
        .examples([("stranger", json!({"ready": true})), ("monitor", example("writable", true))]);
    let not_ready = Answer::new("At least one of the two does not hold. The details say why.")
        .header("Retry-After", json!({"$ref": "#/components/headers/Retry-After"}))
        .json(readiness)
        .examples([
            ("stranger", json!({"ready": false})),
            ("monitor", example("the write queue is full (store.max_waiting)", false)),
        ]);
    let operation = Operation::new(HEALTH, "ready", "Can the store be written, and does delivery run?")
        .describe(READY)
        .audience(Audience::Prober)
        .answers(200, ready)
        .answers(503, not_ready);
    document.get("/readyz", operation);

    let answer = Answer::new("The document.").json(json!({"type": "object", "required": ["openapi", "info", "paths"]}));
    let operation = Operation::new(HEALTH, "describe", "Read this description")
        .describe("This document in JSON, as the running relay has it. It holds no secrets.")
        .answers(200, answer);
    document.get("/openapi.json", operation);
}

fn example(store: &str, ready: bool) -> Value {
    let unanswering: &[&str] = if ready { &[] } else { &["app.billwerk.com:443"] };
    json!({"ready": ready, "store": store, "delivery": "running", "owed": 3, "givenUp": 0, "unanswering": unanswering})
}
