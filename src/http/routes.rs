//! All routes: their paths, methods and handlers.

use actix_web::{HttpRequest, HttpResponse, Resource, guard, web};

use super::api_path::ApiPath;
use super::listener::{Clients, Listener};
use super::no_route::no_route;
use super::problem::{Problem, method_not_allowed};
use super::{
    api, batch, health, history, lists, metrics, notification, openapi, record_list, records, replay, source_path,
    sources, telling, token,
};

/// Configures the routes of an address. A route whose path has a regular expression has a plain name for the log and the
/// metrics.
pub(super) fn routes(config: &mut web::ServiceConfig, listener: Listener) {
    // A scope needs no regular expression. To match one took 40,000 instructions a notification.
    let spoilt = web::scope("").guard(guard::fn_guard(has_two_lengths)).default_service(web::to(two_lengths));
    config.service(spoilt);
    let handle = move |request, payload, state| notification::handle(listener, request, payload, state);
    config.service(web::scope(source_path::SCOPE).default_service(web::to(handle)));
    let reads = move |request, state| api::handle(listener, request, state);
    let is_read = |context: &guard::GuardContext<'_>| ApiPath::of(context.head().uri.path()).is_some();
    config.service(web::scope("").guard(guard::fn_guard(is_read)).default_service(web::to(reads)));
    listener.add(config, Clients::Outside, resource("/oauth/token", "POST").route(web::post().to(token::issue)));
    for route in inside() {
        listener.add(config, Clients::Inside, route);
    }
    for route in probes(listener) {
        listener.add(config, Clients::Everybody, route);
    }
    config.default_service(web::to(move |request: HttpRequest| async move {
        no_route(request.path(), listener).response()
    }));
}

/// The routes of the payment stack, of monitors and of operators.
fn inside() -> Vec<Resource> {
    vec![
        web::resource("/records/{kind:preauth|payment|refund|agreement}/{id}")
            .name("/records/{kind}/{id}")
            .route(web::get().to(records::read))
            .route(web::put().to(records::register))
            .route(web::delete().to(records::remove))
            .default_service(web::to(|| async { method_not_allowed("DELETE, GET, PUT") })),
        resource("/records/{kind:preauth|payment|refund|agreement}/{id}/history", "GET")
            .name("/records/{kind}/{id}/history")
            .route(web::get().to(history::read)),
        resource("/records/{kind:preauth|payment|refund|agreement}/{id}/tell", "POST")
            .name("/records/{kind}/{id}/tell")
            .route(web::post().to(telling::record)),
        resource("/deliveries/tell", "POST").route(web::post().to(telling::deliveries)),
        resource("/records/batch", "POST").route(web::post().to(batch::import_all)),
        resource("/records", "GET").route(web::get().to(record_list::list)),
        resource("/sources", "GET").route(web::get().to(sources::list)),
        resource("/metrics", "GET").route(web::get().to(metrics::read)),
        resource("/parked", "GET").route(web::get().to(lists::parked)),
        resource("/findings", "GET").route(web::get().to(lists::findings)),
        resource("/dead-letters/notifications", "GET").route(web::get().to(lists::dead_letters)),
        resource("/dead-letters/notifications/{id}/replay", "POST").route(web::post().to(replay::dead_letter)),
        resource("/dead-letters/deliveries", "GET").route(web::get().to(lists::given_up)),
        resource("/openapi.json", "GET").route(web::get().to(openapi::read)),
    ]
}

/// The routes of probes. Beside `server.admin_listen`, nobody learns details at `server.listen`, and no credentials are
/// tried there.
fn probes(listener: Listener) -> Vec<Resource> {
    let ready = resource("/readyz", "GET");
    let ready = match listener {
        Listener::Public => ready.route(web::get().to(health::ready_without_details)),
        Listener::Only | Listener::Admin => ready.route(web::get().to(health::ready)),
    };
    vec![resource("/healthz", "GET").route(web::get().to(health::alive)), ready]
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
fn resource(path: &str, allow: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move || async move { method_not_allowed(allow) }))
}
