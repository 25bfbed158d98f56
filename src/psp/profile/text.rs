//! The text of a profile: where its forms, signatures and rules stand in the TOML, for messages that name a line.
//!
//! The text is read twice: as a [`Profile`], which knows no positions, and as these positions, which know no values.

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

use super::{Profile, ProfileError, check, check_signed, maps};

/// A profile's TOML and the positions in it.
#[derive(Debug, Clone)]
pub struct ProfileText {
    toml: String,
    /// The forms, in the order of the profile.
    pub(super) forms: Vec<FormText>,
}

impl ProfileText {
    /// Reads and checks a profile.
    ///
    /// # Errors
    /// What is wrong and in which line.
    pub fn read(toml: &str) -> Result<(Profile, Self), ProfileError> {
        let malformed = |error: toml::de::Error| ProfileError {
            line: error.span().map(|span| line_of(toml, span.start)),
            reason: error.message().to_owned(),
        };
        let wrong = |(at, reason): check::Wrong| ProfileError { line: at.map(|at| line_of(toml, at)), reason };
        let mut document = DeTable::parse(toml).map_err(malformed)?;
        let maps = maps::fill_in(document.as_mut()).map_err(wrong)?;
        let mut profile = Profile::deserialize(Deserializer::from(document)).map_err(malformed)?;
        maps::check_used(&profile, &maps).map_err(wrong)?;
        let Positions { notification } = toml::from_str(toml).map_err(malformed)?;
        let text = Self { toml: toml.to_owned(), forms: notification.into_iter().map(FormText::from).collect() };
        for form in &mut profile.forms {
            form.unsigned_headers = check_signed::unsigned_headers(form);
        }
        check::check(&profile, &text).map_err(wrong)?;
        Ok((profile, text))
    }

    /// The TOML as it was read.
    #[must_use]
    pub fn toml(&self) -> &str {
        &self.toml
    }

    /// The lines with the old name of `trusts_credentials`.
    pub(super) fn trusts_door_lines(&self) -> impl Iterator<Item = usize> {
        let positions = self.forms.iter().filter_map(|form| form.parts.trusts_door.as_ref());
        positions.map(|position| self.line(position.span().start))
    }

    /// The line, counted from 1, of a position.
    pub(super) fn line(&self, at: usize) -> usize {
        line_of(&self.toml, at)
    }
}

/// The line, counted from 1, in which a byte of a text stands.
fn line_of(text: &str, byte: usize) -> usize {
    text.bytes().take(byte).filter(|byte| *byte == b'\n').count() + 1
}

/// Where a form and its parts stand, in bytes.
#[derive(Debug, Clone)]
pub(super) struct FormText {
    at: usize,
    parts: FormPositions,
}

impl FormText {
    /// Where the form begins.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Where the signature of this index begins.
    pub(super) fn signature_at(&self, index: usize) -> usize {
        self.begins(self.parts.signature.get(index))
    }

    /// Where the rule of this index begins.
    pub(super) fn rule_at(&self, index: usize) -> usize {
        self.begins(self.parts.event.get(index))
    }

    fn begins(&self, part: Option<&Spanned<IgnoredAny>>) -> usize {
        part.map_or(self.at, |part| part.span().start)
    }
}

impl From<Spanned<FormPositions>> for FormText {
    fn from(form: Spanned<FormPositions>) -> Self {
        Self { at: form.span().start, parts: form.into_inner() }
    }
}

#[derive(Debug, Deserialize)]
struct Positions {
    notification: Vec<Spanned<FormPositions>>,
}

#[derive(Debug, Clone, Deserialize)]
struct FormPositions {
    #[serde(default)]
    signature: Vec<Spanned<IgnoredAny>>,
    #[serde(default)]
    event: Vec<Spanned<IgnoredAny>>,
    trusts_door: Option<Spanned<IgnoredAny>>,
}
