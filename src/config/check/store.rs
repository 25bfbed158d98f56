//! `[store]` and `[debounce]`

use super::checker::{COUNT_MAX, Checker, KEPT_MAX, but};
use crate::config::secret::others_can_read;
use crate::config::settings::{DebounceSettings, StoreSettings};
use crate::domain::due::Debounce;
use crate::domain::text::shown;
use crate::store::{Keep, ParkedLimits, StoreOptions};

impl Checker<'_> {
    pub(super) fn store(&mut self, settings: &StoreSettings, debounce: &DebounceSettings) -> StoreOptions {
        if settings.path.is_empty() || settings.path.starts_with(":memory:") {
            let must = "must be a file: what is acknowledged must be on disk";
            self.wrong("store.path", but(shown(&settings.path), must));
        }
        if others_can_read(settings.path.as_ref()) {
            let path = &settings.path;
            self.warnings.push(format!(
                "store.path: everybody on this machine can read {path}, and lock it; set its mode to 0600"
            ));
        }
        let dead_letters_size = self.bytes("store.keep.dead_letters_size", &settings.keep.dead_letters_size, KEPT_MAX);
        StoreOptions {
            path: settings.path.clone().into(),
            must_exist: settings.must_exist,
            debounce: self.debounce(debounce),
            max_waiting: self.number("store.max_waiting", &settings.max_waiting, COUNT_MAX),
            parked: ParkedLimits {
                per_source: self.count("store.parked.per_source", &settings.parked.per_source, COUNT_MAX),
                max_age: self.positive_span("store.parked.max_age", &settings.parked.max_age),
            },
            keep: Keep {
                notifications: self.positive_span("store.keep.notifications", &settings.keep.notifications),
                dead_letters: self.positive_span("store.keep.dead_letters", &settings.keep.dead_letters),
                dead_letters_size,
                attempts: self.positive_span("store.keep.attempts", &settings.keep.attempts),
                history: self.positive_span("store.keep.history", &settings.keep.history),
            },
        }
    }

    fn debounce(&mut self, settings: &DebounceSettings) -> Debounce {
        let quiet = self.span("debounce.quiet", &settings.quiet);
        let max_wait = self.span("debounce.max_wait", &settings.max_wait);
        if max_wait < quiet && !["debounce.quiet", "debounce.max_wait"].iter().any(|key| self.is_wrong(key)) {
            let must = format!("must not be below debounce.quiet, {}", shown(&settings.quiet));
            self.wrong("debounce.max_wait", but(shown(&settings.max_wait), must));
        }
        Debounce { quiet, max_wait }
    }
}
