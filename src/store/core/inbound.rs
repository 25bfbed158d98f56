//! A notification that comes in, with what costs time and needs no decision: its digests, and its compression.

use std::ops::Deref;
use std::sync::Arc;

use super::digest::digest;
use super::set::rows::notification::{OfKey, Received};
use crate::store::Taken;
use crate::store::encoding::notification::Packed;

/// A notification, ready to be decided on.
#[derive(Debug, Clone)]
pub(in crate::store) struct Inbound {
    /// The notification, without its body.
    taken: Taken,
    /// Its source and the digest of its dedupe key.
    pub(super) of_key: OfKey,
    /// The digest by which a repetition is recognised. It covers the body, and the unsigned parts beside the body that were
    /// read with it.
    pub(super) content: [u8; 16],
    /// What is only written.
    pub(super) received: Arc<Received>,
    /// The bytes of its headers and its body, as received.
    pub(super) length: usize,
}

impl Inbound {
    /// Makes a notification ready.
    pub(in crate::store) fn of(mut taken: Taken) -> Self {
        let body = std::mem::take(&mut taken.body);
        let beside = taken.normalised.beside.as_bytes();
        let content = if beside.is_empty() { digest(&body) } else { digest(&[body.as_slice(), beside].concat()) };
        let headers = taken.headers.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum::<usize>();
        let length = body.len().saturating_add(headers);
        let received = Received {
            at: taken.received_at.wall,
            kept_since: taken.received_at.steady,
            packed: Packed::of(serde_json::to_string(&taken.headers).unwrap_or_default(), body),
        };
        let of_key = (taken.source.clone(), digest(taken.normalised.dedupe_key.as_bytes()));
        Self { of_key, content, received: Arc::new(received), length, taken }
    }

    /// The same with another dedupe key.
    pub(super) fn with_key(&self, dedupe_key: &str) -> Self {
        let mut other = self.clone();
        other.of_key.1 = digest(dedupe_key.as_bytes());
        dedupe_key.clone_into(&mut other.taken.normalised.dedupe_key);
        other
    }
}

impl Deref for Inbound {
    type Target = Taken;

    fn deref(&self) -> &Taken {
        &self.taken
    }
}
