//! Stand-in for a PSP that signs its notifications.

use std::sync::Arc;

use anyhow::anyhow;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::psp::profile::Profile;
use crate::psp::profile::catalogue::Catalogue;
use crate::psp::vouch::sign::{Signed, sign};
use crate::psp::vouch::verify::Means;

/// A PSP with its account's secret.
#[derive(Debug, Clone)]
pub struct Psp {
    /// The source that it posts to.
    pub source: &'static str,
    /// The profile by which it signs.
    pub profile: Arc<Profile>,
    /// The secret that it shares with the relay.
    pub secret: SecretString,
}

impl Psp {
    /// A PSP of a built-in profile.
    ///
    /// # Errors
    /// No built-in profile has this name.
    pub fn new(source: &'static str, profile: &str, secret: &str) -> anyhow::Result<Self> {
        let catalogue = Catalogue::built_in()?;
        let profile = catalogue.get(profile).ok_or_else(|| anyhow!("no profile {profile}"))?.profile.clone();
        Ok(Self { source, profile, secret: secret.to_owned().into() })
    }

    /// A stranger who pretends to be this PSP, and does not have its secret.
    #[must_use]
    pub fn stranger(&self) -> Self {
        Self { secret: "6e6f742074686520736563726574".to_owned().into(), ..self.clone() }
    }

    /// Signs a body by the named form of the profile (the first one, if none is named) at this time.
    ///
    /// # Errors
    /// The profile has no such form, or cannot sign this body.
    pub fn sign(&self, form: Option<&str>, body: &[u8], now: Timestamp) -> anyhow::Result<Signed> {
        let means = Means::secret(&self.secret);
        sign(&self.profile, form, &means, now.as_second(), "msg_stand_in", body).map_err(|reason| anyhow!(reason))
    }
}
