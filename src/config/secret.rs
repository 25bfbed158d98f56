//! Secret in the configuration: text, `{ env = "NAME" }` or `{ file = "PATH" }`.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::written::MASK;

/// Where a secret stands. A secret that is written as text is serialised as [`MASK`].
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub(super) enum SecretSetting {
    #[serde(serialize_with = "mask")]
    Text(String),
    Elsewhere(Elsewhere),
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(try_from = "Place", rename_all = "lowercase")]
pub(super) enum Elsewhere {
    Env(String),
    File(String),
}

/// The table of a secret that stands elsewhere, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    env: Option<String>,
    file: Option<String>,
}

impl TryFrom<Place> for Elsewhere {
    type Error = &'static str;

    fn try_from(place: Place) -> Result<Self, Self::Error> {
        match (place.env, place.file) {
            (Some(name), None) => Ok(Self::Env(name)),
            (None, Some(path)) => Ok(Self::File(path)),
            _ => Err("must have exactly one of env and file"),
        }
    }
}

impl SecretSetting {
    /// The file of the secret, if everybody on this machine can read it.
    pub(super) fn readable_by_others(&self) -> Option<&str> {
        match self {
            Self::Elsewhere(Elsewhere::File(path)) if others_can_read(Path::new(path)) => Some(path),
            _ => None,
        }
    }

    /// The file of the secret, if it is in a file.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Elsewhere(Elsewhere::File(path)) => Some(Path::new(path)),
            _ => None,
        }
    }

    /// Whether the secret stands in the configuration itself.
    pub(super) const fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// The secret itself. A file's last line break does not belong to it. Output of `check` that was made a configuration
    /// holds no secrets: its masks are refused, since anybody could guess them.
    pub(super) fn resolve(&self, environment: &BTreeMap<String, String>) -> Result<SecretString, String> {
        let text = match self {
            Self::Text(text) if text == MASK => {
                return Err(format!("is {MASK:?}, but must be a secret: `check` prints {MASK:?} in the place of one"));
            }
            Self::Text(text) => text.clone(),
            Self::Elsewhere(Elsewhere::Env(name)) => environment.get(name).cloned().ok_or_else(|| not_set(name))?,
            Self::Elsewhere(Elsewhere::File(path)) => std::fs::read_to_string(path)
                .map(|text| text.trim_end_matches(['\n', '\r']).to_owned())
                .map_err(|error| format!("cannot read {path}: {error}"))?,
        };
        if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.into()) }
    }
}

/// A secret that may have a name and times. It is written as any other secret, or as a table with `value`, `env` or `file`,
/// and beside it the name and the times.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub(super) enum NamedSetting {
    #[serde(serialize_with = "mask")]
    Text(String),
    Table(NamedTable),
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedTable {
    #[serde(serialize_with = "mask_if_any")]
    value: Option<String>,
    env: Option<String>,
    file: Option<String>,
    pub(super) name: Option<String>,
    pub(super) key_id: Option<String>,
    pub(super) not_before: Option<String>,
    pub(super) expires_at: Option<String>,
}

impl NamedSetting {
    /// Where the secret stands.
    pub(super) fn setting(&self) -> Result<SecretSetting, String> {
        let table = match self {
            Self::Text(text) => return Ok(SecretSetting::Text(text.clone())),
            Self::Table(table) => table,
        };
        match (&table.value, &table.env, &table.file) {
            (Some(text), None, None) => Ok(SecretSetting::Text(text.clone())),
            (None, Some(name), None) => Ok(SecretSetting::Elsewhere(Elsewhere::Env(name.clone()))),
            (None, None, Some(path)) => Ok(SecretSetting::Elsewhere(Elsewhere::File(path.clone()))),
            _ => Err("must have exactly one of value, env and file".to_owned()),
        }
    }

    /// The secret's name: the configured one, or one made of its index in the list.
    pub(super) fn name(&self, index: usize) -> String {
        let name = self.table().and_then(|table| table.name.clone());
        name.unwrap_or_else(|| format!("secret-{}", index.saturating_add(1)))
    }

    /// The secret's name, and its end if it has one.
    pub(super) fn known_as(&self, index: usize) -> (String, Option<Timestamp>) {
        let end = self.table().and_then(|table| table.expires_at.as_deref()?.parse().ok());
        (self.name(index), end)
    }

    /// The table of the secret, if it is written as one.
    pub(super) const fn table(&self) -> Option<&NamedTable> {
        match self {
            Self::Text(_) => None,
            Self::Table(table) => Some(table),
        }
    }
}

fn mask<S: Serializer>(_secret: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(MASK)
}

fn mask_if_any<S: Serializer>(secret: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    secret.as_ref().map(|_| MASK).serialize(serializer)
}

/// The reason why a variable has no secret. A name that no variable has is not repeated: it may be the secret itself.
fn not_set(name: &str) -> String {
    if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        format!("the variable {name} is not set")
    } else {
        "env must be the name of a variable, in letters, digits and _; no such variable is set".to_owned()
    }
}

/// Reads a secret: a text, or a table. A derived `untagged` would take a list as the fields of the table.
struct TextOr<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for TextOr<T> {
    type Value = Result<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret: \"text\", { env = \"NAME\" } or { file = \"/path\" }")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Ok(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(table)).map(Err)
    }
}

impl<'de> Deserialize<'de> for SecretSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = deserializer.deserialize_any(TextOr(PhantomData))?;
        Ok(read.map_or_else(Self::Elsewhere, Self::Text))
    }
}

impl<'de> Deserialize<'de> for NamedSetting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = deserializer.deserialize_any(TextOr(PhantomData))?;
        Ok(read.map_or_else(Self::Table, Self::Text))
    }
}

/// Whether everybody on this machine can read a file. Reading by the group is fine: secrets are mounted like that.
pub(super) fn others_can_read(path: &Path) -> bool {
    const OTHERS_READ: u32 = 0o004;
    std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & OTHERS_READ != 0)
}
