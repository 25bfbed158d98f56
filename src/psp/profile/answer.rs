//! The answer to a PSP whose notification was taken or refused.

use schemars::JsonSchema;
use serde::Deserialize;

/// The answer to a notification.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    /// The status for a notification that was taken: 2xx.
    pub status: u16,
    /// The body, as `text/plain`; without one the answer is a receipt in JSON.
    pub body: Option<String>,
    /// The status for a notification that nothing vouches for: 401, or another 4xx if the PSP wants it.
    pub unverified: u16,
}

impl Default for Answer {
    fn default() -> Self {
        Self { status: 200, body: None, unverified: 401 }
    }
}
