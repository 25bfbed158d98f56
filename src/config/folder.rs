//! Paths that start at the folder of the configuration file: profiles.dir and secrets_file.

use std::path::{Path, PathBuf};

/// The path of a setting. A relative path starts at the folder of the configuration file.
pub(super) fn beside(folder: Option<&Path>, path: &str) -> PathBuf {
    folder.map_or_else(|| path.into(), |folder| folder.join(path))
}
