//! The new secret of a rotation: its value, given or made, and its name.

use std::io::{IsTerminal, Read};

use jiff::Timestamp;
use secrecy::SecretString;

use crate::psp::profile::Profile;
use crate::psp::vouch::needs::check_secret;
use crate::psp::vouch::secret::{RANDOM_BYTES, made_of};

/// The secret on stdin, without its line break. A terminal is refused: it would show the secret and keep it on the screen.
pub(super) fn from_stdin() -> Result<String, String> {
    let mut stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(
            "stdin is a terminal, which would show the secret: give it a file or a pipe, as in `read -rs S; printf %s \
                    \"$S\" | transform-relay secret rotate … --from-stdin`"
                .to_owned(),
        );
    }
    let mut text = String::new();
    stdin.read_to_string(&mut text).map_err(|error| format!("stdin: {error}"))?;
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    Ok(text)
}

/// Checks that the profile takes a given secret.
pub(super) fn checked(text: String, profile: &Profile) -> Result<SecretString, String> {
    check_secret(profile, &text).map_err(|reason| format!("the secret on stdin {reason}"))?;
    Ok(text.into())
}

/// Checks that a secret can be made here. A PSP that makes its secrets would go on signing with its own.
///
/// # Errors
/// The PSP makes the secret.
pub(super) fn may_be_made(profile: &Profile) -> Result<(), String> {
    if !profile.psp_makes_secret {
        return Ok(());
    }
    Err(format!(
        "{} makes the secret itself: have it made there, and give it to this command by --from-stdin; if the PSP takes yours, say \
         --made-here",
        profile.title
    ))
}

/// Makes an unpredictable secret, in the form that the profile takes.
pub(super) fn made(profile: &Profile) -> Result<SecretString, String> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| format!("the machine gives no random bytes: {error}"))?;
    made_of(&random, profile).map(Into::into)
}

/// Today's date as a name, with a number above the highest of today's names, if there is one. A freed name is not used
/// again: in logs it may stand for another secret.
pub(super) fn dated<'a>(now: Timestamp, names: impl Iterator<Item = &'a str>) -> String {
    let today = now.strftime("%Y-%m-%d").to_string();
    let number = |name: &str| match name.strip_prefix(&today)? {
        "" => Some(1),
        rest => rest.strip_prefix('-')?.parse::<u32>().ok(),
    };
    match names.filter_map(number).max() {
        None => today,
        Some(highest) => format!("{today}-{}", highest.saturating_add(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_today_comes_after_all_that_there_are() {
        let now = "2026-11-28T12:00:00Z".parse().unwrap();
        let named = |names: &[&str]| dated(now, names.iter().copied());
        assert_eq!(named(&["first", "2026-11-27-9", "2026-11-28x", "2026-11-28-x"]), "2026-11-28");
        assert_eq!(named(&["2026-11-28"]), "2026-11-28-2");
        assert_eq!(named(&["2026-11-28-3", "2026-11-28-2"]), "2026-11-28-4", "none of an earlier secret");
    }
}
