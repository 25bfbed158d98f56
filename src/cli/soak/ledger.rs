//! What was sent and what was acknowledged: kept by the senders, apart from the relay, for the comparison at the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::lives::Fate;
use super::plan::Post;
use super::world::lock;

/// One notification, as the relay's inbox knows it: by source and bytes.
#[derive(Debug)]
pub(super) struct Entry {
    /// How often it was sent to its end, whatever became of that.
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) fate: Fate,
    /// The life that it is from.
    pub(super) label: Arc<str>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Entries>);

pub(super) type Entries = HashMap<(&'static str, Vec<u8>), Entry>;

impl Ledger {
    /// It is about to be sent: from here on the relay may have it.
    pub(super) fn sending(&self, post: &Post, body: &[u8]) {
        let mut entries = lock(&self.0);
        let entry = entries.entry((post.source, body.to_vec())).or_insert_with(|| Entry {
            sent: 0,
            acknowledged: 0,
            fate: post.fate,
            label: Arc::clone(&post.label),
        });
        entry.sent += 1;
    }

    /// It was answered 2xx. Says whether for the first time.
    pub(super) fn acknowledged(&self, post: &Post, body: &[u8]) -> bool {
        let mut entries = lock(&self.0);
        let Some(entry) = entries.get_mut(&(post.source, body.to_vec())) else { return false };
        entry.acknowledged += 1;
        entry.acknowledged == 1
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// All of it, for the comparison.
    pub(super) fn take(&self) -> Entries {
        std::mem::take(&mut *lock(&self.0))
    }
}
