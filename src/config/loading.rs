//! Loading of the configuration: from its layers to the checked options.

use std::ffi::OsString;
use std::path::Path;

use super::checked::Config;
use super::error::ConfigErrors;
use super::{check, environment, settings};

/// Reads and checks the configuration.
///
/// # Errors
/// All errors of the configuration, each with its key.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Config, ConfigErrors> {
    let environment = environment::text(environment)?;
    let (settings, unknown) = settings::read(file, &environment)?;
    check::check(settings, unknown, &environment, file)
}
