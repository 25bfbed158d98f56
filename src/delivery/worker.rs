//! Who tells Transform: looks at what is due, makes attempts, settles them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::client::{Answer, Client};
use super::debounce::Debouncer;
use super::retry::{Next, RetryPolicy, retry_after};
use crate::domain::due::later;
use crate::domain::ids::RecordKey;
use crate::store::sqlite::Store;
use crate::store::{Delivery, Settlement, StoreError};
use crate::transform::target::AllowedHosts;
use crate::transform::webhook;

/// How attempts are made.
#[derive(Debug, Clone)]
pub struct DeliveryOptions {
    /// Where webhooks may go.
    pub allowed_hosts: AllowedHosts,
    /// Where webhooks of records without a target of their own go.
    pub webhook_target: Option<String>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How many attempts may be under way at once.
    pub concurrency: usize,
    /// What comes after a failure.
    pub retry: RetryPolicy,
}

/// The worker. It takes no input: what is owed is in the store, when to look is in the debouncer.
#[derive(Debug)]
pub struct Worker {
    store: Arc<Store>,
    debouncer: Arc<Debouncer>,
    client: Client,
    options: DeliveryOptions,
    stop: CancellationToken,
}

/// The clock may step; no sleep is longer than this.
const LOOK_AT_LEAST_EVERY: Duration = Duration::from_secs(5);
/// When the store is in trouble, a record is looked at again after this.
const STORE_TROUBLE_WAIT: Duration = Duration::from_secs(1);

impl Worker {
    /// A worker on this store, until `stop`.
    ///
    /// # Errors
    /// The machine's TLS set-up cannot be used.
    pub fn new(
        store: Arc<Store>,
        debouncer: Arc<Debouncer>,
        options: DeliveryOptions,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, String> {
        let client = Client::new(options.timeout)?;
        Ok(Arc::new(Self { store, debouncer, client, options, stop }))
    }

    /// Fills the debouncer with what the store says is owed: what was not told before a restart.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn recover(&self) -> Result<usize, StoreError> {
        let owed = self.store.owed().await?;
        owed.iter().for_each(|one| self.debouncer.owe(one));
        Ok(owed.len())
    }

    /// Tells Transform what is due until it is stopped; then finishes what is in flight.
    pub async fn run(self: Arc<Self>) {
        let mut attempts: JoinSet<()> = JoinSet::new();
        while !self.stop.is_cancelled() {
            let free = self.options.concurrency.saturating_sub(attempts.len());
            for key in self.debouncer.take_due(Timestamp::now(), free) {
                let worker = Arc::clone(&self);
                attempts.spawn(async move { worker.look_at(key).await });
            }
            let full = attempts.len() >= self.options.concurrency;
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

    fn until_next(&self) -> Duration {
        let next = self.debouncer.next_due().map(|due| due.duration_since(Timestamp::now()));
        next.map_or(LOOK_AT_LEAST_EVERY, |wait| Duration::try_from(wait).unwrap_or_default()).min(LOOK_AT_LEAST_EVERY)
    }

    async fn look_at(&self, key: RecordKey) {
        let next = match self.store.delivery(key.clone()).await {
            Ok(None) => None,
            Ok(Some(delivery)) if delivery.due > Timestamp::now() => Some(delivery.due),
            Ok(Some(delivery)) => self.attempt(&key, &delivery).await,
            Err(error) => Some(trouble(&key, &error)),
        };
        self.debouncer.settled(&key, next);
    }

    /// One attempt. Says when the record is to be looked at again.
    async fn attempt(&self, key: &RecordKey, delivery: &Delivery) -> Option<Timestamp> {
        let began = Timestamp::now();
        let answered = self.post(key, delivery).await;
        let now = Timestamp::now();
        let settlement = self.judge(delivery, &answered, now);
        log(key, delivery, &settlement, now.duration_since(began).as_millis());
        self.settle(key, delivery.version, began, settlement, now).await
    }

    /// Settles an attempt, as soon as the store can: telling again because the disk is full helps nobody. Only stopping
    /// ends the wait; the record stays owed then, and is told again after the next start.
    async fn settle(
        &self,
        key: &RecordKey,
        version: u64,
        began: Timestamp,
        settlement: Settlement,
        now: Timestamp,
    ) -> Option<Timestamp> {
        loop {
            match self.store.settle(key.clone(), version, began, settlement.clone(), now).await {
                Ok(next) => return next,
                Err(error) => {
                    let next = trouble(key, &error);
                    tokio::select! {
                        () = self.stop.cancelled() => return Some(next),
                        () = tokio::time::sleep(STORE_TROUBLE_WAIT) => {}
                    }
                }
            }
        }
    }

    async fn post(&self, key: &RecordKey, delivery: &Delivery) -> Result<Answer, String> {
        let target = self.target(delivery)?;
        let body = webhook::body(key).map_err(|error| error.to_string())?;
        self.client.post(target, body).await
    }

    /// The operator may have narrowed what is allowed since the record was registered.
    fn target(&self, delivery: &Delivery) -> Result<Url, String> {
        let target = delivery.webhook_target.as_ref().or(self.options.webhook_target.as_ref());
        let target = target.ok_or("neither the record nor transform.webhook_target says where to")?;
        self.options.allowed_hosts.check(target).map_err(|reason| format!("webhook target {reason}"))
    }

    fn judge(&self, delivery: &Delivery, answered: &Result<Answer, String>, now: Timestamp) -> Settlement {
        let (reason, asked) = match answered {
            Ok(answer) if (200..300).contains(&answer.status) => return Settlement::Told,
            Ok(answer) => {
                let asked = answer.retry_after.as_deref().and_then(|value| retry_after(value, now));
                (format!("HTTP {}", answer.status), asked)
            }
            Err(reason) => (reason.clone(), None),
        };
        let random = fastrand::f64();
        match self.options.retry.next(delivery.attempts, delivery.failing_since, now, asked, random) {
            Next::At { at, not_before } => Settlement::Retry { at, not_before, reason },
            Next::GiveUp => Settlement::GiveUp { reason },
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "an attempt panicked; its record is told after the next start");
    }
}

fn trouble(key: &RecordKey, error: &StoreError) -> Timestamp {
    tracing::error!(record = %key, %error, "the store is in trouble; delivery waits");
    later(Timestamp::now(), STORE_TROUBLE_WAIT)
}

fn log(key: &RecordKey, delivery: &Delivery, settlement: &Settlement, millis: i128) {
    let (attempt, version) = (delivery.attempts.saturating_add(1), delivery.version);
    match settlement {
        Settlement::Told => tracing::info!(record = %key, version, attempt, millis, "told Transform"),
        Settlement::Retry { at, reason, .. } => {
            tracing::warn!(record = %key, version, attempt, millis, reason, retry_at = %at, "could not tell Transform");
        }
        Settlement::GiveUp { reason } => {
            tracing::error!(record = %key, version, attempt, millis, reason, "gave up telling Transform: dead letter");
        }
    }
}
