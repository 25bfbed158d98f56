//! The answer to a PSP whose notification was taken or refused.

use schemars::JsonSchema;
use serde::Deserialize;

/// What the PSP is answered.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Answer {
    /// A 2xx status.
    pub status: u16,
    /// The body, as `text/plain`; without one the answer is a receipt in JSON.
    pub body: Option<String>,
    /// The status for a notification that nobody vouches for: 401, where the PSP does not want another 4xx.
    pub unverified: u16,
}

impl Default for Answer {
    fn default() -> Self {
        Self { status: 200, body: None, unverified: 401 }
    }
}
