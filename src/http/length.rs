//! What the head of a request says of the body behind it. **Pure.**

use actix_web::dev::RequestHead;
use actix_web::http::Method;

/// No request has a larger head, in bytes. Whoever has not finished its head costs this much.
pub(super) const HEAD_MAX: usize = 32 * 1024;

/// How long the body is, in bytes; none if that stands in the body itself. actix has refused what is contradictory.
pub(super) fn body_length(head: &RequestHead) -> Option<u64> {
    if head.headers().contains_key("transfer-encoding") {
        return None;
    }
    let length = head.headers().get("content-length").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    Some(length.unwrap_or(0))
}

/// Whether actix believes that another protocol follows. No route speaks any, so that the connection ends with the answer.
pub(super) fn speaks_on(head: &RequestHead) -> bool {
    let is_websocket = |value: &str| value.trim().eq_ignore_ascii_case("websocket");
    let mut upgrades = head.headers().get_all("upgrade").filter_map(|value| value.to_str().ok());
    head.method == Method::CONNECT || upgrades.any(is_websocket)
}
