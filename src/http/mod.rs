//! The doors: all of actix is here and in `app`.

mod body;
mod caller;
mod chunks;
mod fetch;
mod gate;
mod health;
mod lines;
mod lists;
mod metrics;
mod notification;
mod problem;
mod records;
mod refusals;
mod replay;
mod server;
mod sources;
mod stream;
mod throttle;
mod token;
mod unread;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, Responder, guard, web};
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::delivery::breaker::Breakers;
use crate::delivery::debounce::Debouncer;
use crate::ingest::{Ingest, Source};
use crate::live::Live;
use crate::oauth::Issuer;
use crate::store::sqlite::Store;
use crate::transform::fetch::FailedAs;
use crate::transform::target::AllowedHosts;

pub use body::Bodies;
pub use caller::{ForwardedBy, Proxies};
pub use health::Probed;
pub use refusals::Refusals;
pub use server::{ServerOptions, bind, workers};
pub use throttle::{Throttle, ThrottlePolicy};

use problem::Problem;

/// What the doors go by and a reload replaces. A request goes by one of these from its start to its end.
#[derive(Debug)]
pub struct InForce {
    /// The doors for PSPs, by name.
    pub sources: BTreeMap<String, Source>,
    /// What Transform presents.
    pub transform: Credentials,
    /// What the integrator presents.
    pub integrator: Credentials,
    /// What a monitor presents.
    pub monitor: Credentials,
    /// How a failed transaction is fetched.
    pub failed_as: FailedAs,
    /// Where webhooks may go.
    pub allowed_hosts: AllowedHosts,
    /// Whether records without a target of their own can be told.
    pub has_webhook_target: bool,
    /// Who may say for whom they call.
    pub proxies: Proxies,
    /// How often an address may show wrong credentials.
    pub throttle: ThrottlePolicy,
    /// How long a token of ours lasts.
    pub token_lifetime: Duration,
}

/// What stands behind the doors.
#[derive(Debug)]
pub struct Doors {
    /// What they go by now.
    pub in_force: Arc<Live<InForce>>,
    /// Takes notifications.
    pub ingest: Arc<Ingest>,
    /// Reads and registers records.
    pub store: Arc<Store>,
    /// Knows how many records are owed a webhook.
    pub debouncer: Arc<Debouncer>,
    /// Issues tokens and knows them again.
    pub issuer: Arc<Issuer>,
    /// Knows who was wrong too often.
    pub throttle: Throttle,
    /// Counts what was refused.
    pub refusals: Arc<Refusals>,
    /// Cancelled when delivery or fetching has ended.
    pub delivery_ended: CancellationToken,
    /// What bodies may cost.
    pub bodies: Bodies,
    /// Tells the time.
    pub clock: Clock,
    /// Knows which of Transform's hosts do not answer.
    pub breakers: Arc<Breakers>,
    /// What the last readiness probe found.
    pub probed: Probed,
}

/// The path of what is at no door.
const ANYWHERE: &str = "/{any:.*}";

/// All routes. One with a regular expression in its path has a name without: the log and the metrics call it so.
pub(crate) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/{any:.*}").guard(guard::fn_guard(has_two_lengths)).to(two_lengths))
        .service(
            web::resource("/notifications/{source}")
                .route(web::post().to(notification::take))
                .route(web::get().to(notification::challenge))
                .default_service(web::to(notification::other_method)),
        )
        .service(
            door("/{api:(?i)api}/{kind:(?i)preauth|payment|refund|agreement}/{id}", Method::GET)
                .name("/api/{kind}/{id}")
                .route(web::get().to(fetch::by_kind)),
        )
        .service(
            door("/{api:(?i)api}/{transactions:(?i)transactions}/{id}", Method::GET)
                .name("/api/transactions/{id}")
                .route(web::get().to(fetch::by_type_code)),
        )
        .service(
            web::resource("/records/{kind:preauth|payment|refund|agreement}/{id}")
                .name("/records/{kind}/{id}")
                .route(web::get().to(records::read))
                .route(web::put().to(records::register))
                .default_service(web::to(|| async { method_not_allowed("GET, PUT") })),
        )
        .service(
            door("/records/{kind:preauth|payment|refund|agreement}/{id}/history", Method::GET)
                .name("/records/{kind}/{id}/history")
                .route(web::get().to(lists::history)),
        )
        .service(door("/oauth/token", Method::POST).route(web::post().to(token::issue)))
        .service(door("/sources", Method::GET).route(web::get().to(sources::list)))
        .service(door("/metrics", Method::GET).route(web::get().to(metrics::read)))
        .service(door("/parked", Method::GET).route(web::get().to(lists::parked)))
        .service(door("/dead-letters/notifications", Method::GET).route(web::get().to(lists::dead_letters)))
        .service(
            door("/dead-letters/notifications/{id}/replay", Method::POST).route(web::post().to(replay::dead_letter)),
        )
        .service(door("/dead-letters/deliveries", Method::GET).route(web::get().to(lists::given_up)))
        .service(door("/healthz", Method::GET).route(web::get().to(health::alive)))
        .service(door("/readyz", Method::GET).route(web::get().to(health::ready)))
        .default_service(web::to(not_found));
}

/// A body with a length that also comes in chunks: who believes the one and who believes the other see other requests.
/// Before us stands somebody who ends TLS, so that this must not be left to chance (RFC 9112, section 6.1).
fn has_two_lengths(context: &guard::GuardContext<'_>) -> bool {
    let headers = context.head().headers();
    headers.contains_key("content-length") && headers.contains_key("transfer-encoding")
}

async fn two_lengths() -> HttpResponse {
    let mut response = Problem::new(400, "Content-Length and Transfer-Encoding exclude each other").response();
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response
}

/// A resource that takes one method and says so.
fn door(path: &str, method: Method) -> actix_web::Resource {
    let allow = if method == Method::POST { "POST" } else { "GET" };
    web::resource(path).default_service(web::to(move || async move { method_not_allowed(allow) }))
}

fn method_not_allowed(allow: &'static str) -> HttpResponse {
    let mut response = Problem::new(405, format!("this door takes {allow}")).response();
    response
        .headers_mut()
        .insert(actix_web::http::header::ALLOW, actix_web::http::header::HeaderValue::from_static(allow));
    response
}

async fn not_found(_request: HttpRequest) -> impl Responder {
    Problem::new(404, "there is no such door").response()
}
