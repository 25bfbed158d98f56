//! The means of a source for verification: secrets, settings, certificate and credentials.

use std::collections::BTreeMap;

use secrecy::SecretString;
use url::Url;

use super::crypto::PublicKey;
use super::unverified::Unverified;
use crate::psp::document::place::Configured;

/// The means of a source for verification.
#[derive(Debug, Clone, Default)]
pub struct Means<'a> {
    /// The secrets. Any secret that holds may vouch. A secret that does not hold only gives the reason of a refusal.
    pub secrets: Vec<Secret<'a>>,
    /// The settings that the profile asks for, by name.
    pub settings: Option<&'a BTreeMap<String, String>>,
    /// The URL that the PSP posts to, as the PSP knows it.
    pub public_url: Option<&'a Url>,
    /// The key of the certificate at [`super::needs::certificate_url`].
    pub certificate: Option<&'a PublicKey>,
    /// How far a signature's time may be off, in seconds; replaces the profile's value.
    pub tolerance_s: Option<u32>,
    /// Whether the notification has the credentials that the source demands beside a signature: an Authorization header,
    /// other headers, an address.
    pub credentials: bool,
}

/// A secret of a source.
#[derive(Debug, Clone, Copy)]
pub struct Secret<'a> {
    /// The text of the secret as it is configured.
    pub text: &'a SecretString,
    /// The PSP's id of the key. A signature that names its key is checked by the secret with that id and by secrets without
    /// an id.
    pub key_id: Option<&'a str>,
    /// The name of the secret, unique within the source. It may stand in logs.
    pub name: &'a str,
    /// Whether the secret's time is now.
    pub holds: Holds,
}

/// Whether a secret's time is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The time is now.
    Now,
    /// The time has not begun.
    NotYet,
    /// The time is over.
    NoMore,
}

impl<'a> From<&'a SecretString> for Secret<'a> {
    /// The only secret of a source: it needs no name, and holds.
    fn from(text: &'a SecretString) -> Self {
        Self { text, key_id: None, name: "", holds: Holds::Now }
    }
}

impl Secret<'_> {
    /// The reason why a signature of this secret does not vouch; none if the secret's time is now.
    pub(super) fn out_of_time(&self) -> Option<Unverified> {
        let fate = match self.holds {
            Holds::Now => return None,
            Holds::NotYet => "a not yet valid",
            Holds::NoMore => "an expired",
        };
        Some(Unverified::OutOfTime { secret: self.name.to_owned(), fate })
    }
}

impl<'a> Means<'a> {
    /// Means that consist of one secret.
    #[must_use]
    pub fn secret(secret: &'a SecretString) -> Self {
        Self { secrets: vec![secret.into()], ..Self::default() }
    }

    /// The part of the means that a profile can name.
    #[must_use]
    pub const fn configured(&self) -> Configured<'a> {
        Configured { settings: self.settings, public_url: self.public_url }
    }
}
