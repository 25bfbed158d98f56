//! `secret rotate`: a new secret for a source, while the old ones go on holding for a while.

mod held;
mod relay;

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::{EXIT_IO, EXIT_USAGE, print, say};
use crate::access::secrets::{NamedSecret, rotated};
use crate::config::{self, Rotation, Written};
use crate::domain::due::later;
use crate::psp::profile::Profile;
use crate::psp::vouch::needs::check_secret;
use crate::psp::vouch::secret::{RANDOM_BYTES, made_of};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Give a source a new secret: printed once on stdout, written into its secrets_file, taken up by the running relay.
    Rotate(Rotate),
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// The source.
    source: String,
    /// How long the old secrets go on verifying.
    #[arg(long)]
    overlap: Overlap,
    /// The new secret's name, for logs; today's date, if absent.
    #[arg(long)]
    name: Option<String>,
    /// The PSP's id of the new key, where its signatures name the key.
    #[arg(long)]
    key_id: Option<String>,
    /// Take the new secret from stdin: some PSPs make it themselves.
    #[arg(long)]
    from_stdin: bool,
    /// The configuration file of the relay.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// The choices of Digital River's service.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Overlap {
    /// They end at once.
    #[value(name = "0")]
    AtOnce,
    #[value(name = "1h")]
    H1,
    #[value(name = "3h")]
    H3,
    #[value(name = "6h")]
    H6,
    #[value(name = "12h")]
    H12,
    #[value(name = "24h")]
    H24,
}

impl Overlap {
    const fn span(self) -> Duration {
        Duration::from_secs(match self {
            Self::AtOnce => 0,
            Self::H1 => 3600,
            Self::H3 => 3 * 3600,
            Self::H6 => 6 * 3600,
            Self::H12 => 12 * 3600,
            Self::H24 => 24 * 3600,
        })
    }
}

pub(super) fn run(command: Command) -> ExitCode {
    let Command::Rotate(rotation) = command;
    rotate(rotation).map_or_else(
        |(code, reason)| {
            say(reason);
            ExitCode::from(code)
        },
        ExitCode::from,
    )
}

/// An exit code and what is to be said.
type Failure = (u8, String);

/// Whoever is told of a failure finds everything as it was. Where the new secret stays in the file, it is printed, and the
/// exit code says whether a relay has taken it up. If it cannot be printed, the file is named.
fn rotate(asked: Rotate) -> Result<u8, Failure> {
    let Rotate { source, overlap, name, key_id, from_stdin, config } = asked;
    let usage = |reason: String| (EXIT_USAGE, format!("sources.{source}: {reason}; nothing was changed"));
    let rotation = config::rotation(Some(&config), std::env::vars_os(), &source)
        .map_err(|errors| (EXIT_USAGE, format!("{errors}\nnothing was changed")))?;
    let value = if from_stdin { given(&rotation.profile) } else { made(&rotation.profile) }.map_err(usage)?;
    let now = relay::time(&rotation).map_err(|(code, reason)| (code, format!("{reason}\nnothing was changed")))?;
    let until = later(now, overlap.span());
    let new = NamedSecret {
        name: name.unwrap_or_else(|| dated(&rotation, now)),
        value,
        key_id,
        not_before: None,
        expires_at: None,
    };
    let others: Vec<_> = rotation.elsewhere.iter().map(|(name, _)| name.as_str()).collect();
    let all = rotated(rotation.secrets.clone(), new.clone(), now, until, &others).map_err(usage)?;
    let file = rotation.file.display();
    let unwritten = |error| (EXIT_IO, format!("cannot write {file}: {error}; nothing was changed"));
    held::back_signals()
        .map_err(|error| (EXIT_IO, format!("signals cannot be held back: {error}; nothing was changed")))?;
    let written = rotation.write(&all).map_err(unwritten)?;
    say_unsynced(&written, &rotation);
    let (code, taken_up) = relay::take_up(&rotation, &source, &new)?;
    let printed = if from_stdin { Ok(()) } else { print(new.value.expose_secret()) };
    say(format_args!("{:?} is a secret of {source} now; {taken_up}", new.name));
    let code = printed.map_or_else(
        |error| {
            say(format_args!(
                "the new secret cannot be printed: stdout: {error}; it stands in {file} as {:?}",
                new.name
            ));
            EXIT_IO
        },
        |()| code,
    );
    say_what_of_the_old_ones(&all, &new.name, &rotation);
    if let Some(reader) = rotation.only_reader() {
        say(format_args!(
            "only user {reader} can read {file}, which is new: where the relay runs as another user, give it to that one (chown)"
        ));
    }
    Ok(code)
}

/// What was written counts all the same: this says no more than that a power cut may undo it.
fn say_unsynced(written: &Written, rotation: &Rotation) {
    if let Some(error) = &written.unsynced {
        let file = rotation.file.display();
        say(format_args!(
            "{file} is written, but its folder could not be synced: {error}; if the power fails now, look whether it is as it should be"
        ));
    }
}

fn say_what_of_the_old_ones(all: &[NamedSecret], new: &str, rotation: &Rotation) {
    for old in all.iter().filter(|one| one.name != new) {
        if let Some(end) = old.expires_at {
            say(format_args!("{:?} verifies until {end}", old.name));
        }
    }
    for (name, _) in rotation.elsewhere.iter().filter(|(_, ends)| !ends) {
        say(format_args!("{name:?} stands in the configuration without expires_at: it verifies until you remove it"));
    }
}

fn given(profile: &Profile) -> Result<SecretString, String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| format!("stdin: {error}"))?;
    let text = text.trim_end_matches(['\n', '\r']);
    check_secret(profile, text).map_err(|reason| format!("the secret on stdin {reason}"))?;
    Ok(text.to_owned().into())
}

fn made(profile: &Profile) -> Result<SecretString, String> {
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| format!("the machine gives no random bytes: {error}"))?;
    made_of(&random, profile).map(Into::into)
}

/// Today's date, with a number where that is taken.
fn dated(rotation: &Rotation, now: Timestamp) -> String {
    let today = now.strftime("%Y-%m-%d").to_string();
    let taken = |name: &String| {
        rotation.secrets.iter().any(|one| one.name == *name) || rotation.elsewhere.iter().any(|(one, _)| one == name)
    };
    let numbered = (2..).map(|number: u32| format!("{today}-{number}"));
    std::iter::once(today.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(today)
}
