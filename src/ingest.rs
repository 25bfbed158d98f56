//! The use case on one screen: verify → normalise → commit (and wake) → receipt.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use url::Url;
use uuid::Uuid;

use crate::credentials::{Basic, same};
use crate::domain::due::Moment;
use crate::psp::normalise::{Meaning, Normalised, normalise};
use crate::psp::profile::Profile;
use crate::psp::received::Received;
use crate::psp::verify::{Means, Unverified, verify};
use crate::store::sqlite::Store;
use crate::store::{Outcome, Receipt, StoreError, Taken};

/// One configured door for one PSP account.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name in the URL.
    pub name: String,
    /// The PSP's dialect.
    pub profile: Arc<Profile>,
    /// Any of them may vouch for a notification.
    pub secrets: Vec<SecretString>,
    /// The settings that the profile asks for, by name.
    pub settings: BTreeMap<String, String>,
    /// The URL that the PSP posts to, as the PSP knows it.
    pub public_url: Option<Url>,
    /// Basic credentials that the PSP must present as well.
    pub basic: Option<Basic>,
    /// Headers that the PSP must send as well; names in lower case.
    pub headers: BTreeMap<String, SecretString>,
    /// How far a signature's time may be off, in seconds, instead of the profile's.
    pub tolerance_s: Option<u32>,
    /// The only types of event that are taken in; all that the profile understands if none.
    pub events: Option<BTreeSet<String>>,
    /// The status that is answered while the source is not enabled; none if it is.
    pub closed: Option<u16>,
}

impl Source {
    /// What it has to verify with.
    #[must_use]
    pub fn means(&self) -> Means<'_> {
        Means {
            secrets: self.secrets.iter().map(Into::into).collect(),
            settings: Some(&self.settings),
            public_url: self.public_url.as_ref(),
            certificate: None,
            tolerance_s: self.tolerance_s,
        }
    }
}

/// Takes notifications in.
#[derive(Debug)]
pub struct Ingest {
    sources: BTreeMap<String, Source>,
    store: Arc<Store>,
    ignored: Mutex<HashMap<(String, String), u64>>,
}

/// Why a notification was not taken. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nobody vouches for it.
    #[error(transparent)]
    Unverified(#[from] Unverified),
    /// The signature may be right, but what the source demands beside it is not there.
    #[error("{0}")]
    Credentials(&'static str),
    /// It holds more messages or events than are taken at once.
    #[error("the batch holds {size} messages or events; {BATCH_MAX} are taken at once")]
    TooMany {
        /// How many it holds.
        size: usize,
    },
    /// The store cannot take it now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One notification is one piece of the writer's work: a batch that took it for long would keep everyone waiting. The
/// largest batch that a PSP is known to send has 250 messages.
const BATCH_MAX: usize = 10_000;
/// Ignored types are counted for as many types as this; a PSP has some hundred.
const IGNORED_TYPES_MAX: usize = 1024;

impl Ingest {
    /// Doors for these sources.
    #[must_use]
    pub fn new(sources: BTreeMap<String, Source>, store: Arc<Store>) -> Self {
        Self { sources, store, ignored: Mutex::default() }
    }

    /// The source of that name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.get(name)
    }

    /// Takes a notification. When this returns a receipt, it and all that it changed are on disk.
    ///
    /// # Errors
    /// It is not believed, or cannot be stored now. Nothing was stored.
    pub async fn take(&self, source: &Source, received: Received<'_>, now: Moment) -> Result<Receipt, Refused> {
        check_credentials(source, received)?;
        let verified = verify(&source.profile, &source.means(), received)?;
        tracing::debug!(source = source.name, secret = verified.secret(), "notification verified");
        let mut normalised = normalise(&source.profile, &verified, false);
        if let Some(events) = &source.events {
            normalised.keep_only(events);
        }
        let size = normalised.size();
        if size > BATCH_MAX {
            return Err(Refused::TooMany { size });
        }
        self.count_ignored(source, &normalised);
        let taken = Taken {
            id: Uuid::now_v7(),
            source: source.name.clone(),
            received_at: now,
            headers: kept_headers(source, received),
            body: received.body.to_vec(),
            normalised,
        };
        let receipt = self.store.take(taken).await?;
        log(source, &receipt);
        Ok(receipt)
    }

    /// Every ignored type is logged once and counted.
    fn count_ignored(&self, source: &Source, normalised: &Normalised) {
        let mut ignored = self.ignored.lock().unwrap_or_else(PoisonError::into_inner);
        for message in normalised.messages.iter().filter(|message| message.meaning == Meaning::Ignored) {
            let key = (source.name.clone(), message.event_type.clone());
            if ignored.len() >= IGNORED_TYPES_MAX && !ignored.contains_key(&key) {
                continue;
            }
            let count = ignored.entry(key).or_default();
            *count += 1;
            if *count == 1 {
                let event_type = message.event_type.as_str();
                tracing::info!(source = source.name, event_type, "this type of event concerns no record; ignored");
            }
        }
    }

    /// Logs how often each type was ignored since the start.
    pub fn log_ignored(&self) {
        let ignored = self.ignored.lock().unwrap_or_else(PoisonError::into_inner);
        for ((source, event_type), count) in ignored.iter() {
            tracing::debug!(source, event_type, count, "ignored since the start");
        }
    }
}

/// What a source demands beside the signature; all of it must be there.
fn check_credentials(source: &Source, received: Received<'_>) -> Result<(), Refused> {
    if let Some(basic) = &source.basic
        && !received.header("authorization").is_some_and(|given| basic.allows(given))
    {
        return Err(Refused::Credentials("no or wrong basic credentials"));
    }
    let headers_match = source.headers.iter().all(|(name, expected)| {
        received.header(name).is_some_and(|given| same(given.as_bytes(), expected.expose_secret().as_bytes()))
    });
    if headers_match { Ok(()) } else { Err(Refused::Credentials("a configured header is missing or wrong")) }
}

/// The headers that are kept: all but those that are secrets.
fn kept_headers(source: &Source, received: Received<'_>) -> Vec<(String, String)> {
    let secret = |name: &str| {
        matches!(name, "authorization" | "proxy-authorization" | "cookie") || source.headers.contains_key(name)
    };
    received.headers.iter().filter(|(name, _)| !secret(name)).cloned().collect()
}

fn log(source: &Source, receipt: &Receipt) {
    let (source, notification, outcome) = (source.name.as_str(), receipt.id, receipt.outcome.name());
    if receipt.key_reused {
        tracing::warn!(source, %notification, "its dedupe key came before with another content; judged by content");
    }
    if receipt.crowded_out > 0 {
        tracing::warn!(source, events = receipt.crowded_out, "too many are parked; the oldest are dead letters now");
    }
    match (&receipt.reason, receipt.outcome) {
        (Some(reason), Outcome::DeadLetter) => {
            tracing::warn!(source, %notification, outcome, reason, "notification kept as a dead letter");
        }
        _ if receipt.replayed => tracing::info!(source, %notification, outcome, "notification repeated"),
        _ => tracing::info!(source, %notification, outcome, changed = receipt.owed.len(), "notification taken"),
    }
}
