//! The ingest use case for a notification, on one screen: verify → normalise → commit (and wake) → receipt.

mod displaced;
mod hints;
mod ignored;
mod kept;
mod names;
mod noted;
mod refused;
mod repeats;
mod replay;
mod vouching;

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::secrets::{NamedSecret, Vouched};
use crate::access::token::Issuer;
use crate::certificates::Certificates;
use crate::domain::due::Moment;
use crate::domain::event::Ahead;
use crate::psp::document::received::Received;
use crate::source::Source;
use crate::store::{Finding, Receipt, Store, TakeError};

use displaced::Displaced;
use ignored::Ignored;
use kept::{kept, pointed};
use names::Names;
use noted::{ahead, log, told_what_gave_way, warn};
pub use noted::{told_ahead, told_crowded_out};
pub use refused::{Refused, ReplayError};
pub use repeats::Repeats;
use repeats::Sent;
use vouching::Vouching;

/// Takes notifications in.
#[derive(Debug)]
pub struct Ingest {
    store: Arc<Store>,
    vouching: Vouching,
    repeats: Arc<Repeats>,
    ignored: Ignored,
    displaced: Displaced,
}

/// The sender of a notification, as far as it can be known.
#[derive(Debug, Clone, Copy)]
pub struct Sender {
    /// The address; for IPv6, the network.
    pub address: IpAddr,
    /// Whether the address showed wrong credentials too often.
    pub suspicious: bool,
}

impl Ingest {
    /// Makes an instance that writes to this store. Tokens of this issuer are credentials at sources that have clients.
    #[must_use]
    pub fn new(store: Arc<Store>, issuer: Arc<Issuer>, certificates: Arc<Certificates>) -> Self {
        let vouching = Vouching::new(issuer, certificates);
        Self { store, vouching, repeats: Arc::default(), ignored: Ignored::default(), displaced: Displaced::default() }
    }

    /// Takes a notification. When this returns a receipt, the notification and all that it changed are on disk.
    ///
    /// The signature is checked first. A sender that cannot sign learns nothing about the other credentials, so that
    /// these cannot be guessed one by one. A right signature does not end suspicion: a stranger with one captured
    /// notification could guess a short password behind it.
    ///
    /// # Errors
    /// The notification is not believed, or cannot be stored now. Nothing was stored.
    pub async fn take(
        &self,
        source: &Source,
        received: Received<'_>,
        now: Moment,
        sender: Sender,
    ) -> Result<Receipt, Refused> {
        let verified = match self.vouching.verified(source, received, now).await {
            Ok(verified) => verified,
            Err(refused) => return self.take_hint(source, received, now, sender, refused).await,
        };
        self.vouching.check_credentials(source, received, now.steady, sender.suspicious)?;
        let normalised = source.read(&(&verified).into());
        Refused::too_many(normalised.size())?;
        self.ignored.count(&source.name, &normalised);
        let taken = kept(source, &verified, normalised, now);
        let (ahead, names) = (ahead(&taken.normalised.messages), Names::of(&taken.normalised.messages));
        let sent = Sent { id: taken.id, source: &source.name, partly_signed: taken.partly_signed };
        let pointed = pointed(&taken);
        match (self.store.take(taken, self.vouching.noting(source, &verified)).await, &source.fetch) {
            // A stranger may have made this notification of another one. So it is taken as a hint: its objects are
            // fetched.
            (Err(TakeError::TooManyContents { .. } | TakeError::PointsElsewhere), Some(api))
                if !pointed.calls.is_empty() =>
            {
                self.keep_hint(source, api, pointed, now, sender).await
            }
            (taken, _) => {
                let receipt = taken?;
                self.tell(source, &sent, &receipt, (&ahead, &names), now);
                Ok(receipt)
            }
        }
    }

    /// Logs what became of a notification, unless anybody could cause that line as often as they like.
    fn tell(
        &self,
        source: &Source,
        sent: &Sent<'_>,
        receipt: &Receipt,
        (ahead, names): (&[Ahead], &Names),
        now: Moment,
    ) {
        // A finding is told once a day, whoever causes it.
        receipt.findings.iter().for_each(Finding::log);
        let is_told = self.repeats.is_told(sent, receipt, now.steady);
        if is_told {
            warn(source, receipt, ahead);
        }
        if is_told || receipt.deletes_news() {
            told_what_gave_way(source, receipt);
        }
        if is_told || receipt.moves_others() {
            log(source, receipt, names);
        }
    }

    /// The tally of repetitions, which the log sums up.
    #[must_use]
    pub fn repeats(&self) -> Arc<Repeats> {
        Arc::clone(&self.repeats)
    }

    /// The new notifications that a secret of a source vouched for since the start.
    #[must_use]
    pub fn vouched(&self, source: &Source, secret: &NamedSecret) -> Vouched {
        self.vouching.of(source, secret)
    }

    /// Logs how often each type was ignored since the start.
    pub fn log_ignored(&self) {
        self.ignored.log();
    }
}
