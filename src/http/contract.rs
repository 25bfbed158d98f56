//! Middleware for Transform's routes: an answer that is no success has the contract's error object (contract, section 3a).
//!
//! Transform would read the number `status` of a problem detail as the state of a transaction.

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{CONTENT_TYPE, HeaderValue};
use actix_web::middleware::Next;

use super::problem::Problem;
use crate::transform::refused::refused;

/// Replaces the problem detail of an answer to Transform. Everybody else gets the problem detail.
pub(super) async fn as_error_object<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse, Error> {
    let answer = next.call(request).await?.map_into_boxed_body();
    let problem = answer.response().extensions().get::<Problem>().cloned();
    let Some(problem) = problem.filter(|_| is_transforms(answer.request().match_info().as_str())) else {
        return Ok(answer);
    };
    let body = error_object(answer.status().as_u16(), problem.detail())?;
    let mut answer = answer.map_body(|_, _| BoxBody::new(body));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(answer)
}

/// The error object of a refusal.
pub(super) fn error_object(status: u16, detail: &str) -> serde_json::Result<String> {
    serde_json::to_string(&refused(status, detail))
}

/// Whether a path is one of Transform's, with a route or without.
pub(super) fn is_transforms(path: &str) -> bool {
    path.trim_start_matches('/').split('/').next().is_some_and(|first| first.eq_ignore_ascii_case("api"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_paths_below_api_are_transforms() {
        for (path, is) in [
            ("/api/Payment/tx-1", true),
            ("/API/nothing", true),
            ("/api", true),
            ("//api/Payment/tx-1", true),
            ("/apis", false),
            ("/records/payment/api", false),
            ("/", false),
        ] {
            assert_eq!(is_transforms(path), is, "{path}");
        }
    }
}
