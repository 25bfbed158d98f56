//! Length of a request's body, as its head announces it. **Pure.**

use actix_web::dev::RequestHead;
use actix_web::http::Method;

/// The size of the largest head of a request, in bytes. An unfinished head costs this much memory.
pub(super) const HEAD_MAX: usize = 32 * 1024;

/// The length of the body in bytes; none if only the body itself shows it. actix has refused contradictory heads.
pub(super) fn body_length(head: &RequestHead) -> Option<u64> {
    if head.headers().contains_key("transfer-encoding") {
        return None;
    }
    let length = head.headers().get("content-length").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Some(length.unwrap_or(0))
}

/// Whether actix believes that another protocol follows. No route speaks one, so the connection ends with the answer.
pub(super) fn speaks_on(head: &RequestHead) -> bool {
    let is_websocket = |value: &str| value.trim().eq_ignore_ascii_case("websocket");
    let mut upgrades = head.headers().get_all("upgrade").filter_map(|value| value.to_str().ok());
    head.method == Method::CONNECT || upgrades.any(is_websocket)
}
