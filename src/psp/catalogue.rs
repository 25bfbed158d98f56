//! The profiles that are built in, and those that the integrator adds.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::profile::{Profile, ProfileError};

/// The built-in profiles' names and texts, each once, by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("adyen", include_str!("profiles/adyen.toml")),
    ("braintree", include_str!("profiles/braintree.toml")),
    ("checkout-com", include_str!("profiles/checkout-com.toml")),
    ("digital-river", include_str!("profiles/digital-river.toml")),
    ("frisbii-media", include_str!("profiles/frisbii-media.toml")),
    ("frisbii-pay", include_str!("profiles/frisbii-pay.toml")),
    ("gocardless", include_str!("profiles/gocardless.toml")),
    ("klarna", include_str!("profiles/klarna.toml")),
    ("mollie", include_str!("profiles/mollie.toml")),
    ("nets-easy", include_str!("profiles/nets-easy.toml")),
    ("payone", include_str!("profiles/payone.toml")),
    ("paypal", include_str!("profiles/paypal.toml")),
    ("quickpay", include_str!("profiles/quickpay.toml")),
    ("razorpay", include_str!("profiles/razorpay.toml")),
    ("square", include_str!("profiles/square.toml")),
    ("standard-webhooks", include_str!("profiles/standard-webhooks.toml")),
    ("stripe", include_str!("profiles/stripe.toml")),
    ("unzer", include_str!("profiles/unzer.toml")),
    ("vipps-mobilepay", include_str!("profiles/vipps-mobilepay.toml")),
    ("worldline", include_str!("profiles/worldline.toml")),
    ("worldpay", include_str!("profiles/worldpay.toml")),
    ("worldpay-wpg", include_str!("profiles/worldpay-wpg.toml")),
];

/// A profile and the text that it was read from.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The profile.
    pub profile: Arc<Profile>,
    /// Its TOML.
    pub text: String,
    /// Whether it came with the program.
    pub built_in: bool,
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

    /// Adds a profile of the integrator's. One with the name of a built-in takes its place.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn add(&mut self, text: &str) -> Result<(), ProfileError> {
        self.insert(text, false)
    }

    fn insert(&mut self, text: &str, built_in: bool) -> Result<(), ProfileError> {
        let profile = Arc::new(Profile::read(text)?);
        self.0.insert(profile.name.clone(), Entry { profile, text: text.to_owned(), built_in });
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
    fn every_profile_is_built_in_once_and_by_name() {
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
