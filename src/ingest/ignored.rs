//! Ignored types of event, which concern no record: each is logged once, and counted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::message::{Meaning, Normalised};

/// The most types that are counted; a PSP has some hundred.
const TYPES_MAX: usize = 1024;

/// How often each type was ignored since the start, by source and type.
#[derive(Debug, Default)]
pub(super) struct Ignored(Mutex<HashMap<(String, String), u64>>);

impl Ignored {
    /// Counts the ignored types of a notification, and logs each type once.
    pub(super) fn count(&self, source: &str, normalised: &Normalised) {
        let mut ignored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for message in normalised.messages.iter().filter(|message| message.meaning == Meaning::Ignored) {
            let key = (source.to_owned(), message.event_type.clone());
            if ignored.len() >= TYPES_MAX && !ignored.contains_key(&key) {
                continue;
            }
            let count = ignored.entry(key).or_default();
            *count += 1;
            if *count == 1 {
                let event_type = message.event_type.as_str();
                tracing::info!(
                    source,
                    event_type,
                    "no rule reads this type of event, or its rule ignores it: it is ignored, and logged once"
                );
            }
        }
    }

    /// Logs how often each type was ignored since the start.
    pub(super) fn log(&self) {
        let ignored = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((source, event_type), count) in ignored.iter() {
            tracing::debug!(source, event_type, count, "ignored since the start");
        }
    }
}
