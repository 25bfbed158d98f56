//! What a command and the relay say to each other on the control socket: the wish, and the answers to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprints;

/// What came of a reload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Keys whose new values need a restart; all else is in force.
    pub restart: Vec<String>,
    /// All that is wrong with the configuration. If there is anything, the old one stays in force.
    pub errors: Vec<String>,
    /// The names of each source's secrets that are in force now.
    pub secrets: BTreeMap<String, Vec<String>>,
    /// What tells secrets of the same name apart; none from a relay of an earlier version.
    #[serde(default)]
    pub fingerprints: Option<Fingerprints>,
    /// What is in force, but not wise; nothing from a relay of an earlier version.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// What a rotation has to know of the relay before it changes anything.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// The time as the relay sees it, on the machine's clock.
    pub now: Timestamp,
    /// The secrets of each source in force; none from a relay of an earlier version.
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
    /// Whether it comes from the relay's own environment: then no command sees it in a file.
    pub of_environment: bool,
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// That the configuration is read anew; the answer is an [`Outcome`].
    Reload,
    /// The [`Time`].
    Time,
}

impl Wish {
    pub(super) const ALL: [Self; 2] = [Self::Reload, Self::Time];
    /// As many bytes as the longest has.
    pub(super) const WORDS_MAX: u64 = 7;

    pub(super) const fn words(self) -> &'static [u8] {
        match self {
            Self::Reload => b"reload\n",
            Self::Time => b"time\n",
        }
    }
}
