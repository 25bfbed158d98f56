//! The use case on one screen: verify → normalise → commit (and wake) → receipt.

mod repeats;
mod replay;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use secrecy::ExposeSecret;
use uuid::Uuid;

use crate::access::compare::{counts, same};
use crate::access::credentials::Look;
use crate::access::secrets::{NamedSecret, Vouched, Vouchers};
use crate::access::token::Issuer;
use crate::certificates::{Certificates, NoKey};
use crate::domain::due::{Moment, later};
use crate::domain::event::{AHEAD_MAX, Ahead};
use crate::domain::message::{Meaning, Message, Normalised};
use crate::fetch::api::Api;
use crate::psp::document::received::Received;
use crate::psp::meaning::call::{Hint, hint};
use crate::psp::profile::FetchMode;
use crate::psp::vouch::needs::certificate_url;
use crate::psp::vouch::verify::{Unverified, Verified, verify};
use crate::source::Source;
use crate::store::sqlite::Store;
use crate::store::{HintError, Hinted, Outcome, Receipt, Redated, TakeError, Taken};

pub use repeats::Repeats;
use repeats::Sent;
pub use replay::ReplayError;

/// Takes notifications in.
#[derive(Debug)]
pub struct Ingest {
    store: Arc<Store>,
    issuer: Arc<Issuer>,
    certificates: Arc<Certificates>,
    vouchers: Arc<Vouchers>,
    repeats: Arc<Repeats>,
    ignored: Mutex<HashMap<(String, String), u64>>,
    /// Hints that were displaced since the start, by source; and when that may be logged again.
    displaced: Mutex<HashMap<String, (u64, Timestamp)>>,
}

/// Why a notification was not taken. Nothing was stored.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Nobody vouches for it.
    #[error(transparent)]
    Unverified(#[from] Unverified),
    /// There is no certificate to verify it with.
    #[error(transparent)]
    Certificate(#[from] NoKey),
    /// The signature may be right, but what the source demands beside it is not there.
    #[error("{0}")]
    Credentials(&'static str),
    /// It holds more messages or events than are taken at once.
    #[error("the batch holds {size} messages or events; {BATCH_MAX} are taken at once")]
    TooMany {
        /// How many it holds.
        size: usize,
    },
    /// Nobody vouches for it, and too many such wait to be looked into.
    #[error(transparent)]
    Hint(#[from] HintError),
    /// Too many others of its dedupe key are kept, or the store cannot take it now.
    #[error(transparent)]
    Take(#[from] TakeError),
}

/// Who sends a notification, as far as that can be known.
#[derive(Debug, Clone, Copy)]
pub struct Sender {
    /// The address; of IPv6 the network.
    pub address: IpAddr,
    /// Whether it showed wrong credentials too often.
    pub suspicious: bool,
}

/// What somebody vouches for, and the secret that did; none where it was a certificate or credentials.
type VouchedFor<'a> = (Verified<'a>, Option<&'a NamedSecret>);

/// One notification is one piece of the writer's work: a batch that took it for long would keep everyone waiting. The
/// largest batch that a PSP is known to send has 250 messages.
const BATCH_MAX: usize = 10_000;
/// How many hints were displaced is logged so often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// Ignored types are counted for as many types as this; a PSP has some hundred.
const IGNORED_TYPES_MAX: usize = 1024;

impl Ingest {
    /// Into this store. Tokens of this issuer are credentials at sources that have clients.
    #[must_use]
    pub fn new(store: Arc<Store>, issuer: Arc<Issuer>, certificates: Arc<Certificates>) -> Self {
        Self {
            store,
            issuer,
            certificates,
            vouchers: Arc::default(),
            repeats: Arc::default(),
            ignored: Mutex::default(),
            displaced: Mutex::default(),
        }
    }

    /// What was told before, and is summed up in the log.
    #[must_use]
    pub fn repeats(&self) -> Arc<Repeats> {
        Arc::clone(&self.repeats)
    }

    /// What a secret of a source vouched for since the start: new notifications that were taken.
    #[must_use]
    pub fn vouched(&self, source: &Source, secret: &NamedSecret) -> Vouched {
        self.vouchers.of(&source.name, secret)
    }

    /// Takes a notification. When this returns a receipt, it and all that it changed are on disk.
    ///
    /// The signature comes first: whoever cannot sign learns nothing about the other credentials, so that these cannot be
    /// guessed one by one. A right signature does not end suspicion: whoever has caught one notification could guess a short
    /// password behind it.
    ///
    /// # Errors
    /// It is not believed, or cannot be stored now. Nothing was stored.
    pub async fn take(
        &self,
        source: &Source,
        received: Received<'_>,
        now: Moment,
        sender: Sender,
    ) -> Result<Receipt, Refused> {
        let (verified, secret) = match self.vouched_for(source, received, now).await {
            Ok(vouched) => vouched,
            Err(refused) => return self.take_hint(source, received, now, sender, refused).await,
        };
        self.check_credentials(source, received, now.steady, sender.suspicious)?;
        let normalised = source.read(&(&verified).into());
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
            form: verified.form().name.clone(),
            partly_signed: verified.form().is_partly_signed(),
            is_pointer: verified.form().pointer_only && source.fetch.is_some(),
            signed_at: verified.signed_at().map(str::to_owned),
            normalised,
        };
        let ahead = ahead(&taken.normalised.messages);
        let noted = self.noting(source, secret, received.at);
        let sent = Sent { id: taken.id, source: &source.name, partly_signed: taken.partly_signed };
        let pointed = Hint { form: taken.form.clone(), calls: calls(&taken) };
        match (self.store.take(taken, noted).await, &source.fetch) {
            // Somebody may have made it. What it points to is looked up all the same, for a hint.
            (Err(TakeError::TooManyContents { .. } | TakeError::PointsElsewhere), Some(api))
                if !pointed.calls.is_empty() =>
            {
                self.keep_hint(source, api, pointed, now, sender).await
            }
            (taken, _) => {
                let receipt = taken?;
                let is_told = self.repeats.is_told(&sent, &receipt, now.steady);
                if is_told {
                    warn(source, &receipt, &ahead);
                }
                if is_told || receipt.deletes_news() {
                    told_what_gave_way(source, &receipt);
                }
                if is_told || receipt.moves_others() {
                    log(source, &receipt);
                }
                Ok(receipt)
            }
        }
    }

    /// Verifies with the certificate that the notification names, where its profile asks for one, or with secrets.
    async fn vouched_for<'a>(
        &self,
        source: &'a Source,
        received: Received<'a>,
        now: Moment,
    ) -> Result<VouchedFor<'a>, Refused> {
        let certificate = match certificate_url(&source.profile, &received) {
            Some((url, rule)) => Some(self.certificates.key(&url, rule, now).await?),
            None => None,
        };
        let means = source.means(certificate.as_ref(), received.at);
        let verified = verify(&source.profile, &means, received)?;
        let secret = verified.secret().and_then(|name| source.secret(name));
        Ok((verified, secret))
    }

    /// What nobody vouches for may still point to something: that is looked up at the PSP, and nothing else is believed.
    async fn take_hint(
        &self,
        source: &Source,
        received: Received<'_>,
        now: Moment,
        sender: Sender,
        refused: Refused,
    ) -> Result<Receipt, Refused> {
        let hint = source.fetch.as_ref().and_then(|api| {
            let hint = hint(&source.profile, &received, api.mode != FetchMode::Unverified)?;
            Some((api, hint))
        });
        let Some((api, hint)) = hint else { return Err(refused) };
        self.check_credentials(source, received, now.steady, sender.suspicious)?;
        self.keep_hint(source, api, hint, now, sender).await
    }

    /// Has looked up what a hint points to.
    async fn keep_hint(
        &self,
        source: &Source,
        api: &Api,
        hint: Hint,
        now: Moment,
        sender: Sender,
    ) -> Result<Receipt, Refused> {
        let size = hint.calls.len();
        if size > BATCH_MAX {
            return Err(Refused::TooMany { size });
        }
        let hinted = Hinted {
            source: source.name.clone(),
            received_at: now,
            form: hint.form,
            calls: hint.calls.into_iter().map(|path| (Uuid::now_v7(), path)).collect(),
            address: sender.address.to_string(),
            slots: api.slots,
        };
        // In a flood most are refused: the writer has nothing to do with these.
        let receipt = self.store.take_hint(self.store.admit_hint(hinted).await?).await?;
        tracing::debug!(source = source.name, notification = %receipt.id, objects = size, "hint taken: to be looked up");
        if receipt.displaced > 0 {
            self.tell_displaced(&source.name, receipt.displaced, now.steady);
        }
        Ok(receipt)
    }

    /// Says how many hints were displaced: once a minute, for a flood displaces hundreds.
    fn tell_displaced(&self, source: &str, hints: u32, now: Timestamp) {
        let mut displaced = self.displaced.lock().unwrap_or_else(PoisonError::into_inner);
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
                "hints were displaced since the start: their address had most slots. Register records with the PSP's id, or set \
                 ip_ranges; said once a minute"
            );
        }
    }

    /// Notes that a secret vouched, once what it vouched for is on disk; also if the PSP has hung up by then. A repetition
    /// does not count: anybody may send again what they have caught, and it says nothing of the secret that the PSP signs
    /// with now.
    fn noting(
        &self,
        source: &Source,
        secret: Option<&NamedSecret>,
        at: Timestamp,
    ) -> impl FnOnce(&Receipt) + Send + use<> {
        let is_older =
            |secret: &NamedSecret| source.secrets.iter().any(|other| other.holds(at) && secret.is_older_than(other));
        let vouched = secret.map(|secret| (secret.clone(), is_older(secret)));
        let (source, vouchers) = (source.name.clone(), Arc::clone(&self.vouchers));
        move |receipt| {
            let Some((secret, is_older)) = vouched.filter(|_| receipt.is_news) else { return };
            vouchers.note(&source, &secret, at);
            let secret = secret.name;
            if is_older {
                tracing::info!(source, secret, "notification verified by an older secret: the PSP still signs with it");
            } else {
                tracing::debug!(source, secret, "notification verified");
            }
        }
    }

    /// What a source demands beside the signature; all of it must be there.
    fn check_credentials(
        &self,
        source: &Source,
        received: Received<'_>,
        now: Timestamp,
        suspicious: bool,
    ) -> Result<(), Refused> {
        let look = Look { audience: &source.audience(), issuer: &self.issuer, now, suspicious };
        if !source.authorization.is_empty() && !source.authorization.allows(received.header("authorization"), look) {
            return Err(Refused::Credentials("no or wrong credentials in the Authorization header"));
        }
        let headers_match = source.headers.iter().all(|(name, expected)| {
            counts(expected, suspicious)
                && received
                    .header(name)
                    .is_some_and(|given| same(given.as_bytes(), expected.expose_secret().as_bytes()))
        });
        if headers_match { Ok(()) } else { Err(Refused::Credentials("a configured header is missing or wrong")) }
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

/// The calls that a mere pointer asks for; none of anything else.
fn calls(taken: &Taken) -> Vec<String> {
    let messages = taken.normalised.messages.iter().filter(|_| taken.is_pointer);
    let calls =
        messages.filter_map(|message| if let Meaning::Fetch(path) = &message.meaning { Some(path) } else { None });
    calls.cloned().collect()
}

/// The headers that are kept: all but those that are secrets.
fn kept_headers(source: &Source, received: Received<'_>) -> Vec<(String, String)> {
    let secret = |name: &str| {
        matches!(name, "authorization" | "proxy-authorization" | "cookie") || source.headers.contains_key(name)
    };
    received.headers.iter().filter(|(name, _)| !secret(name)).cloned().collect()
}

/// Says which times of a notification lay ahead of its receipt, and count as that.
pub fn told_ahead(source: &str, notification: Uuid, ahead: &[Ahead]) {
    for Ahead { what, said } in ahead {
        tracing::warn!(
            source, %notification, of = what, said,
            "a time of this notification lies more than {} minutes ahead of its receipt and counts as the receipt. Look whether \
             the machine's clock is right",
            AHEAD_MAX.as_mins()
        );
    }
}

/// The times that lay ahead of the receipt, of as many messages as are told of.
fn ahead(messages: &[Message]) -> Vec<Ahead> {
    const TOLD: usize = 10;
    messages.iter().flat_map(|message| message.ahead.iter().cloned()).take(TOLD).collect()
}

/// Says what is odd about a notification that was taken.
fn warn(source: &Source, receipt: &Receipt, ahead: &[Ahead]) {
    let (source, notification) = (source.name.as_str(), receipt.id);
    if !receipt.replayed {
        told_ahead(source, notification, ahead);
    }
    if let Some(before) = receipt.key_reused {
        tracing::warn!(
            source, %notification, %before,
            "its dedupe key came before with another content; judged by content. If the PSP does not send one event with two \
             contents, somebody changes what nobody signs, or the profile's dedupe key does not tell notifications apart"
        );
    }
    if let Some(Redated { first, another }) = receipt.redated {
        tracing::warn!(
            source, %notification, %first, %another,
            "this dedupe key came before with another time. Nobody signs the time, so that of the first notification counts. \
             If the PSP does not date anew what it repeats, somebody sends again what they have caught"
        );
    }
    if let Some(led) = &receipt.led_elsewhere {
        led.log();
    }
}

/// Says which others are gone.
fn told_what_gave_way(source: &Source, receipt: &Receipt) {
    let (source, notification) = (source.name.as_str(), receipt.id);
    if !receipt.gave_way.is_empty() {
        let count = receipt.gave_way.len();
        let gone = receipt.gave_way.iter().map(|gone| format!("{} ({})", gone.notification, gone.outcome.name()));
        let gone = gone.collect::<Vec<_>>().join(", ");
        tracing::warn!(
            source, %notification, gone, count,
            "others of its dedupe key gave way to this notification, and are gone: as many as are kept were there"
        );
    }
}

/// Says what became of a notification that was taken, and of others because of it.
fn log(source: &Source, receipt: &Receipt) {
    let (source, notification, outcome) = (source.name.as_str(), receipt.id, receipt.outcome.name());
    if receipt.crowded_out > 0 {
        tracing::warn!(
            source,
            events = receipt.crowded_out,
            "too many are parked (store.parked.per_source): the oldest are dead letters now. Register their records, or raise it"
        );
    }
    match (&receipt.reason, receipt.outcome) {
        (Some(reason), Outcome::DeadLetter) => {
            tracing::warn!(source, %notification, outcome, reason, "notification kept as a dead letter");
        }
        _ if receipt.replayed => tracing::info!(source, %notification, outcome, "notification repeated"),
        _ => tracing::info!(source, %notification, outcome, changed = receipt.owed.len(), "notification taken"),
    }
}
