//! Replay of a dead letter: it is judged anew, by the profile as it is now and by the records as they are now.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::Ingest;
use super::names::Names;
use super::noted::{ahead, log, warn};
use super::refused::ReplayError;
use crate::domain::due::Moment;
use crate::domain::message::{Meaning, Message, Normalised};
use crate::psp::document::received::Received;
use crate::psp::meaning::in_form::InForm;
use crate::psp::vouch::verify::{Holds, verify};
use crate::source::Source;
use crate::store::{Finding, Kept, Outcome, Receipt, Taken};

impl Ingest {
    /// Judges a dead letter anew. If it needs a fetch, the object is fetched again. The log names the `operator`, if it is one
    /// who asks.
    ///
    /// # Errors
    /// The notification is no dead letter, it cannot be read any more, or the store cannot replay it now. Nothing has
    /// changed.
    pub async fn replay(
        &self,
        sources: &BTreeMap<String, Source>,
        id: Uuid,
        now: Moment,
        operator: Option<&str>,
    ) -> Result<Receipt, ReplayError> {
        let kept = self.store.kept(id).await?.ok_or(ReplayError::Unknown)?;
        if kept.outcome != Outcome::DeadLetter {
            return Err(ReplayError::NoDeadLetter(kept.outcome));
        }
        let source =
            sources.get(&kept.source).ok_or(ReplayError::Unreadable("its source is not configured any more"))?;
        let (form, signed_at, normalised) = if kept.hint { hint(source, &kept)? } else { verified(source, &kept)? };
        let taken = Taken {
            id,
            source: kept.source,
            received_at: now,
            headers: kept.headers,
            body: kept.body,
            form,
            signed_at,
            partly_signed: false,
            vouched: false,
            is_pointer: false,
            normalised,
        };
        let (ahead, names) = (ahead(&taken.normalised.messages), Names::of(&taken.normalised.messages));
        let receipt = self.store.replay(taken).await?.ok_or(ReplayError::Unreadable("it was judged anew just now"))?;
        receipt.findings.iter().for_each(Finding::log);
        tracing::info!(source = source.name, notification = %id, operator, "somebody has had this dead letter judged anew");
        warn(source, &receipt, &ahead);
        log(source, &receipt, &names);
        Ok(receipt)
    }
}

/// A dead letter, read again: its form, its signed time and its normalised messages.
type Again = (String, Option<String>, Normalised);

/// Reads a notification that was verified when it was taken. No secret is needed now: it may have been replaced since.
fn verified(source: &Source, kept: &Kept) -> Result<Again, ReplayError> {
    let received = Received { headers: &kept.headers, body: &kept.body, at: kept.received_at };
    let notification = match &kept.form {
        Some(name) => {
            let form = source
                .profile
                .form(name)
                .ok_or(ReplayError::Unreadable("the profile does not have its form any more"))?;
            InForm { received, form, signed_at: kept.signed_at.as_deref() }
        }
        // An earlier version kept no form, so it is verified once more. No certificate is needed: such versions knew none.
        None => {
            let mut means = source.means(None, received.at);
            means.secrets.iter_mut().for_each(|secret| secret.holds = Holds::Now);
            let verified = verify(&source.profile, &means, received).map_err(|_| {
                ReplayError::Unreadable(
                    "an earlier version took it, and it does not verify any more; have the PSP send it again",
                )
            })?;
            InForm::from(&verified)
        }
    };
    let signed_at = notification.signed_at.map(str::to_owned);
    Ok((notification.form.name.clone(), signed_at, source.read(&notification)))
}

/// Reads a hint. Its kept body is the path of its call.
fn hint(source: &Source, kept: &Kept) -> Result<Again, ReplayError> {
    if source.fetch.is_none() {
        return Err(ReplayError::Unreadable("it would have to be fetched, and its source fetches nothing any more"));
    }
    let path = String::from_utf8_lossy(&kept.body).into_owned();
    let messages = vec![Message::new(String::new(), Meaning::Fetch(path))];
    Ok((
        kept.form.clone().unwrap_or_default(),
        None,
        Normalised { dedupe_key: String::new(), beside: String::new(), messages },
    ))
}
