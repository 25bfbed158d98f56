//! The reader of the layout of `fixtures/<profile>/`, by the name of the profile:
//!
//! - `bodies/*.json`, `*.form`, `*.xml`: bodies as the PSP documents them, perhaps with headers in `<name>.headers`;
//! - `fetched/*.json`: notifications that only point, each with the response of the PSP's API;
//! - `events.txt`: what must come of each of these;
//! - `vectors.toml`: signed notifications, each with its verdict;
//! - `challenges.toml`: what the PSP's check asks the endpoint, and the answer.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder with all fixtures.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// A file in a profile's folder.
pub(crate) fn file(profile: &str, path: &str) -> PathBuf {
    root().join(profile).join(path)
}

/// All bodies of a profile, sorted.
pub(crate) fn bodies(profile: &str) -> Vec<PathBuf> {
    files(&file(profile, "bodies"))
}

/// A body of a profile by its name and ending.
pub(crate) fn body(profile: &str, name: &str) -> PathBuf {
    let file = file(profile, "bodies").join(name);
    assert!(file.is_file(), "{} is missing", file.display());
    file
}

/// The headers that belong to a body; none if it has no such file.
pub(crate) fn headers(body: &Path) -> Vec<(String, String)> {
    let text = fs::read_to_string(body.with_extension("headers")).unwrap_or_default();
    let lines = text.lines().map(|line| line.split_once(':').expect("Name: value"));
    lines.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect()
}

/// All files of a folder but headers, sorted; none if there is no such folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = entries(folder);
    files.retain(|file| file.extension().is_none_or(|ending| ending != "headers"));
    files
}

/// All files and folders in a folder, sorted; none if there is no such folder.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}
