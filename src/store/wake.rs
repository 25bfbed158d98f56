//! The wake: after a commit it tells listeners of owed records and of sources with something to fetch.

use std::sync::Arc;

use super::{Owed, Receipt};

/// The listeners: one for records that Transform is owed a webhook for, one for sources with something to fetch. They
/// are told once the change is on disk. The wake carries no news of its own: the store knows what is owed.
#[derive(Clone)]
pub struct Wake {
    owed: Arc<dyn Fn(&Owed) + Send + Sync>,
    fetches: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Wake {
    /// A wake that tells this listener of records, and nobody of fetches.
    pub fn new(owed: impl Fn(&Owed) + Send + Sync + 'static) -> Self {
        Self { owed: Arc::new(owed), fetches: Arc::new(|_| ()) }
    }

    /// The same wake, which also tells this listener the name of a source with something to fetch.
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
