//! How a source's PSP is asked: the options of fetching, one for each source.

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

/// How a source's PSP is asked.
#[derive(Debug, Clone)]
pub struct Api {
    /// When it is asked; never is no api.
    pub mode: FetchMode,
    /// Its rules read the answers.
    pub profile: Arc<Profile>,
    /// The only types of event that count; all that the profile understands if none.
    pub events: Option<BTreeSet<String>>,
    /// What every call is below.
    pub base: Base,
    /// How the relay shows who it is.
    pub auth: Auth,
    /// Headers that the API wants.
    pub headers: BTreeMap<String, String>,
    /// How much may be asked.
    pub limits: Limits,
    /// How long one call may take, from connecting to the last byte.
    pub timeout: Duration,
    /// How long the PSP may not know an object before that is believed.
    pub not_found_for: Duration,
    /// How long a fetch may fail before it is given up.
    pub give_up_after: Duration,
    /// How many objects may wait of which nobody but strangers has spoken.
    pub slots: HintSlots,
}

/// How the relay shows a PSP's API who it is.
#[derive(Debug, Clone)]
pub enum Auth {
    /// Not at all.
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
    /// Which kind, never the secret.
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

/// All apis, by source. A reload may put others in force: whoever fetches asks for them each time.
pub type Apis = BTreeMap<String, Arc<Api>>;
