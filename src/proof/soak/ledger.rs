//! The ledger of sent and acknowledged notifications. The senders keep it, apart from the relay, for the check at the end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::lives::Fate;
use super::plan::Post;
use crate::proof::lock::lock;

/// One notification: how often it was sent and acknowledged, and its expected fate.
#[derive(Debug)]
pub(super) struct Entry {
    /// How often it was sent whole, whatever the outcome.
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) fate: Fate,
    /// The life from which it comes.
    pub(super) label: Arc<str>,
}

/// An entry for each notification.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Entries>);

/// The entries by source and bytes, as the relay's inbox tells notifications apart.
pub(super) type Entries = HashMap<(&'static str, Vec<u8>), Entry>;

impl Ledger {
    /// Notes that a notification is about to be sent. From then on the relay may have it.
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

    /// Notes that a notification was answered 2xx. Returns whether that is the first time.
    pub(super) fn acknowledged(&self, post: &Post, body: &[u8]) -> bool {
        let mut entries = lock(&self.0);
        let Some(entry) = entries.get_mut(&(post.source, body.to_vec())) else { return false };
        entry.acknowledged += 1;
        entry.acknowledged == 1
    }

    pub(super) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// Takes all entries out of the ledger, for the check.
    pub(super) fn take(&self) -> Entries {
        std::mem::take(&mut *lock(&self.0))
    }
}
