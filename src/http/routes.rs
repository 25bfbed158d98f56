//! All routes: their paths, methods and handlers.

use actix_web::{HttpRequest, HttpResponse, Responder, guard, web};

use super::no_route::no_route;
use super::problem::{Problem, method_not_allowed};
use super::{
    api, health, history, lists, metrics, notification, openapi, record_list, records, replay, sources, telling, token,
};

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
            resource("/{api:(?i)api}/{kind:(?i)preauth|payment|refund|agreement}/{id}{end:/?}", "GET, HEAD")
                .name("/api/{kind}/{id}")
                .route(web::get().to(api::by_kind))
                .route(web::head().to(api::by_kind)),
        )
        .service(
            resource("/{api:(?i)api}/{transactions:(?i)transactions}/{id}{end:/?}", "GET, HEAD")
                .name("/api/transactions/{id}")
                .route(web::get().to(api::by_type_code))
                .route(web::head().to(api::by_type_code)),
        )
        .service(
            web::resource("/records/{kind:preauth|payment|refund|agreement}/{id}")
                .name("/records/{kind}/{id}")
                .route(web::get().to(records::read))
                .route(web::put().to(records::register))
                .route(web::delete().to(records::remove))
                .default_service(web::to(|| async { method_not_allowed("DELETE, GET, PUT") })),
        )
        .service(
            resource("/records/{kind:preauth|payment|refund|agreement}/{id}/history", "GET")
                .name("/records/{kind}/{id}/history")
                .route(web::get().to(history::read)),
        )
        .service(
            resource("/records/{kind:preauth|payment|refund|agreement}/{id}/tell", "POST")
                .name("/records/{kind}/{id}/tell")
                .route(web::post().to(telling::record)),
        )
        .service(resource("/deliveries/tell", "POST").route(web::post().to(telling::deliveries)))
        .service(resource("/records", "GET").route(web::get().to(record_list::list)))
        .service(resource("/oauth/token", "POST").route(web::post().to(token::issue)))
        .service(resource("/sources", "GET").route(web::get().to(sources::list)))
        .service(resource("/metrics", "GET").route(web::get().to(metrics::read)))
        .service(resource("/parked", "GET").route(web::get().to(lists::parked)))
        .service(resource("/findings", "GET").route(web::get().to(lists::findings)))
        .service(resource("/dead-letters/notifications", "GET").route(web::get().to(lists::dead_letters)))
        .service(resource("/dead-letters/notifications/{id}/replay", "POST").route(web::post().to(replay::dead_letter)))
        .service(resource("/dead-letters/deliveries", "GET").route(web::get().to(lists::given_up)))
        .service(resource("/healthz", "GET").route(web::get().to(health::alive)))
        .service(resource("/readyz", "GET").route(web::get().to(health::ready)))
        .service(resource("/openapi.json", "GET").route(web::get().to(openapi::read)))
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

/// A resource that takes these methods, and names them in the refusal of any other.
fn resource(path: &str, allow: &'static str) -> actix_web::Resource {
    web::resource(path).default_service(web::to(move || async move { method_not_allowed(allow) }))
}

async fn not_found(request: HttpRequest) -> impl Responder {
    no_route(request.path()).response()
}
