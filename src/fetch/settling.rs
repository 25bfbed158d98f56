//! One fetch: the call, the judgement of its response, and the settlement on disk.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::api::Api;
use super::client::Client;
use super::judge::{Failure, Verdict, judge, next};
use crate::clock::Clock;
use crate::domain::due::{Moment, wait};
use crate::domain::message::{Meaning, Message};
use crate::domain::text::{shown, shown_id};
use crate::ingest::{told_ahead, told_crowded_out};
use crate::psp::document::received::Received;
use crate::psp::meaning::normalise::normalise_fetched;
use crate::store::{
    Answered, Awaiting, Fetch, FetchFailed, FetchSettled, Finding, Outcome, Store, StoreError, Through,
};

/// The tools that all fetches share.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) store: Arc<Store>,
    pub(super) client: Client,
    pub(super) clock: Clock,
    pub(super) stop: CancellationToken,
}

/// A fetch under way.
pub(super) struct Fetching {
    pub(super) tools: Arc<Tools>,
    pub(super) source: String,
    pub(super) api: Arc<Api>,
    pub(super) fetch: Fetch,
}

/// The end of a fetch, as far as the budget has to know it.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// Set if the PSP answers no fetch or asks for quiet. Holds the length of that quiet, if any.
    pub(super) down: Option<Option<Duration>>,
    /// The number of hints that came to nothing.
    pub(super) dropped: u64,
    /// The number of them that were dropped at the API's first 404, because slots were scarce.
    pub(super) scarce: u64,
}

/// The most waiting messages that are read with a response at a time.
const PAGE: usize = 50;
/// The wait before a store in trouble is asked again.
const TROUBLE_WAIT: Duration = Duration::from_secs(1);

impl Fetching {
    /// Makes the call and settles it.
    pub(super) async fn run(self) -> Ended {
        let began = self.tools.clock.now();
        let verdict = match self.api.base.url(&self.fetch.path) {
            Ok(url) => judge(self.tools.client.get(&self.api, url).await, self.tools.clock.now().wall),
            Err(reason) => Verdict::Never(reason),
        };
        match verdict {
            Verdict::Truth(body) => self.answered(began, body).await,
            Verdict::Never(reason) => self.failed(began, reason, false, None).await,
            Verdict::Again(failure) => {
                let Failure { asked, down, .. } = failure;
                let now = self.tools.clock.now().steady;
                let again = next(&failure, &self.fetch, &self.api, now, fastrand::f64());
                let ended = self.failed(began, failure.reason, failure.missing, again).await;
                // A PSP that asks for quiet gets it, whatever its reason.
                Ended { down: (down || asked.is_some()).then_some(asked), ..ended }
            }
        }
    }

    /// Reads the waiting messages with the response.
    async fn answered(&self, began: Moment, body: Vec<u8>) -> Ended {
        // The truths of one object keep the order of their fetches, whatever the clock does.
        let after = |last: Timestamp| last.saturating_add(SignedDuration::from_micros(1)).unwrap_or(last);
        let fetched_at = self.fetch.fetched_at.map_or(began.wall, |last| began.wall.max(after(last)));
        let mut ended = Ended::default();
        let mut more = true;
        while more {
            let (fetch, asked) = (self.fetch.id, self.fetch.asked);
            let Some(awaiting) = self.insist(|| self.tools.store.awaiting(fetch, asked, PAGE)).await else { break };
            let read = awaiting.iter().map(|one| self.read(one, &body, fetched_at)).collect();
            let body = body.clone();
            let answered = Arc::new(Answered { fetch, asked, began: began.steady, fetched_at, body, read });
            let settle = || self.tools.store.fetched(Arc::clone(&answered), self.tools.clock.now());
            let Some(settled) = self.insist(settle).await else { break };
            more = settled.more;
            ended.dropped = ended.dropped.saturating_add(self.log(&settled));
        }
        ended
    }

    /// Reads a message with the response. A fact without a time of its own counts as of the call's beginning.
    fn read(&self, awaiting: &Awaiting, answer: &[u8], fetched_at: Timestamp) -> (Uuid, usize, Message) {
        let kept = &awaiting.notification;
        let received = Received { headers: &kept.headers, body: &kept.body, at: fetched_at };
        let profile = &self.api.profile;
        let name = kept.form.as_deref().unwrap_or_default();
        let form = profile.form(name);
        let signed_at = kept.signed_at.as_deref();
        let mut message = match form {
            Some(form) => normalise_fetched(profile, form, &received, signed_at, awaiting.message, answer),
            None => Message::new(
                String::new(),
                Meaning::NotUnderstood(format!("the profile has no form {} any more", shown(name))),
            ),
        };
        if let Some(types) = &self.api.events {
            message.keep_only(types);
        }
        told_ahead(&self.source, kept.id, &message.ahead);
        (kept.id, awaiting.message, message)
    }

    /// Settles a failed fetch. `again` is the next try; `None` gives the fetch up.
    async fn failed(&self, began: Moment, reason: String, missing: bool, again: Option<Timestamp>) -> Ended {
        let (source, attempt) = (self.source.as_str(), self.fetch.attempts.saturating_add(1));
        let now = self.tools.clock.now().steady;
        let millis = now.duration_since(began.steady).as_millis();
        let call = shown_id(&self.fetch.path);
        match again {
            // A stranger may have made the object up, so this is only a debug line.
            Some(at) if missing => {
                tracing::debug!(source, attempt, millis, reason, retry_in = %wait(now, at), "nothing there yet: the fetch is tried again")
            }
            Some(at) => {
                tracing::warn!(source, %call, attempt, millis, reason, retry_in = %wait(now, at), "could not fetch")
            }
            None => tracing::debug!(source, attempt, millis, reason, "gave up fetching"),
        }
        let reason = format!("{call}: {reason}");
        let (fetch, asked) = (self.fetch.id, self.fetch.asked);
        let failed = FetchFailed { fetch, asked, began: began.steady, reason, missing, again };
        let mut ended = Ended::default();
        while let Some(settled) = self.insist(|| self.tools.store.fetch_failed(failed.clone())).await {
            ended.dropped = ended.dropped.saturating_add(self.log(&settled));
            if !settled.more {
                break;
            }
        }
        ended.scarce = if missing && self.fetch.scarce { ended.dropped } else { 0 };
        ended
    }

    /// Repeats a piece of the store's work until it succeeds: fetching again because the disk is full helps nobody.
    /// Only stopping ends this. All messages then wait as before, and the object is fetched again after the next start.
    async fn insist<T, F: Future<Output = Result<T, StoreError>>>(&self, mut does: impl FnMut() -> F) -> Option<T> {
        loop {
            match does().await {
                Ok(done) => return Some(done),
                Err(error) => {
                    tracing::error!(source = self.source, %error, "the store is in trouble: fetching waits until the store works again");
                    tokio::select! {
                        () = self.tools.stop.cancelled() => return None,
                        () = tokio::time::sleep(TROUBLE_WAIT) => {}
                    }
                }
            }
        }
    }

    /// Logs the settled messages. Returns how many hints came to nothing.
    fn log(&self, settled: &FetchSettled) -> u64 {
        let source = self.source.as_str();
        told_crowded_out(source, settled.crowded_out);
        settled.findings.iter().for_each(Finding::log);
        if let Some(led) = &settled.led_elsewhere {
            led.log();
        }
        let mut dropped = 0;
        for Through { notification, outcome, reason } in &settled.through {
            let Some(outcome) = outcome else {
                dropped += 1;
                continue;
            };
            let name = outcome.name();
            match reason {
                Some(reason) if *outcome == Outcome::DeadLetter => {
                    tracing::warn!(source, %notification, outcome = name, reason, "notification kept as a dead letter");
                }
                _ => tracing::info!(source, %notification, outcome = name, "the object of a notification was fetched"),
            }
        }
        dropped
    }
}
