//! All routes: their paths, methods and handlers.

use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, Responder, guard, web};

use super::problem::{Problem, method_not_allowed};
use super::{api, health, lists, metrics, notification, records, replay, sources, token};

/// Configures all routes. A route whose path has a regular expression has a plain name for the log and the metrics.
pub(super) fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/{any:.*}").guard(guard::fn_guard(has_two_lengths)).to(two_lengths))
        .service(
            web::resource("/notifications/{source}")
                .route(web::post().to(notification::take))
                .route(web::get().to(notification::challenge))
                .default_service(web::to(notification::other_method)),
        )
        .service(
            resource("/{api:(?i)api}/{kind:(?i)preauth|payment|refund|agreement}/{id}", Method::GET)
                .name("/api/{kind}/{id}")
                .route(web::get().to(api::by_kind)),
        )
        .service(
            resource("/{api:(?i)api}/{transactions:(?i)transactions}/{id}", Method::GET)
                .name("/api/transactions/{id}")
                .route(web::get().to(api::by_type_code)),
        )
        .service(
            web::resource("/records/{kind:preauth|payment|refund|agreement}/{id}")
                .name("/records/{kind}/{id}")
                .route(web::get().to(records::read))
                .route(web::put().to(records::register))
                .default_service(web::to(|| async { method_not_allowed("GET, PUT") })),
        )
        .service(
            resource("/records/{kind:preauth|payment|refund|agreement}/{id}/history", Method::GET)
                .name("/records/{kind}/{id}/history")
                .route(web::get().to(lists::history)),
        )
        .service(resource("/oauth/token", Method::POST).route(web::post().to(token::issue)))
        .service(resource("/sources", Method::GET).route(web::get().to(sources::list)))
        .service(resource("/metrics", Method::GET).route(web::get().to(metrics::read)))
        .service(resource("/parked", Method::GET).route(web::get().to(lists::parked)))
        .service(resource("/findings", Method::GET).route(web::get().to(lists::findings)))
        .service(resource("/dead-letters/notifications", Method::GET).route(web::get().to(lists::dead_letters)))
        .service(
            resource("/dead-letters/notifications/{id}/replay", Method::POST)
                .route(web::post().to(replay::dead_letter)),
        )
        .service(resource("/dead-letters/deliveries", Method::GET).route(web::get().to(lists::given_up)))
        .service(resource("/healthz", Method::GET).route(web::get().to(health::alive)))
        .service(resource("/readyz", Method::GET).route(web::get().to(health::ready)))
        .default_service(web::to(not_found));
}

/// Whether a request has both Content-Length and Transfer-Encoding. Such a request is refused: the proxy that ends TLS in
/// front of us might read its length differently (request smuggling, RFC 9112, section 6.1).
fn has_two_lengths(context: &guard::GuardContext<'_>) -> bool {
    let headers = context.head().headers();
    headers.contains_key("content-length") && headers.contains_key("transfer-encoding")
}

async fn two_lengths() -> HttpResponse {
    let mut response = Problem::new(400, "Content-Length and Transfer-Encoding exclude each other").response();
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response
}

/// A resource that takes one method, and names it in the refusal of any other.
fn resource(path: &str, method: Method) -> actix_web::Resource {
    let allow = if method == Method::POST { "POST" } else { "GET" };
    web::resource(path).default_service(web::to(move || async move { method_not_allowed(allow) }))
}

async fn not_found(_request: HttpRequest) -> impl Responder {
    Problem::new(404, "there is no such route").response()
}
