//! Loading of the configuration: from its layers to the checked options.

use std::ffi::OsString;
use std::path::Path;

use super::checked::Config;
use super::error::ConfigErrors;
use super::key::one_line;
use super::{check, environment, layers};

/// Reads and checks the configuration.
///
/// # Errors
/// All errors of the configuration, each with its key.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigErrors> {
    let read = || {
        let environment = environment::text(environment)?;
        let mut layered = layers::read(file, &environment)?;
        let origins = std::mem::take(&mut layered.origins);
        check::check(layered, &environment, file).map_err(|errors| origins.told(errors))
    };
    read().map_err(ConfigErrors::in_lines)
}

/// The place of the settings that are no defaults, for people: the file, the environment, or both.
#[must_use]
pub fn place(file: Option<&Path>, environment: impl Iterator<Item = (OsString, OsString)>) -> String {
    let mut environment = environment;
    let overridden = environment.any(|(name, value)| environment::counts(&name, &value));
    match file.map(|file| one_line(&file.display().to_string())) {
        Some(file) if overridden => format!("{file} and the environment"),
        Some(file) => file,
        None => "the environment".to_owned(),
    }
}
