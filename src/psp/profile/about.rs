//! What people have to know about a PSP, for its page in docs/psp.

use schemars::JsonSchema;
use serde::Deserialize;

/// What a profile cannot say by its rules.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct About {
    /// What to set up at the PSP, and what of it goes into the configuration: one step each.
    pub setup: Vec<String>,
    /// Which field carries the Transform id, and how the integrator puts it there.
    pub reference: String,
    /// Which PSP ids to register with a record, of which kind.
    pub ids: String,
    /// How the PSP repeats what was not taken.
    pub retries: String,
    /// What is easily done wrong, and what is worth knowing.
    pub notes: Vec<String>,
    /// What nobody could confirm.
    pub unconfirmed: Vec<String>,
}
