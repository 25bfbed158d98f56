//! The keys of Transform's issuer: fetched from `transform.jwt.jwks_url`, and kept.
//!
//! Anybody can present a JWT with a made-up key id, so the fetches that callers cause are limited. One task makes all of
//! them, one after the other. If the issuer does not answer, the kept keys go on being used.

mod client;
mod freshness;
mod kept_keys;

pub use kept_keys::{KeptKeys, NotBelieved};
