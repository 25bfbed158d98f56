//! The error object for a request of Transform that the relay cannot answer (contract, section 3a).

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::value::{TransactionStatus, UtcTime};
use crate::domain::status::{ErrorCode, Status};

/// How Transform is told of a trouble of the relay. It must not change what Transform believes.
///
/// So the error is older than everything that Transform holds, and its state is the one before all others: without a state,
/// Transform would read Failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TroubleError {
    /// The code of the HTTP status; docs/API.md has the table. It is never LoginError or PermissionDenied.
    pub error_code: ErrorCode,
    /// The reason, for people.
    pub error_message: String,
    /// 1970, before everything that Transform holds.
    pub received_at: UtcTime,
    /// Always Initiated.
    #[schemars(extend("const" = "Initiated"))]
    pub status: TransactionStatus,
}

/// The body of an answer that is no success, by its HTTP status. `reason` is for people.
#[must_use]
pub fn refused(status: u16, reason: &str) -> TroubleError {
    TroubleError {
        error_code: error_code(status),
        error_message: reason.to_owned(),
        received_at: UtcTime::of(Timestamp::UNIX_EPOCH),
        status: TransactionStatus(Status::Initiated),
    }
}

/// The contract's code for an HTTP status of the relay. docs/API.md has the same table.
const fn error_code(status: u16) -> ErrorCode {
    match status {
        401 | 403 => ErrorCode::InvalidConfiguration,
        404 => ErrorCode::InvalidPreconditions,
        429 => ErrorCode::RateLimit,
        400..=499 => ErrorCode::InvalidData,
        _ => ErrorCode::InternalError,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    #[test]
    fn a_trouble_of_the_relay_is_older_than_everything_and_ends_nothing() {
        let body = to_value(refused(503, "the store cannot be read now")).unwrap();
        let expected = json!({
            "errorCode": "InternalError", "errorMessage": "the store cannot be read now",
            "receivedAt": "1970-01-01T00:00:00.0000000Z", "status": "Initiated",
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn the_code_comes_from_the_http_status() {
        for (status, code) in [
            (400, "InvalidData"),
            (401, "InvalidConfiguration"),
            (404, "InvalidPreconditions"),
            (405, "InvalidData"),
            (429, "RateLimit"),
            (500, "InternalError"),
            (503, "InternalError"),
        ] {
            assert_eq!(to_value(refused(status, "").error_code).unwrap(), code, "{status}");
        }
    }
}
