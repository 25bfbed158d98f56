//! Route GET /openapi.json: the description itself. It holds no secrets, so everybody may read it.

use std::sync::LazyLock;

use actix_web::HttpResponse;

use super::whole::openapi;

/// The text of the document. It is made once.
static TEXT: LazyLock<String> = LazyLock::new(|| openapi().to_string());

pub(in crate::http) async fn read() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(TEXT.as_str())
}
