//! Displaced hints: their number since the start, and the log line about them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::due::later;

/// The time between two log lines about displaced hints of a source.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The number of hints displaced since the start and the time of the next log line, by source.
#[derive(Debug, Default)]
pub(super) struct Displaced(Mutex<HashMap<String, (u64, Timestamp)>>);

impl Displaced {
    /// Logs how many hints were displaced: at most once a minute, since a flood displaces hundreds.
    pub(super) fn tell(&self, source: &str, hints: u32, now: Timestamp) {
        let mut displaced = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, tell_at) = displaced.entry(source.to_owned()).or_insert((0, now));
        *all = all.saturating_add(hints.into());
        let (hints, is_told) = (*all, *tell_at <= now);
        if is_told {
            *tell_at = later(now, TELL_EVERY);
        }
        drop(displaced);
        if is_told {
            tracing::info!(
                source,
                hints,
                "hints were displaced since the start: the addresses that sent them held the most slots. Register records with \
                 the PSP's id, or set ip_ranges. This is logged once a minute"
            );
        }
    }
}
