//! Reading of a profile: from TOML to a checked profile.

use serde::Deserialize;
use toml::de::{DeTable, Deserializer};

use super::check::{check, unsigned_headers};
use super::dialect::Profile;
use super::error::{ProfileError, Wrong};
use super::maps;
use super::text::{ProfileText, line_of};

impl Profile {
    /// Reads and checks a profile.
    ///
    /// # Errors
    /// The first fault of the profile, with its line.
    pub fn read(text: &str) -> Result<Self, ProfileError> {
        read_text(text).map(|(profile, _)| profile)
    }
}

/// Reads and checks a profile. Returns it with its text, which has the positions of its parts.
pub(super) fn read_text(toml: &str) -> Result<(Profile, ProfileText), ProfileError> {
    let malformed = |error: toml::de::Error| ProfileError {
        line: error.span().map(|span| line_of(toml, span.start)),
        reason: error.message().to_owned(),
    };
    let wrong = |(at, reason): Wrong| ProfileError { line: at.map(|at| line_of(toml, at)), reason };
    let mut document = DeTable::parse(toml).map_err(malformed)?;
    let maps = maps::fill_in(document.as_mut()).map_err(wrong)?;
    let mut profile = Profile::deserialize(Deserializer::from(document)).map_err(malformed)?;
    maps::check_used(&profile, &maps).map_err(wrong)?;
    let text = ProfileText::positions(toml).map_err(malformed)?;
    for form in &mut profile.forms {
        form.unsigned_headers = unsigned_headers(form);
    }
    check(&profile, &text).map_err(wrong)?;
    Ok((profile, text))
}
