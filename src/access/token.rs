//! Short-lived tokens: issuing and checking them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::basic::Basic;

/// An OAuth client, which may get tokens for one audience.
#[derive(Debug, Clone)]
pub struct Client {
    /// The client's name, unique over all audiences.
    pub id: String,
    /// The client's own secret.
    pub secret: SecretString,
    /// The resource owner's credentials. With them the grant is `password`, without them `client_credentials`.
    pub user: Option<Basic>,
}

/// The issuer of tokens, which also checks them.
pub struct Issuer([u8; 32]);

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuer")
    }
}

impl Issuer {
    /// Makes an issuer with this key. The key must come from unpredictable randomness.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Issues a token for an audience to a client. It is valid until `until`, by the store's clock.
    #[must_use]
    pub fn issue(&self, audience: &str, client: &Client, until: Timestamp) -> String {
        let until = until.as_microsecond().to_be_bytes();
        let mac = self.mac(audience, client, until).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([until.as_slice(), mac.as_slice()].concat())
    }

    /// Whether this issuer issued the token for this audience and client, and the token has not ended.
    #[must_use]
    pub fn issued(&self, token: &str, audience: &str, client: &Client, now: Timestamp) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((until, mac)) = bytes.split_first_chunk::<8>() else { return false };
        self.mac(audience, client, *until).verify_slice(mac).is_ok()
            && now.as_microsecond() < i64::from_be_bytes(*until)
    }

    fn mac(&self, audience: &str, client: &Client, until: [u8; 8]) -> Hmac<Sha256> {
        let user = client.user.as_ref();
        let parts = [
            audience,
            &client.id,
            client.secret.expose_secret(),
            user.map_or("", |user| &user.username),
            user.map_or("", |user| user.password.expose_secret()),
        ];
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any key length");
        // Each part enters as its hash, so that no boundary between parts can be moved.
        parts.iter().for_each(|part| mac.update(&Sha256::digest(part)));
        mac.update(&until);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: &str, secret: &str, user: Option<(&str, &str)>) -> Client {
        let user = user.map(|(name, password)| Basic { username: name.into(), password: password.to_owned().into() });
        Client { id: id.into(), secret: secret.to_owned().into(), user }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_token_holds_for_its_audience_and_client_until_it_ends() {
        let (issuer, one) = (Issuer::new([1; 32]), client("one", "s", None));
        let token = issuer.issue("transform", &one, at(60));
        assert!(issuer.issued(&token, "transform", &one, at(59)));
        assert!(!issuer.issued(&token, "transform", &one, at(60)), "it ends");
        assert!(!issuer.issued(&token, "integrator", &one, at(0)), "another audience");
        for other in [client("two", "s", None), client("one", "t", None), client("one", "s", Some(("u", "p")))] {
            assert!(!issuer.issued(&token, "transform", &other, at(0)), "{other:?}");
        }
        assert!(!Issuer::new([2; 32]).issued(&token, "transform", &one, at(0)), "another process");
        let mut longer = URL_SAFE_NO_PAD.decode(&token).unwrap();
        longer[0] ^= 1;
        for forged in [String::new(), "x".into(), URL_SAFE_NO_PAD.encode(longer), token[..token.len() - 1].into()] {
            assert!(!issuer.issued(&forged, "transform", &one, at(0)), "{forged}");
        }
    }
}
