//! Text of a profile: the positions of its forms, signatures and rules in the TOML, for messages that name a line.
//!
//! The text is read twice: as a [`super::Profile`], which has no positions, and as these positions, which have no values.

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

/// A profile's TOML and the positions in it.
#[derive(Debug, Clone)]
pub struct ProfileText {
    toml: String,
    /// The forms, in the order of the profile.
    pub(super) forms: Vec<FormText>,
}

impl ProfileText {
    /// Finds the positions in the TOML of a profile.
    pub(super) fn positions(toml: &str) -> Result<Self, toml::de::Error> {
        let Positions { notification } = toml::from_str(toml)?;
        Ok(Self { toml: toml.to_owned(), forms: notification.into_iter().map(FormText::from).collect() })
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
pub(super) fn line_of(text: &str, byte: usize) -> usize {
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
