//! Vouching for a notification: by a signature of a secret or a certificate, and by the credentials beside it.

use std::sync::Arc;

use jiff::Timestamp;

use crate::access::credentials::Look;
use crate::access::secrets::{NamedSecret, Vouched, Vouchers};
use crate::access::token::Issuer;
use crate::certificates::Certificates;
use crate::domain::due::Moment;
use crate::psp::document::received::Received;
use crate::psp::vouch::needs::certificate_url;
use crate::psp::vouch::verify::{Verified, verify};
use crate::source::Source;
use crate::store::Receipt;

use super::Refused;

/// The issuer and the certificates that vouch for notifications, and what each secret vouched for since the start.
#[derive(Debug)]
pub(super) struct Vouching {
    issuer: Arc<Issuer>,
    certificates: Arc<Certificates>,
    vouchers: Arc<Vouchers>,
}

impl Vouching {
    /// Makes an instance with these certificates. Tokens of this issuer are credentials at sources that have clients.
    pub(super) fn new(issuer: Arc<Issuer>, certificates: Arc<Certificates>) -> Self {
        Self { issuer, certificates, vouchers: Arc::default() }
    }

    /// The new notifications that a secret of a source vouched for since the start.
    pub(super) fn of(&self, source: &Source, secret: &NamedSecret) -> Vouched {
        self.vouchers.of(&source.name, secret)
    }

    /// Verifies a notification with the source's secrets, and with the certificate that the notification names if its
    /// profile has certificates.
    pub(super) async fn verified<'a>(
        &self,
        source: &'a Source,
        received: Received<'a>,
        now: Moment,
    ) -> Result<Verified<'a>, Refused> {
        let certificate = match certificate_url(&source.profile, &received) {
            Some((url, rule)) => Some(self.certificates.key(&url, rule, now).await?),
            None => None,
        };
        Ok(verify(&source.profile, &source.means(certificate.as_ref(), received.at), received)?)
    }

    /// Checks the credentials that a source demands beside the signature. All of them must be there.
    pub(super) fn check_credentials(
        &self,
        source: &Source,
        received: Received<'_>,
        now: Timestamp,
        suspicious: bool,
    ) -> Result<(), Refused> {
        let look = Look { audience: &source.audience(), issuer: &self.issuer, now, suspicious };
        source.demands().check(|name| received.header(name), look).map_err(Refused::Credentials)
    }

    /// Returns a function that notes which secret vouched. The store calls it once the notification is on disk, also if
    /// the PSP has hung up by then. A repetition does not count: anybody may send a captured notification again, and it
    /// says nothing of the secret that the PSP signs with now.
    pub(super) fn noting(&self, source: &Source, verified: &Verified<'_>) -> impl FnOnce(&Receipt) + Send + use<> {
        let at = verified.received().at;
        let is_older =
            |secret: &NamedSecret| source.secrets.iter().any(|other| other.holds(at) && secret.is_older_than(other));
        let secret = verified.secret().and_then(|name| source.secret(name));
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
}
