//! The judge of a disk after a cut: the relay's own store opens it, as a start does, and must have all that was
//! answered.
//!
//! A start of the program takes some 300 ms, so a thousand of them would take minutes. The store is opened in this
//! process instead, and read by the methods that the relay's routes use. So the judge knows nothing of the tables.
//! `the_relay_starts_and_tells_after_a_power_cut` starts the program on some of the disks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use transform_relay::domain::due::Debounce;
use transform_relay::store::{Keep, ParkedLimits, Store, StoreOptions, Wake};
use transform_relay::transform::response::{FailedAs, fetched};
use uuid::Uuid;

use super::disk::Files;
use crate::support::peek;

/// What somebody was told, and the length of the recording when the answer was there.
#[derive(Debug, Clone)]
pub(super) struct Answered {
    pub(super) at: u64,
    pub(super) what: Promised,
}

/// What a cut must not take back.
#[derive(Debug, Clone)]
pub(super) enum Promised {
    /// A notification is in the inbox.
    Kept(Uuid),
    /// Transform reads this at this place of the body of a record.
    Shows { record: String, place: &'static str, value: String },
    /// An event of this notification waits for this record, or the record shows its payment.
    Waits { notification: Uuid, record: String },
    /// A webhook of this record is owed, unless Transform got one after this length of the recording.
    Owed { record: String, since: u64 },
    /// A file has this text.
    Text { file: String, text: String },
    /// This file is a copy of the store, which has all that was answered up to this length of the recording.
    Copy { file: String, up_to: u64 },
}

/// What is known of a recorded time.
#[derive(Debug, Default)]
pub(in crate::store) struct Known {
    pub(super) answered: Vec<Answered>,
    /// Webhooks, with the length of the recording when they came.
    pub(super) told: Vec<(u64, String)>,
}

impl Known {
    /// What was answered up to a length of the recording.
    pub(super) fn up_to(&self, length: u64) -> impl Iterator<Item = &Promised> {
        self.answered.iter().filter(move |one| one.at <= length).map(|one| &one.what)
    }

    fn was_told(&self, record: &str, since: u64, length: u64) -> bool {
        self.told.iter().any(|(at, told)| told == record && (since..=length).contains(at))
    }

    /// What is wrong with these files after a cut at this length of the recording. They are written into the folder.
    pub(super) async fn wrong_with(&self, files: &Files, length: u64, folder: &Path) -> Vec<String> {
        for (name, bytes) in files {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        let mut wrong = self.wrong_with_store(&folder.join("relay.db"), length, Some(length)).await;
        wrong.extend(self.wrong_texts(files, length));
        for one in &self.answered {
            let Promised::Copy { file, up_to } = &one.what else { continue };
            match files.contains_key(file) {
                // A name without its whole content would be wrong at any time.
                true => {
                    let found = self.wrong_with_store(&folder.join(file), *up_to, None).await;
                    wrong.extend(found.iter().map(|wrong| format!("{file}: {wrong}")));
                }
                false if one.at <= length => wrong.push(format!("{file} is not there")),
                false => {}
            }
        }
        wrong
    }

    /// A file with a text has the last one that was answered, or a later one.
    fn wrong_texts(&self, files: &Files, length: u64) -> Vec<String> {
        let mut may: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for one in &self.answered {
            let Promised::Text { file, text } = &one.what else { continue };
            let texts = may.entry(file).or_default();
            if one.at <= length {
                texts.clear();
            }
            texts.push(text);
        }
        let has = |file: &str| files.get(file).map(|bytes| String::from_utf8_lossy(bytes));
        let is_wrong =
            |(file, texts): &(&str, Vec<&str>)| !texts.iter().any(|text| has(file).as_deref() == Some(*text));
        may.into_iter()
            .filter(is_wrong)
            .map(|(file, _)| format!("{file} has neither its old nor its new text"))
            .collect()
    }

    /// What the store of this file lacks. Debts are looked at if `owed` says up to which length of the recording
    /// webhooks count.
    async fn wrong_with_store(&self, path: &Path, length: u64, owed: Option<u64>) -> Vec<String> {
        let store = match Store::open(options(path), Wake::new(|_| ())) {
            Ok(store) => store,
            Err(error) => return vec![format!("the store cannot be opened: {error}")],
        };
        let mut wrong = match Found::read(&store).await {
            Ok(found) => {
                let mut wrong = Vec::new();
                for promised in self.up_to(length) {
                    if !self.holds(promised, &store, &found, owed).await {
                        wrong.push(format!("not there: {promised:?}"));
                    }
                }
                wrong
            }
            Err(error) => vec![format!("the store cannot be read: {error}")],
        };
        store.close();
        wrong.extend(peek::damage_in(path).into_iter().map(|damage| format!("damage: {damage}")));
        wrong
    }

    async fn holds(&self, promised: &Promised, store: &Store, found: &Found, owed: Option<u64>) -> bool {
        match promised {
            Promised::Kept(id) => store.kept(*id).await.is_ok_and(|kept| kept.is_some()),
            Promised::Shows { record, place, value } => found.shows(record, place, value),
            Promised::Waits { notification, record } => {
                found.parked.contains(notification) || found.shows(record, "/status", "Succeeded")
            }
            Promised::Owed { record, since } => {
                owed.is_none_or(|length| found.owed.contains(record) || self.was_told(record, *since, length))
            }
            Promised::Text { .. } | Promised::Copy { .. } => true,
        }
    }
}

/// What a store has.
struct Found {
    /// The bodies that Transform would read, by kind and id.
    bodies: BTreeMap<String, Value>,
    owed: BTreeSet<String>,
    parked: BTreeSet<Uuid>,
}

impl Found {
    async fn read(store: &Store) -> Result<Self, transform_relay::store::StoreError> {
        let now = store.start_clock(Timestamp::now()).await?.now;
        store.resume(now, LONG).await?;
        let page = store.owed(i64::MIN, MOST).await?;
        assert_eq!(page.more, None, "all of it is one page");
        let parked = store.parked(None, 0, MOST).await?;
        let records = store.records(0, MOST).await?;
        let body = |one: transform_relay::store::ListedRecord| {
            let body = serde_json::to_value(fetched(&one.record, None, FailedAs::Record).body).unwrap();
            (one.record.key.to_string(), body)
        };
        Ok(Self {
            bodies: records.into_iter().map(body).collect(),
            owed: page.owed.into_iter().map(|one| one.key.to_string()).collect(),
            parked: parked.into_iter().map(|one| one.notification).collect(),
        })
    }

    fn shows(&self, record: &str, place: &str, value: &str) -> bool {
        self.bodies.get(record).is_some_and(|body| is_shown(body, place, value))
    }
}

/// Whether a body has this value at this place.
pub(super) fn is_shown(body: &Value, place: &str, value: &str) -> bool {
    let shown = body.pointer(place);
    shown.is_some_and(|shown| shown.as_str().map_or_else(|| shown.to_string(), str::to_owned) == value)
}

const LONG: Duration = Duration::from_hours(24 * 365);
const MOST: u32 = 100_000;

fn options(path: &Path) -> StoreOptions {
    StoreOptions {
        path: path.to_owned(),
        must_exist: false,
        debounce: Debounce { quiet: LONG, max_wait: LONG },
        max_waiting: 100,
        parked: ParkedLimits { per_source: MOST, max_age: LONG },
        keep: Keep {
            notifications: LONG,
            dead_letters: LONG,
            dead_letters_size: u64::MAX,
            attempts: LONG,
            history: LONG,
        },
    }
}
