//! A case as its file says it: what the integrator registers, what the PSP posts, and what Transform must read then.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value};
use transform_relay::domain::ids::{Kind, RecordKey};

/// A small history of a few records, and its end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// The history in a few words.
    #[serde(rename = "title")]
    _title: String,
    /// The kind of history.
    #[serde(rename = "kind")]
    _kind: String,
    /// Why the expected end is right.
    #[serde(rename = "why")]
    _why: String,
    /// Pages that say so.
    #[serde(default, rename = "sources")]
    _sources: Vec<String>,
    /// How bad another end is.
    #[serde(default, rename = "severity")]
    _severity: String,
    /// What the integrator registers first.
    pub(super) records: Vec<Registered>,
    /// What happens then, in the order of the events.
    pub(super) notifications: Vec<Step>,
    /// What Transform reads at the end, by Transform id.
    pub(super) expected: BTreeMap<String, Map<String, Value>>,
    /// The responses of the PSP's API, by path. Without any, the source fetches nothing.
    #[serde(default)]
    pub(super) api: BTreeMap<String, Value>,
    /// Whether the PSP gives neither a time nor a number, so that the order of arrival is all there is.
    #[serde(default)]
    pub(super) ordered: bool,
}

/// One step of a history.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Step {
    /// The integrator registers or amends a record.
    Register {
        /// The registration.
        register: Registered,
    },
    /// The PSP posts a notification.
    Notify(Notification),
}

/// A registration: PUT /records/{kind}/{id}.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registered {
    /// The kind of the record, as in the route.
    kind: String,
    /// Its Transform id.
    id: String,
    /// The body of the request. A body that names no source has the source of the case.
    pub(super) body: Map<String, Value>,
}

impl Registered {
    pub(super) fn key(&self) -> RecordKey {
        let kind: Kind = self.kind.parse().unwrap();
        RecordKey::new(kind, self.id.parse().unwrap())
    }
}

/// A notification as the PSP posts it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notification {
    /// The profile, perhaps with the way in which the source is set up; also the name of the source.
    pub(super) profile: String,
    /// Its headers.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// Text as it is posted, or anything else as JSON.
    pub(super) body: Value,
}

impl Case {
    pub(super) fn read(file: &Path) -> Self {
        let text = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let case: Self = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(!case.expected.is_empty(), "{}: nothing is expected", file.display());
        let is_other = |step: &Step| step.profile().is_some_and(|profile| profile != case.source());
        assert!(!case.notifications.iter().any(is_other), "{}: a case has one source", file.display());
        case
    }

    /// The record of this Transform id.
    pub(super) fn key(&self, id: &str) -> RecordKey {
        let between = self.notifications.iter().filter_map(Step::registered);
        let mut all = self.records.iter().chain(between);
        all.find(|one| one.id == id).unwrap_or_else(|| panic!("{id} is not registered")).key()
    }

    /// The name of the case's source.
    pub(super) fn source(&self) -> &str {
        self.notifications.iter().find_map(Step::profile).expect("a case has a notification")
    }
}

impl Step {
    pub(super) const fn registered(&self) -> Option<&Registered> {
        match self {
            Self::Register { register } => Some(register),
            Self::Notify(_) => None,
        }
    }

    fn profile(&self) -> Option<&str> {
        match self {
            Self::Register { .. } => None,
            Self::Notify(notification) => Some(&notification.profile),
        }
    }
}
