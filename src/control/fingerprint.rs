//! Fingerprints of secrets: they tell two secrets of one name apart without revealing either.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::access::secrets::NamedSecret;

/// The fingerprints of each source's secrets, by name. Each answer has its own salt. So no two answers can be compared, and
/// a table of fingerprints made beforehand is of no use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprints {
    salt: String,
    of: BTreeMap<String, BTreeMap<String, String>>,
}

/// The bytes of a fingerprint: enough that two secrets do not share one by chance, too few to prove a guessed secret.
const BYTES: usize = 8;

impl Fingerprints {
    /// Makes the fingerprints of the sources' secrets.
    pub fn new<'a>(salt: [u8; 16], sources: impl Iterator<Item = (&'a str, &'a [NamedSecret])>) -> Self {
        let salt = hex(&salt);
        let each = |secret: &NamedSecret| (secret.name.clone(), fingerprint(&salt, secret));
        let of = sources.map(|(source, secrets)| (source.to_owned(), secrets.iter().map(each).collect())).collect();
        Self { salt, of }
    }

    /// Whether the source's secret of this name is this secret.
    #[must_use]
    pub fn has(&self, source: &str, secret: &NamedSecret) -> bool {
        let known = self.of.get(source).and_then(|secrets| secrets.get(&secret.name));
        known.is_some_and(|known| *known == fingerprint(&self.salt, secret))
    }
}

fn fingerprint(salt: &str, secret: &NamedSecret) -> String {
    let hash = Sha256::new().chain_update(salt).chain_update([0]).chain_update(secret.value.expose_secret()).finalize();
    hex(hash.get(..BYTES).unwrap_or_default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, value: &str) -> NamedSecret {
        let value = value.to_owned().into();
        NamedSecret { name: name.to_owned(), value, key_id: None, not_before: None, expires_at: None }
    }

    #[test]
    fn a_secret_is_known_by_its_source_its_name_and_its_value() {
        let secrets = [secret("a", "whsec_a"), secret("b", "whsec_b")];
        let all = Fingerprints::new([7; 16], [("one", &secrets[..])].into_iter());
        let text = serde_json::to_string(&all).unwrap();
        assert!(!text.contains("whsec"), "{text}");
        let heard: Fingerprints = serde_json::from_str(&text).unwrap();
        assert!(heard.has("one", &secrets[0]) && heard.has("one", &secrets[1]));
        for (source, name, value) in [("one", "a", "whsec_b"), ("one", "c", "whsec_a"), ("two", "a", "whsec_a")] {
            assert!(!heard.has(source, &secret(name, value)), "{source} {name} {value}");
        }
        let other = Fingerprints::new([8; 16], [("one", &secrets[..])].into_iter());
        assert_ne!(all.of, other.of, "no two answers can be compared");
        assert!(all.of["one"].values().all(|one| one.len() == 2 * BYTES));
    }
}
