//! The delivery worker: takes due records, posts their webhooks to Transform, and settles each attempt.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::awaited::Awaited;
use super::breaker::{BreakerPolicy, Breakers, Pass, Verdict, Waiting};
use super::client::{Client, Response};
use super::debounce::Debouncer;
use crate::clock::Clock;
use crate::domain::due::{Moment, later, wait};
use crate::domain::ids::RecordKey;
use crate::outbound::retry::{Next, RetryPolicy, retry_after};
use crate::store::{Attempt, Delivery, Settlement, Store, StoreError};
use crate::transform::target::AllowedHosts;
use crate::transform::webhook;

/// The options of delivery.
#[derive(Debug, Clone)]
pub struct DeliveryOptions {
    /// The hosts to which webhooks may go.
    pub allowed_hosts: AllowedHosts,
    /// The target for records without a target of their own.
    pub webhook_target: Option<String>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many attempts may be under way at once.
    pub concurrency: usize,
    /// The waits after a failed attempt, and when to give up.
    pub retry: RetryPolicy,
    /// When a failing host's breaker opens, and how often it probes.
    pub breaker: BreakerPolicy,
}

/// The delivery worker. It takes no input: the store says what is owed, the debouncer when to look.
#[derive(Debug)]
pub struct Worker {
    store: Arc<Store>,
    debouncer: Arc<Debouncer>,
    breakers: Arc<Breakers>,
    awaited: Arc<Awaited>,
    client: Client,
    options: Arc<ArcSwap<DeliveryOptions>>,
    clock: Clock,
    stop: CancellationToken,
}

/// The longest sleep of the worker.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// The number of owed records that are read at once after a start.
const PAGE: u32 = 5_000;
/// The wait before a page that could not be read is read again.
const FILL_AGAIN: Duration = Duration::from_secs(10);
/// The wait before a record is looked at again when the store is in trouble or an attempt panicked.
const TROUBLE_WAIT: Duration = Duration::from_secs(1);

impl Worker {
    /// Makes a worker on this store. It runs until `stop`.
    ///
    /// # Errors
    /// The machine's TLS set-up cannot be used.
    pub fn new(
        store: Arc<Store>,
        (debouncer, breakers, awaited): (Arc<Debouncer>, Arc<Breakers>, Arc<Awaited>),
        options: Arc<ArcSwap<DeliveryOptions>>,
        clock: Clock,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, String> {
        let client = Client::new(options.load_full().concurrency)?;
        Ok(Arc::new(Self { store, debouncer, breakers, awaited, client, options, clock, stop }))
    }

    /// Prepares for the changes that the store owes Transform: those not told before a restart. Returns their number.
    ///
    /// # Errors
    /// The store cannot be used.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        let owed = self.store.resume(self.clock.now(), self.options.load_full().retry.max).await?;
        self.debouncer.expect(owed);
        Ok(owed)
    }

    /// Tells Transform of due records until it is stopped. Then it finishes the attempts in flight.
    pub async fn run(self: Arc<Self>) {
        let fills = self.stop.run_until_cancelled(self.fill());
        tokio::join!(fills, Arc::clone(&self).tell());
    }

    /// Fills the debouncer with what the store owes. Telling begins with the first page: to read a million debts takes a while.
    async fn fill(&self) {
        let mut after = Some(i64::MIN);
        while let Some(row) = after {
            match self.store.owed(row, PAGE).await {
                Ok(page) => {
                    self.debouncer.name(&page.owed, page.rows);
                    after = page.more;
                }
                Err(error) => {
                    tracing::error!(
                        %error,
                        "the owed records of before the start cannot be read; the next try is in ten seconds"
                    );
                    tokio::time::sleep(FILL_AGAIN).await;
                }
            }
        }
        self.debouncer.expect(0);
    }

    async fn tell(self: Arc<Self>) {
        let mut attempts: JoinSet<()> = JoinSet::new();
        while !self.stop.is_cancelled() {
            let concurrency = self.options.load_full().concurrency;
            let free = concurrency.saturating_sub(attempts.len());
            for (key, pass) in self.breakers.take_probes(self.now(), free) {
                let worker = Arc::clone(&self);
                attempts.spawn(async move { worker.look_after(key, Some(pass)).await });
            }
            let free = concurrency.saturating_sub(attempts.len());
            for key in self.debouncer.take_due(self.now(), free) {
                let worker = Arc::clone(&self);
                attempts.spawn(async move { worker.look_after(key, None).await });
            }
            let full = attempts.len() >= concurrency;
            tokio::select! {
                () = self.stop.cancelled() => {}
                Some(ended) = attempts.join_next() => report(ended),
                () = self.debouncer.changed(), if !full => {}
                () = tokio::time::sleep(self.until_next()), if !full => {}
            }
        }
        while let Some(ended) = attempts.join_next().await {
            report(ended);
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now().steady
    }

    fn until_next(&self) -> Duration {
        let next = self.debouncer.next_due().into_iter().chain(self.breakers.next_probe()).min();
        let wait = next.map(|due| Duration::try_from(due.duration_since(self.now())).unwrap_or_default());
        wait.unwrap_or(LOOK_AT_LEAST_EVERY).min(LOOK_AT_LEAST_EVERY)
    }

    /// Looks at a record. If the look panics, the record is looked at again.
    async fn look_after(&self, key: RecordKey, pass: Option<Pass>) {
        let mut flight = Flight { debouncer: &self.debouncer, clock: self.clock, key: Some(key.clone()) };
        self.look_at(key, pass).await;
        flight.key = None;
    }

    /// Tells Transform of a record if it is due and its host answers. A probe brings its pass.
    async fn look_at(&self, key: RecordKey, pass: Option<Pass>) {
        let delivery = match self.store.delivery(key.clone()).await {
            Ok(Some(delivery)) if delivery.due <= self.now() => delivery,
            Ok(later) => return self.debouncer.done(&key, later.map(|delivery| delivery.due)),
            Err(error) => return self.debouncer.done(&key, Some(self.trouble(&key, &error))),
        };
        let options = self.options.load_full();
        let next = match webhook(&options, &key, &delivery) {
            Err(reason) => {
                let now = self.clock.now();
                let failure = Failure { reason, asked: None, down: false };
                let settlement = settlement(&options.retry, &delivery, Err(failure), now.steady, None);
                self.settle(&delivery, attempt(&key, &delivery, None, (now, now)), settlement).await
            }
            Ok(webhook) => {
                let host = host(&webhook.0);
                let pass = pass.filter(|pass| pass.host() == host);
                let waiting = || Waiting { attempts: delivery.attempts, since: delivery.owed_since, key: key.clone() };
                let pass = pass.or_else(|| self.breakers.admit(&host, waiting(), self.now()));
                // Without a pass the record now waits in the breaker, until its host answers.
                let Some(pass) = pass else { return };
                self.attempt(&options, &key, &delivery, webhook, pass).await
            }
        };
        self.debouncer.done(&key, next);
    }

    /// Makes one attempt. Returns the time to look at the record again, if any.
    async fn attempt(
        &self,
        options: &DeliveryOptions,
        key: &RecordKey,
        delivery: &Delivery,
        (target, body): (Url, String),
        pass: Pass,
    ) -> Option<Timestamp> {
        let began = self.clock.now();
        let answered = self.client.post(target, body, options.timeout).await;
        let ended = judge(answered, self.clock.now().wall);
        tracing::debug!(record = %key, version = delivery.version, taken = ended.is_ok(), "Transform has answered");
        let host = pass.host().to_owned();
        let next_probe = self.tell_breaker(options, pass, &ended);
        // The wait before the next attempt counts from the end of this one.
        let now = self.clock.now();
        let settlement = settlement(&options.retry, delivery, ended, now.steady, next_probe);
        let is_open = next_probe.is_some();
        let awaits = is_open && matches!(settlement, Settlement::GiveUp { awaits_host: true, .. });
        let next = self.settle(delivery, attempt(key, delivery, Some(host.clone()), (began, now)), settlement).await;
        if awaits {
            // The host may have responded to another attempt by now.
            self.awaited.add(&host);
        }
        next
    }

    /// Reports an attempt's end to the breaker. Returns the time of the host's next probe, if its breaker is open.
    fn tell_breaker(&self, options: &DeliveryOptions, pass: Pass, ended: &Result<(), Failure>) -> Option<Timestamp> {
        let host = pass.host().to_owned();
        let verdict = match ended {
            Err(Failure { down: true, asked, .. }) => Verdict::Down(asked.map(|asked| asked.min(options.retry.max))),
            _ => Verdict::Up,
        };
        let consequence = pass.report(verdict, &options.breaker, self.now(), fastrand::f64());
        if matches!(verdict, Verdict::Up) {
            self.awaited.responds(&host);
        }
        if consequence.opened {
            self.awaited.add(&host);
            tracing::warn!(
                host,
                "host does not respond, or responds with 408, 429 or 5xx: one record at a time probes it, all others wait"
            );
        }
        if consequence.closed {
            tracing::info!(host, waiting = consequence.released.len(), "host responds again: all records are told");
        }
        for waiting in &consequence.released {
            self.debouncer.put_back(&waiting.key, waiting.since);
        }
        consequence.next_probe
    }

    /// Settles an attempt, and waits for that as long as the store is in trouble: telling Transform again because the
    /// disk is full helps nobody. Only stopping ends the wait. The record then stays owed, and is told again after the
    /// next start.
    async fn settle(&self, delivery: &Delivery, attempt: Attempt, settlement: Settlement) -> Option<Timestamp> {
        loop {
            match self.store.settle(attempt.clone(), settlement.clone()).await {
                Ok(next) => {
                    log(delivery, &attempt, &settlement);
                    return next;
                }
                Err(error) => {
                    let next = self.trouble(&attempt.key, &error);
                    tokio::select! {
                        () = self.stop.cancelled() => return Some(next),
                        () = tokio::time::sleep(TROUBLE_WAIT) => {}
                    }
                }
            }
        }
    }

    fn trouble(&self, key: &RecordKey, error: &StoreError) -> Timestamp {
        tracing::error!(record = %key, %error, "the store is in trouble: this record's delivery waits until the store works again");
        later(self.now(), TROUBLE_WAIT)
    }
}

/// A guard for a record in flight. If its attempt breaks off, the guard puts the record back into the debouncer.
struct Flight<'a> {
    debouncer: &'a Debouncer,
    clock: Clock,
    key: Option<RecordKey>,
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.debouncer.done(&key, Some(later(self.clock.now().steady, TROUBLE_WAIT)));
        }
    }
}

/// The target and body of a webhook. The target is checked each time: the operator may have narrowed the allowed hosts
/// since the record was registered.
fn webhook(options: &DeliveryOptions, key: &RecordKey, delivery: &Delivery) -> Result<(Url, String), String> {
    let target = delivery.webhook_target.as_ref().or(options.webhook_target.as_ref());
    let target = target.ok_or("webhook target missing: neither the record nor transform.webhook_target has one")?;
    let target = options.allowed_hosts.check(target).map_err(|reason| format!("webhook target {reason}"))?;
    Ok((target, webhook::body(key).map_err(|error| error.to_string())?))
}

fn attempt(key: &RecordKey, delivery: &Delivery, host: Option<String>, (began, ended): (Moment, Moment)) -> Attempt {
    Attempt { key: key.clone(), version: delivery.version, host, began, ended }
}

fn settlement(
    retry: &RetryPolicy,
    delivery: &Delivery,
    answered: Result<(), Failure>,
    now: Timestamp,
    next_probe: Option<Timestamp>,
) -> Settlement {
    let Err(Failure { reason, asked, down }) = answered else { return Settlement::Told };
    match retry.next(delivery.attempts, delivery.failing_since, now, asked, fastrand::f64()) {
        Next::At { at, not_before } => {
            // If the host answers no record, its next probe decides. This record need not wait longer than that.
            let at = next_probe.map_or(at, |probe| at.min(probe));
            Settlement::Retry { at: not_before.map_or(at, |asked| at.max(asked)), not_before, reason }
        }
        Next::GiveUp => Settlement::GiveUp { reason, awaits_host: down },
    }
}

/// The reason why an attempt failed.
struct Failure {
    reason: String,
    /// The quiet that Transform asks for (Retry-After).
    asked: Option<Duration>,
    /// Whether the failure is the host's, and not this webhook's.
    down: bool,
}

fn judge(answered: Result<Response, String>, now: Timestamp) -> Result<(), Failure> {
    let answer = answered.map_err(|reason| Failure { reason, asked: None, down: true })?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let asked = answer.retry_after.as_deref().and_then(|value| retry_after(value, now));
    let down = answer.status >= 500 || matches!(answer.status, 408 | 429);
    Err(Failure { reason: format!("HTTP {}", answer.status), asked, down })
}

fn host(target: &Url) -> String {
    format!("{}:{}", target.host_str().unwrap_or_default(), target.port_or_known_default().unwrap_or_default())
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "an attempt panicked: its record is looked at again");
    }
}

/// Logs the end of an attempt; without a host there is no target that may be called, and the reason says why.
fn log(delivery: &Delivery, made: &Attempt, settlement: &Settlement) {
    let (key, version, attempt) = (&made.key, made.version, delivery.attempts.saturating_add(1));
    let host = made.host.as_deref();
    let now = made.ended.steady;
    let millis = now.duration_since(made.began.steady).as_millis();
    match settlement {
        Settlement::Told => tracing::info!(record = %key, version, attempt, millis, "told Transform"),
        Settlement::Retry { at, reason, .. } => {
            tracing::warn!(record = %key, host, version, attempt, millis, reason, retry_in = %wait(now, *at), "could not tell Transform");
        }
        Settlement::GiveUp { reason, .. } => {
            tracing::error!(record = %key, host, version, attempt, millis, reason, "gave up telling Transform: the delivery is a dead letter now");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::Kind;
    use crate::store::Owed;

    #[test]
    fn a_record_whose_attempt_panics_is_looked_at_again() {
        let (debouncer, clock) = (Debouncer::default(), Clock::start());
        let key = RecordKey::new(Kind::Payment, "tx-1".parse().unwrap());
        debouncer.owe(&Owed { key: key.clone(), due: clock.now().steady, after: Vec::new() });
        assert_eq!(debouncer.take_due(Timestamp::MAX, 1), std::slice::from_ref(&key));
        let attempt = || {
            let _flight = Flight { debouncer: &debouncer, clock, key: Some(key.clone()) };
            panic!("in the middle of it");
        };
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt)).is_err());
        assert_eq!(debouncer.take_due(Timestamp::MAX, 1), [key]);
    }
}
