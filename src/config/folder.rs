//! Paths in the configuration: they start at the folder of its file.

use std::path::{Path, PathBuf};

/// A path that starts at the configuration file, if it does not start at the root.
pub(super) fn beside(folder: Option<&Path>, path: &str) -> PathBuf {
    folder.map_or_else(|| path.into(), |folder| folder.join(path))
}
