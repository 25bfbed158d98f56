//! A secret in the configuration: text, `{ env = "NAME" }` or `{ file = "PATH" }`.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::SecretString;
use serde::Deserialize;

/// Where a secret stands.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum SecretSetting {
    Text(String),
    Elsewhere(Elsewhere),
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
pub(super) enum Elsewhere {
    Env(String),
    File(String),
}

impl SecretSetting {
    /// The file, if it is in one that everybody on this machine can read.
    pub(super) fn readable_by_others(&self) -> Option<&str> {
        match self {
            Self::Elsewhere(Elsewhere::File(path)) if others_can_read(Path::new(path)) => Some(path),
            _ => None,
        }
    }

    /// Whether it stands in the configuration itself.
    pub(super) const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// The secret itself. A file's last line break does not belong to it.
    pub(super) fn resolve(&self, environment: &BTreeMap<String, String>) -> Result<SecretString, String> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::Elsewhere(Elsewhere::Env(name)) => {
                environment.get(name).cloned().ok_or_else(|| format!("the variable {name} is not set"))?
            }
            Self::Elsewhere(Elsewhere::File(path)) => std::fs::read_to_string(path)
                .map(|text| text.trim_end_matches(['\n', '\r']).to_owned())
                .map_err(|error| format!("cannot read {path}: {error}"))?,
        };
        if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.into()) }
    }
}

/// Whether everybody on this machine can read a file. The group may: that is how secrets are mounted.
pub(super) fn others_can_read(path: &Path) -> bool {
    const OTHERS_READ: u32 = 0o004;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & OTHERS_READ != 0)
}
