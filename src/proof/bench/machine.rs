//! The facts of the machine and of this program, beside which figures can be compared.

use std::fs;
use std::num::NonZero;
use std::path::Path;

use serde::Serialize;

/// The machine, and this program.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    pub(super) cores: usize,
    /// The name of the processor, where the machine tells it.
    pub(super) processor: Option<String>,
    pub(super) kernel: String,
    /// The filesystem of the folder that the stores lie in.
    pub(super) filesystem: Option<String>,
    pub(super) version: &'static str,
    pub(super) sqlite: &'static str,
    /// `release` or `debug`.
    pub(super) profile: &'static str,
}

impl Machine {
    /// This machine, for stores in this folder.
    pub(super) fn of(folder: &Path) -> Self {
        let first = |file: &str, name: &str| {
            let text = fs::read_to_string(file).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.split_once(':'))?;
            Some(line.1.trim().to_owned())
        };
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            cores: std::thread::available_parallelism().map_or(1, NonZero::get),
            processor: first("/proc/cpuinfo", "model name"),
            kernel: format!("{} {}", std::env::consts::OS, release.trim()),
            filesystem: filesystem(folder),
            version: env!("CARGO_PKG_VERSION"),
            sqlite: rusqlite::version(),
            profile: if cfg!(debug_assertions) { "debug" } else { "release" },
        }
    }

    /// Why its figures are not those of a relay in production.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.profile == "debug" {
            warnings.push(
                "this is a debug build, and its figures say nothing of a release: build with `cargo build --release`"
                    .to_owned(),
            );
        }
        if let Some(kind) = self.filesystem.as_deref().filter(|kind| kind.ends_with("tmpfs") || *kind == "ramfs") {
            warnings.push(format!(
                "the stores lie in memory ({kind}), where an fsync costs nothing: set TMPDIR to a folder on the disk that is meant"
            ));
        }
        warnings
    }
}

/// The filesystem of a folder, by the mount with the longest path above it.
fn filesystem(folder: &Path) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    let text = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mounts = text.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let path = before.split(' ').nth(4)?;
        folder.starts_with(path).then(|| (path.len(), after.split(' ').next().unwrap_or_default()))
    });
    // The later of two mounts at one place hides the earlier one.
    mounts.max_by_key(|(length, _)| *length).map(|(_, kind)| kind.to_owned())
}
