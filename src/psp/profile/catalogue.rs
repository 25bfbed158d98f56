//! Catalogue of all profiles: the built-in ones, and those that the integrator adds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dialect::Profile;
use super::error::ProfileError;
use super::form::Form;
use super::read::read_text;
use super::text::{FormText, ProfileText};

/// The built-in profiles' names and texts, by name: one for each file of `src/psp/profiles`. `build.rs` makes the list.
pub const BUILT_IN: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/built_in.rs"));

/// A profile and the text that it was read from.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The profile.
    pub profile: Arc<Profile>,
    /// Its TOML.
    pub text: ProfileText,
    /// Whether it came with the program.
    pub built_in: bool,
}

impl Entry {
    /// The line of a signature, by the name of its form and its index there.
    #[must_use]
    pub fn signature_line(&self, form: &str, index: usize) -> usize {
        self.line(form, |form| form.signature_at(index))
    }

    /// The line of a rule, by the name of its form and its index there.
    #[must_use]
    pub fn rule_line(&self, form: &str, index: usize) -> usize {
        self.line(form, |form| form.rule_at(index))
    }

    /// Warnings about old names of keys, each with its line and the new name.
    pub fn renamed(&self) -> impl Iterator<Item = String> {
        self.text.trusts_door_lines().map(|line| {
            let name = &self.profile.name;
            format!(
                "profile {name}, line {line}: trusts_door is called trusts_credentials now; a later version takes the new name only"
            )
        })
    }

    /// Warnings about forms that do not say what is done with a message without a time, each with its line.
    pub fn untimed(&self) -> impl Iterator<Item = String> {
        let silent = |form: &&Form| form.without_time.is_none() && form.rules.iter().any(|rule| !rule.ignore);
        self.profile.forms.iter().filter(silent).map(|form| {
            let (name, line) = (&self.profile.name, self.line(&form.name, FormText::at));
            format!(
                "profile {name}, line {line}: the form {} does not say what is done with a message without a time: it counts as of \
                 its receipt, so that late news looks like the latest. Add without_time = \"receipt\" if that is meant, or \
                 \"dead-letter\"",
                form.name
            )
        })
    }

    fn line(&self, form: &str, at: impl Fn(&FormText) -> usize) -> usize {
        let mut forms = self.profile.forms.iter().zip(&self.text.forms);
        let found = forms.find(|(known, _)| known.name == form);
        self.text.line(found.map_or(0, |(_, text)| at(text)))
    }
}

/// All profiles by name.
#[derive(Debug, Clone, Default)]
pub struct Catalogue(BTreeMap<String, Entry>);

impl Catalogue {
    /// The built-in profiles.
    ///
    /// # Errors
    /// Never, unless the program was built with a broken profile; a test reads them all.
    pub fn built_in() -> Result<Self, ProfileError> {
        let mut catalogue = Self::default();
        for (_, text) in BUILT_IN {
            catalogue.insert(text, true)?;
        }
        Ok(catalogue)
    }

    /// Adds a profile of the integrator. It replaces a built-in profile of the same name.
    ///
    /// # Errors
    /// The first fault of the profile.
    pub fn add(&mut self, text: &str) -> Result<(), ProfileError> {
        self.insert(text, false)
    }

    fn insert(&mut self, text: &str, built_in: bool) -> Result<(), ProfileError> {
        let (profile, text) = read_text(text)?;
        self.0.insert(profile.name.clone(), Entry { profile: Arc::new(profile), text, built_in });
        Ok(())
    }

    /// The profile of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }

    /// All profiles, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_a_built_in_profile_of_its_name() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/psp/profiles");
        let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        files.sort_unstable();
        let listed: Vec<_> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(listed, files);
        let catalogue = Catalogue::built_in().unwrap();
        let named: Vec<_> = catalogue.iter().map(|entry| entry.profile.name.clone()).collect();
        assert_eq!(named, files, "a profile has the name of its file");
    }
}
