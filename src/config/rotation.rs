//! Rotation of a source's secret: the parts of the configuration that commands beside a running relay need. The environment
//! of such a command may lack the relay's secrets, so no secret is resolved here. The relay itself judges the whole
//! configuration when it reloads.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::error::ConfigErrors;
use super::folder::beside;
use super::key::named;
use super::rotation_lock::{Lock, PATIENCE, target};
use super::settings::Settings;
use super::{Written, add_folder, environment, layers, secrets_file};
use crate::access::secrets::NamedSecret;
use crate::domain::text::shown;
use crate::psp::profile::Profile;
use crate::psp::profile::catalogue::Catalogue;

/// A rotation of a source's secret. While it is held, no other rotation of the source can begin.
#[derive(Debug)]
pub struct Rotation {
    /// The PSP's dialect.
    pub profile: Arc<Profile>,
    /// The relay's store.
    pub store: PathBuf,
    /// The file for the secrets that the relay writes itself.
    pub file: PathBuf,
    /// The secrets in the file.
    pub secrets: Vec<NamedSecret>,
    /// The names of the secrets in the configuration itself, each with its end there.
    pub elsewhere: Vec<(String, Option<Timestamp>)>,
    /// Whether the file existed before.
    exists: bool,
    /// A file of the relay's, whose owner becomes the owner of a new secrets file: the store, or the configuration if there
    /// is no store yet.
    model: Option<PathBuf>,
    _lock: Lock,
}

/// The store's path.
///
/// # Errors
/// The configuration cannot be read.
pub fn store_path(
    file: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<PathBuf, ConfigErrors> {
    read(file, environment).map(|settings| settings.store.path.into())
}

/// Begins a rotation of a secret of this source. `waiting` is called with the locked file if another rotation has it.
///
/// # Errors
/// The reason why no secret of the source can be rotated. Nothing was changed.
pub fn rotation(
    file: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
    source: &str,
    waiting: impl Fn(&Path),
) -> Result<Rotation, ConfigErrors> {
    let settings = read(file, environment)?;
    let folder = file.and_then(Path::parent);
    let key = |name: &str| format!("sources.{source}{name}");
    let Some(found) = settings.sources.get(source) else {
        return Err(ConfigErrors::one(key(""), no_such_source(settings.sources.keys())));
    };
    let catalogue = profiles(&settings, folder)?;
    let written = found.profile.as_deref();
    let profile = written.and_then(|name| catalogue.get(name)).ok_or_else(|| {
        let is = written.map_or_else(|| "is missing, but".to_owned(), |name| format!("is {}, but", shown(name)));
        let reason = format!("{is} must be the name of a profile; `transform-relay profile list` lists all");
        ConfigErrors::one(key(".profile"), reason)
    })?;
    let Some(path) = &found.secrets_file else {
        let example = format!("secrets_file = \"{source}.secrets.toml\"");
        let reason = format!("is needed: add {example} to [sources.{source}]; new secrets are written there");
        return Err(ConfigErrors::one(key(".secrets_file"), reason));
    };
    let path = beside(folder, path);
    let wrong = |reason: String| ConfigErrors::one(key(".secrets_file"), reason);
    let file_itself = target(&path).map_err(|error| wrong(error.to_string()))?;
    let lock = Lock::take(&file_itself, PATIENCE, waiting).map_err(|error| wrong(format!("cannot lock {error}")))?;
    let exists = file_itself.exists();
    let secrets = if exists { secrets_file::read(&path).map_err(wrong)? } else { Vec::new() };
    let elsewhere = found.secrets.iter().enumerate().map(|(index, secret)| secret.known_as(index)).collect();
    let (store, profile) = (PathBuf::from(settings.store.path), Arc::clone(&profile.profile));
    let model = if store.exists() { Some(store.clone()) } else { file.map(Path::to_owned) };
    Ok(Rotation { profile, store, file: path, secrets, elsewhere, exists, model, _lock: lock })
}

impl Rotation {
    /// Puts these secrets into the file.
    ///
    /// # Errors
    /// The secrets cannot be written. The file is as it was.
    pub fn write(&self, secrets: &[NamedSecret]) -> std::io::Result<Written> {
        secrets_file::write(&self.file, secrets, self.model.as_deref())
    }

    /// The names of all secrets of the source, in this file or in the configuration.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let elsewhere = self.elsewhere.iter().map(|(name, _)| name.as_str());
        self.secrets.iter().map(|one| one.name.as_str()).chain(elsewhere)
    }

    /// Whether the file did not exist before.
    #[must_use]
    pub const fn is_first(&self) -> bool {
        !self.exists
    }

    /// The id of the only user that can read the file, if the file was made just now.
    #[must_use]
    pub fn only_reader(&self) -> Option<u32> {
        let made = self.is_first().then(|| std::fs::metadata(&self.file).ok()).flatten();
        made.map(|file| file.uid())
    }

    /// Puts back the earlier secrets; removes the file if it did not exist.
    ///
    /// # Errors
    /// The file cannot be written or removed.
    pub fn undo(&self) -> std::io::Result<Written> {
        if self.exists {
            return self.write(&self.secrets);
        }
        std::fs::remove_file(&self.file).map(|()| Written { unsynced: None })
    }
}

fn read(
    file: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Settings, ConfigErrors> {
    let environment: BTreeMap<String, String> = environment::text(environment).map_err(ConfigErrors::in_lines)?;
    // Unknown keys are refused by the relay when it reloads.
    layers::read(file, &environment).map(|layered| layered.settings).map_err(ConfigErrors::in_lines)
}

fn profiles(settings: &Settings, folder: Option<&Path>) -> Result<Catalogue, ConfigErrors> {
    let mut catalogue = Catalogue::built_in().map_err(|error| ConfigErrors::one("profiles", error.to_string()))?;
    if let Some(dir) = &settings.profiles.dir {
        let added = add_folder(&mut catalogue, &beside(folder, dir));
        added.map_err(|reasons| ConfigErrors::one("profiles.dir", reasons.join("; ")))?;
    }
    Ok(catalogue)
}

/// The reason why a name is no source's, with the names that are.
fn no_such_source<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<_> = names.map(|name| named(name)).collect();
    match names.as_slice() {
        [] => "there is no such source: the configuration has none. Add the table [sources.NAME]".to_owned(),
        names => format!("there is no such source; there are: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::no_such_source;

    #[test]
    fn a_source_that_is_not_there_is_told_with_those_that_are() {
        let said =
            |names: &[&str]| no_such_source(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>().iter());
        assert_eq!(said(&["a", "b"]), "there is no such source; there are: a, b");
        assert!(said(&[]).contains("the configuration has none"), "{}", said(&[]));
    }
}
