//! Texts about a PSP for people: its page in docs/psp shows them.

use schemars::JsonSchema;
use serde::Deserialize;

/// Texts for the PSP's page: what the rules of a profile cannot say.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct About {
    /// The steps to set up the PSP and the configuration, one text for each step. The page has the types that the rules read
    /// in the place of `{types}`, and those of one form in the place of `{types:FORM}`.
    pub setup: Vec<String>,
    /// The field that carries the Transform id, and how the integrator puts it there.
    pub reference: String,
    /// The PSP ids to register with a record, for each kind of record.
    pub ids: String,
    /// A sample to try a source by hand, in Markdown, where it needs more than one header from `profile sign`.
    pub by_hand: String,
    /// How the PSP repeats a notification that was not taken.
    pub retries: String,
    /// Likely mistakes, and other facts worth knowing.
    pub notes: Vec<String>,
    /// Claims of the profile that nobody could confirm.
    pub unconfirmed: Vec<String>,
}
