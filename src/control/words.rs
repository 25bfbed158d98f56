//! What a command and the relay say to each other on the control socket: the wish, and the answers to it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprints;
use crate::domain::ids::RecordKey;
use crate::importing::Report;
use crate::importing::lines::Line;
use crate::store::{Corrected, Corrections, Repaired};
use crate::telling::Told;

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

/// Corrections that a reread asks for. They follow the wish.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrectionsAsked {
    /// The version of the program that reads again. Another version has other rules.
    pub version: String,
    /// The rules by which the notifications of each source were read: [`crate::source::Source::rules`].
    pub rules: RuleBySource,
    /// The corrections.
    pub corrections: Corrections,
}

/// Digests of the rules by which notifications are read, by the names of the sources.
pub type RuleBySource = BTreeMap<String, String>;

impl CorrectionsAsked {
    /// Corrections that this program asks for.
    #[must_use]
    pub fn by_this(rules: RuleBySource, corrections: Corrections) -> Self {
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), rules, corrections }
    }

    /// The first source whose notifications are read by other rules in force, or which is not configured there.
    #[must_use]
    pub fn read_otherwise(&self, in_force: &RuleBySource) -> Option<&str> {
        let differs = |(source, rules): &(&String, &String)| in_force.get(*source) != Some(*rules);
        self.rules.iter().find(differs).map(|(source, _)| source.as_str())
    }

    /// Whether a program of the same version asks for them.
    #[must_use]
    pub fn is_by_this(&self) -> bool {
        self.version == env!("CARGO_PKG_VERSION")
    }
}

/// The answer to [`Wish::Correct`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CorrectionsAnswer {
    /// They are made, as far as the store is as they know it.
    Done(Corrected),
    /// The store's queue is full; the same can be asked again later.
    Busy,
    /// None of them is made, for this reason.
    Refused(String),
}

/// The answer to [`Wish::Tell`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TellAnswer {
    /// The webhooks are owed and due, or would be.
    Done(Told),
    /// An id is not registered; the reason names it. Nothing is changed.
    Unknown(String),
    /// The store cannot do it now, for this reason, or the wish is not understood.
    Refused(String),
}

/// Lines that an import asks for. They follow the wish.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportAsked {
    /// Whether nothing is changed.
    pub dry_run: bool,
    /// The lines.
    pub lines: Vec<Line>,
    /// At the end of an import what came of it, for the log.
    pub end: Option<Report>,
}

/// The answer to [`Wish::Import`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ImportAnswer {
    /// The lines are imported, or would be.
    Done(Report),
    /// The store's queue is full; the same can be asked again later.
    Busy,
    /// None of the lines is imported, for this reason.
    Refused(String),
}

/// A repair that is asked for. It follows the wish.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RepairAsked {
    /// The record.
    pub key: RecordKey,
    /// The corrections of its family, with itself.
    pub corrections: CorrectionsAsked,
}

/// The answer to [`Wish::Repair`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RepairAnswer {
    /// What came of it.
    Done(Repaired),
    /// The store cannot do it now, for this reason, or the wish is not understood. Nothing is changed.
    Refused(String),
}

/// The requests of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To read the configuration anew. The answer is an [`Outcome`].
    Reload,
    /// To tell the [`Time`].
    Time,
    /// To make [`CorrectionsAsked`]. The answer is a [`CorrectionsAnswer`].
    Correct,
    /// To tell Transform again, as a [`ToTell`](crate::domain::telling::ToTell) says. The answer is a [`TellAnswer`].
    Tell,
    /// To import [`ImportAsked`]. The answer is an [`ImportAnswer`].
    Import,
    /// To repair a record, as [`RepairAsked`] says. The answer is a [`RepairAnswer`].
    Repair,
}

impl Wish {
    pub(super) const ALL: [Self; 6] = [Self::Reload, Self::Time, Self::Correct, Self::Tell, Self::Import, Self::Repair];
    /// The bytes of the longest request. More follows only requests of this length, so that no byte behind them is read with them.
    pub(super) const WORDS_MAX: u64 = 8;

    pub(super) const fn words(self) -> &'static [u8] {
        match self {
            Self::Reload => b"reload\n",
            Self::Time => b"time\n",
            Self::Correct => b"correct\n",
            Self::Tell => b"telling\n",
            Self::Import => b"imports\n",
            Self::Repair => b"repairs\n",
        }
    }
}
