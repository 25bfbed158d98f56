//! Hints: unverified notifications that point to objects. The objects are fetched from the PSP.

use uuid::Uuid;

use super::{Ingest, Refused, Sender};
use crate::domain::due::Moment;
use crate::fetch::api::Api;
use crate::psp::document::received::Received;
use crate::psp::meaning::call::{Hint, hint};
use crate::psp::profile::FetchMode;
use crate::source::Source;
use crate::store::{Hinted, Receipt};

impl Ingest {
    /// Takes an unverified notification as a hint, if it points to objects. These are fetched from the PSP, and nothing else
    /// in the notification is believed.
    pub(super) async fn take_hint(
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
        self.vouching.check_credentials(source, received, now.steady, sender.suspicious)?;
        self.keep_hint(source, api, hint, now, sender).await
    }

    /// Stores a hint, so that the objects that it points to are fetched.
    pub(super) async fn keep_hint(
        &self,
        source: &Source,
        api: &Api,
        hint: Hint,
        now: Moment,
        sender: Sender,
    ) -> Result<Receipt, Refused> {
        let size = hint.calls.len();
        Refused::too_many(size)?;
        let hinted = Hinted {
            source: source.name.clone(),
            received_at: now,
            form: hint.form,
            calls: hint.calls.into_iter().map(|path| (Uuid::now_v7(), path)).collect(),
            address: sender.address.to_string(),
            slots: api.slots,
        };
        // In a flood most hints are refused. `admit_hint` refuses them before they cost the writer anything.
        let receipt = self.store.take_hint(self.store.admit_hint(hinted).await?).await?;
        tracing::debug!(source = source.name, notification = %receipt.id, objects = size, "hint taken: to be fetched");
        if receipt.displaced > 0 {
            self.displaced.tell(&source.name, receipt.displaced, now.steady);
        }
        Ok(receipt)
    }
}
