//! What the document says of the relay as a whole: the callers, their credentials, and the rules of all bodies.

use serde_json::{Value, json};

const DESCRIPTION: &str = "\
A PSP posts a notification. The relay verifies it, changes the records that it concerns, and answers once all of that is on disk. \
When a burst of changes to a record is over, the relay posts one webhook to Transform, which then fetches the record.

Five kinds of callers come in, each with credentials of its own:

| Caller | Routes | Proof |
|---|---|---|
| a PSP | `POST /notifications/{source}` | its signature; also the basic credentials, tokens, headers and addresses of the source, if configured |
| Transform | `GET /api/…` | `transform.tokens`, `transform.basic`, a token of `POST /oauth/token`, or a JWT |
| the integrator's payment stack | `/records…`; also the operators' routes while no operator is configured | `integrator.tokens`, `integrator.basic`, or a token of `POST /oauth/token` |
| a monitor | `/metrics`, the details of `/readyz` | `monitor.tokens` |
| an operator | `/deliveries/tell`, `/sources`, `/parked`, `/findings`, `/dead-letters`, and those of the payment stack and of a monitor, as the role allows | `operators.NAME.tokens` |

An operator with the role `look` reads, `act` also has Transform told again and dead letters judged anew, `manage` also registers and \
removes records. The role that an operation needs stands beside `operatorBearer`; a higher one does, too. With \
`server.admin_listen` the routes of PSPs and Transform are at one address, all others at another one; `/healthz` and `/readyz` are at \
both. A route of the other address is answered 404.

Where nothing is configured, nobody comes in. `/healthz`, `/openapi.json` and the readiness in `/readyz` are open to everybody.

Errors are problem details (RFC 9457), `application/problem+json`. Below `/api` they are the contract's error objects. A route that \
is asked with another method answers 405 and names its own in `Allow`. HEAD is another method, except below `/api`. A path that is \
no route is answered 404; if it resembles routes, the answer names them.

Amounts are JSON numbers in major units (`89.25`), digit for digit: read them as decimals, never as binary floating point. Instants \
are UTC. In records they have seven decimals (`2026-03-01T12:30:00.1234560Z`), in lists as many as are needed. Dates are \
`yyyy-MM-dd`. An absent field is null or zero.";

pub(super) fn info() -> Value {
    json!({
        "title": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "summary": "Between payment service providers (PSPs) and Frisbii Transform, on the integrator's side.",
        "description": DESCRIPTION,
        "license": {"name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE")},
    })
}

pub(super) const NOTIFICATIONS: &str = "notifications";
pub(super) const TOKENS: &str = "tokens";
pub(super) const FETCH: &str = "fetch";
pub(super) const RECORDS: &str = "records";
pub(super) const HEALTH: &str = "health";

pub(super) fn tags() -> Value {
    json!([
        {"name": NOTIFICATIONS, "description": "PSPs tell the relay."},
        {"name": TOKENS, "description": "Short-lived tokens by OAuth 2.0."},
        {
            "name": FETCH,
            "description": "Transform reads records. The path is matched in any case, a slash may follow it, and HEAD is answered \
                            like GET.",
        },
        {
            "name": RECORDS,
            "description": "The integrator's payment stack registers the records that it starts. Operators read what the relay knows.",
        },
        {"name": HEALTH, "description": "For the operator's probes."},
    ])
}

pub(super) fn security_schemes() -> Value {
    let bearer = |description: &str| json!({"type": "http", "scheme": "bearer", "description": description});
    let basic = |description: &str| json!({"type": "http", "scheme": "basic", "description": description});
    json!({
        "transformBearer": bearer("One of `transform.tokens`, a token that `POST /oauth/token` issued, or a JWT of the issuer of `[transform.jwt]`."),
        "transformBasic": basic("`transform.basic`."),
        "integratorBearer": bearer("One of `integrator.tokens`, or a token that `POST /oauth/token` issued."),
        "integratorBasic": basic("`integrator.basic`."),
        "monitorBearer": bearer("One of `monitor.tokens`."),
        "operatorBearer": bearer("One of `operators.NAME.tokens`. The name beside it is the lowest role that suffices: look, act or manage."),
    })
}
