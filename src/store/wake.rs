//! The wake: listeners that are told, after a commit, of owed records and of sources with something to fetch.

use std::sync::Arc;

use super::{Owed, Receipt};

/// Listeners that are told of records that Transform is owed a webhook for, and of sources with something to fetch. They are
/// told once that is on disk. The wake carries no news of its own: what is owed is in the store.
#[derive(Clone)]
pub struct Wake {
    owed: Arc<dyn Fn(&Owed) + Send + Sync>,
    fetches: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Wake {
    /// Tells this listener of records, and nobody of fetches.
    pub fn new(owed: impl Fn(&Owed) + Send + Sync + 'static) -> Self {
        Self { owed: Arc::new(owed), fetches: Arc::new(|_| ()) }
    }

    /// Tells this listener of fetches: the source's name.
    #[must_use]
    pub fn and_fetches(self, fetches: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { fetches: Arc::new(fetches), ..self }
    }

    /// Tells of each record.
    pub fn each(&self, owed: &[Owed]) {
        owed.iter().for_each(|one| (self.owed)(one));
    }

    /// Tells of all that a notification of this source brought.
    pub fn taken(&self, source: &str, receipt: &Receipt) {
        self.each(&receipt.owed);
        if receipt.fetches {
            self.fetch(source);
        }
    }

    /// Tells of a source that has something to be fetched.
    pub fn fetch(&self, source: &str) {
        (self.fetches)(source);
    }
}

impl std::fmt::Debug for Wake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wake")
    }
}
