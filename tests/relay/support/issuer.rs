//! An issuer of JWTs: its private keys, and the stand-in at which it publishes the public ones.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::api::Api;

pub(crate) const ISSUER: &str = "https://issuer.example.com/";
pub(crate) const AUDIENCE: &str = "transform-relay";
/// The path of the key set.
const PATH: &str = "/jwks.json";

/// An issuer on 127.0.0.1. Until it publishes keys, it answers 404.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) api: Api,
}

impl Issuer {
    pub(crate) fn start() -> Self {
        Self { api: Api::start() }
    }

    /// The section of the configuration that names this issuer.
    pub(crate) fn section(&self, audience: &str) -> String {
        let url = self.api.url();
        format!("[transform.jwt]\njwks_url = \"{url}{PATH}\"\nissuer = \"{ISSUER}\"\naudience = \"{audience}\"\n")
    }

    /// From now on these keys are published, and no others.
    pub(crate) fn publishes(&self, keys: &[&PrivateKey]) {
        let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
        self.api.put(PATH, &json!({ "keys": keys }));
    }
}

/// A private key with its id.
pub(crate) struct PrivateKey {
    pub(crate) id: &'static str,
    key: EncodingKey,
}

impl PrivateKey {
    pub(crate) fn new(id: &'static str) -> Self {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self { id, key: EncodingKey::from_ec_der(pkcs8.as_ref()) }
    }

    fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(self.id.to_owned());
        serde_json::to_value(jwk).unwrap()
    }

    /// A JWT for the relay that holds for five minutes.
    pub(crate) fn token(&self) -> String {
        self.token_as(self.id, AUDIENCE)
    }

    /// The same, with this key id and this audience.
    pub(crate) fn token_as(&self, id: &str, audience: &str) -> String {
        let header = Header { kid: Some(id.to_owned()), ..Header::new(Algorithm::ES256) };
        let now = jiff::Timestamp::now().as_second();
        let claims = json!({"iss": ISSUER, "aud": audience, "sub": "transform", "iat": now, "exp": now + 300});
        encode(&header, &claims, &self.key).unwrap()
    }
}
