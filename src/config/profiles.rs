//! Profiles of the integrator's own: the `.toml` files of a folder.

use std::path::{Path, PathBuf};

use super::key::one_line;
use crate::psp::profile::catalogue::{Catalogue, Entry};

/// Adds all profiles of a folder, by file name.
///
/// # Errors
/// All faults, each with its file.
pub fn add_folder(catalogue: &mut Catalogue, folder: &Path) -> Result<(), Vec<String>> {
    let unreadable = |error: std::io::Error| vec![format!("cannot read {}: {error}", folder.display())];
    let mut errors = Vec::new();
    for file in files(folder).map_err(unreadable)? {
        let read = std::fs::read_to_string(&file).map_err(|error| error.to_string());
        let added = read.and_then(|text| catalogue.add(&text).map_err(|error| error.to_string()));
        errors.extend(added.err().map(|reason| format!("{}: {reason}", file.display())));
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Warnings about old names of keys in the profiles. This version takes them beside the new names.
#[must_use]
pub fn renamed(profiles: &Catalogue) -> Vec<String> {
    profiles.iter().flat_map(Entry::renamed).map(|warning| one_line(&warning)).collect()
}

/// The `.toml` files of a folder, by file name.
pub(super) fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?;
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    Ok(files)
}
