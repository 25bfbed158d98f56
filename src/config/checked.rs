//! Checked configuration: the options of all parts, the profiles, and warnings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::app::Options;
use crate::psp::profile::catalogue::Catalogue;

/// The checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The options of all parts of the relay.
    pub options: Options,
    /// The built-in profiles and those of profiles.dir.
    pub profiles: Catalogue,
    /// The settings in force as TOML: those of all layers, with secrets masked.
    pub in_force: String,
    /// One of the files that were read, if it can perhaps be read only once, as a pipe can.
    pub read_once: Option<PathBuf>,
    /// How many of a source's secrets, from the first on, come from the relay's environment. No command sees those.
    pub secrets_of_environment: BTreeMap<String, usize>,
    /// Warnings about settings that are allowed but not wise. [`super::warnings`] adds those that depend on the time.
    pub warnings: Vec<String>,
}
