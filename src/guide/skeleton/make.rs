//! The making of a skeleton: a sample is taken apart, its meaning is guessed, and the profile is written.

use super::guess::Guess;
use super::sample::Sample;
use super::write::composed;
use crate::psp::profile::Profile;

/// A profile that loads and claims no money, from one notification: its body, the extension of its file, and its headers
/// with names in lower case. TODO marks each guess.
///
/// # Errors
/// The notification cannot be read, or no profile can be made of it.
pub fn skeleton(name: &str, extension: &str, body: &[u8], headers: Vec<(String, String)>) -> Result<String, String> {
    let sample = Sample::read(extension, body, headers)?;
    let text = composed(name, &sample, &Guess::of(&sample));
    Profile::read(&text).map_err(|error| format!("no profile can be made of it: {error}"))?;
    Ok(text)
}
