//! Taking a body: of the right type, not too large, not too slow.

use actix_web::HttpRequest;
use actix_web::web::{Bytes, Payload};

use super::BODY_TIMEOUT;
use super::problem::Problem;

/// Refuses a content type that is not JSON. A request without one is let through: some PSPs send none.
pub(super) fn must_be_json(request: &HttpRequest) -> Result<(), Problem> {
    let Some(value) = request.headers().get("content-type") else { return Ok(()) };
    let text = value.to_str().unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        Ok(())
    } else {
        Err(Problem::new(415, "Content-Type: must be application/json"))
    }
}

/// Reads a body of at most `max` bytes.
pub(super) async fn read(request: &HttpRequest, payload: Payload, max: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(413, format!("the body is larger than {max} bytes"));
    let announced =
        request.headers().get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > max) {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, payload.to_bytes_limited(max)).await {
        Err(_) => Err(Problem::new(408, "the body took too long")),
        Ok(Err(_)) => Err(too_large()),
        Ok(Ok(Err(error))) => Err(Problem::new(400, format!("the body broke off: {error}"))),
        Ok(Ok(Ok(body))) => Ok(body),
    }
}
