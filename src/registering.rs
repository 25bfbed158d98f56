//! Registration of records, the use case beside [`crate::ingest`]: what the payment stack says of a record.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::delivery::breaker::Breakers;
use crate::delivery::debounce::Debouncer;
use crate::domain::due::Moment;
use crate::domain::ids::RecordKey;
use crate::domain::nearest::hint;
use crate::domain::registration::{Refusal, Registration};
use crate::domain::text::shown;
use crate::source::Source;
use crate::store::{RegisterError, RegistrationReceipt, Store};
use crate::transform::target::AllowedHosts;

/// Registers and amends records.
#[derive(Debug)]
pub struct Registering {
    store: Arc<Store>,
    debouncer: Arc<Debouncer>,
    breakers: Arc<Breakers>,
}

/// The sources and targets that a registration may name, by the settings in force.
#[derive(Debug, Clone, Copy)]
pub struct Allowed<'a> {
    /// The configured sources.
    pub sources: &'a BTreeMap<String, Source>,
    /// The hosts to which webhooks may go.
    pub hosts: &'a AllowedHosts,
    /// Whether a record without a target of its own has a default target.
    pub has_webhook_target: bool,
}

/// The name of the source that Transform means by this `pspSettingsId`.
#[must_use]
pub fn source_of<'a>(sources: &'a BTreeMap<String, Source>, psp_settings_id: &str) -> Option<&'a str> {
    let mut sources = sources.values();
    sources.find(|source| source.psp_settings_ids.contains(psp_settings_id)).map(|source| source.name.as_str())
}

impl Registering {
    /// Registers in this store. A record whose target changes stops waiting for its old host.
    #[must_use]
    pub const fn new(store: Arc<Store>, debouncer: Arc<Debouncer>, breakers: Arc<Breakers>) -> Self {
        Self { store, debouncer, breakers }
    }

    /// Registers or amends a record; it is on disk when this returns. The log names the `operator`, if it is one who asks.
    ///
    /// # Errors
    /// The registration is refused, or the store cannot take it now. Nothing was written.
    pub async fn register(
        &self,
        key: RecordKey,
        said: Registration,
        allowed: Allowed<'_>,
        now: Moment,
        operator: Option<&str>,
    ) -> Result<RegistrationReceipt, RegisterError> {
        allowed.check(&said)?;
        if !allowed.has_webhook_target
            && said.webhook_target.is_none()
            && self.store.record(key.clone()).await?.is_none()
        {
            let reason = "is required: no transform.webhook_target is configured";
            return Err(Refusal::invalid("webhookTarget", reason).into());
        }
        let retargeted = said.webhook_target.is_some();
        let receipt = self.store.register(key.clone(), said, now).await?;
        if retargeted {
            self.retargeted(&key);
        }
        let owed = receipt.owed.len();
        tracing::info!(record = %key, operator, created = receipt.created, owed, "record registered");
        Ok(receipt)
    }
}

impl Registering {
    /// Lets a record leave the host that it may wait for: that is not its target any more.
    pub fn retargeted(&self, key: &RecordKey) {
        if let Some(waiting) = self.breakers.forget(key) {
            self.debouncer.put_back(key, waiting.since);
        }
    }

    /// Removes a record that was registered by mistake. Returns whether there was one. The log names the `operator`, if it is
    /// one who asks.
    ///
    /// # Errors
    /// Events have been applied to the record, or others name it; or the store cannot do it now. Nothing was written.
    pub async fn remove(&self, key: RecordKey, now: Moment, operator: Option<&str>) -> Result<bool, RegisterError> {
        let removed = self.store.remove(key.clone(), now).await?;
        if removed.is_some() {
            tracing::info!(record = %key, operator, "record removed");
        }
        Ok(removed.is_some())
    }
}

impl Allowed<'_> {
    /// The name of the source that Transform means by this `pspSettingsId`.
    #[must_use]
    pub fn source_of(&self, psp_settings_id: &str) -> Option<&str> {
        source_of(self.sources, psp_settings_id)
    }

    /// Refuses a source or a target that a registration may not name.
    ///
    /// # Errors
    /// The field, and the fault.
    pub fn check(&self, said: &Registration) -> Result<(), Refusal> {
        if let Some(name) = said.source.as_ref().filter(|name| !self.sources.contains_key(*name)) {
            let hint = hint(name, self.sources.keys().map(String::as_str));
            return Err(Refusal::invalid("source", format!("{} is not configured{hint}", shown(name))));
        }
        if let Some(target) = &said.webhook_target {
            self.hosts.check(target).map_err(|reason| Refusal::invalid("webhookTarget", reason))?;
        }
        Ok(())
    }
}
