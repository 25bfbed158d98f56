//! The options for fetching from a PSP's API, one set for each source.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::base::Base;
use super::budget::Limits;
use crate::access::basic::Basic;
use crate::psp::profile::{FetchMode, Profile};
use crate::store::HintSlots;

/// A source's PSP API, and how the relay asks it.
#[derive(Debug, Clone)]
pub struct Api {
    /// When the API is asked. A source that is never asked has no `Api`.
    pub mode: FetchMode,
    /// The profile whose rules read the responses.
    pub profile: Arc<Profile>,
    /// The only types of event that count. `None`: all types that the profile understands.
    pub events: Option<BTreeSet<String>>,
    /// The base URL: every call stays below it.
    pub base: Base,
    /// The relay's credentials for the API.
    pub auth: Auth,
    /// Headers that the API wants.
    pub headers: BTreeMap<String, String>,
    /// The most that the relay may ask.
    pub limits: Limits,
    /// How long one call may take, from connecting to the last byte.
    pub timeout: Duration,
    /// How long the PSP may answer 404 for an object before the relay believes it.
    pub not_found_for: Duration,
    /// How long a fetch may fail before it is given up.
    pub give_up_after: Duration,
    /// How many objects that only strangers have spoken of may wait.
    pub slots: HintSlots,
}

/// The relay's credentials for a PSP's API.
#[derive(Debug, Clone)]
pub enum Auth {
    /// No credentials.
    None,
    /// `Authorization: Bearer`
    Bearer(SecretString),
    /// User name and password.
    Basic(Basic),
    /// The secret is the user name, the password is empty.
    BasicUser(SecretString),
    /// The secret is the Authorization header.
    Plain(SecretString),
}

impl fmt::Display for Auth {
    /// Writes the kind of credentials, never the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no credentials"),
            Self::Bearer(_) => f.write_str("bearer token ***"),
            Self::Basic(basic) => write!(f, "basic credentials of {:?}", basic.username),
            Self::BasicUser(_) => f.write_str("basic credentials, user name ***"),
            Self::Plain(_) => f.write_str("token ***"),
        }
    }
}

/// All APIs, by source. A reload may replace them, so every fetch looks them up anew.
pub type Apis = BTreeMap<String, Arc<Api>>;
