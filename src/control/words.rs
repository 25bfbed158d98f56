//! What a command and the relay say to each other on the control socket: the wish, and the answers to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprints;

/// The outcome of a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Keys whose new values need a restart. Everything else is in force.
    pub restart: Vec<String>,
    /// All faults of the configuration. If there is any, the old configuration stays in force.
    pub errors: Vec<String>,
    /// The names of each source's secrets that are in force now.
    pub secrets: BTreeMap<String, Vec<String>>,
    /// Fingerprints that tell secrets of the same name apart. `None` from a relay of an earlier version.
    #[serde(default)]
    pub fingerprints: Option<Fingerprints>,
    /// Warnings about settings in force that are not wise. Empty from a relay of an earlier version.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The facts about the relay that a rotation needs before it changes anything.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// The relay's time, on the machine's clock.
    pub now: Timestamp,
    /// The secrets of each source in force. `None` from a relay of an earlier version.
    #[serde(default)]
    pub secrets: Option<InForce>,
}

/// The secrets of each source in force, by the source's name.
pub type InForce = BTreeMap<String, Vec<Known>>;

/// A secret in force, without the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Whether the secret comes from the relay's own environment. Then no command sees it in a file.
    pub of_environment: bool,
}

/// The requests of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To read the configuration anew. The answer is an [`Outcome`].
    Reload,
    /// To tell the [`Time`].
    Time,
}

impl Wish {
    pub(super) const ALL: [Self; 2] = [Self::Reload, Self::Time];
    /// The bytes of the longest request.
    pub(super) const WORDS_MAX: u64 = 7;

    pub(super) const fn words(self) -> &'static [u8] {
        match self {
            Self::Reload => b"reload\n",
            Self::Time => b"time\n",
        }
    }
}
